package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/reg"
)

// GRUName returns the name of a cell kernel for an instruction set, or for [Generic].
func GRUName(size int, isa string) string { return fmt.Sprintf("gru_f32_cell_%d_%s", size, isa) }

// GRU returns the kernel of gated recurrent units for one row, which follows the product with the state: func(y, h, x, sums *float32). x and sums hold the
// input's and the state's part of the gates r, z and n, each padded to SP columns, which is size rounded up to 16:
//
//	r = sigmoid(x_r + sums_r)    z = sigmoid(x_z + sums_z)    n = tanh(x_n + r·sums_n)    y = n + z·(h - n)
//
// The kernel reads size floats of h and writes size floats of y, which may be h.
func GRU(size int, isa ISA) Kernel {
	var err error
	if size < 1 || size > 1<<16 {
		err = fmt.Errorf("gru: %d cells are not between 1 and 2^16", size)
	}
	return Kernel{
		Name:   GRUName(size, isa.Name),
		Family: "gru",
		ISA:    isa,
		Params: params("y h x sums", F32),
		Doc: fmt.Sprintf("computes %d gated recurrent units from their state h and both parts of their gates: y\nx, sums: r, z, n, %d floats each.",
			size, (size+15)/16*16),
		err:  err,
		emit: func(a *asm) { emitGRU(a, size) },
	}
}

func emitGRU(a *asm, size int) {
	y, h, x, g := a.arg("y"), a.arg("h"), a.arg("x"), a.arg("sums")
	padded := (size + 15) / 16 * 16
	cols := a.newColumns(size)
	cols.each(1, func(ps []piece) {
		p := ps[0]
		part := func(i int) piece { return piece{p.index, p.disp + i*padded*4, a.ISA.Lanes()} }
		load := func(i int, base reg.Register) reg.VecVirtual {
			v := a.vec()
			a.VMOVUPS(part(i).in(base), v)
			return v
		}
		reset := load(0, x)
		a.VADDPS(part(0).in(g), reset, reset)
		a.sigmoid(reset, reset)
		v := load(2, x)
		a.VFMADD231PS(part(2).in(g), reset, v)
		a.tanh(v, v)
		update, state := load(1, x), a.vec()
		a.VADDPS(part(1).in(g), update, update)
		a.sigmoid(update, update)
		cols.load(p, h, state)
		a.VSUBPS(v, state, state)
		a.VFMADD231PS(update, state, v)
		cols.store(p, v, y)
	})
	a.ret()
}

var gruFamily = Family{
	Name: "gru",
	Doc:  "gated recurrent units",
	ISAs: []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel {
		var ks []Kernel
		for _, size := range GRUSamples() {
			ks = append(ks, GRU(size, isa))
		}
		return ks
	},
}

// GRUSamples returns the sizes of the cells that generated/kernels holds.
func GRUSamples() []int { return []int{1, 12, 16, 20, 45, 384, 768} }
