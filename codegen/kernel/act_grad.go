package kernel

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/reg"
)

// Slope is the derivative f' of an activation f. The op act_grad defines it.
type Slope struct {
	Act  string
	Doc  string  // its formula
	Ulps float64 // bound on the error of f'(x) = y, in units in the last place of y
	// Slack returns an absolute error that is allowed in addition, where the derivative is a difference of numbers of a greater size; nil: none.
	Slack func(x float64) float64
	Ends  [2]float64 // f'(-Inf) and f'(+Inf) as the kernel computes them; 0·∞ is NaN where a formula has that product

	emit func(a *asm, x, dst reg.Register)
}

var slopes = []Slope{
	{"gelu", "Φ(x) + x·φ(x)", 8, geluSlopeSlack, [2]float64{0, 1}, (*asm).geluSlope},
	{"gelu_tanh", "s + x·s·(1-s)·2z' with s = sigmoid(2z)", 8, geluTanhSlopeSlack, [2]float64{nan, nan}, (*asm).geluTanhSlope},
	{"relu", "1 where x > 0, else 0", 0, nil, [2]float64{0, 1}, (*asm).reluSlope},
	{"sigmoid", "e/(1 + e)² with e = e^-|x|", 4, nil, [2]float64{0, 0}, (*asm).sigmoidSlope},
	{"silu", "s + x·s·(1-s) with s = sigmoid(x)", 8, siluSlopeSlack, [2]float64{nan, nan}, (*asm).siluSlope},
	{"tanh", "4e/(1 + e)² with e = e^-2|x|", 4, nil, [2]float64{0, 0}, (*asm).tanhSlope},
}

// geluSlopeSlack is a few roundings of the two terms, which have different signs for negative x.
func geluSlopeSlack(x float64) float64 {
	t := math.Abs(x)
	return 8*(0.5*math.Erfc(t/math.Sqrt2)+t*math.Exp(-t*t/2)/math.Sqrt(2*math.Pi))*0x1p-24 + (1+t)*tiny
}

func siluSlopeSlack(x float64) float64 {
	e := math.Exp(-math.Abs(x))
	return 8*(1+math.Abs(x))*e*0x1p-24 + (1+math.Abs(x))*tiny
}

// geluTanhSlopeSlack adds the error of the exponential, which multiplies the four rounding errors of its argument.
func geluTanhSlopeSlack(x float64) float64 {
	t := math.Abs(x)
	z := 2 * math.Sqrt(2/math.Pi) * (t + 0.044715*t*t*t)
	dz := 2 * math.Sqrt(2/math.Pi) * (1 + 3*0.044715*t*t)
	return (8+4*z)*math.Exp(-z)*(1+t*dz)*0x1p-24 + (1+t*dz)*tiny
}

// Slopes returns the table of derivatives, sorted by name.
func Slopes() []Slope { return append([]Slope(nil), slopes...) }

func slopeOf(act string) *Slope {
	for i := range slopes {
		if slopes[i].Act == act {
			return &slopes[i]
		}
	}
	return nil
}

// ActGradParams holds the constants of a kernel of an activation's gradient: y[i, n] = dy[i, n]·f'(x[i, n]) for 0 ≤ i < m, 0 ≤ n < N.
type ActGradParams struct {
	Act           string // f, a name of [Slopes]
	N             int    // columns
	LDY, LDD, LDX int    // floats between rows of y, dy and x; at least N rounded up to 16
}

func (p ActGradParams) check() error {
	if slopeOf(p.Act) == nil {
		return fmt.Errorf("act_grad: no activation with a derivative is called %q", p.Act)
	}
	return checkRow("act_grad", p.N, p.LDY, p.LDD, p.LDX)
}

// ActGradName returns the kernel's name for an instruction set, or for [Generic].
func ActGradName(p ActGradParams, isa string) string {
	return fmt.Sprintf("act_grad_f32_%s_%d_ldy%d_ldd%d_ldx%d_%s", p.Act, p.N, p.LDY, p.LDD, p.LDX, isa)
}

