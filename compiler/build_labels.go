package compiler

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
)

// labelHead is a head that scores texts against labels that are chosen at run time (GLiClass), while it is built. Labels are the words of a batch.
type labelHead struct {
	*builder
	editor
	path           string
	tokens         *ir.Value // [T, .] until the text's row is taken
	text           *ir.Value // [B, .], or [T, .] if the score reads each row of the text; nil until then
	labels         *ir.Value // [W, .]
	scale          *ir.Value // [1, 1] what the score is multiplied with, or nil
	linears, norms int
	lstms          int
}

// ownLabels appends a head that scores labels. Its steps work on the rows of texts and on those of labels, with weights for each.
func (b *builder) ownLabels(e editor, x *ir.Value) (*ir.Value, error) {
	p := &labelHead{builder: b, editor: e, path: b.names.headPath(b.h), tokens: x}
	p.labels = p.op("pool_words", b.h.Take.Source, []ir.Attr{{Key: "how", Value: b.h.Take.Pick}}, x, p.Part(ragged.Words))
	dropouts := 0
	for _, s := range b.h.Steps {
		switch s.Kind {
		case spec.StepLSTM:
			p.lstms++
			p.tokens = b.lstm(e, s, fmt.Sprintf("%slstm%d.", p.path, p.lstms), p.tokens, e.Part(ragged.Starts), p.prefix())
			continue
		case spec.StepScore:
			p.pool()
			if b.h.Text.How != "each" {
				p.vector(e, s.Source, tasktable.TextVectors, p.text)
			}
			p.vector(e, s.Source, tasktable.LabelVectors, p.labels)
			y := p.score(s)
			if p.scale != nil {
				y = p.op("linear", s.Source, nil, y, p.scale, nil)
			}
			return y, nil
		case spec.StepDropout:
			dropouts++
		}
		p.pool()
		if err := p.step(s, dropouts); err != nil {
			return nil, err
		}
	}
	return nil, fmt.Errorf("%v: a head for labels scores nothing", b.h.Pos)
}

// prefix returns the numbers of tokens in front of the texts, or nil if all tokens belong to them.
func (p *labelHead) prefix() *ir.Value {
	if !p.h.Text.End {
		return nil
	}
	return p.Part(ragged.Prefix)
}

// pool takes the text's row, if it is not taken yet.
func (p *labelHead) pool() {
	t := p.h.Text
	switch {
	case p.text != nil:
	case t.How == "each":
		p.text = p.tokens
	case !t.End && (t.How == "first" || t.How == "mean"): // ops that the passes know
		p.text = p.op("take", t.Source, []ir.Attr{{Key: "rows", Value: t.How}}, p.tokens, p.Part(ragged.Starts))
	default:
		attrs := []ir.Attr{{Key: "how", Value: t.How}}
		if t.End && p.lstms > 0 { // as in the published code, where an LSTM returns the rows of the text alone
			attrs = append([]ir.Attr{{Key: "bare", Value: true}}, attrs...)
		}
		p.text = p.op("pool_text", t.Source, attrs, p.tokens, p.Part(ragged.Starts), p.prefix())
	}
}

