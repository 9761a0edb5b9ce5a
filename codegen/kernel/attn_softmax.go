package kernel

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/debertac/debertac/runtime/attention"
)

// attnSoftmax returns the kernel of the softmax over a strip of scores.
func attnSoftmax(isa ISA) Kernel {
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_softmax_lds%d_%s", attention.LDS, isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: append(params("s stats", F32), params("m n", Int)...),
		Doc: fmt.Sprintf("turns scores s[m, n] into exponentials of their distance to the largest\n"+
			"score so far, and updates stats [%d][%d]: maximum, sum, scale of what was summed\n"+
			"before, inverse of the sum. Rows of s are %d floats apart.",
			attention.Stats, attention.Queries, attention.LDS),
		emit: emitAttnSoftmax,
	}
}

func emitAttnSoftmax(a *asm) {
	s, stats, n, rows := a.arg("s"), a.arg("stats"), a.arg("n"), a.arg("m")
	vb, lanes := a.ISA.VectorBytes, a.ISA.Lanes()
	stat := func(i int) operand.Mem { return at(stats, i*attention.Queries*4) }
	width := a.GP64() // bytes of a row in whole vectors
	a.LEAQ(at(n, lanes-1), width)
	a.ANDQ(operand.I8(-lanes), width)
	a.SHLQ(operand.U8(2), width)
	mask := a.attnTailMask(n)

	top, maxima, sums := a.label("row"), a.label("max"), a.label("sum")
	a.Label(top)
	a.Comment("Columns from n on become -Inf.")
	last := operand.Mem{Base: s, Index: width, Scale: 1, Disp: -vb}
	low := a.vec()
	a.broadcast(float32(math.Inf(-1)), low)
	if a.ISA.Wide() {
		a.VMOVUPS(last, mask, low)
	} else {
		x := a.vec()
		a.VMOVUPS(last, x)
		a.VBLENDVPS(mask, x, low, low)
	}
	a.VMOVUPS(low, last)
	largest, x, i := a.vec(), a.vec(), a.GP64()
	a.VBROADCASTSS(stat(attention.StatMax), largest)
	a.XORQ(i, i)
	a.Label(maxima)
	a.VMAXPS(operand.Mem{Base: s, Index: i, Scale: 1}, largest, largest)
	a.ADDQ(imm(vb), i)
	a.CMPQ(i, width)
	a.JLT(operand.LabelRef(maxima))
	a.attnFold(largest, func(x, y, d reg.Register) { a.VMAXPS(x, y, d) })
	a.VMOVSS(largest.AsX(), stat(attention.StatNewMax))
	total := a.vec()
	a.zero(total)
	a.XORQ(i, i)
	a.Label(sums)
	here := operand.Mem{Base: s, Index: i, Scale: 1}
	a.VMOVUPS(here, x)
	a.VSUBPS(largest, x, x)
	e := a.vec()
	a.expSmall(x, e)
	a.VMOVUPS(e, here)
	a.VADDPS(e, total, total)
	a.ADDQ(imm(vb), i)
	a.CMPQ(i, width)
	a.JLT(operand.LabelRef(sums))
	a.attnFold(total, func(x, y, d reg.Register) { a.VADDPS(x, y, d) })
	a.VMOVSS(total.AsX(), stat(attention.StatNewSum))
	a.ADDQ(imm(4), stats)
	a.ADDQ(imm(attention.LDS*4), s)
	a.DECQ(rows)
	a.JNZ(operand.LabelRef(top))

	a.Comment("The statistics of all rows, one vector at a time.")
	stats, rows = a.arg("stats"), a.arg("m")
	again := a.label("stats")
	a.Label(again)
	fresh, old, scale, sum, one := a.vec(), a.vec(), a.vec(), a.vec(), a.vec()
	a.VMOVUPS(at(stats, attention.StatNewMax*attention.Queries*4), fresh)
	a.VMOVUPS(at(stats, attention.StatMax*attention.Queries*4), old)
	a.VMOVUPS(fresh, at(stats, attention.StatMax*attention.Queries*4))
	a.VSUBPS(fresh, old, old)
	a.expSmall(old, scale)
	a.VMOVUPS(scale, at(stats, attention.StatScale*attention.Queries*4))
	a.VMOVUPS(at(stats, attention.StatSum*attention.Queries*4), sum)
	a.VFMADD213PS(at(stats, attention.StatNewSum*attention.Queries*4), scale, sum)
	a.VMOVUPS(sum, at(stats, attention.StatSum*attention.Queries*4))
	a.broadcast(1, one)
	a.VDIVPS(sum, one, one)
	a.VMOVUPS(one, at(stats, attention.StatInverse*attention.Queries*4))
	a.ADDQ(imm(vb), stats)
	a.SUBQ(imm(lanes), rows)
	a.JG(operand.LabelRef(again))
	a.ret()
}

// attnTailMask returns the mask of the columns that exist in the last vector of a row of n: a mask register, or a vector whose signs are the mask.
func (a *asm) attnTailMask(n reg.GPVirtual) reg.Register {
	lanes := a.ISA.Lanes()
	rest := a.GP64()
	a.LEAQ(at(n, -1), rest)
	a.ANDQ(imm(lanes-1), rest) // the last column that exists
	var lane [16]uint32
	for i := range lane {
		lane[i] = uint32(i)
	}
	index, end := a.vec(), a.vec()
	x := a.XMM()
	a.VMOVD(rest.As32(), x)
	a.VPBROADCASTD(x, end)
	if a.ISA.Wide() {
		k := a.K()
		a.VMOVDQU32(a.pool.lanes16(lane), index)
		a.VPCMPD(operand.U8(2), end, index, k) // index ≤ end
		return k
	}
	a.VMOVDQU(a.pool.lanes([8]uint32(lane[:8])), index)
	a.VPCMPGTD(end, index, index)
	a.VPCMPEQD(end, end, end)
	a.VPXOR(end, index, index)
	return index
}

// attnFold combines all lanes of x by halves in a fixed order. It leaves the result in every lane.
func (a *asm) attnFold(x reg.VecVirtual, combine func(x, y, d reg.Register)) {
	y := a.vec()
	if a.ISA.Wide() {
		a.VSHUFF32X4(operand.U8(0x4e), x, x, y)
		combine(y, x, x)
		a.VSHUFF32X4(operand.U8(0xb1), x, x, y)
		combine(y, x, x)
	} else {
		a.VPERM2F128(operand.U8(1), x, x, y)
		combine(y, x, x)
	}
	a.VPERMILPS(operand.U8(0x4e), x, y)
	combine(y, x, x)
	a.VPERMILPS(operand.U8(0xb1), x, y)
	combine(y, x, x)
}
