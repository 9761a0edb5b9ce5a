package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/debertac/debertac/runtime/attention"
)

// attnTile is a tile of a product: rows × vecs accumulators. The left operand is read element by element from rows that are lda bytes apart; with pairs, an
// element is a pair of bfloat16. Vector registers are assigned by hand: the tile needs nearly all of them, and avo's allocator takes seconds for that number.
type attnTile struct {
	*asm
	rows, vecs, lda int
	pairs           bool
}

// height returns the tile with another number of rows.
func (t *attnTile) height(rows int) *attnTile {
	other := *t
	other.rows = rows
	return &other
}

// attnOdd is the register that picks the upper halves of pairs, for AVX-512 without BF16.
var attnOdd = reg.K7

// attnPairs sets the registers that products of pairs need.
func (a *asm) attnPairs(pairs bool) {
	if pairs && a.ISA.Wide() && !a.ISA.BF16() {
		a.oddMask(attnOdd)
	}
}

// acc returns the accumulator of a row and vector. The last row of every tile is in the same registers, so one copy of the code around the sums serves all
// heights. right returns the register of a vector of the right operand, left the one with an element of a row in every lane.
func (t *attnTile) acc(row, vec int) reg.Register {
	return t.vector((t.ISA.TileRows-t.rows+row)*t.vecs + vec)
}
func (t *attnTile) right(vec int) reg.Register { return t.vector(t.ISA.Vectors - 4 + vec) }
func (t *attnTile) left(row int) reg.Register  { return t.vector(t.ISA.Vectors - 2 + row%2) }

// clear sets the accumulators of the highest tile to zero.
func (t *attnTile) clear() {
	for i := range t.ISA.TileRows * t.vecs {
		t.zero(t.vector(i))
	}
}

// each emits code for the rows of the highest tile. Every row has a label: a lower tile enters at its first row. body gets the row's accumulators, and
// the number of rows from this one to the last.
func (t *attnTile) each(stem string, body func(acc []reg.Register, left int)) {
	for h := t.ISA.TileRows; h > 0; h-- {
		t.Label(fmt.Sprintf("%s_%d", stem, h))
		row := t.height(h)
		var acc []reg.Register
		for v := range t.vecs {
			acc = append(acc, row.acc(0, v))
		}
		body(acc, h)
	}
}

// step adds the products of one element of every left row, at left + disp, with the vectors whose addresses right returns.
func (t *attnTile) step(left reg.Register, disp int, right func(vec int) operand.Mem) {
	products := func(load, broadcast func(m operand.Mem, dst reg.Register)) {
		for v := range t.vecs {
			load(right(v), t.right(v))
		}
		for r := range t.rows {
			broadcast(at(left, r*t.lda+disp), t.left(r))
			for v := range t.vecs {
				if t.pairs && t.ISA.BF16() {
					t.encoded("VDPBF16PS", t.right(v), t.left(r), t.acc(r, v))
				} else {
					t.VFMADD231PS(t.right(v), t.left(r), t.acc(r, v))
				}
			}
		}
	}
	if !t.pairs || t.ISA.BF16() {
		products(func(m operand.Mem, dst reg.Register) { t.VMOVUPS(m, dst) }, func(m operand.Mem, dst reg.Register) { t.VBROADCASTSS(m, dst) })
		return
	}
	for _, upper := range []bool{false, true} {
		products(func(m operand.Mem, dst reg.Register) { t.widen(upper, m, attnOdd, dst) },
			func(m operand.Mem, dst reg.Register) { t.widenOne(upper, m, attnOdd, dst) })
	}
}

// attnHeight sets h to the height of the next tile; rows holds the number of rows that remain. If more than one tile but less than two remain, they are halved.
func (a *asm) attnHeight(rows, h reg.GPVirtual) {
	top := a.ISA.TileRows
	done := a.label("height")
	a.MOVQ(imm(top), h)
	a.CMPQ(rows, imm(2*top))
	a.JGE(operand.LabelRef(done))
	a.MOVQ(rows, h)
	a.CMPQ(rows, imm(top))
	a.JLE(operand.LabelRef(done))
	a.INCQ(h)
	a.SHRQ(operand.U8(1), h)
	a.Label(done)
}

// attnEnter jumps to the code for tiles of h rows.
func (a *asm) attnEnter(h reg.GPVirtual, stem string) {
	for i := a.ISA.TileRows; i > 1; i-- {
		a.CMPQ(h, imm(i))
		a.JEQ(operand.LabelRef(fmt.Sprintf("%s_%d", stem, i)))
	}
	a.JMP(operand.LabelRef(stem + "_1"))
}

