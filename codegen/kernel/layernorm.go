package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/reg"
)

// LayerNormParams holds the constants of a layer normalisation (Ba, Kiros and Hinton, 2016, section 3): for each row
//
//	y = (x - mean)/√(var + Eps)·gain + shift
//
// with the mean and the biased variance of its H elements.
type LayerNormParams struct {
	H        int     // columns
	LDX, LDY int     // floats between rows; at least H rounded up to 16
	Eps      float64 // added to the variance
}

func (p LayerNormParams) check() error {
	if !(float32(p.Eps) > 0) || p.Eps > 1 {
		return fmt.Errorf("layernorm: Eps = %g is not between the least float32 and 1", p.Eps)
	}
	return checkRow("layernorm", p.H, p.LDX, p.LDY)
}

// LayerNormName returns the kernel's name for an instruction set, or for
// [Generic].
func LayerNormName(p LayerNormParams, isa string) string {
	return fmt.Sprintf("layernorm_f32_%d_ldx%d_ldy%d_eps%s_%s", p.H, p.LDX, p.LDY, number(p.Eps), isa)
}

// LayerNorm returns a normalisation kernel: func(y, x, gain, shift *float32, m int), m ≥ 1. It works in two passes; the variance is computed from the
// differences to the mean. gain and shift hold H floats, followed by zeros up to a multiple of 16. y may be x. Columns of y from H to the next multiple of 16
// become 0 if the row is finite; those of x are not read.
func LayerNorm(p LayerNormParams, isa ISA) Kernel {
	return Kernel{
		Name:   LayerNormName(p, isa.Name),
		Family: "layernorm",
		ISA:    isa,
		Params: append(params("y x gain shift", F32), params("m", Int)...),
		Doc: fmt.Sprintf("computes y[m, %d] = (x - mean)/√(var + %g)·gain + shift\nRows of x are %d floats apart, of y %d.",
			p.H, p.Eps, p.LDX, p.LDY),
		err:  p.check(),
		emit: func(a *asm) { emitLayerNorm(a, p) },
	}
}

// sums is the number of accumulators of a pass. It is large enough to hide the latency of an addition.
const sums = 4

func emitLayerNorm(a *asm, p LayerNormParams) {
	y, x, gain, shift, m := a.arg("y"), a.arg("x"), a.arg("gain"), a.arg("shift"), a.arg("m")
	cols := a.newColumns(p.H)
	count := a.vec()
	a.broadcast(float32(p.H), count)
	// mean sets dst to the sum of add(piece, accumulator) over the row, divided by H.
	mean := func(dst reg.Register, add func(p piece, acc reg.Register)) {
		var acc [sums]reg.VecVirtual
		for i := range acc {
			acc[i] = a.vec()
			a.zero(acc[i])
		}
		cols.each(sums, func(ps []piece) {
			for i, p := range ps {
				if p.lanes > 0 {
					add(p, acc[i])
				}
			}
		})
		a.VADDPS(acc[1], acc[0], acc[0])
		a.VADDPS(acc[3], acc[2], acc[2])
		a.VADDPS(acc[2], acc[0], acc[0])
		a.sum(acc[0], dst)
		a.VDIVPS(count, dst, dst)
	}
	a.eachRow(m, []reg.Register{y, x}, []int{p.LDY * 4, p.LDX * 4}, func() {
		centre, scale := a.vec(), a.vec()
		mean(centre, func(p piece, acc reg.Register) {
			v := a.vec()
			cols.load(p, x, v)
			a.VADDPS(v, acc, acc)
		})
		mean(scale, func(p piece, acc reg.Register) {
			v := a.vec()
			cols.load(p, x, v)
			a.VSUBPS(centre, v, v)
			cols.keep(p, v)
			a.VFMADD231PS(v, v, acc)
		})
		one := a.vec()
		a.addC(float32(p.Eps), scale, scale)
		a.VSQRTPS(scale, scale)
		a.broadcast(1, one)
		a.VDIVPS(scale, one, scale)
		cols.each(sums, func(ps []piece) {
			for _, p := range ps {
				v, w := a.vec(), a.vec()
				cols.load(p, x, v)
				a.VSUBPS(centre, v, v)
				a.VMULPS(scale, v, v)
				a.VMOVUPS(p.in(shift), w)
				a.VFMADD231PS(p.in(gain), v, w)
				a.VMOVUPS(w, p.in(y))
			}
		})
	})
	a.ret()
}

var layerNormFamily = Family{
	Name: "layernorm",
	Doc:  "layer normalisation of rows, two passes",
	ISAs: []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel {
		var ks []Kernel
		for _, p := range LayerNormSamples() {
			ks = append(ks, LayerNorm(p, isa))
		}
		return ks
	},
}

// LayerNormSamples returns the normalisations that generated/kernels holds.
func LayerNormSamples() []LayerNormParams {
	var ps []LayerNormParams
	for _, h := range []int{1, 3, 16, 28, 39, 45, 128, 768, 1024} {
		ps = append(ps, LayerNormParams{H: h, LDX: LD(h), LDY: LD(h), Eps: 1e-7})
	}
	return append(ps, LayerNormParams{H: 36, LDX: 64, LDY: 48, Eps: 1e-12})
}
