package kernel

import (
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// ColSumName returns the name of the kernel that [ColSum] makes for an instruction set.
func ColSumName(hat bool, isa string) string {
	return "col_sum_f32_" + map[bool]string{false: "plain", true: "hat"}[hat] + "_" + isa
}

// ColSum returns the kernel that adds the rows of columns of a matrix: func(y, x *float32, rows, cols, ldx, add int)
//
//	y[c] = Σ_r x[r, c]    0 ≤ c < cols, 0 ≤ r < rows
//
// With hat each element is multiplied by a normalised one, as in the gradient of a layer norm's gain: func(y, dy, x, moments *float32, rows, cols, ldd, ldx,
// ldm, add int)
//
//	y[c] = Σ_r dy[r, c]·(x[r, c] - moments[r, 0])·moments[r, 1]
//
// All counts are at least 1. If add is not 0 the sums begin with y, else with 0. Rows are added one after the other, so the bits do not depend on how rows or
// columns are divided into calls. The kernel writes nothing after the last column.
func ColSum(hat bool, isa ISA) Kernel {
	k := Kernel{
		Name:   ColSumName(hat, isa.Name),
		Family: "col_sum",
		ISA:    isa,
		Params: append(params("y x", F32), params("rows cols ldx add", Int)...),
		Doc:    "computes y[cols] = the sum of the rows of x[rows, cols], or adds it to y if add is not 0.\nThe rows of x are ldx floats apart.",
		emit:   func(a *asm) { (&colSum{asm: a}).emit() },
	}
	if hat {
		k.Params = append(params("y dy x moments", F32), params("rows cols ldd ldx ldm add", Int)...)
		k.Doc = "computes y[cols] = the sum of the rows of dy·(x - mean)·rstd, or adds it to y if add is not 0.\n" +
			"The rows of dy, x and the moments (mean, rstd) are ldd, ldx and ldm floats apart."
		k.emit = func(a *asm) { (&colSum{asm: a, hat: true}).emit() }
	}
	return k
}

// colSum is the kernel while it is written.
type colSum struct {
	*asm
	hat            bool
	y, x, dy, cols reg.GPVirtual
	ldx, ldd, ldm  reg.GPVirtual // bytes
}

func (g *colSum) emit() {
	g.y, g.x, g.cols, g.ldx = g.arg("y"), g.arg("x"), g.arg("cols"), g.arg("ldx")
	g.SHLQ(operand.U8(2), g.ldx)
	if g.hat {
		g.dy, g.ldd, g.ldm = g.arg("dy"), g.arg("ldd"), g.arg("ldm")
		g.SHLQ(operand.U8(2), g.ldd)
		g.SHLQ(operand.U8(2), g.ldm)
	}
	for _, vectors := range []int{8, 1} {
		top, end := g.label("columns"), g.label("end")
		width := vectors * g.ISA.Lanes()
		g.Label(top)
		var mask reg.Register
		if vectors > 1 {
			g.CMPQ(g.cols, imm(width))
			g.JLT(operand.LabelRef(end))
		} else {
			g.TESTQ(g.cols, g.cols)
			g.JLE(operand.LabelRef(end))
			count, most := g.GP64(), g.GP64()
			g.MOVQ(imm(width), most)
			g.MOVQ(g.cols, count)
			g.CMPQ(count, most)
			g.CMOVQGT(most, count)
			mask = g.lanesMask(count)
		}
		g.columns(vectors, mask)
		g.ADDQ(imm(4*width), g.y)
		g.ADDQ(imm(4*width), g.x)
		if g.hat {
			g.ADDQ(imm(4*width), g.dy)
		}
		g.SUBQ(imm(width), g.cols)
		g.JMP(operand.LabelRef(top))
		g.Label(end)
	}
	g.ret()
}

// columns emits the sums of as many columns as the vectors have lanes.
func (g *colSum) columns(vectors int, mask reg.Register) {
	read := func(m operand.Mem, dst reg.Register) {
		if mask == nil {
			g.VMOVUPS(m, dst)
			return
		}
		g.masked(m, mask, dst)
	}
	acc := make([]reg.VecVirtual, vectors)
	for i := range acc {
		acc[i] = g.vec()
		g.zero(acc[i])
	}
	fresh, add := g.label("fresh"), g.arg("add")
	g.TESTQ(add, add)
	g.JZ(operand.LabelRef(fresh))
	for i, v := range acc {
		read(at(g.y, i*g.ISA.VectorBytes), v)
	}
	g.Label(fresh)
	rows, x, dy, moments := g.arg("rows"), g.GP64(), g.GP64(), g.GP64()
	g.MOVQ(g.x, x)
	var mean, rstd reg.VecVirtual
	if g.hat {
		g.MOVQ(g.dy, dy)
		g.Load(g.Param("moments"), moments)
		mean, rstd = g.vec(), g.vec()
	}
	row := g.label("row")
	g.Label(row)
	if g.hat {
		g.VBROADCASTSS(at(moments, 0), mean)
		g.VBROADCASTSS(at(moments, 4), rstd)
	}
	for i, v := range acc {
		from := g.vec()
		read(at(x, i*g.ISA.VectorBytes), from)
		if g.hat {
			d := g.vec()
			read(at(dy, i*g.ISA.VectorBytes), d)
			g.VSUBPS(mean, from, from)
			g.VMULPS(rstd, from, from)
			g.VFMADD231PS(d, from, v)
			continue
		}
		g.VADDPS(from, v, v)
	}
	g.ADDQ(g.ldx, x)
	if g.hat {
		g.ADDQ(g.ldd, dy)
		g.ADDQ(g.ldm, moments)
	}
	g.DECQ(rows)
	g.JNZ(operand.LabelRef(row))
	for i, v := range acc {
		switch m := at(g.y, i*g.ISA.VectorBytes); {
		case mask == nil:
			g.VMOVUPS(v, m)
		case g.ISA.Wide():
			g.VMOVUPS(v, mask, m)
		default:
			g.VMASKMOVPS(v, mask, m)
		}
	}
}

var colSumFamily = Family{
	Name:    "col_sum",
	Doc:     "sums of columns, plain or times a normalised matrix",
	ISAs:    []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel { return []Kernel{ColSum(false, isa), ColSum(true, isa)} },
}
