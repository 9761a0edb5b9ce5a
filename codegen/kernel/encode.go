package kernel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// encoding is an instruction that neither avo nor the Go assembler knows. A kernel emits it with virtual registers through [asm.encoded]. The pass encode
// writes its bytes when registers are assigned. A new instruction is one more row of the table encodings.
type encoding struct {
	name  string
	isa   string // as in the comment "Requires:" of a kernel
	vex   bool   // the prefix is VEX, else EVEX
	pp    byte   // the prefix that the instruction stands for: 1 is 66, 2 is F3, 3 is F2
	op    byte   // the byte of the operation in map 0F38
	three bool   // it has two sources, else one
	sums  bool   // it reads its destination, to which it adds
	half  bool   // the destination has half the bytes of the source
}

// The instructions of AVX512-BF16 and AVX-VNNI, from Intel's "Architecture Instruction Set Extensions Programming Reference". W is 0 in all of them.
var encodings = []encoding{
	{name: "VDPBF16PS", isa: "AVX512_BF16", pp: 2, op: 0x52, three: true, sums: true},
	{name: "VCVTNE2PS2BF16", isa: "AVX512_BF16", pp: 3, op: 0x72, three: true},
	{name: "VCVTNEPS2BF16", isa: "AVX512_BF16", pp: 2, op: 0x72, half: true},
	{name: "VPDPBUSD", isa: "AVX_VNNI", vex: true, pp: 1, op: 0x50, three: true, sums: true},
}

// suffixes of encoded instructions, as the Go assembler writes them.
const (
	broadcastSuffix = "BCST" // the operand in memory is 4 bytes, which stand for every lane
	zeroSuffix      = "Z"    // lanes that the mask leaves out become 0
)

// encodingOf returns the row of an instruction, or nil if avo knows the instruction itself.
func encodingOf(in *ir.Instruction) *encoding {
	name, _, _ := strings.Cut(in.Opcode, ".")
	for i := range encodings {
		if encodings[i].name == name {
			return &encodings[i]
		}
	}
	return nil
}

// encoded emits an instruction of the table encodings. The operands are in the order of Go's assembler: the source that may be in memory, the other source, a
// mask if there is one, and the destination. The name may end in .BCST, .Z or .BCST.Z.
func (a *asm) encoded(name string, ops ...operand.Op) {
	in := &ir.Instruction{Opcode: name, Operands: ops, Inputs: append([]operand.Op(nil), ops[:len(ops)-1]...), Outputs: ops[len(ops)-1:]}
	e := encodingOf(in)
	if e == nil {
		panic("kernel: no encoding of " + name)
	}
	in.ISA = []string{e.isa}
	if _, masked := maskOf(ops); e.sums || masked && !strings.HasSuffix(name, "."+zeroSuffix) {
		in.Inputs = append(in.Inputs, ops[len(ops)-1])
	}
	a.Instruction(in)
}

// maskOf returns the mask register among operands, if there is one.
func maskOf(ops []operand.Op) (reg.Register, bool) {
	for _, o := range ops {
		if r, ok := o.(reg.Register); ok && r.Kind() == reg.KindOpmask {
			return r, true
		}
	}
	return nil, false
}

// encode replaces the instructions of the table encodings by their bytes. All registers must be physical.
func encode(fn *ir.Function) error {
	for i, n := range fn.Nodes {
		in, ok := n.(*ir.Instruction)
		if !ok {
			continue
		}
		e := encodingOf(in)
		if e == nil {
			continue
		}
		code, err := e.bytes(in)
		if err != nil {
			return fmt.Errorf("%s: %w", in.Opcode, err)
		}
		var text []string
		for _, o := range in.Operands {
			text = append(text, o.Asm())
		}
		bound := *in
		bound.Opcode = fmt.Sprintf("%s // %s %s", data(code), in.Opcode, strings.Join(text, ", "))
		bound.Operands, bound.Inputs, bound.Outputs = nil, nil, nil
		fn.Nodes[i] = &bound
	}
	return nil
}

