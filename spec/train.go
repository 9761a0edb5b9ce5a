package spec

import "slices"

// Train describes how one head is trained.
type Train struct {
	Source
	Words     map[string]Source // where the block's statements stand, by word; the last one of words that may occur several times
	Name      string
	Head      *Head
	Batch     int // sequences per step
	Part      int // sequences of one pass: gradients are added up over Batch/Part passes
	Length    int // tokens per sequence
	Steps     int // optimiser steps; 0 if Epochs is set
	Epochs    int // passes over the data; 0 if Steps is set
	Precision Precision
	Optimizer Optimizer
	Lookahead *Lookahead // nil: no slow weights
	Rate      Rate
	Freeze    *Freeze // nil: nothing is frozen
	Lora      *Lora   // nil: no adapters
	Smooth    float64 // share of each target of Head that is spread over all classes
	Weigh     *Weigh  // of the labels of Head; nil: every label counts once
	Negatives float64 // labels of other texts of the batch that a text is asked for, per label of its own; 0: none
	Clip      float64 // bound on the norm of all gradients; 0: no bound
	Sift      *Sift
	Replace   *Replace
	Mask      *Masking // nil: no token is masked
	Weight    float64  // of the detection loss, relative to the generator's
	Also      []Also   // further losses, added to that of Head
	Memory    int64    // bytes; 0: no bound
}

// Precision is the number format of the passes and of the kept weights.
type Precision struct {
	Source
	Compute string // f32 or bf16
	Master  string // f32
}

// Optimizer is the rule by which gradients g become steps of the weights p. rate is that of the step, t its number from 1. Decay is decoupled in all of them,
// so it is not a part of g. û is m̂/(sqrt(v̂) + eps).
//
//   - adamw (Loshchilov and Hutter 2019): m = β1·m + (1-β1)·g, v = β2·v + (1-β2)·g², p -= rate·(û + decay·p). With Correct, m̂ = m/(1-β1ᵗ) and
//     v̂ = v/(1-β2ᵗ); without it m̂ = m and v̂ = v.
//   - radam (Liu et al. 2020): the moments of adamw with their correction. ρ∞ = 2/(1-β2) - 1 and ρ = ρ∞ - 2t·β2ᵗ/(1-β2ᵗ). If ρ > 5, û is multiplied by
//     sqrt((ρ-4)(ρ-2)ρ∞ / ((ρ∞-4)(ρ∞-2)ρ)). Otherwise û = m̂. p -= rate·(û + decay·p).
//   - lamb (You et al. 2020): u = û + decay·p with the moments of adamw, p -= rate·‖p‖/‖u‖·u, where the norms are those of each tensor. The ratio is 1 if
//     one of the norms is 0.
//   - sgd: m = momentum·m + g, p -= rate·(m + decay·p).
type Optimizer struct {
	Source
	Kind         string // adamw, radam, lamb or sgd
	Beta1, Beta2 float64
	Momentum     float64 // sgd
	Eps          float64
	Decay        float64
	Except       []string // weights without decay: norm, bias
	Correct      bool     // bias correction of both moments
	Touched      bool     // rows of the token table with a gradient of 0 keep their values and moments; otherwise they are updated with a gradient of 0
}

// Lookahead keeps slow weights beside the weights (Zhang et al. 2019). After every Every steps, slow += mix·(p - slow), and then p = slow.
type Lookahead struct {
	Source
	Every int     // steps
	Mix   float64 // above 0 and below 1
}

// Rate is the learning rate's schedule. Let t be the number of the step from 0, n the number of all steps, and w the steps of the warmup: Warmup, or Share·n,
// which may be a fraction. In the warmup, t < w, the rate is Peak·t/w. Then it is To + (Peak-To)·f(x) with x = (t-w)/(n-w), or x = t/n with FromStart: the rate
// jumps at the end of the warmup as in the published code of DeBERTa.
//
//   - constant: Peak
//   - linear: f(x) = 1-x
//   - cosine: f(x) = (1 + cos πx)/2
//   - polynomial: f(x) = (1-x)^Power
type Rate struct {
	Source
	Peak      float64
	Warmup    int     // steps of linear growth from 0; 0 if Share is set
	Share     float64 // warmup as a share of all steps
	Then      string  // constant, linear, cosine or polynomial
	Power     float64 // of polynomial; otherwise 0
	FromStart bool    // the course counts from the first step, not from the end of the warmup
	To        float64 // the rate after the last step
	Layers    float64 // factor from each layer to the one below it, see Scale; 1: all weights have one rate
}

