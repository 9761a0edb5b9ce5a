package trainer

import (
	"slices"
	"unsafe"

	"github.com/debertac/debertac/runtime/engine"
)

// block holds tensors in one piece of memory. Rows are padded with zeros to whole vectors of 16.
type block struct {
	params []Param
	at     []int64 // byte offsets, by tensor
	arena  *engine.Arena
	grown  int // rows of the token table that the weights lacked
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
