package codegen

import (
	"fmt"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
)

// rt names something of the runtime.
func rt(name string) *jen.Statement { return jen.Qual(runtimePath, name) }

// makeSteps names the method of each step and asks for its kernels.
func (e *emitter) makeSteps() error {
	plan := map[string]ir.Step{}
	for _, s := range e.p.Plan.Steps {
		plan[fmt.Sprint(s.Region, "\x00", s.Node)] = s
	}
	for _, r := range e.regions {
		for i, n := range r.Nodes {
			ps, ok := plan[fmt.Sprint(r.Name, "\x00", i)]
			if !ok {
				return fmt.Errorf("codegen: no plan for node %d (%s) of region %s", i, n.Op, r.Name)
			}
			s := &step{region: r, node: n, split: ps.Split, block: max(ps.Block, 1)}
			s.method = e.unique(camel(r.Name + "." + strings.TrimPrefix(stepName(n), r.Name+".")))
			if err := e.kernels.choose(s); err != nil {
				return fmt.Errorf("codegen: region %s, %s: %w", r.Name, n.Op, err)
			}
			e.steps = append(e.steps, s)
			e.byNode[n] = s
		}
	}
	return nil
}

// stepName returns a short name of what a node computes: its weights' name, or else its result's.
func stepName(n *ir.Node) string {
	for _, v := range n.In {
		if v == nil || v.Kind != ir.Packed || n.Op == "attention" {
			continue
		}
		name := shortName(v.Name)
		for _, cut := range []string{".panels", ".weight", ".bias", ".gain"} {
			name = strings.TrimSuffix(name, cut)
		}
		if i := strings.Index(name, "layer."); i >= 0 {
			name = strings.TrimLeft(name[i+len("layer."):], "0123456789.")
		}
		return name
	}
	return n.Op
}

// ptr returns the expression for a value's first element in the region's code.
func (e *emitter) ptr(r *ir.Region, v *ir.Value) jen.Code {
	switch v.Kind {
	case ir.Packed:
		f := e.weights.field(r, v)
		base := jen.Id("e").Dot("w")
		if f.layer != nil {
			base = jen.Id("e").Dot(f.layer.current())
		}
		return jen.Op("&").Add(base).Dot(f.name).Index(jen.Lit(0))
	case ir.Batch:
		return jen.Id("e").Dot(camel(v.Name))
	}
	return jen.Id("e").Dot(slotField(e.slot[r.Name+"\x00"+v.Name]))
}

// slotField names the field of the execution that points at a slot of the arena.
func slotField(i int) string { return fmt.Sprintf("slot%d", i) }

// at moves a pointer by a number of elements.
func at(p jen.Code, off jen.Code) jen.Code { return rt("At").Call(p, off) }

// rowsOf returns the number of rows of a value: tokens, sequences, or what else of the batch has rows.
func rowsOf(v *ir.Value) jen.Code {
	if len(v.Type.Shape) == 0 {
		return jen.Lit(1)
	}
	switch d := v.Type.Shape[0]; {
	case d == ir.T:
		return jen.Id("e").Dot("tokens")
	case d == ir.B:
		return jen.Id("e").Dot("sequences")
	case d.Const():
		return jen.Lit(d.N)
	default:
		return jen.Id("e").Dot("Sizes").Dot(d.Sym)
	}
}

// units returns the expression for the number of units that a step has.
func (s *step) units() jen.Code {
	out := s.node.Out[0]
	switch s.split {
	case ir.SplitPanels:
		return jen.Lit((panelsOf(s.node) + 1) / 2)
	case ir.SplitHeads:
		units, _ := attentionUnits(s.node)
		return units
	case ir.SplitSeqs:
		return jen.Id("e").Dot("sequences")
	case ir.SplitWays:
		if s.node.Flag("both") {
			return jen.Lit(2).Op("*").Id("e").Dot("sequences")
		}
		return jen.Id("e").Dot("sequences")
	case ir.SplitWords:
		return jen.Parens(jen.Id("e").Dot("W").Op("+").Lit(s.block - 1)).Op("/").Lit(s.block)
	case ir.SplitRows:
		return jen.Parens(jen.Add(rowsOf(out)).Op("+").Lit(s.block - 1)).Op("/").Lit(s.block)
	}
	return jen.Lit(1)
}

