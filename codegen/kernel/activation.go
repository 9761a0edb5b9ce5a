package kernel

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Activation is an element-wise function that kernels can apply. The op of the same name defines it. Kernels of their own, products that end in it, and the
// tests of both go over the table.
type Activation struct {
	Name  string
	Doc   string                     // its formula
	Ulps  float64                    // bound on the error of f(x) = y, in units in the last place of y
	Slack func(x, y float64) float64 // absolute error that is allowed in addition; nil: none
	Ends  [2]float64                 // f(-Inf) and f(+Inf) as the kernel computes them; 0·∞ is NaN where a formula has that product

	emit func(a *asm, x, dst reg.Register)
}

var inf, nan = math.Inf(1), math.NaN()

var activations = []Activation{
	{"exp", "e^x", 1.25, nil, [2]float64{0, inf}, (*asm).exp},
	{"gelu", "x·Φ(x) = x·(1 + erf(x/√2))/2", 6, nil, [2]float64{0, inf}, (*asm).gelu},
	{"gelu_tanh", "x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))/2", 4, geluTanhSlack, [2]float64{nan, inf}, (*asm).geluTanh},
	{"relu", "max(x, 0)", 0, nil, [2]float64{0, inf}, (*asm).relu},
	{"sigmoid", "1/(1 + e^-x)", 2.5, nil, [2]float64{0, 1}, (*asm).sigmoid},
	{"silu", "x/(1 + e^-x)", 3, timesTiny, [2]float64{nan, inf}, (*asm).silu},
	{"tanh", "tanh(x)", 4, nil, [2]float64{-1, 1}, (*asm).tanh},
}

// tiny is the spacing of denormal numbers.
const tiny = 0x1p-149

// timesTiny is the slack of functions that multiply x by a factor. A denormal factor has been rounded to the spacing of denormal numbers.
func timesTiny(x, _ float64) float64 { return math.Abs(x) * tiny }

// geluTanhSlack adds to timesTiny an error for negative x: the exponential multiplies the four rounding errors of its argument.
func geluTanhSlack(x, y float64) float64 {
	slack := timesTiny(x, y)
	if x < 0 {
		slack += 4 * math.Abs(2*math.Sqrt(2/math.Pi)*(x+0.044715*x*x*x)*y) * 0x1p-24
	}
	return slack
}

// Activations returns the table of activations, sorted by name.
func Activations() []Activation { return append([]Activation(nil), activations...) }

func activationByName(name string) *Activation {
	for i := range activations {
		if activations[i].Name == name {
			return &activations[i]
		}
	}
	return nil
}

const (
	signBit   = uint32(1 << 31)
	magnitude = signBit - 1
)

// relu computes dst = max(x, 0); NaN stays NaN.
func (a *asm) relu(x, dst reg.Register) {
	z := a.vec()
	a.zero(z)
	a.VMAXPS(x, z, dst)
}

// sigmoid computes dst = 1/(1 + e^-x), with full relative accuracy also for large negative x. With e = e^-|x| it is 1/(1+e) for x ≥ 0 and e/(1+e) for x < 0.
func (a *asm) sigmoid(x, dst reg.Register) {
	e, one, num := a.vec(), a.vec(), a.vec()
	a.orC(signBit, x, e)
	a.exp(e, e)
	a.broadcast(1, one)
	zero := a.vec()
	a.zero(zero)
	if a.ISA.Wide() {
		below := a.K()
		a.VCMPPS(cmpLT, zero, x, below)
		a.blend(below, one, e, num)
	} else {
		a.VBLENDVPS(x, e, one, num)
	}
	a.VADDPS(one, e, e)
	a.VDIVPS(e, num, dst)
}

// silu computes dst = x·sigmoid(x).
func (a *asm) silu(x, dst reg.Register) {
	s := a.vec()
	a.sigmoid(x, s)
	a.VMULPS(x, s, dst)
}

// geluTanh computes dst = x·(1 + tanh z)/2 = x·sigmoid(2z), where 2z = x·(c1 + c3·x²).
func (a *asm) geluTanh(x, dst reg.Register) {
	c := 2 * math.Sqrt(2/math.Pi)
	z, s := a.vec(), a.vec()
	a.VMULPS(x, x, z)
	a.mulC(float32(c*0.044715), z, z)
	a.addC(float32(c), z, z)
	a.VMULPS(x, z, z)
	a.sigmoid(z, s)
	a.VMULPS(x, s, dst)
}

