package adapter

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime/published"
	"github.com/debertac/debertac/runtime/safetensors"
)

// Beside is an adapter that stays beside the weights of a model. As weights it is the model with the adapter merged.
type Beside struct {
	plan *plan
	used map[string]bool // tensors that the adapter changes and that were asked for
}

// OpenBeside opens the adapter in a folder for the weights of a model. An adapter of another model is refused.
func OpenBeside(dir string, model published.Weights) (b *Beside, err error) {
	s, err := readSettings(dir)
	if err != nil {
		return nil, err
	}
	tensors, err := s.openTensors(dir)
	if err != nil {
		return nil, err
	}
	p, err := newPlan(s, tensors, model)
	if err != nil {
		return nil, errors.Join(err, tensors.Close())
	}
	return &Beside{plan: p, used: map[string]bool{}}, nil
}

// Base returns the name or path of the model that the adapter was trained for, as its config has it, or "".
func (b *Beside) Base() string { return b.plan.s.base }

// Notes returns what users should know about the adapter's files.
func (b *Beside) Notes() (list []string) {
	if base := b.plan.s.base; base != "" {
		list = append(list, "the adapter was trained for "+base)
	}
	if b.plan.shortened > 0 {
		list = append(list, b.plan.shortenedNote())
	}
	return list
}

// Close closes the adapter's tensors. The model's stay open.
func (b *Beside) Close() error { return b.plan.adapter.Close() }

// MaxRank returns the greatest rank of the adapter's matrices, 0 if it has none.
func (b *Beside) MaxRank() (most int) {
	for name, c := range b.plan.changes {
		if c.down != "" {
			most = max(most, b.rank(name))
		}
	}
	return most
}

// rank returns the rank of the matrices for a tensor of the model.
func (b *Beside) rank(name string) int {
	module, _, _ := strings.Cut(strings.TrimPrefix(b.plan.changes[name].down, root), ".lora_")
	rank, _ := b.plan.s.scale(module)
	return rank
}

// change returns what becomes of a tensor, which may have another name in the model's file; nil: nothing.
func (b *Beside) change(name string) (string, *change) {
	in, _ := published.Find(b.Has, name)
	return in, b.plan.changes[in]
}

// Rank returns the rank of the product that the adapter adds to a tensor, or 0.
func (b *Beside) Rank(name string) int {
	in, c := b.change(name)
	if c == nil || c.down == "" {
		return 0
	}
	b.used[in] = true
	return b.rank(in)
}

// Replaced reports whether the adapter changes a tensor in another way.
func (b *Beside) Replaced(name string) bool {
	in, c := b.change(name)
	replaced := c != nil && (c.whole != "" || c.add != "") || b.plan.added[in] != ""
	if replaced {
		b.used[in] = true
	}
	return replaced
}

// Matrices returns the matrices of the product that the adapter adds to a tensor: the first [rank, K], and the second [N, rank] with the factor in it.
func (b *Beside) Matrices(name string) (first, second []float64, err error) {
	_, c := b.change(name)
	if c == nil || c.down == "" {
		return nil, nil, fmt.Errorf("the adapter has no matrices for %s", name)
	}
	if b.plan.s.transposed {
		return nil, nil, fmt.Errorf("%s: fan_in_fan_out = true: the matrices of such a model lie the other way", b.plan.s.file)
	}
	read := func(tensor string) []float64 {
		info, infoErr := b.plan.adapter.Info(tensor)
		if infoErr != nil || err != nil {
			err = errors.Join(err, infoErr)
			return nil
		}
		var v []float64
		v, err = b.plan.read(b.plan.adapter, tensor, info.Elements())
		return v
	}
	first, second = read(c.down), read(c.up)
	for i := range second {
		second[i] *= c.factor
	}
	return first, second, err
}

// Tensor returns a tensor of the merged model.
func (b *Beside) Tensor(name string, shape []int) ([]float32, error) {
	return (&pack.Checkpoint{File: b}).Tensor(name, shape)
}

// Unused returns the tensors that the adapter changes and that nothing has asked for.
func (b *Beside) Unused() (list []string) {
	for _, name := range slices.Concat(slices.Sorted(maps.Keys(b.plan.changes)), slices.Sorted(maps.Keys(b.plan.added))) {
		if !b.used[name] {
			list = append(list, name)
		}
	}
	return list
}

// The methods of published.Weights.

// Name returns the name of the adapter's file.
func (b *Beside) Name() string { return b.plan.adapter.Name() }

// Names returns the names of the tensors: those of the model, then those that only the adapter has.
func (b *Beside) Names() []string {
	return append(slices.Clone(b.plan.model.Names()), slices.Sorted(maps.Keys(b.plan.added))...)
}

// Has reports whether the merged model has a tensor.
func (b *Beside) Has(name string) bool { return b.plan.added[name] != "" || b.plan.has[name] }

// from returns where the numbers of a tensor lie before products are added.
func (b *Beside) from(name string) (published.Weights, string) {
	if own := b.plan.added[name]; own != "" {
		return b.plan.adapter, own
	}
	if c := b.plan.changes[name]; c != nil && c.whole != "" {
		return b.plan.adapter, c.whole
	}
	return b.plan.model, name
}

// Info returns the type and shape of a tensor.
func (b *Beside) Info(name string) (safetensors.Info, error) {
	w, in := b.from(name)
	return w.Info(in)
}

// Check returns an error unless the tensor exists and has this shape.
func (b *Beside) Check(name string, shape ...int) error {
	w, in := b.from(name)
	return w.Check(in, shape...)
}

// Floats reads a tensor.
func (b *Beside) Floats(name string, dst []float32) error {
	w, in := b.from(name)
	c := b.plan.changes[name]
	if c == nil || c.down == "" && c.add == "" {
		return w.Floats(in, dst)
	}
	info, err := w.Info(in)
	if err != nil {
		return err
	}
	wide, err := b.plan.read(w, in, info.Elements())
	if err != nil {
		return err
	}
	if err := b.plan.apply(wide, info, c); err != nil {
		return err
	}
	for i, x := range wide {
		dst[i] = float32(x)
	}
	return nil
}
