package task

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// plainChoose follows the published algorithm line by line: quadratic and simple.
func plainChoose(list []found, nested, multi bool) []found {
	list = slices.Clone(list)
	slices.SortStableFunc(list, func(a, b found) int { return cmp.Compare(b.score, a.score) })
	inside := func(a, b found) bool { return a.first <= b.first && a.last >= b.last }
	var kept []found
	for _, f := range list {
		drop := false
		for _, k := range kept {
			switch {
			case k.first == f.first && k.last == f.last:
				drop = drop || !multi
			case k.first > f.last || f.first > k.last:
			case nested && (inside(k, f) || inside(f, k)):
			default:
				drop = true
			}
		}
		if !drop {
			kept = append(kept, f)
		}
	}
	slices.SortStableFunc(kept, func(a, b found) int { return cmp.Compare(a.first, b.first) })
	return kept
}

// drawFound draws spans, many of them with equal scores.
func drawFound(t *rapid.T) []found {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) found {
		first := rapid.IntRange(0, 9).Draw(t, "first")
		return found{first, first + rapid.IntRange(0, 4).Draw(t, "more"), rapid.IntRange(0, 2).Draw(t, "label"),
			float32(rapid.IntRange(1, 6).Draw(t, "score")) / 8}
	}), 0, 40).Draw(t, "found")
}

func TestChooseEntities(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		list := drawFound(t)
		for _, nested := range []bool{false, true} {
			for _, multi := range []bool{false, true} {
				require.Equal(t, plainChoose(list, nested, multi), choose(list, nested, multi), "nested %v, several labels %v", nested, multi)
			}
		}
	})
}

// TestTokenSpans compares the search of starts and ends with one that looks at all pairs.
func TestTokenSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words, labels := rapid.IntRange(1, 8).Draw(t, "words"), rapid.IntRange(1, 3).Draw(t, "labels")
		logits := make([]float32, words*labels*3)
		for i := range logits {
			logits[i] = float32(rapid.IntRange(-3, 3).Draw(t, "logit")) / 2
		}
		threshold := rapid.SliceOfN(rapid.SampledFrom([]float32{0, 0.3, 0.5, rounded(0.5), 1}), labels, labels).Draw(t, "threshold")
		p := func(w, c, part int) float32 { return rounded(logits[(w*labels+c)*3+part]) }
		var want []found
		for w := range words {
			for c := range labels {
				for e := w; e < words; e++ {
					lowest, held := min(p(w, c, 0), p(e, c, 1)), p(w, c, 0) > threshold[c] && p(e, c, 1) > threshold[c]
					for k := w; k <= e; k++ {
						lowest, held = min(lowest, p(k, c, 2)), held && !(p(k, c, 2) < threshold[c])
					}
					if held {
						want = append(want, found{w, e, c, lowest})
					}
				}
			}
		}
		require.Equal(t, want, appendTokenSpans(nil, logits, words, threshold))
	})
}

// TestSpans compares a span head's decoding with its definition: a span counts if its probability exceeds its label's threshold and if it ends in the text. A
// probability that equals the threshold does not count. The thresholds are probabilities of the logits.
func TestSpans(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		words, widths, labels := rapid.IntRange(1, 5).Draw(t, "words"), rapid.IntRange(1, 4).Draw(t, "widths"), rapid.IntRange(1, 3).Draw(t, "labels")
		logits := make([]float32, words*labels*widths)
		for i := range logits {
			logits[i] = float32(rapid.IntRange(-2, 2).Draw(t, "logit"))
		}
		threshold := make([]float32, labels)
		for c := range threshold {
			threshold[c] = rounded(float32(rapid.IntRange(-2, 2).Draw(t, "threshold")))
		}
		var want []found
		for first := range words {
			for last := first; last < words && last-first < widths; last++ {
				for c := range labels {
					if p := rounded(logits[(first*labels+c)*widths+last-first]); p > threshold[c] {
						want = append(want, found{first, last, c, p})
					}
				}
			}
		}
		require.Equal(t, want, appendSpans(nil, logits, words, widths, threshold))
	})
	for z, above := range map[float32]int{0: 0, 1e-6: 1, -1e-6: 0} {
		require.Len(t, appendSpans(nil, []float32{z}, 1, 1, []float32{0.5}), above, "logit %v, threshold 0.5", z)
	}
}

