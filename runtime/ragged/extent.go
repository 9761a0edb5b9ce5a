package ragged

import (
	"encoding/json"
	"fmt"
	"reflect"
	"unsafe"
)

// Extent is a size that each batch decides, such as its number of tokens. Shapes name extents by
// one letter: [T, 768].
type Extent uint8

// The extents. The table below has one row per extent, Sizes one field.
const (
	B       Extent = iota // sequences
	T                     // tokens
	M                     // chosen rows
	G                     // pairs of a word and a label, or a query, of the same sequence
	W                     // words
	C                     // labels of prompts
	Q                     // queries: one for each step of each label that spans are scored for
	P                     // pairs of tokens of the same sequence, each pair in both orders
	U                     // boundaries between words, one more than words per sequence
	R                     // pairs of a query and a boundary of the same sequence
	S                     // candidates: spans that a head chooses
	X                     // pairs of a query and a candidate of the same sequence
	Extents = iota        // number of extents
)

// ExtentRow describes an extent.
type ExtentRow struct {
	Symbol string // letter in shapes, and name of the field of Sizes
	One    string // what is counted, as in "one row per token"
	Many   string // the plural, as in "12 tokens"
	Key    string // key in JSON
	Rows   string // name that package engine has for the rows of a head of this extent; "": no head has such rows
	Space  string // name of the buffers of this extent in the text of programs
	// Typical is the size in an ordinary call. The compiler orders buffers by it; no result depends
	// on it.
	Typical int

	by   Part               // if size is nil: the part whose entries are counted
	size func(b *Batch) int // in a valid batch; nil if the entries of a part are what is counted
	most func(l Limits) int // greatest size that a call may have
	at   uintptr            // place in Sizes
	cut  Part               // the part that divides the entries between the sequences, if cuts
	cuts bool
}

var extents = [Extents]ExtentRow{
	B: {Symbol: "B", One: "sequence", Many: "sequences", Key: "sequences", Rows: "PerSequence", Space: "PerSeq", Typical: 1,
		by: Starts, most: func(l Limits) int { return l.BatchSequences }},
	T: {Symbol: "T", One: "token", Many: "tokens", Key: "tokens", Rows: "PerToken", Space: "PerToken", Typical: 256,
		by: IDs, most: func(l Limits) int { return l.BatchTokens }},
	M: {Symbol: "M", One: "chosen token", Many: "rows", Key: "rows", Rows: "PerRow", Space: "PerRow", Typical: 8,
		by: Rows, most: func(l Limits) int { return l.Rows }},
	G: {Symbol: "G", One: "word and label", Many: "pairs of a word and a label", Key: "word_marks", Rows: "PerPair", Space: "PerPair", Typical: 1024,
		size: (*Batch).Pairs, most: mostPairs},
	W: {Symbol: "W", One: "word", Many: "words", Key: "words", Rows: "PerWord", Space: "PerWord", Typical: 128,
		by: Words, most: func(l Limits) int { return tokensIf(l.Words, l) }},
	C: {Symbol: "C", One: "label", Many: "labels", Key: "marks", Rows: "PerMark", Space: "PerLabel", Typical: 8,
		by: Marks, most: func(l Limits) int { return tokensIf(l.Marks, l) }},
	Q: {Symbol: "Q", One: "query", Many: "queries", Key: "queries", Rows: "PerQuery", Space: "PerQuery", Typical: 32,
		by: Queries, most: mostQueries},
	P: {Symbol: "P", One: "pair of tokens", Many: "pairs of tokens", Key: "token_pairs", Space: "PerTokenPair",
		size: tokenPairs, most: func(l Limits) int { return l.BatchTokens * l.longest() }},
	U: {Symbol: "U", One: "boundary", Many: "boundaries", Key: "boundaries", Space: "PerBoundary", Typical: 129,
		size: spanRows(func(p SpanPlace) int { return p.Bound }), most: mostBounds},
	R: {Symbol: "R", One: "query and boundary", Many: "pairs of a query and a boundary", Key: "query_boundaries", Rows: "PerBoundary",
		Space: "PerQueryBoundary", Typical: 1032, size: spanRows(func(p SpanPlace) int { return p.Score }), most: mostScores},
	S: {Symbol: "S", One: "candidate", Many: "candidates", Key: "candidates", Rows: "PerCandidate", Space: "PerCandidate", Typical: 384,
		size: spanRows(func(p SpanPlace) int { return p.Candidate }), most: func(l Limits) int { return l.Candidates * l.BatchSequences }},
	X: {Symbol: "X", One: "query and candidate", Many: "pairs of a query and a candidate", Key: "query_candidates", Rows: "PerQueryCandidate",
		Space: "PerQueryCandidate", Typical: 3072, size: spanRows(func(p SpanPlace) int { return p.Pair }), most: mostCandidatePairs},
}

