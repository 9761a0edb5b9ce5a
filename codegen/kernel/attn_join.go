package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/debertac/debertac/runtime/attention"
)

// attnJoin returns the kernel that adds the relative terms to a strip of scores. Its name does not contain the signs: they only decide what the tables hold. It
// has the same parameters for every set of terms.
//
// For a fixed query, offsets fall as the key rises, and the rows of the table fall with them in steps of at most 1. So the products of a query with the rows
// that a vector of keys needs lie in one window as wide as the vector: one load and one permutation find them. The products of a key with the table are picked
// in the same way for a vector of queries; the square of results is then transposed in registers.
func attnJoin(p AttentionParams, isa ISA) Kernel {
	ps := append(params("s cp", F32), params("along first", I32)...)
	ps = append(append(ps, params("pc", F32)...), params("down least", I32)...)
	ps = append(append(ps, params("bias", F32)...), params("m n", Int)...)
	doc := "adds to scores s[m, n], or sets them if there are no products of contents:"
	if p.Terms.KeyPosition != attention.Absent {
		doc += "\ncp[i, along[j-i]]; first points at the entry of along with the least row of\nthe first vector of keys;"
	}
	if p.Terms.QueryPosition != attention.Absent {
		doc += "\npc[j, down[i-j]]; least is to down what first is to along, for queries;"
	}
	if p.Terms.Bias {
		doc += "\nbias[j-i];"
	}
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_join_%s_r%d_%s", termsName(p.Terms, false), p.R, isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: ps,
		Doc: doc + fmt.Sprintf("\nm and n are rounded up to %d. Rows of s are %d floats apart, of cp and pc %d.",
			isa.Lanes(), attention.LDS, p.LDR()),
		err:  p.Check(),
		emit: func(a *asm) { emitAttnJoin(a, p) },
	}
}

func emitAttnJoin(a *asm, p AttentionParams) {
	t := p.Terms
	lanes, ldr := a.ISA.Lanes(), p.LDR()*4
	s, rows, width := a.arg("s"), a.arg("m"), a.arg("n")
	a.SHLQ(operand.U8(2), width)
	var cp, along, first, bias, down, gap, row reg.GPVirtual
	if t.KeyPosition != attention.Absent {
		cp, along, first = a.arg("cp"), a.arg("along"), a.arg("first")
	}
	if t.Bias {
		bias = a.arg("bias")
	}
	if t.QueryPosition != attention.Absent {
		gap = a.arg("least")
		down = a.arg("down")
		a.SUBQ(down, gap)
		row = a.GP64()
		a.XORQ(row, row)
	}
	pc, col := a.GP64(), a.GP64()
	strip, block := a.label("rows"), a.label("columns")
	a.Label(strip)
	a.XORQ(col, col)
	here := reg.GPVirtual(nil)
	if t.QueryPosition != attention.Absent {
		a.Load(a.Param("pc"), pc)
		here = a.GP64()
		a.LEAQ(operand.Mem{Base: down, Index: row, Scale: 1}, here)
	}
	a.Label(block)
	var turned []reg.VecVirtual
	if t.QueryPosition != attention.Absent {
		least := a.GP64()
		a.LEAQ(operand.Mem{Base: here, Index: gap, Scale: 1}, least)
		var picked []reg.VecVirtual
		for j := range lanes {
			picked = append(picked, a.attnWindow(at(here, -4*j), at(least, -4*j), pc, j*ldr))
		}
		turned = a.transpose(picked)
	}
	a.joinScores(p, joinBlock{s, col, cp, along, first, bias}, turned)
	if t.QueryPosition != attention.Absent {
		a.ADDQ(imm(lanes*ldr), pc)
		a.SUBQ(imm(lanes*4), here)
	}
	a.ADDQ(imm(lanes*4), col)
	a.CMPQ(col, width)
	a.JLT(operand.LabelRef(block))
	a.ADDQ(imm(lanes*attention.LDS*4), s)
	if t.KeyPosition != attention.Absent {
		a.ADDQ(imm(lanes*ldr), cp)
		a.SUBQ(imm(lanes*4), along)
		a.SUBQ(imm(lanes*4), first)
	}
	if t.QueryPosition != attention.Absent {
		a.ADDQ(imm(lanes*4), row)
	}
	if t.Bias {
		a.SUBQ(imm(lanes*4), bias)
	}
	a.SUBQ(imm(lanes), rows)
	a.JG(operand.LabelRef(strip))
	a.ret()
}

// joinBlock holds where a block of lanes × lanes scores and its terms lie.
type joinBlock struct{ s, col, cp, along, first, bias reg.GPVirtual }

// joinScores adds the terms of a block to its scores. turned holds the terms that depend on the query's position, a register per row.
func (a *asm) joinScores(p AttentionParams, at joinBlock, turned []reg.VecVirtual) {
	t, lanes := p.Terms, a.ISA.Lanes()
	for i := range lanes {
		score := operand.Mem{Base: at.s, Index: at.col, Scale: 1, Disp: i * attention.LDS * 4}
		var sum reg.VecVirtual
		add := func(x operand.Op) {
			switch {
			case sum == nil && t.Content:
				sum = a.vec()
				a.VMOVUPS(score, sum)
				a.VADDPS(x, sum, sum)
			case sum == nil:
				sum = a.vec()
				a.VMOVUPS(x, sum)
			default:
				a.VADDPS(x, sum, sum)
			}
		}
		if t.KeyPosition != attention.Absent {
			add(a.attnWindow(operand.Mem{Base: at.along, Index: at.col, Scale: 1, Disp: -4 * i},
				operand.Mem{Base: at.first, Index: at.col, Scale: 1, Disp: -4 * i}, at.cp, i*p.LDR()*4))
		}
		if t.QueryPosition != attention.Absent {
			add(turned[i])
		}
		if t.Bias {
			add(operand.Mem{Base: at.bias, Index: at.col, Scale: 1, Disp: -4 * i})
		}
		a.VMOVUPS(sum, score)
	}
}

// attnWindow picks one element for each lane: element index[lane] of the row at base + disp. least is the address of the smallest of the lanes' indices; every
// index is less than the vector's width above it.
func (a *asm) attnWindow(index, least operand.Mem, base reg.GPVirtual, disp int) reg.VecVirtual {
	start, lane, x := a.GP64(), a.vec(), a.vec()
	a.MOVLQSX(least, start)
	if a.ISA.Wide() {
		a.VMOVDQU32(index, lane)
		a.VPSUBD_BCST(least, lane, lane)
	} else {
		a.VPBROADCASTD(least, x)
		a.VMOVDQU(index, lane)
		a.VPSUBD(x, lane, lane)
	}
	a.VPERMPS(operand.Mem{Base: base, Index: start, Scale: 4, Disp: disp}, lane, x)
	return x
}
