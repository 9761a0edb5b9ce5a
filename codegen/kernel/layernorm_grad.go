package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/reg"
)

// MomentsParams holds the constants of a kernel that computes the mean and 1/√(variance + Eps) of rows, with the biased variance.
type MomentsParams struct {
	H        int     // columns
	LDX, LDY int     // floats between rows of x, and of y, of which two are written
	Eps      float64 // added to the variance
}

func (p MomentsParams) check() error {
	return LayerNormParams{H: p.H, LDX: p.LDX, LDY: p.LDX, Eps: p.Eps}.check()
}

// MomentsName returns the kernel's name for an instruction set, or for [Generic].
func MomentsName(p MomentsParams, isa string) string {
	return fmt.Sprintf("moments_f32_%d_ldx%d_ldy%d_eps%s_%s", p.H, p.LDX, p.LDY, number(p.Eps), isa)
}

// Moments returns the kernel: func(y, x *float32, m int), m ≥ 1. It works in two passes, as [LayerNorm] does. Columns of x from H on are not read, and columns
// of y from 2 on are not written.
func Moments(p MomentsParams, isa ISA) Kernel {
	return Kernel{
		Name:   MomentsName(p, isa.Name),
		Family: "moments",
		ISA:    isa,
		Params: append(params("y x", F32), params("m", Int)...),
		Doc: fmt.Sprintf("computes y[m, 2] = mean and 1/√(variance + %g) of rows of %d floats\nRows of x are %d floats apart, of y %d.",
			p.Eps, p.H, p.LDX, p.LDY),
		err: p.check(),
		emit: func(a *asm) {
			y, x, m := a.arg("y"), a.arg("x"), a.arg("m")
			cols := a.newColumns(p.H)
			count := a.vec()
			a.broadcast(float32(p.H), count)
			a.eachRow(m, []reg.Register{y, x}, []int{p.LDY * 4, p.LDX * 4}, func() {
				mean, rstd := a.vec(), a.vec()
				a.moments(cols, x, count, float32(p.Eps), mean, rstd)
				a.VMOVSS(mean.AsX(), at(y, 0))
				a.VMOVSS(rstd.AsX(), at(y, 4))
			})
			a.ret()
		},
	}
}

// totals sets dst[k] to the sum over the row of what add puts into accumulators, for each k, divided by count.
func (a *asm) totals(cols *columns, count reg.Register, dst []reg.VecVirtual, add func(p piece, acc []reg.VecVirtual)) {
	acc := make([][]reg.VecVirtual, sums)
	for i := range acc {
		acc[i] = make([]reg.VecVirtual, len(dst))
		for k := range dst {
			acc[i][k] = a.vec()
			a.zero(acc[i][k])
		}
	}
	cols.each(sums, func(ps []piece) {
		for i, p := range ps {
			if p.lanes > 0 {
				add(p, acc[i])
			}
		}
	})
	for k, d := range dst {
		a.VADDPS(acc[1][k], acc[0][k], acc[0][k])
		a.VADDPS(acc[3][k], acc[2][k], acc[2][k])
		a.VADDPS(acc[2][k], acc[0][k], acc[0][k])
		a.sum(acc[0][k], d)
		a.VDIVPS(count, d, d)
	}
}

// moments computes the mean of the row at x and 1/√(variance + eps), in all lanes.
func (a *asm) moments(cols *columns, x, count reg.Register, eps float32, mean, rstd reg.VecVirtual) {
	a.totals(cols, count, []reg.VecVirtual{mean}, func(p piece, acc []reg.VecVirtual) {
		v := a.vec()
		cols.load(p, x, v)
		a.VADDPS(v, acc[0], acc[0])
	})
	a.totals(cols, count, []reg.VecVirtual{rstd}, func(p piece, acc []reg.VecVirtual) {
		v := a.vec()
		cols.load(p, x, v)
		a.VSUBPS(mean, v, v)
		cols.keep(p, v)
		a.VFMADD231PS(v, v, acc[0])
	})
	one := a.vec()
	a.addC(eps, rstd, rstd)
	a.VSQRTPS(rstd, rstd)
	a.broadcast(1, one)
	a.VDIVPS(rstd, one, rstd)
}

// LayerNormGradParams holds the constants of the gradient of a layer normalisation. For each row, with d = dy·gain and hat = (x - mean)·rstd,
//
//	y = rstd·(d - mean(d) - hat·mean(d·hat))
type LayerNormGradParams struct {
	H                  int // columns
	LDY, LDD, LDX, LDM int // floats between rows of y, dy, x and the moments; the first three at least H rounded up to 16
}

func (p LayerNormGradParams) check() error {
	if p.LDM < 2 || p.LDM > 1<<26 {
		return fmt.Errorf("layernorm_grad: moments %d floats apart", p.LDM)
	}
	return checkRow("layernorm_grad", p.H, p.LDY, p.LDD, p.LDX)
}

