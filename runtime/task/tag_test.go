package task

import (
	"context"
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

var bioLabels = []string{"O", "B-PER", "I-PER", "B-LOC", "I-LOC"}

// tagsByPiece returns a tagging head. logits maps each piece to the logits of its token.
func tagsByPiece(labels []string, logits map[string][]float64) fake {
	byID := map[int32][]float64{}
	for p, z := range logits {
		byID[pieceID(p)] = z
	}
	return fake{
		heads: []engine.Head{{Name: "ner", Task: tasktable.Tags, Rows: engine.PerToken, C: len(labels), Labels: labels}},
		forward: perRow(len(labels), func(ids []int32, row, j int) float64 {
			if z := byID[ids[row]]; z != nil {
				return z[j]
			}
			return []float64{5, 0, 0, 0, 0, 0, 0}[j] // the first label, mostly "O"
		}),
	}
}

func newTagger(t *testing.T, f fake, opts ...runtime.Option) *Tagger {
	tagger, err := NewTagger(f.open(t, opts...), "")
	require.NoError(t, err)
	return tagger
}

func softmax64(z []float64) []float64 {
	sum := 0.0
	for _, v := range z {
		sum += math.Exp(v)
	}
	p := make([]float64, len(z))
	for i, v := range z {
		p[i] = math.Exp(v) / sum
	}
	return p
}

// TestAggregations computes the rules of the transformers library by hand: "Angela Merkel sah Rom"
// with the pieces Ang ela Mer kel sah Rom.
func TestAggregations(t *testing.T) {
	ang := []float64{0, 4, 1, 0, 0}
	ela := []float64{0, 0, 3, 1, 0}
	mer := []float64{0, 0, 2, 0, 0}
	kel := []float64{0, 0, 0, 6, 0} // alone it would be the beginning of a place
	rom := []float64{1, 0, 0, 3, 0}
	tagger := newTagger(t, tagsByPiece(bioLabels, map[string][]float64{"Ang": ang, "ela": ela, "Mer": mer, "kel": kel, "Rom": rom}))
	text := "Angela Merkel sah Rom"
	entities := func(a Aggregation) []Entity {
		got, err := tagger.Tag(background, []string{text}, TagOptions{Aggregation: a})
		require.NoError(t, err)
		require.Len(t, got[0].Tags, 6)
		require.Equal(t, runtime.Seen{Tokens: 8, Windows: 1}, got[0].Seen)
		for _, e := range got[0].Entities {
			checkPart(t, text, e.Part)
		}
		return got[0].Entities
	}
	type entity struct {
		text, label string
		score       float64
	}
	check := func(a Aggregation, want ...entity) {
		got := entities(a)
		require.Len(t, got, len(want), a)
		for i, w := range want {
			require.Equal(t, w.text, got[i].Text, a)
			require.Equal(t, w.label, got[i].Label, a)
			require.InDelta(t, w.score, got[i].Score, 1e-6, a)
		}
	}
	p := func(z []float64, label int) float64 { return softmax64(z)[label] }
	mean := func(a, b []float64, label int) float64 { return (p(a, label) + p(b, label)) / 2 }
	check(AggregateNone, entity{"Ang", "B-PER", p(ang, 1)}, entity{"ela", "I-PER", p(ela, 2)}, entity{"Mer", "I-PER", p(mer, 2)},
		entity{"kel", "B-LOC", p(kel, 3)}, entity{"Rom", "B-LOC", p(rom, 3)})
	check(AggregateSimple, entity{"Angela Mer", "PER", (p(ang, 1) + p(ela, 2) + p(mer, 2)) / 3}, entity{"kel", "LOC", p(kel, 3)},
		entity{"Rom", "LOC", p(rom, 3)})
	check(AggregateFirst, entity{"Angela Merkel", "PER", (p(ang, 1) + p(mer, 2)) / 2}, entity{"Rom", "LOC", p(rom, 3)})
	check(AggregateAverage, entity{"Angela", "PER", mean(ang, ela, 1)}, entity{"Merkel", "LOC", mean(mer, kel, 3)}, entity{"Rom", "LOC", p(rom, 3)})
	check(AggregateMax, entity{"Angela", "PER", p(ang, 1)}, entity{"Merkel", "LOC", p(kel, 3)}, entity{"Rom", "LOC", p(rom, 3)})
	got, err := tagger.Tag(background, []string{text}, TagOptions{Ignore: []string{}})
	require.NoError(t, err)
	require.Equal(t, "sah", got[0].Entities[2].Text, "nothing is ignored, not even O")
	rome := entities(AggregateFirst)[1]
	for threshold, want := range map[float64]int{rome.Score: 2, math.Nextafter(rome.Score, 1): 1} {
		got, err := tagger.Tag(background, []string{text}, TagOptions{Aggregation: AggregateFirst, Thresholds: map[string]float64{"LOC": threshold}})
		require.NoError(t, err)
		require.Len(t, got[0].Entities, want, "an entity of the score %v is left out below the threshold %v, not at it", rome.Score, threshold)
	}
	_, err = tagger.Tag(background, nil, TagOptions{Aggregation: "last"})
	require.ErrorContains(t, err, `aggregation "last"`)
}

// TestBIO checks that "I-LOC" after "B-PER" is not allowed, and that the best allowed path of all
// is found.
func TestBIO(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.IntRange(0, 1<<20).Draw(rt, "seed")
		words := rapid.IntRange(1, 5).Draw(rt, "words")
		aggregation := rapid.SampledFrom([]Aggregation{AggregateSimple, AggregateFirst, AggregateAverage, AggregateMax}).Draw(rt, "aggregation")
		c := len(bioLabels)
		f := fake{
			heads:   []engine.Head{{Name: "ner", Task: tasktable.Tags, Rows: engine.PerToken, C: c, Labels: bioLabels, Decode: "bio"}},
			forward: perRow(c, func(ids []int32, row, j int) float64 { return 3 * noise(seed, int(ids[row]), j) }),
		}
		tagger := newTagger(t, f)
		text := strings.TrimSpace(strings.Repeat("ab ", words)) // one token per word
		got, err := tagger.Tag(background, []string{text}, TagOptions{Aggregation: aggregation})
		require.NoError(rt, err)
		best, bestPath, sum := math.Inf(-1), []int(nil), 0.0
		spans := spansOf(rt, text)
		allPaths(c, words, func(path []int) {
			s := 0.0
			for i, y := range path {
				if y == 2 && (i == 0 || path[i-1] != 1 && path[i-1] != 2) || y == 4 && (i == 0 || path[i-1] != 3 && path[i-1] != 4) {
					return
				}
				s += float64(float32(3 * noise(seed, int(spans[i].ID), y)))
			}
			if sum += math.Exp(s); s > best {
				best, bestPath = s, append([]int(nil), path...)
			}
		})
		score := 0.0 // score of the path that was found: others may be equally good
		for i, tag := range got[0].Tags {
			require.Equal(rt, bioLabels[tag.Index], tag.Label)
			score += float64(float32(3 * noise(seed, int(spans[i].ID), tag.Index)))
		}
		require.InDelta(rt, best, score, 1e-9, "%v, best %v", got[0].Tags, bestPath)
		require.InDelta(rt, best-math.Log(sum), got[0].LogProbability, 1e-9)
		for _, e := range got[0].Entities {
			first := got[0].Tags[0]
			for _, tag := range got[0].Tags {
				if tag.Start == e.Start {
					first = tag
				}
			}
			require.Equal(rt, "B-"+e.Label, first.Label, "an entity begins with B-")
		}
	})
}

