package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/reg"
)

// LSTMName returns the name of a cell kernel for an instruction set, or for [Generic].
func LSTMName(size int, isa string) string { return fmt.Sprintf("lstm_f32_cell_%d_%s", size, isa) }

// LSTM returns the kernel of a long short-term memory's cells, which follows the product with the last output: func(y, state *float32). The state holds the
// output h, the cells c and the gates i, f, g, o, each padded to SP columns, which is size rounded up to 16:
//
//	c = sigmoid(f)·c + sigmoid(i)·tanh(g)    h = sigmoid(o)·tanh(c)    y = h
//
// The kernel writes size floats of y. The padding of h and c stays 0 as long as the padding of the gates is 0.
func LSTM(size int, isa ISA) Kernel {
	var err error
	if size < 1 || size > 1<<16 {
		err = fmt.Errorf("lstm: %d cells are not between 1 and 2^16", size)
	}
	return Kernel{
		Name:   LSTMName(size, isa.Name),
		Family: "lstm",
		ISA:    isa,
		Params: params("y state", F32),
		Doc: fmt.Sprintf("computes the cells and outputs of %d cells of an LSTM from their gates: y = h\nstate: h, c, i, f, g, o, %d floats each.",
			size, (size+15)/16*16),
		err:  err,
		emit: func(a *asm) { emitLSTM(a, size) },
	}
}

func emitLSTM(a *asm, size int) {
	y, state := a.arg("y"), a.arg("state")
	padded := (size + 15) / 16 * 16
	cols := a.newColumns(size)
	cols.each(1, func(ps []piece) {
		p := ps[0]
		part := func(i int) piece { return piece{p.index, p.disp + i*padded*4, a.ISA.Lanes()} }
		gate := func(i int) reg.VecVirtual {
			v := a.vec()
			a.VMOVUPS(part(2+i).in(state), v)
			return v
		}
		in, c := gate(0), a.vec()
		a.sigmoid(in, in)
		candidate := gate(2)
		a.tanh(candidate, candidate)
		a.VMULPS(in, candidate, c)
		forget := gate(1)
		a.sigmoid(forget, forget)
		a.VFMADD231PS(part(1).in(state), forget, c)
		a.VMOVUPS(c, part(1).in(state))
		out, h := gate(3), a.vec()
		a.sigmoid(out, out)
		a.tanh(c, h)
		a.VMULPS(out, h, h)
		a.VMOVUPS(h, part(0).in(state))
		cols.store(p, h, y)
	})
	a.ret()
}

// store writes the data of a piece. It does not touch the memory of other lanes.
func (c *columns) store(p piece, v, base reg.Register) {
	switch {
	case p.lanes == c.ISA.Lanes():
		c.VMOVUPS(v, p.in(base))
	case p.lanes == 0:
	case c.ISA.Wide():
		c.VMOVUPS(v, c.mask, p.in(base))
	default:
		c.VMASKMOVPS(v, c.mask, p.in(base))
	}
}

var lstmFamily = Family{
	Name: "lstm",
	Doc:  "cells of a long short-term memory",
	ISAs: []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel {
		var ks []Kernel
		for _, size := range LSTMSamples() {
			ks = append(ks, LSTM(size, isa))
		}
		return ks
	},
}

// LSTMSamples returns the sizes of the cells that generated/kernels holds.
func LSTMSamples() []int { return []int{1, 12, 16, 20, 45, 256} }
