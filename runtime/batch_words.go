package runtime

// WordPairs is where a word's pairs with the labels of its sequence stand.
type WordPairs struct {
	Behind      int // the word behind the last of the sequence
	Mark, Marks int // first label of the sequence, and how many it has
	Pair        int // row of the pair with the first label; the others follow
}

// PairsOf finds the pairs of word w of a valid batch, 0 ≤ w < W. Pairs are ordered by sequence, word and label.
func (b *Batch) PairsOf(w int) WordPairs {
	pair := 0
	for s := range b.Sequences() {
		first, behind := int(b.WordStarts[s]), int(b.WordStarts[s+1])
		marks := int(b.MarkStarts[s+1] - b.MarkStarts[s])
		if w < behind {
			return WordPairs{Behind: behind, Mark: int(b.MarkStarts[s]), Marks: marks, Pair: pair + (w-first)*marks}
		}
		pair += (behind - first) * marks
	}
	return WordPairs{}
}
