package compiler

import (
	"slices"
	"strings"

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
	out = b.drop(e, "attention.out", m.Defaults.Dropout.Source, m.Defaults.Dropout.Hidden, out)
	x1 := b.norm(e, layerPath+"attention.norm", norm, m.Hidden, e.op("add", enc.Attention.Source, nil, out, xq))
	f := b.linear(e, layerPath+"ffn.in", enc.FFN.Source, m.Hidden, enc.FFN.Inner, true, x1)
	if enc.FFN.Act != "identity" {
		f = e.op(enc.FFN.Act, enc.FFN.Source, nil, f)
	}
	f = b.linear(e, layerPath+"ffn.out", enc.FFN.Source, enc.FFN.Inner, m.Hidden, true, f)
	f = b.drop(e, "ffn.out", m.Defaults.Dropout.Source, m.Defaults.Dropout.Hidden, f)
	return b.norm(e, layerPath+"ffn.norm", norm, m.Hidden, e.op("add", enc.FFN.Source, nil, f, x1))
}

// attention appends the score term by term, the softmax and the weighted mean of the values. A projection that the score reads at i, a query, is computed from
// the rows xq. A projection that it reads at j, a key, and the values are computed from the rows x.
func (b *builder) attention(e editor, xq, x *ir.Value, layerPath string) *ir.Value {
	m, a := b.m, &b.m.Encoder.Attention
	s := &scoreBuilder{builder: b, e: e, path: layerPath, xq: xq, x: x, starts: e.Part(ragged.Starts), made: map[projected]*ir.Value{}}
	if b.usesTable() {
		s.pos = e.Part(ragged.Positions)
		s.index = e.Input(storeIndex, ir.State, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.N(2*b.prog.Bounds.Length - 1)}})
	}
	if b.projectsTable() {
		s.table = e.Input(storeTable, ir.State, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.N(m.Relative.Rows), ir.N(m.Hidden)}})
		s.table = b.drop(e, "relative", m.Defaults.Dropout.Source, m.Defaults.Dropout.Hidden, s.table)
	}
	mix := func(src *spec.Source, name string, v *ir.Value) *ir.Value {
		if src == nil {
			return v
		}
		return e.op("mix_heads", *src, nil, v, b.tensor(e, layerPath+"attention."+name+".weight", m.Heads, m.Heads))
	}
	p := b.softmax(e, mix(a.MixScore, "mix_score", s.score()), s.starts)
	if rate := m.Defaults.Dropout.Attention; b.dropout && rate != 0 {
		p = e.op("drop_pairs", m.Defaults.Dropout.Source, []ir.Attr{{Key: "rate", Value: rate}}, p, b.key(e, "attention"), s.starts)
	}
	p = mix(a.MixWeight, "mix_weight", p)
	return e.op("weigh", a.Source, []ir.Attr{s.heads()}, p, s.project(a.Value(), x), s.starts)
}

// scoreBuilder appends the score of one attention.
type scoreBuilder struct {
	*builder
	e                         editor
	path                      string    // of the layer's tensors
	xq, x                     *ir.Value // the rows of queries, and those of keys and values
	starts, pos, index, table *ir.Value
	made                      map[projected]*ir.Value // projections, each once
}

// projected is a projection of rows.
type projected struct {
	*spec.Proj
	in *ir.Value
}

// heads returns the attribute with the number of heads.
func (b *scoreBuilder) heads() ir.Attr { return ir.Attr{Key: "heads", Value: b.m.Heads} }

// project returns a projection of rows, or of the relative table.
func (b *scoreBuilder) project(p *spec.Proj, in *ir.Value) *ir.Value {
	if p.Of == spec.Rel {
		in = b.table
	}
	if v := b.made[projected{p, in}]; v != nil {
		return v
	}
	path := b.path + "attention." + b.names.projection(p)
	var v *ir.Value
	switch {
	case p.Kind == spec.Scalar:
		v = b.e.op("transpose", p.Source, nil, b.tensor(b.e, path+".weight", b.m.Relative.Rows, b.m.Heads))
	case b.names.joined && p.Of == spec.X:
		v = b.joinedProjection(b.e, b.path, p, in)
	default:
		v = b.linear(b.e, path, p.Source, b.m.Hidden, b.m.Heads*b.m.Head, p.Bias, in)
	}
	if b.lora != nil && p.Kind != spec.Scalar && slices.Contains(b.lora.Of, p.Weights()) {
		v = b.adapted(p, in, v)
	}
	b.made[projected{p, in}] = v
	return b.e.Name(v, p.Name)
}

