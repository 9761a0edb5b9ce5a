package compiler

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
)

// boundaryEps is the eps of the norms of a head that scores boundaries.
const boundaryEps = 1e-5

// boundaryHead holds what the steps of a head that scores boundaries (GLiNER2.5) pass on.
type boundaryHead struct {
	states   *ir.Value // [U, D] boundaries
	scores   *ir.Value // [R, 3] start, end, inside
	from, to *ir.Value // [U, D] what a span's agreement is the product of
	chosen   *ir.Value // [S, 2] candidates
}

// placedBy returns the operands of ops on queries, boundaries and candidates, which all end with the same parts of the batch.
func (p *schemaHead) placedBy(in ...*ir.Value) []*ir.Value {
	return append(in, p.Part(ragged.WordStarts), p.Part(ragged.QueryStarts), p.Part(ragged.Candidates))
}

// place appends an op on queries, boundaries and candidates.
func (p *schemaHead) place(s *spec.Step, op string, attrs []ir.Attr, in ...*ir.Value) *ir.Value {
	return p.op(op, s.Source, attrs, p.placedBy(in...)...)
}

// plain appends a linear layer of the head.
func (p *schemaHead) plain(s *spec.Step, name string, x *ir.Value, out int) *ir.Value {
	return p.linear(p.editor, p.path+name, s.Source, width(x), out, true, x)
}

// normed appends a norm of the head.
func (p *schemaHead) normed(s *spec.Step, name string, x *ir.Value) *ir.Value {
	return p.norm(p.editor, p.path+name, &spec.Norm{Source: s.Source, Kind: "layernorm", Eps: boundaryEps}, width(x), x)
}

// asked returns the row of each query's marker.
func (p *schemaHead) asked() *ir.Value {
	if p.start == nil {
		p.start = p.op("pick", p.h.Prompt.Source, nil, p.hidden, p.Part(ragged.Queries))
	}
	return p.start
}

// boundaries appends the rows of boundaries, and returns their scores for each query: start, end and inside. A boundary's row is made of those of the words on
// both sides; before the first word and after the last one there are learned rows.
func (p *schemaHead) boundaries(s *spec.Step) *ir.Value {
	const path = "bounds."
	if p.words = p.poolWords(p.editor, p.hidden); p.Err() != nil {
		return nil
	}
	p.vector(p.editor, s.Source, tasktable.WordVectors, p.words)
	b, h := s.Bounds, width(p.words)
	out := p.tensor(p.editor, p.path+path+"join.weight", b.Size, 2*b.Size)
	side := func(name, edge string, from int, bias *ir.Value) *ir.Value {
		weight, shift := p.tensor(p.editor, p.path+path+name+".weight", b.Size, h), p.tensor(p.editor, p.path+path+name+".bias", b.Size)
		words := p.op("linear", s.Source, nil, p.words, weight, shift)
		row := p.op("linear", s.Source, nil, p.asRow(s, p.tensor(p.editor, p.path+path+edge, h), weight), weight, shift)
		all := p.place(s, "boundary_rows", []ir.Attr{{Key: "side", Value: name}}, words,
			p.Name(p.op("col_sum", s.Source, nil, row), p.path+path+edge+"."+name))
		return p.op("linear", s.Source, nil, all, p.Name(p.columns(s, out, from, b.Size), p.path+path+"join."+name), bias)
	}
	z := p.op("add", s.Source, nil, side("left", "first", 0, p.tensor(p.editor, p.path+path+"join.bias", b.Size)), side("right", "last", b.Size, nil))
	z = p.normed(s, path+"norm", z)
	for i := range b.Attend {
		z = p.attendBounds(s, fmt.Sprintf("%sattend_%d.", path, i), z)
	}
	for i := range b.Refine {
		z = p.refine(s, fmt.Sprintf("%srefine_%d.", path, i), b.Inner, z)
	}
	p.states = z
	row := func(name string, x *ir.Value) *ir.Value { return p.plain(s, path+name, x, b.Size) }
	q := p.asked()
	p.scores = p.place(s, "boundary_scores", nil, row("query.start", q), row("query.end", q), row("query.inside", q),
		row("start", z), row("end", z), row("inside", p.words))
	return p.scores
}

// attendBounds appends a layer of attention among boundaries, z + W·attention(norm z).
func (p *schemaHead) attendBounds(s *spec.Step, path string, z *ir.Value) *ir.Value {
	d := width(z)
	x := p.normed(s, path+"norm", z)
	weight, bias := p.tensor(p.editor, p.path+path+"qkv.weight", 3*d, d), p.tensor(p.editor, p.path+path+"qkv.bias", 3*d)
	part := func(k int, name string) *ir.Value {
		w := p.Name(p.promptHead.rows(s, weight, k*d, d), p.path+path+name)
		return p.op("linear", s.Source, nil, x, w, p.promptHead.rows(s, bias, k*d, d))
	}
	read := p.place(s, "attend_bounds", []ir.Attr{{Key: "heads", Value: s.Bounds.Heads}, {Key: "window", Value: s.Bounds.Window}},
		part(0, "q"), part(1, "k"), part(2, "v"))
	y := p.plain(s, path+"out", read, d)
	return p.op("add", s.Source, nil, z, p.drop(p.editor, path+"out", s.Source, p.rate, y))
}

