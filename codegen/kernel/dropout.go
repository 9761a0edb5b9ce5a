package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/debertac/debertac/runtime/dropout"
)

// DropoutParams holds the constants of a dropout kernel, see dropout.Rows.
type DropoutParams struct {
	N        int     // columns
	LDX, LDY int     // floats between rows; at least N rounded up to 16
	Rate     float64 // above 0 and below 1
}

func (p DropoutParams) check() error {
	if !(p.Rate > 0 && p.Rate < 1) {
		return fmt.Errorf("dropout: a rate of %g, not between 0 and 1", p.Rate)
	}
	return checkRow("dropout", p.N, p.LDX, p.LDY)
}

// DropoutName returns the kernel's name for an instruction set, or for [Generic].
func DropoutName(p DropoutParams, isa string) string {
	return fmt.Sprintf("dropout_f32_%d_ldx%d_ldy%d_rate%s_%s", p.N, p.LDX, p.LDY, number(p.Rate), isa)
}

// Dropout returns a kernel that drops elements: func(y, x *float32, key *int32, at, m int), m ≥ 1, with the bits of dropout.Rows for rows from number at on. y
// may be x. Columns of y from N to the next multiple of 16 become 0; those of x are not read.
func Dropout(p DropoutParams, isa ISA) Kernel {
	return Kernel{
		Name:   DropoutName(p, isa.Name),
		Family: "dropout",
		ISA:    isa,
		Params: append(append(params("y x", F32), params("key", I32)...), params("at m", Int)...),
		Doc: fmt.Sprintf("computes y[m, %d] = x/(1 - %g) or 0, for rows from number at on.\nRows of x are %d floats apart, of y %d.", p.N, p.Rate,
			p.LDX, p.LDY),
		err:  p.check(),
		emit: func(a *asm) { (&dropper{asm: a, DropoutParams: p}).emit() },
	}
}

// dropper is a dropout kernel while it is written.
type dropper struct {
	*asm
	DropoutParams
	limit, scale, first, second, step reg.Register // in every lane: the limit, the factor, those of the mixing function, and what a vector adds to the state
}

func (d *dropper) emit() {
	y, x, key, row, m := d.arg("y"), d.arg("x"), d.arg("key"), d.arg("at"), d.arg("m")
	k0, k1 := d.GP32(), d.GP32()
	d.MOVL(at(key, 0), k0)
	d.MOVL(at(key, 4), k1)
	begin := d.constants()
	cols, state := d.newColumns(d.N), d.vec()
	d.eachRow(m, []reg.Register{y, x}, []int{d.LDY * 4, d.LDX * 4}, func() {
		s, t := d.GP32(), d.GP32()
		d.MOVL(row.As32(), s)
		for _, k := range []reg.Register{k0, k1} {
			d.XORL(k, s)
			d.mixRow(s, t)
		}
		d.INCQ(row)
		low := d.XMM()
		d.VMOVD(s, low)
		d.VPBROADCASTD(low, state)
		d.VPADDD(begin, state, state)
		cols.each(1, func(ps []piece) {
			v := d.vec()
			cols.load(ps[0], x, v)
			d.VMULPS(d.scale, v, v)
			d.drop(state, v)
			d.VMOVUPS(v, ps[0].in(y))
			d.VPADDD(d.step, state, state)
		})
	})
	d.ret()
}

// constants loads the constants of d, and returns a vector with what each lane adds to the state of a row's first column.
func (d *dropper) constants() reg.Register {
	lanes := d.ISA.Lanes()
	word := func(x uint32) reg.Register {
		v := d.vec()
		d.VPBROADCASTD(d.pool.words(x), v)
		return v
	}
	d.limit, d.first, d.second, d.step = word(dropout.Limit(d.Rate)), word(dropout.First), word(dropout.Second), word(uint32(lanes)*(dropout.Step&(1<<32-1)))
	scale := d.vec()
	d.broadcast(float32(1/(1-d.Rate)), scale)
	d.scale = scale
	var steps [16]uint32
	for i := range steps {
		steps[i] = uint32(i) * (dropout.Step & (1<<32 - 1))
	}
	begin := d.vec()
	if d.ISA.Wide() {
		d.VMOVUPS(d.pool.lanes16(steps), begin)
	} else {
		d.VMOVUPS(d.pool.lanes([8]uint32(steps[:8])), begin)
	}
	return begin
}

// mixRow emits the mixing function of package dropout for a number.
func (d *dropper) mixRow(s, t reg.Register) {
	for i, shift := range []int{16, 15, 16} {
		d.MOVL(s, t)
		d.SHRL(operand.U8(shift), t)
		d.XORL(t, s)
		if i < 2 {
			d.IMUL3L(operand.U32([]uint32{dropout.First, dropout.Second}[i]), s, s)
		}
	}
}

// drop sets the lanes of v to 0 whose numbers are below the limit.
func (d *dropper) drop(state, v reg.Register) {
	h, t := d.vec(), d.vec()
	d.VMOVAPS(state, h)
	for i, shift := range []int{16, 15, 16} {
		d.VPSRLD(operand.U8(shift), h, t)
		if d.ISA.Wide() {
			d.VPXORD(t, h, h)
		} else {
			d.VPXOR(t, h, h)
		}
		if i < 2 {
			d.VPMULLD([]reg.Register{d.first, d.second}[i], h, h)
		}
	}
	if d.ISA.Wide() {
		k := d.K()
		d.VPCMPUD(operand.U8(5), d.limit, h, k) // not less than the limit
		d.VMOVAPS_Z(v, k, v)
		return
	}
	d.VPMAXUD(d.limit, h, t)
	d.VPCMPEQD(t, h, t)
	d.VANDPS(t, v, v)
}

var dropoutFamily = Family{
	Name: "dropout",
	Doc:  "the dropout of elements by their places, by rows",
	ISAs: []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel {
		var ks []Kernel
		for _, p := range DropoutSamples() {
			ks = append(ks, Dropout(p, isa))
		}
		return ks
	},
}

// DropoutSamples returns the dropouts that generated/kernels holds.
func DropoutSamples() []DropoutParams {
	var ps []DropoutParams
	for i, n := range []int{1, 16, 39, 768} {
		ps = append(ps, DropoutParams{N: n, LDX: LD(n), LDY: LD(n), Rate: []float64{0.5, 0.25, 0.1, 0.1}[i]})
	}
	return append(ps, DropoutParams{N: 24, LDX: 32, LDY: 48, Rate: 0.9})
}