// data returns bytes as directives of Go's assembler.
func data(code []byte) string {
	var list []string
	for len(code) > 0 {
		switch {
		case len(code) >= 4:
			list = append(list, fmt.Sprintf("LONG $0x%08x", binary.LittleEndian.Uint32(code)))
			code = code[4:]
		case len(code) >= 2:
			list = append(list, fmt.Sprintf("WORD $0x%04x", binary.LittleEndian.Uint16(code)))
			code = code[2:]
		default:
			list = append(list, fmt.Sprintf("BYTE $0x%02x", code[0]))
			code = code[1:]
		}
	}
	return strings.Join(list, "; ")
}

// coded holds the operands of an instruction while its bytes are written.
type coded struct {
	*encoding
	dst, src  byte        // numbers of registers; src is that of the second source
	rm        operand.Op  // the source that may be in memory
	mask      byte        // 0: none
	zero      bool        // lanes that the mask leaves out become 0
	broadcast bool        // of 4 bytes in memory
	width     int         // bytes of the vectors that the instruction works on
	mem       operand.Mem // rm, if it is in memory
	inMemory  bool
}

// bytes returns the machine code of an instruction.
func (e *encoding) bytes(in *ir.Instruction) ([]byte, error) {
	c, err := e.read(in)
	if err != nil {
		return nil, err
	}
	modrm, err := c.modrm()
	if err != nil {
		return nil, err
	}
	if e.vex {
		return append(c.vexPrefix(), modrm...), nil
	}
	return append(c.evexPrefix(), modrm...), nil
}

// read reads the operands of an instruction.
func (e *encoding) read(in *ir.Instruction) (*coded, error) {
	c := &coded{encoding: e}
	ops := in.Operands
	for _, s := range strings.Split(in.Opcode, ".")[1:] {
		switch {
		case s == broadcastSuffix && !e.vex:
			c.broadcast = true
		case s == zeroSuffix && !e.vex:
			c.zero = true
		default:
			return nil, fmt.Errorf("suffix %s is unknown", s)
		}
	}
	if k, ok := maskOf(ops); ok {
		n, err := registerNumber(k)
		if err != nil {
			return nil, err
		}
		if e.vex || n == 0 || len(ops) < 3 || ops[len(ops)-2] != operand.Op(k) {
			return nil, errors.New("the mask must be K1 … K7, before the destination of an EVEX instruction")
		}
		c.mask = n
		ops = append(append([]operand.Op(nil), ops[:len(ops)-2]...), ops[len(ops)-1])
	}
	sources := 1
	if e.three {
		sources = 2
	}
	if len(ops) != sources+1 {
		return nil, fmt.Errorf("%d operands, must be %d", len(ops), sources+1)
	}
	c.rm = ops[0]
	c.mem, c.inMemory = c.rm.(operand.Mem)
	if c.broadcast && !c.inMemory {
		return nil, errors.New("a broadcast reads memory")
	}
	return c, c.registers(ops)
}

// registers reads the numbers and the width of the registers.
func (c *coded) registers(ops []operand.Op) error {
	dst, ok := ops[len(ops)-1].(reg.Register)
	if !ok {
		return errors.New("the destination must be a register")
	}
	var err error
	if c.dst, err = registerNumber(dst); err != nil {
		return err
	}
	c.width = int(dst.Size())
	if c.half {
		c.width *= 2
	}
	if c.three {
		src, ok := ops[1].(reg.Register)
		if !ok || int(src.Size()) != c.width {
			return fmt.Errorf("the second source must be a register of %d bytes", c.width)
		}
		if c.src, err = registerNumber(src); err != nil {
			return err
		}
	}
	if r, ok := c.rm.(reg.Register); ok && int(r.Size()) != c.width {
		return fmt.Errorf("the first source must have %d bytes", c.width)
	}
	if c.width < 16 || c.width > 64 || c.vex && (c.width > 32 || max(c.dst, c.src) > 15) {
		return fmt.Errorf("no form for vectors of %d bytes in these registers", c.width)
	}
	return nil
}