// ActGrad returns the kernel of an activation's gradient: func(y, dy, x *float32, m int), m ≥ 1. y may be dy or x. Columns of y from N to the next multiple of
// 16 become 0; those of dy and x are not read.
func ActGrad(p ActGradParams, isa ISA) Kernel {
	return Kernel{
		Name:   ActGradName(p, isa.Name),
		Family: "act_grad",
		ISA:    isa,
		Params: append(params("y dy x", F32), params("m", Int)...),
		Doc: fmt.Sprintf("computes y[m, %d] = dy·f'(x) for f = %s\nRows of y are %d floats apart, of dy %d, of x %d.",
			p.N, p.Act, p.LDY, p.LDD, p.LDX),
		err: p.check(),
		emit: func(a *asm) {
			f := slopeOf(p.Act)
			y, dy, x, m := a.arg("y"), a.arg("dy"), a.arg("x"), a.arg("m")
			cols := a.newColumns(p.N)
			unroll := 1
			if a.ISA.Wide() { // two chains fit into 32 registers
				unroll = 2
			}
			a.eachRow(m, []reg.Register{y, dy, x}, []int{p.LDY * 4, p.LDD * 4, p.LDX * 4}, func() {
				cols.each(unroll, func(ps []piece) {
					var bodies []func()
					for _, piece := range ps {
						bodies = append(bodies, func() {
							v, d := a.vec(), a.vec()
							cols.load(piece, x, v)
							f.emit(a, v, v)
							cols.load(piece, dy, d)
							a.VMULPS(d, v, v)
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

// reluSlope computes dst = 1 where x > 0, else 0.
func (a *asm) reluSlope(x, dst reg.Register) {
	zero, one := a.vec(), a.vec()
	a.zero(zero)
	a.broadcast(1, one)
	if a.ISA.Wide() {
		above := a.K()
		a.VCMPPS(cmpLT, x, zero, above)
		a.blend(above, zero, one, dst)
		return
	}
	above := a.vec()
	a.VCMPPS(cmpLT, x, zero, above)
	a.VANDPS(above, one, dst)
}

// logistic computes e = e^-|z| and r = 1/(1 + e).
func (a *asm) logistic(z, e, r reg.Register) {
	one := a.vec()
	a.orC(signBit, z, e)
	a.exp(e, e)
	a.broadcast(1, one)
	a.VADDPS(one, e, r)
	a.VDIVPS(r, one, r)
}

// below sets dst to e where x is negative, and to 1 elsewhere.
func (a *asm) below(x, e, dst reg.Register) {
	one := a.vec()
	a.broadcast(1, one)
	if a.ISA.Wide() {
		zero, negative := a.vec(), a.K()
		a.zero(zero)
		a.VCMPPS(cmpLT, zero, x, negative)
		a.blend(negative, one, e, dst)
		return
	}
	a.VBLENDVPS(x, e, one, dst)
}

// sigmoidSlope computes dst = e·r².
func (a *asm) sigmoidSlope(x, dst reg.Register) {
	e, r := a.vec(), a.vec()
	a.logistic(x, e, r)
	a.VMULPS(r, e, e)
	a.VMULPS(r, e, dst)
}

// tanhSlope computes dst = 4·e·r² with the exponential of 2|x|.
func (a *asm) tanhSlope(x, dst reg.Register) {
	z := a.vec()
	a.VADDPS(x, x, z)
	a.sigmoidSlope(z, dst)
	a.mulC(4, dst, dst)
}

// siluSlope computes dst = s + x·e·r² with s = sigmoid(x), which is r·1 or r·e.
func (a *asm) siluSlope(x, dst reg.Register) {
	e, r, num := a.vec(), a.vec(), a.vec()
	a.logistic(x, e, r)
	a.below(x, e, num)
	a.VMULPS(r, e, e)
	a.VFMADD231PS(x, e, num)
	a.VMULPS(r, num, dst)
}

// geluTanhSlope computes dst = s + x·z'·e·r² with s = sigmoid(z), z = x·(c1 + c3·x²) and z' = c1 + 3·c3·x².
func (a *asm) geluTanhSlope(x, dst reg.Register) {
	c := 2 * math.Sqrt(2/math.Pi)
	z, slope := a.vec(), a.vec()
	a.VMULPS(x, x, slope)
	a.mulC(float32(c*0.044715), slope, z)
	a.addC(float32(c), z, z)
	a.VMULPS(x, z, z)
	a.mulC(float32(3*c*0.044715), slope, slope)
	a.addC(float32(c), slope, slope)
	a.VMULPS(x, slope, slope)
	e, r, num := a.vec(), a.vec(), a.vec()
	a.logistic(z, e, r)
	a.below(x, e, num)
	a.VMULPS(r, e, e)
	a.VFMADD231PS(slope, e, num)
	a.VMULPS(r, num, dst)
}

// Beyond geluSlopeLimit the derivative of gelu rounds to 0 or 1.
const geluSlopeLimit = float32(15)

// geluSlope computes dst = Φ(x) + x·φ(x). With t = |x| and d = e^(-t²/2)·(R(t) - t/√(2π)), see gelu, it is d for negative x and 1 - d elsewhere.
func (a *asm) geluSlope(x, dst reg.Register) {
	t, bound := a.vec(), a.vec()
	a.andC(magnitude, x, t)
	a.broadcast(geluSlopeLimit, bound)
	a.VMINPS(t, bound, t) // NaN stays NaN
	u, s := a.vec(), a.vec()
	a.broadcast(1, s)
	a.VMOVAPS(s, u)
	a.fmaMulC(geluU, t, u)
	a.VDIVPS(u, s, u)
	half, h, low := a.vec(), a.vec(), a.vec()
	a.mulC(-0.5, t, half)
	a.VMULPS(t, half, h)
	a.VMOVAPS(h, low)
	a.VFMSUB231PS(t, half, low)
	a.broadcast(geluPoly[0], s)
	for _, c := range geluPoly[1:] {
		a.fmaAddC(c, u, s)
	}
	a.fmaMulC(float32(-1/math.Sqrt(2*math.Pi)), t, s)
	p, shifted, n := a.vec(), a.vec(), a.vec()
	a.expReduced(h, low, p, shifted, n)
	a.VMULPS(s, p, p)
	a.scale2(p, shifted, n, p)
	one, d := a.vec(), a.vec()
	a.broadcast(1, one)
	a.VSUBPS(p, one, d)
	if a.ISA.Wide() {
		zero, negative := a.vec(), a.K()
		a.zero(zero)
		a.VCMPPS(cmpLT, zero, x, negative)
		a.blend(negative, d, p, dst)
		return
	}
	a.VBLENDVPS(x, p, d, dst)
}

var actGradFamily = Family{
	Name: "act_grad",
	Doc:  "the gradient of an activation of each element, by rows",
	ISAs: []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel {
		var ks []Kernel
		for _, p := range ActGradSamples() {
			ks = append(ks, ActGrad(p, isa))
		}
		return ks
	},
}

// ActGradSamples returns the gradients of activations that generated/kernels holds.
func ActGradSamples() []ActGradParams {
	var ps []ActGradParams
	for _, s := range slopes {
		for _, n := range []int{1, 39, 768} {
			ps = append(ps, ActGradParams{Act: s.Act, N: n, LDY: LD(n), LDD: LD(n), LDX: LD(n)})
		}
	}
	return append(ps, ActGradParams{Act: "gelu", N: 20, LDY: 32, LDD: 48, LDX: 64})
}
