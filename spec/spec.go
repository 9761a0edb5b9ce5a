package spec

import (
	"slices"

	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec/diag"
)

// Source is the place where an element of a resolved spec was written. Generated code and IR cite it. It is empty for defaults. For what like has copied from
// the zoo it is a place in the zoo's files.
type Source struct {
	Pos  diag.Span // the statement
	Text string    // the statement in canonical layout, on one line and without comments; without the content of its block
}

// Spec is a resolved file. All names are looked up, all `like` are merged, all numbers are evaluated, and all defaults are filled in.
type Spec struct {
	Name      string // the file's name as passed to Parse
	Models    []*Model
	Heads     []*Head
	Ensembles []*Ensemble
	Trains    []*Train
	Targets   []*Target // never empty: without a target block it holds the default target, named "default"
}

// Model is one encoder with its input and its decoders.
type Model struct {
	Source
	Name       string
	Like       []string // the models that this one was copied from, nearest first
	Checkpoint string   // hf.deberta, hf.deberta_v2, hf.bert, hf.roberta, hf.gliner, hf.gliclass or own
	Tokenizer  string   // sentencepiece, bytebpe, wordpiece or none
	Dims       []Dim    // in order of definition

	Vocab  int // V, rows of the token table
	Hidden int // H
	Heads  int // A, attention heads; A·D = H
	Head   int // D, size of one attention head
	Inner  int // F, width of the feed-forward layer
	Layers int // L
	Seq    int // greatest number of tokens of one sequence

	Defaults  Defaults
	Embed     Embed
	Absolutes []*Absolute // named tables of positions that are not part of the input
	Relative  *Relative   // nil: no table of offsets
	Encoder   Encoder
	Decoders  []*Decoder
}

// Dim is a named integer of a model.
type Dim struct {
	Source
	Name  string
	Value int
	Bound bool // written with <=: lengths vary and are never greater
}

// Defaults holds the choices for blocks that do not set their own.
type Defaults struct {
	Source
	Norm    Norm
	Act     string // one of Acts
	Dropout Dropout
	Init    Init
}

// Norm is a normalisation over the last axis with gain and shift: g ⊙ (x − μ) / sqrt(σ² + eps) + b, biased variance.
type Norm struct {
	Source
	Kind string // layernorm
	Eps  float64
}

// Dropout holds the rates used in training.
type Dropout struct {
	Source
	Hidden    float64 // embedding output, relative table, both residual branches
	Attention float64 // attention probabilities
}

// Init is the distribution that initial weights are drawn from.
type Init struct {
	Source
	Kind string // normal
	Std  float64
}

// Acts lists the activations. gelu is the erf form, gelu_tanh the tanh form.
var Acts = []string{"gelu", "gelu_tanh", "relu", "tanh", "silu", "sigmoid", "identity"}

// Embed is the input: the sum of the tables; a projection to Hidden without bias if Width differs; and the norm. Its rows are [T, Hidden].
type Embed struct {
	Source
	Token    Table // [Vocab, Width]
	Pad      int   // the id whose row gets no gradient through the lookup; -1: no id
	Width    int   // E, columns of every table
	Absolute *Absolute
	Segment  *Table
	Norm     *Norm // nil: no norm
}

// Table is an embedding table.
type Table struct {
	Source
	Rows int
}

// Absolute is a table of absolute positions.
type Absolute struct {
	Source
	Name string // "" for the table of the input
	Rows int
	From int // the n-th token that is not padding (from 0) takes row From+n
}

// Relative is the table of relative offsets, shared by all layers: [Rows, Hidden].
type Relative struct {
	Source
	Name   string
	Lo, Hi int // offsets, Lo = -span, Hi = span-1
	Rows   int // Hi - Lo + 1
	Bucket Bucket
	Norm   *Norm // nil: the table is not normalised
}

