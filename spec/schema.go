package spec

import (
	"slices"
	"strings"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// Row is one word of the language in one block. Parsing, checking, explain and the documentation all use the table Schema.
type Row struct {
	Block    string // where the word may occur: file, model, encoder, attention, …
	Word     string
	Operands string // what follows it, as shown to users
	Unit     string // the unit that its number must carry
	Default  string // the default, in words; "": the word must be there, or there is nothing by default
	Doc      string // one line
	Opens    string // the block inside its braces; "": it takes no block
	Named    bool   // the first operand is a name, by which like and drop find the statement
	Many     bool   // may occur more than once

	parse    func(*lexer.PeekingLexer) (any, error) // nil: it takes no operands
	optional bool                                   // the operands may be missing
}

// Usage returns how the word is written.
func (r *Row) Usage() string {
	s := r.Word
	if r.Word == "=" {
		s = ""
	}
	if r.Operands != "" {
		s += " " + r.Operands
	}
	if r.Opens != "" {
		s += " { … }"
	}
	return strings.TrimSpace(s)
}

// form returns a parser of operands. It is built when it is first used.
func form[T any]() func(*lexer.PeekingLexer) (any, error) {
	build := sync.OnceValue(func() *participle.Parser[T] {
		return participle.MustBuild[T](participle.Lexer(definition{}), participle.UseLookahead(3))
	})
	return func(lex *lexer.PeekingLexer) (any, error) { return build().ParseFromLexer(lex) }
}

// Schema lists every word of the language.
var Schema = []*Row{
	{Block: "file", Word: "dspec", Operands: "1", Doc: "the version of the language, in the first line", parse: form[versionForm]()},
	{Block: "file", Word: "model", Operands: "NAME [like MODEL]", Opens: "model", Named: true, Many: true,
		Doc: "an encoder with its input and decoders", parse: form[modelForm]()},
	{Block: "file", Word: "head", Operands: "NAME on MODEL[.DECODER]", Opens: "head", Named: true, Many: true,
		Doc: "what is computed from a model's rows, step by step", parse: form[onForm]()},
	{Block: "file", Word: "ensemble", Operands: "NAME", Opens: "ensemble", Named: true, Many: true,
		Doc: "heads of the same labels, averaged", parse: form[nameForm]()},
	{Block: "file", Word: "train", Operands: "NAME on MODEL.HEAD", Opens: "train", Named: true, Many: true,
		Doc: "how a head is trained", parse: form[onForm]()},
	{Block: "file", Word: "target", Operands: "NAME", Opens: "target", Named: true, Many: true,
		Doc: "what is built; changes no result beyond its agree line", parse: form[nameForm]()},

	{Block: "model", Word: "checkpoint", Operands: "SCHEME", Default: "own",
		Doc: "tensor names and layout of the weights: " + strings.Join(checkpoints, ", "), parse: form[pathForm]()},
	{Block: "model", Word: "tokenizer", Operands: "KIND", Default: "none",
		Doc: "how text becomes ids: " + strings.Join(tokenizers, ", "), parse: form[wordForm]()},
	{Block: "model", Word: "dim", Operands: "NAME = EXPR | NAME <= EXPR", Named: true, Many: true,
		Doc: "a named size; <= for the bound of a length", parse: form[dimForm]()},
	{Block: "model", Word: "defaults", Opens: "defaults", Doc: "defaults for blocks that do not set their own"},
	{Block: "model", Word: "embed", Opens: "embed", Doc: "the input: the sum of the tables, then a projection if width differs, then the norm"},
	{Block: "model", Word: "absolute", Operands: "NAME", Opens: "absolute", Named: true, Many: true,
		Doc: "a table of absolute positions that is not part of the input", parse: form[nameForm]()},
	{Block: "model", Word: "relative", Operands: "NAME", Opens: "relative", Named: true, Many: true,
		Doc: "the table of relative offsets, shared by all layers", parse: form[nameForm]()},
	{Block: "model", Word: "encoder", Operands: "LAYERS", Opens: "encoder", Doc: "the stack of layers", parse: form[exprForm](), optional: true},
	{Block: "model", Word: "decoder", Operands: "NAME", Opens: "decoder", Named: true, Many: true, Doc: "an enhanced mask decoder", parse: form[nameForm]()},

	{Block: "defaults", Word: "norm", Operands: "layernorm(eps: NUMBER)", Default: "layernorm(eps: 1e-7)",
		Doc: "every norm, biased variance, eps inside the root", parse: form[normForm]()},
	{Block: "defaults", Word: "act", Operands: "ACT", Default: "gelu", Doc: "every activation: " + strings.Join(Acts, ", "), parse: form[wordForm]()},
	{Block: "defaults", Word: "dropout", Operands: "RATE [attention RATE]", Default: "0",
		Doc: "rates in training: hidden rows, attention probabilities", parse: form[dropoutForm]()},
	{Block: "defaults", Word: "init", Operands: "normal(std: NUMBER)", Default: "normal(std: 0.02)",
		Doc: "where the matrices of a new head, and all of a training from scratch, start from; biases are 0, gains of norms 1", parse: form[initForm]()},

	{Block: "embed", Word: "token", Operands: "ROWS [pad ID]", Default: "pad 0",
		Doc: "the token table; pad's row gets no gradient through the lookup", parse: form[tokenForm]()},
	{Block: "embed", Word: "width", Operands: "COLUMNS", Default: "hidden",
		Doc: "columns of the input tables; another number than hidden adds a projection without bias", parse: form[exprForm]()},
	{Block: "embed", Word: "absolute", Operands: "ROWS [from ROW]", Default: "none",
		Doc: "absolute positions: the n-th token that is not padding (from 0) takes row ROW + n", parse: form[absoluteForm]()},
	{Block: "embed", Word: "segment", Operands: "ROWS", Default: "none", Doc: "token types", parse: form[exprForm]()},
	{Block: "embed", Word: "norm", Operands: "[layernorm(eps: NUMBER)]", Default: "none", Doc: "a norm of the sum", parse: form[normForm](), optional: true},

	{Block: "absolute", Word: "rows", Operands: "ROWS", Doc: "rows of the table", parse: form[exprForm]()},
	{Block: "absolute", Word: "from", Operands: "ROW", Default: "0", Doc: "the row of the first position", parse: form[exprForm]()},

	{Block: "relative", Word: "offsets", Operands: "LOW .. HIGH", Doc: "the offsets that have a row, -span .. span - 1", parse: form[offsetsForm]()},
	{Block: "relative", Word: "bucket", Operands: "clamp | log(exact: EXPR, reach: EXPR)", Default: "clamp",
		Doc: "how a distance becomes an offset", parse: form[bucketForm]()},
	{Block: "relative", Word: "norm", Operands: "[layernorm(eps: NUMBER)]", Default: "none",
		Doc: "a norm of the table's rows", parse: form[normForm](), optional: true},

	{Block: "encoder", Word: "attention", Opens: "attention", Doc: "self-attention"},
	{Block: "encoder", Word: "ffn", Operands: "WIDTH", Doc: "the feed-forward layer", parse: form[exprForm]()},
	{Block: "encoder", Word: "conv", Opens: "conv", Default: "none", Doc: "a convolution over tokens beside one layer"},

	{Block: "attention", Word: "=", Operands: "NAME, NAME = linear(x | TABLE [, bias: no]) | scalar(TABLE) | NAME(TABLE)", Many: true,
		Doc: "projections; the name of another one shares its weights", parse: form[assignForm]()},
	{Block: "attention", Word: "score", Operands: "NAME[INDEX]·NAME[INDEX] + …", Doc: "the sum of terms before the softmax", parse: form[scoreForm]()},
	{Block: "attention", Word: "scale", Operands: "EXPR", Default: "1 / sqrt(head * terms)",
		Doc: "multiplies the products; terms is their number", parse: form[exprForm]()},
	{Block: "attention", Word: "mask", Operands: "j | j <= i | j <= i or prefix[j]", Default: "j",
		Doc: "the keys that a query sees: all live ones, no later ones, or no later ones except the prefix", parse: form[maskForm]()},
	{Block: "attention", Word: "mix", Operands: "score | weight", Default: "none", Many: true,
		Doc: "talking heads: a learned [heads, heads] before the mask, after the softmax", parse: form[mixForm]()},

	{Block: "conv", Word: "kernel", Operands: "TOKENS", Doc: "width of the kernel, odd", parse: form[exprForm]()},
	{Block: "conv", Word: "groups", Operands: "COUNT", Default: "1", Doc: "groups of channels", parse: form[exprForm]()},
	{Block: "conv", Word: "act", Operands: "ACT", Default: "tanh", Doc: "its activation", parse: form[wordForm]()},
	{Block: "conv", Word: "beside", Operands: "layer NUMBER", Default: "layer 1",
		Doc: "the layer whose output it is added to, from 1", parse: form[besideForm]()},

	{Block: "decoder", Word: "repeat", Operands: "TIMES of encoder.last", Doc: "the last layer's weights, applied that many times", parse: form[repeatForm]()},
	{Block: "decoder", Word: "query", Operands: "encoder[-K] [+ TABLE]", Doc: "the first queries; [-1] is the last layer's output", parse: form[stateForm]()},
	{Block: "decoder", Word: "memory", Operands: "encoder[-K]", Doc: "keys and values of every repetition", parse: form[stateForm]()},

	{Block: "head", Word: "take", Operands: "first | each | each + first | masked | mean | words(first | last | mean | max) | labels(first | mean)",
		Doc: "the rows that the head reads", parse: form[takeForm]()},
	{Block: "head", Word: "linear", Operands: "COLUMNS [tied embed.token] [as " + meaningOperands() + "]", Many: true,
		Doc: "a linear layer with bias, and what its numbers mean", parse: form[linearForm]()},
	{Block: "head", Word: "act", Operands: "[ACT]", Many: true,
		Doc: "an activation; without a name it is the model's default", parse: form[wordForm](), optional: true},
	{Block: "head", Word: "norm", Operands: "[layernorm(eps: NUMBER)]", Many: true,
		Doc: "a norm with weights of its own", parse: form[normForm](), optional: true},
	{Block: "head", Word: "dropout", Operands: "RATE", Many: true, Doc: "in training only", parse: form[numForm]()},
	{Block: "head", Word: "loss", Operands: lossOperands(), Default: lossDefault(),
		Doc:   "what training minimises; contrastive, cosine_similarity, pairwise, listwise and focal are for a few kinds of heads",
		parse: form[lossForm]()},
	{Block: "head", Word: "from", Operands: "TEXT", Doc: "tensor prefix, where a checkpoint holds more than one such head", parse: form[stringForm]()},
	{Block: "head", Word: "crf", Doc: "transition scores with Viterbi decoding"},
	{Block: "head", Word: "decode", Operands: "bio", Doc: "only label sequences that B-I-O allows", parse: form[wordForm]()},
	{Block: "head", Word: "lstm", Operands: "SIZE [both]", Many: true,
		Doc: "an LSTM over the rows of a sequence, both directions side by side", parse: form[lstmForm]()},
	{Block: "head", Word: "prompt", Operands: "labels [after] [last] mark TEXT end TEXT [example TEXT] | schema",
		Doc: "labels given at run time, in front of the text or, with last, after it; read at their mark or after it; example stands before each example; " +
			"schema: the tasks of a schema with GLiNER2's markers",
		parse: form[promptForm]()},
	{Block: "head", Word: "text", Operands: strings.Join(TextRows, " | ") + " [from end]",
		Doc:   "the row of a text that labels are compared with; from end: of tokens from the prompt's end token on, and zeros for each token before",
		parse: form[textForm]()},
	{Block: "head", Word: "unit", Operands: "[scaled]",
		Doc:   "the rows of texts and labels divided by their lengths; scaled: the score is multiplied by a learned number",
		parse: form[unitForm](), optional: true},
	{Block: "head", Word: "score", Operands: "dot | weighted WIDTH | layers WIDTH, … | hopfield WIDTH, … | attend(heads: COUNT) WIDTH, …",
		Doc:   "scores the text against every label; widths are those of inner layers",
		parse: form[labelScoreForm]()},
	{Block: "head", Word: "classes", Operands: "layers WIDTH, …",
		Doc: "one number for each marker of a schema, read at labels of classifications; widths are those of inner layers", parse: form[layersForm]()},
	{Block: "head", Word: "counts", Operands: "COUNT layers WIDTH, …",
		Doc: "a number for each count from 0 on at each marker, read at tasks: how many times the text has what they ask for", parse: form[countsForm]()},
	{Block: "head", Word: "gru", Operands: "COUNT steps",
		Doc: "gated recurrent units from the row of each field's marker over the rows of a table: a row for each field in each step", parse: form[gruForm]()},
	{Block: "head", Word: "fields",
		Operands: "layers WIDTH, … | experts(count: COUNT) WIDTH | attend(repeat: COUNT, heads: COUNT, width: WIDTH, ffn: WIDTH) WIDTH, …",
		Doc: "the row that spans are scored against, for each field in each step: of inner layers, of experts with a router, or with attention among the " +
			"fields of a step",
		parse: form[fieldsForm]()},
	{Block: "head", Word: "boundaries", Operands: "WIDTH [attend(repeat: COUNT, heads: COUNT [, window: COUNT])] [refine COUNT ffn WIDTH]",
		Doc:   "a row for each boundary between words, of those of both words, with attention, and refined; scored as start and end, and words as inside",
		parse: form[boundsForm]()},
	{Block: "head", Word: "pool", Operands: "<= COUNT from COUNT [least COUNT]", Default: "least 0",
		Doc:   "the spans of a text that are scored, up to a number: between the from best boundaries of each kind; the least best ones of each field first",
		parse: form[poolForm]()},
	{Block: "head", Word: "candidates", Operands: "WIDTH [content WIDTH [soft]] film WIDTH [inside]",
		Doc: "scores each chosen span against each field: a row of its boundaries, length and content, multiplied with the field's, and changed by it before " +
			"two layers; inside: the scores of its words are added",
		parse: form[candidatesForm]()},
	{Block: "head", Word: "absent", Operands: "above PROBABILITY",
		Doc: "one number for each field: a field whose probability of having no result is above that has none", parse: form[absentForm]()},
	{Block: "head", Word: "temperature", Operands: "[pairs NUMBER] [classes NUMBER]", Default: "pairs 1 classes 1",
		Doc: "what the logits of spans and of classes are divided by when they become probabilities", parse: form[temperatureForm]()},
	{Block: "head", Word: "overlap", Operands: strings.Join(Overlaps, " | "), Default: Overlaps[0],
		Doc: "which of the spans of a field stay that share words, if a call does not say it", parse: form[wordForm]()},
	{Block: "head", Word: "spans", Operands: "<= WORDS markers", Doc: "scores every span of words against every label, or every field in each step",
		parse: form[spansForm]()},
	{Block: "head", Word: "tokens", Operands: "start end inside", Doc: "scores every word as start, end or inside of every label", parse: form[tokensForm]()},

	{Block: "ensemble", Word: "member", Operands: "MODEL.HEAD [weight NUMBER]", Many: true, Default: "weight 1",
		Doc: "a head that takes part", parse: form[memberForm]()},
	{Block: "ensemble", Word: "mean", Operands: "probabilities | logits", Default: "probabilities", Doc: "what is averaged", parse: form[wordForm]()},

	{Block: "train", Word: "batch", Operands: "COUNT sequences [in parts of COUNT]", Unit: "sequences",
		Doc: "sequences per step; in parts, gradients are added up over passes of COUNT sequences", parse: form[batchForm]()},
	{Block: "train", Word: "length", Operands: "COUNT tokens", Unit: "tokens", Default: "the model's seq", Doc: "longest sequence", parse: form[countForm]()},
	{Block: "train", Word: "epochs", Operands: "COUNT", Doc: "passes over the data", parse: form[numForm]()},
	{Block: "train", Word: "steps", Operands: "COUNT steps", Unit: "steps", Doc: "updates of the weights", parse: form[countForm]()},
	{Block: "train", Word: "precision", Operands: "f32 | bf16 [master f32]", Default: "f32 master f32",
		Doc: "number formats of the passes and of the kept weights", parse: form[precisionForm]()},
	{Block: "train", Word: "optimizer", Operands: optimizerOperands(), Default: optimizerDefault(),
		Doc: "how gradients become steps; rows of tables that a step did not read are updated as dense ones are, or left alone", parse: form[optimizerForm]()},
	{Block: "train", Word: "lookahead", Operands: "COUNT steps [mix NUMBER]", Unit: "steps", Default: "none; mix 0.5",
		Doc: "slow weights, to which the weights return every COUNT steps after a share of the difference is added to them", parse: form[lookaheadForm]()},
	{Block: "train", Word: "rate", Operands: "NUMBER [warmup COUNT steps | SHARE %] [then COURSE] [layers NUMBER]",
		Doc: "the learning rate; COURSE is constant, or linear, cosine or polynomial POWER with [from start] [to NUMBER]; " +
			"layers multiplies it from each layer to the one below",
		parse: form[rateForm]()},
	{Block: "train", Word: "freeze", Operands: "embed, relative, encoder, encoder[LAYER], encoder[FIRST .. LAST], absolute.NAME, head", Default: "none",
		Doc: "the parts of the model whose weights do not change, any of them; layers count from 1", parse: form[freezeForm]()},
	{Block: "train", Word: "lora", Operands: "NAME, … rank COUNT [alpha NUMBER] [dropout RATE]", Default: "none; alpha as rank, dropout 0",
		Doc: "low-rank adapters beside the weights of projections in every layer; of the rest only the head is trained", parse: form[loraForm]()},
	{Block: "train", Word: "smooth", Operands: "NUMBER", Default: "0", Doc: "label smoothing: the share of each target that is spread over all classes",
		parse: form[numForm]()},
	{Block: "train", Word: "weigh", Operands: "labels NUMBER …", Default: "1 for each label",
		Doc: "one number per label, in the order of the labels: how many times an example with the label counts", parse: form[weighForm]()},
	{Block: "train", Word: "negatives", Operands: "NUMBER from batch", Default: "none",
		Doc:   "for each label of a text, how many labels of other texts of the batch are asked for too, where labels are given in the prompt",
		parse: form[negativesForm]()},
	{Block: "train", Word: "clip", Operands: "NUMBER", Default: "none", Doc: "bound on the norm of all gradients", parse: form[numForm]()},
	{Block: "train", Word: "sift", Opens: "sift", Default: "none", Doc: "scale-invariant fine-tuning: a penalty on what small noise on the input changes"},
	{Block: "train", Word: "memory", Operands: "<= SIZE MiB | GiB", Unit: "MiB GiB", Default: "no bound",
		Doc: "activations are recomputed until training fits", parse: form[atMostForm]()},
	{Block: "train", Word: "replace", Operands: "from MODEL.HEAD [share embed.token, embed.absolute, absolute.NAME [stopping gradient]]", Default: "none",
		Doc: "replaced-token detection: the generator that writes the tokens to judge, and the tables that it shares, any of them", parse: form[replaceForm]()},
	{Block: "train", Word: "updates", Operands: "together | apart", Default: "with replace: apart with stopping gradient, else together",
		Doc: "generator and detector: one step for the sum of both losses, or the generator's step first, then the detector's", parse: form[wordForm]()},
	{Block: "train", Word: "weight", Operands: "NUMBER", Default: "50 with replace",
		Doc: "weight of the detection loss relative to the generator's", parse: form[numForm]()},
	{Block: "train", Word: "mask", Operands: "SHARE % [of tokens | of words] [runs <= COUNT] [keep SHARE %] [random SHARE %]", Unit: "%",
		Default: "15 % of tokens runs <= 1 keep 10 % random 10 % where tokens are masked; with replace, keep 0 % random 0 %",
		Doc:     "share of the tokens that are predicted, in runs of tokens or whole words; of these, the shares that are kept and that become random tokens",
		parse:   form[maskingForm]()},
	{Block: "train", Word: "also", Operands: "MODEL.HEAD share all [weight NUMBER]", Many: true, Default: "none; weight 1",
		Doc: "a further loss: that of a head of the same form, on a model with the same weights and maybe another mask", parse: form[alsoForm]()},

	{Block: "sift", Word: "perturb", Operands: "embed.norm", Default: "embed.norm",
		Doc: "where the noise is added: a parameter-free norm in front of this one", parse: form[pathForm]()},
	{Block: "sift", Word: "noise", Operands: "NUMBER", Default: "1e-2", Doc: "standard deviation of the first noise", parse: form[numForm]()},
	{Block: "sift", Word: "step", Operands: "NUMBER", Default: "1e-4", Doc: "largest component of a move uphill", parse: form[numForm]()},
	{Block: "sift", Word: "ascend", Operands: "COUNT", Default: "1", Doc: "moves uphill, at most 100", parse: form[numForm]()},
	{Block: "sift", Word: "loss", Operands: "symmetric_kl | kl | mse", Default: "symmetric_kl; mse if the numbers are not logits",
		Doc: "what the move increases", parse: form[wordForm]()},
	{Block: "sift", Word: "weight", Operands: "NUMBER", Default: "1.0", Doc: "weight of the penalty", parse: form[numForm]()},

	{Block: "target", Word: "isa", Operands: "NAME, …", Default: "avx512, avx2, go",
		Doc: "instruction sets, best first, chosen at start-up: " + strings.Join(ISAs, ", "), parse: form[isaForm]()},
	{Block: "target", Word: "weights", Operands: "f32 | bf16 | int8 [per channel]", Default: "f32",
		Doc: "number format of the packed weights", parse: form[weightsForm]()},
	{Block: "target", Word: "batch", Operands: "<= COUNT sequences", Unit: "sequences", Default: "<= 32 sequences",
		Doc: "most sequences in one run", parse: form[atMostForm]()},
	{Block: "target", Word: "tokens", Operands: "<= COUNT", Default: "<= 16384", Doc: "most tokens in one run; bounds the arena", parse: form[atMostForm]()},
	{Block: "target", Word: "threads", Operands: "<= COUNT", Default: "those of the machine", Doc: "most threads", parse: form[atMostForm]()},
	{Block: "target", Word: "memory", Operands: "<= SIZE MiB | GiB", Unit: "MiB GiB", Default: "no bound",
		Doc: "most memory besides the weights' file", parse: form[atMostForm]()},
	{Block: "target", Word: "adapters", Operands: "rank <= COUNT", Default: "none",
		Doc: "low-rank adapters beside the weights, of which each call can choose one", parse: form[adaptersForm]()},
	{Block: "target", Word: "vectors", Default: "none",
		Doc: "heads that find labels in texts also compute vectors of tokens, of labels, and of what is found"},
	{Block: "target", Word: "agree", Operands: "NUMBER with reference", Default: "1e-4 with reference",
		Doc: "largest difference from the reference; becomes the generated test", parse: form[agreeForm]()},
	{Block: "target", Word: "emit", Operands: "infer NAME [as package TEXT] | train NAME [as package TEXT]", Default: "every head and ensemble", Many: true,
		Doc: "a package to generate", parse: form[emitForm]()},
}

// meaningOperands returns what may follow as.
func meaningOperands() string {
	return strings.Replace(strings.Join(meanings(), " | "), string(Labels), string(Labels)+"(TEXT, …)", 1)
}

// dropRow is the word drop, which every block of a model takes.
var dropRow = &Row{Block: "*", Word: "drop", Operands: "NAME, …", Many: true, Doc: "removes what like has copied", parse: form[dropForm]()}

// The names that words accept as operands.
var (
	checkpoints = []string{"hf.deberta", "hf.deberta_v2", "hf.bert", "hf.roberta", "hf.gliner", "hf.gliner2", "hf.gliclass", "own"}
	tokenizers  = []string{"sentencepiece", "bytebpe", "wordpiece", "none"}
)

// ISAs lists the instruction sets that a target can name, best first. avx512bf16 (products of bfloat16) and avx512vnni (products of int8) extend avx512, and
// avxvnni (products of int8) extends avx2; go is portable and is the reference.
var ISAs = []string{"avx512bf16", "avx512vnni", "avx512", "avxvnni", "avx2", "go"}

// modelBlocks are the blocks that like copies, and so the blocks in which drop has a meaning.
var modelBlocks = []string{"model", "defaults", "embed", "absolute", "relative", "encoder", "attention", "conv", "decoder"}

// lookupRow returns the row of a word in a block, or nil.
func lookupRow(block, word string) *Row {
	if word == "drop" && slices.Contains(modelBlocks, block) {
		return dropRow
	}
	for _, r := range Schema {
		if r.Block == block && r.Word == word {
			return r
		}
	}
	return nil
}

// wordsOf returns the words of a block in the order of the schema.
func wordsOf(block string) []string {
	var words []string
	for _, r := range Schema {
		if r.Block == block && r.Word != "=" {
			words = append(words, r.Word)
		}
	}
	return words
}
