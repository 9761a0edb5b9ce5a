package kernel

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// PanelsName returns the name of the kernel that [Panels] makes for an instruction set.
func PanelsName(transposed bool, isa string) string {
	return "panels_f32_" + map[bool]string{false: "columns", true: "rows"}[transposed] + "_" + isa
}

// Panels returns the kernel that brings a part of a matrix into a panel, which the kernels of [Gemm] read: func(p, w *float32, rows, cols, ldw int). The rows
// of w are ldw floats apart. Transposed, the panel holds rows of w, at most 16, side by side:
//
//	p[c][r] = w[r, c]    0 ≤ c < cols, 0 ≤ r < 16
//
// Else it holds columns, at most 16:
//
//	p[r][c] = w[r, c]    0 ≤ r < rows, 0 ≤ c < 16
//
// Rows from rows on and columns from cols on count as 0, and their memory is not read. Both counts are at least 1.
func Panels(transposed bool, isa ISA) Kernel {
	doc, emit := "copies w[rows, cols ≤ 16] into a panel p[rows][16], with zeros after the last column", (*panels).columns
	if transposed {
		doc, emit = "transposes w[rows ≤ 16, cols] into a panel p[cols][16], with zeros after the last row", (*panels).rows
	}
	return Kernel{
		Name:   PanelsName(transposed, isa.Name),
		Family: "panels",
		ISA:    isa,
		Params: append(params("p w", F32), params("rows cols ldw", Int)...),
		Doc:    doc + ".\nThe rows of w are ldw floats apart.",
		emit: func(a *asm) {
			g := &panels{asm: a, p: a.arg("p"), w: a.arg("w"), m: a.arg("rows"), n: a.arg("cols"), ldw: a.arg("ldw")}
			a.SHLQ(operand.U8(2), g.ldw)
			emit(g)
			a.ret()
		},
	}
}

// panels is a kernel while it is written.
type panels struct {
	*asm
	p, w, m, n, ldw reg.GPVirtual
}

// lanesMask returns a register that picks the first count lanes of a vector; count is between 0 and the number of lanes, and is overwritten.
func (a *asm) lanesMask(count reg.GPVirtual) reg.Register {
	lanes := a.ISA.Lanes()
	if a.ISA.Wide() {
		bits, k := a.GP64(), a.K()
		a.MOVQ(imm(1), bits)
		a.MOVQ(count, reg.RCX)
		a.SHLQ(reg.CL, bits)
		a.DECQ(bits)
		a.KMOVW(bits.As32(), k)
		return k
	}
	var ones [16]uint32
	for i := range lanes {
		ones[i] = 1<<32 - 1
	}
	base, v := a.GP64(), a.vec()
	a.LEAQ(a.pool.lanes16(ones), base)
	a.NEGQ(count)
	a.VMOVUPS(operand.Mem{Base: base, Index: count, Scale: 4, Disp: lanes * 4}, v)
	return v
}

// masked loads the lanes of a vector that the mask picks; the others become 0.
func (a *asm) masked(m operand.Mem, mask, dst reg.Register) {
	if a.ISA.Wide() {
		a.VMOVUPS_Z(m, mask, dst)
		return
	}
	a.VMASKMOVPS(m, mask, dst)
}

// panelAhead is the number of rows by which the copy of columns prefetches.
const panelAhead = 12

// columns emits the copy of columns.
func (g *panels) columns() {
	lanes := g.ISA.Lanes()
	var masks []reg.Register
	for first := 0; first < PanelWidth; first += lanes {
		count, zero, most := g.GP64(), g.GP64(), g.GP64()
		g.MOVQ(imm(lanes), most)
		g.XORQ(zero, zero)
		g.MOVQ(g.n, count)
		g.SUBQ(imm(first), count)
		g.CMOVQLT(zero, count)
		g.CMPQ(count, most)
		g.CMOVQGT(most, count)
		masks = append(masks, g.lanesMask(count))
	}
	ahead := g.GP64()
	g.IMUL3Q(imm(panelAhead), g.ldw, ahead)
	g.eachRow(g.m, []reg.Register{g.p}, []int{PanelWidth * 4}, func() {
		g.PREFETCHT0(operand.Mem{Base: g.w, Index: ahead, Scale: 1})
		for i, mask := range masks {
			v := g.vec()
			g.masked(at(g.w, i*g.ISA.VectorBytes), mask, v)
			g.VMOVUPS(v, at(g.p, i*g.ISA.VectorBytes))
		}
		g.ADDQ(g.ldw, g.w)
	})
}

// rows emits the transposition of rows, a square of as many columns as a vector has lanes at a time.
func (g *panels) rows() {
	lanes := g.ISA.Lanes()
	zeros := g.GP64()
	g.LEAQ(g.pool.lanes16([16]uint32{}), zeros)
	top, tail, end := g.label("square"), g.label("tail"), g.label("end")
	g.Label(top)
	g.CMPQ(g.n, imm(lanes))
	g.JLT(operand.LabelRef(tail))
	g.square(zeros, nil, func(i int, v reg.Register, to operand.Mem) { g.VMOVUPS(v, to) })
	g.ADDQ(imm(lanes*PanelWidth*4), g.p)
	g.ADDQ(imm(g.ISA.VectorBytes), g.w)
	g.SUBQ(imm(lanes), g.n)
	g.JMP(operand.LabelRef(top))
	g.Label(tail)
	g.TESTQ(g.n, g.n)
	g.JZ(operand.LabelRef(end))
	count := g.GP64()
	g.MOVQ(g.n, count)
	mask := g.lanesMask(count)
	g.square(zeros, mask, func(i int, v reg.Register, to operand.Mem) {
		skip := g.label("skip")
		g.CMPQ(g.n, imm(i))
		g.JLE(operand.LabelRef(skip))
		g.VMOVUPS(v, to)
		g.Label(skip)
	})
	g.Label(end)
}

// square transposes one square of columns for all 16 rows. A mask picks the columns that are read. Rows from m on are read from zeros.
func (g *panels) square(zeros reg.Register, mask reg.Register, store func(i int, v reg.Register, to operand.Mem)) {
	lanes := g.ISA.Lanes()
	row := g.GP64()
	g.MOVQ(g.w, row)
	for part := range PanelWidth / lanes {
		var rows []reg.VecVirtual
		for r := part * lanes; r < (part+1)*lanes; r++ {
			from, x := g.GP64(), g.vec()
			g.MOVQ(row, from)
			g.CMPQ(g.m, imm(r))
			g.CMOVQLE(zeros, from)
			if mask != nil {
				g.masked(at(from, 0), mask, x)
			} else {
				g.VMOVUPS(at(from, 0), x)
			}
			g.ADDQ(g.ldw, row)
			rows = append(rows, x)
		}
		for i, x := range g.transpose(rows) {
			store(i, x, at(g.p, i*PanelWidth*4+part*g.ISA.VectorBytes))
		}
	}
}

var panelsFamily = Family{
	Name:    "panels",
	Doc:     "rows or columns of a matrix, brought into the panel that a product reads",
	ISAs:    []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel { return []Kernel{Panels(false, isa), Panels(true, isa)} },
}
