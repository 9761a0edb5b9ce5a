package codegen

import (
	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir/ops"
)

// traceMethod names the method that shows the maps of an attention step.
func traceMethod(s *step) string { return s.method + "Maps" }

// traceMethods declares, for each attention, the method that computes its maps once more, by the portable form, for the trace hook. Only
// packages that are compiled for comparison with recorded tensors have them: kernels never hold a map as a whole.
func (e *emitter) traceMethods(f *jen.File) {
	printed := map[string]bool{}
	for _, s := range e.attentions() {
		if !e.traces(s) {
			continue
		}
		name := s.kernel.field + "_traced"
		if !printed[name] {
			printed[name] = true
			f.Line()
			f.Add(tracedAttention(name, s.kernel.field+"_"+kernel.Generic, s.node))
		}
		e.traceMethodOf(f, s, name)
	}
}

// traces reports whether an attention's maps are shown: those of the encoder's layers, which are numbered, and not those of a decoder's steps.
func (e *emitter) traces(s *step) bool {
	return e.p.Meta.Trace && s.node.Op == "attention" && e.weights.layerOf(s.region) != nil
}

// traceMethodOf declares the method of one attention. Maps are [A, P]: for each head the N×N probabilities of one sequence after the other.
func (e *emitter) traceMethodOf(f *jen.File, s *step, kernelName string) {
	heads, out := s.node.Int("heads"), s.node.Out[0]
	args := append([]jen.Code{jen.Op("&").Id("rows").Index(jen.Lit(0))}, e.attentionArgs(s)...)
	args = append(args, jen.Id("e").Dot("scratch").Call(jen.Lit(0)), jen.Id("n"), jen.Lit(0), jen.Id("n"))
	args = append(append(args, e.attentionPrefix(s.node)...), jen.Op("&").Id("maps").Index(jen.Id("h").Op("*").Id("pairs").Op("+").Id("from")))
	calls := heads
	if ops.AttentionMixes(s.node) {
		calls = 1
		args = append(args, jen.Id("pairs"))
	}
	f.Line()
	f.Commentf("%s shows the attention maps of the layer that is running to the trace hook.", traceMethod(s))
	f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id(traceMethod(s)).Params().Block(
		jen.If(jen.Op("!").Id("e").Dot("Tracing").Call()).Block(jen.Return()),
		jen.Id("pairs").Op(":=").Lit(0),
		jen.For(jen.Id("b").Op(":=").Range().Id("e").Dot("sequences")).Block(
			jen.Id("n").Op(":=").Int().Call(jen.Id("e").Dot("Starts").Index(jen.Id("b").Op("+").Lit(1)).Op("-").Id("e").Dot("Starts").Index(jen.Id("b"))),
			jen.Id("pairs").Op("+=").Id("n").Op("*").Id("n"),
		),
		jen.List(jen.Id("maps"), jen.Id("rows")).Op(":=").List(jen.Make(jen.Index().Float32(), jen.Lit(heads).Op("*").Id("pairs")), jen.Make(jen.Index().Float32(), jen.Id("e").Dot("tokens").Op("*").Lit(out.LD))),
		jen.Id("from").Op(":=").Lit(0),
		jen.For(jen.Id("b").Op(":=").Range().Id("e").Dot("sequences")).Block(
			jen.For(jen.Id("h").Op(":=").Range().Lit(calls)).Block(append(e.attentionRows(s), jen.Id(kernelName).Call(args...))...),
			jen.Id("n").Op(":=").Int().Call(jen.Id("e").Dot("Starts").Index(jen.Id("b").Op("+").Lit(1)).Op("-").Id("e").Dot("Starts").Index(jen.Id("b"))),
			jen.Id("from").Op("+=").Id("n").Op("*").Id("n"),
		),
		jen.Id("e").Dot("Trace").Call(jen.Lit("attentions.").Op("+").Qual("strconv", "Itoa").Call(jen.Id("e").Dot("number")), jen.Id("maps"), jen.Lit(heads), jen.Id("pairs")),
	)
}
