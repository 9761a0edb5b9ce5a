package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// PanelWidth is the number of columns of W that lie side by side in packed weights: panels [ceil(N/16)][K][16], zeros beyond N.
const PanelWidth = 16

// GemmParams holds the constants of a matrix product kernel
//
//	c[i, n] = epilogue(Σ_k a[i, k]·w[n, k] + bias[n])    0 ≤ i < m, 0 ≤ n < 16·Panels
//
// over one or two panels of packed weights, the second right after the first.
type GemmParams struct {
	K        int    // length of the sum
	LDA      int    // floats from one row of a to the next
	Panels   int    // 1 or 2: 16 or 32 columns; the ISA's TilePanels is best
	Residual bool   // add r[i, n]; r has the layout of c and may be c
	Act      string // activation of the sum, a name of [Activations], or ""

	// Pairs is true if a and w hold pairs of bfloat16, see [Pairs]. Then K, LDA and the rows of w count pairs: each adds two products to the sum.
	Pairs bool
}

// family returns the name of the kernel's family.
func (p GemmParams) family() string {
	if p.Pairs {
		return "pair_gemm"
	}
	return "gemm"
}

// terms returns the number of multiply-adds of an element, in units of the set's rate.
func (p GemmParams) terms(isa ISA) int {
	if p.Pairs && !isa.BF16() {
		return 2 * p.K
	}
	return p.K
}

// check returns an error for parameters for which no kernel can be made.
func (p GemmParams) check(isa ISA) error {
	switch {
	case p.K < 1:
		return fmt.Errorf("gemm: K = %d, must be at least 1", p.K)
	case p.Panels != 1 && p.Panels != 2:
		return fmt.Errorf("gemm: Panels = %d, must be 1 or 2", p.Panels)
	case p.LDA < p.K:
		return fmt.Errorf("gemm: LDA = %d is less than K = %d", p.LDA, p.K)
	case p.LDA*4*isa.TileRows > 1<<30 || p.K*PanelWidth*4 > 1<<30:
		return fmt.Errorf("gemm: K = %d, LDA = %d do not fit 32-bit displacements", p.K, p.LDA)
	case p.Act != "" && activationByName(p.Act) == nil:
		return fmt.Errorf("gemm: no activation is called %q", p.Act)
	}
	return nil
}

// GemmName returns the kernel's name for an instruction set, or for [Generic].
func GemmName(p GemmParams, isa string) string {
	epilogue := "bias"
	if p.Residual {
		epilogue += "_residual"
	}
	if p.Act != "" {
		epilogue += "_" + p.Act
	}
	format := "f32"
	if p.Pairs {
		format = "bf16"
	}
	return fmt.Sprintf("%s_%s_%dx%d_lda%d_%s_%s", p.family(), format, p.K, PanelWidth*p.Panels, p.LDA, epilogue, isa)
}

// Gemm returns a matrix product kernel: func(c, a, w, bias *float32, m, ldc int), or func(c, a, w, bias, r *float32, m, ldc int) with a residual. It writes all
// 16·Panels columns of m ≥ 1 rows, which are ldc floats apart, and nothing else. Each element is one sum of multiply-adds over ascending k. Then the bias is
// added. So the bits are the same for every m. The kernel prefetches the weights that follow in memory.
//
// For pairs the types of a and w are *int32. A set with products of bfloat16 adds both products of a pair by one instruction, in an order of its own, and takes
// numbers below 2⁻¹²⁶ as 0. The other sets add the lower product first.
func Gemm(p GemmParams, isa ISA) Kernel {
	names := "c a w bias"
	sum := fmt.Sprintf("a[m, %d]·wᵀ + bias", p.K)
	if p.Residual {
		names += " r"
		sum += " + r"
	}
	if p.Act != "" {
		sum = fmt.Sprintf("%s(%s)", p.Act, sum)
	}
	doc := fmt.Sprintf("computes c[m, %d] = %s", PanelWidth*p.Panels, sum)
	list, unit := params(names, F32), "floats"
	if p.Pairs {
		list[1].Type, list[2].Type, unit = I32, I32, "pairs of bfloat16"
	}
	return Kernel{
		Name:   GemmName(p, isa.Name),
		Family: p.family(),
		ISA:    isa,
		Params: append(list, params("m ldc", Int)...),
		Doc: doc + fmt.Sprintf("\nw: panels [%d][%d][16] of %s; rows of a are %d of these apart, of c ldc.",
			p.Panels, p.K, unit, p.LDA),
		err:  p.check(isa),
		emit: func(a *asm) { (&gemm{asm: a, GemmParams: p}).emit() },
	}
}

