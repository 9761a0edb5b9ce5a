package codegen

import (
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// traceMethod returns the name of the method that passes the maps of an attention step to the trace hook.
func traceMethod(s *step) string { return s.method + "Maps" }

// traceMethods declares, for each attention, the method that computes its maps again with the portable form, for the trace hook. Only packages that are
// compiled for comparison with recorded tensors have these methods, because kernels never hold a whole map.
func (e *emitter) traceMethods(f *jen.File) {
	for _, s := range e.attentions() {
		if e.traces(s) {
			e.traceMethodOf(f, s)
		}
	}
}

// traces reports whether an attention's maps are traced.
func (e *emitter) traces(s *step) bool { return e.p.Meta.Trace && mapsOf(s.region) != "" }

// mapsOf returns the name of the maps of a region's attention without the number at its end: "attentions." for the encoder's layers, "decoder.attentions." for
// the steps of a decoder. It returns "" for a region whose results have no number.
func mapsOf(r *ir.Region) string {
	if len(r.Out) == 0 {
		return ""
	}
	stem, numbered := strings.CutSuffix(r.Out[0].Name, "{l+1}")
	if !numbered {
		return ""
	}
	return strings.TrimPrefix(stem, "hidden_states.") + "attentions."
}

// traceMethodOf declares the method of one attention. Maps are [A, P]: for each head, the N×N probabilities of the sequences, one after the other.
func (e *emitter) traceMethodOf(f *jen.File, s *step) {
	a, heads := attentionLowering{}, s.node.Int("heads")
	calls := heads
	if ops.AttentionMixes(s.node) {
		calls = 1
	}
	f.Line()
	f.Commentf("%s shows the attention maps of the layer that is running to the trace hook.", traceMethod(s))
	f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id(traceMethod(s)).Params().Block(raw(`if !e.Tracing() {
	return
}
pairs := 0
for b := range e.sequences {
	n := int(e.Starts[b+1] - e.Starts[b])
	pairs += n * n
}
maps, rows := make([]float32, %[1]d*pairs), make([]float32, e.tokens*%[2]d)
from := 0
for b := range e.sequences {
	for h := range %[3]d {
		%[4]s
		e.k.%[5]s.Maps(%[6]s, &maps[h*pairs+from], pairs)
	}
	n := int(e.Starts[b+1] - e.Starts[b])
	from += n * n
}
e.Trace(%[7]q+strconv.Itoa(e.number), maps, %[1]d, pairs)`,
		heads, s.node.Out[0].LD, calls, strings.Join(a.rows(s), "\n"), s.kernel.field, a.call(s, "&rows[0]", "0", "0", "n"), mapsOf(s.region)))
}
