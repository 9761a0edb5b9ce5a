// Package published knows the names under which published checkpoints hold the tensors of a model.
package published

import "strings"

// prefixes are the possible prefixes of the encoder's tensor names in a file.
var prefixes = []string{"deberta.", "bert.", "roberta."}

// older lists pairs of a name's end today and its earlier form.
var older = [][2]string{{"LayerNorm.weight", "LayerNorm.gamma"}, {"LayerNorm.bias", "LayerNorm.beta"}}

// biases lists the two names of the bias for the prediction of masked tokens. Published code adds the first one that the checkpoint has.
var biases = [][2]string{{"cls.predictions.decoder.bias", "cls.predictions.bias"}, {"lm_head.decoder.bias", "lm_head.bias"}}

// PromptedEncoder is the prefix of the encoder's tensor names in checkpoints of GLiNER, whose labels stand in a prompt.
const PromptedEncoder = "token_rep_layer.bert_layer.model."

// Names returns the names that a tensor may have in a file, in the order in which they are looked for. A file of the bare encoder lacks the model's prefix
// ("deberta."), and a model whose labels stand in a prompt may begin as a plain encoder. Early BERT checkpoints have the TensorFlow names for the gains and
// shifts of norms.
func Names(name string) []string {
	names := []string{name}
	for _, b := range biases {
		if name == b[0] || name == b[1] {
			names = []string{b[0], b[1]}
		}
	}
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(name, p); ok {
			names = append(names, rest)
		}
	}
	if rest, ok := strings.CutPrefix(name, PromptedEncoder); ok {
		names = append(names, "deberta."+rest, rest)
	}
	for _, n := range names {
		for _, o := range older {
			if stem, ok := strings.CutSuffix(n, o[0]); ok {
				names = append(names, stem+o[1])
			}
		}
	}
	return names
}

// Find returns the name that a tensor has in a file, and whether the file has it. Without it, the name is returned as it is.
func Find(has func(name string) bool, name string) (string, bool) {
	for _, n := range Names(name) {
		if has(n) {
			return n, true
		}
	}
	return name, false
}

// adapters are the middles of the names of an adapter's matrices, as a trainer and the library PEFT write them: the library may add a name of the adapter.
var adapters = []string{".lora_A.", ".lora_B."}

// Adapter reports whether a tensor is a matrix of an adapter.
func Adapter(name string) bool {
	stem, ok := strings.CutSuffix(name, "weight")
	for _, a := range adapters {
		if _, rest, found := strings.Cut(stem, a); ok && found && strings.Count(rest, ".") == min(len(rest), 1) {
			return true
		}
	}
	return false
}
