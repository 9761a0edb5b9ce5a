package kernel

import (
	"fmt"
	"strings"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// UpdateParams holds the constants of a kernel that walks over whole tensors in memory, such as a step of an optimizer. The rules are the ops of those names in
// package ir/ops, which state the formulas.
type UpdateParams struct {
	Rule     string  // a name of [UpdateRules]
	Beta1    float64 // adamw, lamb_moments
	Beta2    float64 // adamw, lamb_moments
	Decay    float64 // adamw, lamb_moments, lamb, sgd
	Momentum float64 // sgd; 0: there are no sums of gradients
	Mix      float64 // lookahead
}

// updateRule is a rule of the family.
type updateRule struct {
	name string
	args func(p UpdateParams) string // the pointers, in the order of the op's portable form
	emit func(u *updater)
}

// updateRules is the table of rules, sorted by name.
var updateRules = []updateRule{
	{"accumulate", fixedArgs("sum grad keep"), (*updater).accumulate},
	{"adamw", fixedArgs("p grad first second rate clip moments"), (*updater).adamw},
	{"lamb", fixedArgs("p first second rate trust moments"), (*updater).lamb},
	{"lamb_moments", fixedArgs("y p grad first second clip moments"), (*updater).lambMoments},
	{"lookahead", fixedArgs("p slow"), (*updater).lookahead},
	{"sgd", sgdPointers, (*updater).sgd},
	{"square_sum", fixedArgs("y x"), (*updater).squareSum},
}

// UpdateRules returns the names of the rules.
func UpdateRules() []string {
	var names []string
	for _, r := range updateRules {
		names = append(names, r.name)
	}
	return names
}

// fixedArgs returns the same pointers for all parameters.
func fixedArgs(names string) func(UpdateParams) string {
	return func(UpdateParams) string { return names }
}

func sgdPointers(p UpdateParams) string {
	if p.Momentum != 0 {
		return "p grad first rate clip"
	}
	return "p grad rate clip"
}

// rule returns the row of the table, or nil.
func (p UpdateParams) rule() *updateRule {
	for i, r := range updateRules {
		if r.name == p.Rule {
			return &updateRules[i]
		}
	}
	return nil
}

func (p UpdateParams) check() error {
	if p.rule() == nil {
		return fmt.Errorf("update: no rule is called %q", p.Rule)
	}
	for _, c := range []struct {
		name string
		x    float64
		most float64
	}{{"Beta1", p.Beta1, 1}, {"Beta2", p.Beta2, 1}, {"Momentum", p.Momentum, 1}, {"Mix", p.Mix, 1}, {"Decay", p.Decay, 1 << 20}} {
		if !(c.x >= 0) || c.x > c.most {
			return fmt.Errorf("update: %s = %g is not between 0 and %g", c.name, c.x, c.most)
		}
	}
	return nil
}

// UpdateName returns the kernel's name for an instruction set, or for [Generic].
func UpdateName(p UpdateParams, isa string) string {
	name := "update_f32_" + p.Rule
	for _, c := range []struct {
		name string
		x    float64
	}{{"b", p.Beta1}, {"b", p.Beta2}, {"d", p.Decay}, {"m", p.Momentum}, {"mix", p.Mix}} {
		if c.x != 0 || c.name == "b" && (p.Rule == "adamw" || p.Rule == "lamb_moments") {
			name += "_" + c.name + number(c.x)
		}
	}
	return name + "_" + isa
}

// Update returns a kernel that walks over n floats of each tensor, in place: func(pointers *float32, n int). n is a multiple of 16 and at least 16. The tensors
// have zeros between rows, which stay zeros. Numbers below the least normal float32 count as 0 and become 0, because a moment that fades away would otherwise
// become one, and arithmetic with such numbers is many times slower.
func Update(p UpdateParams, isa ISA) Kernel {
	k := Kernel{
		Name:   UpdateName(p, isa.Name),
		Family: "update",
		ISA:    isa,
		Doc:    fmt.Sprintf("runs %s over n floats of whole tensors, in place. n is a multiple of 16.", p.Rule),
		err:    p.check(),
	}
	if r := p.rule(); r != nil {
		k.Params = append(params(r.args(p), F32), params("n", Int)...)
		k.emit = func(a *asm) {
			u := newUpdater(a, p, strings.Fields(r.args(p)))
			r.emit(u)
			u.restore()
			a.ret()
		}
	}
	return k
}

// updater emits one kernel.
type updater struct {
	*asm
	p         UpdateParams
	at        map[string]reg.GPVirtual // the pointers, by name
	bytes, i  reg.GPVirtual            // 4·n, and the offset of the current float in bytes
	was, flat operand.Mem              // the control register of arithmetic: on entry, and with numbers that are flushed to 0
}

// Bits of MXCSR: results, and operands, below the least normal number become 0.
const (
	flushToZero      = 1 << 15
	denormalsAreZero = 1 << 6
)

// newUpdater loads the arguments and makes arithmetic flush what is below the least normal number.
func newUpdater(a *asm, p UpdateParams, pointers []string) *updater {
	u := &updater{asm: a, p: p, at: map[string]reg.GPVirtual{}}
	for _, name := range pointers {
		u.at[name] = a.arg(name)
	}
	u.bytes = a.arg("n")
	a.SHLQ(operand.U8(2), u.bytes)
	u.i = a.GP64()
	space := a.AllocLocal(8)
	u.was, u.flat = space, space.Offset(4)
	bits := a.GP32()
	a.STMXCSR(u.was)
	a.MOVL(u.was, bits)
	a.ORL(imm(flushToZero|denormalsAreZero), bits)
	a.MOVL(bits, u.flat)
	a.LDMXCSR(u.flat)
	return u
}

// restore sets the control register to what it was.
func (u *updater) restore() { u.LDMXCSR(u.was) }

// number returns a register with element at of an argument in every lane.
func (u *updater) number(arg string, at int) reg.VecVirtual {
	v := u.vec()
	u.VBROADCASTSS(operand.Mem{Base: u.at[arg], Disp: 4 * at}, v)
	return v
}

// constant returns a register with a constant in every lane.
func (u *updater) constant(x float64) reg.VecVirtual {
	v := u.vec()
	u.broadcast(float32(x), v)
	return v
}

// in returns the address of the current floats of a tensor, disp bytes further on.
func (u *updater) in(tensor string, disp int) operand.Mem {
	return operand.Mem{Base: u.at[tensor], Index: u.i, Scale: 1, Disp: disp}
}

// each emits a loop over the floats, 16 per turn. body is called for each vector of a turn, with its offset in bytes.
func (u *updater) each(body func(disp int)) {
	u.XORQ(u.i, u.i)
	top := u.label("floats")
	u.Label(top)
	for disp := 0; disp < 64; disp += u.ISA.VectorBytes {
		body(disp)
	}
	u.ADDQ(imm(64), u.i)
	u.CMPQ(u.i, u.bytes)
	u.JLT(operand.LabelRef(top))
}

// adamNumbers holds the numbers of a step in registers.
type adamNumbers struct{ beta1, rest1, beta2, rest2, clip, mean, root, plus, decay reg.VecVirtual }

// quotient loads the numbers of the quotient of the moments.
func (u *updater) quotient() (k adamNumbers) {
	k.mean, k.root, k.plus = u.number("moments", 0), u.number("moments", 1), u.number("moments", 2)
	if u.p.Decay != 0 {
		k.decay = u.constant(u.p.Decay)
	}
	return k
}

// moments loads the numbers of the moments too.
func (u *updater) moments() adamNumbers {
	k := u.quotient()
	k.beta1, k.rest1 = u.constant(u.p.Beta1), u.constant(1-u.p.Beta1)
	k.beta2, k.rest2 = u.constant(u.p.Beta2), u.constant(1-u.p.Beta2)
	k.clip = u.number("clip", 0)
	return k
}

// next computes and stores the next moments.
func (u *updater) next(k adamNumbers, disp int) (first, second reg.VecVirtual) {
	g := u.vec()
	first, second = u.vec(), u.vec()
	u.VMULPS(u.in("grad", disp), k.clip, g)
	u.VMULPS(u.in("first", disp), k.beta1, first)
	u.VFMADD231PS(k.rest1, g, first)
	u.VMOVUPS(first, u.in("first", disp))
	u.VMULPS(u.in("second", disp), k.beta2, second)
	u.VMULPS(g, g, g)
	u.VFMADD231PS(k.rest2, g, second)
	u.VMOVUPS(second, u.in("second", disp))
	return first, second
}

// way computes mean·first/(root·√second + plus) + decay·p in first. It changes second.
func (u *updater) way(k adamNumbers, p, first, second reg.VecVirtual) {
	u.VSQRTPS(second, second)
	u.VFMADD213PS(k.plus, k.root, second)
	u.VMULPS(k.mean, first, first)
	u.VDIVPS(second, first, first)
	if u.p.Decay != 0 {
		u.VFMADD231PS(k.decay, p, first)
	}
}

// load returns a register with the current floats of a tensor.
func (u *updater) load(tensor string, disp int) reg.VecVirtual {
	v := u.vec()
	u.VMOVUPS(u.in(tensor, disp), v)
	return v
}

func (u *updater) adamw() {
	k, rate := u.moments(), u.number("rate", 0)
	u.each(func(disp int) {
		first, second := u.next(k, disp)
		p := u.load("p", disp)
		u.way(k, p, first, second)
		u.VFNMADD231PS(rate, first, p)
		u.VMOVUPS(p, u.in("p", disp))
	})
}

func (u *updater) lambMoments() {
	k := u.moments()
	squares := u.sums(2)
	u.each(func(disp int) {
		first, second := u.next(k, disp)
		p := u.load("p", disp)
		u.way(k, p, first, second)
		u.VFMADD231PS(p, p, squares[0])
		u.VFMADD231PS(first, first, squares[1])
	})
	for i, s := range squares {
		u.sum(s, s)
		u.VMOVSS(s.AsX(), operand.Mem{Base: u.at["y"], Disp: 4 * i})
	}
}

func (u *updater) lamb() {
	k, rate, trust := u.quotient(), u.number("rate", 0), u.number("trust", 0)
	u.VMULPS(trust, rate, rate)
	u.each(func(disp int) {
		first, second, p := u.load("first", disp), u.load("second", disp), u.load("p", disp)
		u.way(k, p, first, second)
		u.VFNMADD231PS(rate, first, p)
		u.VMOVUPS(p, u.in("p", disp))
	})
}

func (u *updater) sgd() {
	rate, clip := u.number("rate", 0), u.number("clip", 0)
	var momentum, decay reg.VecVirtual
	if u.p.Momentum != 0 {
		momentum = u.constant(u.p.Momentum)
	}
	if u.p.Decay != 0 {
		decay = u.constant(u.p.Decay)
	}
	u.each(func(disp int) {
		d, p := u.vec(), u.load("p", disp)
		u.VMULPS(u.in("grad", disp), clip, d)
		if u.p.Momentum != 0 {
			u.VFMADD231PS(u.in("first", disp), momentum, d)
			u.VMOVUPS(d, u.in("first", disp))
		}
		if u.p.Decay != 0 {
			u.VFMADD231PS(decay, p, d)
		}
		u.VFNMADD231PS(rate, d, p)
		u.VMOVUPS(p, u.in("p", disp))
	})
}

func (u *updater) lookahead() {
	mix := u.constant(u.p.Mix)
	u.each(func(disp int) {
		way, slow := u.load("p", disp), u.load("slow", disp)
		u.VSUBPS(slow, way, way)
		u.VFMADD231PS(mix, way, slow)
		u.VMOVUPS(slow, u.in("slow", disp))
		u.VMOVUPS(slow, u.in("p", disp))
	})
}

func (u *updater) accumulate() {
	keep, copied, done := u.GP32(), u.label("copy"), u.label("done")
	u.MOVL(operand.Mem{Base: u.at["keep"]}, keep)
	u.TESTL(keep, keep)
	u.JZ(operand.LabelRef(copied))
	u.each(func(disp int) {
		g := u.load("grad", disp)
		u.VADDPS(u.in("sum", disp), g, g)
		u.VMOVUPS(g, u.in("sum", disp))
	})
	u.JMP(operand.LabelRef(done))
	u.Label(copied)
	u.each(func(disp int) { u.VMOVUPS(u.load("grad", disp), u.in("sum", disp)) })
	u.Label(done)
}

// sums returns registers that are 0.
func (u *updater) sums(n int) []reg.VecVirtual {
	list := make([]reg.VecVirtual, n)
	for i := range list {
		list[i] = u.vec()
		u.zero(list[i])
	}
	return list
}

// squareSum adds up squares in 64 sums, or, for what is left of the floats, in the first 16 of them.
func (u *updater) squareSum() {
	sums := u.sums(256 / u.ISA.VectorBytes)
	add := func(vectors int) {
		for i := range vectors {
			x := u.load("x", i*u.ISA.VectorBytes)
			u.VFMADD231PS(x, x, sums[i])
		}
	}
	whole, left, done, top, rest := u.GP64(), u.label("left"), u.label("done"), u.label("whole"), u.label("rest")
	u.MOVQ(u.bytes, whole)
	u.ANDQ(imm(-256), whole)
	u.XORQ(u.i, u.i)
	u.JMP(operand.LabelRef(left))
	u.Label(top)
	add(len(sums))
	u.ADDQ(imm(256), u.i)
	u.Label(left)
	u.CMPQ(u.i, whole)
	u.JLT(operand.LabelRef(top))
	u.Label(rest)
	u.CMPQ(u.i, u.bytes)
	u.JGE(operand.LabelRef(done))
	add(64 / u.ISA.VectorBytes)
	u.ADDQ(imm(64), u.i)
	u.JMP(operand.LabelRef(rest))
	u.Label(done)
	for n := len(sums) / 2; n > 0; n /= 2 {
		for i := range n {
			u.VADDPS(sums[i+n], sums[i], sums[i])
		}
	}
	u.sum(sums[0], sums[0])
	u.VMOVSS(sums[0].AsX(), operand.Mem{Base: u.at["y"]})
}

var updateFamily = Family{
	Name: "update",
	Doc:  "steps of optimizers over whole tensors, in place",
	ISAs: []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel {
		var ks []Kernel
		for _, p := range UpdateSamples() {
			ks = append(ks, Update(p, isa))
		}
		return ks
	},
}

// UpdateSamples returns the updates that generated/kernels holds.
func UpdateSamples() []UpdateParams {
	return []UpdateParams{
		{Rule: "accumulate"},
		{Rule: "adamw", Beta1: 0.9, Beta2: 0.999, Decay: 0.01},
		{Rule: "adamw", Beta1: 0.9, Beta2: 0.999},
		{Rule: "adamw"},
		{Rule: "lamb", Decay: 0.01},
		{Rule: "lamb"},
		{Rule: "lamb_moments", Beta1: 0.9, Beta2: 0.999, Decay: 0.01},
		{Rule: "lamb_moments", Beta1: 0.9, Beta2: 0.999},
		{Rule: "lookahead", Mix: 0.5},
		{Rule: "sgd"},
		{Rule: "sgd", Decay: 0.01},
		{Rule: "sgd", Momentum: 0.9, Decay: 0.01},
		{Rule: "square_sum"},
	}
}
