package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// GemmTNName returns the kernel's name for an instruction set, of a product of floats or of pairs of bfloat16.
func GemmTNName(pairs bool, isa string) string {
	if pairs {
		return "pair_gemm_tn_bf16_any_" + isa
	}
	return "gemm_tn_f32_any_" + isa
}

// GemmTN returns the kernel of a product whose first matrix is transposed, as the gradient of weights is: func(c, a, b *float32, rows, cols, terms, lda, ldb,
// ldc, add int)
//
//	c[n, k] = Σ_t a[t, n]·b[t, k]    0 ≤ n < rows, 0 ≤ k < cols, 0 ≤ t < terms
//
// It reads a and b as they lie, their rows lda and ldb floats apart, and writes nothing outside rows and cols of c. All counts are at least 1. If add is not 0
// the sums begin with c, else with 0. Each element is one sum of multiply-adds over ascending t. So the bits do not depend on how rows, columns or terms are
// divided into calls. One kernel serves all shapes. [BlockTN] returns the sizes of a call.
//
// For pairs the types of a and b are *int32, and terms, lda and ldb count pairs, as [Pairs] makes them of rows below each other: each adds two products to the
// sum, as in [Gemm].
func GemmTN(pairs bool, isa ISA) Kernel {
	k := Kernel{
		Name:   GemmTNName(pairs, isa.Name),
		Family: "gemm_tn",
		ISA:    isa,
		Params: append(params("c a b", F32), params("rows cols terms lda ldb ldc add", Int)...),
		Doc: "computes c[rows, cols] = aᵀ·b, or adds it to c if add is not 0, for a[terms, rows] and\n" +
			"b[terms, cols]; their rows are ldc, lda and ldb floats apart.",
		emit: func(a *asm) { (&gemmTN{asm: a, pairs: pairs}).emit() },
	}
	if pairs {
		k.Family = "pair_gemm_tn"
		k.Params[1].Type, k.Params[2].Type = I32, I32
		k.Doc += " a and b hold pairs of\nbfloat16 of two terms."
	}
	return k
}

// Block is a block of a product's result and the terms of one call.
type Block struct{ Rows, Cols, Terms int }

// BlockTN returns the block in which a large product with a transposed first matrix is computed best. Its rows and columns of all three matrices stay in the
// second cache; the rows of a tile of a and b stay in the nearest, where each row of a takes a whole line. A call takes at most about 100 µs on a slow core.
func BlockTN(isa ISA) Block {
	b := Block{Rows: 168, Cols: 128, Terms: 128} // whole tiles of all instruction sets, as units of steps are the same for all
	if isa.Wide() {
		b.Terms = 192
	}
	return b
}

// gemmTN is the kernel while it is written. Registers are assigned by hand, because the tile needs all vector registers.
type gemmTN struct {
	*asm
	vectors int  // vectors in a row of the tile: 2, or 1 with a mask that picks lanes
	pairs   bool // a and b hold pairs of bfloat16
}

// General registers of a transposed product. AX, BX and DX run over the terms of a strip, and over the rows of c before and after.
var (
	tnC, tnB, tnCols      = reg.RDI, reg.RSI, reg.R8 // of the tile's first column; the columns that remain
	tnRowC, tnRowA        = reg.R9, reg.R10          // of the strip's first row
	tnStrips              = reg.R11                  // strips that remain
	tnHeight, tnTall, tnM = reg.R12, reg.R13, reg.RCX
	tnLDA, tnLDB          = reg.R14, reg.R15 // bytes
	tnStepA, tnStepB      = reg.RAX, reg.RBX
	tnTurns               = reg.RDX
	tnRow, tnLDC          = reg.RAX, reg.RBX
	tnOdd                 = reg.K7 // picks the upper halves of pairs
)

// acc returns the accumulator of a row and vector of a tile of h rows. The last row of every tile is in the same registers, so one copy of the code that loads
// and stores them serves all heights.
func (g *gemmTN) acc(h, row, col int) reg.Register {
	return g.vector((g.ISA.TileRows-h+row)*g.vectors + col)
}
func (g *gemmTN) right(col int) reg.Register   { return g.vector(g.ISA.Vectors - 4 + col) }
func (g *gemmTN) element(row int) reg.Register { return g.vector(g.ISA.Vectors - 2 + row%2) }

// mask returns the register that picks lanes of the last columns. The tile of one vector leaves it free.
func (g *gemmTN) mask() reg.Register {
	if g.ISA.Wide() {
		return reg.K1
	}
	return g.vector(g.ISA.Vectors - 3)
}

