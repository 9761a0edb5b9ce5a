package ragged

import (
	"encoding/json"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestNamesAreUnique checks that no two rows share a name in files, in programs or in JSON, and that rows are found by their names.
func TestNamesAreUnique(t *testing.T) {
	seen := map[string]bool{}
	unique := func(kind, name string) {
		require.NotEmpty(t, name, kind)
		require.False(t, seen[kind+name], "two rows have the %s %s", kind, name)
		seen[kind+name] = true
	}
	for e := range Extent(Extents) {
		r := e.Row()
		unique("symbol", r.Symbol)
		unique("key", r.Key)
		unique("space", r.Space)
		unique("word", r.One)
		found, ok := BySymbol(r.Symbol)
		require.True(t, ok)
		require.Equal(t, e, found)
	}
	for p := range Part(Parts) {
		r := p.Row()
		unique("name", r.Name)
		unique("operand", r.Operand)
		unique("field", r.Field)
		require.Equal(t, r.Limit == "", r.Absent == "", "%s: the error for a model that does not read it", r.Field)
	}
	_, ok := BySymbol("V")
	require.False(t, ok)
	require.Equal(t, "Extent(200)", Extent(200).String())
	require.Nil(t, Extent(200).Row())
}

func TestShapes(t *testing.T) {
	for p, want := range map[Part]string{IDs: "[T]", Starts: "[B+1]", Prefix: "[B]", Words: "[2·W]", MarkStarts: "[B+1]", Delta: "[T·H]"} {
		require.Equal(t, want, p.Row().Shape(), p.Row().Name)
	}
}

// TestSizesInJSON checks that sizes are read as they were written. N and Threads are not written.
func TestSizesInJSON(t *testing.T) {
	s := Sizes{B: 1, T: 2, M: 3, G: 4, W: 5, C: 6, P: 7, Q: 14, U: 8, R: 9, S: 10, X: 11, N: 12, Threads: 13}
	text, err := json.Marshal(s)
	require.NoError(t, err)
	require.JSONEq(t, `{"sequences":1,"tokens":2,"rows":3,"word_marks":4,"words":5,"marks":6,"queries":14,"token_pairs":7,
		"boundaries":8,"query_boundaries":9,"candidates":10,"query_candidates":11}`, string(text))
	var back Sizes
	require.NoError(t, json.Unmarshal(text, &back))
	s.N, s.Threads = 0, 0
	require.Equal(t, s, back)
	require.Error(t, json.Unmarshal([]byte(`{"tokens":"many"}`), &back))
}

// TestAppend puts two sequences together, by models that read different parts.
func TestAppend(t *testing.T) {
	one := Sequence{IDs: []int32{5, 6, 7}, Types: []int32{0, 0, 1}, Prefix: 2, Rows: []int32{1}, Words: []int32{1, 3}, Marks: []int32{0}}
	two := Sequence{IDs: []int32{8, 9}, Rows: []int32{0, 1}, Marks: []int32{0, 1}}
	var b Batch
	for _, s := range []*Sequence{&one, &two} {
		b.Append(s, Limits{})
	}
	require.Equal(t, Batch{IDs: []int32{5, 6, 7, 8, 9}, Starts: []int32{0, 3, 5}}, b)
	b = Batch{}
	for _, s := range []*Sequence{&one, &two} {
		b.Append(s, Limits{Types: 2, Prefix: true, Rows: 9, Words: true, Marks: true})
	}
	require.Equal(t, Batch{IDs: []int32{5, 6, 7, 8, 9}, Starts: []int32{0, 3, 5}, Types: []int32{0, 0, 1, 0, 0}, Prefix: []int32{2, 0}, Rows: []int32{1, 3, 4},
		Words: []int32{1, 3}, WordStarts: []int32{0, 1, 1}, Marks: []int32{0, 3, 4}, MarkStarts: []int32{0, 1, 3}}, b)
	one.Reset()
	require.Zero(t, len(one.IDs)+len(one.Types)+int(one.Prefix)+len(one.Rows)+len(one.Words)+len(one.Marks))
}

func TestSequenceFaults(t *testing.T) {
	require.ErrorContains(t, (&Sequence{}).Validate(Limits{}), "it has no tokens")
	err := (&Sequence{IDs: []int32{1, 2}, Types: []int32{0}}).Validate(Limits{Types: 2})
	require.ErrorIs(t, err, ErrInput)
	require.ErrorContains(t, err, "1 token types for 2 tokens")
	require.NoError(t, (&Sequence{IDs: []int32{1}}).Validate(Limits{}))
}

func TestFollows(t *testing.T) {
	for e := range Extent(Extents) {
		require.Equal(t, slices.Contains([]Extent{G, P, U, R, S, X}, e), e.Follows(), e)
	}
	require.Equal(t, "Extent(12)", Extent(Extents).String())
}

// TestPairsOf goes over the words of three sequences. The second has no word, the third no label.
func TestPairsOf(t *testing.T) {
	b := Batch{IDs: make([]int32, 12), Starts: []int32{0, 6, 8, 12}, Words: []int32{2, 3, 3, 5, 9, 10}, WordStarts: []int32{0, 2, 2, 3},
		Marks: []int32{0, 1, 7}, MarkStarts: []int32{0, 2, 3, 3}}
	require.NoError(t, b.Validate(Limits{Vocab: 1, SequenceTokens: 9, BatchSequences: 3, BatchTokens: 12, Words: true, Marks: true}))
	require.Equal(t, WordPairs{End: 2, Mark: 0, Marks: 2, Pair: 0}, b.PairsOf(0))
	require.Equal(t, WordPairs{End: 2, Mark: 0, Marks: 2, Pair: 2}, b.PairsOf(1))
	require.Equal(t, WordPairs{End: 3, Mark: 3, Marks: 0, Pair: 4}, b.PairsOf(2))
	require.Equal(t, WordPairs{}, b.PairsOf(3))
	require.Equal(t, 4, b.Pairs())
}

func TestFillPositions(t *testing.T) {
	b := Batch{IDs: make([]int32, 5), Starts: []int32{0, 2, 5}}
	dst := make([]int32, 5)
	b.FillPositions(dst)
	require.Equal(t, []int32{0, 1, 0, 1, 2}, dst)
	b.Positions = []int32{4, 5, 1, 2, 9}
	b.FillPositions(dst)
	require.Equal(t, b.Positions, dst)
}

// TestAlone takes a batch apart that has rows and nothing else beside ids.
func TestAlone(t *testing.T) {
	b := Batch{IDs: []int32{5, 6, 7, 8, 9}, Starts: []int32{0, 2, 5}, Rows: []int32{1, 2, 4}}
	require.Equal(t, &Batch{IDs: []int32{5, 6}, Starts: []int32{0, 2}, Rows: []int32{1}}, b.Alone(0))
	require.Equal(t, &Batch{IDs: []int32{7, 8, 9}, Starts: []int32{0, 3}, Rows: []int32{0, 2}}, b.Alone(1))
}
