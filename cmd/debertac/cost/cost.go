// Package cost counts a model's parameters and the floating-point operations of a forward call, statement by statement of the spec.
//
// The operations are the useful ones: what any implementation has to do, with nothing for padding, and with what only weights determine (the
// projections of the relative table) done when weights are packed. A multiply-add counts as two; element-wise work is not counted. Rates
// in GFLOP/s divide this count by the time, so they compare implementations whatever each of them computes besides, or leaves out.
package cost

import (
	"fmt"

	"github.com/debertac/debertac/spec"
)

// Line is what one statement costs.
type Line struct {
	Source spec.Source
	Shape  string  // of what the statement makes, or of its weights
	Params int64   // numbers that are learned, all layers together
	Flops  float64 // of one forward call, all layers together
}

// Total sums the lines.
func Total(lines []Line) (params int64, flops float64) {
	for _, l := range lines {
		params += l.Params
		flops += l.Flops
	}
	return params, flops
}

// Flops counts the useful operations of one forward call on sequences of the given lengths. head may be nil.
func Flops(m *spec.Model, head *spec.Head, lengths []int) float64 {
	_, flops := Total(Lines(m, head, lengths))
	return flops
}

// Params counts the learned numbers. head may be nil.
func Params(m *spec.Model, head *spec.Head) int64 {
	params, _ := Total(Lines(m, head, nil))
	return params
}

// stripRows is how many queries share one product with the rows of the relative table that occur for them. Fewer would touch fewer rows, but
// make thin products; 64 is where attention kernels work at.
const stripRows = 64

// counter adds up a model's lines.
type counter struct {
	m      *spec.Model
	tokens float64 // T
	pairs  float64 // Σ N²
	strips float64 // Σ over the strips of queries: queries · rows of the relative table that occur
	seqs   float64 // B
	lines  []Line
}

// Lines lists the statements of a model, and of a head on it (nil: none), with what they cost on sequences of the given lengths.
func Lines(m *spec.Model, head *spec.Head, lengths []int) []Line {
	c := &counter{m: m, seqs: float64(len(lengths))}
	for _, n := range lengths {
		c.tokens += float64(n)
		c.pairs += float64(n) * float64(n)
		c.strips += stripWork(m, n)
	}
	c.embed()
	c.relative()
	c.attention()
	c.ffn()
	c.conv()
	for _, d := range m.Decoders {
		if head != nil && head.Decoder == d {
			c.decoder(d)
		}
	}
	if head != nil {
		c.head(head)
	}
	return c.lines
}

// stripWork is, for one sequence of n tokens, the sum over strips of queries of queries times distinct rows of the relative table.
func stripWork(m *spec.Model, n int) float64 {
	if m.Relative == nil {
		return 0
	}
	sum := 0.0
	for from := 0; from < n; from += stripRows {
		to := min(from+stripRows, n)
		// The row does not fall with the offset and rises by at most one, so the rows that occur are those between the two ends.
		first, last := m.Relative.Row(from-(n-1)), m.Relative.Row(to-1)
		sum += float64(to-from) * float64(last-first+1)
	}
	return sum
}

func (c *counter) add(src spec.Source, shape string, params int64, flops float64) {
	c.lines = append(c.lines, Line{src, shape, params, flops})
}

func matrix(rows, cols int) string { return fmt.Sprintf("[%d, %d]", rows, cols) }

func area(rows, cols int) int64 { return int64(rows) * int64(cols) }

func (c *counter) norm(n *spec.Norm, width int) {
	if n != nil {
		c.add(n.Source, fmt.Sprintf("[%d]", width), 2*int64(width), 0)
	}
}

func (c *counter) embed() {
	e, m := &c.m.Embed, c.m
	c.add(e.Token.Source, matrix(e.Token.Rows, e.Width), area(e.Token.Rows, e.Width), 0)
	if e.Absolute != nil {
		c.add(e.Absolute.Source, matrix(e.Absolute.Rows, e.Width), area(e.Absolute.Rows, e.Width), 0)
	}
	if e.Segment != nil {
		c.add(e.Segment.Source, matrix(e.Segment.Rows, e.Width), area(e.Segment.Rows, e.Width), 0)
	}
	if e.Width != m.Hidden {
		c.add(e.Source, matrix(m.Hidden, e.Width), area(m.Hidden, e.Width), 2*c.tokens*float64(area(m.Hidden, e.Width)))
	}
	c.norm(e.Norm, m.Hidden)
}

func (c *counter) relative() {
	r := c.m.Relative
	if r == nil {
		return
	}
	projected := false
	for _, p := range c.m.Encoder.Attention.Projections {
		projected = projected || p.Of == spec.Rel && p.Kind == spec.Linear
	}
	if !projected {
		return
	}
	c.add(r.Source, matrix(r.Rows, c.m.Hidden), area(r.Rows, c.m.Hidden), 0)
	c.norm(r.Norm, c.m.Hidden)
}