func (g *gemmTN) emit() {
	if g.pairs && g.ISA.Wide() && !g.ISA.BF16() {
		g.oddMask(tnOdd)
	}
	g.Load(g.Param("c"), tnC)
	g.Load(g.Param("b"), tnB)
	g.Load(g.Param("cols"), tnCols)
	g.Load(g.Param("lda"), tnLDA)
	g.SHLQ(operand.U8(2), tnLDA)
	g.Load(g.Param("ldb"), tnLDB)
	g.SHLQ(operand.U8(2), tnLDB)
	for g.vectors = 2; g.vectors > 0; g.vectors-- {
		top, end := g.label("columns"), g.label("end")
		g.Label(top)
		if g.vectors == 2 {
			g.CMPQ(tnCols, imm(2*g.ISA.Lanes()))
			g.JLT(operand.LabelRef(end))
		} else {
			g.CMPQ(tnCols, imm(0))
			g.JLE(operand.LabelRef(end))
			g.setMask()
		}
		g.strips()
		g.ADDQ(imm(g.vectors*g.ISA.VectorBytes), tnC)
		g.ADDQ(imm(g.vectors*g.ISA.VectorBytes), tnB)
		g.SUBQ(imm(g.vectors*g.ISA.Lanes()), tnCols)
		g.JMP(operand.LabelRef(top))
		g.Label(end)
	}
	g.ret()
}

// setMask sets the mask to the lanes of the columns that remain, at most a vector.
func (g *gemmTN) setMask() {
	lanes := g.ISA.Lanes()
	g.MOVQ(imm(lanes), reg.RCX)
	g.CMPQ(tnCols, reg.RCX)
	g.CMOVQLT(tnCols, reg.RCX)
	if g.ISA.Wide() {
		g.MOVQ(imm(1), reg.RAX)
		g.SHLQ(reg.CL, reg.RAX)
		g.DECQ(reg.RAX)
		g.KMOVW(reg.EAX, reg.K1)
		return
	}
	var ones [16]uint32
	for i := range lanes {
		ones[i] = 1<<32 - 1
	}
	g.LEAQ(g.pool.lanes16(ones), reg.RAX)
	g.NEGQ(reg.RCX)
	g.VMOVUPS(operand.Mem{Base: reg.RAX, Index: reg.RCX, Scale: 4, Disp: lanes * 4}, g.mask())
}

// strips emits the loop over all rows of the tile's columns.
func (g *gemmTN) strips() {
	rows := g.ISA.TileRows
	g.MOVQ(tnC, tnRowC)
	g.Load(g.Param("a"), tnRowA)
	g.Load(g.Param("rows"), tnM)
	g.Commentf("strips = ceil(rows / %d): strips of at most %d rows each. rows mod strips of them", rows, rows)
	g.Comment("have floor(rows / strips) + 1 rows, the others have floor(rows / strips).")
	g.LEAQ(at(tnM, rows-1), reg.RAX)
	g.XORL(reg.EDX, reg.EDX)
	g.MOVQ(imm(rows), reg.RBX)
	g.DIVQ(reg.RBX)
	g.MOVQ(reg.RAX, tnStrips)
	g.MOVQ(tnM, reg.RAX)
	g.XORL(reg.EDX, reg.EDX)
	g.DIVQ(tnStrips)
	g.MOVQ(reg.RAX, tnHeight)
	g.MOVQ(reg.RDX, tnTall)
	strip := g.name("strip")
	g.Label(strip)
	g.MOVQ(tnHeight, tnM)
	g.DECQ(tnTall)
	g.JLT(operand.LabelRef(g.name("height")))
	g.INCQ(tnM)
	g.Label(g.name("height"))
	g.begin()
	g.MOVQ(tnRowA, tnStepA)
	g.MOVQ(tnB, tnStepB)
	g.Load(g.Param("terms"), tnTurns)
	for h := rows; h > 1; h-- {
		g.CMPQ(tnM, imm(h))
		g.JEQ(operand.LabelRef(g.name("rows%d", h)))
	}
	for h := 1; h <= rows; h++ {
		g.sums(h)
	}
	g.store()
	g.MOVQ(tnM, reg.RAX)
	g.IMULQ(tnLDC, reg.RAX)
	g.ADDQ(reg.RAX, tnRowC)
	g.LEAQ(operand.Mem{Base: tnRowA, Index: tnM, Scale: 4}, tnRowA)
	g.DECQ(tnStrips)
	g.JNZ(operand.LabelRef(strip))
}

// name returns a label of the tile's width.
func (g *gemmTN) name(format string, args ...any) string {
	return fmt.Sprintf(format, args...) + map[int]string{1: "narrow", 2: ""}[g.vectors]
}

// firstRow sets tnRow to the strip's first row of c, and tnLDC.
func (g *gemmTN) firstRow() {
	g.Load(g.Param("ldc"), tnLDC)
	g.SHLQ(operand.U8(2), tnLDC)
	g.MOVQ(tnRowC, tnRow)
}

// begin loads the accumulators from c, or sets them to 0.
func (g *gemmTN) begin() {
	for i := range g.ISA.TileRows * g.vectors {
		g.zero(g.vector(i))
	}
	ready := g.name("ready")
	g.ahead()
	g.firstRow()
	g.Load(g.Param("add"), tnTurns)
	g.TESTQ(tnTurns, tnTurns)
	g.JZ(operand.LabelRef(ready))
	for h := g.ISA.TileRows - 1; h > 0; h-- {
		g.CMPQ(tnM, imm(h))
		g.JEQ(operand.LabelRef(g.name("load%d", h)))
	}
	for h := g.ISA.TileRows; h > 0; h-- {
		g.Label(g.name("load%d", h))
		for c := range g.vectors {
			g.read(at(tnRow, c*g.ISA.VectorBytes), g.acc(h, 0, c))
		}
		if h > 1 {
			g.ADDQ(tnLDC, tnRow)
		}
	}
	g.Label(ready)
}

