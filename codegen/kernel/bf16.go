package kernel

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// Kernels for bfloat16 hold two numbers in 4 bytes, a pair: the number of lower index in the lower half. A set without products of pairs computes in float32:
// it moves a half to where the bits of a float32 begin, and puts zeros after it.

// Bits of float32.
const (
	expBits    = 0x7f800000
	quietBit   = 0x00400000
	upperHalf  = 0xffff0000
	halfBits   = 16
	oddWords   = 0xaaaaaaaa // a mask of words that picks the upper half of each pair
	roundBelow = 0x7fff
)

// oddMask sets a mask register to the upper halves of the pairs of a vector (AVX-512). It overwrites RAX.
func (a *asm) oddMask(k reg.Register) {
	a.MOVL(operand.U32(oddWords), reg.EAX)
	a.KMOVD(reg.EAX, k)
}

// widen sets dst to the lower or upper halves of a vector of pairs in memory, as float32. odd is a register that oddMask has set, for AVX-512.
func (a *asm) widen(upper bool, m operand.Mem, odd, dst reg.Register) {
	switch {
	case a.ISA.Wide() && upper:
		a.VMOVDQU16_Z(m, odd, dst)
	case a.ISA.Wide():
		a.VPSLLD(operand.U8(halfBits), m, dst)
	default:
		a.VMOVUPS(m, dst)
		a.widenIn(upper, odd, dst)
	}
}

// widenIn is widen for a vector that is in dst already.
func (a *asm) widenIn(upper bool, odd, dst reg.Register) {
	switch {
	case a.ISA.Wide() && upper:
		a.VMOVDQU16_Z(dst, odd, dst)
	case !upper:
		a.VPSLLD(operand.U8(halfBits), dst, dst)
	default:
		a.VANDPS(a.pool.splat(upperHalf), dst, dst)
	}
}

// widenOne sets all lanes of dst to the lower or upper half of a pair in memory, as float32.
func (a *asm) widenOne(upper bool, m operand.Mem, odd, dst reg.Register) {
	if a.ISA.Wide() {
		if upper {
			m.Disp += halfBits / 8
		}
		a.VPBROADCASTW_Z(m, odd, dst)
		return
	}
	a.VBROADCASTSS(m, dst)
	a.widenIn(upper, odd, dst)
}

// round rounds the floats of x to bfloat16, to nearest and ties to even, as VCVTNE2PS2BF16 does: numbers below 2⁻¹²⁶ become 0, and a NaN keeps its upper bits
// and becomes quiet. The result is the upper half of each lane; the lower half is not defined.
func (a *asm) round(x reg.VecVirtual) reg.VecVirtual {
	t, r := a.vec(), a.vec()
	a.VPSRLD(operand.U8(halfBits), x, t)
	a.andC(1, t, t)
	if a.ISA.Wide() {
		nan, small := a.K(), a.K()
		a.VPADDD_BCST(a.pool.words(roundBelow), t, t)
		a.VPADDD(x, t, r)
		a.VCMPPS(operand.U8(3), x, x, nan)
		a.VPORD_BCST(a.pool.words(quietBit), x, nan, r)
		a.VPTESTNMD_BCST(a.pool.words(expBits), x, small)
		a.VPANDD_BCST(a.pool.words(signBit), x, small, r)
		return r
	}
	a.VPADDD(a.pool.splat(roundBelow), t, t)
	a.VPADDD(x, t, r)
	other, pick := a.vec(), a.vec()
	a.orC(quietBit, x, other)
	a.VCMPPS(operand.U8(3), x, x, pick)
	a.VBLENDVPS(pick, other, r, r)
	a.andC(expBits, x, pick)
	a.zero(other)
	a.VPCMPEQD(other, pick, pick)
	a.andC(signBit, x, other)
	a.VBLENDVPS(pick, other, r, r)
	return r
}

// pairsOfRows returns the pairs of the same lanes of two vectors of floats. odd is a register that oddMask has set, for AVX-512; order is that of pairOrder,
// for a set with BF16.
func (a *asm) pairsOfRows(lower, upper reg.VecVirtual, odd reg.Register, order reg.Register) reg.VecVirtual {
	if a.ISA.BF16() {
		d := a.vec()
		a.encoded("VCVTNE2PS2BF16", lower, upper, d)
		a.VPERMW(d, order, d)
		return d
	}
	l, u := a.round(lower), a.round(upper)
	a.VPSRLD(operand.U8(halfBits), l, l)
	if a.ISA.Wide() {
		a.VMOVDQU16(u, odd, l)
		return l
	}
	a.VPBLENDW(operand.U8(oddWords&0xff), u, l, l)
	return l
}

// pairOrder loads the order of words for pairsOfRows: the conversion puts the words of one vector after those of the other.
func (a *asm) pairOrder() reg.Register {
	var order [16]uint32
	for i := range order {
		order[i] = uint32(i) | uint32(16+i)<<halfBits
	}
	v := a.vec()
	a.VMOVUPS(a.pool.lanes16(order), v)
	return v
}

// pairsOfColumns returns the pairs of neighbouring floats of two vectors, the second of which follows the first. order is that of columnOrder, for AVX-512.
func (a *asm) pairsOfColumns(first, second reg.VecVirtual, order reg.Register) reg.VecVirtual {
	if a.ISA.BF16() {
		d := a.vec()
		a.encoded("VCVTNE2PS2BF16", first, second, d)
		return d
	}
	f, s := a.round(first), a.round(second)
	if a.ISA.Wide() {
		a.VPERMT2W(s, order, f)
		return f
	}
	a.VPSRLD(operand.U8(halfBits), f, f)
	a.VPSRLD(operand.U8(halfBits), s, s)
	a.VPACKUSDW(s, f, f)
	a.VPERMQ(operand.U8(0xd8), f, f)
	return f
}

// columnOrder loads the order of words for pairsOfColumns, the odd words of two vectors. Only AVX-512 without BF16 needs it; else it is nil.
func (a *asm) columnOrder() reg.Register {
	if !a.ISA.Wide() || a.ISA.BF16() {
		return nil
	}
	var upper [16]uint32
	for i := range upper {
		upper[i] = uint32(4*i+1) | uint32(4*i+3)<<halfBits
	}
	v := a.vec()
	a.VMOVUPS(a.pool.lanes16(upper), v)
	return v
}
