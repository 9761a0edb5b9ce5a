package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// transpose takes as many vectors as a vector has lanes, which form a square, and returns its columns. It overwrites nothing.
func (a *asm) transpose(rows []reg.VecVirtual) []reg.VecVirtual {
	n := len(rows)
	pair := func(f func(...operand.Op), x, y reg.VecVirtual) reg.VecVirtual {
		d := a.vec()
		f(y, x, d)
		return d
	}
	lo, hi := func(ops ...operand.Op) { a.VUNPCKLPS(ops...) }, func(ops ...operand.Op) { a.VUNPCKHPS(ops...) }
	lo2, hi2 := func(ops ...operand.Op) { a.VUNPCKLPD(ops...) }, func(ops ...operand.Op) { a.VUNPCKHPD(ops...) }
	shuffle := func(i uint8, x, y reg.VecVirtual) reg.VecVirtual {
		d := a.vec()
		if n == 16 {
			a.VSHUFF32X4(operand.U8(i), y, x, d)
		} else {
			a.VPERM2F128(operand.U8(i), y, x, d)
		}
		return d
	}
	// Quarter q of quads[c][g] holds elements 4q+c of rows 4g … 4g+3.
	var quads [4][]reg.VecVirtual
	for g := 0; g < n; g += 4 {
		r := rows[g : g+4]
		a0, a1 := pair(lo, r[0], r[1]), pair(hi, r[0], r[1])
		a2, a3 := pair(lo, r[2], r[3]), pair(hi, r[2], r[3])
		quads[0] = append(quads[0], pair(lo2, a0, a2))
		quads[1] = append(quads[1], pair(hi2, a0, a2))
		quads[2] = append(quads[2], pair(lo2, a1, a3))
		quads[3] = append(quads[3], pair(hi2, a1, a3))
	}
	out := make([]reg.VecVirtual, n)
	for c, b := range quads {
		if n == 8 {
			out[c], out[4+c] = shuffle(0x20, b[0], b[1]), shuffle(0x31, b[0], b[1])
			continue
		}
		s0, s1 := shuffle(0x44, b[0], b[1]), shuffle(0x44, b[2], b[3])
		s2, s3 := shuffle(0xee, b[0], b[1]), shuffle(0xee, b[2], b[3])
		out[c], out[4+c] = shuffle(0x88, s0, s1), shuffle(0xdd, s0, s1)
		out[8+c], out[12+c] = shuffle(0x88, s2, s3), shuffle(0xdd, s2, s3)
	}
	return out
}

// attnKeys returns the kernel that brings the keys of a head into panels.
func attnKeys(p AttentionParams, isa ISA) Kernel {
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_keys_%d_ldk%d_%s", p.DP, p.LDK, isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: append(params("b k zero", F32), params("n", Int)...),
		Doc: fmt.Sprintf("transposes k[n, %d], rows %d floats apart, into panels b[n/16][%d][16], n rounded\nup; rows from n on are copies of zero[%d].",
			p.DP, p.LDK, p.DP, p.DP),
		err:  p.Check(),
		emit: func(a *asm) { emitAttnKeys(a, p) },
	}
}

func emitAttnKeys(a *asm, p AttentionParams) {
	b, k, zero, n := a.arg("b"), a.arg("k"), a.arg("zero"), a.arg("n")
	lanes := a.ISA.Lanes()
	col, row := a.GP64(), a.GP64()
	top, cols := a.label("panel"), a.label("columns")
	a.Label(top)
	a.XORQ(col, col)
	a.Label(cols)
	for part := range PanelWidth / lanes {
		var rows []reg.VecVirtual
		for r := part * lanes; r < (part+1)*lanes; r++ {
			a.LEAQ(at(k, r*p.LDK*4), row)
			a.CMPQ(n, imm(r))
			a.CMOVQLE(zero, row)
			x := a.vec()
			a.VMOVUPS(operand.Mem{Base: row, Index: col, Scale: 1}, x)
			a.PREFETCHT0(operand.Mem{Base: row, Index: col, Scale: 1, Disp: PanelWidth * p.LDK * 4})
			rows = append(rows, x)
		}
		for i, x := range a.transpose(rows) {
			a.VMOVUPS(x, at(b, i*PanelWidth*4+part*a.ISA.VectorBytes))
		}
	}
	a.ADDQ(imm(lanes*PanelWidth*4), b)
	a.ADDQ(imm(a.ISA.VectorBytes), col)
	a.CMPQ(col, imm(p.DP*4))
	a.JLT(operand.LabelRef(cols))
	a.ADDQ(imm(PanelWidth*p.LDK*4), k)
	a.SUBQ(imm(PanelWidth), n)
	a.JG(operand.LabelRef(top))
	a.ret()
}

// attnAhead is the distance in rows at which values are prefetched. The rows lie in different pages, so the hardware does not prefetch them.
const attnAhead = 8

// attnValues returns the kernel that copies the values of a head so that their rows are adjacent.
func attnValues(p AttentionParams, isa ISA) Kernel {
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_values_%d_ldv%d_%s", p.DP, p.LDK, isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: append(params("b v", F32), params("n", Int)...),
		Doc:    fmt.Sprintf("copies v[n, %d], rows %d floats apart, to b[n, %d], rows side by side.", p.DP, p.LDK, p.DP),
		err:    p.Check(),
		emit: func(a *asm) {
			b, v, n := a.arg("b"), a.arg("v"), a.arg("n")
			top := a.label("row")
			a.Label(top)
			for i := 0; i < p.DP*4; i += 64 {
				a.PREFETCHT0(at(v, i+attnAhead*p.LDK*4))
			}
			for i := 0; i < p.DP*4; i += a.ISA.VectorBytes {
				x := a.vec()
				a.VMOVUPS(at(v, i), x)
				a.VMOVUPS(x, at(b, i))
			}
			a.ADDQ(imm(p.LDK*4), v)
			a.ADDQ(imm(p.DP*4), b)
			a.DECQ(n)
			a.JNZ(operand.LabelRef(top))
			a.ret()
		},
	}
}