// Row returns the table's row for query i and key j with delta = i-j. It is the bucket, clamped to the table: idx = clamp(r+S, 0, 2S-1).
func (r *Relative) Row(delta int) int {
	b := r.Bucket.Index(delta)
	return min(max(b, r.Lo), r.Hi) - r.Lo
}

// BucketKind is the way in which a distance becomes an offset of the table.
type BucketKind uint8

// The kinds of buckets.
const (
	Clamp BucketKind = iota // the distance itself; distances beyond the table use its first or last row
	Log                     // exact up to Exact, logarithmic up to Reach
)

// Bucket maps distances to offsets.
type Bucket struct {
	Source
	Kind  BucketKind
	Exact int // Log: distances up to this one do not change
	Reach int // Log: the distance at which the buckets end
}

// Encoder is the stack of layers. Each is post-norm: x1 = norm(ctx·Woᵀ + bo + x), x2 = norm(ffn(x1) + x1).
type Encoder struct {
	Source
	Layers    int
	Attention Attention
	FFN       FFN
	Conv      *Conv // nil: no convolution
}

// Attention is one disentangled self-attention.
type Attention struct {
	Source
	Projections []*Proj // the projections in use, in the order of the text
	Score       []Term
	ScoreSource Source
	Scale       float64 // factor of the sum of the products, evaluated: 1/sqrt(head·terms)
	ScaleSource Source
	Mask        MaskKind
	MaskSource  Source
	MixScore    *Source // talking heads before the mask; nil: not mixed
	MixWeight   *Source // talking heads after the softmax; nil: not mixed
}

// ProjKind is the kind of numbers that a projection produces.
type ProjKind uint8

// The kinds of projections.
const (
	Linear ProjKind = iota // [rows, heads·head] = input · Wᵀ (+ bias)
	Scalar                 // a learned [relative rows, heads] table, one number per head
)

// Operand is what a projection reads.
type Operand uint8

// The operands.
const (
	X   Operand = iota // the layer's input, one row per token
	Rel                // the relative table (after its norm), one row per offset
)

// Proj is a projection of an attention block.
type Proj struct {
	Source
	Name  string
	Of    Operand
	Reuse *Proj // the projection whose weight and bias this one uses; nil: it has its own
	Bias  bool  // that of Reuse, if weights are reused
	Kind  ProjKind
}

// Weights returns the projection that owns the weights: p itself, or the one that p reuses.
func (p *Proj) Weights() *Proj {
	if p.Reuse != nil {
		return p.Reuse
	}
	return p
}

// Index is a subscript of a factor: a position (i the query, j the key) or an offset.
type Index uint8

// The subscripts.
const (
	I  Index = iota // the query's row
	J               // the key's row
	IJ              // i-j
	JI              // j-i
)

// String returns the subscript as written: i, j, i-j, j-i.
func (x Index) String() string { return [...]string{"i", "j", "i-j", "j-i"}[x] }

// IsOffset reports whether the subscript is an offset, which selects a row of the relative table.
func (x Index) IsOffset() bool { return x == IJ || x == JI }

// TermKind is the kind of a term. The indices alone decide it.
type TermKind uint8

// The kinds of terms.
const (
	ContentContent TermKind = iota // q[i]·k[j]
	ContentOffset                  // q[i]·kr[i-j], qr[i-j]·k[j]
	OffsetOffset                   // qr[i-j]·kr[i-j]: weights only, a [heads, rows] table
	Bias                           // b[i-j]: a lookup, added after the scale
)

// String names the kind in words.
func (k TermKind) String() string {
	return [...]string{"content·content", "content·offset", "offset·offset", "bias"}[k]
}

// Term is one summand of the score. In ContentContent terms Left is indexed by i and Right by j. In ContentOffset terms the order is that of the text (see
// Content and Offset).
type Term struct {
	Source
	Kind        TermKind
	Left, Right Factor // Right.Proj is nil for a Bias
}

// Content returns the factor of a ContentOffset term that is indexed by a position. Index I makes the term content→position (c2p), J makes it position→content
// (p2c).
func (t Term) Content() Factor {
	if t.Left.Index.IsOffset() {
		return t.Right
	}
	return t.Left
}