// callBudget is the longest time that one call may take, in nanoseconds. Assembly cannot be preempted, and a garbage collection waits for it.
const callBudget = 100e3

// MaxRows returns the greatest number of rows for one call of the kernel, so that the call takes at most about 100 µs on a slow core. It is a multiple of the
// tile's height. A caller with more rows splits them into parts of nearly equal size.
func MaxRows(p GemmParams, isa ISA) int {
	rows := callBudget * isa.Rate / float64(p.terms(isa)*PanelWidth*p.Panels)
	return max(1, int(rows/float64(isa.TileRows)+0.5)) * isa.TileRows
}

// Parts splits m ≥ 1 rows into calls of at most [MaxRows] rows: call i computes rows parts[i] to parts[i+1]. A call gets whole strips, so splitting makes no
// strip lower:
//
//	strips = ceil(m/TileRows), calls = ceil(strips/(MaxRows/TileRows))
//	parts[i] = m·floor(strips·i/calls)/strips
func Parts(m int, p GemmParams, isa ISA) []int {
	most := MaxRows(p, isa) / isa.TileRows
	strips := (m + isa.TileRows - 1) / isa.TileRows
	calls := (strips + most - 1) / most
	var parts []int
	for i := range calls + 1 {
		parts = append(parts, m*(strips*i/calls)/strips)
	}
	return parts
}

// gemm is a matrix product kernel while it is written. Registers are assigned by hand, because the tile needs all vector registers.
type gemm struct {
	*asm
	GemmParams
}

// General registers of a matrix product. AX, BX and DX run over k in a strip,
// and over the rows of the result before and after.
var (
	gemmC, gemmA, gemmW      = reg.RDI, reg.RSI, reg.R8
	gemmBias, gemmR          = reg.R9, reg.R10
	gemmM                    = reg.RCX // rows, then the rows of the strip
	gemmStrips               = reg.R11 // strips that remain
	gemmHeight, gemmTall     = reg.R12, reg.R13
	gemmAhead, gemmAheadLine = reg.R14, reg.R15 // the address to prefetch, and the bytes of a line, or 0 when all is prefetched
	gemmStepA, gemmStepW     = reg.RAX, reg.RBX
	gemmTurns                = reg.RDX
	gemmRow, gemmResidual    = reg.RAX, reg.RBX // row of c and of r
	gemmLDC                  = reg.RDX          // bytes between them
	gemmAct                  = reg.RAX          // row of the activation's pass
	gemmActRows              = reg.RBX
	gemmOdd                  = reg.K7 // picks the upper halves of pairs
)

// columns returns the number of vectors in a row of the tile.
func (g *gemm) columns() int {
	return g.tilePanels() * PanelWidth / g.ISA.Lanes()
}

// tilePanels returns the number of panels that a strip covers; a wider kernel covers its panels one after the other.
func (g *gemm) tilePanels() int { return min(g.Panels, g.ISA.TilePanels) }

// acc returns the accumulator of a row and vector of a tile of h rows; weight and element return the operands of a step. The last row of every tile is in the
// same registers, so one copy of the code around the sums serves all heights.
func (g *gemm) acc(h, row, col int) reg.Register {
	return g.vector((g.ISA.TileRows-h+row)*g.columns() + col)
}
func (g *gemm) weight(col int) reg.Register  { return g.vector(g.ISA.Vectors - 4 + col) }
func (g *gemm) element(row int) reg.Register { return g.vector(g.ISA.Vectors - 2 + row%2) }

func (g *gemm) emit() {
	g.Load(g.Param("w"), gemmW)
	g.Load(g.Param("bias"), gemmBias)
	g.Load(g.Param("c"), gemmC)
	if g.Residual {
		g.Load(g.Param("r"), gemmR)
	}
	if g.Pairs && g.ISA.Wide() && !g.ISA.BF16() {
		g.oddMask(gemmOdd)
	}
	if g.Panels == g.tilePanels() {
		g.rows()
		g.ret()
		return
	}
	wide := PanelWidth * 4 * g.tilePanels()
	done := g.AllocLocal(8)
	g.MOVQ(operand.U32(0), done)
	g.Label("panel")
	g.rows()
	g.Comment("Continue with all rows of the next panel: a panel stays in the nearest cache.")
	g.MOVQ(done, reg.RAX)
	g.ADDQ(imm(wide), reg.RAX)
	g.MOVQ(reg.RAX, done)
	g.ADDQ(imm(g.K*wide), gemmW)
	g.ADDQ(imm(wide), gemmBias)
	g.Load(g.Param("c"), gemmC)
	g.ADDQ(reg.RAX, gemmC)
	if g.Residual {
		g.Load(g.Param("r"), gemmR)
		g.ADDQ(reg.RAX, gemmR)
	}
	g.CMPQ(reg.RAX, imm(PanelWidth*4*g.Panels))
	g.JLT(operand.LabelRef("panel"))
	g.ret()
}