func TestDecodeEntities(t *testing.T) {
	// Spans of up to two words: "a" and "a b" with label x, "b" with label y.
	logits := []float32{1, 3, -9, -9, -9, 0, 2, 7}
	got, err := DecodeEntities("a  b", []string{"x", "y"}, logits, 2, EntityOptions{})
	require.NoError(t, err)
	require.Len(t, got, 1)
	require.Equal(t, Part{"a  b", 0, 4, 0, 4, 0, 4}, got[0].Part)
	require.InDelta(t, 1/(1+math.Exp(-3)), got[0].Score, 1e-7)
	got, err = DecodeEntities("a  b", []string{"x", "y"}, logits, 2, EntityOptions{Nested: true})
	require.NoError(t, err)
	require.Equal(t, "[{a  b 0 4 0 4 0 4} {a 0 1 0 1 0 1} {b 3 4 3 4 3 4}]", fmt.Sprint(slices.Collect(func(yield func(Part) bool) {
		for _, e := range got {
			if !yield(e.Part) {
				return
			}
		}
	})), "a span that ends after the text does not count, whatever its score")
	_, err = DecodeEntities("a b", []string{"x"}, logits[:3], 2, EntityOptions{})
	require.ErrorIs(t, err, runtime.ErrInput)
}

// wordPieces is a tokenizer that can read words that were cut already.
type wordPieces struct{ pieces }

func (p wordPieces) AppendWords(dst []tokenizer.Span, words []string, specials bool) ([]tokenizer.Span, error) {
	for i, w := range words {
		if w == "\u200b" {
			continue // has no tokens
		}
		n := len(dst)
		var err error
		if dst, err = p.AppendSpans(dst, w, specials); err != nil {
			return dst, err
		}
		for j := range dst[n:] {
			dst[n+j].Word = int32(i)
		}
	}
	return dst, nil
}

func (wordPieces) ID(piece string) (int32, bool) { return pieceID(piece), piece != "none" }

// extractor returns a fake model. Its score of a span is a function of the span's first token, its label's token and its width. Odd words of more than
// three letters are seen as a whole.
func extractor(t testing.TB, widths int, opts ...runtime.Option) *Extractor {
	c := widths
	if widths == 0 {
		c = 3
	}
	f := fake{
		heads: []engine.Head{{Task: tasktable.Entities, Rows: engine.PerPair, C: c, Width: widths,
			Prompt: &engine.Prompt{Mark: "<<ENT>>", End: "<<SEP>>", After: true}}},
		limits: func(l *engine.Limits) {
			l.Types, l.Words, l.Marks = 0, true, true
		},
		forward: func(x *engine.Exec) {
			out := x.Out
			for s := range x.B {
				for w := x.WordStarts[s]; w < x.WordStarts[s+1]; w++ {
					for _, m := range x.Marks[x.MarkStarts[s]:x.MarkStarts[s+1]] {
						for j := range c {
							out[j] = float32(8 * noise(int(x.IDs[x.Words[2*w]]), int(x.IDs[m]), j))
						}
						out = out[c:]
					}
				}
			}
		},
		token: wordPieces{},
	}
	x, err := NewExtractor(f.open(t, opts...), "")
	require.NoError(t, err)
	return x
}

// TestEntitiesAsDecoded compares extraction with decoding of the scores that the model must have computed, for texts that are batched in any way.
func TestEntitiesAsDecoded(t *testing.T) {
	labels := []string{"per", "place name", "x"}
	for _, widths := range []int{0, 1, 4} {
		x := extractor(t, widths)
		c := max(widths, 3)
		if widths > 0 {
			c = widths
		}
		texts := []string{"One two, three-four!", "", "  \t", "東京 é five", strings.Repeat("ab ", 12), "x"}
		o := EntityOptions{Threshold: new(0.4), MultiLabel: true, Thresholds: map[string]float64{"x": 0.9, "per": 0}}
		results, err := x.Entities(t.Context(), texts, labels, o)
		require.NoError(t, err)
		require.NotEmpty(t, results[4].Entities, "widths %d", widths)
		for i, text := range texts {
			words := Words(text)
			var logits []float32
			for _, w := range words {
				for _, l := range labels {
					for j := range c {
						logits = append(logits, float32(8*noise(int(spansOf(t, w.Text)[0].ID), int(spansOf(t, l)[0].ID), j)))
					}
				}
			}
			want, err := DecodeEntities(text, labels, logits, widths, o)
			require.NoError(t, err)
			require.Equal(t, want, results[i].Entities, "%q", text)
			require.Equal(t, len(words), results[i].Words)
			if len(words) == 0 {
				require.Zero(t, results[i].Seen)
			} else {
				require.Equal(t, 1, results[i].Windows)
			}
		}
	}
}