// Offset returns the factor of a ContentOffset or Bias term that is indexed by an offset.
func (t Term) Offset() Factor {
	if t.Left.Index.IsOffset() {
		return t.Left
	}
	return t.Right
}

// Factor is a projection at an index.
type Factor struct {
	Proj  *Proj
	Index Index
}

// MaskKind describes which keys a query sees.
type MaskKind uint8

// The masks.
const (
	MaskLive   MaskKind = iota // mask j: all live keys
	MaskCausal                 // mask j <= i
	MaskPrefix                 // mask j <= i or prefix[j]
)

// String returns the operand of the word mask.
func (m MaskKind) String() string {
	return [...]string{"j", "j <= i", "j <= i or prefix[j]"}[m]
}

// FFN is the feed-forward layer: W2·act(W1·x + b1) + b2.
type FFN struct {
	Source
	Inner int
	Act   string
}

// Conv is the convolution over tokens beside one layer: norm(layer(x) + act(conv(embeddings))).
type Conv struct {
	Source
	Kernel int // odd
	Groups int // divides Hidden
	Act    string
	Beside int // the layer to whose output it is added, from 1
}

// Decoder is an enhanced mask decoder. It applies the encoder's last layer Repeat times, with keys and values from Memory. The first queries are Query, plus
// Add.
type Decoder struct {
	Source
	Name   string
	Repeat int
	Layer  int       // the encoder layer whose weights it uses, from 1
	Query  State     // the first queries, to which Add is added
	Add    *Absolute // absolute positions; nil: no positions are added
	Memory State
}

// State names a hidden state of the encoder by layer: 0 is the embedding's output, Layers the last layer's output.
type State struct {
	Source
	Layer int
}

// Head is a sequence of steps on the rows of the encoder, or of a decoder.
type Head struct {
	Source
	Name    string
	Model   *Model
	Decoder *Decoder // nil: the encoder's last layer
	Take    Take
	Steps   []*Step
	As      Meaning
	Labels  []string // for the meaning Labels
	Loss    string   // one of tasktable.Losses; "": no loss
	From    string   // tensor prefix; "": the usual one of the scheme
	Out     int      // columns of the last step
	Prompt  *Prompt  // labels that are chosen at run time; nil: the head reads no such labels
	Text    *Text    // the row that labels are compared with; nil: the head has no step score

	LossSettings LossSettings
	Decoding     *Decoding // of a head that scores boundaries; nil otherwise
}

// FullName returns the name that other statements use: model.head.
func (h *Head) FullName() string { return h.Model.Name + "." + h.Name }

// Task returns what the head's numbers mean.
func (h *Head) Task() tasktable.Task { return h.inTable().Task() }

// inTable returns the head as the table of tasks describes it.
func (h *Head) inTable() tasktable.Head {
	tied := slices.ContainsFunc(h.Steps, func(s *Step) bool { return s.Tied != "" })
	return tasktable.Head{As: h.As, Take: h.Take.Rows, Columns: h.Out, Vocab: h.Model.Vocab, Loss: h.Loss, Tied: tied}
}

// Rows describes the rows that a head reads.
type Rows = tasktable.Take

// The rows that a head can read.
const (
	First     = tasktable.TakeFirst
	Each      = tasktable.TakeEach
	EachFirst = tasktable.TakeEachFirst
	Masked    = tasktable.TakeMasked
	Mean      = tasktable.TakeMean
	Words     = tasktable.TakeWords  // see Take.Pick
	ByLabel   = tasktable.TakeLabels // see Take.Pick
)

// Take is a head's first statement.
type Take struct {
	Source
	Rows Rows
	Pick string // Words: first, last, mean or max of the word's tokens; ByLabel: first or mean of the label's tokens
}

// Meaning describes what the numbers of the last step are: a word of the table of tasks.
type Meaning = tasktable.Meaning