// TestCRFHead checks that labels are the best path under the learned scores, and probabilities the
// marginals.
func TestCRFHead(t *testing.T) {
	c := len(bioLabels)
	tensors := map[string][]float32{}
	for i, name := range []string{engine.CRFTransitions, engine.CRFStart, engine.CRFEnd} {
		n := c
		if i == 0 {
			n = c * c
		}
		for j := range n {
			tensors[name] = append(tensors[name], float32(2*noise(i, j)))
		}
	}
	f := fake{
		heads:   []engine.Head{{Name: "ner", Task: tasktable.Tags, Rows: engine.PerToken, C: c, Labels: bioLabels, CRF: true}},
		forward: perRow(c, func(ids []int32, row, j int) float64 { return 2 * noise(int(ids[row]), j) }),
		tensors: tensors,
	}
	tagger := newTagger(t, f)
	text := "one two ten six"
	got, err := tagger.Tag(background, []string{text}, TagOptions{})
	require.NoError(t, err)
	var em []float64
	for _, s := range spansOf(t, text) {
		for j := range c {
			em = append(em, float64(float32(2*noise(int(s.ID), j))))
		}
	}
	best, bestPath, sum := math.Inf(-1), []int(nil), 0.0
	at := make([]float64, len(em))
	allPaths(c, 4, func(path []int) {
		s := float64(tensors[engine.CRFStart][path[0]]) + float64(tensors[engine.CRFEnd][path[3]])
		for i, y := range path {
			s += em[i*c+y]
			if i > 0 {
				s += float64(tensors[engine.CRFTransitions][path[i-1]*c+y])
			}
		}
		sum += math.Exp(s)
		for i, y := range path {
			at[i*c+y] += math.Exp(s)
		}
		if s > best {
			best, bestPath = s, append([]int(nil), path...)
		}
	})
	for i, tag := range got[0].Tags {
		require.Equal(t, bestPath[i], tag.Index)
		require.InDelta(t, at[i*c+tag.Index]/sum, tag.Score, 1e-9)
	}
	require.InDelta(t, best-math.Log(sum), got[0].LogProbability, 1e-9)

	f.tensors = nil
	_, err = NewTagger(f.open(t), "")
	require.ErrorContains(t, err, `tensor "label.transitions"`)
	f.tensors = map[string][]float32{engine.CRFTransitions: make([]float32, 3), engine.CRFStart: {0}, engine.CRFEnd: {0}}
	_, err = NewTagger(f.open(t), "")
	require.ErrorContains(t, err, `tensor "label.transitions" has 3 numbers, 5 labels need 25`)
}

