// Package cost counts the useful floating-point operations of a forward call: what any implementation has to do, with nothing for padding,
// and with what only weights determine (the projections of the relative table) done when weights are packed. A multiply-add counts as two;
// element-wise work is not counted. Rates in GFLOP/s divide this count by the time, so they compare implementations whatever each of them
// computes besides, or leaves out.
package cost

import "github.com/debertac/debertac/spec"

// stripRows is how many queries share one product with the rows of the relative table that occur for them. Fewer would touch fewer rows, but
// make thin products; 64 is what attention kernels work at.
const stripRows = 64

// work is what the sequences of a call add up to.
type work struct {
	tokens float64 // T
	pairs  float64 // Σ N²
	strips float64 // Σ over the strips of queries: queries · rows of the relative table that occur
	seqs   float64 // B
}

// Flops counts the useful operations of one forward call on sequences of the given lengths. head may be nil.
func Flops(m *spec.Model, head *spec.Head, lengths []int) float64 {
	w := work{seqs: float64(len(lengths))}
	for _, n := range lengths {
		w.tokens += float64(n)
		w.pairs += float64(n) * float64(n)
		w.strips += stripWork(m, n)
	}
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
	return flops + w.head(head)
}

// layer counts one encoder layer: projections and output, the terms of the score, the weighted sum of values, the feed-forward layer.
func (w work) layer(m *spec.Model) float64 {
	a, hidden := &m.Encoder.Attention, float64(m.Hidden)
	flops := 2*w.tokens*hidden*hidden + 2*w.pairs*hidden + 4*w.tokens*hidden*float64(m.Encoder.FFN.Inner)
	for _, p := range a.Projections {
		if p.Of == spec.X && p.Kind == spec.Linear && !(p.Reuse != nil && p.Reuse.Of == spec.X) { // what is shared on the same rows is the same numbers
			flops += 2 * w.tokens * hidden * hidden
		}
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

// head counts the products of a head. Heads on masked tokens or on words are counted on all rows, of which they read a part.
func (w work) head(h *spec.Head) float64 {
	rows := w.tokens
	if h.Take.Rows == spec.First || h.Take.Rows == spec.Mean {
		rows = w.seqs
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

// stripWork is, for one sequence of n tokens, the sum over strips of queries of queries times distinct rows of the relative table.
func stripWork(m *spec.Model, n int) float64 {
	if m.Relative == nil {
		return 0
	}
	// Rows do not fall with the offset, so the rows of a range of offsets are as many as the changes inside it, and one. changes[k] counts those
	// up to the offset k-(n-1).
	changes := make([]int, 2*n-1)
	for k := 1; k < len(changes); k++ {
		changes[k] = changes[k-1]
		if delta := k - (n - 1); m.Relative.Row(delta) != m.Relative.Row(delta-1) {
			changes[k]++
		}
	}
	sum := 0.0
	for from := 0; from < n; from += stripRows {
		to := min(from+stripRows, n)
		first, last := from, to-1+n-1 // of the offsets from-(n-1) … to-1
		sum += float64(to-from) * float64(changes[last]-changes[first]+1)
	}
	return sum
}
