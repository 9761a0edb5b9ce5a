package codegen

import (
	"fmt"
	"slices"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
	"github.com/debertac/debertac/runtime/tasktable"
)

// attentionLowering runs a form of package runtime/attention on one head of one sequence, or on all heads for some of its queries.
type attentionLowering struct{}

// mixedParts is the number of units into which the queries of a sequence are divided if one call computes all heads.
const mixedParts = 8

// eachRow reports whether every row is a query.
func eachRow(n *ir.Node) bool { return n.Str("rows") == "" || n.Str("rows") == "each" }

// name returns the op's name. An attention reads several tables, so their names would not describe it.
func (attentionLowering) name(n *ir.Node) string { return n.Op }

// batch returns nothing. A unit reads the starts of sequences, their positions and prefixes, and the picked rows from the batch itself.
func (attentionLowering) batch(*ir.Node) []*ir.Value { return nil }

// kernels chooses the form of an attention.
func (attentionLowering) kernels(set *kernelSet, s *step) error {
	n := s.node
	p := attentionConstants(n)
	scattered, err := ops.AttentionJumps(set.emitter.p, n)
	if err != nil {
		return err
	}
	field := attentionName(n)
	portable := field + "_strip"
	s.kernel, err = set.use(field, func(k *kernelUse) error {
		k.form = jen.Qual(attentionPath, "Form")
		k.portable = func(name string) (jen.Code, error) {
			strip, err := portableStrip(portable, n)
			if err != nil {
				return nil, err
			}
			return formCode(name, p, nil, portable).Line().Line().Add(strip), nil
		}
		// These run only in plain Go: all heads at once, sizes that no assembly is made for, and tables that assembly cannot read by windows.
		if scattered || ops.AttentionMixes(n) || p.Check() != nil {
			return nil
		}
		isas := set.isas
		if p.Pairs {
			isas = slices.Concat(set.more, isas)
		}
		for _, isa := range isas {
			// A set that extends another shares kernels with it, which that one brings.
			k.asm[isa.Name] = slices.DeleteFunc(kernel.AttentionKernels(p, isa), func(a kernel.Kernel) bool { return a.ISA.Name != isa.Name })
			k.driver[isa.Name] = func(name string) (jen.Code, error) { return formCode(name, p, &isa, portable), nil }
		}
		return nil
	})
	return err
}

func (attentionLowering) units(s *step) units {
	switch n := s.node; {
	case ops.AttentionMixes(n) && eachRow(n):
		return units{fmt.Sprintf("%d*e.sequences", mixedParts),
			fmt.Sprintf("A unit is one of %d parts of the queries of one sequence, for all heads.", mixedParts)}
	case ops.AttentionMixes(n):
		return units{"e.sequences", "A unit is one sequence, all heads."}
	case n.Int("heads") > 1:
		return units{fmt.Sprintf("%d*e.sequences", n.Int("heads")), "A unit is one head of one sequence."}
	}
	return units{"e.sequences", "A unit is one head of one sequence."}
}

func (attentionLowering) scratch(s *step) []string {
	return []string{fmt.Sprintf("portable.%s.Scratch(s.N)", s.kernel.field)}
}

// after returns the statements that pass the maps to the trace hook and that count the attentions whose rows are kept.
func (attentionLowering) after(s *step) []string {
	var code []string
	if s.e.traces(s) {
		code = append(code, fmt.Sprintf("e.%s()", traceMethod(s)))
	}
	if s.e.resumes() {
		code = append(code, "e.attention++")
	}
	return code
}

