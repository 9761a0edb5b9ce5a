// Package cost counts the useful floating-point operations of a forward call: what any implementation has to do. Padding is not counted, nor is work
// that depends on weights alone (the projections of the relative table), which is done when weights are packed. A multiply-add counts as two;
// element-wise work is not counted. Rates in GFLOP/s divide this count by the time. So implementations can be compared, whatever else each of them
// computes or leaves out.
package cost

import (
	"math"
	"sort"

	"github.com/debertac/debertac/spec"
)

// stripRows is how many queries share one product with the rows of the relative table that occur for them. With fewer queries fewer rows would be
// multiplied, but the products would be thin. Attention kernels work with about 64.
const stripRows = 64

// work is the sum of the work of all sequences of a call, for one layer.
type work struct {
	tokens  float64 // T
	queries float64 // rows that the layer's result is needed for
	pairs   float64 // of queries and keys
	strips  float64 // Σ over the strips of queries: queries · rows of the relative table that occur
}

// sum adds up sequences. first reports whether only each sequence's first row is needed.
func sum(m *spec.Model, lengths []int, first bool) work {
	var w work
	for _, n := range lengths {
		q := n
		if first {
			q = 1
		}
		w.tokens += float64(n)
		w.queries += float64(q)
		w.pairs += float64(q) * float64(n)
		w.strips += stripWork(m, n, q)
	}
	return w
}

// Flops counts the useful operations of one forward call on sequences of the given lengths. head may be nil. Every layer counts in full, even if the
// head reads only one row of the last layer: this is the usual count for comparing implementations.
func Flops(m *spec.Model, head *spec.Head, lengths []int) float64 {
	w := sum(m, lengths, false)
	hidden := float64(m.Hidden)
	flops := float64(m.Layers) * w.layer(m)
	if m.Embed.Width != m.Hidden {
		flops += 2 * w.tokens * hidden * float64(m.Embed.Width)
	}
	if c := m.Encoder.Conv; c != nil {
		flops += 2 * w.tokens * float64(c.Kernel) * hidden * hidden / float64(max(c.Groups, 1))
	}
	if head == nil {
		return flops
	}
	if head.Decoder != nil {
		flops += float64(head.Decoder.Repeat) * w.layer(m)
	}
	return flops + headFlops(head, w.tokens, float64(len(lengths)))
}

// Needed counts the operations that the result needs: Flops without the rows of the last layer that the head does not read, if it reads first rows
// only. The share of a machine's peak is computed from this count, because operations that are left out are not arithmetic.
func Needed(m *spec.Model, head *spec.Head, lengths []int) float64 {
	flops := Flops(m, head, lengths)
	if head == nil || head.Decoder != nil || head.Take.Rows != spec.First || m.Encoder.Conv != nil && m.Layers == 1 {
		return flops
	}
	return flops - sum(m, lengths, false).layer(m) + sum(m, lengths, true).layer(m)
}

// layer counts one encoder layer: projections and output, the terms of the score, the weighted sum of values, the feed-forward layer.
func (w work) layer(m *spec.Model) float64 {
	a, hidden := &m.Encoder.Attention, float64(m.Hidden)
	flops := 2*w.queries*hidden*hidden + 2*w.pairs*hidden + 4*w.queries*hidden*float64(m.Encoder.FFN.Inner)
	for _, p := range a.Projections {
		if p.Of != spec.X || p.Kind != spec.Linear || p.Reuse != nil && p.Reuse.Of == spec.X { // shared weights on the same rows: the same results
			continue
		}
		rows := w.tokens
		if onlyQuery(a, p) {
			rows = w.queries
		}
		flops += 2 * rows * hidden * hidden
	}
	for _, t := range a.Score {
		switch t.Kind {
		case spec.ContentContent:
			flops += 2 * w.pairs * hidden
		case spec.ContentOffset:
			flops += 2 * w.strips * hidden
		}
	}
	for _, mix := range []*spec.Source{a.MixScore, a.MixWeight} {
		if mix != nil {
			flops += 2 * w.pairs * float64(m.Heads) * float64(m.Heads)
		}
	}
	return flops
}

// onlyQuery reports whether a projection is used only for queries.
func onlyQuery(a *spec.Attention, p *spec.Proj) bool {
	if p == a.Value() {
		return false
	}
	query := false
	for _, t := range a.Score {
		for _, f := range []spec.Factor{t.Left, t.Right} {
			if f.Proj == nil || f.Proj.Weights() != p.Weights() || f.Proj.Of != spec.X {
				continue
			}
			if f.Index != spec.I {
				return false
			}
			query = true
		}
	}
	return query
}

// headFlops counts the products of a head. Heads on masked tokens or on words are counted on all rows, although they read only some of them.
func headFlops(h *spec.Head, tokens, sequences float64) float64 {
	rows := tokens
	if h.Take.Rows == spec.First || h.Take.Rows == spec.Mean {
		rows = sequences
	}
	flops := 0.0
	for _, s := range h.Steps {
		switch s.Kind {
		case spec.StepLinear:
			flops += 2 * rows * float64(s.In) * float64(s.Out)
		case spec.StepLSTM:
			size, directions := s.Out, 1
			if s.Both {
				size, directions = s.Out/2, 2
			}
			flops += 2 * rows * float64(directions*4*size*(s.In+size))
		}
	}
	return flops
}

// stripWork is, for the first q queries of a sequence of n tokens, the sum over strips of queries of queries times distinct rows of the
// relative table.
func stripWork(m *spec.Model, n, q int) float64 {
	if m.Relative == nil {
		return 0
	}
	before, after := rising(m.Relative, -1, n), rising(m.Relative, 1, n)
	work := 0.0
	for from := 0; from < q; from += stripRows {
		to := min(from+stripRows, q)
		work += float64(to-from) * float64(before(n-1-from)+after(to-1)+1) // of the offsets from-(n-1) … to-1
	}
	return work
}

// rising returns a function that counts how often the row changes between the offset 0 and the offset sign·d, for 0 <= d < n. Rows do not fall with
// the offset, so this is the number of rows other than the row of 0. The time does not grow with the length: where buckets are narrower than a token
// each offset has a row of its own, and where they are wider, rows rise one by one.
func rising(r *spec.Relative, sign, n int) func(d int) int {
	row := func(d int) int { return sign * r.Row(sign*d) }
	last := row(n - 1)
	end := sort.Search(n, func(d int) bool { return row(d) >= last }) // from here on nothing changes
	each := 0                                                         // up to here each offset has its own row
	if b := r.Bucket; b.Kind == spec.Log {
		each = b.Exact
		if slow := float64(b.Exact-1) / math.Log(float64(b.Reach-1)/float64(b.Exact)); slow > float64(each) { // where the bucket's slope is 1
			each = int(min(slow, float64(n)))
		}
	}
	each = min(each, end)
	return func(d int) int {
		own := min(d, each)
		return own + row(d) - row(own)
	}
}
