package kernel

import (
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
	"github.com/stretchr/testify/require"
)

func z(n int) reg.Register { return reg.LookupPhysical(reg.KindVector, reg.Index(n), reg.S512) }
func y(n int) reg.Register { return reg.LookupPhysical(reg.KindVector, reg.Index(n), reg.S256) }

func list(ops ...operand.Op) []operand.Op { return ops }

func indexed(base, index reg.Register, scale uint8, disp int) operand.Op {
	return operand.Mem{Base: base, Index: index, Scale: scale, Disp: disp}
}

// encodedRows holds the bytes and the text of GNU as and objdump 2.40.
var encodedRows = []struct {
	name       string
	ops        []operand.Op
	code, text string
}{
	{"VDPBF16PS", list(z(2), z(1), z(0)), "62f2764852c2", "vdpbf16ps %zmm2,%zmm1,%zmm0"},
	{"VDPBF16PS", list(z(31), z(30), z(29)), "62020e4052ef", "vdpbf16ps %zmm31,%zmm30,%zmm29"},
	{"VDPBF16PS", list(z(15), z(23), z(8)), "6252464052c7", "vdpbf16ps %zmm15,%zmm23,%zmm8"},
	{"VDPBF16PS", list(z(8), z(16), z(16)), "62c27e4052c0", "vdpbf16ps %zmm8,%zmm16,%zmm16"},
	{"VDPBF16PS", list(at(reg.RAX, 0), z(1), z(0)), "62f276485200", "vdpbf16ps (%rax),%zmm1,%zmm0"},
	{"VDPBF16PS", list(at(reg.R15, 64), z(17), z(0)), "62d27640524701", "vdpbf16ps 0x40(%r15),%zmm17,%zmm0"},
	{"VDPBF16PS", list(at(reg.RBX, 8128), z(1), z(0)), "62f2764852437f", "vdpbf16ps 0x1fc0(%rbx),%zmm1,%zmm0"},
	{"VDPBF16PS", list(at(reg.RBX, 8192), z(1), z(0)), "62f27648528300200000", "vdpbf16ps 0x2000(%rbx),%zmm1,%zmm0"},
	{"VDPBF16PS", list(at(reg.RBX, -8192), z(1), z(0)), "62f27648524380", "vdpbf16ps -0x2000(%rbx),%zmm1,%zmm0"},
	{"VDPBF16PS", list(at(reg.RBX, 100), z(1), z(0)), "62f27648528364000000", "vdpbf16ps 0x64(%rbx),%zmm1,%zmm0"},
	{"VDPBF16PS", list(at(reg.RBP, 0), z(1), z(0)), "62f27648524500", "vdpbf16ps 0x0(%rbp),%zmm1,%zmm0"},
	{"VDPBF16PS", list(at(reg.R13, 0), z(1), z(0)), "62d27648524500", "vdpbf16ps 0x0(%r13),%zmm1,%zmm0"},
	{"VDPBF16PS", list(at(reg.RSP, 0), z(1), z(0)), "62f27648520424", "vdpbf16ps (%rsp),%zmm1,%zmm0"},
	{"VDPBF16PS", list(at(reg.R12, 64), z(1), z(0)), "62d2764852442401", "vdpbf16ps 0x40(%r12),%zmm1,%zmm0"},
	{"VDPBF16PS", list(indexed(reg.RSI, reg.R9, 4, 128), z(1), z(28)), "6222764852648e02", "vdpbf16ps 0x80(%rsi,%r9,4),%zmm1,%zmm28"},
	{"VDPBF16PS", list(indexed(reg.R13, reg.RDX, 1, 0), z(1), z(28)), "6242764852641500", "vdpbf16ps 0x0(%r13,%rdx,1),%zmm1,%zmm28"},
	{"VDPBF16PS", list(indexed(reg.R12, reg.R12, 8, 0), z(1), z(28)), "620276485224e4", "vdpbf16ps (%r12,%r12,8),%zmm1,%zmm28"},
	{"VDPBF16PS.BCST", list(at(reg.RAX, 4), z(28), z(3)), "62f21e50525801", "vdpbf16ps 0x4(%rax){1to16},%zmm28,%zmm3"},
	{"VDPBF16PS.BCST", list(at(reg.RAX, 508), z(28), z(3)), "62f21e5052587f", "vdpbf16ps 0x1fc(%rax){1to16},%zmm28,%zmm3"},
	{"VDPBF16PS.BCST", list(at(reg.RAX, 512), z(28), z(3)), "62f21e50529800020000", "vdpbf16ps 0x200(%rax){1to16},%zmm28,%zmm3"},
	{"VDPBF16PS", list(z(2), z(1), reg.K3, z(0)), "62f2764b52c2", "vdpbf16ps %zmm2,%zmm1,%zmm0{%k3}"},
	{"VDPBF16PS.Z", list(z(2), z(1), reg.K7, z(0)), "62f276cf52c2", "vdpbf16ps %zmm2,%zmm1,%zmm0{%k7}{z}"},
	{"VDPBF16PS.BCST.Z", list(at(reg.RDI, -4), z(1), reg.K1, z(0)), "62f276d95247ff", "vdpbf16ps -0x4(%rdi){1to16},%zmm1,%zmm0{%k1}{z}"},
	{"VDPBF16PS", list(y(2), y(17), y(0)), "62f2762052c2", "vdpbf16ps %ymm2,%ymm17,%ymm0"},
	{"VDPBF16PS", list(at(reg.RCX, 32), y(17), y(0)), "62f27620524101", "vdpbf16ps 0x20(%rcx),%ymm17,%ymm0"},
	{"VCVTNE2PS2BF16", list(z(5), z(20), z(9)), "62725f4072cd", "vcvtne2ps2bf16 %zmm5,%zmm20,%zmm9"},
	{"VCVTNE2PS2BF16", list(at(reg.R8, 192), z(20), z(25)), "62425f40724803", "vcvtne2ps2bf16 0xc0(%r8),%zmm20,%zmm25"},
	{"VCVTNE2PS2BF16", list(z(5), z(20), reg.K2, z(9)), "62725f4272cd", "vcvtne2ps2bf16 %zmm5,%zmm20,%zmm9{%k2}"},
	{"VCVTNEPS2BF16", list(z(5), y(9)), "62727e4872cd", "vcvtneps2bf16 %zmm5,%ymm9"},
	{"VCVTNEPS2BF16", list(z(30), y(31)), "62027e4872fe", "vcvtneps2bf16 %zmm30,%ymm31"},
	{"VCVTNEPS2BF16", list(at(reg.R10, 64), y(9)), "62527e48724a01", "vcvtneps2bf16 0x40(%r10),%ymm9"},
	{"VCVTNEPS2BF16.Z", list(z(1), reg.K4, y(2)), "62f27ecc72d1", "vcvtneps2bf16 %zmm1,%ymm2{%k4}{z}"},
	{"VPDPBUSD", list(y(2), y(1), y(0)), "c4e27550c2", "{vex} vpdpbusd %ymm2,%ymm1,%ymm0"},
	{"VPDPBUSD", list(y(12), y(10), y(15)), "c4422d50fc", "{vex} vpdpbusd %ymm12,%ymm10,%ymm15"},
	{"VPDPBUSD", list(at(reg.R9, 100), y(1), y(8)), "c44275504164", "{vex} vpdpbusd 0x64(%r9),%ymm1,%ymm8"},
	{"VPDPBUSD", list(at(reg.R9, 128), y(1), y(8)), "c44275508180000000", "{vex} vpdpbusd 0x80(%r9),%ymm1,%ymm8"},
	{"VPDPBUSD", list(indexed(reg.RBP, reg.R11, 2, 0), y(1), y(8)), "c4227550445d00", "{vex} vpdpbusd 0x0(%rbp,%r11,2),%ymm1,%ymm8"},
}