// tokensIf returns the greatest number of tokens of a call if the model reads a part, else 0. This
// bounds a part that has at most one entry for each token.
func tokensIf(reads bool, l Limits) int {
	if reads {
		return l.BatchTokens
	}
	return 0
}

// mostPairs returns the greatest G. Words and labels share the N_b tokens of their sequence:
// Σ W_b·C_b ≤ Σ N_b²/4 ≤ T·N/4. A label may have a query for each step.
func mostPairs(l Limits) int {
	if l.Words && (l.Marks || l.Steps > 0) {
		return l.BatchTokens * l.longest() / 4 * max(1, l.Steps)
	}
	return 0
}

// tokenPairs returns P, the sum of N_b² over the sequences.
func tokenPairs(b *Batch) int {
	p := 0
	for s := range b.Sequences() {
		n := b.Length(s)
		p += n * n
	}
	return p
}

func init() {
	fields := reflect.TypeFor[Sizes]()
	for e := range extents {
		r := &extents[e]
		f, ok := field(fields, r.Symbol)
		if !ok {
			panic("ragged: Sizes has no field " + r.Symbol)
		}
		r.at = f.Offset
	}
}

// Row returns the extent's row of the table, or nil if e is not an extent.
func (e Extent) Row() *ExtentRow {
	if e >= Extents {
		return nil
	}
	return &extents[e]
}

// String returns what is counted, as in "one row per token".
func (e Extent) String() string {
	if e >= Extents {
		return fmt.Sprintf("Extent(%d)", uint8(e))
	}
	return extents[e].One
}

// Follows reports whether the size of the extent follows from several parts, because no part has its
// entries.
func (e Extent) Follows() bool { return extents[e].size != nil }

// Symbols returns the letters of all extents, in the order of their numbers.
func Symbols() []string {
	var list []string
	for i := range extents {
		list = append(list, extents[i].Symbol)
	}
	return list
}

// BySymbol returns the extent of a letter.
func BySymbol(symbol string) (e Extent, ok bool) {
	for i := range extents {
		if extents[i].Symbol == symbol {
			return Extent(i), true
		}
	}
	return 0, false
}

// Sizes holds the sizes of one call.
type Sizes struct {
	B       int // sequences
	T       int // tokens
	M       int // chosen rows, len(Batch.Rows)
	G       int // pairs of a word and a label, or a query, of the same sequence
	W       int // words
	C       int // labels of prompts, len(Batch.Marks)
	Q       int // queries, len(Batch.Queries)
	P       int // pairs of tokens of the same sequence
	U       int // boundaries between words
	R       int // pairs of a query and a boundary of the same sequence
	S       int // candidate spans
	X       int // pairs of a query and a candidate of the same sequence
	N       int // tokens of the longest sequence
	Threads int // threads of the pool: workers are numbered from 0 to Threads-1
}

// At returns the place of an extent's size. It must be an extent.
func (s *Sizes) At(e Extent) *int { return (*int)(unsafe.Add(unsafe.Pointer(s), extents[e].at)) }

// Add adds the sizes of another call, extent by extent.
func (s *Sizes) Add(o Sizes) {
	for e := range Extent(Extents) {
		*s.At(e) += *o.At(e)
	}
}

// MarshalJSON writes the size of each extent under its key.
func (s Sizes) MarshalJSON() ([]byte, error) {
	out := []byte{'{'}
	for e := range Extent(Extents) {
		if e > 0 {
			out = append(out, ',')
		}
		out = fmt.Appendf(out, "%q:%d", extents[e].Key, *s.At(e))
	}
	return append(out, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes. Sizes without a key stay as they are.
func (s *Sizes) UnmarshalJSON(data []byte) error {
	var given map[string]int
	if err := json.Unmarshal(data, &given); err != nil {
		return err
	}
	for e := range Extent(Extents) {
		if n, ok := given[extents[e].Key]; ok {
			*s.At(e) = n
		}
	}
	return nil
}

// Size returns the size of an extent in a valid batch.
func (b *Batch) Size(e Extent) int {
	r := &extents[e]
	if r.size != nil {
		return r.size(b)
	}
	return parts[r.by].entries(b)
}

// Sizes returns the size of every extent in a valid batch, and the length of its longest sequence.
func (b *Batch) Sizes() Sizes {
	s := Sizes{N: b.Longest()}
	for e := range Extent(Extents) {
		*s.At(e) = b.Size(e)
	}
	return s
}

// Sizes returns the greatest sizes that a call may have.
func (l Limits) Sizes(threads int) Sizes {
	s := Sizes{N: l.longest(), Threads: threads}
	for e := range Extent(Extents) {
		*s.At(e) = extents[e].most(l)
	}
	return s
}

// longest returns the most tokens of one sequence of a call.
func (l Limits) longest() int { return min(l.SequenceTokens, l.BatchTokens) }
