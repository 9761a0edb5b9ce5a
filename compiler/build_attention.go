package compiler

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/spec"
)

// layerBody appends one encoder layer: attention and feed-forward, each with its residual and norm. Keys and values come from the rows x. Queries come from the
// rows xq, which are also the residual. In an encoder xq is x; a decoder passes its own rows. layerPath is the prefix of the tensors' paths, such as
// "encoder.{l}.", or "encoder.11." for the weights of one layer.
func (b *builder) layerBody(e editor, xq, x *ir.Value, layerPath string) *ir.Value {
	m, enc := b.m, &b.m.Encoder
	norm := &m.Defaults.Norm
	ctx := b.attention(e, xq, x, layerPath)
	out := b.linear(e, layerPath+"attention.out", enc.Attention.Source, m.Heads*m.Head, m.Hidden, true, ctx)
	x1 := b.norm(e, layerPath+"attention.norm", norm, m.Hidden, e.op("add", enc.Attention.Source, nil, out, xq))
	f := b.linear(e, layerPath+"ffn.in", enc.FFN.Source, m.Hidden, enc.FFN.Inner, true, x1)
	if enc.FFN.Act != "identity" {
		f = e.op(enc.FFN.Act, enc.FFN.Source, nil, f)
	}
	f = b.linear(e, layerPath+"ffn.out", enc.FFN.Source, enc.FFN.Inner, m.Hidden, true, f)
	return b.norm(e, layerPath+"ffn.norm", norm, m.Hidden, e.op("add", enc.FFN.Source, nil, f, x1))
}

// attention appends the score term by term, the softmax and the weighted mean of the values. A projection that the score reads at i, a query, is computed from
// the rows xq. A projection that it reads at j, a key, and the values are computed from the rows x.
func (b *builder) attention(e editor, xq, x *ir.Value, layerPath string) *ir.Value {
	m, a := b.m, &b.m.Encoder.Attention
	width := m.Heads * m.Head
	starts := e.Part(ragged.Starts)
	var pos, index, table *ir.Value
	if b.usesTable() {
		pos = e.Part(ragged.Positions)
		index = e.Input(storeIndex, ir.State, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.N(2*b.prog.Bounds.Length - 1)}})
	}
	if b.projectsTable() {
		table = e.Input(storeTable, ir.State, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.N(m.Relative.Rows), ir.N(m.Hidden)}})
	}
	type projected struct {
		*spec.Proj
		in *ir.Value
	}
	made := map[projected]*ir.Value{}
	project := func(p *spec.Proj, in *ir.Value) *ir.Value {
		if p.Of == spec.Rel {
			in = table
		}
		if v := made[projected{p, in}]; v != nil {
			return v
		}
		path := layerPath + "attention." + b.names.projection(p)
		var v *ir.Value
		if p.Kind == spec.Scalar {
			v = e.op("transpose", p.Source, nil, b.tensor(e, path+".weight", m.Relative.Rows, m.Heads))
		} else if b.names.joined && p.Of == spec.X {
			v = b.joinedProjection(e, layerPath, p, in)
		} else {
			v = b.linear(e, path, p.Source, m.Hidden, width, p.Bias, in)
		}
		made[projected{p, in}] = v
		return e.Name(v, p.Name)
	}
	// factor returns a factor of a term. Its index tells which rows it is projected from.
	factor := func(f spec.Factor) *ir.Value {
		if f.Index == spec.I {
			return project(f.Proj, xq)
		}
		return project(f.Proj, x)
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
			products = plus(products, e.op("score_cc", t.Source, []ir.Attr{heads}, factor(t.Left), factor(t.Right), starts), t.Source)
		case spec.ContentOffset:
			op := "score_pc"
			if t.Content().Index == spec.I {
				op = "score_cp"
			}
			s := e.op(op, t.Source, []ir.Attr{flip(t.Offset().Index), heads}, factor(t.Content()), factor(t.Offset()), index, starts, pos)
			products = plus(products, s, t.Source)
		case spec.OffsetOffset:
			left, right, at, turned := factor(t.Left), factor(t.Right), index, flip(t.Left.Index)
			if t.Left.Index != t.Right.Index { // each offset needs two rows: first make a table that has one row per offset
				left, right = byOffset(e, t, left, index, t.Left.Index), byOffset(e, t, right, index, t.Right.Index)
				at, turned = e.op("ramp", t.Source, []ir.Attr{{Key: "n", Value: index.Type.Shape[0].N}}), flip(spec.IJ)
			}
			pp := e.op("table_pp", t.Source, []ir.Attr{heads}, left, right)
			products = plus(products, e.op("score_bias", t.Source, []ir.Attr{turned}, pp, at, starts, pos), t.Source)
		case spec.Bias:
			biases = plus(biases, e.op("score_bias", t.Source, []ir.Attr{flip(t.Left.Index)}, factor(t.Left), index, starts, pos), t.Source)
		}
	}
	score := biases
	if products != nil {
		score = e.op("scale", a.ScaleSource, []ir.Attr{{Key: "by", Value: a.Scale}}, products)
		if biases != nil {
			score = e.op("add", a.ScoreSource, nil, score, biases)
		}
	}
	mix := func(src *spec.Source, name string, v *ir.Value) *ir.Value {
		if src == nil {
			return v
		}
		return e.op("mix_heads", *src, nil, v, b.tensor(e, layerPath+"attention."+name+".weight", m.Heads, m.Heads))
	}
	p := mix(a.MixWeight, "mix_weight", b.softmax(e, mix(a.MixScore, "mix_score", score), starts))
	return e.op("weigh", a.Source, []ir.Attr{heads}, p, project(a.Value(), x), starts)
}

