package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/debertac/debertac/runtime/attention"
)

// attnTile is a tile of a product: rows × vecs accumulators. The left operand is read element by element from rows that are lda bytes apart. Vector registers
// are assigned by hand: the tile needs nearly all of them, and avo's allocator takes seconds for that number.
type attnTile struct {
	*asm
	rows, vecs, lda int
}

// register returns vector register i of full width.
func (t *attnTile) register(i int) reg.Register {
	if t.ISA.Wide() {
		return reg.LookupPhysical(reg.KindVector, reg.Index(i), reg.S512)
	}
	return reg.LookupPhysical(reg.KindVector, reg.Index(i), reg.S256)
}

// acc returns the accumulator of a row and vector. right returns the register of a vector of the right operand, left the one with an element of a row in every
// lane.
func (t *attnTile) acc(row, vec int) reg.Register { return t.register(row*t.vecs + vec) }
func (t *attnTile) right(vec int) reg.Register    { return t.register(t.ISA.Vectors - 4 + vec) }
func (t *attnTile) left(row int) reg.Register     { return t.register(t.ISA.Vectors - 2 + row%2) }

// clear sets the accumulators to zero.
func (t *attnTile) clear() {
	for i := range t.rows * t.vecs {
		t.zero(t.register(i))
	}
}

// step adds the products of one element of every left row, at left + disp, with the vectors whose addresses right returns.
func (t *attnTile) step(left reg.Register, disp int, right func(vec int) operand.Mem) {
	for v := range t.vecs {
		t.VMOVUPS(right(v), t.right(v))
	}
	for r := range t.rows {
		t.VBROADCASTSS(at(left, r*t.lda+disp), t.left(r))
		for v := range t.vecs {
			t.VFMADD231PS(t.right(v), t.left(r), t.acc(r, v))
		}
	}
}

// attnHeights emits a dispatch on the height of the next tile. There is code for every height up to the instruction set's largest; rows holds the number of
// rows that remain. If more than one tile but less than two remain, they are halved. body emits a tile of h rows; control then goes to next.
func (a *asm) attnHeights(rows reg.GPVirtual, next string, body func(h int)) {
	top := a.ISA.TileRows
	h := a.GP64()
	tag := a.label("heights")
	a.MOVQ(imm(top), h)
	a.CMPQ(rows, imm(2*top))
	a.JGE(operand.LabelRef(fmt.Sprintf("%s_%d", tag, top)))
	a.MOVQ(rows, h)
	a.CMPQ(rows, imm(top))
	a.JLE(operand.LabelRef(tag))
	a.INCQ(h)
	a.SHRQ(operand.U8(1), h)
	a.Label(tag)
	for i := top; i > 1; i-- {
		a.CMPQ(h, imm(i))
		a.JEQ(operand.LabelRef(fmt.Sprintf("%s_%d", tag, i)))
	}
	for i := 1; i <= top; i++ {
		a.Label(fmt.Sprintf("%s_%d", tag, i))
		body(i)
		a.SUBQ(imm(i), rows)
		if i < top {
			a.JMP(operand.LabelRef(next))
		}
	}
	a.Label(next)
}

// attnProduct returns the kernel that multiplies rows of queries or keys with panels, which hold keys or a relative table.
func attnProduct(p AttentionParams, isa ISA, lda int) Kernel {
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_product_%d_lda%d_%s", p.DP, lda, isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: append(params("c a b", F32), params("m panels ldc", Int)...),
		Doc: fmt.Sprintf("computes c[m, 16·panels] = a[m, %d]·bᵀ.\nb: panels [panels][%d][16]; rows of a are %d floats apart, of c ldc.",
			p.DP, p.DP, lda),
		err:  p.Check(),
		emit: func(a *asm) { emitAttnProduct(a, p, lda) },
	}
}

func emitAttnProduct(a *asm, p AttentionParams, lda int) {
	c, b, panels := a.arg("c"), a.arg("b"), a.arg("panels")
	ldc := a.arg("ldc")
	a.SHLQ(operand.U8(2), ldc)
	panel := p.DP * PanelWidth * 4
	parts := PanelWidth / a.ISA.Lanes() // vectors in a row of a panel
	for width := a.ISA.TilePanels; width >= 1; width-- {
		top, end := a.label("panels"), a.label("end")
		a.Label(top)
		a.CMPQ(panels, imm(width))
		a.JLT(operand.LabelRef(end))
		out, left, rows := a.GP64(), a.arg("a"), a.arg("m")
		a.MOVQ(c, out)
		strip, next := a.label("strip"), a.label("next")
		a.Label(strip)
		a.attnHeights(rows, next, func(h int) {
			t := &attnTile{a, h, width * parts, lda * 4}
			t.clear()
			x, w, turns := a.GP64(), a.GP64(), a.GP64()
			a.MOVQ(left, x)
			a.MOVQ(b, w)
			a.MOVQ(imm(p.DP/a.ISA.UnrollK), turns)
			turn := a.label("turn")
			a.align(32)
			a.Label(turn)
			for u := range a.ISA.UnrollK {
				t.step(x, u*4, func(v int) operand.Mem {
					return at(w, v/parts*panel+u*PanelWidth*4+v%parts*a.ISA.VectorBytes)
				})
			}
			a.ADDQ(imm(a.ISA.UnrollK*4), x)
			a.ADDQ(imm(a.ISA.UnrollK*PanelWidth*4), w)
			a.DECQ(turns)
			a.JNZ(operand.LabelRef(turn))
			for r := range h {
				for v := range t.vecs {
					a.VMOVUPS(t.acc(r, v), at(out, v*a.ISA.VectorBytes))
				}
				a.ADDQ(ldc, out)
			}
			a.ADDQ(imm(h*lda*4), left)
		})
		a.TESTQ(rows, rows)
		a.JNZ(operand.LabelRef(strip))
		a.ADDQ(imm(width*panel), b)
		a.ADDQ(imm(width*PanelWidth*4), c)
		a.SUBQ(imm(width), panels)
		a.JMP(operand.LabelRef(top))
		a.Label(end)
	}
	a.ret()
}

