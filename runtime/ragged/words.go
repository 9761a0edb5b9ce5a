package ragged

func checkWords(b *Batch, _ Limits) error {
	for s := range b.Sequences() {
		last, end := b.Starts[s], b.Starts[s+1]
		for w := b.WordStarts[s]; w < b.WordStarts[s+1]; w++ {
			lo, hi := b.Words[2*w], b.Words[2*w+1]
			switch {
			case hi < lo:
				return Errorf("sequence %d: word %d goes from row %d down to row %d", s, w, lo, hi)
			case lo < last:
				return Errorf("sequence %d: word %d begins at row %d, which must not lie before %d", s, w, lo, last)
			case hi > end:
				return Errorf("sequence %d: word %d goes up to row %d, the sequence to %d", s, w, hi, end)
			}
			last = hi
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

// Pairs returns G, the number of pairs of a word and a label of the same sequence: Σ W_b·C_b. It
// needs a valid batch.
func (b *Batch) Pairs() int {
	g := 0
	for s := 1; s < min(len(b.WordStarts), len(b.MarkStarts)); s++ {
		g += int(b.WordStarts[s]-b.WordStarts[s-1]) * int(b.MarkStarts[s]-b.MarkStarts[s-1])
	}
	return g
}

// WordPairs is the place of a word's pairs with the labels of its sequence.
type WordPairs struct {
	End         int // index of the last word of the sequence, plus one
	Mark, Marks int // first label of the sequence, and how many it has
	Pair        int // row of the pair with the first label; the other pairs follow
}

// PairsOf returns the pairs of word w of a valid batch, 0 ≤ w < W. Pairs are ordered by sequence,
// word and label.
func (b *Batch) PairsOf(w int) WordPairs {
	pair := 0
	for s := range b.Sequences() {
		first, end := int(b.WordStarts[s]), int(b.WordStarts[s+1])
		marks := int(b.MarkStarts[s+1] - b.MarkStarts[s])
		if w < end {
			return WordPairs{End: end, Mark: int(b.MarkStarts[s]), Marks: marks, Pair: pair + (w-first)*marks}
		}
		pair += (end - first) * marks
	}
	return WordPairs{}
}