// panelsOf returns the number of panels of 16 columns of a product.
func panelsOf(n *ir.Node) int { return (n.Int("n") + 15) / 16 }

// unitDoc says what one unit of the step is.
func (s *step) unitDoc() string {
	switch s.split {
	case ir.SplitPanels:
		return "A unit is 32 columns of the result."
	case ir.SplitHeads:
		_, doc := attentionUnits(s.node)
		return doc
	case ir.SplitSeqs:
		return "A unit is one sequence."
	case ir.SplitWays:
		return "A unit is one direction of one sequence."
	case ir.SplitWords:
		return fmt.Sprintf("A unit is %d words.", s.block)
	case ir.SplitRows:
		return fmt.Sprintf("A unit is %d rows.", s.block)
	}
	return "There is one unit."
}

// stepMethod declares the method that runs one unit of a step.
func (e *emitter) stepMethod(f *jen.File, s *step) error {
	var body []jen.Code
	worker := "_"
	switch {
	case s.node.Op == "gemm":
		body = e.gemmUnit(s)
	case s.node.Op == "attention":
		worker = "worker"
		body = e.attentionUnit(s)
	case wordOps[s.node.Op].unit != nil:
		if wordOps[s.node.Op].scratch != nil {
			worker = "worker"
		}
		body = wordOps[s.node.Op].unit(e, s)
	case s.split == ir.SplitRows:
		body = e.rowsUnit(s)
	case s.split == ir.SplitSeqs:
		body = e.sequenceUnit(s)
	default:
		return fmt.Errorf("region %s: no code for op %s", s.region.Name, s.node.Op)
	}
	out := s.node.Out[0]
	f.Line()
	f.Commentf("%s computes %s. %s", s.method, strings.ReplaceAll(out.Type.Shape.String(), "\n", " "), s.unitDoc())
	f.Comment("")
	f.Comment("\t" + source(s.node))
	f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id(s.method).Params(jen.List(jen.Id(worker), jen.Id("unit")).Int()).Block(body...)
	return nil
}

// kernelCall calls a kernel through the table of the chosen instruction set.
func kernelCall(k *kernelUse, args ...jen.Code) *jen.Statement {
	return jen.Id("e").Dot("k").Dot(k.field).Call(args...)
}

// gemmUnit multiplies all rows with two panels (or an odd last one), a block of rows at a time.
func (e *emitter) gemmUnit(s *step) []jen.Code {
	n := s.node
	x, w, bias, residual := n.In[0], n.In[1], n.In[2], operand(n, 3)
	out := n.Out[0]
	k := w.Type.Shape[1].N
	r := s.region
	col := jen.Id("unit").Op("*").Lit(32)
	code := []jen.Code{
		jen.Id("c").Op(":=").Add(at(e.ptr(r, out), col)),
		jen.Id("a").Op(":=").Add(e.ptr(r, x)),
		jen.Id("w").Op(":=").Add(at(e.ptr(r, w), jen.Id("unit").Op("*").Lit(32*k))),
	}
	biasArg := jen.Code(jen.Nil())
	if bias != nil {
		code = append(code, jen.Id("bias").Op(":=").Add(at(e.ptr(r, bias), col)))
		biasArg = jen.Id("bias")
	}
	if residual != nil {
		code = append(code, jen.Id("res").Op(":=").Add(at(e.ptr(r, residual), col)))
	}
	call := func(ku *kernelUse) jen.Code {
		row := func(p string, ld int) jen.Code { return at(jen.Id(p), jen.Id("row").Op("*").Lit(ld)) }
		args := []jen.Code{row("c", out.LD), row("a", x.LD), jen.Id("w"), biasArg}
		if residual != nil {
			args = append(args, row("res", residual.LD))
		}
		args = append(args, jen.Id("m"))
		return kernelCall(ku, args...)
	}
	inner := []jen.Code{jen.List(jen.Id("row"), jen.Id("m")).Op(":=").Id("cut").Dot("Part").Call(jen.Id("i"))}
	switch panels := panelsOf(n); {
	case panels == 1:
		inner = append(inner, call(s.narrow))
	case panels%2 == 1:
		inner = append(inner, jen.If(jen.Id("unit").Op("==").Lit(panels/2)).Block(call(s.narrow)).Else().Block(call(s.kernel)))
	default:
		inner = append(inner, call(s.kernel))
	}
	return append(code,
		jen.Id("cut").Op(":=").Add(rt("CutRows")).Call(rowsOf(out), jen.Id("e").Dot("k").Dot("tile"), jen.Lit(s.kernel.maxRows)),
		jen.For(jen.Id("i").Op(":=").Range().Id("cut").Dot("Calls")).Block(inner...),
	)
}