// attnWeigh returns the kernel that sums values weighted by probabilities.
func attnWeigh(p AttentionParams, isa ISA) Kernel {
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_weigh_%d_%s", p.DP, isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: append(params("o sum p v scale factor", F32), params("m n ldo", Int)...),
		Doc: fmt.Sprintf("computes o[m, %d] = (sum·scale[m] + p[m, n]·v[n, %d])·factor[m]; without\nsum (nil), it starts at 0. Rows of sum and v are %d floats apart, of p %d, of o ldo.",
			p.DP, p.DP, p.DP, attention.LDS),
		err:  p.Check(),
		emit: func(a *asm) { emitAttnWeigh(a, p) },
	}
}

func emitAttnWeigh(a *asm, p AttentionParams) {
	parts := PanelWidth / a.ISA.Lanes()
	col := a.GP64() // first column of the tile, in bytes
	a.XORQ(col, col)
	for width := a.ISA.TilePanels; width >= 1; width-- {
		groups := p.DP / PanelWidth / width
		if width < a.ISA.TilePanels {
			groups = p.DP / PanelWidth % a.ISA.TilePanels
		}
		if groups == 0 {
			continue
		}
		end := (p.DP/PanelWidth - p.DP/PanelWidth%a.ISA.TilePanels) * PanelWidth * 4
		if width < a.ISA.TilePanels {
			end = p.DP * 4
		}
		group := a.label("group")
		a.Label(group)
		out, sum, left := a.arg("o"), a.arg("sum"), a.arg("p")
		scale, factor, rows := a.arg("scale"), a.arg("factor"), a.arg("m")
		a.ADDQ(col, out)
		strip, next := a.label("strip"), a.label("next")
		a.Label(strip)
		a.attnHeights(rows, next, func(h int) {
			t := &attnTile{a, h, width * parts, attention.LDS * 4}
			fresh, begin := a.label("fresh"), a.label("begin")
			a.TESTQ(sum, sum)
			a.JZ(operand.LabelRef(fresh))
			for r := range h {
				a.VBROADCASTSS(at(scale, r*4), t.left(r))
				for v := range t.vecs {
					a.VMULPS(operand.Mem{Base: sum, Index: col, Scale: 1, Disp: r*p.DP*4 + v*a.ISA.VectorBytes}, t.left(r), t.acc(r, v))
				}
			}
			a.ADDQ(imm(h*p.DP*4), sum)
			a.JMP(operand.LabelRef(begin))
			a.Label(fresh)
			t.clear()
			a.Label(begin)
			x, w, turns := a.GP64(), a.arg("v"), a.arg("n")
			a.ADDQ(col, w)
			a.MOVQ(left, x)
			step := func(unroll int) {
				for u := range unroll {
					t.step(x, u*4, func(v int) operand.Mem { return at(w, u*p.DP*4+v*a.ISA.VectorBytes) })
				}
				a.ADDQ(imm(unroll*4), x)
				a.ADDQ(imm(unroll*p.DP*4), w)
			}
			turn, rest, single, finish := a.label("turn"), a.label("rest"), a.label("single"), a.label("finish")
			a.SUBQ(imm(a.ISA.UnrollK), turns)
			a.JLT(operand.LabelRef(rest))
			a.align(32)
			a.Label(turn)
			step(a.ISA.UnrollK)
			a.SUBQ(imm(a.ISA.UnrollK), turns)
			a.JGE(operand.LabelRef(turn))
			a.Label(rest)
			a.ADDQ(imm(a.ISA.UnrollK), turns)
			a.JZ(operand.LabelRef(finish))
			a.Label(single)
			step(1)
			a.DECQ(turns)
			a.JNZ(operand.LabelRef(single))
			a.Label(finish)
			ldo := a.arg("ldo")
			a.SHLQ(operand.U8(2), ldo)
			for r := range h {
				a.VBROADCASTSS(at(factor, r*4), t.left(r))
				for v := range t.vecs {
					a.VMULPS(t.left(r), t.acc(r, v), t.acc(r, v))
					a.VMOVUPS(t.acc(r, v), at(out, v*a.ISA.VectorBytes))
				}
				a.ADDQ(ldo, out)
			}
			a.ADDQ(imm(h*4), scale)
			a.ADDQ(imm(h*4), factor)
			a.ADDQ(imm(h*attention.LDS*4), left)
		})
		a.TESTQ(rows, rows)
		a.JNZ(operand.LabelRef(strip))
		a.ADDQ(imm(width*PanelWidth*4), col)
		a.CMPQ(col, imm(end))
		a.JLT(operand.LabelRef(group))
	}
	a.ret()
}
