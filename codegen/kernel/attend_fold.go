package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"

	"github.com/debertac/debertac/runtime/attention"
)

// The folds are the transposes of the kernel join: they add the gradients of scores whose offsets share a row of the relative table.
//
// The rows of a vector's offsets rise or fall in steps of at most 1. If every step is 1, the sums are the vector itself, in the order of rows. If not, a scan
// over runs of equal rows leaves each sum in the last lane of its run; these lanes are then moved together. The order of a sum depends on where its offsets lie
// in a vector, and so on the sequence alone.

// attendFold returns the kernel that folds along keys.
func attendFold(p AttentionParams, isa ISA) Kernel {
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_fold_ldg%d_%s", p.LDG(), isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: append(append(params("s to", F32), params("along order", I32)...), params("m n", Int)...),
		Doc: fmt.Sprintf("adds s[i, j] to to[i, along[j-i]], s[m, n]. along points at the entry of the first\n"+
			"row and column, order at the order of along. n is rounded up to %d.\nRows of s are %d floats apart, of to %d.",
			isa.Lanes(), attention.LDS, p.LDG()),
		err:  p.Check(),
		emit: func(a *asm) { emitAttendFold(a, p) },
	}
}

// attendFoldKeys returns the kernel that folds along queries.
func attendFoldKeys(p AttentionParams, isa ISA) Kernel {
	return Kernel{
		Name:   fmt.Sprintf("attn_f32_foldkeys_ldg%d_%s", p.LDG(), isa.Name),
		Family: "attn",
		ISA:    isa,
		Params: append(append(params("s to", F32), params("down order", I32)...), params("m n", Int)...),
		Doc: fmt.Sprintf("adds s[i, j] to to[j, down[i-j]], s[m, n]. down points at the entry of the first\n"+
			"row and column, order at the order of down. m and n are rounded up to %d.\nRows of s are %d floats apart, of to %d.",
			isa.Lanes(), attention.LDS, p.LDG()),
		err:  p.Check(),
		emit: func(a *asm) { emitAttendFoldKeys(a, p) },
	}
}

// fold is what a kernel keeps of the order of rows, see attention.Order.
type fold struct {
	*asm
	order       reg.GPVirtual  // the table
	lanes       reg.VecVirtual // the order of lanes if every step is 1
	start, span reg.GPVirtual  // from the row of the first lane to the first row; from the row of the first lane to that of the last, if every step is 1
	last        reg.Register   // AVX-512: the mask of the last lane
}

// newFold loads the order.
func (a *asm) newFold() *fold {
	f := &fold{asm: a, order: a.arg("order"), lanes: a.vec(), start: a.GP64(), span: a.GP64()}
	full, size := 0, 16 // the place of the order of all lanes, and the length of the table
	if !a.ISA.Wide() {
		full, size = 255*8, 256*8
	}
	if a.ISA.Wide() {
		a.VMOVDQU32(at(f.order, full*4), f.lanes)
		f.last = a.K()
		bit := a.GP32()
		a.MOVL(operand.U32(1<<15), bit)
		a.KMOVW(bit, f.last)
	} else {
		a.VMOVDQU(at(f.order, full*4), f.lanes)
	}
	a.MOVLQSX(at(f.order, size*4), f.start)
	a.MOVLQSX(at(f.order, size*4+4), f.span)
	return f
}

// add adds the sums of x to the rows of the table at g + disp. rows is the address of the lanes' rows, first holds that of the first lane.
func (f *fold) add(x reg.VecVirtual, first reg.GPVirtual, g reg.GPVirtual, disp int) {
	to := f.GP64()
	f.LEAQ(operand.Mem{Base: first, Index: f.start, Scale: 1}, to)
	place := operand.Mem{Base: g, Index: to, Scale: 4, Disp: disp}
	f.VADDPS(place, x, x)
	f.VMOVUPS(x, place)
}

// inOrder returns the sums of a vector whose rows are all different.
func (f *fold) inOrder(x reg.VecVirtual) reg.VecVirtual {
	y := f.vec()
	f.VPERMPS(x, f.lanes, y)
	return y
}

// runs returns the sums of a vector over runs of equal rows. It overwrites x. rows returns the address of the lanes' rows, moved by a number of lanes.
func (f *fold) runs(x reg.VecVirtual, rows func(lanes int) operand.Mem) reg.VecVirtual {
	row, y := f.vec(), f.vec()
	if f.ISA.Wide() {
		zero, same := f.vec(), f.K()
		f.zero(zero)
		f.VMOVDQU32(rows(0), row)
		for k := 1; k < 16; k *= 2 {
			f.VPCMPEQD(rows(-k), row, same)
			f.VALIGND(operand.U8(16-k), zero, x, y)
			f.VADDPS(y, x, same, x)
		}
		f.VPCMPD(operand.U8(4), rows(1), row, same)
		f.KORW(same, f.last, same)
		sums := f.vec()
		f.VCOMPRESSPS_Z(x, same, y)
		f.VPERMPS(y, f.lanes, sums)
		return sums
	}
	f.VMOVDQU(rows(0), row)
	same := f.vec()
	for k := 1; k < 8; k *= 2 {
		var from, keep [8]uint32
		for l := range 8 {
			from[l] = uint32(max(l-k, 0))
			if l >= k {
				keep[l] = 1<<32 - 1
			}
		}
		f.VPCMPEQD(rows(-k), row, same)
		f.VPAND(f.pool.lanes(keep), same, same)
		f.VMOVDQU(f.pool.lanes(from), y)
		f.VPERMPS(x, y, y)
		f.VANDPS(same, y, y)
		f.VADDPS(y, x, x)
	}
	f.VPCMPEQD(rows(1), row, same)
	ends := f.GP32()
	f.VMOVMSKPS(same, ends)
	f.XORL(operand.U32(0xff), ends)
	f.ORL(operand.U32(0x80), ends)
	f.SHLL(operand.U8(5), ends)
	f.VMOVDQU(operand.Mem{Base: f.order, Index: ends.As64(), Scale: 1}, row)
	f.VPERMPS(x, row, y)
	f.VXORPS(same, same, same)
	f.VBLENDVPS(row, same, y, y)
	return y
}