// rows emits the code for all rows of the panels that one strip covers.
func (g *gemm) rows() {
	g.Load(g.Param("a"), gemmA)
	g.Load(g.Param("m"), gemmM)
	g.Commentf("strips = ceil(m / %d): strips of at most %d rows each. m mod strips of them", g.ISA.TileRows, g.ISA.TileRows)
	g.Comment("have floor(m / strips) + 1 rows, the others have floor(m / strips).")
	g.LEAQ(at(gemmM, g.ISA.TileRows-1), reg.RAX)
	g.XORL(reg.EDX, reg.EDX)
	g.MOVQ(imm(g.ISA.TileRows), reg.RBX)
	g.DIVQ(reg.RBX)
	g.MOVQ(reg.RAX, gemmStrips)
	g.MOVQ(gemmM, reg.RAX)
	g.XORL(reg.EDX, reg.EDX)
	g.DIVQ(gemmStrips)
	g.MOVQ(reg.RAX, gemmHeight)
	g.MOVQ(reg.RDX, gemmTall)
	g.Comment("The first strips prefetch the panels that follow these.")
	span := g.K * PanelWidth * 4 * g.tilePanels()
	g.LEAQ(at(gemmW, span), gemmAhead)

	g.Label("strip")
	g.MOVQ(imm(64), gemmAheadLine)
	g.XORL(reg.EBX, reg.EBX)
	g.LEAQ(at(gemmW, 2*span), reg.RAX)
	g.CMPQ(gemmAhead, reg.RAX)
	g.CMOVQCC(reg.RBX, gemmAheadLine)
	g.MOVQ(gemmHeight, gemmM)
	g.DECQ(gemmTall)
	g.JLT(operand.LabelRef("height"))
	g.INCQ(gemmM)
	g.Label("height")
	g.touch()
	for i := range g.ISA.TileRows * g.columns() {
		g.zero(g.vector(i))
	}
	g.MOVQ(gemmA, gemmStepA)
	g.MOVQ(gemmW, gemmStepW)
	for h := g.ISA.TileRows; h > 1; h-- {
		g.CMPQ(gemmM, imm(h))
		g.JEQ(operand.LabelRef(fmt.Sprintf("rows%d", h)))
	}
	for h := 1; h <= g.ISA.TileRows; h++ {
		g.sums(h)
	}
	g.store()
	if g.Act != "" {
		g.activate()
	}
	g.MOVQ(gemmM, reg.RAX)
	g.IMULQ(gemmLDC, reg.RAX)
	g.ADDQ(reg.RAX, gemmC)
	if g.Residual {
		g.ADDQ(reg.RAX, gemmR)
	}
	g.IMUL3Q(imm(g.LDA*4), gemmM, reg.RAX)
	g.ADDQ(reg.RAX, gemmA)
	g.DECQ(gemmStrips)
	g.JNZ(operand.LabelRef("strip"))
}

// touch prefetches the rows of c, and of r, that the strip writes. They lie far apart, so the hardware does not prefetch them.
func (g *gemm) touch() {
	g.firstRow()
	g.VMOVQ(gemmM, reg.X0) // all other registers are taken
	g.Label("touch")
	for d := 0; d < g.tilePanels()*PanelWidth*4; d += 64 {
		g.PREFETCHT1(at(gemmRow, d))
		if g.Residual {
			g.PREFETCHT1(at(gemmResidual, d))
		}
	}
	g.nextRow()
	g.DECQ(gemmM)
	g.JNZ(operand.LabelRef("touch"))
	g.VMOVQ(reg.X0, gemmM)
}

// firstRow sets gemmRow and gemmResidual to the strip's first row, and gemmLDC. nextRow sets them to the row after.
func (g *gemm) firstRow() {
	g.Load(g.Param("ldc"), gemmLDC)
	g.SHLQ(operand.U8(2), gemmLDC)
	g.MOVQ(gemmC, gemmRow)
	if g.Residual {
		g.MOVQ(gemmR, gemmResidual)
	}
}

func (g *gemm) nextRow() {
	g.ADDQ(gemmLDC, gemmRow)
	if g.Residual {
		g.ADDQ(gemmLDC, gemmResidual)
	}
}