// step appends one step on both kinds of rows.
func (p *labelHead) step(s *spec.Step, dropouts int) error {
	e := p.editor
	both := func(step func(kind string, x *ir.Value) *ir.Value) {
		p.text, p.labels = step("text.", p.text), step("label.", p.labels)
	}
	switch s.Kind {
	case spec.StepLinear:
		p.linears++
		both(func(kind string, x *ir.Value) *ir.Value {
			return p.linear(e, fmt.Sprintf("%s%slinear%d", p.path, kind, p.linears), s.Source, s.In, s.Out, true, x)
		})
	case spec.StepAct:
		if s.Act != "identity" {
			both(func(_ string, x *ir.Value) *ir.Value { return e.op(s.Act, s.Source, nil, x) })
		}
	case spec.StepNorm:
		p.norms++
		both(func(kind string, x *ir.Value) *ir.Value {
			return p.norm(e, fmt.Sprintf("%s%snorm%d", p.path, kind, p.norms), s.Norm, s.In, x)
		})
	case spec.StepDropout:
		both(func(kind string, x *ir.Value) *ir.Value {
			return p.drop(e, fmt.Sprint(dropouts, ".", kind, "rows"), s.Source, s.Rate, x)
		})
	case spec.StepUnit:
		both(func(_ string, x *ir.Value) *ir.Value { return e.op("unit_rows", s.Source, nil, x) })
		if s.Scaled {
			p.scale = p.tensor(e, p.path+"scale", 1, 1)
		}
	default:
		return fmt.Errorf("%v: this step of a head for labels reached the builder", s.Pos)
	}
	return nil
}

// spread appends the row of its text for each label.
func (p *labelHead) spread(s *spec.Step, x *ir.Value) *ir.Value {
	return p.op("expand_texts", s.Source, nil, x, p.Part(ragged.WordStarts))
}

// column appends the sum of each row as a matrix of one column.
func (p *labelHead) column(s *spec.Step, x *ir.Value) *ir.Value {
	return p.op("spread", s.Source, []ir.Attr{{Key: "n", Value: 1}}, p.op("row_sum", s.Source, nil, x))
}

// score appends the number of each label, [W, 1].
func (p *labelHead) score(s *spec.Step) *ir.Value {
	if p.Err() != nil {
		return p.labels
	}
	h := width(p.labels)
	path := p.path + "score." + s.Score + "."
	plain := func(name string, x *ir.Value, out int, bias bool) *ir.Value {
		return p.linear(p.editor, path+name, s.Source, width(x), out, bias, x)
	}
	switch s.Score {
	case "layers": // the first layer reads both rows, so it is the sum of a product with each
		w := p.tensor(p.editor, path+"layer1.weight", s.Widths[0], 2*h)
		text := p.op("linear", s.Source, nil, p.text, p.Name(p.columns(s, w, 0, h), path+"text"), nil)
		label := p.op("linear", s.Source, nil, p.labels, p.Name(p.columns(s, w, h, h), path+"label"),
			p.tensor(p.editor, path+"layer1.bias", s.Widths[0]))
		return p.inner(s, path, "relu", 1, p.op("add", s.Source, nil, label, p.spread(s, text)))
	case "weighted":
		return p.weighted(s, path, h, plain)
	case "hopfield":
		q, k, v := plain("q", p.labels, h, false), plain("k", p.text, h, false), plain("v", p.text, h, false)
		products := p.column(s, p.op("mul", s.Source, nil, q, p.spread(s, k)))
		products = p.op("scale", s.Source, []ir.Attr{{Key: "by", Value: hopfieldScale}}, products)
		share := p.op("softmax_words", s.Source, nil, products, p.Part(ragged.WordStarts))
		wide := p.op("spread", s.Source, []ir.Attr{{Key: "n", Value: h}}, p.op("row_sum", s.Source, nil, share))
		p.labels = p.op("add", s.Source, nil, p.labels, p.op("mul", s.Source, nil, wide, p.spread(s, v)))
		return p.inner(s, path, "relu", 0, p.labels)
	case "attend":
		return p.attend(s, path, h, plain)
	}
	return p.column(s, p.op("mul", s.Source, nil, p.labels, p.spread(s, p.text)))
}

// hopfieldScale multiplies the products of labels with a text before the softmax over the labels, as in the published code.
const hopfieldScale = 4.0

// inner appends the inner layers of a score from number from on, and the layer with one column. x is the sum of layer from, without its activation; for 0 it is
// what layer 1 reads.
func (p *labelHead) inner(s *spec.Step, path, act string, from int, x *ir.Value) *ir.Value {
	for i := from; i <= len(s.Widths); i++ {
		if i > 0 {
			x = p.op(act, s.Source, nil, x)
		}
		out := 1
		if i < len(s.Widths) {
			out = s.Widths[i]
		}
		x = p.linear(p.editor, fmt.Sprintf("%slayer%d", path, i+1), s.Source, width(x), out, true, x)
	}
	return x
}

