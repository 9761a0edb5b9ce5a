package ragged

// SpanPlace is the place of a sequence in the rows of heads that choose spans of words. A sequence
// of W words has W+1 boundaries, and a span lies between two of them. Candidates are the spans that
// are chosen.
type SpanPlace struct {
	Word, Words           int // first word, and how many the sequence has
	Query, Queries        int // first query, and how many the sequence has
	Bound                 int // first boundary of Words+1
	Score                 int // first pair of a query and a boundary; pairs are ordered by query and boundary
	Candidate, Candidates int // first candidate, and how many the sequence has
	Pair                  int // first pair of a query and a candidate; pairs are ordered by query and candidate
}

// SpanPlaces returns the place of sequence s of a valid batch in which these parts are. For s = B it
// returns how many rows of each kind the batch has. A part that the batch does not have is empty.
func SpanPlaces(wordStarts, queryStarts, candidates []int32, s int) SpanPlace {
	var p SpanPlace
	for b := 0; ; b++ {
		if b > 0 {
			p.Word, p.Query = p.Word+p.Words, p.Query+p.Queries
			p.Bound += p.Words + 1
			p.Score += p.Queries * (p.Words + 1)
			p.Candidate += p.Candidates
			p.Pair += p.Queries * p.Candidates
		}
		p.Words, p.Queries, p.Candidates = count(wordStarts, b), count(queryStarts, b), 0
		if b < len(candidates) {
			p.Candidates = int(candidates[b])
		}
		if b == s {
			return p
		}
	}
}

// count returns the number of entries of sequence s, or 0 for a batch without them.
func count(starts []int32, s int) int {
	if s+1 >= len(starts) {
		return 0
	}
	return int(starts[s+1] - starts[s])
}

// SpansOf returns the place of sequence s of a valid batch.
func (b *Batch) SpansOf(s int) SpanPlace {
	return SpanPlaces(b.WordStarts, b.QueryStarts, b.Candidates, s)
}

// MostCandidates returns how many candidates a sequence of words has in a model that chooses at most
// limit of its spans: no more than there are.
func MostCandidates(words, limit int) int { return min(limit, words*(words+1)/2) }

// spanRows returns the function that returns an extent's number of rows in a valid batch.
func spanRows(rows func(p SpanPlace) int) func(b *Batch) int {
	return func(b *Batch) int {
		if len(b.WordStarts) == 0 {
			return 0
		}
		return rows(b.SpansOf(b.Sequences()))
	}
}

// mostBounds returns the greatest number of boundaries of a call.
func mostBounds(l Limits) int {
	if !l.Words {
		return 0
	}
	return l.BatchTokens + l.BatchSequences
}

// mostScores returns the greatest number of pairs of a query and a boundary: those of a query and a
// word, and one more for each query.
func mostScores(l Limits) int {
	if !l.Words {
		return 0
	}
	return mostPairs(l) + mostQueries(l)
}

// mostQueries returns the greatest number of queries of a call: as many for each token as a label has steps.
func mostQueries(l Limits) int { return l.BatchTokens * l.Steps }

// mostCandidatePairs returns the greatest number of pairs of a query and a candidate.
func mostCandidatePairs(l Limits) int {
	if !l.Words {
		return 0
	}
	return l.Candidates * mostQueries(l)
}

func checkCandidates(b *Batch, l Limits) error {
	for s, n := range b.Candidates {
		if want := MostCandidates(count(b.WordStarts, s), l.Candidates); int(n) != want {
			return Errorf("sequence %d: %d candidates; with %d words and a limit of %d it has %d", s, n, count(b.WordStarts, s), l.Candidates, want)
		}
	}
	return nil
}

// fillCandidates appends the number of candidates of a sequence.
func fillCandidates(dst []int32, b *Batch, s int, l Limits) []int32 {
	return append(dst, int32(MostCandidates(count(b.WordStarts, s), l.Candidates)))
}