// LayerNormGradName returns the kernel's name for an instruction set, or for [Generic].
func LayerNormGradName(p LayerNormGradParams, isa string) string {
	return fmt.Sprintf("layernorm_grad_f32_%d_ldy%d_ldd%d_ldx%d_ldm%d_%s", p.H, p.LDY, p.LDD, p.LDX, p.LDM, isa)
}

// LayerNormGrad returns the kernel: func(y, dy, x, gain, moments *float32, m int), m ≥ 1. It makes two passes over a row. moments holds the mean and
// 1/√(variance + eps) of each row. gain holds H floats, followed by zeros up to a multiple of 16. y may be dy or x. Columns of y from H to the next multiple of
// 16 become 0; those of dy and x are not read.
func LayerNormGrad(p LayerNormGradParams, isa ISA) Kernel {
	return Kernel{
		Name:   LayerNormGradName(p, isa.Name),
		Family: "layernorm_grad",
		ISA:    isa,
		Params: append(params("y dy x gain moments", F32), params("m", Int)...),
		Doc: fmt.Sprintf("computes y[m, %d] = rstd·(d - mean(d) - hat·mean(d·hat)) with d = dy·gain\n"+
			"Rows of y are %d floats apart, of dy %d, of x %d, of the moments %d.", p.H, p.LDY, p.LDD, p.LDX, p.LDM),
		err:  p.check(),
		emit: func(a *asm) { emitLayerNormGrad(a, p) },
	}
}

func emitLayerNormGrad(a *asm, p LayerNormGradParams) {
	y, dy, x, gain, moments, m := a.arg("y"), a.arg("dy"), a.arg("x"), a.arg("gain"), a.arg("moments"), a.arg("m")
	cols := a.newColumns(p.H)
	count := a.vec()
	a.broadcast(float32(p.H), count)
	steps := []int{p.LDY * 4, p.LDD * 4, p.LDX * 4, p.LDM * 4}
	a.eachRow(m, []reg.Register{y, dy, x, moments}, steps, func() {
		mean, rstd := a.vec(), a.vec()
		a.VBROADCASTSS(at(moments, 0), mean)
		a.VBROADCASTSS(at(moments, 4), rstd)
		// terms loads d and (x - mean). Lanes without data become 0 in d.
		terms := func(p piece, d, v reg.Register) {
			cols.load(p, dy, d)
			a.VMULPS(p.in(gain), d, d)
			cols.load(p, x, v)
			a.VSUBPS(mean, v, v)
		}
		sum, inner := a.vec(), a.vec()
		a.totals(cols, count, []reg.VecVirtual{sum, inner}, func(p piece, acc []reg.VecVirtual) {
			d, v := a.vec(), a.vec()
			terms(p, d, v)
			a.VADDPS(d, acc[0], acc[0])
			a.VFMADD231PS(v, d, acc[1])
		})
		// y = rstd·((d - sum) - (x - mean)·rstd²·inner)
		a.VMULPS(rstd, inner, inner)
		a.VMULPS(rstd, inner, inner)
		cols.each(sums, func(ps []piece) {
			for _, p := range ps {
				d, v := a.vec(), a.vec()
				terms(p, d, v)
				a.VSUBPS(sum, d, d)
				a.VFNMADD231PS(inner, v, d)
				a.VMULPS(rstd, d, d)
				cols.keep(p, d)
				a.VMOVUPS(d, p.in(y))
			}
		})
	})
	a.ret()
}

var momentsFamily = Family{
	Name: "moments",
	Doc:  "mean and 1/σ of rows, two passes",
	ISAs: []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel {
		var ks []Kernel
		for _, p := range MomentsSamples() {
			ks = append(ks, Moments(p, isa))
		}
		return ks
	},
}

var layerNormGradFamily = Family{
	Name: "layernorm_grad",
	Doc:  "the gradient of a layer normalisation, two passes",
	ISAs: []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel {
		var ks []Kernel
		for _, p := range LayerNormGradSamples() {
			ks = append(ks, LayerNormGrad(p, isa))
		}
		return ks
	},
}

// MomentsSamples returns the kernels of moments that generated/kernels holds.
func MomentsSamples() []MomentsParams {
	var ps []MomentsParams
	for _, p := range LayerNormSamples() {
		ps = append(ps, MomentsParams{H: p.H, LDX: p.LDX, LDY: 16, Eps: p.Eps})
	}
	return ps
}

// LayerNormGradSamples returns the gradients of layer normalisations that generated/kernels holds.
func LayerNormGradSamples() []LayerNormGradParams {
	var ps []LayerNormGradParams
	for _, p := range LayerNormSamples() {
		ps = append(ps, LayerNormGradParams{H: p.H, LDY: p.LDY, LDD: p.LDY, LDX: p.LDX, LDM: 16})
	}
	return ps
}