// ahead prefetches the rows of c of the next strip. They lie far apart, so the hardware does not prefetch them.
func (g *gemmTN) ahead() {
	g.firstRow()
	g.MOVQ(tnM, tnTurns)
	g.IMULQ(tnLDC, tnTurns)
	g.ADDQ(tnTurns, tnRow)
	g.MOVQ(tnM, tnTurns)
	top := g.name("ahead")
	g.Label(top)
	for d := 0; d < g.vectors*g.ISA.VectorBytes; d += 64 {
		g.PREFETCHT1(at(tnRow, d))
	}
	g.ADDQ(tnLDC, tnRow)
	g.DECQ(tnTurns)
	g.JNZ(operand.LabelRef(top))
}

// read loads a vector of columns.
func (g *gemmTN) read(m operand.Mem, dst reg.Register) {
	switch {
	case g.vectors == 2:
		g.VMOVUPS(m, dst)
	case g.ISA.Wide():
		g.VMOVUPS_Z(m, g.mask(), dst)
	default:
		g.VMASKMOVPS(m, g.mask(), dst)
	}
}

// readRight loads a vector of columns of b: floats, pairs, or halves of pairs.
func (g *gemmTN) readRight(upper bool, m operand.Mem, dst reg.Register) {
	switch {
	case !g.pairs || g.ISA.BF16():
		g.read(m, dst)
	case g.vectors == 2:
		g.widen(upper, m, tnOdd, dst)
	default:
		g.read(m, dst)
		g.widenIn(upper, tnOdd, dst)
	}
}

// write stores a vector of columns.
func (g *gemmTN) write(src reg.Register, m operand.Mem) {
	switch {
	case g.vectors == 2:
		g.VMOVUPS(src, m)
	case g.ISA.Wide():
		g.VMOVUPS(src, g.mask(), m)
	default:
		g.VMASKMOVPS(src, g.mask(), m)
	}
}

// sums emits the loop over the terms for tiles of h rows. Control then goes to the tile's first row in store.
func (g *gemmTN) sums(h int) {
	g.Label(g.name("rows%d", h))
	top := g.name("turn%d", h)
	// The loop is not aligned: the assembler of Go 1.26 does not end if it has to align the tops of these loops.
	g.Label(top)
	halves := 1
	if g.pairs && !g.ISA.BF16() {
		halves = 2
	}
	for half := range halves {
		for c := range g.vectors {
			g.readRight(half == 1, at(tnStepB, c*g.ISA.VectorBytes), g.right(c))
		}
		if half == 0 {
			g.Comment("The next strip's part of the row of a, and the next tile's of the row of b. Rows lie far apart, so the hardware does not prefetch them.")
			g.PREFETCHT0(at(tnStepA, 64))
			for d := 0; d < g.vectors*g.ISA.VectorBytes; d += 64 {
				g.PREFETCHT1(at(tnStepB, g.vectors*g.ISA.VectorBytes+d))
			}
		}
		for r := range h {
			if halves == 2 {
				g.widenOne(half == 1, at(tnStepA, r*4), tnOdd, g.element(r))
			} else {
				g.VBROADCASTSS(at(tnStepA, r*4), g.element(r))
			}
			for c := range g.vectors {
				if g.pairs && g.ISA.BF16() {
					g.encoded("VDPBF16PS", g.right(c), g.element(r), g.acc(h, r, c))
				} else {
					g.VFMADD231PS(g.right(c), g.element(r), g.acc(h, r, c))
				}
			}
		}
	}
	g.ADDQ(tnLDA, tnStepA)
	g.ADDQ(tnLDB, tnStepB)
	g.DECQ(tnTurns)
	g.JNZ(operand.LabelRef(top))
	g.firstRow()
	g.JMP(operand.LabelRef(g.name("store%d", h)))
}

// store emits the stores of the rows of the highest tile. A lower tile enters at its first row.
func (g *gemmTN) store() {
	for h := g.ISA.TileRows; h > 0; h-- {
		g.Label(g.name("store%d", h))
		for c := range g.vectors {
			g.write(g.acc(h, 0, c), at(tnRow, c*g.ISA.VectorBytes))
		}
		if h > 1 {
			g.ADDQ(tnLDC, tnRow)
		}
	}
}

var gemmTNFamily = Family{
	Name:    "gemm_tn",
	Doc:     "matrix product whose first matrix is transposed, both read as they lie",
	ISAs:    []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel { return []Kernel{GemmTN(false, isa)} },
}

var pairGemmTNFamily = Family{
	Name:    "pair_gemm_tn",
	Doc:     "the same of pairs of bfloat16, sums in float32",
	ISAs:    []string{AVX2, AVX512, AVX512BF16},
	Samples: func(isa ISA) []Kernel { return []Kernel{GemmTN(true, isa)} },
}