// TestEntitiesEach checks that texts with labels and settings of their own have the results that they have alone.
func TestEntitiesEach(t *testing.T) {
	x := extractor(t, 3, runtime.Long(runtime.Windows(4)))
	sure := &EntityOptions{Threshold: new(0.9), Nested: true}
	inputs := []EntityInput{
		{Text: "One two, three-four!", Labels: []string{"per", "place name"}},
		{Text: "One two, three-four!", Labels: []string{"x"}, Options: sure},
		{Text: strings.Repeat("abcd ", 60), Labels: []string{"place name", "x", "per"}},
		{Text: "", Labels: []string{"x"}},
		{Text: "東京 é five", Labels: []string{"x"}},
		{Text: "東京 é five", Labels: []string{"x"}, Options: &EntityOptions{Threshold: new(0.0), MultiLabel: true}},
	}
	o := EntityOptions{Threshold: new(0.3)}
	together, err := x.EntitiesEach(t.Context(), inputs, o)
	require.NoError(t, err)
	require.Greater(t, together[2].Windows, 1)
	require.NotEqual(t, together[0].Entities, together[1].Entities)
	for i, in := range inputs {
		alone, err := x.Entities(t.Context(), []string{in.Text}, in.Labels, *in.settings(&o))
		require.NoError(t, err)
		require.Equal(t, alone[0], together[i], "input %d", i)
	}
	right := EntityOptions{Right: [][]RightEntity{{{Label: "x", Start: 0, End: 1}}}}
	_, err = x.EntitiesEach(t.Context(), []EntityInput{{Text: "a b", Labels: []string{"x"}, Options: &right}}, EntityOptions{})
	require.ErrorContains(t, err, "text 0: Right is set in the settings of a text")
	_, err = x.EntitiesEach(t.Context(), []EntityInput{{Text: "a", Labels: []string{"x"}}, {Text: "b"}}, EntityOptions{})
	require.ErrorContains(t, err, "text 1: there are no labels to look for")
	require.ErrorIs(t, err, runtime.ErrInput)
	_, err = x.EntitiesEach(t.Context(), inputs, right)
	require.ErrorContains(t, err, "there are 6 texts and right entities of 1")
}

// TestEntityThresholds checks that a threshold of 0 finds everything with a probability, a threshold of 1 finds nothing, and each label can have its
// own threshold.
func TestEntityThresholds(t *testing.T) {
	x := extractor(t, 2)
	count := func(o EntityOptions) (a, b int) {
		o.Nested, o.MultiLabel = true, true
		results, err := x.Entities(t.Context(), []string{"one two three four"}, []string{"a", "b"}, o)
		require.NoError(t, err)
		for _, e := range results[0].Entities {
			if e.Label == "a" {
				a++
			} else {
				b++
			}
		}
		return a, b
	}
	usualA, usualB := count(EntityOptions{})
	allA, allB := count(EntityOptions{Threshold: new(0.0)})
	require.Greater(t, allA, usualA)
	require.Greater(t, allB, usualB)
	a, b := count(EntityOptions{Threshold: new(1.0)})
	require.Zero(t, a+b)
	a, b = count(EntityOptions{Thresholds: map[string]float64{"a": 0}})
	require.Equal(t, []int{allA, usualB}, []int{a, b})
	a, b = count(EntityOptions{Threshold: new(0.0), Thresholds: map[string]float64{"b": 1}})
	require.Equal(t, []int{allA, 0}, []int{a, b})
}

