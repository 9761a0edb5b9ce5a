package kernel

import (
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Vector mathematics: each function appends code that computes dst from x in every lane. x does not change unless dst is x. The polynomials are minimax fits
// made for this package (Remez' algorithm in 40 digits); the tests compare the results with float64.

// Constants of the argument reduction of exp: x = n·ln 2 + r, |r| ≤ ln 2 / 2.
// Adding shifter rounds to an integer and leaves it in the low bits of the
// sum. ln2Hi has zeros at its end, so n·ln2Hi is exact.
const (
	log2e   = float32(1.44269504088896341)
	shifter = float32(12582912) // 1.5·2^23
)

var (
	ln2Hi = math.Float32frombits(0x3f317200)
	ln2Lo = float32(math.Ln2 - float64(ln2Hi))
)

// expPoly are the coefficients of r^6 … r^2 in e^r = 1 + r + Σ c_i r^i for
// |r| ≤ ln 2 / 2; relative error 2.7e-8 (0.45 of a rounding).
var expPoly = []float32{0.001316769098, 0.008353468545, 0.04167634133, 0.1666671015, 0.4999999201}

// Limits of exp. Below expZero the result rounds to 0, above expInf to +Inf. expFlush is just above the logarithm of the least normal number.
const (
	expZero  = float32(-104)
	expInf   = float32(89)
	expFlush = float32(-87)
)

// Predicates of VCMPPS, both quiet. cmpNLT is "not less than", which is true for NaN; cmpLT is "less than", which is false for NaN.
const (
	cmpNLT = operand.U8(0x15)
	cmpLT  = operand.U8(0x11)
)

// exp computes dst = e^x for every x, including infinities, NaN and denormal results. The error is at most 1.1 ulp.
func (a *asm) exp(x, dst reg.Register) {
	y := a.vec()
	a.clampNaN(x, expZero, expInf, y)
	p, shifted, n := a.vec(), a.vec(), a.vec()
	a.expReduced(y, nil, p, shifted, n)
	a.scale2(p, shifted, n, dst)
}

// expSmall computes dst = e^x for x ≤ 88. The result is 0 for x < -87 (and for -Inf), and NaN stays NaN. A softmax needs no more, and expSmall is cheaper than
// exp. The error is at most 1.1 ulp.
func (a *asm) expSmall(x, dst reg.Register) {
	p, shifted, n := a.vec(), a.vec(), a.vec()
	if a.ISA.Wide() {
		keep := a.K()
		a.VCMPPS_BCST(cmpNLT, a.pool.words(math.Float32bits(expFlush)), x, keep)
		a.expReduced(x, nil, p, shifted, n)
		a.VSCALEFPS_Z(n, p, keep, dst)
		return
	}
	keep := a.vec()
	a.VCMPPS(cmpNLT, a.pool.splat(math.Float32bits(expFlush)), x, keep)
	a.expReduced(x, nil, p, shifted, n)
	// 2^n by adding n to the exponent. The shift drops the bits of shifter itself.
	a.VPSLLD(operand.U8(23), shifted, shifted)
	a.VPADDD(shifted, p, p)
	a.VANDPS(keep, p, dst)
}

// expReduced computes p = e^r and n for x = n·ln 2 + r, and shifted = n + shifter. If low is not nil it is added to r; the result is then e^(x + low), for
// |low| far below an ulp of x.
func (a *asm) expReduced(x, low, p, shifted, n reg.Register) {
	r := a.vec()
	a.broadcast(shifter, shifted)
	a.fmaMulC(log2e, x, shifted)
	a.addC(-shifter, shifted, n)
	a.VMOVAPS(x, r)
	a.fmaMulC(-ln2Hi, n, r)
	a.fmaMulC(-ln2Lo, n, r)
	if low != nil {
		a.VADDPS(low, r, r)
	}
	a.broadcast(expPoly[0], p)
	for _, c := range expPoly[1:] {
		a.fmaAddC(c, r, p)
	}
	a.fmaAddC(1, r, p)
	a.fmaAddC(1, r, p)
}

// scale2 computes dst = p·2^n with one rounding, for |n| ≤ 150; shifted = n + shifter. It overwrites shifted and n.
func (a *asm) scale2(p, shifted, n, dst reg.Register) {
	if a.ISA.Wide() {
		a.VSCALEFPS(n, p, dst)
		return
	}
	// There are two factors, because a single power of two may not be a normal number. The first product is exact.
	half := a.vec()
	bits := a.pool.splat(math.Float32bits(shifter))
	a.VPSUBD(bits, shifted, shifted)
	a.VPSRAD(operand.U8(1), shifted, half)
	a.VPSUBD(half, shifted, shifted)
	for _, e := range []reg.Register{half, shifted} {
		a.VPADDD(a.pool.splat(127), e, e)
		a.VPSLLD(operand.U8(23), e, e)
	}
	a.VMULPS(half, p, n)
	a.VMULPS(shifted, n, dst)
}

// clampNaN computes dst = min(max(x, lo), hi); NaN stays NaN. The instructions return their second source if either is NaN, so x is the second.
func (a *asm) clampNaN(x reg.Register, lo, hi float32, dst reg.Register) {
	bound := a.vec()
	a.broadcast(lo, bound)
	a.VMAXPS(x, bound, dst)
	bound = a.vec()
	a.broadcast(hi, bound)
	a.VMINPS(dst, bound, dst)
}
