package golden

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/safetensors"
)

// liveRows maps the live tokens of a case to rows of the batch that is run.
type liveRows struct {
	row    []int // [S, N] → row of the batch, -1 for a dead position
	seq    []int // [S] → sequence of the batch, -1 if no token of it is live
	starts []int // [sequences of the batch + 1]
	tokens int   // T
	pairs  []int // [sequences of the batch] → where the sequence's N×N block starts in [A, P] tensors
	total  int   // P
}

// layout numbers the live tokens.
func (c *Case) layout() *liveRows {
	r := &liveRows{row: make([]int, c.Sequences*c.Length), seq: make([]int, c.Sequences), starts: []int{0}}
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

// Needs describes what a model reads of a batch.
type Needs struct {
	Types  int     // number of token types; 0: the model has none
	First  bool    // the head reads the first token of each sequence
	Rows   bool    // the head computes only chosen rows
	Hidden int     // numbers per token that are added to the input; 0: nothing is added
	Prefix []int32 // length of each sequence's prefix, for a mask with a prefix; nil: another mask
	Pad    int64   // RoBERTa: the padding token, which is not counted in positions; below 0: every token is counted
}

// Batch returns the live tokens as the ragged batch of a pass. It has positions if a sequence has holes or does not start at 0.
func (c *Case) Batch(p Pass, n Needs) (*runtime.Batch, error) {
	ids, err := c.idsOf(p)
	if err != nil {
		return nil, err
	}
	chosen, err := c.chosen()
	if err != nil {
		return nil, err
	}
	noise, err := c.noise(p, n.Hidden)
	if err != nil {
		return nil, err
	}
	b := &runtime.Batch{Starts: []int32{0}}
	var positions []int32
	holes := false
	for s := range c.Sequences {
		first, counted := len(b.IDs), int32(0)
		for at := range c.Length {
			i := s*c.Length + at
			position := int32(at)
			if n.Pad >= 0 {
				position = counted
				if ids[i] != n.Pad {
					counted++
				}
			}
			if !c.live(s, at) {
				continue
			}
			if n.Pad >= 0 && ids[i] == n.Pad {
				return nil, fault(c.inputs, "sequence %d has the padding token at position %d, where attention_mask is 1: in this kind of model it has the "+
					"position of padding", s, at)
			}
			if int64(int32(ids[i])) != ids[i] {
				return nil, fault(c.inputs, "input_ids holds %d", ids[i])
			}
			row := int32(len(b.IDs))
			b.IDs = append(b.IDs, int32(ids[i]))
			if n.Types > 0 && c.Types != nil {
				b.Types = append(b.Types, int32(c.Types[i]))
			}
			if n.Rows && chosen(i) {
				b.Rows = append(b.Rows, row)
			}
			for k := range n.Hidden {
				v := float32(0)
				if noise != nil {
					v = float32(noise[i*n.Hidden+k])
				}
				b.Delta = append(b.Delta, v)
			}
			positions = append(positions, position)
			holes = holes || position != row-int32(first)
		}
		if len(b.IDs) == first {
			continue
		}
		if n.First && !c.live(s, 0) {
			return nil, fault(c.inputs, "the head reads the first token of each sequence, and that of sequence %d is masked", s)
		}
		b.Starts = append(b.Starts, int32(len(b.IDs)))
		if n.Prefix != nil {
			b.Prefix = append(b.Prefix, n.Prefix[s])
		}
	}
	switch {
	case len(b.IDs) == 0:
		return nil, fault(c.inputs, "nothing of the case is live: attention_mask is 0 everywhere")
	case n.Rows && len(b.Rows) == 0:
		return nil, fault(c.inputs, "no token is to be predicted: labels has no number above 0")
	}
	if holes {
		b.Positions = positions
	}
	return b, nil
}

// WriteBatch writes a batch in the form that a built program's verbs forward and step read. with holds the targets of a training step; nil: the batch has no
// targets.
func WriteBatch(path string, b *runtime.Batch, with *Targets) error {
	var list []safetensors.Tensor
	integers, floats := map[string][]int32{}, map[string][]float32{}
	for p := range ragged.Part(ragged.Parts) {
		switch name := p.Row().Name; {
		case p.Len(b) == 0:
		case p.Row().Floats():
			floats[name] = *p.Float32s(b)
		default:
			integers[name] = *p.Ints(b)
		}
	}
	if with != nil {
		maps.Copy(integers, with.Integers)
		maps.Copy(floats, with.Floats)
	}
	for _, name := range slices.Sorted(maps.Keys(integers)) { // the same bytes each time
		list = append(list, safetensors.Tensor{Name: name, DType: safetensors.I32, Shape: []int{len(integers[name])}})
	}
	for _, name := range slices.Sorted(maps.Keys(floats)) {
		list = append(list, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: []int{len(floats[name])}})
	}
	f, err := disk.Create(path, 0o666)
	if err != nil {
		return err
	}
	defer f.Discard()
	w, err := safetensors.NewWriter(f, nil, list)
	if err != nil {
		return err
	}
	for _, name := range w.Order() {
		if v, ok := floats[name]; ok {
			err = errors.Join(err, w.WriteFloats(name, v))
			continue
		}
		var bytes []byte
		for _, v := range integers[name] {
			bytes = binary.LittleEndian.AppendUint32(bytes, uint32(v))
		}
		err = errors.Join(err, w.Write(name, bytes))
	}
	if err := errors.Join(err, w.Close()); err != nil {
		return err
	}
	return f.Commit()
}
