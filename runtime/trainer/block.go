package trainer

import (
	"slices"
	"unsafe"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/safetensors"
)

// block holds tensors in one piece of memory. Rows are padded with zeros to whole vectors of 16.
type block struct {
	params []Param
	at     []int64 // byte offsets, by tensor
	arena  *engine.Arena
}

// newBlock returns a block of zeros.
func newBlock(params []Param) (block, error) {
	b := block{params: params}
	size := int64(0)
	for i := range params {
		b.at = append(b.at, size)
		size += int64(params[i].floats()) * 4
	}
	b.arena = engine.NewArena(size)
	return b, b.arena.Grow(size)
}

// free releases the memory.
func (b *block) free() {
	if b.arena != nil {
		b.arena.Free()
	}
}

// find returns the number of a tensor, or -1.
func (b *block) find(name string) int {
	return slices.IndexFunc(b.params, func(p Param) bool { return p.Name == name })
}

// floats returns the memory of a tensor.
func (b *block) floats(i int) []float32 {
	return unsafe.Slice(b.arena.F32(b.at[i]), b.params[i].floats())
}

// dense returns a copy of a tensor without padding.
func (b *block) dense(i int) []float32 {
	rows, columns := b.params[i].columns()
	from, out := b.floats(i), make([]float32, 0, rows*columns)
	for r := range rows {
		out = append(out, from[r*rowFloats(columns):][:columns]...)
	}
	return out
}

// set puts the numbers of a tensor, without padding, into the block.
func (b *block) set(i int, dense []float32) {
	rows, columns := b.params[i].columns()
	to := b.floats(i)
	for r := range rows {
		copy(to[r*rowFloats(columns):], dense[r*columns:(r+1)*columns])
	}
}

// read fills all tensors from a file. It draws those that the file lacks and that may be new, and returns their names. Numbers that are not finite, and
// tensors of a checkpoint that differ from what Save has written, are errors.
func (b *block) read(f *safetensors.File, seed uint64) (drawn []string, err error) {
	sums, err := sumsOf(f)
	if err != nil {
		return nil, err
	}
	for i := range b.params {
		p := &b.params[i]
		if p.Init != nil && !f.Has(p.Name) {
			b.set(i, p.draw(seed))
			drawn = append(drawn, p.Name)
			continue
		}
		if err := f.Check(p.Name, p.Shape...); err != nil {
			return nil, err
		}
		rows, columns := p.columns()
		dense := make([]float32, rows*columns)
		if err := f.Floats(p.Name, dense); err != nil {
			return nil, err
		}
		if sum, ok := sums[p.Name]; ok && sum != checksum(dense) {
			return nil, ragged.Errorf("%s is damaged: the numbers of %s do not have their checksum", f.Name(), p.Name)
		}
		if at := slices.IndexFunc(dense, func(v float32) bool { return !finite(v) }); at >= 0 {
			return nil, ragged.Errorf("%s: number %d of %s is %v: it must be finite", f.Name(), at, p.Name, dense[at])
		}
		b.set(i, dense)
	}
	return drawn, nil
}
