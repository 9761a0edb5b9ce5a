package published

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/safetensors"
)

// TokenTable is the end of the name of the token embeddings in every published layout.
const TokenTable = "embeddings.word_embeddings.weight"

// Weights is an open checkpoint: a *safetensors.File or a *torchfile.File.
type Weights interface {
	Name() string                               // for messages
	Names() []string                            // of the tensors, in the file's order
	Has(name string) bool                       // whether the file has the tensor
	Info(name string) (safetensors.Info, error) // its type and shape
	Check(name string, shape ...int) error      // returns an error unless the tensor exists and has this shape
	Floats(name string, dst []float32) error    // reads its numbers, row-major; dst has their count as its length
	Close() error
}

// wrappers are the prefixes that training libraries put in front of every tensor name. They come from torch.nn.DataParallel and its relatives, from modules
// that keep the model in a field, from torch.compile, and from SentenceTransformer.state_dict.
var wrappers = []string{"module.", "model.", "_orig_mod.", "auto_model.", "0.auto_model.", "0.model."}

// roots are the names in front of the token table in published layouts.
var roots = []string{"", "deberta.", "bert.", "roberta.", "token_rep_layer.bert_layer.model.", "model.encoder_model.", "encoder.", "generator.",
	"discriminator.", "generator.deberta.", "discriminator.deberta."}

// Unwrap removes the prefix that a training library put in front of all tensor names of a checkpoint, such as "module.". It returns the prefix that it removed,
// or "" for no prefix. It returns an error with the prefix if it cannot remove it, because the prefix is unknown or some tensors do not have it. A
// checkpoint without a token table of a published layout is returned as it is.
func Unwrap(w Weights) (Weights, string, error) {
	table := ""
	for _, n := range w.Names() {
		head, ok := strings.CutSuffix(n, TokenTable)
		if !ok || head != "" && !strings.HasSuffix(head, ".") {
			continue
		}
		if slices.Contains(roots, head) {
			return w, "", nil
		}
		if table == "" {
			table = n
		}
	}
	if table == "" {
		return w, "", nil
	}
	prefix, rest := "", strings.TrimSuffix(table, TokenTable)
	for !slices.Contains(roots, rest) {
		found := ""
		for _, p := range wrappers {
			if strings.HasPrefix(rest, p) && len(p) > len(found) {
				found = p
			}
		}
		if found == "" {
			return nil, "", &safetensors.Error{File: w.Name(), Tensor: table,
				Reason: "the name in front of " + TokenTable + " is neither a prefix of a published layout nor one of " +
					strings.Join(wrappers, ", ") + ": save the model's own state dict"}
		}
		prefix, rest = prefix+found, rest[len(found):]
	}
	u := &unwrapped{w, prefix}
	for _, n := range w.Names() {
		if !strings.HasPrefix(n, prefix) {
			return nil, "", &safetensors.Error{File: w.Name(), Tensor: n,
				Reason: "it lacks the prefix " + prefix + ", which the token table has: the tensors are those of a larger model; save the state dict of the " +
					"model inside"}
		}
	}
	return u, prefix, nil
}

// unwrapped is a checkpoint with a prefix removed from its names.
type unwrapped struct {
	Weights
	prefix string
}

// Names lists the tensors without the prefix.
func (u *unwrapped) Names() []string {
	names := u.Weights.Names()
	for i, n := range names {
		names[i] = strings.TrimPrefix(n, u.prefix)
	}
	return names
}

// Has reports whether the checkpoint has the tensor.
func (u *unwrapped) Has(name string) bool { return u.Weights.Has(u.prefix + name) }

// Info describes a tensor.
func (u *unwrapped) Info(name string) (safetensors.Info, error) {
	info, err := u.Weights.Info(u.prefix + name)
	info.Name = name
	return info, err
}

// Check returns an error unless the tensor exists and has this shape.
func (u *unwrapped) Check(name string, shape ...int) error {
	return u.Weights.Check(u.prefix+name, shape...)
}

// Floats reads a tensor into dst.
func (u *unwrapped) Floats(name string, dst []float32) error {
	return u.Weights.Floats(u.prefix+name, dst)
}
