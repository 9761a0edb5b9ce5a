package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/debertac/debertac/runtime/attention"
)

// attendProbs returns the kernel that turns the exponentials of a softmax into probabilities and sums their products with their gradients.
func attendProbs(isa ISA) Kernel {
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_probs_lds%d_%s", attention.LDS, isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: append(params("p dp factor mean", F32), params("m n", Int)...),
		Doc: fmt.Sprintf("multiplies each row of p[m, n] by factor[m] and adds the sum of p·dp to\n"+
			"mean[m]. n is rounded up to %d. Rows of p and dp are %d floats apart.",
			isa.Lanes(), attention.LDS),
		emit: func(a *asm) {
			factor, mean := a.arg("factor"), a.arg("mean")
			f, sum, x, one := a.vec(), a.vec(), a.vec(), a.XMM()
			attendPairs(a, func() {
				a.VBROADCASTSS(at(factor, 0), f)
				a.zero(sum)
			}, func(p, dp operand.Mem) {
				a.VMULPS(p, f, x)
				a.VMOVUPS(x, p)
				a.VFMADD231PS(dp, x, sum)
			}, func() {
				a.attnFold(sum, func(x, y, d reg.Register) { a.VADDPS(x, y, d) })
				a.VADDSS(at(mean, 0), sum.AsX(), one)
				a.VMOVSS(one, at(mean, 0))
				a.ADDQ(imm(4), factor)
				a.ADDQ(imm(4), mean)
			})
		},
	}
}

// attendSlopes returns the kernel of the gradient of a softmax.
func attendSlopes(isa ISA) Kernel {
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_slopes_lds%d_%s", attention.LDS, isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: append(params("p dp mean", F32), params("m n", Int)...),
		Doc: fmt.Sprintf("sets dp[m, n] to p·(dp - mean[m]). n is rounded up to %d. Rows of p and dp are\n%d floats apart.",
			isa.Lanes(), attention.LDS),
		emit: func(a *asm) {
			mean := a.arg("mean")
			by, x := a.vec(), a.vec()
			attendPairs(a, func() { a.VBROADCASTSS(at(mean, 0), by) }, func(p, dp operand.Mem) {
				a.VMOVUPS(dp, x)
				a.VSUBPS(by, x, x)
				a.VMULPS(p, x, x)
				a.VMOVUPS(x, dp)
			}, func() { a.ADDQ(imm(4), mean) })
		},
	}
}

// attendPairs emits a kernel that walks over the vectors of each row of p and dp.
func attendPairs(a *asm, begin func(), body func(p, dp operand.Mem), end func()) {
	p, dp, rows, width := a.arg("p"), a.arg("dp"), a.arg("m"), a.arg("n")
	a.SHLQ(operand.U8(2), width)
	row, vector, i := a.label("row"), a.label("vector"), a.GP64()
	a.Label(row)
	begin()
	a.XORQ(i, i)
	a.Label(vector)
	body(operand.Mem{Base: p, Index: i, Scale: 1}, operand.Mem{Base: dp, Index: i, Scale: 1})
	a.ADDQ(imm(a.ISA.VectorBytes), i)
	a.CMPQ(i, width)
	a.JLT(operand.LabelRef(vector))
	end()
	a.ADDQ(imm(attention.LDS*4), p)
	a.ADDQ(imm(attention.LDS*4), dp)
	a.DECQ(rows)
	a.JNZ(operand.LabelRef(row))
	a.ret()
}