func (a attentionLowering) unit(s *step) []string {
	n, out := s.node, s.node.Out[0]
	heads, dp := n.Int("heads"), n.Int("dp")
	resumes := s.e.resumes()
	call := func(row, from, to string) string {
		o := at(s.ptr(out), fmt.Sprintf("%s*%d + h*%d", row, out.LD, dp))
		return fmt.Sprintf("e.k.%s.Run(%s)", s.kernel.field, a.call(s, o, "worker", from, to))
	}
	which := fmt.Sprintf("b, h := unit/%d, unit%%%d", heads, heads)
	switch {
	case ops.AttentionMixes(n) && eachRow(n):
		which = fmt.Sprintf("b, part, h := unit/%d, unit%%%d, 0", mixedParts, mixedParts)
	case ops.AttentionMixes(n) || heads == 1:
		which = "b, h := unit, 0"
	}
	code := append([]string{which}, a.rows(s)...)
	switch {
	case n.Str("rows") == "first":
		return append(code, call("b", "0", "1"))
	case n.Str("rows") == "picked" && resumes:
		return append(code, eachPicked("fresh", call("m", "past+i", "past+i+count")))
	case n.Str("rows") == "picked":
		return append(code, eachPicked("n", call("m", "i", "i+count")))
	case resumes:
		return append(code, call("first", "past", "n"))
	case ops.AttentionMixes(n):
		return append(code,
			fmt.Sprintf("from, to := part*n/%d, (part+1)*n/%d", mixedParts, mixedParts),
			call("(first+from)", "from", "to"))
	}
	return append(code, call("first", "0", "n"))
}

// eachPicked returns the loop over the picked rows of a sequence of n rows. Adjacent rows are computed together.
func eachPicked(n, call string) string {
	return fmt.Sprintf(`for m := 0; m < len(e.Rows) && int(e.Rows[m]) < first+%[1]s; {
	i := int(e.Rows[m]) - first
	if i < 0 {
		m++
		continue
	}
	count := 1
	for m+count < len(e.Rows) && i+count < %[1]s && int(e.Rows[m+count]) == first+i+count {
		count++
	}
	%[2]s
	m += count
}`, n, call)
}

// rows defines first and n, the rows of sequence b; q, the first query of head h; and k, its first key, if keys lie apart from queries.
func (a attentionLowering) rows(s *step) []string {
	n := s.node
	start := func(name string, v *ir.Value) string {
		return name + " := " + at(s.ptr(v), fmt.Sprintf("first*%d + h*%d", v.LD, n.Int("dp")))
	}
	code := []string{"first := int(e.Starts[b])", "n := int(e.Starts[b+1]) - first"}
	if q := operand(n, ops.AttnQ); q != nil {
		return append(code, start("q", q), start("k", n.In[ops.AttnQKV]))
	}
	code = append(code, start("q", n.In[ops.AttnQKV]))
	if s.e.resumes() {
		code = append(code, a.continues(n)...)
	}
	return code
}

// continues returns the statements for sequences of which earlier calls have computed some rows. For such a sequence they copy what the head needs of the new
// rows to the place where rows are kept, and set q to the first query of the whole sequence and n to the number of all its rows.
func (attentionLowering) continues(n *ir.Node) []string {
	ld, dp := n.In[ops.AttnQKV].LD, n.Int("dp")
	var code []string
	if n.Str("rows") == "picked" {
		code = append(code, "fresh := n")
	}
	return append(code, "past, rows := e.Kept(b, e.attention)", fmt.Sprintf(`if rows != nil {
	engine.KeepRows(engine.At(rows, past*%[1]d+h*%[2]d), q, n, %[1]d, %[2]d, %[3]d)
	q, n = engine.At(rows, h*%[2]d), past+n
}`, ld, dp, n.Int("heads")*dp))
}