// sums emits the loop over k for tiles of h rows. Control then goes to the tile's first row in store.
func (g *gemm) sums(h int) {
	g.Label(fmt.Sprintf("rows%d", h))
	lines := 1
	if h <= g.ISA.TileRows/2 {
		lines = 2
	}
	if h < 4 && g.ISA.Wide() || h < 3 {
		lines = 0
	}
	unroll := g.ISA.unroll(h * g.columns())
	if turns := g.K / unroll; turns > 0 {
		g.MOVQ(imm(turns), gemmTurns)
		top := fmt.Sprintf("turn%d", h)
		g.align(32)
		g.Label(top)
		for u := 0; u < unroll; u++ {
			g.step(h, u)
			for l := 0; l < lines; l++ {
				g.PREFETCHT1(at(gemmAhead, (u*lines+l)*64))
			}
		}
		if lines > 0 {
			g.LEAQ(operand.Mem{Base: gemmAhead, Index: gemmAheadLine, Scale: uint8(lines * unroll)}, gemmAhead)
		}
		g.ADDQ(imm(unroll*4), gemmStepA)
		g.ADDQ(imm(unroll*PanelWidth*4), gemmStepW)
		g.DECQ(gemmTurns)
		g.JNZ(operand.LabelRef(top))
	}
	for u := 0; u < g.K%unroll; u++ {
		g.step(h, u)
	}
	g.firstRow()
	for c := range g.columns() {
		g.VMOVUPS(at(gemmBias, c*g.ISA.VectorBytes), g.weight(c))
	}
	g.JMP(operand.LabelRef(fmt.Sprintf("store%d", h)))
}

// store emits bias, residual and stores of the rows of the highest tile. A lower tile enters at its first row.
func (g *gemm) store() {
	for h := g.ISA.TileRows; h > 0; h-- {
		g.Label(fmt.Sprintf("store%d", h))
		for c := range g.columns() {
			disp, acc := c*g.ISA.VectorBytes, g.acc(h, 0, c)
			g.VADDPS(g.weight(c), acc, acc)
			if g.Residual {
				g.VADDPS(at(gemmResidual, disp), acc, acc)
			}
			g.VMOVUPS(acc, at(gemmRow, disp))
		}
		if h > 1 {
			g.nextRow()
		}
	}
}

// step emits the multiply-adds of one k, u steps after the pointers.
func (g *gemm) step(h, u int) {
	weights := func(c int) operand.Mem {
		perPanel := PanelWidth / g.ISA.Lanes()
		panel, part := c/perPanel, c%perPanel
		return at(gemmStepW, (panel*g.K+u)*PanelWidth*4+part*g.ISA.VectorBytes)
	}
	element := func(r int) operand.Mem { return at(gemmStepA, r*g.LDA*4+u*4) }
	products := func(load func(m operand.Mem, dst reg.Register), broadcast func(m operand.Mem, dst reg.Register)) {
		for c := range g.columns() {
			load(weights(c), g.weight(c))
		}
		for r := range h {
			broadcast(element(r), g.element(r))
			for c := range g.columns() {
				if g.Pairs && g.ISA.BF16() {
					g.encoded("VDPBF16PS", g.weight(c), g.element(r), g.acc(h, r, c))
				} else {
					g.VFMADD231PS(g.weight(c), g.element(r), g.acc(h, r, c))
				}
			}
		}
	}
	if !g.Pairs || g.ISA.BF16() {
		products(func(m operand.Mem, dst reg.Register) { g.VMOVUPS(m, dst) }, func(m operand.Mem, dst reg.Register) { g.VBROADCASTSS(m, dst) })
		return
	}
	for _, upper := range []bool{false, true} {
		products(func(m operand.Mem, dst reg.Register) { g.widen(upper, m, gemmOdd, dst) },
			func(m operand.Mem, dst reg.Register) { g.widenOne(upper, m, gemmOdd, dst) })
	}
}

// activate applies the activation to the strip that was just stored, one row at a time. One copy of its code serves all heights, and the rows are in the
// nearest cache.
func (g *gemm) activate() {
	act := activationByName(g.Act)
	g.MOVQ(gemmC, gemmAct)
	g.MOVQ(gemmM, gemmActRows)
	g.Label("act")
	var bodies []func()
	for c := 0; c < g.columns(); c++ {
		bodies = append(bodies, func() {
			x := g.vec()
			g.VMOVUPS(at(gemmAct, c*g.ISA.VectorBytes), x)
			act.emit(g.asm, x, x)
			g.VMOVUPS(x, at(gemmAct, c*g.ISA.VectorBytes))
		})
	}
	g.interleave(bodies...)
	g.ADDQ(gemmLDC, gemmAct)
	g.DECQ(gemmActRows)
	g.JNZ(operand.LabelRef("act"))
}