// TestEncode compares the bytes of instructions with those that GNU as makes of the text.
func TestEncode(t *testing.T) {
	for _, row := range encodedRows {
		in := &ir.Instruction{Opcode: row.name, Operands: row.ops}
		code, err := encodingOf(in).bytes(in)
		require.NoError(t, err, row.text)
		require.Equal(t, row.code, hex.EncodeToString(code), row.text)
	}
}

// TestDisassembly reads the bytes back with objdump, if this machine has it.
func TestDisassembly(t *testing.T) {
	objdump, err := exec.LookPath("objdump")
	if err != nil {
		t.Skip("objdump is not installed")
	}
	var all []byte
	for _, row := range encodedRows {
		in := &ir.Instruction{Opcode: row.name, Operands: row.ops}
		code, err := encodingOf(in).bytes(in)
		require.NoError(t, err)
		all = append(all, code...)
	}
	file := filepath.Join(t.TempDir(), "code")
	require.NoError(t, os.WriteFile(file, all, 0o666))
	out, err := exec.Command(objdump, "-D", "-b", "binary", "-m", "i386:x86-64", "-w", "--no-show-raw-insn", file).Output()
	if err != nil || !strings.Contains(string(out), "vdpbf16ps") || !strings.Contains(string(out), "{vex}") {
		t.Skip("this objdump does not know the instructions")
	}
	var got, want []string
	for _, m := range regexp.MustCompile(`(?m)^ *[0-9a-f]+:\t(.*)$`).FindAllStringSubmatch(string(out), -1) {
		got = append(got, strings.Join(strings.Fields(m[1]), " "))
	}
	for _, row := range encodedRows {
		want = append(want, row.text)
	}
	require.Equal(t, want, got)
}

