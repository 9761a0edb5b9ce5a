package kernel

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// PairOf is the layout that a kernel of [Pairs] writes.
type PairOf string

// The layouts.
const (
	PairColumns PairOf = "columns" // pairs of neighbouring numbers of a row
	PairRows    PairOf = "rows"    // pairs of numbers below each other
	PairPanel   PairOf = "panel"   // pairs of neighbouring numbers of a row, and rows side by side: a panel
)

// PairsName returns the name of the kernel that [Pairs] makes for an instruction set.
func PairsName(of PairOf, isa string) string { return "pairs_bf16_" + string(of) + "_" + isa }

// Pairs returns the kernel that rounds a part of a matrix x [rows, cols] to bfloat16, to nearest and ties to even, and brings it into pairs. The rows of x are
// ldx floats apart, those of p ldp pairs. With (a | b) for the pair of a, in the lower half, and b:
//
//	columns: p[r][c] = (x[r, 2c] | x[r, 2c+1])    0 ≤ r < rows, 0 ≤ 2c < cols     func(p *int32, x *float32, rows, cols, ldp, ldx int)
//	rows:    p[r][c] = (x[2r, c] | x[2r+1, c])    0 ≤ 2r < rows, 0 ≤ c < cols     func(p *int32, x *float32, rows, cols, ldp, ldx int)
//	panel:   p[c][r] = (x[r, 2c] | x[r, 2c+1])    0 ≤ 2c < cols, 0 ≤ r < 16       func(p *int32, x *float32, rows, cols, ldx int)
//
// Rows from rows on, of which a panel has at most 16, and columns from cols on count as 0, and their memory is not read. All counts are at least 1. The kernels
// write rows of p in steps of 16 pairs, with zeros after the last one.
func Pairs(of PairOf, isa ISA) Kernel {
	list := "rows cols ldp ldx"
	doc := "rounds x[rows, cols] to bfloat16: p[r][c] is the pair of x[r, 2c] and x[r, 2c+1]"
	emit := (*pairs).columns
	switch of {
	case PairRows:
		doc, emit = "rounds x[rows, cols] to bfloat16: p[r][c] is the pair of x[2r, c] and x[2r+1, c]", (*pairs).rows
	case PairPanel:
		list = "rows cols ldx"
		doc, emit = "rounds x[rows ≤ 16, cols] to bfloat16: the panel's p[c][r] is the pair of x[r, 2c] and x[r, 2c+1]", (*pairs).panel
	}
	return Kernel{
		Name:   PairsName(of, isa.Name),
		Family: "pairs",
		ISA:    isa,
		Params: append(append(params("p", I32), params("x", F32)...), params(list, Int)...),
		Doc:    doc + ".\nThe rows of x are ldx floats apart.",
		emit: func(a *asm) {
			g := &pairs{asm: a, p: a.arg("p"), x: a.arg("x"), m: a.arg("rows"), n: a.arg("cols"), ldx: a.arg("ldx")}
			a.SHLQ(operand.U8(2), g.ldx)
			if of != PairPanel {
				g.ldp = a.arg("ldp")
				a.SHLQ(operand.U8(2), g.ldp)
			}
			emit(g)
			a.ret()
		},
	}
}

// pairs is a kernel while it is written.
type pairs struct {
	*asm
	p, x, m, n, ldp, ldx reg.GPVirtual
	odd, order           reg.Register
}

// tailMasks returns the masks of the columns after the last whole turn of width columns, one for each vector.
func (g *pairs) tailMasks(width int) (masks []reg.Register) {
	lanes := g.ISA.Lanes()
	for first := 0; first < width; first += lanes {
		count, zero, most := g.GP64(), g.GP64(), g.GP64()
		g.MOVQ(imm(lanes), most)
		g.XORQ(zero, zero)
		g.MOVQ(g.n, count)
		g.ANDQ(imm(width-1), count)
		g.SUBQ(imm(first), count)
		g.CMOVQLT(zero, count)
		g.CMPQ(count, most)
		g.CMOVQGT(most, count)
		masks = append(masks, g.lanesMask(count))
	}
	return masks
}

// load reads a vector of x; a mask picks lanes, and the others become 0.
func (g *pairs) load(m operand.Mem, mask reg.Register) reg.VecVirtual {
	v := g.vec()
	if mask != nil {
		g.masked(m, mask, v)
	} else {
		g.VMOVUPS(m, v)
	}
	return v
}

// turns emits a loop over the columns of a row, whose vectors body reads from the address in from and writes to the address in to: turns of width columns, then
// the rest, for which body gets masks.
func (g *pairs) turns(width int, masks []reg.Register, from, to reg.GPVirtual, pairsPerTurn int, body func(masks []reg.Register)) {
	left := g.GP64()
	top, tail, end := g.label("turn"), g.label("tail"), g.label("end")
	g.MOVQ(g.n, left)
	g.Label(top)
	g.CMPQ(left, imm(width))
	g.JLT(operand.LabelRef(tail))
	body(make([]reg.Register, len(masks)))
	g.ADDQ(imm(width*4), from)
	g.ADDQ(imm(pairsPerTurn*4), to)
	g.SUBQ(imm(width), left)
	g.JMP(operand.LabelRef(top))
	g.Label(tail)
	g.TESTQ(left, left)
	g.JZ(operand.LabelRef(end))
	body(masks)
	g.Label(end)
}