// TestTagWindows checks that, for a token in two windows, the row counts that lies farther from an
// edge. Outputs depend on the whole window here, so that another choice would show.
func TestTagWindows(t *testing.T) {
	const c, limit = 3, 12 // 10 tokens per window
	logit := func(ids []int32, row, j int) float64 { return 4 * noise(int(ids[row]), row, int(ids[1]), j) }
	for _, stride := range []int{0, 3, 4, 9} {
		f := fake{heads: []engine.Head{{Task: tasktable.Tags, Rows: engine.PerToken, C: c}}, forward: perRow(c, logit)}
		tagger := newTagger(t, f, runtime.Long(runtime.Windows(stride)), runtime.MaxTokens(limit), runtime.BatchTokens(30))
		text := "the quick brown fox jumps over the lazy dog and runs away from it"
		got, err := tagger.Tag(background, []string{"short", text, ""}, TagOptions{})
		require.NoError(t, err)
		spans := spansOf(t, text)
		n := len(spans)
		require.Greater(t, n, 20)
		windows := [][2]int{}
		for from := 0; ; from += 10 - stride {
			windows = append(windows, [2]int{from, min(from+10, n)})
			if from+10 >= n {
				break
			}
		}
		require.Equal(t, runtime.Seen{Tokens: n + 2, Windows: len(windows)}, got[1].Seen)
		require.Len(t, got[1].Tags, n)
		for i, tag := range got[1].Tags {
			best, margin := [2]int{}, -1
			for _, w := range windows {
				if i < w[0] || i >= w[1] {
					continue
				}
				m := n
				if w[0] > 0 {
					m = i - w[0]
				}
				if w[1] < n {
					m = min(m, w[1]-1-i)
				}
				if m > margin {
					best, margin = w, m
				}
			}
			ids := []int32{fakeCLS}
			for _, s := range spans[best[0]:best[1]] {
				ids = append(ids, s.ID)
			}
			z := []float64{}
			for j := range c {
				z = append(z, float64(float32(logit(ids, 1+i-best[0], j))))
			}
			require.Equal(t, largest(z), tag.Index, "stride %d, token %d in %v", stride, i, best)
			require.InDelta(t, softmax64(z)[tag.Index], tag.Score, 1e-6)
		}
		require.Empty(t, got[2].Tags)
		require.Equal(t, 2, got[2].Seen.Tokens)
	}
}