// TestEntityWindows checks that every window holds as many words as fit and that windows overlap by the stride. Each span that some window holds is
// judged once, by the window in which it lies farthest from an edge.
func TestEntityWindows(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := rapid.SliceOfN(rapid.IntRange(1, 4), 1, 60).Draw(t, "sizes")
		first := []int{0}
		for _, n := range sizes {
			first = append(first, first[len(first)-1]+n)
		}
		room, most, stride := rapid.IntRange(12, 30).Draw(t, "room"), rapid.IntRange(0, 9).Draw(t, "words"), rapid.IntRange(0, 4).Draw(t, "stride")
		e := engine.Encoded{}
		for w, n := range sizes {
			e.Spans = append(e.Spans, slices.Repeat([]tokenizer.Span{{Word: int32(2 * w)}}, n)...) // words between them have no tokens
		}
		e.IDs, e.Split = make([]int32, len(e.Spans)), len(e.Spans)
		q := engine.Sequencer{Frame: tokenizer.Frame{Open: make([]int32, 4), Close: []int32{0}}, Long: runtime.Windows(stride), MaxTokens: room + 5,
			WholeWords: true, MaxWords: most}
		list, _, err := q.Cut(nil, 0, &e)
		if err != nil {
			require.ErrorIs(t, err, runtime.ErrInput)
			require.True(t, most > 0 && most <= stride+1, "%v", err) // few words and a long overlap
			return
		}
		var windows []frameOf
		for _, w := range list {
			windows = append(windows, wordsOf(&w, first))
		}
		j := entitySearch{words: make([]wordSpan, len(sizes)), windows: windows, threshold: []float32{0.5}}
		require.Zero(t, windows[0].lo)
		require.Equal(t, len(sizes), windows[len(windows)-1].hi)
		for n, w := range windows {
			require.LessOrEqual(t, first[w.hi]-first[w.lo], room)
			require.True(t, most == 0 || w.hi-w.lo <= most)
			require.Less(t, w.lo, w.hi)
			if w.hi < len(sizes) {
				require.True(t, first[w.hi+1]-first[w.lo] > room || w.hi-w.lo == most, "another word fits")
			}
			if n > 0 {
				require.Greater(t, w.lo, windows[n-1].lo)
				require.GreaterOrEqual(t, first[windows[n-1].hi]-first[w.lo], stride)
			}
		}
		// words counts the words of window k between a span and the nearer edge; the ends of the text are no edges, and a window without the span has -1.
		words := func(k, a, b int) int {
			w, n := windows[k], len(sizes)
			if a < w.lo || b >= w.hi {
				return -1
			}
			if w.lo > 0 {
				n = a - w.lo
			}
			if w.hi < len(sizes) {
				n = min(n, w.hi-1-b)
			}
			return n
		}
		times := map[[2]int]int{}
		for n, w := range windows {
			logits := slices.Repeat([]float32{5}, (w.hi-w.lo)*3)
			j.found = nil
			j.take(n, logits, 3)
			for _, f := range j.found {
				times[[2]int{f.first, f.last}]++
				for k := range windows {
					require.LessOrEqual(t, words(k, f.first, f.last), words(n, f.first, f.last))
				}
			}
		}
		for a := range sizes {
			for b := a; b < min(a+3, len(sizes)); b++ {
				held := slices.ContainsFunc(windows, func(w frameOf) bool { return w.lo <= a && b < w.hi })
				require.Equal(t, map[bool]int{true: 1, false: 0}[held], times[[2]int{a, b}], "words %d to %d", a, b)
			}
		}
	})
}

func TestLongEntities(t *testing.T) {
	text := strings.Repeat("abcd ", 40) // two tokens each, of the 64 that fit
	long := func(p runtime.LongPolicy) ([]Extraction, error) {
		return extractor(t, 2, runtime.Long(p)).Entities(t.Context(), []string{"short", text}, []string{"x"}, EntityOptions{})
	}
	_, err := long(runtime.Reject)
	require.ErrorIs(t, err, runtime.ErrTooLong)
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "text 1: 85 tokens are too long, the limit is 64")
	r, err := long(runtime.Truncate)
	require.NoError(t, err)
	require.Equal(t, runtime.Seen{Tokens: 63, Truncated: 22, Windows: 1}, r[1].Seen)
	require.Equal(t, 40, r[1].Words)
	r, err = long(runtime.Windows(8))
	require.NoError(t, err)
	require.Equal(t, runtime.Seen{Tokens: 85, Windows: 2}, r[1].Seen)
	whole := strings.Repeat("abcd ", 25)
	short, err := extractor(t, 2).Entities(t.Context(), []string{whole}, []string{"x"}, EntityOptions{})
	require.NoError(t, err)
	require.Equal(t, len(short[0].Entities) > 0, len(r[1].Entities) > 0, "the same words have the same scores in windows")
	_, err = long(runtime.Windows(57))
	require.ErrorContains(t, err, "choose a smaller stride")
	x := extractor(t, 2)
	x.maxWords = 3
	_, err = x.Entities(t.Context(), []string{"a b c d"}, []string{"x"}, EntityOptions{})
	require.ErrorContains(t, err, "text 0: 4 words are too long, the limit is 3")
	_, err = extractor(t, 2, runtime.Long(runtime.Truncate)).Entities(t.Context(), []string{strings.Repeat("a", 200)}, []string{"x"}, EntityOptions{})
	require.ErrorContains(t, err, "its first word has 67 tokens")
}

