package codegen

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
	"github.com/debertac/debertac/runtime/attention"
)

// attendLowering runs the attention of a training program, the op attend, or its gradient, the op attend_grad. The loops are in package runtime/attention; the
// generated package holds their constants.
type attendLowering struct{ grad bool }

// first returns the place of the first operand of attend.
func (l attendLowering) first() int {
	if l.grad {
		return 1
	}
	return 0
}

// operand returns an operand of attend, or nil.
func (l attendLowering) operand(n *ir.Node, i int) *ir.Value { return operand(n, l.first()+i) }

// attendFields are the names of the operands in [attention.Tensors] and [attention.Strides].
var attendFields = []struct {
	name    string
	operand int
}{
	{"Q", ops.AttendQ}, {"K", ops.AttendK}, {"V", ops.AttendV}, {"KR", ops.AttendKR}, {"QR", ops.AttendQR}, {"Bias", ops.AttendBias},
	{"MixScore", ops.AttendMixScore}, {"MixWeight", ops.AttendMixWeight},
}

// result returns the gradient of an operand, or nil.
func (l attendLowering) result(n *ir.Node, i int) *ir.Value {
	if k := slices.Index(ops.AttendDifferentiable(n.In[l.first():]), i); l.grad && k >= 0 {
		return n.Out[k]
	}
	return nil
}

// output returns the result of attend, or its gradient.
func (l attendLowering) output(n *ir.Node) *ir.Value {
	if l.grad {
		return n.In[0]
	}
	return n.Out[0]
}

// stride returns the distance between the rows of a matrix.
func stride(v *ir.Value) int { return max(v.LD, v.Type.Shape[1].N) }

// constants returns the constants of a node.
func (l attendLowering) constants(n *ir.Node) attention.Attend {
	a := attention.Attend{Heads: n.Int("heads"), Scale: float32(n.Float("scale")), Masked: ops.AttentionMasked(n),
		Rate:     n.Float("rate"),
		MixScore: l.operand(n, ops.AttendMixScore) != nil, MixWeight: l.operand(n, ops.AttendMixWeight) != nil,
		Terms: attention.Terms{Content: n.Flag("cc"), KeyPosition: signOf(n.Flag("cp"), n.Flag("flip_cp")),
			QueryPosition: signOf(n.Flag("pc"), n.Flag("flip_pc")), Bias: l.operand(n, ops.AttendBias) != nil},
		Rows: map[string]attention.Rows{"first": attention.First, "picked": attention.Picked}[n.Str("rows")]}
	size := func(i, extent int) int {
		if v := l.operand(n, i); v != nil {
			return v.Type.Shape[extent].N
		}
		return 0
	}
	a.D, a.E = max(size(ops.AttendQ, 1), size(ops.AttendK, 1))/a.Heads, size(ops.AttendV, 1)/a.Heads
	a.R = max(size(ops.AttendKR, 0), size(ops.AttendQR, 0))
	if a.Terms.Indexed() {
		a.Reach = size(ops.AttendIndex, 0) / 2
	}
	if a.Terms.Bias {
		a.Reach = size(ops.AttendBias, 1) / 2
	}
	for _, to := range []struct {
		strides *attention.Strides
		of      func(i int) *ir.Value
	}{{&a.Operands, func(i int) *ir.Value { return l.operand(n, i) }}, {&a.Gradient, func(i int) *ir.Value { return l.result(n, i) }}} {
		s := to.strides
		for k, at := range []*int{&s.Q, &s.K, &s.V, &s.KR, &s.QR, &s.Bias, &s.MixScore, &s.MixWeight} {
			if v := to.of(attendFields[k].operand); v != nil {
				*at = stride(v)
			}
		}
	}
	a.Operands.O = stride(l.output(n))
	return a
}

// signOf returns the sign of a term.
func signOf(use, flip bool) attention.Sign {
	switch {
	case !use:
		return attention.Absent
	case flip:
		return attention.Reverse
	}
	return attention.Forward
}