// Beyond tanhLimit the result rounds to 1; argument reduction needs a bound.
const tanhLimit = float32(10)

// tanh computes dst = tanh x = t/(t + 2) with t = e^2|x| - 1; the sign is restored at the end. With 2|x| = n·ln 2 + r, t is 2^n·(e^r - 1) + (2^n - 1), which
// keeps small x exact.
func (a *asm) tanh(x, dst reg.Register) {
	y, q, shifted, n, r := a.vec(), a.vec(), a.vec(), a.vec(), a.vec()
	a.andC(magnitude, x, y)
	bound := a.vec()
	a.broadcast(tanhLimit, bound)
	a.VMINPS(y, bound, y) // NaN stays NaN
	a.VADDPS(y, y, y)
	a.broadcast(shifter, shifted)
	a.fmaMulC(log2e, y, shifted)
	a.addC(-shifter, shifted, n)
	a.VMOVAPS(y, r)
	a.fmaMulC(-ln2Hi, n, r)
	a.fmaMulC(-ln2Lo, n, r)
	a.broadcast(expPoly[0], q)
	for _, c := range expPoly[1:] {
		a.fmaAddC(c, r, q)
	}
	// e^r - 1 = r + r²·q
	a.VMULPS(r, q, q)
	a.VFMADD213PS(r, r, q)
	// 2^n for 0 ≤ n < 30: n is shifted into the exponent of 1, which drops the bits of shifter itself.
	power := shifted
	a.VPSLLD(operand.U8(23), shifted, power)
	one := a.vec()
	a.broadcast(1, one)
	a.VPADDD(one, power, power)
	t := a.vec()
	a.VSUBPS(one, power, t)
	a.VFMADD231PS(power, q, t)
	a.addC(2, t, q)
	a.VDIVPS(q, t, t)
	sign := a.vec()
	a.andC(signBit, x, sign)
	a.or(sign, t, dst)
}

// Φ(-t) = e^(-t²/2)·R(t) for t ≥ 0. R is a polynomial in u = 1/(1 + 0.3·t). Its relative error is 5.9e-8 (one rounding) for t ≤ geluLimit, where Φ has become
// 0. R is half of the scaled complementary error function of t/√2.
const (
	geluLimit = float32(14.5)
	geluU     = float32(0.3)
)

var geluPoly = []float32{0.0384251568, -0.169393661, 0.229129466, -0.0770423429, 0.142904803, 0.0945266751, 0.121960329, 0.119482109, 7.494571e-6}

// gelu computes dst = x·Φ(x) = max(x, 0) - t·Φ(-t) with t = |x|. It is a few ulp from the exact value, also in the negative tail: the rounding error of t² is
// corrected inside the exponential.
func (a *asm) gelu(x, dst reg.Register) {
	t, bound := a.vec(), a.vec()
	a.andC(magnitude, x, t)
	a.broadcast(geluLimit, bound)
	a.VMINPS(t, bound, t) // NaN stays NaN
	// s = t·R(t). Few registers are live at a time, so two chains of this code fit into 16 registers.
	u, s := a.vec(), a.vec()
	a.broadcast(1, s)
	a.VMOVAPS(s, u)
	a.fmaMulC(geluU, t, u)
	a.VDIVPS(u, s, u)
	// h + low = -t²/2 exactly
	half, h, low := a.vec(), a.vec(), a.vec()
	a.mulC(-0.5, t, half)
	a.VMULPS(t, half, h)
	a.VMOVAPS(h, low)
	a.VFMSUB231PS(t, half, low)
	a.broadcast(geluPoly[0], s)
	for _, c := range geluPoly[1:] {
		a.fmaAddC(c, u, s)
	}
	a.VMULPS(t, s, s)
	p, shifted, n := a.vec(), a.vec(), a.vec()
	a.expReduced(h, low, p, shifted, n)
	// This product is computed before the scaling, so that a denormal result is rounded once.
	a.VMULPS(s, p, p)
	a.scale2(p, shifted, n, p)
	zero := a.vec()
	a.zero(zero)
	a.VMAXPS(x, zero, zero)
	a.VSUBPS(p, zero, dst)
}
