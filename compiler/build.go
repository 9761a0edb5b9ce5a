package compiler

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
)

// builder turns one model with one head into regions, in the plain form that the spec describes: nothing is joined, no layout is chosen.
type builder struct {
	m     *spec.Model
	h     *spec.Head // nil: the last layer's rows
	names naming
	prog  *ir.Program
}

// Names in the store that the regions of a forward call talk through.
const (
	storeIDs    = "ids"    // int32 [T] token ids
	storePos    = "pos"    // int32 [T] original position of each row, from 0
	storeTypes  = "types"  // int32 [T] segment of each token
	storeStarts = "starts" // int32 [B+1] first row of each sequence, and T
	storeIndex  = "relative.index"
	storeTable  = "relative.table"
	storeHidden = "hidden_states.{l}"   // float32 [T, H] input of layer l
	storeNext   = "hidden_states.{l+1}" // its output
	storeLogits = "logits"
)

// hiddenAt is the store's name of the hidden states behind layer l, counted from 0 for the embedding's output.
func hiddenAt(l int) string { return ir.At(storeHidden, l) }

// build gives the program before any pass.
func build(m *spec.Model, h *spec.Head, bounds ir.Bounds, file, name string) (*ir.Program, error) {
	b := &builder{m: m, h: h, names: namings[m.Checkpoint], prog: &ir.Program{Name: name, File: file, Bounds: bounds}}
	steps := []func() error{b.embed, b.relative, b.layers, b.head}
	for _, s := range steps {
		if err := s(); err != nil {
			return nil, err
		}
	}
	return b.prog, nil
}

// region starts a region that is called Count times from layer 0.
func (b *builder) region(name, doc string, src spec.Source, count int) editor {
	r := &ir.Region{Name: name, Doc: doc, Pos: src.Pos}
	b.prog.Regions = append(b.prog.Regions, r)
	b.prog.Run = append(b.prog.Run, ir.Call{Region: r, Count: count})
	return edit(r)
}

// tensor is a tensor of the checkpoint as a region input.
func (b *builder) tensor(e editor, path string, dims ...int) *ir.Value {
	shape := make(ir.Shape, len(dims))
	for i, d := range dims {
		shape[i] = ir.N(d)
	}
	return e.Input(b.names.name(path), ir.Tensor, ir.Type{DType: ir.F32, Shape: shape})
}

// norm appends a layer norm whose gain and shift lie under the given path.
func (b *builder) norm(e editor, path string, n *spec.Norm, width int, x *ir.Value) *ir.Value {
	g := b.tensor(e, path+".weight", width)
	s := b.tensor(e, path+".bias", width)
	return e.op("layernorm", n.Source, []ir.Attr{{Key: "eps", Value: n.Eps}}, x, g, s)
}

// linear appends x·Wᵀ (+ bias) with the weight under the given path.
func (b *builder) linear(e editor, path string, src spec.Source, in, out int, bias bool, x *ir.Value) *ir.Value {
	w := b.tensor(e, path+".weight", out, in)
	var c *ir.Value
	if bias {
		c = b.tensor(e, path+".bias", out)
	}
	return e.op("linear", src, nil, x, w, c)
}

// embed sums the tables of the input, projects the sum if its width is not the hidden size, and normalises it.
func (b *builder) embed() error {
	em := &b.m.Embed
	e := b.region("embed", "embed looks up the token table and makes the rows that enter the first layer.", em.Source, 1)
	ids := e.Input(storeIDs, ir.Batch, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.T}})
	x := e.op("embed", em.Token.Source, nil, b.tensor(e, "embed.token", em.Token.Rows, em.Width), ids)
	if a := em.Absolute; a != nil {
		pos := e.Input(storePos, ir.Batch, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.T}})
		if a.From != 0 {
			return fmt.Errorf("absolute positions from row %d reached the builder", a.From)
		}
		x = e.op("add", a.Source, nil, x, e.op("embed", a.Source, nil, b.tensor(e, "embed.absolute", a.Rows, em.Width), pos))
	}
	if s := em.Segment; s != nil {
		types := e.Input(storeTypes, ir.Batch, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.T}})
		x = e.op("add", s.Source, nil, x, e.op("embed", s.Source, nil, b.tensor(e, "embed.segment", s.Rows, em.Width), types))
	}
	if em.Width != b.m.Hidden {
		x = b.linear(e, "embed.project", em.Source, em.Width, b.m.Hidden, false, x)
	}
	if em.Norm != nil {
		x = b.norm(e, "embed.norm", em.Norm, b.m.Hidden, x)
	}
	e.Output(hiddenAt(0), x)
	return e.Err()
}

