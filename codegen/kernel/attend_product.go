package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// attendTimes returns the kernel that adds a product of pairs and rows: of gradients of scores and keys, or of gradients of products with a relative table and
// the table's rows.
func attendTimes(p AttentionParams, isa ISA, lda int) Kernel {
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_times_%d_lda%d_%s", p.DP, lda, isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: append(params("c a b", F32), params("m n", Int)...),
		Doc: fmt.Sprintf("adds a[m, n]·b[n, %d] to c[m, %d]. Rows of a are %d floats apart, of b and c\n%d.",
			p.DP, p.DP, lda, p.DP),
		err:  p.Check(),
		emit: func(a *asm) { emitAttendTimes(a, p.DP, lda) },
	}
}

func emitAttendTimes(a *asm, dp, lda int) {
	parts := PanelWidth / a.ISA.Lanes()
	col := a.GP64() // first column of the tile, in bytes
	a.XORQ(col, col)
	for width := a.ISA.TilePanels; width >= 1; width-- {
		groups := dp / PanelWidth / width
		if width < a.ISA.TilePanels {
			groups = dp / PanelWidth % a.ISA.TilePanels
		}
		if groups == 0 {
			continue
		}
		end := (dp/PanelWidth - dp/PanelWidth%a.ISA.TilePanels) * PanelWidth * 4
		if width < a.ISA.TilePanels {
			end = dp * 4
		}
		group := a.label("group")
		a.Label(group)
		out, left, rows := a.arg("c"), a.arg("a"), a.arg("m")
		a.ADDQ(col, out)
		tile := &attnTile{a, a.ISA.TileRows, width * parts, lda * 4, false}
		strip, start, sums, store := a.label("strip"), a.label("start"), a.label("sums"), a.label("store")
		a.Label(strip)
		height, x, w, turns := a.GP64(), a.GP64(), a.GP64(), a.GP64()
		a.attnHeight(rows, height)
		a.attnEnter(height, start)
		tile.each(start, func(acc []reg.Register, _ int) {
			for v, x := range acc {
				a.VMOVUPS(at(out, v*a.ISA.VectorBytes), x)
			}
			a.ADDQ(imm(dp*4), out)
		})
		a.Load(a.Param("b"), w)
		a.Load(a.Param("n"), turns)
		a.ADDQ(col, w)
		a.MOVQ(left, x)
		a.attnEnter(height, sums)
		for h := 1; h <= a.ISA.TileRows; h++ {
			a.Label(fmt.Sprintf("%s_%d", sums, h))
			tile.height(h).sums(dp, x, w, turns)
			a.JMP(operand.LabelRef(fmt.Sprintf("%s_%d", store, h)))
		}
		tile.each(store, func(acc []reg.Register, h int) {
			for v, x := range acc {
				a.VMOVUPS(x, at(out, -h*dp*4+v*a.ISA.VectorBytes))
			}
		})
		a.SUBQ(height, rows)
		a.IMUL3Q(imm(lda*4), height, height)
		a.ADDQ(height, left)
		a.TESTQ(rows, rows)
		a.JNZ(operand.LabelRef(strip))
		a.ADDQ(imm(width*PanelWidth*4), col)
		a.CMPQ(col, imm(end))
		a.JLT(operand.LabelRef(group))
	}
	a.ret()
}

// sums emits the sums of one tile: the products of the elements at x with the rows at w. The loops are not aligned: with this many loops and jumps between
// them, the assembler of Go 1.26 finds no addresses that fit every alignment, and never ends.
func (t *attnTile) sums(dp int, x, w, remain reg.GPVirtual) {
	turn := t.label("turn")
	t.Label(turn)
	t.step(x, 0, func(v int) operand.Mem { return at(w, v*t.ISA.VectorBytes) })
	t.ADDQ(imm(4), x)
	t.ADDQ(imm(dp*4), w)
	t.DECQ(remain)
	t.JNZ(operand.LabelRef(turn))
}

// attendRows returns the kernel that moves rows of a head and multiplies them by a factor.
func attendRows(p AttentionParams, isa ISA) Kernel {
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_rows_%d_%s", p.DP, isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: append(params("b a factor", F32), params("n ldb lda", Int)...),
		Doc:    fmt.Sprintf("sets b[n, %d] to a·factor[0]. Rows of b are ldb floats apart, of a lda.", p.DP),
		err:    p.Check(),
		emit: func(a *asm) {
			b, from, n, ldb, lda := a.arg("b"), a.arg("a"), a.arg("n"), a.arg("ldb"), a.arg("lda")
			factor := a.vec()
			a.VBROADCASTSS(at(a.arg("factor"), 0), factor)
			a.SHLQ(operand.U8(2), ldb)
			a.SHLQ(operand.U8(2), lda)
			ahead, top := a.GP64(), a.label("row")
			a.MOVQ(lda, ahead)
			a.SHLQ(operand.U8(3), ahead)
			a.Label(top)
			for i := 0; i < p.DP*4; i += 64 {
				a.PREFETCHT0(operand.Mem{Base: from, Index: ahead, Scale: 1, Disp: i})
			}
			for i := 0; i < p.DP*4; i += a.ISA.VectorBytes {
				x := a.vec()
				a.VMULPS(at(from, i), factor, x)
				a.VMOVUPS(x, at(b, i))
			}
			a.ADDQ(lda, from)
			a.ADDQ(ldb, b)
			a.DECQ(n)
			a.JNZ(operand.LabelRef(top))
			a.ret()
		},
	}
}