func TestEntityFaults(t *testing.T) {
	x := extractor(t, 2)
	for want, labels := range map[string][]string{
		"there are no labels":          nil,
		"label 2 is empty":             {"a", " "},
		`label "a" is given twice`:     {"a", "b", "a"},
		"which separate labels":        {"a<<SEP>>"},
		`label "\u200b" has no tokens`: {"\u200b"},
		"cannot be encoded":            {"a\x00"},
		"70 labels take 143 tokens, the li": slices.Collect(func(yield func(string) bool) {
			for i := range 70 {
				if !yield(fmt.Sprint("l", i)) {
					return
				}
			}
		}),
	} {
		_, err := x.Entities(t.Context(), []string{"text"}, labels, EntityOptions{})
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
		require.Error(t, x.Check(labels, EntityOptions{}))
	}
	for _, threshold := range []float64{-0.1, 2, math.NaN()} {
		require.ErrorContains(t, x.Check([]string{"a"}, EntityOptions{Threshold: &threshold}), "it must be from 0 to 1")
		require.ErrorContains(t, x.Check([]string{"a"}, EntityOptions{Thresholds: map[string]float64{"a": threshold}}), "it must be from 0 to 1")
	}
	require.ErrorContains(t, x.Check([]string{"a", "b"}, EntityOptions{Thresholds: map[string]float64{"c": 0.5}}),
		`Thresholds names label "c", which is not among the labels (there are: a, b)`)
	_, err := x.Entities(t.Context(), []string{"fine", "a\x00"}, []string{"a"}, EntityOptions{})
	require.ErrorContains(t, err, "text 1: it cannot be encoded")
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = x.Entities(gone, []string{"a"}, []string{"a"}, EntityOptions{})
	require.True(t, errors.Is(err, context.Canceled), "%v", err)
	// Words without tokens are left out.
	r, err := x.Entities(t.Context(), []string{"\u200b", "a \u200b b"}, []string{"a"}, EntityOptions{Threshold: new(0.001), Nested: true})
	require.NoError(t, err)
	require.Empty(t, r[0].Entities)
	require.Equal(t, []int{1, 3}, []int{r[0].Words, r[1].Words})
}

// TestExtractorExtra checks the limits and ids that are packed with the weights.
func TestExtractorExtra(t *testing.T) {
	open := func(mark string, extra map[string]string) (*Extractor, error) {
		return NewExtractor(fake{
			heads:  []engine.Head{{Task: tasktable.Entities, Rows: engine.PerPair, C: 3, Prompt: &engine.Prompt{Mark: mark, End: "none"}}},
			limits: func(l *engine.Limits) { l.Types, l.Words, l.Marks = 0, true, true },
			forward: func(*engine.Exec) {
			}, token: wordPieces{}, extra: extra,
		}.open(t), "")
	}
	x, err := open("<<ENT>>", map[string]string{MaxWordsKey: "7", MarkKey: "5", EndKey: "999"})
	require.NoError(t, err)
	require.Equal(t, []any{7, pieceID("<<ENT>>"), int32(999)}, []any{x.MaxWords(), x.mark, x.end}, "the tokenizer's own ids come first")
	for want, extra := range map[string]map[string]string{
		`the tokenizer has no token "none"`: nil,
		`end_id is "1000", which is no`:     {EndKey: "1000"},
		`max_words is "x"`:                  {EndKey: "3", MaxWordsKey: "x"},
	} {
		_, err := open("<<ENT>>", extra)
		require.ErrorContains(t, err, want)
	}
}