// TestWordTagger checks that heads with one row per word have one tag per word, and that a word
// that a window cuts is taken from a window that holds it whole.
func TestWordTagger(t *testing.T) {
	f := fake{
		heads:  []engine.Head{{Task: tasktable.Tags, Rows: engine.PerWord, C: 2, Labels: []string{"O", "B-LONG"}}},
		limits: func(l *engine.Limits) { l.Words = true },
		forward: func(x *engine.Exec) {
			for w := range x.W { // long words by their tokens
				x.Out[2*w], x.Out[2*w+1] = 1.5, float32(x.Words[2*w+1]-x.Words[2*w])
			}
		},
	}
	text := "a banana is yellow and a coconut is not"
	for _, o := range [][]runtime.Option{nil, {runtime.Long(runtime.Windows(4)), runtime.MaxTokens(8)}} {
		got, err := newTagger(t, f, o...).Tag(background, []string{text, ""}, TagOptions{})
		require.NoError(t, err)
		require.Len(t, got[0].Tags, 9)
		var words []string
		for _, e := range got[0].Entities {
			words = append(words, e.Text)
		}
		require.Equal(t, []string{"banana", "yellow", "coconut"}, words)
		require.Empty(t, got[1].Tags)
	}
}

// TestCutWord checks a window that ends inside a word, followed by one that begins with it. The
// whole word counts, although it lies no farther from an edge.
func TestCutWord(t *testing.T) {
	f := fake{
		heads:  []engine.Head{{Task: tasktable.Tags, Rows: engine.PerWord, C: 2, Labels: []string{"O", "B-LONG"}}},
		limits: func(l *engine.Limits) { l.Words = true },
		forward: func(x *engine.Exec) {
			for w := range x.W {
				x.Out[2*w], x.Out[2*w+1] = 2.5, float32(x.Words[2*w+1]-x.Words[2*w])
			}
		},
	}
	got, err := newTagger(t, f, runtime.Long(runtime.Windows(2)), runtime.MaxTokens(8)).Tag(background, []string{"a b c d coconut e f"}, TagOptions{})
	require.NoError(t, err)
	require.Equal(t, 2, got[0].Windows)
	require.Len(t, got[0].Entities, 1)
	require.Equal(t, "coconut", got[0].Entities[0].Text)
}

// TestChosenRows checks that a head with chosen rows computes the requested ones, and that batches
// keep to the limit on rows.
func TestChosenRows(t *testing.T) {
	most := 0
	f := fake{
		heads:  []engine.Head{{Task: tasktable.Hidden, Rows: engine.PerRow, C: 1}},
		limits: func(l *engine.Limits) { l.Rows = 5 },
		forward: func(x *engine.Exec) {
			most = max(most, x.M)
			for i, r := range x.Rows {
				x.Out[i] = float32(x.IDs[r])
			}
		},
	}
	texts := []string{"a b c d e", "", "d", "one two ten", "a b c d e f g h i"}
	got := make([][]float32, len(texts))
	core := f.open(t, runtime.SkipSelfTest())
	_, err := NewEmbedder(core, "")
	require.ErrorContains(t, err, "has one row per chosen token; embedding needs one per sequence or per token")
	b, err := engine.NewBatcher(core, 0, true, func(w *engine.Window, out []float32) error {
		got[w.Text] = append([]float32(nil), out...)
		return nil
	})
	require.NoError(t, err)
	require.NoError(t, b.Begin(background, false))
	var e engine.Encoded
	var s engine.Sequence
	for n, text := range texts {
		require.NoError(t, b.Encode(&e, n, runtime.Text{First: text}))
		windows, _, err := b.Cut(nil, n, &e)
		require.NoError(t, err)
		require.Len(t, windows, 1)
		b.Sequence(&s, &windows[0], &e)
		for i := 0; i < len(e.IDs); i += 2 { // every other token
			row, ok := windows[0].Row(i)
			require.True(t, ok)
			s.Rows = append(s.Rows, int32(row))
		}
		require.NoError(t, b.AddSequence(background, windows[0], &s))
	}
	require.NoError(t, b.Flush(background))
	for i, text := range texts {
		var want []float32
		for j, s := range spansOf(t, text) {
			if j%2 == 0 {
				want = append(want, float32(s.ID))
			}
		}
		require.Equal(t, want, got[i], text)
	}
	require.Equal(t, 5, most)
}