// relative makes what all layers share of the relative table: its rows, normalised, and the row that each offset takes.
func (b *builder) relative() error {
	rel := b.m.Relative
	if rel == nil || !b.usesTable() {
		return nil
	}
	e := b.region("relative", "relative normalises the table of offsets that all layers share.", rel.Source, 1)
	kind := "clamp"
	if rel.Bucket.Kind == spec.Log {
		kind = "log"
	}
	index := e.op("buckets", rel.Bucket.Source, []ir.Attr{
		{Key: "exact", Value: rel.Bucket.Exact}, {Key: "kind", Value: kind}, {Key: "length", Value: b.prog.Bounds.Length},
		{Key: "reach", Value: rel.Bucket.Reach}, {Key: "span", Value: -rel.Lo},
	})
	e.Output(storeIndex, index)
	if b.projectsTable() {
		table := b.tensor(e, "relative", rel.Rows, b.m.Hidden)
		if rel.Norm != nil {
			table = b.norm(e, "relative.norm", rel.Norm, b.m.Hidden, table)
		}
		e.Output(storeTable, e.op("identity", rel.Source, nil, table))
	}
	return e.Err()
}

// usesTable reports whether some term of the score is indexed by an offset.
func (b *builder) usesTable() bool {
	for _, t := range b.m.Encoder.Attention.Score {
		if t.Kind != spec.ContentContent {
			return true
		}
	}
	return false
}

// projectsTable reports whether some projection reads the relative table's rows (a scalar bias has a table of its own).
func (b *builder) projectsTable() bool {
	for _, p := range b.m.Encoder.Attention.Projections {
		if p.Of == spec.Rel && p.Kind == spec.Linear {
			return true
		}
	}
	return false
}

// layers describes one encoder layer; the schedule calls it once for each.
func (b *builder) layers() error {
	m, enc := b.m, &b.m.Encoder
	e := b.region("layer", "layer is one encoder layer: attention, feed-forward, each with its residual and norm.", enc.Source, enc.Layers)
	x := e.Input(storeHidden, ir.State, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.T, ir.N(m.Hidden)}})
	ctx := b.attention(e, x)
	path := "encoder.{l}."
	norm := &m.Defaults.Norm
	out := b.linear(e, path+"attention.out", enc.Attention.Source, m.Heads*m.Head, m.Hidden, true, ctx)
	x1 := b.norm(e, path+"attention.norm", norm, m.Hidden, e.op("add", enc.Attention.Source, nil, out, x))
	f := b.linear(e, path+"ffn.in", enc.FFN.Source, m.Hidden, enc.FFN.Inner, true, x1)
	if enc.FFN.Act != "identity" {
		f = e.op(enc.FFN.Act, enc.FFN.Source, nil, f)
	}
	f = b.linear(e, path+"ffn.out", enc.FFN.Source, enc.FFN.Inner, m.Hidden, true, f)
	e.Output(storeNext, b.norm(e, path+"ffn.norm", norm, m.Hidden, e.op("add", enc.FFN.Source, nil, f, x1)))
	return e.Err()
}

// attention appends the score term by term, the softmax and the weighted mean of the values.
func (b *builder) attention(e editor, x *ir.Value) *ir.Value {
	m, a := b.m, &b.m.Encoder.Attention
	width := m.Heads * m.Head
	starts := e.Input(storeStarts, ir.Batch, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.Bound}})
	var pos, index, table *ir.Value
	if b.usesTable() {
		pos = e.Input(storePos, ir.Batch, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.T}})
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

// head appends the head's steps on the rows that it takes.
func (b *builder) head() error {
	last := hiddenAt(b.m.Encoder.Layers)
	if b.h == nil {
		b.prog.Outputs = []string{last}
		return nil
	}
	e := b.region("head", "head reads the first row of each sequence and gives its logits.", b.h.Source, 1)
	x := e.Input(last, ir.State, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.T, ir.N(b.m.Hidden)}})
	starts := e.Input(storeStarts, ir.Batch, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.Bound}})
	x = e.op("take", b.h.Take.Source, []ir.Attr{{Key: "rows", Value: "first"}}, x, starts)
	linears := 0
	for _, s := range b.h.Steps {
		if s.Kind == spec.StepLinear {
			linears++
		}
	}
	seen, norms := 0, 0
	for _, s := range b.h.Steps {
		switch s.Kind {
		case spec.StepLinear:
			seen++
			path := b.headPath(seen, linears)
			x = b.linear(e, path, s.Source, s.In, s.Out, true, x)
		case spec.StepAct:
			if s.Act != "identity" {
				x = e.op(s.Act, s.Source, nil, x)
			}
		case spec.StepNorm:
			norms++
			x = b.norm(e, fmt.Sprintf("head.%s.norm%d", b.h.Name, norms), s.Norm, s.In, x)
		case spec.StepDropout: // training only
		default:
			return fmt.Errorf("%v: this step reached the builder", s.Pos)
		}
	}
	e.Output(storeLogits, x)
	b.prog.Outputs = []string{storeLogits}
	return e.Err()
}

// headPath names the n-th of count products of the head: in published checkpoints the last is the classifier and the one before it the pooler.
func (b *builder) headPath(n, count int) string {
	if b.names.scheme != own.scheme {
		if n == count {
			return "head.classifier"
		}
		return "head.pooler"
	}
	return fmt.Sprintf("head.%s.linear%d", b.h.Name, n)
}
