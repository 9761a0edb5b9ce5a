package ragged

import "math"

// Part is a part of a batch.
type Part uint8

// The parts, in the order in which they are checked. The table below has one row per
// part, Batch one field.
const (
	IDs Part = iota
	Starts
	Types
	Positions
	Prefix
	Rows
	Words
	WordStarts
	Marks
	MarkStarts
	Candidates
	Queries
	QueryStarts
	Steps
	Delta
	Parts = iota // number of parts
)

const (
	noWords = "the model reads no words, leave Words and WordStarts empty"
	noMarks = "the model reads no labels, leave Marks and MarkStarts empty"
	noSteps = "the model computes no steps, leave Queries, QueryStarts and Steps empty"
)

var parts = [Parts]PartRow{
	IDs:    {Name: "ids", Field: "IDs", What: "ids", Each: T, check: checkIDs},
	Starts: {Name: "starts", Field: "Starts", What: "starts", Each: B, Plus: 1, Holds: Firsts, Of: IDs},
	Types: {Name: "types", Field: "Types", What: "token types", Each: T, Limit: "Types", Optional: true,
		Absent: "the model has no token types, leave Types empty", check: checkTypes},
	Positions: {Name: "positions", Operand: "pos", Field: "Positions", What: "positions", Each: T, Optional: true, check: checkPositions},
	Prefix: {Name: "prefix", Field: "Prefix", What: "prefixes", Each: B, Limit: "Prefix",
		Absent: "the model's mask has no prefix, leave Prefix empty",
		Needs:  "the model's mask needs one prefix length per sequence", check: checkPrefix},
	Rows: {Name: "rows", Field: "Rows", What: "rows", Each: M, Holds: TokenRows, Limit: "Rows", Optional: true,
		Absent: "no head of the model takes chosen rows, leave Rows empty", check: checkRows, fill: fillRows},
	Words: {Name: "words", Field: "Words", What: "words", Each: W, Columns: 2, Holds: TokenRows, Limit: "Words",
		Absent: noWords, check: checkWords, fill: fillWords},
	WordStarts: {Name: "word_starts", Field: "WordStarts", Each: B, Plus: 1, Holds: Firsts, Of: Words, Limit: "Words",
		Absent: noWords, Needs: "the model needs the words of each sequence"},
	Marks: {Name: "marks", Field: "Marks", What: "labels", Each: C, Holds: TokenRows, Limit: "Marks",
		Absent: noMarks, check: checkMarks, fill: fillMarks},
	MarkStarts: {Name: "mark_starts", Field: "MarkStarts", Each: B, Plus: 1, Holds: Firsts, Of: Marks, Limit: "Marks",
		Absent: noMarks, Needs: "the model needs the labels of each sequence"},
	Candidates: {Name: "candidates", Field: "Candidates", What: "numbers of candidates", Each: B, Limit: "Candidates",
		Absent: "no head of the model chooses spans, leave Candidates empty",
		Needs:  "the model needs the number of candidates of each sequence", check: checkCandidates, fill: fillCandidates, follows: true},
	Queries: {Name: "queries", Field: "Queries", What: "queries", Each: Q, Holds: TokenRows, Limit: "Steps",
		Absent: noSteps, check: checkQueries, fill: fillQueries},
	QueryStarts: {Name: "query_starts", Field: "QueryStarts", Each: B, Plus: 1, Holds: Firsts, Of: Queries, Limit: "Steps",
		Absent: noSteps, Needs: "the model needs the queries of each sequence"},
	Steps: {Name: "steps", Field: "Steps", What: "steps", Each: Q, Columns: 2, Limit: "Steps",
		Absent: noSteps, check: checkSteps, fill: fillSteps},
	Delta: {Name: "delta", Field: "Delta", What: "numbers", Each: T, Columns: ByLimit, Limit: "Delta",
		Absent: "the model's input cannot be perturbed, leave Delta empty", check: checkDelta},
}

func checkIDs(b *Batch, l Limits) error {
	for s := range b.Sequences() {
		for i, id := range b.IDs[b.Starts[s]:b.Starts[s+1]] {
			if id < 0 || int(id) >= l.Vocab {
				return Errorf("sequence %d, token %d: id %d is outside the vocabulary of %d", s, i, id, l.Vocab)
			}
		}
	}
	return nil
}

func checkTypes(b *Batch, l Limits) error {
	for s := range b.Sequences() {
		for i, t := range b.Types[b.Starts[s]:b.Starts[s+1]] {
			if t < 0 || int(t) >= l.Types {
				return Errorf("sequence %d, token %d: token type %d, the model has %d", s, i, t, l.Types)
			}
		}
	}
	return nil
}

func checkPositions(b *Batch, l Limits) error {
	for s := range b.Sequences() {
		last := int32(-1)
		for i, p := range b.Positions[b.Starts[s]:b.Starts[s+1]] {
			switch {
			case p <= last:
				return Errorf("sequence %d, token %d: position %d is not above %d, positions must rise from 0 on", s, i, p, last)
			case int(p) >= l.SequenceTokens:
				return Errorf("sequence %d, token %d: position %d, the model has %d", s, i, p, l.SequenceTokens)
			}
			last = p
		}
	}
	return nil
}

func checkPrefix(b *Batch, _ Limits) error {
	for s, n := range b.Prefix {
		if n < 0 || int(n) > b.Length(s) {
			return Errorf("sequence %d: prefix of %d tokens, the sequence has %d", s, n, b.Length(s))
		}
	}
	return nil
}

func checkRows(b *Batch, l Limits) error {
	if len(b.Rows) > l.Rows {
		return Errorf("%d rows, the limit of a batch is %d", len(b.Rows), l.Rows)
	}
	last := int32(-1)
	for i, r := range b.Rows {
		switch {
		case r <= last:
			return Errorf("Rows[%d] is %d, which is not above %d: rows must rise from 0 on", i, r, last)
		case int(r) >= len(b.IDs):
			return Errorf("Rows[%d] is %d, there are %d tokens", i, r, len(b.IDs))
		}
		last = r
	}
	return nil
}

// fillRows appends every token of a sequence, up to the limit.
func fillRows(dst []int32, b *Batch, s int, l Limits) []int32 {
	for r := b.Starts[s]; r < b.Starts[s+1] && len(dst) < l.Rows; r++ {
		dst = append(dst, r)
	}
	return dst
}

func checkDelta(b *Batch, l Limits) error {
	for i, v := range b.Delta {
		if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
			return Errorf("Delta of token %d is %v at %d, it must be finite", i/l.Delta, v, i%l.Delta)
		}
	}
	return nil
}