// attnPairProduct returns the kernel that does the same as that of attnProduct for pairs of bfloat16.
func attnPairProduct(p AttentionParams, isa ISA) Kernel {
	list := append(append(params("c", F32), params("a b", I32)...), params("m panels ldc", Int)...)
	return Kernel{
		Name:   fmt.Sprintf("pair_attn_bf16_product_%d_%s", p.DP, isa.Name),
		Family: pairAttn,
		ISA:    isa,
		Params: list,
		Doc: fmt.Sprintf("computes c[m, 16·panels] = a[m, %d]·bᵀ.\nb: panels [panels][%d][16] of pairs of bfloat16; rows of a are %d pairs apart, of c ldc.",
			p.DP, p.DP/2, p.LDP()),
		err:  p.Check(),
		emit: func(a *asm) { emitAttnProduct(a, p.DP/2, p.LDP(), true) },
	}
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
		emit: func(a *asm) { emitAttnProduct(a, p.DP, lda, false) },
	}
}

// emitAttnProduct emits a product of rows with terms numbers, or pairs, which are lda of them apart.
func emitAttnProduct(a *asm, terms, lda int, pairs bool) {
	a.attnPairs(pairs)
	c, b, panels := a.arg("c"), a.arg("b"), a.arg("panels")
	ldc := a.arg("ldc")
	a.SHLQ(operand.U8(2), ldc)
	panel := terms * PanelWidth * 4
	parts := PanelWidth / a.ISA.Lanes() // vectors in a row of a panel
	for width := a.ISA.TilePanels; width >= 1; width-- {
		top, end := a.label("panels"), a.label("end")
		a.Label(top)
		a.CMPQ(panels, imm(width))
		a.JLT(operand.LabelRef(end))
		out, left, rows := a.GP64(), a.arg("a"), a.arg("m")
		a.MOVQ(c, out)
		tile := &attnTile{a, a.ISA.TileRows, width * parts, lda * 4, pairs}
		strip, sums, store := a.label("strip"), a.label("sums"), a.label("store")
		a.Label(strip)
		height, x, w := a.GP64(), a.GP64(), a.GP64()
		a.attnHeight(rows, height)
		tile.clear()
		a.MOVQ(left, x)
		a.MOVQ(b, w)
		a.attnEnter(height, sums)
		for h := 1; h <= a.ISA.TileRows; h++ {
			t := tile.height(h)
			unroll := a.ISA.unroll(h * t.vecs)
			a.Label(fmt.Sprintf("%s_%d", sums, h))
			turns, turn := a.GP64(), a.label("turn")
			a.MOVQ(imm(terms/unroll), turns)
			a.align(32)
			a.Label(turn)
			for u := range unroll {
				t.step(x, u*4, func(v int) operand.Mem {
					return at(w, v/parts*panel+u*PanelWidth*4+v%parts*a.ISA.VectorBytes)
				})
			}
			a.ADDQ(imm(unroll*4), x)
			a.ADDQ(imm(unroll*PanelWidth*4), w)
			a.DECQ(turns)
			a.JNZ(operand.LabelRef(turn))
			a.JMP(operand.LabelRef(fmt.Sprintf("%s_%d", store, h)))
		}
		tile.each(store, func(acc []reg.Register, _ int) {
			for v, x := range acc {
				a.VMOVUPS(x, at(out, v*a.ISA.VectorBytes))
			}
			a.ADDQ(ldc, out)
		})
		a.SUBQ(height, rows)
		a.IMUL3Q(imm(lda*4), height, height)
		a.ADDQ(height, left)
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

// attnPairWeigh returns the kernel that does the same as that of attnWeigh for pairs of bfloat16.
func attnPairWeigh(p AttentionParams, isa ISA) Kernel {
	list := append(append(params("o sum", F32), params("p v", I32)...), append(params("scale factor", F32), params("m n ldo", Int)...)...)
	return Kernel{
		Name:   fmt.Sprintf("pair_attn_bf16_weigh_%d_%s", p.DP, isa.Name),
		Family: pairAttn,
		ISA:    isa,
		Params: list,
		Doc: fmt.Sprintf("computes o[m, %d] = (sum·scale[m] + p[m, 2n]·v[2n, %d])·factor[m]; without\n"+
			"sum (nil), it starts at 0. p holds pairs of bfloat16 in rows %d pairs apart, v pairs of\nrows; rows of sum and v are %d apart, of o ldo.",
			p.DP, p.DP, attention.LDProbs, p.DP),
		err:  p.Check(),
		emit: func(a *asm) { emitAttnWeigh(a, p, attention.LDProbs, true) },
	}
}

// attnWeigh returns the kernel that sums values weighted by probabilities.
func attnWeigh(p AttentionParams, isa ISA) Kernel {
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_weigh_%d_%s", p.DP, isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: append(params("o sum p v scale factor", F32), params("m n ldo", Int)...),
		Doc: fmt.Sprintf("computes o[m, %d] = (sum·scale[m] + p[m, n]·v[n, %d])·factor[m]; without\n"+
			"sum (nil), it starts at 0. Rows of sum and v are %d floats apart, of p %d, of o ldo.",
			p.DP, p.DP, p.DP, attention.LDS),
		err:  p.Check(),
		emit: func(a *asm) { emitAttnWeigh(a, p, attention.LDS, false) },
	}
}

// weigh emits the sums of one tile: for each of the rows of values that remain, the products with the elements at x.
func (t *attnTile) weigh(p AttentionParams, x, w, remain reg.GPVirtual) {
	unroll := t.ISA.unroll(t.rows * t.vecs)
	step := func(unroll int) {
		for u := range unroll {
			t.step(x, u*4, func(v int) operand.Mem { return at(w, u*p.DP*4+v*t.ISA.VectorBytes) })
		}
		t.ADDQ(imm(unroll*4), x)
		t.ADDQ(imm(unroll*p.DP*4), w)
	}
	turn, rest, single, finish := t.label("turn"), t.label("rest"), t.label("single"), t.label("finish")
	if unroll > 1 {
		t.SUBQ(imm(unroll), remain)
		t.JLT(operand.LabelRef(rest))
		t.align(32)
		t.Label(turn)
		step(unroll)
		t.SUBQ(imm(unroll), remain)
		t.JGE(operand.LabelRef(turn))
		t.Label(rest)
		t.ADDQ(imm(unroll), remain)
	} else {
		t.TESTQ(remain, remain)
	}
	t.JZ(operand.LabelRef(finish))
	if unroll == 1 {
		t.align(32)
	}
	t.Label(single)
	step(1)
	t.DECQ(remain)
	t.JNZ(operand.LabelRef(single))
	t.Label(finish)
}

// emitAttnWeigh emits sums weighted by probabilities, or pairs of them, in rows that are ldp of them apart.
func emitAttnWeigh(a *asm, p AttentionParams, ldp int, pairs bool) {
	a.attnPairs(pairs)
	parts := PanelWidth / a.ISA.Lanes()
	col := a.GP64() // first column of the tile, in bytes
	a.XORQ(col, col)
	ldo := a.arg("ldo")
	a.SHLQ(operand.U8(2), ldo)
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
		tile := &attnTile{a, a.ISA.TileRows, width * parts, ldp * 4, pairs}
		strip, start, fresh, begin := a.label("strip"), a.label("start"), a.label("fresh"), a.label("begin")
		a.Label(strip)
		height, x, w, turns := a.GP64(), a.GP64(), a.GP64(), a.GP64()
		a.attnHeight(rows, height)
		a.LEAQ(operand.Mem{Base: scale, Index: height, Scale: 4}, scale)
		a.LEAQ(operand.Mem{Base: factor, Index: height, Scale: 4}, factor)
		a.TESTQ(sum, sum)
		a.JZ(operand.LabelRef(fresh))
		a.IMUL3Q(imm(p.DP*4), height, x)
		a.ADDQ(x, sum)
		a.attnEnter(height, start)
		tile.each(start, func(acc []reg.Register, h int) {
			a.VBROADCASTSS(at(scale, -h*4), tile.left(0))
			for v, x := range acc {
				a.VMULPS(operand.Mem{Base: sum, Index: col, Scale: 1, Disp: -h*p.DP*4 + v*a.ISA.VectorBytes}, tile.left(0), x)
			}
		})
		a.JMP(operand.LabelRef(begin))
		a.Label(fresh)
		tile.clear()
		a.Label(begin)
		a.Load(a.Param("v"), w)
		a.Load(a.Param("n"), turns)
		a.ADDQ(col, w)
		a.MOVQ(left, x)
		sums, store := a.label("sums"), a.label("store")
		a.attnEnter(height, sums)
		for h := 1; h <= a.ISA.TileRows; h++ {
			a.Label(fmt.Sprintf("%s_%d", sums, h))
			tile.height(h).weigh(p, x, w, turns)
			a.JMP(operand.LabelRef(fmt.Sprintf("%s_%d", store, h)))
		}
		tile.each(store, func(acc []reg.Register, h int) {
			a.VBROADCASTSS(at(factor, -h*4), tile.left(0))
			for v, x := range acc {
				a.VMULPS(tile.left(0), x, x)
				a.VMOVUPS(x, at(out, v*a.ISA.VectorBytes))
			}
			a.ADDQ(ldo, out)
		})
		a.SUBQ(height, rows)
		a.IMUL3Q(imm(ldp*4), height, height)
		a.ADDQ(height, left)
		a.TESTQ(rows, rows)
		a.JNZ(operand.LabelRef(strip))
		a.ADDQ(imm(width*PanelWidth*4), col)
		a.CMPQ(col, imm(end))
		a.JLT(operand.LabelRef(group))
	}
	a.ret()
}
