package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
)

// schemaHead is a head that reads a schema (GLiNER2), while it is built. It has several outputs.
type schemaHead struct {
	promptHead
	hidden  *ir.Value // [T, H] the last layer
	markers *ir.Value // [C, H] the rows of all markers; nil until a step reads them
	start   *ir.Value // [Q, H] the row of each query's marker
	rows    *ir.Value // [Q, H] the rows of fields in steps
	rate    float64   // of dropout
	boundaryHead
}

// schema appends a head that reads a schema, and returns its outputs in the order of its steps.
func (b *builder) schema(e editor, x *ir.Value) ([]*ir.Value, error) {
	p := &schemaHead{promptHead: promptHead{builder: b, editor: e, path: b.names.headPath(b.h)}, hidden: x, rate: b.h.Dropout()}
	var out []*ir.Value
	for _, s := range b.h.Steps {
		if e.Err() != nil {
			break
		}
		if y, ok := p.boundaryStep(s); ok {
			out = append(out, y)
			continue
		}
		switch s.Kind {
		case spec.StepDropout: // see rate
		case spec.StepClasses:
			out = append(out, p.mlp(s, "classes.", p.marks(), s.Widths, 1))
		case spec.StepCounts:
			out = append(out, p.mlp(s, "counts.", p.marks(), s.Widths, s.Count))
		case spec.StepGRU:
			p.gru(s)
		case spec.StepFields:
			p.rows = p.fields(s)
		case spec.StepSpans:
			p.words = p.poolWords(e, x)
			first, last := p.halves(s)
			p.spanVectors(s, first, last)
			p.vector(e, s.Source, tasktable.FieldVectors, p.rows)
			out = append(out, p.scoresOf(s, first, last, p.rows, e.Part(ragged.QueryStarts)))
		default:
			return nil, fmt.Errorf("%v: this step of a head that reads a schema reached the builder", s.Pos)
		}
	}
	if p.vectors {
		p.vector(e, b.h.Source, tasktable.LabelVectors, p.marks())
	}
	if len(out) == 0 && e.Err() == nil {
		return nil, fmt.Errorf("%v: a head that reads a schema computes nothing", b.h.Pos)
	}
	return out, e.Err()
}

// schemaOutputs appends a head that reads a schema, and makes its outputs those of the program.
func (b *builder) schemaOutputs(e editor, x *ir.Value) error {
	list, err := b.schema(e, x)
	if err != nil {
		return err
	}
	for i, o := range outputsOf(b.h) {
		e.Output(o.Name, list[i])
		b.prog.Outputs = append(b.prog.Outputs, o.Name)
	}
	return e.Err()
}

// marks returns the rows of all markers.
func (p *schemaHead) marks() *ir.Value {
	if p.markers == nil {
		p.markers = p.op("pick", p.h.Prompt.Source, nil, p.hidden, p.Part(ragged.Marks))
	}
	return p.markers
}

// mlp appends layers with an activation between them: inner layers of the given widths and a last one of out columns.
func (p *schemaHead) mlp(s *spec.Step, path string, x *ir.Value, widths []int, out int) *ir.Value {
	return p.layersFrom(s, path, 1, x, widths, out)
}

// layersFrom is mlp, where x is what layer number from reads.
func (p *schemaHead) layersFrom(s *spec.Step, path string, from int, x *ir.Value, widths []int, out int) *ir.Value {
	all := append(slices.Clone(widths), out)
	for i := from; i <= len(all); i++ {
		x = p.linear(p.editor, fmt.Sprintf("%s%slayer%d", p.path, path, i), s.Source, width(x), all[i-1], true, x)
		if i < len(all) {
			x = p.drop(p.editor, fmt.Sprintf("%slayer%d", path, i), s.Source, p.rate, p.op("relu", s.Source, nil, x))
		}
	}
	return x
}

// joined appends layers that read the rows of two values side by side. The first layer is the sum of a product with each.
func (p *schemaHead) joined(s *spec.Step, path string, first, second *ir.Value, widths []int, out int) *ir.Value {
	a, b := width(first), width(second)
	w := p.tensor(p.editor, p.path+path+"layer1.weight", widths[0], a+b)
	bias := p.tensor(p.editor, p.path+path+"layer1.bias", widths[0])
	x := p.op("linear", s.Source, nil, first, p.Name(p.columns(s, w, 0, a), p.path+path+"layer1.first"), bias)
	y := p.op("linear", s.Source, nil, second, p.Name(p.columns(s, w, a, b), p.path+path+"layer1.second"), nil)
	return p.layersFrom(s, path, 2, p.op("relu", s.Source, nil, p.op("add", s.Source, nil, x, y)), widths, out)
}

// gru appends the steps of each field. Gates are padded to whole panels.
func (p *schemaHead) gru(s *spec.Step) {
	path := p.path + "gru."
	p.start = p.op("pick", p.h.Prompt.Source, nil, p.hidden, p.Part(ragged.Queries))
	padded := []ir.Attr{{Key: "dp", Value: (s.In + 15) / 16 * 16}, {Key: "heads", Value: 3}}
	gates := func(name string) (w, b *ir.Value) {
		return p.op("pad_heads", s.Source, padded, p.tensor(p.editor, path+name+".weight", 3*s.In, s.In)),
			p.op("pad_heads", s.Source, padded, p.tensor(p.editor, path+name+".bias", 3*s.In))
	}
	in, inBias := gates("input")
	state, stateBias := gates("state")
	table := p.op("linear", s.Source, nil, p.tensor(p.editor, path+"table.weight", s.Count, s.In), in, inBias)
	p.rows = p.op("gru", s.Source, nil, p.start, p.Name(table, path+"gates"), p.Name(p.op("panels", s.Source, nil, state), path+"state"),
		p.Name(stateBias, path+"state_bias"), p.Part(ragged.QueryStarts), p.Part(ragged.Steps))
}