// operand returns an operand that may be missing.
func operand(n *ir.Node, i int) *ir.Value {
	if i < len(n.In) {
		return n.In[i]
	}
	return nil
}

// sequenceUnit runs a kernel that works on the rows of one sequence: pointers are at the sequence's first row, or at its own row where there is
// one a sequence.
func (e *emitter) sequenceUnit(s *step) []jen.Code {
	n, r := s.node, s.region
	start := func(v *ir.Value) jen.Code {
		switch ld := max(v.LD, 1); v.Type.Shape[0] {
		case ir.T:
			return at(e.ptr(r, v), jen.Id("first").Op("*").Lit(ld))
		case ir.B:
			return at(e.ptr(r, v), jen.Id("unit").Op("*").Lit(ld))
		}
		return e.ptr(r, v)
	}
	args := []jen.Code{start(n.Out[0])}
	for _, o := range s.kernel.operands {
		switch v := operand(n, o.index); {
		case v == nil:
			args = append(args, jen.Nil())
		default:
			args = append(args, start(v))
		}
	}
	return []jen.Code{
		jen.Id("first").Op(":=").Int().Call(jen.Id("e").Dot("Starts").Index(jen.Id("unit"))),
		kernelCall(s.kernel, append(args, jen.Int().Call(jen.Id("e").Dot("Starts").Index(jen.Id("unit").Op("+").Lit(1))).Op("-").Id("first"))...),
	}
}

// rowsUnit runs a kernel whose operands all have the same rows, on one block of them.
func (e *emitter) rowsUnit(s *step) []jen.Code {
	n, r := s.node, s.region
	out := n.Out[0]
	row := func(v *ir.Value) jen.Code {
		if v.Kind == ir.Batch {
			if width := (ir.Sizes{}).Elements(v.Type.Shape[1:]); width != 1 {
				return at(e.ptr(r, v), jen.Id("row").Op("*").Lit(width))
			}
			return at(e.ptr(r, v), jen.Id("row"))
		}
		return at(e.ptr(r, v), jen.Id("row").Op("*").Lit(v.LD))
	}
	code := []jen.Code{
		jen.Id("row").Op(":=").Id("unit").Op("*").Lit(s.block),
		jen.Id("m").Op(":=").Id("min").Call(jen.Lit(s.block), jen.Add(rowsOf(out)).Op("-").Id("row")),
	}
	args := []jen.Code{row(out)}
	for _, a := range s.kernel.operands {
		v := operand(n, a.index)
		switch {
		case v == nil:
			args = append(args, jen.Nil())
		case a.rows:
			args = append(args, row(v))
		default:
			args = append(args, e.ptr(r, v))
		}
	}
	args = append(args, jen.Id("m"))
	return append(code, kernelCall(s.kernel, args...))
}