// Freeze names the parts of the trained head's model whose weights do not change. No gradient is computed for them.
type Freeze struct {
	Source
	Embed     bool        // the input: its tables, its projection and its norm
	Relative  bool        // the table of offsets and its norm
	Layers    []int       // layers of the encoder, from 1, ascending; with the convolution beside them and all that a mask decoder reads of them
	Absolutes []*Absolute // tables of positions that are not part of the input
	Head      bool
}

// Layer reports whether layer l of the encoder is frozen. f may be nil.
func (f *Freeze) Layer(l int) bool { return f != nil && slices.Contains(f.Layers, l) }

// Lora adds adapters to projections of every layer (Hu et al. 2021). With the weight W [N, K], x·Wᵀ becomes x·Wᵀ + Alpha/Rank · drop(x)·Aᵀ·Bᵀ, where
// A [Rank, K] starts at random and B [N, Rank] at 0. Only the adapters and the head are trained. A projection that shares the weights of an adapted one shares
// its adapter.
type Lora struct {
	Source
	Of      []*Proj // projections that own their weights
	Rank    int
	Alpha   float64
	Dropout float64 // of the adapter's input
}

// Weigh tells how many times an example with a label counts. With cross_entropy a row counts as many times as its label, and the mean is divided by the sum of
// these weights. With binary_cross_entropy and focal the number of a label counts as many times in rows that have the label, and once in others.
type Weigh struct {
	Source
	Labels []float64 // in the order of the head's labels
}

// Sift is scale-invariant fine-tuning: noise on the normalised input, which is moved uphill, and a penalty on the change that it causes.
type Sift struct {
	Source
	Noise  float64 // standard deviation of the first noise
	Step   float64 // largest component of a move
	Ascend int     // number of moves
	Loss   string  // symmetric_kl, kl or mse
	Weight float64 // λ
}

// Replace is replaced-token detection: the trained head judges tokens that the generator wrote. The generator reads the masked text, and its losses and
// the detector's are one sum, generator + Weight·detector, or the losses of two steps.
type Replace struct {
	Source
	Generator *Head
	Share     []string // the tables that both models have in common: embed.token, embed.absolute, absolute.NAME
	// Stop means that the shared tables have no gradient from the detector, which adds a learned difference to each, starting at 0. The row of the padding id
	// has no difference.
	Stop bool
	// Apart means that the generator's weights are updated by the gradient of its loss, and then the detector reads the updated tables and is updated by
	// the gradient of Weight times its own, each with moments and a norm of gradients of its own. The tokens are those that the generator wrote before.
	Apart bool
}

// Masking chooses the tokens to predict (He et al. 2021, and Joshi et al. 2020 for runs). A run has n units, tokens or whole words, with a probability in
// proportion to 1/n, up to Runs. The special tokens at the ends of a text are never chosen.
type Masking struct {
	Source
	Share  float64 // of the tokens of a text, 0.15 for 15 %
	Words  bool    // the units are whole words; otherwise tokens
	Runs   int     // units of the longest run
	Keep   float64 // share of the chosen tokens that stay as they are
	Random float64 // share of the chosen tokens that become any token; the others become the mask token
}

// Also is a further loss of a training, of a head of the same form on a model with the same weights. Both are one set of weights. The models may differ in the
// keys that a query sees, and the heads in the rows that they take.
type Also struct {
	Source
	Head   *Head
	Weight float64 // of its loss in the sum
}

// Target describes what is built.
type Target struct {
	Source
	Name    string
	ISA     []string // best first, of ISAs
	Weights Weights
	Batch   int     // greatest number of sequences in one run
	Tokens  int     // greatest number of tokens in one run
	Threads int     // 0: as many as the machine has
	Memory  int64   // bytes; 0: no bound
	Rank    int     // greatest rank of adapters that calls can choose; 0: no adapters
	Vectors Source  // where vectors are asked for; zero: they are not
	Agree   float64 // largest difference from the reference
	Emit    []Emit
	Default bool // the file has no target

	ListsISA bool // the target has an isa line
}

// HasVectors reports whether vectors are asked for.
func (t *Target) HasVectors() bool { return !t.Vectors.Pos.IsZero() }

// Weights is the number format of packed weights.
type Weights struct {
	Source
	Kind    string // f32, bf16 or int8
	Channel bool   // int8: one scale per row of the weight
}

// EmitKind is the kind of package that is generated.
type EmitKind uint8

// The kinds of output.
const (
	EmitInfer EmitKind = iota // a forward pass with the head's verbs
	EmitTrain                 // a training program
)

// Emit is one package to generate. Exactly one of Model, Head, Ensemble and Train is set. Model means the last layer's rows, without a head.
type Emit struct {
	Source
	Kind     EmitKind
	Model    *Model
	Head     *Head
	Ensemble *Ensemble
	Train    *Train
	Package  string // Go package name; "": it is made from the name
}
