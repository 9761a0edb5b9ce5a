package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/reg"
)

// ActParams holds the constants of an activation kernel: y[i, n] = f(x[i, n]) for 0 ≤ i < m, 0 ≤ n < N.
type ActParams struct {
	Act      string // f, a name of [Activations]
	N        int    // columns
	LDX, LDY int    // floats between rows; at least N rounded up to 16
}

func (p ActParams) check() error {
	if activationByName(p.Act) == nil {
		return fmt.Errorf("act: no activation is called %q", p.Act)
	}
	return checkRow("act", p.N, p.LDX, p.LDY)
}

// ActName returns the kernel's name for an instruction set, or for [Generic].
func ActName(p ActParams, isa string) string {
	return fmt.Sprintf("act_f32_%s_%d_ldx%d_ldy%d_%s", p.Act, p.N, p.LDX, p.LDY, isa)
}

// Act returns an activation kernel: func(y, x *float32, m int), m ≥ 1. y may be x. Columns of y from N to the next multiple of 16 become f(0); those of x are
// not read.
func Act(p ActParams, isa ISA) Kernel {
	return Kernel{
		Name:   ActName(p, isa.Name),
		Family: "act",
		ISA:    isa,
		Params: append(params("y x", F32), params("m", Int)...),
		Doc:    fmt.Sprintf("computes y[m, %d] = %s(x)\nRows of x are %d floats apart, of y %d.", p.N, p.Act, p.LDX, p.LDY),
		err:    p.check(),
		emit: func(a *asm) {
			act := activationByName(p.Act)
			y, x, m := a.arg("y"), a.arg("x"), a.arg("m")
			cols := a.newColumns(p.N)
			a.eachRow(m, []reg.Register{y, x}, []int{p.LDY * 4, p.LDX * 4}, func() {
				cols.each(2, func(ps []piece) {
					var bodies []func()
					for _, piece := range ps {
						bodies = append(bodies, func() {
							v := a.vec()
							cols.load(piece, x, v)
							act.emit(a, v, v)
							a.VMOVUPS(v, piece.in(y))
						})
					}
					a.interleave(bodies...)
				})
			})
			a.ret()
		},
	}
}

var actFamily = Family{
	Name: "act",
	Doc:  "an activation of each element, by rows",
	ISAs: []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel {
		var ks []Kernel
		for _, p := range ActSamples() {
			ks = append(ks, Act(p, isa))
		}
		return ks
	},
}

// ActSamples returns the activations that generated/kernels holds.
func ActSamples() []ActParams {
	var ps []ActParams
	for _, act := range activations {
		for _, n := range []int{1, 39, 768} {
			ps = append(ps, ActParams{Act: act.Name, N: n, LDX: LD(n), LDY: LD(n)})
		}
	}
	return ps
}