// columns emits pairs of neighbouring numbers.
func (g *pairs) columns() {
	const width = 2 * PanelWidth
	g.order = g.columnOrder()
	masks := g.tailMasks(width)
	from, to := g.GP64(), g.GP64()
	row := g.label("row")
	g.Label(row)
	g.MOVQ(g.x, from)
	g.MOVQ(g.p, to)
	g.turns(width, masks, from, to, width/2, func(masks []reg.Register) {
		for i := 0; i < len(masks); i += 2 {
			first := g.load(at(from, i*g.ISA.VectorBytes), masks[i])
			second := g.load(at(from, (i+1)*g.ISA.VectorBytes), masks[i+1])
			g.VMOVUPS(g.pairsOfColumns(first, second, g.order), at(to, i/2*g.ISA.VectorBytes))
		}
	})
	g.ADDQ(g.ldx, g.x)
	g.ADDQ(g.ldp, g.p)
	g.DECQ(g.m)
	g.JNZ(operand.LabelRef(row))
}

// rows emits pairs of numbers below each other.
func (g *pairs) rows() {
	switch {
	case g.ISA.BF16():
		g.order = g.pairOrder()
	case g.ISA.Wide():
		g.odd = reg.K7
		g.oddMask(g.odd)
	}
	masks := g.tailMasks(PanelWidth)
	from, to, ahead := g.GP64(), g.GP64(), g.GP64()
	g.IMUL3Q(imm(panelAhead), g.ldx, ahead)
	pair := func(single bool) {
		g.MOVQ(g.x, from)
		g.MOVQ(g.p, to)
		g.turns(PanelWidth, masks, from, to, PanelWidth, func(masks []reg.Register) {
			if !single {
				g.PREFETCHT0(operand.Mem{Base: from, Index: ahead, Scale: 1})
			}
			for i, mask := range masks {
				lower := g.load(at(from, i*g.ISA.VectorBytes), mask)
				upper := g.vec()
				if single {
					g.zero(upper)
				} else {
					upper = g.load(operand.Mem{Base: from, Index: g.ldx, Scale: 1, Disp: i * g.ISA.VectorBytes}, mask)
				}
				g.VMOVUPS(g.pairsOfRows(lower, upper, g.odd, g.order), at(to, i*g.ISA.VectorBytes))
			}
		})
	}
	top, last, end := g.label("rows"), g.label("last"), g.label("done")
	g.Label(top)
	g.CMPQ(g.m, imm(2))
	g.JLT(operand.LabelRef(last))
	pair(false)
	g.LEAQ(operand.Mem{Base: g.x, Index: g.ldx, Scale: 2}, g.x)
	g.ADDQ(g.ldp, g.p)
	g.SUBQ(imm(2), g.m)
	g.JMP(operand.LabelRef(top))
	g.Label(last)
	g.TESTQ(g.m, g.m)
	g.JZ(operand.LabelRef(end))
	pair(true)
	g.Label(end)
}

// panel emits the transposition of pairs, a square of as many pairs as a vector has lanes at a time.
func (g *pairs) panel() {
	lanes := g.ISA.Lanes()
	zeros := g.GP64()
	g.LEAQ(g.pool.lanes16([16]uint32{}), zeros)
	g.pool.lanes16([16]uint32{}) // two vectors of zeros, side by side
	g.order = g.columnOrder()
	masks := g.tailMasks(2 * lanes)
	top, tail, end := g.label("square"), g.label("tail"), g.label("end")
	g.Label(top)
	g.CMPQ(g.n, imm(2*lanes))
	g.JLT(operand.LabelRef(tail))
	g.square(zeros, make([]reg.Register, 2), func(i int, v reg.Register, to operand.Mem) { g.VMOVUPS(v, to) })
	g.ADDQ(imm(lanes*PanelWidth*4), g.p)
	g.ADDQ(imm(2*g.ISA.VectorBytes), g.x)
	g.SUBQ(imm(2*lanes), g.n)
	g.JMP(operand.LabelRef(top))
	g.Label(tail)
	g.TESTQ(g.n, g.n)
	g.JZ(operand.LabelRef(end))
	g.square(zeros, masks, func(i int, v reg.Register, to operand.Mem) {
		skip := g.label("skip")
		g.CMPQ(g.n, imm(2*i))
		g.JLE(operand.LabelRef(skip))
		g.VMOVUPS(v, to)
		g.Label(skip)
	})
	g.Label(end)
}

// square transposes one square of pairs for all 16 rows. Rows from m on are read from zeros.
func (g *pairs) square(zeros reg.Register, masks []reg.Register, store func(i int, v reg.Register, to operand.Mem)) {
	lanes := g.ISA.Lanes()
	row := g.GP64()
	g.MOVQ(g.x, row)
	for part := range PanelWidth / lanes {
		var rows []reg.VecVirtual
		for r := part * lanes; r < (part+1)*lanes; r++ {
			from := g.GP64()
			g.MOVQ(row, from)
			g.CMPQ(g.m, imm(r))
			g.CMOVQLE(zeros, from)
			first, second := g.load(at(from, 0), masks[0]), g.load(at(from, g.ISA.VectorBytes), masks[1])
			rows = append(rows, g.pairsOfColumns(first, second, g.order))
			g.ADDQ(g.ldx, row)
		}
		for i, x := range g.transpose(rows) {
			store(i, x, at(g.p, i*PanelWidth*4+part*g.ISA.VectorBytes))
		}
	}
}

var pairsFamily = Family{
	Name: "pairs",
	Doc:  "a matrix rounded to bfloat16, in the layouts that products of pairs read",
	ISAs: []string{AVX2, AVX512, AVX512BF16},
	Samples: func(isa ISA) []Kernel {
		return []Kernel{Pairs(PairColumns, isa), Pairs(PairRows, isa), Pairs(PairPanel, isa)}
	},
}
