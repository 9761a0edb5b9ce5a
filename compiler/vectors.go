package compiler

import (
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
)

// vector makes rows a further output of the program, if the target asks for vectors.
func (b *builder) vector(e editor, s spec.Source, name string, x *ir.Value) {
	if !b.vectors || e.Err() != nil {
		return
	}
	if x.Kind != ir.Temp {
		x = e.op("identity", s, nil, x)
	}
	e.Output(name, x)
	b.prog.Outputs = append(b.prog.Outputs, name)
}

// spanVectors makes what the vectors of spans follow from outputs: the parts of first and last words in the inner layer. The outer layer stays in the packed
// weights. A vector for each span of each width would be several times as many numbers, for the few spans that are found.
func (p *promptHead) spanVectors(s *spec.Step, first, last *ir.Value) {
	if !p.vectors {
		return
	}
	p.vector(p.editor, s.Source, tasktable.FirstVectors, first)
	p.vector(p.editor, s.Source, tasktable.LastVectors, last)
	h := width(p.words)
	e := p.region("span", "span holds the outer layer of the vectors of spans.", s.Source, 1)
	for _, t := range []struct {
		kept, path string
		dims       []int
	}{{tasktable.SpanWeight, "weight", []int{h, 4 * h}}, {tasktable.SpanBias, "bias", []int{h}}} {
		e.Output(t.kept, e.op("identity", s.Source, nil, p.tensor(e, p.path+"spans.pair.out."+t.path, t.dims...)))
		p.prog.Keep = append(p.prog.Keep, t.kept)
	}
}

// withVectors describes all outputs of a program that has vectors: those, and then the head's own.
func withVectors(prog *ir.Program) []ir.Output {
	own := prog.Meta.Outputs
	if own == nil {
		own = []ir.Output{{Name: storeLogits, Columns: prog.Meta.Columns, Widths: prog.Meta.Widths}}
	}
	var list []ir.Output
	for _, name := range prog.Outputs {
		if !slices.ContainsFunc(own, func(o ir.Output) bool { return o.Name == name }) {
			_, v := prog.Writer(name)
			list = append(list, ir.Output{Name: name, Columns: width(v), Vector: true})
		}
	}
	return append(list, own...)
}