// softmax appends the softmax over the keys that the mask allows.
func (b *builder) softmax(e editor, score, starts *ir.Value) *ir.Value {
	a := &b.m.Encoder.Attention
	switch a.Mask {
	case spec.MaskCausal:
		return e.op("softmax", a.MaskSource, []ir.Attr{{Key: "mask", Value: "causal"}}, score, starts)
	case spec.MaskPrefix:
		prefix := e.Part(ragged.Prefix)
		return e.op("softmax", a.MaskSource, []ir.Attr{{Key: "mask", Value: "prefix"}}, score, starts, prefix)
	}
	return e.op("softmax", a.MaskSource, nil, score, starts)
}

// byOffset returns the rows of a projected table in the order of the offsets i-j.
func byOffset(e editor, t spec.Term, table, index *ir.Value, at spec.Index) *ir.Value {
	rows := e.op("embed", t.Source, nil, table, index)
	if at == spec.JI {
		rows = e.op("reverse", t.Source, nil, rows)
	}
	return rows
}

// joinedParts is the order of queries, keys and values in each head's rows of in_proj.
var joinedParts = map[string]int{"query": 0, "key": 1, "value": 2}

// joinedProjection returns a projection of DeBERTa v1. Its weights are rows of in_proj, which holds for each head the queries, the keys and the values, in this
// order. The biases are tensors of their own.
func (b *builder) joinedProjection(e editor, layerPath string, p *spec.Proj, x *ir.Value) *ir.Value {
	m, role := b.m, b.names.projection(p)
	w := b.tensor(e, layerPath+"attention.joined.weight", 3*m.Heads*m.Head, m.Hidden)
	w = e.op("head_part", p.Source, []ir.Attr{{Key: "heads", Value: m.Heads}, {Key: "part", Value: joinedParts[role]}, {Key: "parts", Value: 3}}, w)
	var bias *ir.Value
	if p.Bias {
		bias = b.tensor(e, layerPath+"attention."+role+".bias", m.Heads*m.Head)
	}
	return e.op("linear", p.Source, nil, x, w, bias)
}
