package runtime

// WordPairs is the place of a word's pairs with the labels of its sequence.
type WordPairs struct {
	End         int // index of the last word of the sequence, plus one
	Mark, Marks int // first label of the sequence, and how many it has
	Pair        int // row of the pair with the first label; the other pairs follow
}

// PairsOf returns the pairs of word w of a valid batch, 0 ≤ w < W. Pairs are ordered by sequence, word and
// label.
func (b *Batch) PairsOf(w int) WordPairs {
	pair := 0
	for s := range b.Sequences() {
		first, behind := int(b.WordStarts[s]), int(b.WordStarts[s+1])
		marks := int(b.MarkStarts[s+1] - b.MarkStarts[s])
		if w < behind {
			return WordPairs{End: behind, Mark: int(b.MarkStarts[s]), Marks: marks, Pair: pair + (w-first)*marks}
		}
		pair += (behind - first) * marks
	}
	return WordPairs{}
}