func emitAttendFold(a *asm, p AttentionParams) {
	f := a.newFold()
	s, g, along, rows, width := a.arg("s"), a.arg("to"), a.arg("along"), a.arg("m"), a.arg("n")
	lanes := a.ISA.Lanes()
	a.SHLQ(operand.U8(2), width)
	col, top, vector, apart, next := a.GP64(), a.label("row"), a.label("vector"), a.label("runs"), a.label("next")
	a.Label(top)
	a.XORQ(col, col)
	a.Label(vector)
	entry := func(k int) operand.Mem { return operand.Mem{Base: along, Index: col, Scale: 1, Disp: 4 * k} }
	first, last, x := a.GP64(), a.GP64(), a.vec()
	a.VMOVUPS(operand.Mem{Base: s, Index: col, Scale: 1}, x)
	a.MOVLQSX(entry(0), first)
	a.MOVLQSX(entry(lanes-1), last)
	a.SUBQ(first, last)
	a.CMPQ(last, f.span)
	a.JNE(operand.LabelRef(apart))
	f.add(f.inOrder(x), first, g, 0)
	a.JMP(operand.LabelRef(next))
	a.Label(apart)
	f.add(f.runs(x, entry), first, g, 0)
	a.Label(next)
	a.ADDQ(imm(a.ISA.VectorBytes), col)
	a.CMPQ(col, width)
	a.JLT(operand.LabelRef(vector))
	a.ADDQ(imm(attention.LDS*4), s)
	a.ADDQ(imm(p.LDG()*4), g)
	a.SUBQ(imm(4), along)
	a.DECQ(rows)
	a.JNZ(operand.LabelRef(top))
	a.ret()
}

func emitAttendFoldKeys(a *asm, p AttentionParams) {
	f := a.newFold()
	s, down, rows, width := a.arg("s"), a.arg("down"), a.arg("m"), a.arg("n")
	lanes, ldg := a.ISA.Lanes(), p.LDG()*4
	a.SHLQ(operand.U8(2), width)
	h, here, col := a.GP64(), a.GP64(), a.GP64()
	strip, block, apart, next := a.label("rows"), a.label("columns"), a.label("runs"), a.label("next")
	a.Label(strip)
	a.XORQ(col, col)
	a.Load(a.Param("to"), h)
	a.MOVQ(down, here)
	a.Label(block)
	var square []reg.VecVirtual
	for i := range lanes {
		x := a.vec()
		a.VMOVUPS(operand.Mem{Base: s, Index: col, Scale: 1, Disp: i * attention.LDS * 4}, x)
		square = append(square, x)
	}
	turned := a.transpose(square)
	entry := func(j, k int) operand.Mem { return at(here, 4*(k-j)) }
	low, high := a.GP64(), a.GP64()
	a.MOVLQSX(entry(lanes-1, 0), low)
	a.MOVLQSX(entry(0, lanes-1), high)
	a.SUBQ(low, high)
	a.SUBQ(f.span, high)
	a.SUBQ(f.span, high)
	a.JNE(operand.LabelRef(apart))
	column := func(sums func(j int, x reg.VecVirtual) reg.VecVirtual) {
		for j, x := range turned {
			first := a.GP64()
			a.MOVLQSX(entry(j, 0), first)
			f.add(sums(j, x), first, h, j*ldg)
		}
	}
	column(func(_ int, x reg.VecVirtual) reg.VecVirtual { return f.inOrder(x) })
	a.JMP(operand.LabelRef(next))
	a.Label(apart)
	column(func(j int, x reg.VecVirtual) reg.VecVirtual {
		return f.runs(x, func(k int) operand.Mem { return entry(j, k) })
	})
	a.Label(next)
	a.ADDQ(imm(lanes*ldg), h)
	a.SUBQ(imm(lanes*4), here)
	a.ADDQ(imm(lanes*4), col)
	a.CMPQ(col, width)
	a.JLT(operand.LabelRef(block))
	a.ADDQ(imm(lanes*attention.LDS*4), s)
	a.ADDQ(imm(lanes*4), down)
	a.SUBQ(imm(lanes), rows)
	a.JG(operand.LabelRef(strip))
	a.ret()
}
