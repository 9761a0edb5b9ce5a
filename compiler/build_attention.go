package compiler

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
)

// attention appends the score term by term, the softmax and the weighted mean of the values.
func (b *builder) attention(e editor, x *ir.Value) *ir.Value {
	m, a := b.m, &b.m.Encoder.Attention
	width := m.Heads * m.Head
	starts := e.Input(ir.Starts, ir.Batch, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.Bound}})
	var pos, index, table *ir.Value
	if b.usesTable() {
		pos = e.Input(ir.Pos, ir.Batch, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.T}})
		index = e.Input(storeIndex, ir.State, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.N(2*b.prog.Bounds.Length - 1)}})
	}
	if b.projectsTable() {
		table = e.Input(storeTable, ir.State, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.N(m.Relative.Rows), ir.N(m.Hidden)}})
	}
	made := map[*spec.Proj]*ir.Value{}
	project := func(p *spec.Proj) *ir.Value {
		if v := made[p]; v != nil {
			return v
		}
		in := x
		if p.Of == spec.Rel {
			in = table
		}
		path := "encoder.{l}.attention." + b.names.projection(p)
		if p.Kind == spec.Scalar {
			made[p] = e.op("transpose", p.Source, nil, b.tensor(e, path+".weight", m.Relative.Rows, m.Heads))
		} else {
			made[p] = b.linear(e, path, p.Source, m.Hidden, width, p.Bias, in)
		}
		return e.Name(made[p], p.Name)
	}
	heads := ir.Attr{Key: "heads", Value: m.Heads}
	flip := func(x spec.Index) ir.Attr { return ir.Attr{Key: "flip", Value: x == spec.JI} }
	plus := func(sum, term *ir.Value, src spec.Source) *ir.Value {
		if sum == nil {
			return term
		}
		return e.op("add", src, nil, sum, term)
	}
	var products, biases *ir.Value
	for _, t := range a.Score {
		switch t.Kind {
		case spec.ContentContent:
			products = plus(products, e.op("score_cc", t.Source, []ir.Attr{heads}, project(t.Left.Proj), project(t.Right.Proj), starts), t.Source)
		case spec.ContentOffset:
			op := "score_pc"
			if t.Content().Index == spec.I {
				op = "score_cp"
			}
			s := e.op(op, t.Source, []ir.Attr{flip(t.Offset().Index), heads}, project(t.Content().Proj), project(t.Offset().Proj), index, starts, pos)
			products = plus(products, s, t.Source)
		case spec.OffsetOffset:
			pp := e.op("table_pp", t.Source, []ir.Attr{heads}, project(t.Left.Proj), project(t.Right.Proj))
			products = plus(products, e.op("score_bias", t.Source, []ir.Attr{flip(t.Left.Index)}, pp, index, starts, pos), t.Source)
		case spec.Bias:
			biases = plus(biases, e.op("score_bias", t.Source, []ir.Attr{flip(t.Left.Index)}, project(t.Left.Proj), index, starts, pos), t.Source)
		}
	}
	score := biases
	if products != nil {
		score = e.op("scale", a.ScaleSource, []ir.Attr{{Key: "by", Value: a.Scale}}, products)
		if biases != nil {
			score = e.op("add", a.ScoreSource, nil, score, biases)
		}
	}
	p := e.op("softmax", a.MaskSource, nil, score, starts)
	return e.op("weigh", a.Source, []ir.Attr{heads}, p, project(a.Value()), starts)
}
