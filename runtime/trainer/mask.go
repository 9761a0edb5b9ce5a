package trainer

import (
	"maps"
	"slices"

	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/masking"
	"github.com/debertac/debertac/runtime/ragged"
)

// Masking tells how a trainer chooses the tokens that a program learns to predict, and what stands in their places.
type Masking struct {
	masking.Rule
	Targets []string // the targets that receive the original tokens
}

// maskLayer is the number of the layer in the keys of masking, see [noiseLayer].
const maskLayer = 2

// MaskToken lets the trainer choose the tokens to predict, for batches without Rows and without their targets. id is that of the tokenizer's mask token. The
// choice depends on the seed, the step, the part of the batch and the place of a token. The spec's statement `mask` has its shares.
func MaskToken(id int32) Option {
	return func(o *Options) error {
		if id < 0 {
			return ragged.Errorf("MaskToken(%d): a token's id is not below 0", id)
		}
		o.MaskToken = &id
		return nil
	}
}

// checkMaskToken refuses a mask token that a program cannot use.
func (p *Program) checkMaskToken(id *int32) error {
	switch {
	case id == nil:
		return nil
	case p.Masking == nil:
		return ragged.Errorf("MaskToken(%d): %s predicts no masked tokens, so leave it out", *id, p.Name)
	case int(*id) >= p.Limits.Vocab:
		return ragged.Errorf("MaskToken(%d): the vocabulary of %s has %d tokens, so it must be less", *id, p.Name, p.Limits.Vocab)
	}
	return nil
}

// Masked returns a batch as the next step masks it. part is its number among the parts of a batch, from 0; without parts it is 0. A batch with Rows, or with
// the targets of masked tokens, is returned as it is. The result shares what is not changed with the batch.
func (t *Trainer) Masked(b *Batch, part int) (*Batch, error) {
	if part < 0 {
		return nil, ragged.Errorf("part %d of a batch: parts are counted from 0", part)
	}
	if err := t.valid(b); err != nil {
		return nil, err
	}
	t.life.Lock()
	defer t.life.Unlock()
	if err := t.usable(); err != nil {
		return nil, err
	}
	return t.masked(b, part), nil
}

// maskedParts returns the parts of a batch as the next step masks them.
func (t *Trainer) maskedParts(parts []*Batch) []*Batch {
	if t.program.Masking == nil {
		return parts
	}
	out := slices.Clone(parts)
	for i, b := range parts {
		out[i] = t.masked(b, i)
	}
	return out
}

// masked returns a valid batch as the next step masks it.
func (t *Trainer) masked(b *Batch, part int) *Batch {
	p := t.program
	if !p.plain(b) {
		return b
	}
	out := *b
	out.IDs, out.Integers, out.WordOf = slices.Clone(b.IDs), maps.Clone(b.Integers), nil
	if out.Integers == nil {
		out.Integers = map[string][]int32{}
	}
	p.Masking.Apply(&out.Batch, b.WordOf, dropout.KeyOf(t.options.Seed, t.step, part, 0, maskLayer), *t.options.MaskToken, p.Limits.Vocab)
	original := make([]int32, len(out.Rows))
	for i, row := range out.Rows {
		original[i] = b.IDs[row]
	}
	for _, name := range p.Masking.Targets {
		out.Integers[name] = original
	}
	return &out
}

// plain reports whether a batch lacks all that masking decides.
func (p *Program) plain(b *Batch) bool {
	if p.Masking == nil || len(b.Rows) > 0 {
		return false
	}
	for _, name := range p.Masking.Targets {
		if _, ok := b.Integers[name]; ok {
			return false
		}
	}
	return true
}

// checkWords checks what masking reads of a batch.
func (t *Trainer) checkWords(b *Batch) error {
	p, have := t.program, len(b.WordOf)
	switch {
	case p.Masking == nil:
		if have > 0 {
			return ragged.Errorf("WordOf has %d numbers, and %s masks no tokens: leave it out", have, p.Name)
		}
		return nil
	case !p.plain(b):
		if have > 0 {
			return ragged.Errorf("WordOf has %d numbers, but the batch has Rows or the target %q, so no tokens are chosen: leave out one of both", have,
				p.Masking.Targets[0])
		}
		return nil
	case t.options.MaskToken == nil:
		return ragged.Errorf("the batch has neither Rows nor the target %q: give both, or let the trainer choose the tokens to predict: MaskToken(ID), or "+
			"--mask-token ID", p.Masking.Targets[0])
	case have != len(b.IDs) && (have > 0 || p.Masking.Words):
		return ragged.Errorf("WordOf has %d numbers, the batch needs %d: the word of each token, as Word of tokenizer.Span, and -1 for special tokens", have,
			len(b.IDs))
	}
	return nil
}
