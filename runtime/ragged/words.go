package ragged

func checkWords(b *Batch, _ Limits) error {
	for s := range b.Sequences() {
		first, last, end := int32(-1), b.Starts[s], b.Starts[s+1]
		for w := b.WordStarts[s]; w < b.WordStarts[s+1]; w++ {
			lo, hi := b.Words[2*w], b.Words[2*w+1]
			switch {
			case hi < lo:
				return Errorf("sequence %d: word %d goes from row %d down to row %d", s, w, lo, hi)
			case lo == first && hi == last: // the rows of the word before
			case lo < last:
				return Errorf("sequence %d: word %d begins at row %d, which must not lie before %d", s, w, lo, last)
			case hi > end:
				return Errorf("sequence %d: word %d goes up to row %d, the sequence to %d", s, w, hi, end)
			}
			first, last = lo, hi
		}
	}
	return nil
}

// fillWords appends a word for every token of a sequence but the first.
func fillWords(dst []int32, b *Batch, s int, _ Limits) []int32 {
	for r := b.Starts[s] + 1; r < b.Starts[s+1]; r++ {
		dst = append(dst, r, r+1)
	}
	return dst
}

func checkMarks(b *Batch, _ Limits) error {
	for s := range b.Sequences() {
		last := b.Starts[s] - 1
		w, words := int32(0), int32(0)
		if len(b.WordStarts) != 0 {
			w, words = b.WordStarts[s], b.WordStarts[s+1]
		}
		for i := b.MarkStarts[s]; i < b.MarkStarts[s+1]; i++ {
			m := b.Marks[i]
			switch {
			case m <= last:
				return Errorf("sequence %d: label %d stands at row %d, which must be above %d", s, i, m, last)
			case m >= b.Starts[s+1]:
				return Errorf("sequence %d: label %d stands at row %d, the sequence ends at %d", s, i, m, b.Starts[s+1])
			}
			for w < words && b.Words[2*w+1] <= m {
				w++
			}
			if w < words && b.Words[2*w] <= m {
				return Errorf("sequence %d: label %d stands at row %d, in word %d", s, i, m, w)
			}
			last = m
		}
	}
	return nil
}

// fillMarks appends the first token of a sequence.
func fillMarks(dst []int32, b *Batch, s int, _ Limits) []int32 { return append(dst, b.Starts[s]) }

// Partners returns the index of the first partner of words in each sequence, and then their number.
// The partners are the queries of models that read them, and labels otherwise.
func (b *Batch) Partners() []int32 {
	if len(b.QueryStarts) != 0 {
		return b.QueryStarts
	}
	return b.MarkStarts
}

// Pairs returns G, the number of pairs of a word and a label of the same sequence, Σ W_b·C_b, or of a
// word and a query, Σ W_b·Q_b, if the model reads queries. It needs a valid batch.
func (b *Batch) Pairs() int {
	g, firsts := 0, b.Partners()
	for s := 1; s < min(len(b.WordStarts), len(firsts)); s++ {
		g += int(b.WordStarts[s]-b.WordStarts[s-1]) * int(firsts[s]-firsts[s-1])
	}
	return g
}

// WordPairs is the place of a word's pairs with the labels, or the queries, of its sequence.
type WordPairs struct {
	End         int // index of the last word of the sequence, plus one
	Mark, Marks int // first label or query of the sequence, and how many it has
	Pair        int // row of the pair with the first one; the other pairs follow
}

// PairsOf returns the pairs of word w of a valid batch, 0 ≤ w < W. Pairs are ordered by sequence,
// word, and label or query.
func (b *Batch) PairsOf(w int) WordPairs {
	pair, firsts := 0, b.Partners()
	for s := range b.Sequences() {
		first, end := int(b.WordStarts[s]), int(b.WordStarts[s+1])
		marks := int(firsts[s+1] - firsts[s])
		if w < end {
			return WordPairs{End: end, Mark: int(firsts[s]), Marks: marks, Pair: pair + (w-first)*marks}
		}
		pair += (end - first) * marks
	}
	return WordPairs{}
}