// refine appends a block z + W·(v ⊙ g·σ(g)), where v and g are two parts of a layer on the norm of z.
func (p *schemaHead) refine(s *spec.Step, path string, inner int, z *ir.Value) *ir.Value {
	x := p.normed(s, path+"norm", z)
	weight, bias := p.tensor(p.editor, p.path+path+"in.weight", 2*inner, width(x)), p.tensor(p.editor, p.path+path+"in.bias", 2*inner)
	part := func(name string, from int) *ir.Value {
		w := p.Name(p.promptHead.rows(s, weight, from, inner), p.path+path+name)
		return p.op("linear", s.Source, nil, x, w, p.promptHead.rows(s, bias, from, inner))
	}
	gated := p.op("mul", s.Source, nil, part("value", 0), p.op("silu", s.Source, nil, part("gate", inner)))
	gated = p.drop(p.editor, path+"inner", s.Source, p.rate, gated)
	y := p.plain(s, path+"out", gated, width(z))
	return p.op("add", s.Source, nil, z, p.drop(p.editor, path+"out", s.Source, p.rate, y))
}

// choose appends the choice of candidates, and returns their boundaries as numbers.
func (p *schemaHead) choose(s *spec.Step) *ir.Value {
	if p.Err() != nil {
		return nil
	}
	d := width(p.states)
	p.from, p.to = p.plain(s, "pool.start", p.states, d), p.plain(s, "pool.end", p.states, d)
	p.chosen = p.place(s, "choose_spans", []ir.Attr{{Key: "least", Value: s.Pool.Least}, {Key: "top", Value: s.Pool.Top}},
		p.scores, p.from, p.to)
	return p.chosen
}

// pairs appends the logit of each query and candidate. A candidate's row is a sum of rows of its boundaries, its length, the product that it was chosen by, and
// its content. The query's row is multiplied with it, and changes it (FiLM) before two layers that return a number.
func (p *schemaHead) pairs(s *spec.Step) *ir.Value {
	const path = "spans."
	if p.Err() != nil {
		return nil
	}
	k := s.Candidates
	add := func(x, y *ir.Value) *ir.Value { return p.op("add", s.Source, nil, x, y) }
	c := p.place(s, "span_ends", nil, p.plain(s, path+"start", p.states, k.Size), p.plain(s, path+"end", p.states, k.Size), p.chosen)
	c = add(c, p.plain(s, path+"length", p.place(s, "span_lengths", nil, p.chosen), k.Size))
	c = add(c, p.plain(s, path+"prior", p.place(s, "span_products", nil, p.from, p.to, p.chosen), k.Size))
	if k.Content > 0 {
		var soft []ir.Attr
		if k.Soft {
			soft = []ir.Attr{{Key: "soft", Value: true}}
		}
		content := p.place(s, "span_content", soft, p.plain(s, path+"value", p.words, k.Content), p.chosen)
		content = p.drop(p.editor, "content", s.Source, p.rate, p.normed(s, path+"content_norm", content))
		c = add(c, p.plain(s, path+"content", content, k.Size))
	}
	c = p.normed(s, path+"norm", c)
	q := p.plain(s, path+"query", p.asked(), k.Size)
	weight, bias := p.tensor(p.editor, p.path+path+"film.weight", 2*k.Size, k.Size), p.tensor(p.editor, p.path+path+"film.bias", 2*k.Size)
	half := func(name string, from int) *ir.Value {
		w := p.Name(p.promptHead.rows(s, weight, from, k.Size), p.path+path+"film."+name)
		return p.op("linear", s.Source, nil, q, w, p.promptHead.rows(s, bias, from, k.Size))
	}
	film := p.place(s, "film_rows", nil, c, half("gain", 0), half("shift", k.Size))
	film = p.op("gelu", s.Source, nil, p.plain(s, path+"film1", film, k.Film))
	film = p.plain(s, path+"film2", p.drop(p.editor, "film", s.Source, p.rate, film), 1)
	var inside []ir.Attr
	if k.Inside {
		inside = []ir.Attr{{Key: "inside", Value: true}}
	}
	return p.place(s, "span_evidence", inside, p.scores, film, c, q, p.chosen)
}

// boundaryStep appends a step of a head that scores boundaries, and returns its output. ok reports whether it is such a step.
func (p *schemaHead) boundaryStep(s *spec.Step) (y *ir.Value, ok bool) {
	switch s.Kind {
	case spec.StepBounds:
		return p.boundaries(s), true
	case spec.StepPool:
		return p.choose(s), true
	case spec.StepCandidates:
		return p.pairs(s), true
	case spec.StepAbsent:
		return p.plain(s, "absent", p.asked(), 1), true
	}
	return nil, false
}

// boundaryOutput describes the output of a step of a head that scores boundaries.
func boundaryOutput(s *spec.Step) (o ir.Output, ok bool) {
	switch s.Kind {
	case spec.StepBounds:
		return ir.Output{Name: tasktable.BoundOutput, Columns: ops.SpanColumns}, true
	case spec.StepPool:
		return ir.Output{Name: tasktable.PoolOutput, Columns: 2}, true
	case spec.StepCandidates:
		return ir.Output{Name: tasktable.PairOutput, Columns: 1}, true
	case spec.StepAbsent:
		return ir.Output{Name: tasktable.AbsentOutput, Columns: 1}, true
	}
	return o, false
}

// candidatesOf returns the greatest number of candidates of a text, or 0 for a head that chooses no spans.
func candidatesOf(h *spec.Head) int {
	if h != nil {
		for _, s := range h.Steps {
			if s.Kind == spec.StepPool {
				return s.Pool.Most
			}
		}
	}
	return 0
}