// The meanings that other code than the table of tasks depends on.
const (
	Vector   = tasktable.AsNumbers
	Labels   = tasktable.AsLabels
	SpanEnds = tasktable.AsSpan
	Choices  = tasktable.AsChoices
	Score    = tasktable.AsScore
	Entities = tasktable.AsEntities
	OwnLabel = tasktable.AsOwnLabels
	BySchema = tasktable.AsSchema
)

// StepKind is an operation of a head.
type StepKind uint8

// The steps of heads.
const (
	StepLinear     StepKind = iota // rows·Wᵀ + b
	StepAct                        // an activation
	StepNorm                       // a norm with its own gain and shift
	StepDropout                    // in training only
	StepLSTM                       // bidirectional LSTM over the rows of a sequence
	StepCRF                        // transition scores, Viterbi
	StepDecode                     // constraint on label sequences
	StepSpans                      // GLiNER's span scorer
	StepTokens                     // GLiNER's token scorer
	StepUnit                       // rows divided by their lengths
	StepScore                      // a text scored against labels
	StepClasses                    // one number for each marker of a schema
	StepCounts                     // a number for each count at each marker of a schema
	StepGRU                        // the steps of each field of a schema
	StepFields                     // the row of each field in each step
	StepBounds                     // boundaries between words, and their scores
	StepPool                       // the choice of spans
	StepCandidates                 // the scores of the chosen spans
	StepAbsent                     // a number for each query: it has no result
)

// Step is one statement of a head after take.
type Step struct {
	Source
	Kind    StepKind
	In, Out int     // columns before and after
	Tied    string  // StepLinear: the table whose rows are the weight, "embed.token"; the bias is the head's own
	Act     string  // StepAct
	Norm    *Norm   // StepNorm
	Rate    float64 // StepDropout
	Both    bool    // StepLSTM: both directions, Out = twice the size
	Decode  string  // StepDecode: bio
	Width   int     // StepSpans: the longest span in words
	Scaled  bool    // StepUnit: the score is multiplied by a learned number
	Score   string  // StepScore: one of LabelScores
	Widths  []int   // StepScore, StepClasses, StepCounts, StepFields: of its inner layers
	Heads   int     // StepScore, StepFields: of attend
	Count   int     // StepCounts: the numbers; StepGRU: the steps; StepFields: the experts, or the layers of attend
	Fields  string  // StepFields: one of FieldForms
	Size    int     // StepFields: the columns of attend
	Inner   int     // StepFields: the columns of attend's feed-forward layers

	Bounds     *Bounds     // StepBounds
	Pool       *Pool       // StepPool
	Candidates *Candidates // StepCandidates
}

// FieldForms lists the ways in which the row of a field in a step is made.
var FieldForms = []string{"layers", "experts", "attend"}

// LabelScores lists the ways in which a text is scored against a label.
var LabelScores = []string{"dot", "weighted", "layers", "hopfield", "attend"}

// TextRows lists the ways in which the rows of a text become the row that labels are compared with. With each they stay apart.
var TextRows = []string{"first", "last", "mean", "sum", "max", "rms", "abs_max", "abs_mean", "each"}

// Text describes the row of a text that labels are compared with.
type Text struct {
	Source
	How string // one of TextRows
	End bool   // only tokens from the prompt's end token on are read; each token before stands for a row of zeros
}

// Prompt describes how labels that are chosen at run time precede or follow the text.
type Prompt struct {
	Source
	Schema    bool   // the tasks of a schema precede the text, with GLiNER2's markers; the other fields are empty
	Mark, End string // added tokens: the one in front of each label, and the one after the last label
	After     bool   // a label is read at the token after its mark, not at the mark
	Last      bool   // the labels follow the text
	Example   string // the added token in front of each example; "": there are no examples
}

// Ensemble averages heads with the same labels.
type Ensemble struct {
	Source
	Name    string
	Members []Member
	Mean    string // probabilities or logits
}

// Member is a head with its weight.
type Member struct {
	Source
	Head   *Head
	Weight float64
}
