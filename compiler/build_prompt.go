package compiler

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
)

// entities appends a head that scores words against labels that are chosen at run time (GLiNER, Zaratiana et al. 2024). The steps before the LSTM work on the
// encoder's tokens, and only tokens that words and labels read are computed. The LSTM works on words alone.
func (b *builder) entities(e editor, names headNames, x *ir.Value) (*ir.Value, error) {
	p := &promptHead{builder: b, editor: e, path: b.names.headPath(b.h), tokens: x}
	if p.early() {
		p.pool()
	}
	linears, norms, lstms, dropouts := 0, 0, 0, 0
	for _, s := range b.h.Steps {
		switch s.Kind {
		case spec.StepLinear:
			path := names.linears[linears]
			linears++
			p.each(func(x *ir.Value) *ir.Value { return b.linear(e, path, s.Source, s.In, s.Out, true, x) })
		case spec.StepAct:
			if s.Act != "identity" {
				p.each(func(x *ir.Value) *ir.Value { return e.op(s.Act, s.Source, nil, x) })
			}
		case spec.StepNorm:
			path := names.norms[norms]
			norms++
			p.each(func(x *ir.Value) *ir.Value { return b.norm(e, path, s.Norm, s.In, x) })
		case spec.StepLSTM:
			p.pool()
			lstms++
			p.words = b.lstm(e, s, fmt.Sprintf("%slstm%d.", p.path, lstms), p.words, e.Part(ragged.WordStarts), nil)
		case spec.StepSpans:
			p.pool()
			return p.spans(s), nil
		case spec.StepTokens:
			p.pool()
			return p.tokenScores(s), nil
		case spec.StepDropout:
			dropouts++
			p.drops(s, dropouts)
		default:
			return nil, fmt.Errorf("%v: this step of a head with labels in its prompt reached the builder", s.Pos)
		}
	}
	return nil, fmt.Errorf("%v: a head with labels in its prompt scores nothing", b.h.Pos)
}

// poolWords appends the op that makes one row from the tokens of each word.
func (b *builder) poolWords(e editor, x *ir.Value) *ir.Value {
	words := e.Part(ragged.Words)
	return e.op("pool_words", b.h.Take.Source, []ir.Attr{{Key: "how", Value: b.h.Take.Pick}}, x, words)
}

// lstm appends a long short-term memory in one or both directions over the rows of each sequence. One product with the rows serves both directions. Gates are
// padded to whole panels, which keeps the cells after the last at 0. If prefix is not nil, the memory reads each sequence from its row number prefix on: in
// front of it the gates are closed, so the state stays 0.
func (b *builder) lstm(e editor, s *spec.Step, path string, x, starts, prefix *ir.Value) *ir.Value {
	directions := []string{""}
	attrs := []ir.Attr{{Key: "size", Value: s.Out}}
	if s.Both {
		directions = append(directions, "reverse.")
		attrs = []ir.Attr{{Key: "both", Value: true}, {Key: "size", Value: s.Out / 2}}
	}
	size := s.Out / len(directions)
	var in, state, bias []*ir.Value
	for _, d := range directions {
		in = append(in, b.tensor(e, path+d+"input.weight", 4*size, s.In))
		state = append(state, b.tensor(e, path+d+"state.weight", 4*size, size))
		bias = append(bias, e.op("add", s.Source, nil, b.tensor(e, path+d+"input.bias", 4*size), b.tensor(e, path+d+"state.bias", 4*size)))
	}
	padded := (size + 15) / 16 * 16
	join := func(parts []*ir.Value) *ir.Value {
		return e.op("pad_heads", s.Source, []ir.Attr{{Key: "dp", Value: padded}, {Key: "heads", Value: 4 * len(parts)}},
			e.op("concat", s.Source, nil, parts...))
	}
	name := path[:len(path)-1]
	gates := e.op("linear", s.Source, nil, x, e.Name(join(in), name+".gates"), join(bias))
	if prefix != nil {
		gates = e.op("fill_prefix", s.Source, []ir.Attr{{Key: "value", Value: closedGate}}, gates, starts, prefix)
	}
	return e.op("lstm", s.Source, attrs, gates, e.Name(e.op("panels", s.Source, nil, join(state)), name+".state"), starts)
}

