package kernel

import (
	"fmt"

	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// SpansParams holds the constants of a kernel that scores pairs from the parts of an inner layer:
//
//	y[k, c] = relu(a + b[k])·u[c, :I] + u[c, I]    0 ≤ k < m, 0 ≤ c < labels
//
// A call scores the spans that begin at one word, for all labels; or the labels of one word, for its three scores.
type SpansParams struct {
	I        int // columns of a and b; u has one more
	LDB, LDU int // floats between rows of b and of u
	YK, YC   int // floats between y[k, c] and y[k+1, c], and y[k, c+1]
}

func (p SpansParams) check() error {
	if p.YK < 1 || p.YC < 1 || p.YK > 1<<24 || p.YC > 1<<24 {
		return fmt.Errorf("spans: results %d and %d floats apart", p.YK, p.YC)
	}
	if p.LDU <= p.I || p.LDU > 1<<26 {
		return fmt.Errorf("spans: rows of u %d floats apart cannot hold %d floats and a constant", p.LDU, p.I)
	}
	return checkRow("spans", p.I, p.LDB)
}

// SpansName returns the kernel's name for an instruction set, or for [Generic].
func SpansName(p SpansParams, isa string) string {
	return fmt.Sprintf("spans_f32_%d_ldb%d_ldu%d_y%d_%d_%s", p.I, p.LDB, p.LDU, p.YK, p.YC, isa)
}

// Spans returns a scoring kernel: func(y, a, b, u *float32, m, labels int), both at least 1. Each result is a sum over the lanes of a vector, in the same order
// for every m and labels.
func Spans(p SpansParams, isa ISA) Kernel {
	return Kernel{
		Name:   SpansName(p, isa.Name),
		Family: "spans",
		ISA:    isa,
		Params: append(params("y a b u", F32), params("m labels", Int)...),
		Doc: fmt.Sprintf("computes y[m, labels] = relu(a + b[m, %d])·u[labels, %d] + u[labels, column %d]\n"+
			"Rows of b are %d floats apart, of u %d; y[k, c] is y[k·%d + c·%d].",
			p.I, p.I, p.I, p.LDB, p.LDU, p.YK, p.YC),
		err:  p.check(),
		emit: func(a *asm) { (&spans{asm: a, SpansParams: p}).emit() },
	}
}

// spans is a scoring kernel while it is written.
type spans struct {
	*asm
	SpansParams
	cols    *columns
	a, zero reg.Register
}

// spanRows and spanLabels are the numbers of rows of b and of u in a tile. Their sums fill the registers.
const spanRows = 4

func (s *spans) spanLabels() int {
	if s.ISA.Wide() {
		return 4
	}
	return 2
}

func (s *spans) emit() {
	y, u, labels := s.arg("y"), s.arg("u"), s.arg("labels")
	s.a = s.arg("a")
	zero := s.vec()
	s.asm.zero(zero)
	s.zero = zero
	s.cols = s.newColumns(s.I)
	for _, q := range []int{s.spanLabels(), 1} {
		s.while(labels, q, func() {
			b, out, m := s.arg("b"), s.GP64(), s.arg("m")
			s.MOVQ(y, out)
			for _, r := range []int{spanRows, 1} {
				s.while(m, r, func() {
					s.tile(out, b, u, r, q)
					s.ADDQ(imm(r*s.YK*4), out)
					s.ADDQ(imm(r*s.LDB*4), b)
				})
			}
			s.ADDQ(imm(q*s.YC*4), y)
			s.ADDQ(imm(q*s.LDU*4), u)
		})
	}
	s.ret()
}

// while emits body in a loop that runs while count is at least n. Each turn subtracts n from count.
func (s *spans) while(count reg.Register, n int, body func()) {
	top, end := s.label("while"), s.label("end")
	s.Label(top)
	s.CMPQ(count, imm(n))
	s.JLT(operand.LabelRef(end))
	body()
	s.SUBQ(imm(n), count)
	s.JMP(operand.LabelRef(top))
	s.Label(end)
}

// tile computes r rows of b for q rows of u.
func (s *spans) tile(y, b, u reg.Register, r, q int) {
	acc := make([]reg.VecVirtual, r*q)
	for i := range acc {
		acc[i] = s.vec()
		s.asm.zero(acc[i])
	}
	s.cols.each(1, func(ps []piece) {
		p := ps[0]
		if p.lanes == 0 {
			return
		}
		down := func(rows int) piece { return piece{p.index, p.disp + rows*4, p.lanes} }
		from := s.vec()
		s.cols.load(p, s.a, from)
		weights := make([]reg.VecVirtual, q)
		for c := range weights {
			weights[c] = s.vec()
			s.cols.load(down(c*s.LDU), u, weights[c])
		}
		for k := range r {
			t := s.vec()
			s.cols.load(down(k*s.LDB), b, t)
			s.VADDPS(from, t, t)
			s.VMAXPS(t, s.zero, t)
			for c := range weights {
				s.VFMADD231PS(weights[c], t, acc[k*q+c])
			}
		}
	})
	for k := range r {
		for c := range q {
			sum := s.total(acc[k*q+c])
			s.VADDSS(at(u, (c*s.LDU+s.I)*4), sum, sum)
			s.VMOVSS(sum, at(y, (k*s.YK+c*s.YC)*4))
		}
	}
}

// total adds the lanes of v into the first lane of the result. It uses instructions that can address all registers.
func (s *spans) total(v reg.VecVirtual) reg.VecVirtual {
	x, t := s.XMM(), s.XMM()
	if s.ISA.Wide() {
		half := s.YMM()
		s.VEXTRACTF64X4(operand.U8(1), v.AsZ(), half)
		s.VADDPS(half, v.AsY(), half)
		s.VEXTRACTF32X4(operand.U8(1), half, x)
		s.VADDPS(half.AsX(), x, x)
	} else {
		s.VEXTRACTF128(operand.U8(1), v.AsY(), x)
		s.VADDPS(v.AsX(), x, x)
	}
	s.VMOVHLPS(x, x, t)
	s.VADDPS(t, x, x)
	s.VMOVSHDUP(x, t)
	s.VADDSS(t, x, x)
	return x
}

var spansFamily = Family{
	Name: "spans",
	Doc:  "scores of spans of words for labels, or of words",
	ISAs: []string{AVX2, AVX512},
	Samples: func(isa ISA) []Kernel {
		var ks []Kernel
		for _, p := range SpansSamples() {
			ks = append(ks, Spans(p, isa))
		}
		return ks
	},
}

// SpansSamples returns the scorings that generated/kernels holds.
func SpansSamples() []SpansParams {
	var ps []SpansParams
	for _, i := range []int{1, 16, 20, 45, 96, 2048} {
		ps = append(ps, SpansParams{I: i, LDB: LD(i), LDU: LD(i + 1), YK: 1, YC: 16}, SpansParams{I: i, LDB: LD(i), LDU: LD(i + 1), YK: 16, YC: 1})
	}
	return ps
}
