package pack

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/published"
)

// Equal reports whether two tensors of a checkpoint have the same shape and hold equal numbers.
func Equal(w Weights, a, b string) (bool, error) {
	first, err := w.Info(a)
	if err != nil {
		return false, err
	}
	second, err := w.Info(b)
	if err != nil {
		return false, err
	}
	if !slices.Equal(first.Shape, second.Shape) {
		return false, nil
	}
	x, y := make([]float32, first.Elements()), make([]float32, second.Elements())
	if err := w.Floats(a, x); err != nil {
		return false, err
	}
	if err := w.Floats(b, y); err != nil {
		return false, err
	}
	return slices.Equal(x, y), nil
}

// Buffer is a tensor that checkpoints hold and no model needs: its values follow from the model's shape.
type Buffer struct {
	Suffix string // end of the name; of Unread its beginning
	Reason string
}

// Buffers lists the tensors that packing leaves out without a message.
var Buffers = []Buffer{
	{"embeddings.position_ids", "the numbers 0, 1, 2 …, which transformers stored until version 4.30; positions are counted"},
	{"model.logit_scale", "multiplies the scores of GLiClass models with normalize_features; others hold it too, and do not read it"},
	{"embeddings.token_type_ids", "zeros, which transformers 4 stored in some versions; a text's tokens have type 0 by default"},
}

// Unread lists the beginnings of tensors' names that packing leaves out without a message: parts of a published model that no head here computes.
var Unread = []Buffer{
	{"boundary_head.boundary_proposer.", "spans that GLiNER2.5 chooses for each field, if its pool is not shared"},
	{"boundary_head.pair_scorer.", "scores of such spans"},
	{"boundary_head.candidate_encoder.", "rows of spans for structures and relations"},
	{"boundary_head.count_head.", "numbers that are read in training alone"},
	{"record_decoder.", "structures of GLiNER2.5"},
	{"relation_scorer.", "relations of GLiNER2.5"},
}

// Copies lists pairs of tensors that checkpoints can hold twice: the decoder of masked tokens repeats the token table and the head's bias. When a model folder
// is imported, each is compared with the tensor that it repeats, and is used if it differs.
var Copies = [][2]string{
	{"cls.predictions.decoder.weight", published.TokenTable},
	{"cls.predictions.decoder.bias", "cls.predictions.bias"},
	{"lm_head.decoder.weight", published.TokenTable},
	{"lm_head.decoder.bias", "lm_head.bias"},
}

// Leftover returns the tensors that packing did not read and that hold numbers of their own, in the file's order. It leaves out the Buffers, and the Copies
// that equal the tensor that they repeat.
func (c *Checkpoint) Leftover() ([]string, error) {
	var out []string
	for _, n := range c.Unused() {
		if slices.ContainsFunc(Buffers, func(b Buffer) bool { return strings.HasSuffix("."+n, "."+b.Suffix) }) {
			continue
		}
		if slices.ContainsFunc(Unread, func(b Buffer) bool { return strings.HasPrefix(n, b.Suffix) }) {
			continue
		}
		same, err := c.repeats(n)
		if err != nil {
			return nil, err
		}
		if !same {
			out = append(out, n)
		}
	}
	return out, nil
}

// repeats reports whether a tensor is one of Copies and equals a tensor that was packed.
func (c *Checkpoint) repeats(name string) (bool, error) {
	for _, p := range Copies {
		for _, pair := range [][2]string{p, {p[1], p[0]}} { // either of the two can be the one that was read
			if !strings.HasSuffix("."+name, "."+pair[0]) {
				continue
			}
			for of := range c.used {
				if strings.HasSuffix("."+of, "."+pair[1]) {
					if same, err := Equal(c.File, name, of); same || err != nil {
						return same, err
					}
				}
			}
		}
	}
	return false, nil
}