// weighted appends a score of [t0; l0; t1 ⊙ l1], where t and l are projections of the text and the label in two halves. The first layer is the sum of a product
// with each part.
func (p *labelHead) weighted(s *spec.Step, path string, h int, plain func(string, *ir.Value, int, bool) *ir.Value) *ir.Value {
	inner := s.Widths[0]
	w := p.tensor(p.editor, path+"layer1.weight", inner, 3*h)
	half := func(name string, x *ir.Value, from int) *ir.Value {
		weight, bias := p.tensor(p.editor, path+name+".weight", 2*h, h), p.tensor(p.editor, path+name+".bias", 2*h)
		return p.op("linear", s.Source, nil, x, p.Name(p.rows(s, weight, from, h), fmt.Sprint(path, name, ".half", from/h)), p.rows(s, bias, from, h))
	}
	part := func(name string, x *ir.Value, from int, bias *ir.Value) *ir.Value {
		return p.op("linear", s.Source, nil, x, p.Name(p.columns(s, w, from, h), path+"layer1."+name), bias)
	}
	text := part("text", half("text", p.text, 0), 0, nil)
	label := part("label", half("label", p.labels, 0), h, p.tensor(p.editor, path+"layer1.bias", inner))
	both := part("both", p.op("mul", s.Source, nil, half("label", p.labels, h), p.spread(s, half("text", p.text, h))), 2*h, nil)
	return p.inner(s, path, "relu", 1, p.op("add", s.Source, nil, p.op("add", s.Source, nil, label, both), p.spread(s, text)))
}

// attendEps is the eps of the norms of attend.
const attendEps = 1e-5

// attend appends a score in which each label attends to the tokens of its text, and inner layers that read the result and the label.
func (p *labelHead) attend(s *spec.Step, path string, h int, plain func(string, *ir.Value, int, bool) *ir.Value) *ir.Value {
	normed := func(name string, x *ir.Value) *ir.Value {
		return p.norm(p.editor, path+name, &spec.Norm{Source: s.Source, Kind: "layernorm", Eps: attendEps}, h, x)
	}
	q, k, v := plain("q", normed("q_norm", p.labels), h, true), plain("k", normed("kv_norm", p.text), h, true), plain("v", p.text, h, true)
	read := p.op("attend_words", s.Source, []ir.Attr{{Key: "heads", Value: s.Heads}}, q, k, v, p.prefix(), p.Part(ragged.Starts), p.Part(ragged.WordStarts))
	read = normed("norm", plain("out", read, h, true))
	w := p.tensor(p.editor, path+"layer1.weight", s.Widths[0], 2*h)
	first := p.op("linear", s.Source, nil, read, p.Name(p.columns(s, w, 0, h), path+"layer1.read"), nil)
	second := p.op("linear", s.Source, nil, p.labels, p.Name(p.columns(s, w, h, h), path+"layer1.label"),
		p.tensor(p.editor, path+"layer1.bias", s.Widths[0]))
	return p.inner(s, path, "gelu", 1, p.op("add", s.Source, nil, first, second))
}

// rows returns count rows of a weight, or count numbers of a vector.
func (p *labelHead) rows(s *spec.Step, w *ir.Value, from, count int) *ir.Value {
	return p.op("slice", s.Source, []ir.Attr{{Key: "count", Value: count}, {Key: "from", Value: from}}, w)
}

// columns returns count columns of a weight.
func (p *labelHead) columns(s *spec.Step, w *ir.Value, from, count int) *ir.Value {
	return p.op("transpose", s.Source, nil, p.rows(s, p.op("transpose", s.Source, nil, w), from, count))
}