// attention counts the projections, the terms of the score, and at the block's head the weighted sum of values and the output projection
// with its norm.
func (c *counter) attention() {
	m, a := c.m, &c.m.Encoder.Attention
	layers := float64(m.Layers)
	square := area(m.Hidden, m.Hidden)
	out := square + int64(m.Hidden) + 2*int64(m.Hidden)
	c.add(a.Source, "[T, "+fmt.Sprint(m.Hidden)+"]", int64(m.Layers)*out, layers*(2*c.tokens*float64(square)+2*c.pairs*float64(m.Hidden)))
	for _, p := range a.Projections {
		c.projection(p)
	}
	for _, t := range a.Score {
		flops := 0.0
		switch t.Kind {
		case spec.ContentContent:
			flops = 2 * c.pairs * float64(m.Hidden)
		case spec.ContentOffset:
			flops = 2 * c.strips * float64(m.Hidden)
		}
		c.add(t.Source, fmt.Sprintf("[%d, N, N]", m.Heads), 0, layers*flops)
	}
	for _, mix := range []*spec.Source{a.MixScore, a.MixWeight} {
		if mix != nil {
			c.add(*mix, matrix(m.Heads, m.Heads), int64(m.Layers)*area(m.Heads, m.Heads), layers*2*c.pairs*float64(area(m.Heads, m.Heads)))
		}
	}
}

func (c *counter) projection(p *spec.Proj) {
	m := c.m
	if p.Kind == spec.Scalar {
		rows := 0
		if m.Relative != nil {
			rows = m.Relative.Rows
		}
		c.add(p.Source, matrix(rows, m.Heads), int64(m.Layers)*area(rows, m.Heads), 0)
		return
	}
	params, flops := int64(0), 0.0
	if p.Reuse == nil {
		params = area(m.Hidden, m.Hidden)
		if p.Bias {
			params += int64(m.Hidden)
		}
	}
	shape := fmt.Sprintf("[T, %d]", m.Hidden)
	switch p.Of {
	case spec.X:
		flops = 2 * c.tokens * float64(area(m.Hidden, m.Hidden))
		if p.Reuse != nil && p.Reuse.Of == spec.X {
			flops = 0 // the same numbers again
		}
	case spec.Rel:
		if m.Relative != nil {
			shape = matrix(m.Relative.Rows, m.Hidden)
		}
	}
	c.add(p.Source, shape, int64(m.Layers)*params, float64(m.Layers)*flops)
}

func (c *counter) ffn() {
	m, f := c.m, &c.m.Encoder.FFN
	params := 2*area(m.Hidden, f.Inner) + int64(f.Inner) + 3*int64(m.Hidden)
	c.add(f.Source, fmt.Sprintf("[T, %d]", f.Inner), int64(m.Layers)*params, float64(m.Layers)*4*c.tokens*float64(area(m.Hidden, f.Inner)))
}

func (c *counter) conv() {
	m, v := c.m, c.m.Encoder.Conv
	if v == nil {
		return
	}
	weights := area(m.Hidden, m.Hidden) / int64(max(v.Groups, 1)) * int64(v.Kernel)
	c.add(v.Source, fmt.Sprintf("[%d, %d, %d]", m.Hidden, m.Hidden/max(v.Groups, 1), v.Kernel), weights+3*int64(m.Hidden), 2*c.tokens*float64(weights))
}

// decoder counts the repetitions of a layer: all of its work, no weights of its own but the table of positions.
func (c *counter) decoder(d *spec.Decoder) {
	m := c.m
	layer := 2*c.tokens*(4*float64(area(m.Hidden, m.Hidden))+2*float64(area(m.Hidden, m.Encoder.FFN.Inner))) + 4*c.pairs*float64(m.Hidden)
	for _, t := range m.Encoder.Attention.Score {
		if t.Kind == spec.ContentOffset {
			layer += 2 * c.strips * float64(m.Hidden)
		}
	}
	c.add(d.Source, fmt.Sprintf("[T, %d]", m.Hidden), 0, float64(d.Repeat)*layer)
	if d.Add != nil {
		c.add(d.Add.Source, matrix(d.Add.Rows, m.Hidden), area(d.Add.Rows, m.Hidden), 0)
	}
}

// head counts the steps of a head. Heads on masked tokens or on words are counted on all rows, of which they read a part.
func (c *counter) head(h *spec.Head) {
	rows, letter := c.tokens, "T"
	if h.Take.Rows == spec.First || h.Take.Rows == spec.Mean {
		rows, letter = c.seqs, "B"
	}
	c.add(h.Take.Source, fmt.Sprintf("[%s, %d]", letter, c.m.Hidden), 0, 0)
	for _, s := range h.Steps {
		weights := area(s.In, s.Out)
		shape := fmt.Sprintf("[%s, %d]", letter, s.Out)
		switch s.Kind {
		case spec.StepLinear:
			params := weights + int64(s.Out)
			if s.Tied != "" {
				params = int64(s.Out)
			}
			c.add(s.Source, shape, params, 2*rows*float64(weights))
		case spec.StepNorm:
			c.add(s.Source, shape, 2*int64(s.In), 0)
		case spec.StepLSTM:
			size, directions := s.Out, int64(1)
			if s.Both {
				size, directions = s.Out/2, 2
			}
			w := directions * 4 * int64(size) * int64(s.In+size)
			c.add(s.Source, shape, w+directions*8*int64(size), 2*rows*float64(w))
		case spec.StepCRF:
			c.add(s.Source, matrix(s.In, s.In), area(s.In, s.In)+2*int64(s.In), 0)
		default:
			c.add(s.Source, shape, 0, 0)
		}
	}
}
