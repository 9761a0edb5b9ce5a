package kernel

import (
	"fmt"
	"math"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// asm builds the body of one kernel. It holds avo's context and what differs between instruction sets. Most vector instructions have one spelling for every
// register width, so a body written with vec() serves all sets.
type asm struct {
	*build.Context
	ISA    ISA
	pool   *pool
	labels map[string]int
}

// vec allocates a vector register of full width.
func (a *asm) vec() reg.VecVirtual {
	if a.ISA.Wide() {
		return a.ZMM()
	}
	return a.YMM()
}

// vector returns physical vector register i of full width, for code that assigns its registers by hand.
func (a *asm) vector(i int) reg.Register {
	if a.ISA.Wide() {
		return reg.LookupPhysical(reg.KindVector, reg.Index(i), reg.S512)
	}
	return reg.LookupPhysical(reg.KindVector, reg.Index(i), reg.S256)
}

// arg loads a parameter into a new general register.
func (a *asm) arg(name string) reg.GPVirtual {
	r := a.GP64()
	a.Load(a.Param(name), r)
	return r
}

// label returns a label that is new in this kernel.
func (a *asm) label(stem string) string {
	n := a.labels[stem]
	a.labels[stem]++
	return fmt.Sprintf("%s%d", stem, n)
}

// ret ends the kernel. It clears the upper halves of the registers, so that SSE code that follows (Go's own) runs at full speed.
func (a *asm) ret() {
	a.VZEROUPPER()
	a.RET()
}

// interleave emits the bodies merged instruction by instruction. They must be independent of each other and free of branches. A core's scheduler is too small
// to overlap two long chains of dependent instructions by itself.
func (a *asm) interleave(bodies ...func()) {
	file, err := a.Result()
	if err != nil || len(file.Sections) == 0 {
		return // the error is reported when the file is assembled
	}
	fn, ok := file.Sections[len(file.Sections)-1].(*ir.Function)
	if !ok {
		return
	}
	start := len(fn.Nodes)
	var parts [][]ir.Node
	for _, body := range bodies {
		body()
		parts = append(parts, append([]ir.Node(nil), fn.Nodes[start:]...))
		fn.Nodes = fn.Nodes[:start]
	}
	for i := 0; ; i++ {
		more := false
		for _, p := range parts {
			if i < len(p) {
				fn.Nodes = append(fn.Nodes, p[i])
				more = true
			}
		}
		if !more {
			return
		}
	}
}

// align makes the next instruction start at a multiple of n bytes.
func (a *asm) align(n int) {
	a.Instruction(&ir.Instruction{Opcode: "PCALIGN", Operands: []operand.Op{operand.Imm(uint64(n))}})
}

// imm returns an immediate operand; the assembler picks the shortest encoding.
func imm(n int) operand.Op { return operand.I32(n) }

// zero sets a vector register to zero.
func (a *asm) zero(r reg.Register) {
	if a.ISA.Wide() {
		// avo would take r as an input of VPXORD, and so as live before it.
		a.Instruction(&ir.Instruction{
			Opcode: "VPXORD", ISA: []string{"AVX512F"},
			Operands: []operand.Op{r, r, r}, Outputs: []operand.Op{r},
		})
		return
	}
	a.VXORPS(r, r, r)
}

// blend sets dst to y where the mask is set, and to x elsewhere (AVX-512).
func (a *asm) blend(mask, x, y, dst reg.Register) {
	// avo would take dst as an input of VBLENDMPS, and so as live before it, over the whole loop around it.
	a.Instruction(&ir.Instruction{
		Opcode: "VBLENDMPS", ISA: []string{"AVX512F"},
		Operands: []operand.Op{y, x, mask, dst}, Inputs: []operand.Op{y, x, mask}, Outputs: []operand.Op{dst},
	})
}

// broadcast fills dst with a constant.
func (a *asm) broadcast(x float32, dst reg.Register) {
	a.VBROADCASTSS(a.pool.words(math.Float32bits(x)), dst)
}

// with emits an instruction whose first operand is the constant x in every lane. It uses the broadcast form with a 4-byte constant if the set has one, else the
// plain form with a 32-byte constant.
func (a *asm) with(x float32, narrow, bcst func(...operand.Op), rest ...operand.Op) {
	a.withBits(math.Float32bits(x), narrow, bcst, rest...)
}

func (a *asm) withBits(x uint32, narrow, bcst func(...operand.Op), rest ...operand.Op) {
	if a.ISA.Wide() {
		bcst(append([]operand.Op{a.pool.words(x)}, rest...)...)
		return
	}
	narrow(append([]operand.Op{a.pool.splat(x)}, rest...)...)
}

// mulC computes dst = v·x.
func (a *asm) mulC(x float32, v, dst reg.Register) { a.with(x, a.vmulps, a.VMULPS_BCST, v, dst) }

// addC computes dst = v + x.
func (a *asm) addC(x float32, v, dst reg.Register) { a.with(x, a.vaddps, a.VADDPS_BCST, v, dst) }

// fmaAddC computes dst = dst·v + x (a step of Horner's scheme).
func (a *asm) fmaAddC(x float32, v, dst reg.Register) {
	a.with(x, a.vfmadd213, a.VFMADD213PS_BCST, v, dst)
}

// fmaMulC computes dst = v·x + dst.
func (a *asm) fmaMulC(x float32, v, dst reg.Register) {
	a.with(x, a.vfmadd231, a.VFMADD231PS_BCST, v, dst)
}

// andC computes dst = v & x, bit by bit.
func (a *asm) andC(x uint32, v, dst reg.Register) {
	if a.ISA.Wide() {
		a.VPANDD_BCST(a.pool.words(x), v, dst)
		return
	}
	a.VANDPS(a.pool.splat(x), v, dst)
}

// orC computes dst = v | x, bit by bit.
func (a *asm) orC(x uint32, v, dst reg.Register) {
	if a.ISA.Wide() {
		a.VPORD_BCST(a.pool.words(x), v, dst)
		return
	}
	a.VORPS(a.pool.splat(x), v, dst)
}

// or computes dst = v | w, bit by bit.
func (a *asm) or(w operand.Op, v, dst reg.Register) {
	if a.ISA.Wide() {
		a.VPORD(w, v, dst)
		return
	}
	a.VORPS(w, v, dst)
}

// vmulps and the methods below are operations of avo with variadic operands, so that the method with can take either form.
func (a *asm) vmulps(ops ...operand.Op)    { a.VMULPS(ops...) }
func (a *asm) vaddps(ops ...operand.Op)    { a.VADDPS(ops...) }
func (a *asm) vfmadd213(ops ...operand.Op) { a.VFMADD213PS(ops...) }
func (a *asm) vfmadd231(ops ...operand.Op) { a.VFMADD231PS(ops...) }

// at returns the address disp bytes after base.
func at(base reg.Register, disp int) operand.Mem { return operand.Mem{Base: base, Disp: disp} }

// pool holds the constants of one assembly file, each once, in order of first use. One symbol holds the 4-byte constants and another the vectors, which the
// linker aligns to 32 bytes.
type pool struct {
	word    []uint32
	vector  [][8]uint32
	wordAt  map[uint32]int
	vectors map[[8]uint32]int
}

const (
	wordSymbol   = "words"
	vectorSymbol = "vectors"
)

// words returns the address of a 4-byte constant.
func (p *pool) words(x uint32) operand.Mem {
	i, ok := p.wordAt[x]
	if !ok {
		if p.wordAt == nil {
			p.wordAt = map[uint32]int{}
		}
		i = len(p.word)
		p.word = append(p.word, x)
		p.wordAt[x] = i
	}
	return operand.NewDataAddr(operand.NewStaticSymbol(wordSymbol), 4*i)
}

// splat returns the address of a 32-byte vector with x in each lane.
func (p *pool) splat(x uint32) operand.Mem {
	return p.lanes([8]uint32{x, x, x, x, x, x, x, x})
}

// lanes returns the address of a 32-byte vector.
func (p *pool) lanes(v [8]uint32) operand.Mem {
	i, ok := p.vectors[v]
	if !ok {
		if p.vectors == nil {
			p.vectors = map[[8]uint32]int{}
		}
		i = len(p.vector)
		p.vector = append(p.vector, v)
		p.vectors[v] = i
	}
	return operand.NewDataAddr(operand.NewStaticSymbol(vectorSymbol), 32*i)
}

// lanes16 returns the address of a 64-byte vector. It consists of two adjacent 32-byte vectors, so it may cross a cache line: load it once, outside loops.
func (p *pool) lanes16(v [16]uint32) operand.Mem {
	i := len(p.vector)
	p.vector = append(p.vector, [8]uint32(v[:8]), [8]uint32(v[8:]))
	return operand.NewDataAddr(operand.NewStaticSymbol(vectorSymbol), 32*i)
}

// emit writes the symbols as bit patterns and not as floats, because a NaN does not assemble.
func (p *pool) emit(ctx *build.Context) {
	if len(p.word) > 0 {
		ctx.StaticGlobal(wordSymbol)
		ctx.DataAttributes(attr.RODATA | attr.NOPTR)
		for _, x := range p.word {
			ctx.AppendDatum(operand.U32(x))
		}
	}
	if len(p.vector) > 0 {
		ctx.StaticGlobal(vectorSymbol)
		ctx.DataAttributes(attr.RODATA | attr.NOPTR)
		for _, v := range p.vector {
			for _, x := range v {
				ctx.AppendDatum(operand.U32(x))
			}
		}
	}
}
