package runtime

// validateRows checks Rows, Words and Marks of a batch whose sequences are valid.
func (b *Batch) validateRows(l Limits) error {
	t, n := len(b.IDs), b.Sequences()
	switch {
	case l.Rows == 0 && len(b.Rows) != 0:
		return input("no head of the model takes chosen rows, leave Rows empty")
	case len(b.Rows) > l.Rows:
		return input("%d rows, the limit of a batch is %d", len(b.Rows), l.Rows)
	case l.Words && len(b.WordStarts) != n+1:
		return input("the model needs the words of each sequence: WordStarts has %d numbers for %d sequences, want one more than sequences", len(b.WordStarts), n)
	case !l.Words && (len(b.Words) != 0 || len(b.WordStarts) != 0):
		return input("the model reads no words, leave Words and WordStarts empty")
	case len(b.Words)%2 != 0:
		return input("Words has %d numbers, want two per word", len(b.Words))
	case l.Marks && len(b.MarkStarts) != n+1:
		return input("the model needs the labels of each sequence: MarkStarts has %d numbers for %d sequences, want one more than sequences", len(b.MarkStarts), n)
	case !l.Marks && (len(b.Marks) != 0 || len(b.MarkStarts) != 0):
		return input("the model reads no labels, leave Marks and MarkStarts empty")
	}
	last := int32(-1)
	for i, r := range b.Rows {
		switch {
		case r <= last:
			return input("Rows[%d] is %d, which is not above %d: rows must rise from 0 on", i, r, last)
		case int(r) >= t:
			return input("Rows[%d] is %d, there are %d tokens", i, r, t)
		}
		last = r
	}
	if l.Words {
		if err := b.validateWords(); err != nil {
			return err
		}
	}
	if l.Marks {
		return b.validateMarks()
	}
	return nil
}

// validateParts checks that starts divides total items into one part per sequence.
func validateParts(name, what string, starts []int32, total int) error {
	if starts[0] != 0 {
		return input("%s[0] is %d, it must be 0", name, starts[0])
	}
	for s := 1; s < len(starts); s++ {
		if starts[s] < starts[s-1] {
			return input("sequence %d: %s falls from %d to %d", s-1, name, starts[s-1], starts[s])
		}
	}
	if last := int(starts[len(starts)-1]); last != total {
		return input("%s ends at %d, there are %d %s", name, last, total, what)
	}
	return nil
}

func (b *Batch) validateWords() error {
	if err := validateParts("WordStarts", "words", b.WordStarts, len(b.Words)/2); err != nil {
		return err
	}
	for s := range b.Sequences() {
		last, end := b.Starts[s], b.Starts[s+1]
		for w := b.WordStarts[s]; w < b.WordStarts[s+1]; w++ {
			lo, hi := b.Words[2*w], b.Words[2*w+1]
			switch {
			case hi <= lo:
				return input("sequence %d: word %d has no rows: it goes from %d to %d", s, w, lo, hi)
			case lo < last:
				return input("sequence %d: word %d begins at row %d, which must not lie before %d", s, w, lo, last)
			case hi > end:
				return input("sequence %d: word %d goes up to row %d, the sequence to %d", s, w, hi, end)
			}
			last = hi
		}
	}
	return nil
}

func (b *Batch) validateMarks() error {
	if err := validateParts("MarkStarts", "labels", b.MarkStarts, len(b.Marks)); err != nil {
		return err
	}
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
				return input("sequence %d: label %d stands at row %d, which must be above %d", s, i, m, last)
			case m >= b.Starts[s+1]:
				return input("sequence %d: label %d stands at row %d, the sequence ends at %d", s, i, m, b.Starts[s+1])
			}
			for w < words && b.Words[2*w+1] <= m {
				w++
			}
			if w < words && b.Words[2*w] <= m {
				return input("sequence %d: label %d stands at row %d, in word %d", s, i, m, w)
			}
			last = m
		}
	}
	return nil
}

// Pairs returns G, the number of pairs of a word and a label of the same sequence: Σ W_b·C_b. It needs a valid
// batch.
func (b *Batch) Pairs() int {
	g := 0
	for s := 1; s < min(len(b.WordStarts), len(b.MarkStarts)); s++ {
		g += int(b.WordStarts[s]-b.WordStarts[s-1]) * int(b.MarkStarts[s]-b.MarkStarts[s-1])
	}
	return g
}

// FillNeeded adds what a model with these limits needs besides ids, where it is missing: a prefix of length 0;
// every token as a row, up to the limit; the first token of each sequence as a label and every other token as a
// word; zeros to add to the input. It is for measurements and tests in which the ids mean nothing.
func (b *Batch) FillNeeded(l Limits) {
	if l.Prefix && len(b.Prefix) == 0 {
		b.Prefix = append(b.Prefix, make([]int32, b.Sequences())...)
	}
	if len(b.Rows) == 0 {
		for r := range min(l.Rows, len(b.IDs)) {
			b.Rows = append(b.Rows, int32(r))
		}
	}
	if len(b.Delta) == 0 && l.Delta > 0 {
		b.Delta = append(b.Delta, make([]float32, len(b.IDs)*l.Delta)...)
	}
	words, marks := l.Words && len(b.WordStarts) == 0, l.Marks && len(b.MarkStarts) == 0
	if words {
		b.WordStarts = append(b.WordStarts, 0)
	}
	if marks {
		b.MarkStarts = append(b.MarkStarts, 0)
	}
	for s := range b.Sequences() {
		if words {
			for r := b.Starts[s] + 1; r < b.Starts[s+1]; r++ {
				b.Words = append(b.Words, r, r+1)
			}
			b.WordStarts = append(b.WordStarts, int32(len(b.Words)/2))
		}
		if marks {
			b.Marks = append(b.Marks, b.Starts[s])
			b.MarkStarts = append(b.MarkStarts, int32(len(b.Marks)))
		}
	}
}
