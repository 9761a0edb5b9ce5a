package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// columns walks over the vectors of a row of n floats. Rows are stored in steps of 16 floats, so the vectors cover n rounded up to 16. The last vectors may
// hold data in only some lanes, or in none.
type columns struct {
	*asm
	n    int
	mask reg.Register // the lanes of the partial vector: a mask register, or a vector
}

// piece is one vector of a row.
type piece struct {
	index reg.Register // bytes from the start of the row, or nil
	disp  int          // bytes to add
	lanes int          // lanes that hold data, from lane 0
}

// in returns the address of the piece in the row at base.
func (p piece) in(base reg.Register) operand.Mem {
	m := operand.Mem{Base: base, Disp: p.disp}
	if p.index != nil {
		m.Index, m.Scale = p.index, 1
	}
	return m
}

// newColumns prepares walks over rows of n floats. It loads the mask, so it must be called before loops.
func (a *asm) newColumns(n int) *columns {
	c := &columns{asm: a, n: n}
	tail := n % a.ISA.Lanes()
	switch {
	case tail == 0:
	case a.ISA.Wide():
		bits := a.GP32()
		a.MOVL(operand.U32(1<<tail-1), bits)
		k := a.K()
		a.KMOVW(bits, k)
		c.mask = k
	default:
		var lanes [8]uint32
		for i := range tail {
			lanes[i] = 1<<32 - 1
		}
		v := a.vec()
		a.VMOVUPS(a.pool.lanes(lanes), v)
		c.mask = v
	}
	return c
}

// each emits body for all vectors: first a loop that takes unroll full vectors per turn, then the others. body gets the pieces of a turn.
func (c *columns) each(unroll int, body func(ps []piece)) {
	lanes, size := c.ISA.Lanes(), c.ISA.VectorBytes
	full := c.n / lanes
	done := 0
	if turns := full / unroll; turns > 1 {
		i := c.GP64()
		c.XORQ(i, i)
		top := c.label("column")
		c.Label(top)
		var ps []piece
		for u := range unroll {
			ps = append(ps, piece{i, u * size, lanes})
		}
		body(ps)
		c.ADDQ(imm(unroll*size), i)
		c.CMPQ(i, imm(turns*unroll*size))
		c.JLT(operand.LabelRef(top))
		done = turns * unroll
	}
	var rest []piece
	for v := done; v < (c.n+15)/16*16/lanes; v++ {
		rest = append(rest, piece{nil, v * size, max(0, min(lanes, c.n-v*lanes))})
	}
	for len(rest) > 0 {
		k := min(unroll, len(rest))
		body(rest[:k])
		rest = rest[k:]
	}
}

// load reads the data of a piece. Other lanes become 0, and their memory is not touched.
func (c *columns) load(p piece, base, dst reg.Register) {
	switch {
	case p.lanes == c.ISA.Lanes():
		c.VMOVUPS(p.in(base), dst)
	case p.lanes == 0:
		c.zero(dst)
	case c.ISA.Wide():
		c.VMOVUPS_Z(p.in(base), c.mask, dst)
	default:
		c.VMASKMOVPS(p.in(base), c.mask, dst)
	}
}

// keep sets the lanes of v without data to 0.
func (c *columns) keep(p piece, v reg.Register) {
	switch {
	case p.lanes == c.ISA.Lanes():
	case p.lanes == 0:
		c.zero(v)
	case c.ISA.Wide():
		c.VMOVAPS_Z(v, c.mask, v)
	default:
		c.VANDPS(c.mask, v, v)
	}
}

// sum adds the lanes of v. The result is in all lanes of dst, and v is overwritten.
func (a *asm) sum(v reg.Vec, dst reg.Register) {
	x, t := a.XMM(), a.XMM()
	if a.ISA.Wide() {
		h := a.YMM()
		a.VEXTRACTF64X4(operand.U8(1), v.AsZ(), h)
		a.VADDPS(h, v.AsY(), v.AsY())
	}
	a.VEXTRACTF128(operand.U8(1), v.AsY(), x)
	a.VADDPS(v.AsX(), x, x)
	a.VMOVHLPS(x, x, t)
	a.VADDPS(t, x, x)
	a.VMOVSHDUP(x, t)
	a.VADDSS(t, x, x)
	a.VBROADCASTSS(x, dst)
}

// eachRow emits body in a loop over m ≥ 1 rows; pointers move on by their
// steps, in bytes, after each row.
func (a *asm) eachRow(m reg.Register, pointers []reg.Register, steps []int, body func()) {
	top := a.label("row")
	a.Label(top)
	body()
	for i, p := range pointers {
		a.ADDQ(imm(steps[i]), p)
	}
	a.DECQ(m)
	a.JNZ(operand.LabelRef(top))
}

// checkRow returns an error for widths that a row-wise kernel cannot have.
func checkRow(family string, n int, lds ...int) error {
	if n < 1 || n > 1<<24 {
		return fmt.Errorf("%s: width %d is not between 1 and 2^24", family, n)
	}
	for _, ld := range lds {
		if ld < (n+15)/16*16 || ld > 1<<26 {
			return fmt.Errorf("%s: rows %d floats apart cannot hold %d floats in steps of 16", family, ld, n)
		}
	}
	return nil
}
