package codegen

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// mixedParts is into how many units the queries of a sequence are cut where one call computes all heads.
const mixedParts = 8

// attentionUnits returns the number of units of an attention, and what one is.
func attentionUnits(n *ir.Node) (count jen.Code, doc string) {
	sequences := jen.Id("e").Dot("sequences")
	switch heads := n.Int("heads"); {
	case ops.AttentionMixes(n) && eachRow(n):
		return jen.Lit(mixedParts).Op("*").Add(sequences), fmt.Sprintf("A unit is one of %d parts of the queries of one sequence, for all heads.", mixedParts)
	case ops.AttentionMixes(n):
		return sequences, "A unit is one sequence, all heads."
	case heads > 1:
		return jen.Lit(heads).Op("*").Add(sequences), "A unit is one head of one sequence."
	}
	return sequences, "A unit is one head of one sequence."
}

// eachRow reports whether every row is a query.
func eachRow(n *ir.Node) bool { return n.Str("rows") == "" || n.Str("rows") == "each" }

// attentionUnit runs one head of one sequence, or all heads of some of its queries.
func (e *emitter) attentionUnit(s *step) []jen.Code {
	n, out := s.node, s.node.Out[0]
	heads, dp := n.Int("heads"), n.Int("dp")
	o := func(row string) jen.Code {
		return at(e.ptr(s.region, out), raw("%s", row).Op("*").Lit(out.LD).Op("+").Id("h").Op("*").Lit(dp))
	}
	resumes := e.resumes()
	call := func(row, i0, i1 string) jen.Code {
		args := append([]jen.Code{o(row)}, e.attentionArgs(s)...)
		args = append(args, jen.Id("e").Dot("scratch").Call(jen.Id("worker")), jen.Id("n"), raw("%s", i0), raw("%s", i1))
		return kernelCall(s.kernel, append(args, e.attentionPrefix(n)...)...)
	}
	which := jen.List(jen.Id("b"), jen.Id("h")).Op(":=").List(jen.Id("unit").Op("/").Lit(heads), jen.Id("unit").Op("%").Lit(heads))
	switch {
	case ops.AttentionMixes(n) && eachRow(n):
		which = jen.List(jen.Id("b"), jen.Id("part"), jen.Id("h")).Op(":=").List(jen.Id("unit").Op("/").Lit(mixedParts), jen.Id("unit").Op("%").Lit(mixedParts), jen.Lit(0))
	case ops.AttentionMixes(n) || heads == 1:
		which = jen.List(jen.Id("b"), jen.Id("h")).Op(":=").List(jen.Id("unit"), jen.Lit(0))
	}
	code := append([]jen.Code{which}, e.attentionRows(s)...)
	switch {
	case n.Str("rows") == "first":
		return append(code, call("b", "0", "1"))
	case n.Str("rows") == "picked" && resumes:
		return append(code, eachPicked("fresh", func(row, i0, i1 string) jen.Code { return call(row, "past+"+i0, "past+"+i1) }))
	case n.Str("rows") == "picked":
		return append(code, eachPicked("n", call))
	case resumes:
		return append(code, call("first", "past", "n"))
	case ops.AttentionMixes(n):
		return append(code,
			raw("i0, i1 := part*n/%d, (part+1)*n/%d", mixedParts, mixedParts),
			call("(first+i0)", "i0", "i1"))
	}
	return append(code, call("first", "0", "n"))
}

// eachPicked returns the loop over the picked rows of a sequence of n rows: neighbours are computed together.
func eachPicked(n string, call func(row, i0, i1 string) jen.Code) jen.Code {
	return jen.For(raw("m := 0; m < len(e.Rows) && int(e.Rows[m]) < first+%s;", n)).Block(
		raw("i := int(e.Rows[m]) - first"),
		jen.If(raw("i < 0")).Block(raw("m++"), jen.Continue()),
		raw("count := 1"),
		jen.For(raw("m+count < len(e.Rows) && i+count < %s && int(e.Rows[m+count]) == first+i+count", n)).Block(raw("count++")),
		call("m", "i", "i+count"),
		raw("m += count"),
	)
}

// attentionPrefix returns the argument after the queries, if there is one.
func (e *emitter) attentionPrefix(n *ir.Node) []jen.Code {
	switch {
	case !ops.AttentionMasked(n):
		return nil
	case operand(n, ops.AttnPrefix) == nil:
		return []jen.Code{jen.Lit(0)}
	}
	return []jen.Code{jen.Int().Call(jen.Id("e").Dot("Prefix").Index(jen.Id("b")))}
}