// call returns the call that computes queries [from, to), with the result at o and the scratch memory of a worker.
func (attentionLowering) call(s *step, o, worker, from, to string) string {
	n := s.node
	width := n.Int("heads") * n.Int("dp")
	var text string
	field := func(name, value string) { text += fmt.Sprintf("\t%s: %s,\n", name, value) }
	field("O", o)
	field("Q", "q")
	if operand(n, ops.AttnQ) != nil {
		field("K", "k")
		field("V", offset("k", width))
	} else {
		field("K", offset("q", width))
		field("V", offset("q", 2*width))
	}
	tables := map[string]int{"Bias": ops.AttnBias, "KR": ops.AttnKR, "QR": ops.AttnQR, "KRPairs": ops.AttnKRPairs, "QRPairs": ops.AttnQRPairs}
	for _, name := range []string{"KR", "QR", "KRPairs", "QRPairs", "Bias"} { // the head's part of the table
		v := operand(n, tables[name])
		if v == nil {
			continue
		}
		size := ir.Sizes{}.Elements(v.Type.Shape[1:])
		place := fmt.Sprintf("h*%d", size)
		if name == "Bias" { // the entry of offset 0
			place += fmt.Sprintf(" + %d", size/2)
		}
		field(name, at(s.ptr(v), place))
	}
	for i, name := range []string{"MixScore", "MixWeight"} {
		if v := operand(n, ops.AttnMixScore+i); v != nil {
			field(name, s.ptr(v))
		}
	}
	if v := operand(n, ops.AttnIndex); v != nil {
		field("Index", offset(s.ptr(v), v.Type.Shape[0].N/2))
	}
	if operand(n, ops.AttnPos) != nil {
		field("Positions", "e.Holes(first)")
	}
	field("Scratch", fmt.Sprintf("e.scratch(%s)", worker))
	field("N", "n")
	if from != "0" {
		field("From", from)
	}
	field("To", to)
	if operand(n, ops.AttnPrefix) != nil {
		field("Prefix", "int(e.Prefix[b])")
	}
	return "attention.Call{\n" + text + "}"
}

// attentions returns the attention steps.
func (e *emitter) attentions() []*step {
	var out []*step
	for _, s := range e.steps {
		if _, ok := s.lower.(attentionLowering); ok {
			out = append(out, s)
		}
	}
	return out
}

// continuable reports whether a later call can continue the sequences of a node. It can if the node hides the keys after each query and reads rows that are
// kept.
func (attentionLowering) continuable(n *ir.Node) bool {
	return ops.AttentionMasked(n) && !ops.AttentionMixes(n) && operand(n, ops.AttnQ) == nil && n.Str("rows") != "first"
}

// resumes reports whether the program can continue a sequence. No token's row may depend on a later token, or on anything that is not kept.
func (e *emitter) resumes() bool {
	if e.p.Meta.Trace || !tasktable.Of(e.p.Meta.Task).Grows {
		return false
	}
	row := 0
	for _, s := range e.steps {
		n := s.node
		if a, ok := s.lower.(attentionLowering); ok {
			ld := n.In[ops.AttnQKV].LD
			if !a.continuable(n) || row != 0 && row != ld { // the row distance of another member of an ensemble
				return false
			}
			row = ld
			continue
		}
		switch ir.Lookup(n.Op).Class {
		case ir.Elementwise, ir.Rowwise, ir.Contraction, ir.Gather:
		default:
			return false
		}
	}
	return row != 0
}

// masked reports whether all attentions hide the keys after a query, except those of a prefix.
func (e *emitter) masked() bool {
	list := e.attentions()
	for _, s := range list {
		if !ops.AttentionMasked(s.node) {
			return false
		}
	}
	return len(list) > 0
}

// pastShape returns the literal that describes what the program keeps of each token.
func (e *emitter) pastShape() jen.Code {
	layers, row := 0, 0
	for _, c := range e.calls {
		for _, n := range c.Region.Nodes {
			if _, ok := e.byNode[n].lower.(attentionLowering); ok {
				layers, row = layers+c.Count, n.In[ops.AttnQKV].LD
			}
		}
	}
	return engine("PastShape").Values(jen.Dict{jen.Id("Layers"): jen.Lit(layers), jen.Id("Row"): jen.Lit(row)})
}