// attendCode returns the declaration of a form, with kernels for an instruction set if isa is not nil.
func attendCode(name string, grad bool, a attention.Attend, isa *kernel.ISA) *jen.Statement {
	fields := []field{{"Heads", jen.Lit(a.Heads)}, {"D", jen.Lit(a.D)}, {"E", jen.Lit(a.E)}, {"R", jen.Lit(a.R)}, {"Reach", jen.Lit(a.Reach)},
		{"Scale", jen.Lit(a.Scale)}, {"Terms", termsCode(a.Terms)}}
	if word := map[attention.Rows]string{attention.First: "First", attention.Picked: "Picked"}[a.Rows]; word != "" {
		fields = append(fields, field{"Rows", jen.Qual(attentionPath, word)})
	}
	for _, f := range []struct {
		name string
		set  bool
	}{{"Masked", a.Masked}, {"MixScore", a.MixScore}, {"MixWeight", a.MixWeight}} {
		if f.set {
			fields = append(fields, field{f.name, jen.True()})
		}
	}
	if a.Rate != 0 {
		fields = append(fields, field{"Rate", jen.Lit(a.Rate)})
	}
	fields = append(fields, field{"Operands", stridesCode(a.Operands)})
	if a.Gradient != (attention.Strides{}) {
		fields = append(fields, field{"Gradient", stridesCode(a.Gradient)})
	}
	what, in := "computes an attention", "plain Go"
	if grad {
		what = "computes the gradients of an attention"
	}
	if isa != nil {
		in = "blocks, with kernels for " + isa.Doc
		if grad {
			fields = append(fields, field{"Backward", attendForm("BackwardForm", kernel.AttendBackward(&a), *isa, kernel.AttendGradJobs(&a, *isa))})
		} else {
			fields = append(fields, field{"Forward", attendForm("ForwardForm", kernel.AttendForward(&a), *isa, kernel.AttendJobs(&a, *isa))})
		}
	}
	return jen.Commentf("%s %s in %s, with the score %s.", name, what, in, scoreText(a.Terms)).Line().
		Var().Id(name).Op("=").Qual(attentionPath, "Attend").Add(literal(true, fields...))
}

// attendForm returns the literal of a pass with kernels.
func attendForm(typ string, p kernel.AttentionParams, isa kernel.ISA, jobs []kernel.AttentionJob) jen.Code {
	inner, head, rest := rateFields(p, isa), []field(nil), []field(nil)
	for _, j := range jobs {
		f := field{j.Field, jen.Id(j.Name)}
		switch {
		case hasField[attention.Kernels](j.Field):
			inner = append(inner, f)
		case hasField[attention.HeadKernels](j.Field):
			head = append(head, f)
		default:
			rest = append(rest, f)
		}
	}
	form := jen.Qual(attentionPath, "Form").Add(literal(true, field{"Shape", shapeCode(&p.Shape)},
		field{"Kernels", jen.Qual(attentionPath, "Kernels").Add(literal(true, inner...))}))
	fields := append([]field{{"Form", form}, {"HeadKernels", jen.Qual(attentionPath, "HeadKernels").Add(literal(true, head...))}}, rest...)
	return jen.Op("&").Qual(attentionPath, typ).Add(literal(true, fields...))
}

// hasField reports whether a struct has a field.
func hasField[T any](name string) bool {
	_, ok := reflect.TypeFor[T]().FieldByName(name)
	return ok
}

// stridesCode returns the literal of strides, without those of operands that are not there.
func stridesCode(s attention.Strides) jen.Code {
	var fields []field
	names := []string{"O"}
	for _, f := range attendFields {
		names = append(names, f.name)
	}
	for i, x := range []int{s.O, s.Q, s.K, s.V, s.KR, s.QR, s.Bias, s.MixScore, s.MixWeight} {
		if x != 0 {
			fields = append(fields, field{names[i], jen.Lit(x)})
		}
	}
	return jen.Qual(attentionPath, "Strides").Add(literal(false, fields...))
}

func (attendLowering) name(n *ir.Node) string { return n.Op }

// batch returns nothing: the runtime reads the starts of sequences, their positions and prefixes, and the picked rows from the batch itself.
func (attendLowering) batch(*ir.Node) []*ir.Value { return nil }