// adapted adds the adapter of a projection to its result (Hu et al. 2021, section 4.1). The matrices have the names that the library PEFT uses, without its
// prefix.
func (b *scoreBuilder) adapted(p *spec.Proj, in, v *ir.Value) *ir.Value {
	l, width := b.lora, b.m.Heads*b.m.Head
	path := b.path + "attention." + b.names.projection(p)
	base := strings.TrimSuffix(b.names.name(path+".weight"), ".weight")
	if b.names.joined && p.Of == spec.X {
		base = strings.TrimSuffix(b.names.name(b.path+"attention.joined.weight"), ".weight") + "." + b.names.projection(p)
	}
	matrix := func(name string, rows, cols int) *ir.Value {
		return b.e.Input(base+name, ir.Tensor, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.N(rows), ir.N(cols)}})
	}
	x := b.drop(b.e, "lora."+p.Name, l.Source, l.Dropout, in)
	x = b.e.op("linear", l.Source, nil, x, matrix(adapterDown, l.Rank, b.m.Hidden))
	x = b.e.op("linear", l.Source, nil, x, matrix(adapterUp, width, l.Rank))
	if by := l.Alpha / float64(l.Rank); by != 1 {
		x = b.e.op("scale", l.Source, []ir.Attr{{Key: "by", Value: by}}, x)
	}
	return b.e.op("add", l.Source, nil, v, x)
}

// The ends of the names of an adapter's matrices.
const (
	adapterDown = ".lora_A.weight" // [rank, hidden]
	adapterUp   = ".lora_B.weight" // [width of the projection, rank]
)

// factor returns a factor of a term. Its index tells which rows it is projected from.
func (b *scoreBuilder) factor(f spec.Factor) *ir.Value {
	if f.Index == spec.I {
		return b.project(f.Proj, b.xq)
	}
	return b.project(f.Proj, b.x)
}

// term appends a term.
func (b *scoreBuilder) term(t spec.Term) *ir.Value {
	flip := func(x spec.Index) ir.Attr { return ir.Attr{Key: "flip", Value: x == spec.JI} }
	switch t.Kind {
	case spec.ContentContent:
		return b.e.op("score_cc", t.Source, []ir.Attr{b.heads()}, b.factor(t.Left), b.factor(t.Right), b.starts)
	case spec.ContentOffset:
		op := "score_pc"
		if t.Content().Index == spec.I {
			op = "score_cp"
		}
		attrs := []ir.Attr{flip(t.Offset().Index), b.heads()}
		return b.e.op(op, t.Source, attrs, b.factor(t.Content()), b.factor(t.Offset()), b.index, b.starts, b.pos)
	case spec.OffsetOffset:
		left, right, at, turned := b.factor(t.Left), b.factor(t.Right), b.index, flip(t.Left.Index)
		if t.Left.Index != t.Right.Index { // each offset needs two rows: first make a table that has one row per offset
			left, right = byOffset(b.e, t, left, b.index, t.Left.Index), byOffset(b.e, t, right, b.index, t.Right.Index)
			at, turned = b.e.op("ramp", t.Source, []ir.Attr{{Key: "n", Value: b.index.Type.Shape[0].N}}), flip(spec.IJ)
		}
		pp := b.e.op("table_pp", t.Source, []ir.Attr{b.heads()}, left, right)
		return b.e.op("score_bias", t.Source, []ir.Attr{turned}, pp, at, b.starts, b.pos)
	}
	return b.e.op("score_bias", t.Source, []ir.Attr{flip(t.Left.Index)}, b.factor(t.Left), b.index, b.starts, b.pos)
}

// score appends the sum of the products, scaled, and of the biases.
func (b *scoreBuilder) score() *ir.Value {
	a := &b.m.Encoder.Attention
	plus := func(sum, term *ir.Value, src spec.Source) *ir.Value {
		if sum == nil {
			return term
		}
		return b.e.op("add", src, nil, sum, term)
	}
	var products, biases *ir.Value
	for _, t := range a.Score {
		if t.Kind == spec.Bias {
			biases = plus(biases, b.term(t), t.Source)
		} else {
			products = plus(products, b.term(t), t.Source)
		}
	}
	if products == nil {
		return biases
	}
	score := b.e.op("scale", a.ScaleSource, []ir.Attr{{Key: "by", Value: a.Scale}}, products)
	if biases != nil {
		score = b.e.op("add", a.ScoreSource, nil, score, biases)
	}
	return score
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
