package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// EmbedParams holds the constants of an embedding look-up: for 0 ≤ i < m
//
//	y[i] = table[ids[i]]      or, with Add,      y[i] += table[ids[i]]
type EmbedParams struct {
	H   int  // columns
	LDY int  // floats between rows of y; at least H rounded up to 16
	LDT int  // floats between rows of the table; at least H
	Add bool // add to y

	// Pairs is true for a table of bfloat16, in rows of pairs of columns with zeros up to a multiple of 16 columns. Then LDT counts pairs.
	Pairs bool
}

// columns returns how many columns the kernel reads.
func (p EmbedParams) columns() int {
	if p.Pairs {
		return (p.H + PanelWidth - 1) / PanelWidth * PanelWidth
	}
	return p.H
}

func (p EmbedParams) check() error {
	room, unit := p.LDT, "floats"
	if p.Pairs {
		room, unit = 2*p.LDT, "numbers"
	}
	if room < p.columns() || p.LDT > 1<<26 {
		return fmt.Errorf("embed: rows of the table %d %s apart cannot hold %d %s", room, unit, p.columns(), unit)
	}
	return checkRow("embed", p.H, p.LDY)
}

// EmbedName returns the kernel's name for an instruction set, or for [Generic].
func EmbedName(p EmbedParams, isa string) string {
	op := "copy"
	if p.Add {
		op = "add"
	}
	name := "embed_f32"
	if p.Pairs {
		name = "pair_embed_bf16"
	}
	return fmt.Sprintf("%s_%s_%d_ldy%d_ldt%d_%s", name, op, p.H, p.LDY, p.LDT, isa)
}

// Embed returns a look-up kernel: func(y *float32, ids *int32, table *float32, m int), m ≥ 1. The caller has checked that the ids are rows of the table.
// Columns of y from H to the next multiple of 16 become 0, or do not change with Add. The kernel reads only the H columns of data of a table's row, so the last
// row may end at the end of a mapped file. For pairs the type of table is *int32.
func Embed(p EmbedParams, isa ISA) Kernel {
	if p.Pairs {
		return pairEmbed(p, isa)
	}
	op := "="
	if p.Add {
		op = "+="
	}
	return Kernel{
		Name:   EmbedName(p, isa.Name),
		Family: "embed",
		ISA:    isa,
		Params: []Param{{"y", F32}, {"ids", I32}, {"table", F32}, {"m", Int}},
		Doc: fmt.Sprintf("computes y[m, %d] %s rows ids[m] of the table\nRows of y are %d floats apart, of the table %d.",
			p.H, op, p.LDY, p.LDT),
		err: p.check(),
		emit: func(a *asm) {
			y, ids, table, m := a.arg("y"), a.arg("ids"), a.arg("table"), a.arg("m")
			cols := a.newColumns(p.H)
			a.eachRow(m, []reg.Register{y, ids}, []int{p.LDY * 4, 4}, func() {
				row := a.GP64()
				a.MOVLQSX(operand.Mem{Base: ids}, row)
				a.IMUL3Q(imm(p.LDT*4), row, row)
				a.ADDQ(table, row)
				cols.each(4, func(ps []piece) {
					for _, p1 := range ps {
						v := a.vec()
						cols.load(p1, row, v)
						if p.Add {
							a.VADDPS(p1.in(y), v, v)
						}
						a.VMOVUPS(v, p1.in(y))
					}
				})
			})
			a.ret()
		},
	}
}

// pairEmbed returns the kernel for a table of bfloat16.
func pairEmbed(p EmbedParams, isa ISA) Kernel {
	op := "="
	if p.Add {
		op = "+="
	}
	return Kernel{
		Name:   EmbedName(p, isa.Name),
		Family: "pair_embed",
		ISA:    isa,
		Params: []Param{{"y", F32}, {"ids", I32}, {"table", I32}, {"m", Int}},
		Doc: fmt.Sprintf("computes y[m, %d] %s rows ids[m] of the table of bfloat16\nRows of y are %d floats apart, of the table %d pairs.",
			p.H, op, p.LDY, p.LDT),
		err: p.check(),
		emit: func(a *asm) {
			y, ids, table, m := a.arg("y"), a.arg("ids"), a.arg("table"), a.arg("m")
			a.eachRow(m, []reg.Register{y, ids}, []int{p.LDY * 4, 4}, func() {
				row, out, left := a.GP64(), a.GP64(), a.GP64()
				a.MOVLQSX(operand.Mem{Base: ids}, row)
				a.IMUL3Q(imm(p.LDT*4), row, row)
				a.ADDQ(table, row)
				a.MOVQ(y, out)
				a.MOVQ(imm(p.columns()/PanelWidth), left)
				top := a.label("columns")
				a.Label(top)
				for i := range PanelWidth / isa.Lanes() {
					v := a.vec()
					a.VPMOVZXWD(at(row, i*isa.VectorBytes/2), v)
					a.VPSLLD(operand.U8(halfBits), v, v)
					if p.Add {
						a.VADDPS(at(out, i*isa.VectorBytes), v, v)
					}
					a.VMOVUPS(v, at(out, i*isa.VectorBytes))
				}
				a.ADDQ(imm(PanelWidth*2), row)
				a.ADDQ(imm(PanelWidth*4), out)
				a.DECQ(left)
				a.JNZ(operand.LabelRef(top))
			})
			a.ret()
		},
	}
}

var pairEmbedFamily = Family{
	Name: "pair_embed",
	Doc:  "rows of a table of bfloat16 by index, copied or added",
	ISAs: []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel {
		var ks []Kernel
		for _, p := range PairEmbedSamples() {
			ks = append(ks, Embed(p, isa))
		}
		return ks
	},
}

var embedFamily = Family{
	Name: "embed",
	Doc:  "rows of a table by index, copied or added",
	ISAs: []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel {
		var ks []Kernel
		for _, p := range EmbedSamples() {
			ks = append(ks, Embed(p, isa))
		}
		return ks
	},
}

// EmbedSamples returns the look-ups that generated/kernels holds.
func EmbedSamples() []EmbedParams {
	var ps []EmbedParams
	for _, h := range []int{1, 16, 28, 39, 128, 768} {
		for _, add := range []bool{false, true} {
			ps = append(ps, EmbedParams{H: h, LDY: LD(h), LDT: h, Add: add})
		}
	}
	return ps
}

// PairEmbedSamples returns the look-ups in tables of bfloat16 that generated/kernels holds.
func PairEmbedSamples() []EmbedParams {
	var ps []EmbedParams
	for _, p := range EmbedSamples() {
		p.Pairs = true
		p.LDT = p.columns() / 2
		ps = append(ps, p)
	}
	return ps
}