func (attendLowering) after(*step) []string { return nil }

// kernels chooses the form.
func (l attendLowering) kernels(set *kernelSet, s *step) (err error) {
	a := l.constants(s.node)
	s.kernel, err = set.use(baseName(kernel.AttendName(&a, l.grad, kernel.Generic)), func(k *kernelUse) error {
		k.form = jen.Qual(attentionPath, "Attend")
		k.portable = func(name string) (jen.Code, error) { return attendCode(name, l.grad, a, nil), nil }
		if kernel.CheckAttend(&a) != nil { // mixed heads, and sizes that no assembly is made for
			return nil
		}
		for _, isa := range set.isas {
			jobs := kernel.AttendJobs(&a, isa)
			if l.grad {
				jobs = kernel.AttendGradJobs(&a, isa)
			}
			for _, j := range jobs { // one kernel may have two jobs
				if !slices.ContainsFunc(k.asm[isa.Name], func(o kernel.Kernel) bool { return o.Name == j.Name }) {
					k.asm[isa.Name] = append(k.asm[isa.Name], j.Kernel)
				}
			}
			k.driver[isa.Name] = func(name string) (jen.Code, error) { return attendCode(name, l.grad, a, &isa), nil }
		}
		return nil
	})
	return err
}

func (l attendLowering) units(s *step) units {
	a := l.constants(s.node)
	if l.grad {
		doc := "A unit is one head of all sequences."
		if a.Mixes() {
			doc = "A unit is the whole batch, because the heads are mixed."
		}
		return units{fmt.Sprint(a.GradUnits()), doc}
	}
	doc := fmt.Sprintf("A unit is one head of %d sequences.", attention.GroupSequences)
	if a.Mixes() {
		doc = fmt.Sprintf("A unit is %d sequences, all heads.", attention.GroupSequences)
	}
	return units{fmt.Sprintf("portable.%s.Units(e.sequences)", s.kernel.field), doc}
}

func (l attendLowering) scratch(s *step) []string {
	if l.grad {
		return []string{fmt.Sprintf("portable.%s.GradScratch(s.N)", s.kernel.field)}
	}
	return []string{fmt.Sprintf("portable.%s.Scratch(s.N)", s.kernel.field)}
}

func (l attendLowering) unit(s *step) []string {
	n := s.node
	// tensors returns the literal of the pointers to operands or to gradients.
	tensors := func(o *ir.Value, of func(i int) *ir.Value) string {
		var list []string
		if o != nil {
			list = append(list, "O: "+s.ptr(o))
		}
		for _, f := range attendFields {
			v := of(f.operand)
			if v == nil {
				continue
			}
			p := s.ptr(v)
			if f.name == "Bias" { // the entry of offset 0
				p = offset(p, v.Type.Shape[1].N/2)
			}
			list = append(list, f.name+": "+p)
		}
		return "attention.Tensors{" + strings.Join(list, ", ") + "}"
	}
	text := ""
	field := func(name, value string) { text += fmt.Sprintf("\t%s: %s,\n", name, value) }
	field("Tensors", tensors(l.output(n), func(i int) *ir.Value { return l.operand(n, i) }))
	run := "Run"
	if l.grad {
		run = "RunGrad"
		field("Grad", tensors(nil, func(i int) *ir.Value { return l.result(n, i) }))
	}
	if v := l.operand(n, ops.AttendIndex); v != nil {
		field("Index", offset(s.ptr(v), v.Type.Shape[0].N/2))
	}
	if l.operand(n, ops.AttendPos) != nil {
		field("Positions", "e.Holes(0)")
	}
	field("Starts", "e.Starts")
	if l.operand(n, ops.AttendPrefix) != nil {
		field("Prefix", "e.Prefix")
	}
	if l.operand(n, ops.AttendPicked) != nil {
		field("Picked", "e.Rows")
	}
	if v := l.operand(n, ops.AttendKey); v != nil {
		field("Key", s.ptr(v))
	}
	field("Scratch", "e.scratch(worker)")
	return []string{fmt.Sprintf("e.k.%s.%s(attention.AttendCall{\n%s}, unit)", s.kernel.field, run, text)}
}