// TestEncodeRefuses checks that operands without an encoding are errors.
func TestEncodeRefuses(t *testing.T) {
	virtual := reg.NewCollection().ZMM()
	for _, c := range []struct {
		name string
		ops  []operand.Op
		want string
	}{
		{"VDPBF16PS", list(z(1), z(2)), "2 operands, must be 3"},
		{"VDPBF16PS", list(y(1), z(2), z(3)), "the first source must have 64 bytes"},
		{"VDPBF16PS", list(z(1), y(2), z(3)), "the second source must be a register of 64 bytes"},
		{"VDPBF16PS", list(z(1), z(2), at(reg.RAX, 0)), "the destination must be a register"},
		{"VDPBF16PS", list(z(1), z(2), virtual), "has no physical register"},
		{"VDPBF16PS", list(z(1), z(2), reg.K0, z(3)), "the mask must be K1"},
		{"VDPBF16PS", list(z(1), reg.K1, z(2), z(3)), "the mask must be K1"},
		{"VDPBF16PS.BCST", list(z(1), z(2), z(3)), "a broadcast reads memory"},
		{"VDPBF16PS.SAE", list(z(1), z(2), z(3)), "suffix SAE is unknown"},
		{"VDPBF16PS", list(operand.NewDataAddr(operand.NewStaticSymbol("words"), 0), z(2), z(3)), "must begin with a general register"},
		{"VDPBF16PS", list(indexed(reg.RAX, reg.RSP, 1, 0), z(2), z(3)), "the index cannot be encoded"},
		{"VCVTNEPS2BF16", list(y(1), y(2)), "the first source must have 64 bytes"},
		{"VPDPBUSD", list(z(1), z(2), z(3)), "no form for vectors of 64 bytes"},
		{"VPDPBUSD", list(y(1), y(16), y(3)), "no form for vectors"},
		{"VPDPBUSD.Z", list(y(1), y(2), y(3)), "suffix Z is unknown"},
	} {
		in := &ir.Instruction{Opcode: c.name, Operands: c.ops}
		_, err := encodingOf(in).bytes(in)
		require.ErrorContains(t, err, c.want, "%s", c.name)
	}
	require.Nil(t, encodingOf(&ir.Instruction{Opcode: "VADDPS"}))
}

// TestEncodedRegisters checks that virtual registers of an encoded instruction are assigned, that what it reads stays alive until then, and how it is printed.
func TestEncodedRegisters(t *testing.T) {
	isa, _ := FindISA(AVX512)
	text, err := Assemble("a test", []Kernel{{
		Name: "sum", ISA: isa, Params: params("y x", F32), emit: func(a *asm) {
			y, x := a.arg("y"), a.arg("x")
			acc, v := a.ZMM(), a.ZMM()
			a.zero(acc)
			a.VMOVUPS(at(x, 0), v)
			other := a.ZMM()
			a.VMOVUPS(at(x, 64), other)
			a.encoded("VDPBF16PS", other, v, acc)
			a.encoded("VDPBF16PS.BCST", at(x, 4), v, acc)
			half := a.YMM()
			a.encoded("VCVTNEPS2BF16", acc, half)
			a.VMOVUPS(half, at(y, 0))
			a.ret()
		},
	}})
	require.NoError(t, err)
	require.Contains(t, string(text), "// Requires: AVX, AVX512F, AVX512_BF16\n")
	require.Regexp(t, `LONG \$0x[0-9a-f]{8}; WORD \$0x[0-9a-f]{4} // VDPBF16PS Z2, Z1, Z0\n`, string(text))
	require.Regexp(t, `LONG \$0x[0-9a-f]{8}; WORD \$0x[0-9a-f]{4}; BYTE \$0x[0-9a-f]{2} // VDPBF16PS.BCST 4\(CX\), Z1, Z0\n`, string(text))
	require.Regexp(t, `// VCVTNEPS2BF16 Z0, Y0\n`, string(text))
}
