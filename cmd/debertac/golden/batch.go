package golden

import (
	"encoding/binary"
	"errors"
	"maps"
	"os"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/safetensors"
)

// ragged is where the live tokens of a case lie in the batch that is run.
type ragged struct {
	row    []int // [S, N] → row of the batch, -1 for a dead position
	seq    []int // [S] → sequence of the batch, -1 if nothing of it is live
	starts []int // [sequences of the batch + 1]
	tokens int   // T
	pairs  []int // [sequences of the batch] → where the sequence's N×N block starts in [A, P] tensors
	total  int   // P
}

// layout numbers the live tokens.
func (c *Case) layout() *ragged {
	r := &ragged{row: make([]int, c.Sequences*c.Length), seq: make([]int, c.Sequences), starts: []int{0}}
	for s := range c.Sequences {
		r.seq[s] = -1
		first := r.tokens
		for p := range c.Length {
			r.row[s*c.Length+p] = -1
			if c.live(s, p) {
				r.row[s*c.Length+p] = r.tokens
				r.tokens++
			}
		}
		if n := r.tokens - first; n > 0 {
			r.seq[s] = len(r.starts) - 1
			r.starts = append(r.starts, r.tokens)
			r.pairs = append(r.pairs, r.total)
			r.total += n * n
		}
	}
	return r
}

// Batch gives the live tokens as the ragged batch of a model with so many token types (0: none). Positions are given if a sequence has holes
// or does not start at 0. needFirst says that the head reads first tokens, which must be live then.
func (c *Case) Batch(types int, prefix []int32, needFirst bool) (*runtime.Batch, error) {
	b := &runtime.Batch{Starts: []int32{0}}
	var positions []int32
	holes := false
	for s := range c.Sequences {
		n := int32(0)
		for p := range c.Length {
			if !c.live(s, p) {
				continue
			}
			i := s*c.Length + p
			if int64(int32(c.IDs[i])) != c.IDs[i] {
				return nil, fault(c.Dir, "input_ids holds %d", c.IDs[i])
			}
			b.IDs = append(b.IDs, int32(c.IDs[i]))
			if types > 0 && c.Types != nil {
				b.Types = append(b.Types, int32(c.Types[i]))
			}
			positions = append(positions, int32(p))
			holes = holes || int32(p) != n
			n++
		}
		if n == 0 {
			continue
		}
		if needFirst && !c.live(s, 0) {
			return nil, fault(c.Dir, "the head reads the first token of each sequence, and that of sequence %d is masked", s)
		}
		b.Starts = append(b.Starts, int32(len(b.IDs)))
		if prefix != nil {
			b.Prefix = append(b.Prefix, prefix[s])
		}
	}
	if len(b.IDs) == 0 {
		return nil, fault(c.Dir, "nothing of the case is live: attention_mask is 0 everywhere")
	}
	if holes {
		b.Positions = positions
	}
	return b, nil
}

// WriteBatch writes a batch in the form that a built program's verb forward reads.
func WriteBatch(path string, b *runtime.Batch) error {
	parts := map[string][]int32{"ids": b.IDs, "starts": b.Starts, "types": b.Types, "positions": b.Positions, "prefix": b.Prefix,
		"rows": b.Rows, "words": b.Words, "word_starts": b.WordStarts, "marks": b.Marks, "mark_starts": b.MarkStarts}
	var list []safetensors.Tensor
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		if parts[name] != nil {
			list = append(list, safetensors.Tensor{Name: name, DType: safetensors.I32, Shape: []int{len(parts[name])}})
		}
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w, err := safetensors.NewWriter(f, nil, list)
	if err != nil {
		return errors.Join(err, f.Close())
	}
	for _, name := range w.Order() {
		bytes := make([]byte, 0, 4*len(parts[name]))
		for _, v := range parts[name] {
			bytes = binary.LittleEndian.AppendUint32(bytes, uint32(v))
		}
		err = errors.Join(err, w.Write(name, bytes))
	}
	return errors.Join(err, w.Close(), f.Close())
}