// registerNumber returns the number of a physical register.
func registerNumber(r reg.Register) (byte, error) {
	p, ok := r.(reg.Physical)
	if !ok {
		return 0, fmt.Errorf("%s has no physical register", r.Asm())
	}
	return byte(p.PhysicalIndex()), nil
}

// bit returns bit n of x at place to of the result, inverted, as prefixes hold the upper bits of register numbers.
func bit(x byte, n, to int) byte { return (^x >> n & 1) << to }

// extensions returns the upper bits of the numbers in the bytes after the prefix: bit 3 of the base or register and of the index, and bit 4 of the register.
func (c *coded) extensions() (base, index byte) {
	if !c.inMemory {
		n, _ := registerNumber(c.rm.(reg.Register))
		return n, n >> 1 // X holds bit 4 of a register
	}
	base, _ = registerNumber(c.mem.Base)
	if c.mem.Index != nil {
		index, _ = registerNumber(c.mem.Index)
	}
	return base, index
}

// level returns the length of the vectors as prefixes hold it.
func (c *coded) level() byte { return map[int]byte{16: 0, 32: 1, 64: 2}[c.width] }

// evexPrefix returns the prefix of 4 bytes, and the operation.
func (c *coded) evexPrefix() []byte {
	base, index := c.extensions()
	p1 := bit(c.dst, 3, 7) | bit(index, 3, 6) | bit(base, 3, 5) | bit(c.dst, 4, 4) | 2
	p2 := ^c.src&15<<3 | 1<<2 | c.pp
	p3 := c.level()<<5 | bit(c.src, 4, 3) | c.mask
	if c.zero {
		p3 |= 1 << 7
	}
	if c.broadcast {
		p3 |= 1 << 4
	}
	return []byte{0x62, p1, p2, p3, c.op}
}

// vexPrefix returns the prefix of 3 bytes, and the operation.
func (c *coded) vexPrefix() []byte {
	base, index := c.extensions()
	if !c.inMemory {
		index = 0
	}
	return []byte{0xc4, bit(c.dst, 3, 7) | bit(index, 3, 6) | bit(base, 3, 5) | 2, ^c.src&15<<3 | c.level()<<2 | c.pp, c.op}
}

// modrm returns the bytes after the operation: the operands, and the displacement. EVEX counts a displacement of one byte in units of the operand's size.
func (c *coded) modrm() ([]byte, error) {
	if !c.inMemory {
		n, err := registerNumber(c.rm.(reg.Register))
		return []byte{3<<6 | c.dst&7<<3 | n&7}, err
	}
	m := c.mem
	if m.Symbol.Name != "" || m.Base == nil || m.Base.Kind() != reg.KindGP {
		return nil, fmt.Errorf("%s: the address must begin with a general register", m.Asm())
	}
	base, err := registerNumber(m.Base)
	if err != nil {
		return nil, err
	}
	unit := 1
	if !c.vex {
		unit = c.width
		if c.broadcast {
			unit = 4
		}
	}
	mod, disp := byte(2), binary.LittleEndian.AppendUint32(nil, uint32(int32(m.Disp)))
	switch {
	case m.Disp == 0 && base&7 != 5: // in mode 0, base 5 means an address without a base
		mod, disp = 0, nil
	case m.Disp%unit == 0 && m.Disp/unit >= -128 && m.Disp/unit < 128:
		mod, disp = 1, []byte{byte(int8(m.Disp / unit))}
	}
	out := []byte{mod<<6 | c.dst&7<<3 | base&7}
	if m.Index == nil {
		if base&7 == 4 { // the number 4 stands for the byte of an index, whose index 4 means none
			out = append(out, 4<<3|4)
		}
		return append(out, disp...), nil
	}
	index, err := registerNumber(m.Index)
	if err != nil {
		return nil, err
	}
	scale, ok := map[uint8]byte{1: 0, 2: 1, 4: 2, 8: 3}[m.Scale]
	if !ok || index == 4 {
		return nil, fmt.Errorf("%s: the index cannot be encoded", m.Asm())
	}
	out[0] = out[0]&^7 | 4
	return append(append(out, scale<<6|index&7<<3|base&7), disp...), nil
}