// attentionRows defines first and n, the rows of sequence b, and q, the first query of head h; and k, its first key, where they lie apart.
func (e *emitter) attentionRows(s *step) []jen.Code {
	start := func(name string, v *ir.Value) jen.Code {
		return jen.Id(name).Op(":=").Add(at(e.ptr(s.region, v), jen.Id("first").Op("*").Lit(v.LD).Op("+").Id("h").Op("*").Lit(s.node.Int("dp"))))
	}
	code := []jen.Code{
		jen.Id("first").Op(":=").Int().Call(jen.Id("e").Dot("Starts").Index(jen.Id("b"))),
		jen.Id("n").Op(":=").Int().Call(jen.Id("e").Dot("Starts").Index(jen.Id("b").Op("+").Lit(1))).Op("-").Id("first"),
	}
	if q := operand(s.node, ops.AttnQ); q != nil {
		return append(code, start("q", q), start("k", s.node.In[ops.AttnQKV]))
	}
	code = append(code, start("q", s.node.In[ops.AttnQKV]))
	if e.resumes() {
		code = append(code, e.continues(s.node)...)
	}
	return code
}

// continues makes q the first query of the whole sequence and n its rows, if some of them were computed by earlier calls: what the head needs of
// the new rows goes to where those are kept.
func (e *emitter) continues(n *ir.Node) []jen.Code {
	ld, dp := n.In[ops.AttnQKV].LD, n.Int("dp")
	var code []jen.Code
	if n.Str("rows") == "picked" {
		code = append(code, raw("fresh := n"))
	}
	return append(code,
		raw("past, rows := e.Kept(b, e.attention)"),
		jen.If(raw("rows != nil")).Block(
			rt("KeepRows").Call(at(jen.Id("rows"), raw("past*%d + h*%d", ld, dp)), raw("q, n, %d, %d, %d", ld, dp, n.Int("heads")*dp)),
			jen.List(jen.Id("q"), jen.Id("n")).Op("=").List(at(jen.Id("rows"), raw("h*%d", dp)), raw("past + n")),
		))
}

// resumes reports whether the program can continue a sequence: no token's row may depend on one after it, nor on anything that is not kept.
func (e *emitter) resumes() bool {
	if e.p.Meta.Trace || e.p.Meta.Task != ir.TaskHidden && e.p.Meta.Task != ir.TaskMLM && e.p.Meta.Task != ir.TaskTags {
		return false
	}
	found, row := false, 0
	for _, s := range e.steps {
		n := s.node
		switch ir.Lookup(n.Op).Class {
		case ir.Elementwise, ir.Rowwise, ir.Contraction, ir.Gather:
		case ir.Attention:
			if n.Op != "attention" || !ops.AttentionMasked(n) || ops.AttentionMixes(n) || operand(n, ops.AttnQ) != nil || n.Str("rows") == "first" {
				return false
			}
			if found && row != n.In[ops.AttnQKV].LD { // of another member of an ensemble
				return false
			}
			found, row = true, n.In[ops.AttnQKV].LD
		default:
			return false
		}
	}
	return found
}

// masked reports whether all attentions hide the keys after a query, a prefix apart.
func (e *emitter) masked() bool {
	list := e.attentions()
	for _, s := range list {
		if !ops.AttentionMasked(s.node) {
			return false
		}
	}
	return len(list) > 0
}

// pastShape returns the literal that says what the program keeps of a token.
func (e *emitter) pastShape() jen.Code {
	layers, row := 0, 0
	for _, c := range e.calls {
		for _, n := range c.Region.Nodes {
			if n.Op == "attention" {
				layers, row = layers+c.Count, n.In[ops.AttnQKV].LD
			}
		}
	}
	return rt("PastShape").Values(jen.Dict{jen.Id("Layers"): jen.Lit(layers), jen.Id("Row"): jen.Lit(row)})
}

// attentionArgs returns the arguments of an attention kernel after the result and before the scratch memory.
func (e *emitter) attentionArgs(s *step) []jen.Code {
	n, r := s.node, s.region
	width := n.Int("heads") * n.Int("dp")
	args := []jen.Code{jen.Id("q"), at(jen.Id("q"), jen.Lit(width)), at(jen.Id("q"), jen.Lit(2*width))}
	if operand(n, ops.AttnQ) != nil {
		args = []jen.Code{jen.Id("q"), jen.Id("k"), at(jen.Id("k"), jen.Lit(width))}
	}
	for i := ops.AttnKR; i <= ops.AttnBias; i++ { // the head's part of the table
		v := operand(n, i)
		if v == nil {
			args = append(args, jen.Nil())
			continue
		}
		size := ir.Sizes{}.Elements(v.Type.Shape[1:])
		off := jen.Id("h").Op("*").Lit(size)
		if i == ops.AttnBias { // from offset 0
			off.Op("+").Lit(size / 2)
		}
		args = append(args, at(e.ptr(r, v), off))
	}
	if ops.AttentionMixes(n) {
		for i := ops.AttnMixScore; i <= ops.AttnMixWeight; i++ {
			if v := operand(n, i); v != nil {
				args = append(args, e.ptr(r, v))
			} else {
				args = append(args, jen.Nil())
			}
		}
	}
	index, pos := jen.Code(jen.Nil()), jen.Code(jen.Nil())
	if v := operand(n, ops.AttnIndex); v != nil {
		index = at(e.ptr(r, v), jen.Lit(v.Type.Shape[0].N/2))
	}
	if operand(n, ops.AttnPos) != nil {
		pos = jen.Id("e").Dot("holes").Call(jen.Id("first"))
	}
	return append(args, index, pos)
}