// closedGate is what a closed gate of an LSTM reads: its sigmoid is 0 in float32, whatever a state of numbers from -1 to 1 adds.
const closedGate = -1e30

// promptHead is a head on words and labels while it is built.
type promptHead struct {
	*builder
	editor
	path          string
	tokens        *ir.Value // [T, .] until words and labels are taken
	words, labels *ir.Value // [W, .], [C, .]
}

// early reports whether words may be taken before the steps in front of the LSTM without changing the result. Picked rows may always be taken first, means of
// rows before products only.
func (p *promptHead) early() bool {
	for _, s := range p.h.Steps {
		switch {
		case s.Kind == spec.StepLSTM:
			return p.h.Take.Pick != "max"
		case (s.Kind == spec.StepAct || s.Kind == spec.StepNorm) && p.h.Take.Pick == "mean":
			return false
		}
	}
	return p.h.Take.Pick != "max"
}

// pool takes the rows of words and labels, if they are not taken yet.
func (p *promptHead) pool() {
	if p.words != nil {
		return
	}
	p.words = p.poolWords(p.editor, p.tokens)
	p.labels = p.op("pick", p.h.Prompt.Source, nil, p.tokens, p.Part(ragged.Marks))
}

// each appends one step: on all tokens, or on words and on labels after they are taken.
func (p *promptHead) each(step func(*ir.Value) *ir.Value) {
	if p.words == nil {
		p.tokens = step(p.tokens)
		return
	}
	p.words, p.labels = step(p.words), step(p.labels)
}

// drops appends a dropout: on all tokens, or, with a site of their own each, on words and on labels.
func (p *promptHead) drops(s *spec.Step, number int) {
	site := fmt.Sprint(number)
	if p.words == nil {
		p.tokens = p.drop(p.editor, site, s.Source, s.Rate, p.tokens)
		return
	}
	p.words = p.drop(p.editor, site+".words", s.Source, s.Rate, p.words)
	p.labels = p.drop(p.editor, site+".labels", s.Source, s.Rate, p.labels)
}

// width returns the number of columns of a value.
func width(x *ir.Value) int { return x.Type.Shape[len(x.Type.Shape)-1].N }

// project appends the two layers of a projection of GLiNER, P(x) = W_out·relu(W_in·x + b_in) + b_out. The inner width is four times the outer width.
func (p *promptHead) project(s *spec.Step, path string, out int, x *ir.Value) *ir.Value {
	inner := p.op("relu", s.Source, nil, p.linear(p.editor, path+"in", s.Source, width(x), 4*out, true, x))
	return p.linear(p.editor, path+"out", s.Source, 4*out, out, true, inner)
}

// spans appends the scores of all spans of up to a number of words, without computing the spans' vectors. With S = P_pair(relu([P_start(w); P_end(w+k)])) the
// first layer of P_pair is the sum of a part of word w and a part of word w+k. Its second layer is moved to the labels: S·p = inner·(W_outᵀp) + b_out·p.
func (p *promptHead) spans(s *spec.Step) *ir.Value {
	if p.Err() != nil {
		return p.words
	}
	first, last := p.halves(s)
	p.spanVectors(s, first, last)
	labels := p.project(s, p.path+"spans.label.", width(p.words), p.labels)
	p.vector(p.editor, s.Source, tasktable.LabelVectors, labels)
	return p.scoresOf(s, first, last, labels, p.Part(ragged.MarkStarts))
}

// halves appends the parts of a span's first and last word in the inner layer of the span.
func (p *promptHead) halves(s *spec.Step) (first, last *ir.Value) {
	h := width(p.words)
	path := p.path + "spans."
	half := func(name string, from int, bias *ir.Value) *ir.Value {
		x := p.op("relu", s.Source, nil, p.project(s, path+name, h, p.words))
		w := p.Name(p.columns(s, p.tensor(p.editor, path+"pair.in.weight", 4*h, 2*h), from, h), path+name+"part")
		return p.op("linear", s.Source, nil, x, w, bias)
	}
	first = half("start.", 0, p.tensor(p.editor, path+"pair.in.bias", 4*h))
	return first, half("end.", h, nil)
}

