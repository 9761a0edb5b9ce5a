package codegen

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// mixedParts is into how many units the queries of a sequence are cut where one call computes all heads.
const mixedParts = 8

// attentionUnits is the number of units of an attention, and what one is.
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
	case n.Str("rows") == "picked":
		return append(code, eachPicked(call))
	case ops.AttentionMixes(n):
		return append(code,
			raw("i0, i1 := part*n/%d, (part+1)*n/%d", mixedParts, mixedParts),
			call("(first+i0)", "i0", "i1"))
	}
	return append(code, call("first", "0", "n"))
}

// eachPicked is the loop over the picked rows of a sequence: neighbours are computed together.
func eachPicked(call func(row, i0, i1 string) jen.Code) jen.Code {
	return jen.For(raw("m := 0; m < len(e.Rows) && int(e.Rows[m]) < first+n;")).Block(
		raw("i := int(e.Rows[m]) - first"),
		jen.If(raw("i < 0")).Block(raw("m++"), jen.Continue()),
		raw("count := 1"),
		jen.For(raw("m+count < len(e.Rows) && i+count < n && int(e.Rows[m+count]) == first+i+count")).Block(raw("count++")),
		call("m", "i", "i+count"),
		raw("m += count"),
	)
}

// attentionPrefix is the argument behind the queries, if there is one.
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
	return append(code, start("q", s.node.In[ops.AttnQKV]))
}

// attentionArgs are the arguments of an attention kernel behind the result and before the scratch memory.
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