func TestTagOffsets(t *testing.T) {
	tagger := newTagger(t, tagsByPiece([]string{"X", "Y"}, nil))
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOfN(rapid.SampledFrom([]rune("aé\u0301\u200d👩🏽‍🚀中 \t\n\u3000�.")), 0, 20, -1).Draw(t, "text")
		texts := []string{text, text + "\U0001f600" + text}
		got, err := tagger.Tag(background, texts, TagOptions{})
		require.NoError(t, err)
		for i, text := range texts {
			for _, tag := range got[i].Tags {
				checkPart(t, text, tag.Part)
			}
			for _, e := range got[i].Entities {
				checkPart(t, text, e.Part)
				require.NotEmpty(t, e.Text)
			}
		}
	})
	got, err := tagger.Tag(background, []string{" \n\t "}, TagOptions{})
	require.NoError(t, err)
	require.Empty(t, got[0].Entities, "white space is not an entity")
}

func TestTagFaults(t *testing.T) {
	f := tagsByPiece(bioLabels, nil)
	_, err := NewTagger(nil, "")
	require.ErrorIs(t, err, runtime.ErrInput)
	core := f.open(t, runtime.MaxTokens(8))
	_, err = NewTagger(core, "other")
	require.ErrorContains(t, err, `no head "other"`)
	_, err = NewAnswerer(core, "ner")
	require.ErrorContains(t, err, `head "ner" of this model is for tags; question answering needs one for span`)
	tagger, err := NewTagger(core, "ner")
	require.NoError(t, err)
	require.Equal(t, bioLabels, tagger.Labels())
	_, err = tagger.Tag(background, []string{"ok", "a b c d e f g h"}, TagOptions{})
	require.ErrorIs(t, err, runtime.ErrTooLong)
	require.ErrorContains(t, err, "text 1: 10 tokens are too long, the limit is 8")
	_, err = tagger.Tag(background, []string{"ok", "\x00"}, TagOptions{})
	require.ErrorContains(t, err, "text 1: it cannot be encoded: a zero byte")
	ctx, cancel := context.WithCancel(background)
	cancel()
	_, err = tagger.Tag(ctx, []string{"ok"}, TagOptions{})
	require.ErrorIs(t, err, context.Canceled)
	got, err := newTagger(t, f, runtime.Long(runtime.Truncate), runtime.MaxTokens(8)).Tag(background, []string{"a b c d e f g h"}, TagOptions{})
	require.NoError(t, err)
	require.Len(t, got[0].Tags, 6)
	require.Equal(t, runtime.Seen{Tokens: 8, Truncated: 2, Windows: 1}, got[0].Seen)
	f.labels = map[string][]string{"ner": {"one"}}
	_, err = NewTagger(f.open(t), "")
	require.ErrorContains(t, err, "1 labels for head")
}

// TestTaggedJSON checks the names in JSON, which programs rely on.
func TestTaggedJSON(t *testing.T) {
	got, err := newTagger(t, tagsByPiece([]string{"O", "B-X"}, map[string][]float64{"é": {0, 0}, "x": {-1000, 1000}})).
		Tag(background, []string{"é x"}, TagOptions{})
	require.NoError(t, err)
	text, err := json.Marshal(got[0])
	require.NoError(t, err)
	require.JSONEq(t, `{"entities": [{"text": "x", "start": 3, "end": 4, "start_rune": 2, "end_rune": 3, "start_utf16": 2, "end_utf16": 3,
			"label": "X", "score": 1}],
		"tags": [{"text": "é", "start": 0, "end": 2, "start_rune": 0, "end_rune": 1, "start_utf16": 0, "end_utf16": 1,
				"label": "O", "index": 0, "score": 0.5, "word": 0},
			{"text": "x", "start": 3, "end": 4, "start_rune": 2, "end_rune": 3, "start_utf16": 2, "end_utf16": 3,
				"label": "B-X", "index": 1, "score": 1, "word": 1}],
		"tokens": 4, "truncated": 0, "windows": 1}`, string(text))
}