// scoresOf appends the scores of spans for labels or queries, whose rows are label. first and last are the parts of words w and w+k in the inner layer.
func (p *promptHead) scoresOf(s *spec.Step, first, last, label, starts *ir.Value) *ir.Value {
	h, path := width(p.words), p.path+"spans."
	out := p.op("transpose", s.Source, nil, p.tensor(p.editor, path+"pair.out.weight", h, 4*h))
	joint := p.op("concat", s.Source, nil, out, p.asRow(s, p.tensor(p.editor, path+"pair.out.bias", h), out))
	u := p.op("linear", s.Source, nil, label, p.Name(joint, path+"pair.label"), nil)
	return p.op("span_scores", s.Source, []ir.Attr{{Key: "widths", Value: s.Width}}, first, last, u,
		p.Part(ragged.WordStarts), starts)
}

// tokenScores appends the scores start, end and inside of all words for all labels. With t = A·w and l = B·c in two halves each, the inner layer of the last
// projection is W·[t1; l1; t2⊙l2]. Its first two parts are products of the word's and the label's rows with products of weights.
func (p *promptHead) tokenScores(s *spec.Step) *ir.Value {
	if p.Err() != nil {
		return p.words
	}
	p.vector(p.editor, s.Source, tasktable.WordVectors, p.words)
	p.vector(p.editor, s.Source, tasktable.LabelVectors, p.labels)
	h := width(p.words)
	path := p.path + "tokens."
	in := p.tensor(p.editor, path+"score.in.weight", 4*h, 3*h)
	part := func(name string, from int, x, bias *ir.Value) (second, inner *ir.Value) {
		w, c := p.tensor(p.editor, path+name+".weight", 2*h, width(x)), p.tensor(p.editor, path+name+".bias", 2*h)
		second = p.op("linear", s.Source, nil, x, p.Name(p.rows(s, w, h, h), path+name+".second"), p.rows(s, c, h, h))
		read := p.columns(s, in, from, h)
		joint := p.Name(p.op("matmul", s.Source, nil, read, p.rows(s, w, 0, h)), path+name+".inner")
		constant := p.op("linear", s.Source, nil, p.asRow(s, p.rows(s, c, 0, h), read), read, bias)
		return second, p.op("linear", s.Source, nil, x, joint, p.op("col_sum", s.Source, nil, constant))
	}
	x, a := part("word", 0, p.words, p.tensor(p.editor, path+"score.in.bias", 4*h))
	z, b := part("label", h, p.labels, nil)
	w := p.Name(p.op("panels", s.Source, nil, p.columns(s, in, 2*h, h)), path+"pairs")
	out := p.op("transpose", s.Source, nil, p.tensor(p.editor, path+"score.out.weight", 3, 4*h))
	v := p.op("concat", s.Source, nil, out, p.asRow(s, p.tensor(p.editor, path+"score.out.bias", 3), out))
	v = p.Name(p.op("pad", s.Source, nil, p.op("transpose", s.Source, nil, v)), path+"outputs")
	return p.op("token_scores", s.Source, nil, x, z, a, b, w, v, p.Part(ragged.WordStarts), p.Part(ragged.MarkStarts))
}

// rows returns count rows of a weight, or count numbers of a vector.
func (p *promptHead) rows(s *spec.Step, w *ir.Value, from, count int) *ir.Value {
	return p.op("slice", s.Source, []ir.Attr{{Key: "count", Value: count}, {Key: "from", Value: from}}, w)
}

// columns returns count columns of a weight.
func (p *promptHead) columns(s *spec.Step, w *ir.Value, from, count int) *ir.Value {
	return p.op("transpose", s.Source, nil, p.rows(s, p.op("transpose", s.Source, nil, w), from, count))
}

// asRow returns a vector as a matrix of one row, with as many columns as like.
func (p *promptHead) asRow(s *spec.Step, v, like *ir.Value) *ir.Value {
	return p.op("repeat_rows", s.Source, nil, v, p.rows(s, like, 0, 1))
}

// entityColumns returns the number of columns of a head on words and labels: the widths of spans, or start, end and inside.
func entityColumns(h *spec.Head) (columns, widths int) {
	for _, s := range h.Steps {
		if s.Kind == spec.StepSpans {
			return s.Width, s.Width
		}
	}
	return ops.TokenColumns, 0
}
