package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"

	"github.com/debertac/debertac/runtime/attention"
)

// attendDrop returns the kernel that drops probabilities of a strip of queries against a block of keys.
func attendDrop(rate float64, isa ISA) Kernel {
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_drop_lds%d_rate%s_%s", attention.LDS, number(rate), isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: append(append(params("x", F32), params("state", I32)...), params("m n", Int)...),
		Doc: fmt.Sprintf("sets x[m, n] to x/(1 - %g) or 0. state holds the state of each row at its first\n"+
			"column. n is rounded up to %d. Rows of x are %d floats apart.", rate, isa.Lanes(), attention.LDS),
		err: DropoutParams{N: 1, LDX: PanelWidth, LDY: PanelWidth, Rate: rate}.check(),
		emit: func(a *asm) {
			d := &dropper{asm: a, DropoutParams: DropoutParams{Rate: rate}}
			x, states, rows, width := a.arg("x"), a.arg("state"), a.arg("m"), a.arg("n")
			begin := d.constants()
			a.SHLQ(operand.U8(2), width)
			row, vector, i, state, v := a.label("row"), a.label("vector"), a.GP64(), a.vec(), a.vec()
			a.Label(row)
			a.VPBROADCASTD(at(states, 0), state)
			a.VPADDD(begin, state, state)
			a.XORQ(i, i)
			a.Label(vector)
			place := operand.Mem{Base: x, Index: i, Scale: 1}
			a.VMULPS(place, d.scale, v)
			d.drop(state, v)
			a.VMOVUPS(v, place)
			a.VPADDD(d.step, state, state)
			a.ADDQ(imm(a.ISA.VectorBytes), i)
			a.CMPQ(i, width)
			a.JLT(operand.LabelRef(vector))
			a.ADDQ(imm(4), states)
			a.ADDQ(imm(attention.LDS*4), x)
			a.DECQ(rows)
			a.JNZ(operand.LabelRef(row))
			a.ret()
		},
	}
}
