package diag

import (
	"fmt"
	"strings"
)

// Info explains a code.
type Info struct {
	Code    Code
	Meaning string // one line
	Example string // lines of a spec that have the fault
	Fixed   string // the same lines without the fault
}

// Codes lists all codes in alphabetical order.
var Codes = []Info{
	{"absolute-rows", "a table of absolute positions has fewer rows than a sequence may have tokens",
		"dim seq <= 512\nembed { token vocab; absolute 256; norm }", "dim seq <= 256"},
	{"agree-reach", "the difference from the reference is smaller than the number format's own rounding",
		"weights int8 per channel\nagree   1e-6 with reference", "agree 1e-3 with reference"},
	{"block", "a word that takes no block has one, or a word that needs a block has none", "encoder layers", "encoder layers { attention { … }; ffn inner }"},
	{"bound-dim", "<= sets the bound of a length, = sets a size", "dim seq = 512", "dim seq <= 512"},
	{"bucket-reach", "the buckets end before their exact part does, or beyond the table", "bucket log(exact: 128, reach: 64)",
		"bucket log(exact: 128, reach: 512)"},
	{"checkpoint-scheme", "the layout of the weights has no name for a tensor of this model", "checkpoint hf.bert\nencoder.attention.mix score",
		"checkpoint own"},
	{"dim-cycle", "a size is defined by itself", "dim hidden = heads * head\ndim head   = hidden / heads", "dim hidden = 768"},
	{"dim-divides", "a division leaves a rest", "dim hidden = 768\ndim heads  = 10\ndim head   = hidden / heads", "dim heads = 12"},
	{"dim-product", "heads · head is not hidden", "dim hidden = 768\ndim heads  = 12\ndim head   = 32", "dim head = hidden / heads"},
	{"drop-nothing", "drop names something that like has not copied", "model a like deberta_v3_base { drop decoder.emd }",
		"model a like deberta_base { drop decoder.emd }"},
	{"even-kernel", "a convolution's kernel has no middle token", "encoder.conv { kernel 4 }", "encoder.conv { kernel 3 }"},
	{"excludes", "two words exclude each other", "lora q, v rank 8\nreplace from generator.mlm", "replace from generator.mlm"},
	{"frozen", "a training changes no weight", "freeze embed, relative, encoder, head", "freeze embed, relative, encoder"},
	{"header", "the first line does not name the version of the language", "model a like deberta_v3_base { }", "dspec 1\nmodel a like deberta_v3_base { }"},
	{"index-kind", "a factor's index does not fit the rows that the factor is projected from", "score q[i]·k[j] + q[i]·kr[j]",
		"score q[i]·k[j] + q[i]·kr[i-j]"},
	{"isa-missing", "an instruction set has no kernels for what a target computes; those of the set that it extends are used",
		"isa avx512vnni, avx2, go", "isa avx2, go"},
	{"isa-order", "an instruction set is listed after one that is always chosen first", "isa avx2, avx512, go", "isa avx512, avx2, go"},
	{"labels", "labels and columns do not fit, or labels are needed and missing", `linear 3 as labels("ham", "spam")`, `linear 2 as labels("ham", "spam")`},
	{"like-cycle", "a model is like itself, directly or through other models", "model a like b { }\nmodel b like a { }", "model b like deberta_v3_base { }"},
	{"members", "the members of an ensemble do not fit each other", "member a.tag\nmember b.classify", "member a.classify\nmember b.classify"},
	{"memory-bound", "a call of a target, or a step of a training, needs more memory than the bound allows",
		"target t { memory <= 10 MiB; emit infer m.nli }\ntrain tune on m.nli { batch 64 sequences; memory <= 2 GiB }",
		"target t { memory <= 600 MiB; emit infer m.nli }\ntrain tune on m.nli { batch 64 sequences in parts of 8; memory <= 2 GiB }"},
	{"missing", "a word or a size is missing", "head nli on m { linear 3 }", "head nli on m { take first; linear 3 }"},
	{"no-effect", "a statement changes nothing: nothing reads it, or it has no effect here", "model m like deberta_v3_base { dim laers = 6 }",
		"model m like deberta_v3_base { dim layers = 6 }"},
	{"not-scored", "no term of the score reads a projection or table", "kr = k(rel)\nscore q[i]·k[j]", "score q[i]·k[j] + q[i]·kr[i-j]"},
	{"not-yet", "the spec is right, but this version of debertac cannot compile it", "target t { weights int8 per channel }", "target t { weights f32 }"},
	{"offsets", "the offsets of a table do not go from -span to span - 1", "offsets -span .. span", "offsets -span .. span - 1"},
	{"portable", "a part of the model has no kernels: it runs in plain Go on every instruction set", "encoder.attention { mix score; mix weight }",
		"encoder.attention { drop mix }"},
	{"precision-isa", "a number format needs instructions that the target does not name", "isa go\nweights bf16", "isa avx512, avx2, go\nweights bf16"},
	{"projection", "a projection reads, shares or has something that it cannot", "v = linear(rel)", "v = linear(x)"},
	{"range", "a number is out of range", "defaults { dropout 1.5 }", "defaults { dropout 0.1 }"},
	{"shapes", "two tables or layers that must have the same shape do not", "linear 1000 tied embed.token", "linear vocab tied embed.token"},
	{"still-read", "drop removes something that a statement still reads", "encoder.attention { drop qr }",
		"encoder.attention { drop qr; score q[i]·k[j] + q[i]·kr[i-j] }"},
	{"syntax", "a statement does not have the form that the language asks for", "act gelu relu", "act gelu"},
	{"take-loss", "the rows that a head takes, its columns and its loss do not fit each other", "take first\nlinear 2 as span", "take each\nlinear 2 as span"},
	{"term-sides", "the two sides of a term cannot be multiplied, or its only side cannot be added", "score q[i]·k[j] + q[i]", "score q[i]·k[j]"},
	{"term-twice", "a score has the same term twice", "score q[i]·k[j] + k[j]·q[i]", "score q[i]·k[j]"},
	{"too-deep", "blocks or parentheses are nested too deep", "dim a = ((((((…))))))", "dim a = 1"},
	{"too-large", "a number, a list or the file is too large", "dim hidden = 99_999_999_999", "dim hidden = 1024"},
	{"twice", "something is set, named or listed twice", "dim heads = 12\ndim heads = 16", "dim heads = 12"},
	{"unbalanced", "a brace has no partner", "model a like deberta_v3_base {", "model a like deberta_v3_base { }"},
	{"unit", "a number lacks its unit or has a wrong one", "batch 32", "batch 32 sequences"},
	{"unknown-name", "a name is not defined here", "model a like deberta_v3_bsae { }", "model a like deberta_v3_base { }"},
	{"unknown-word", "a block has no such word", "encoder layers { attenion { … } }", "encoder layers { attention { … } }"},
}

// Find returns the explanation of a code.
func Find(code Code) (Info, bool) {
	for _, i := range Codes {
		if i.Code == code {
			return i, true
		}
	}
	return Info{}, false
}

// Page returns the explanation as `debertac explain CODE` prints it.
func (i Info) Page() string {
	return fmt.Sprintf("%s: %s\n\n%s\n\nwithout the fault:\n\n%s\n", i.Code, i.Meaning, quoted(i.Example), quoted(i.Fixed))
}

func quoted(text string) string {
	return "    " + strings.ReplaceAll(text, "\n", "\n    ")
}