// fields appends the row of each field in each step.
func (p *schemaHead) fields(s *spec.Step) *ir.Value {
	switch s.Fields {
	case "experts":
		return p.experts(s)
	case "attend":
		return p.attendFields(s)
	}
	return p.joined(s, "fields.", p.rows, p.start, s.Widths, s.In)
}

// experts appends Σ_e p_e·(gelu(x·W1_e + b1_e)·W2_e + b2_e), where p is the softmax of the router's numbers. A checkpoint has the weights of all experts in one
// tensor, whose rows belong to columns of x.
func (p *schemaHead) experts(s *spec.Step) *ir.Value {
	h, inner, path := s.In, s.Widths[0], p.path+"fields."
	route := p.op("gelu", s.Source, nil, p.linear(p.editor, path+"router1", s.Source, h, h, true, p.rows))
	share := p.op("softmax_rows", s.Source, nil, p.linear(p.editor, path+"router2", s.Source, h, s.Count, true, route))
	layer := func(name string, in, out int) func(e int, x *ir.Value) *ir.Value {
		weights := p.op("merge_rows", s.Source, nil, p.tensor(p.editor, path+name+".weight", s.Count, in, out))
		biases := p.tensor(p.editor, path+name+".bias", s.Count, out)
		return func(e int, x *ir.Value) *ir.Value {
			w := p.op("transpose", s.Source, nil, p.promptHead.rows(s, weights, e*in, in))
			bias := p.op("merge_rows", s.Source, nil, p.promptHead.rows(s, biases, e, 1))
			return p.op("linear", s.Source, nil, x, p.Name(w, fmt.Sprintf("%s%s.expert%d", path, name, e+1)), bias)
		}
	}
	first, second := layer("expert.in", h, inner), layer("expert.out", inner, h)
	var sum *ir.Value
	for e := range s.Count {
		y := second(e, p.op("gelu", s.Source, nil, first(e, p.rows)))
		y = p.op("times_column", s.Source, []ir.Attr{{Key: "column", Value: e}}, y, share)
		if sum == nil {
			sum = y
		} else {
			sum = p.op("add", s.Source, nil, sum, y)
		}
	}
	return sum
}

// fieldEps is the eps of the norms of attention among fields.
const fieldEps = 1e-5

// attendFields appends layers of attention among the fields of a step, on rows of fewer columns, and layers that read the result and the rows.
func (p *schemaHead) attendFields(s *spec.Step) *ir.Value {
	path := p.path + "fields."
	x := p.op("add", s.Source, nil, p.rows, p.start)
	y := p.linear(p.editor, path+"in", s.Source, s.In, s.Size, true, x)
	for i := range s.Count {
		at := fmt.Sprintf("%slayer_%d.", path, i)
		norm := func(name string, x *ir.Value) *ir.Value {
			return p.norm(p.editor, at+name, &spec.Norm{Source: s.Source, Kind: "layernorm", Eps: fieldEps}, s.Size, x)
		}
		weights, biases := p.tensor(p.editor, at+"qkv.weight", 3*s.Size, s.Size), p.tensor(p.editor, at+"qkv.bias", 3*s.Size)
		part := func(k int, name string) *ir.Value {
			w, bias := p.promptHead.rows(s, weights, k*s.Size, s.Size), p.promptHead.rows(s, biases, k*s.Size, s.Size)
			return p.op("linear", s.Source, nil, y, p.Name(w, at+name), bias)
		}
		read := p.op("attend_fields", s.Source, []ir.Attr{{Key: "heads", Value: s.Heads}}, part(0, "q"), part(1, "k"), part(2, "v"),
			p.Part(ragged.QueryStarts), p.Part(ragged.Steps))
		y = norm("norm1", p.op("add", s.Source, nil, y, p.linear(p.editor, at+"out", s.Source, s.Size, s.Size, true, read)))
		inner := p.op("relu", s.Source, nil, p.linear(p.editor, at+"ffn1", s.Source, s.Size, s.Inner, true, y))
		y = norm("norm2", p.op("add", s.Source, nil, y, p.linear(p.editor, at+"ffn2", s.Source, s.Inner, s.Size, true, inner)))
	}
	return p.joined(s, "fields.", y, x, s.Widths, s.In)
}

// outputsOf describes the outputs of a head that reads a schema, in the order of its steps.
func outputsOf(h *spec.Head) (list []ir.Output) {
	if h == nil || h.As != spec.BySchema {
		return nil
	}
	for _, s := range h.Steps {
		if o, ok := boundaryOutput(s); ok {
			list = append(list, o)
			continue
		}
		switch s.Kind {
		case spec.StepClasses:
			list = append(list, ir.Output{Name: tasktable.ClassOutput, Columns: 1})
		case spec.StepCounts:
			list = append(list, ir.Output{Name: tasktable.CountOutput, Columns: s.Count})
		case spec.StepSpans:
			list = append(list, ir.Output{Name: tasktable.SpanOutput, Columns: s.Width, Widths: s.Width})
		}
	}
	return list
}

// stepsOf returns the greatest number of steps of a query, or 0 for a head without queries.
func stepsOf(h *spec.Head) int {
	if h == nil {
		return 0
	}
	for _, s := range h.Steps {
		switch s.Kind {
		case spec.StepGRU:
			return s.Count
		case spec.StepBounds:
			return 1
		}
	}
	return 0
}
