package task

import (
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

// wordLogit is a logit of a token, whatever stands beside it.
func wordLogit(ids []int32, row, j int) float64 { return 3 * noise(int(ids[row]), j) }

// firstPieces returns the id of the first token of each word: its first three code points.
func firstPieces(words []string) []int32 {
	var ids []int32
	for _, w := range words {
		r := []rune(w)
		ids = append(ids, pieceID(string(r[:min(3, len(r))])))
	}
	return ids
}

// TestTagWords checks that a word has the label of its first token, whether the head has a row for each token or for each word, and that the loss is the cross
// entropy of these rows.
func TestTagWords(t *testing.T) {
	c := len(bioLabels)
	head := engine.Head{Name: "ner", Task: tasktable.Tags, Rows: engine.PerToken, C: c, Labels: bioLabels}
	tagger := newTagger(t, fake{heads: []engine.Head{head}, forward: perRow(c, wordLogit)})
	head.Independent = true
	several := newTagger(t, fake{heads: []engine.Head{head}, forward: perRow(c, wordLogit)})
	rapid.Check(t, func(rt *rapid.T) {
		words := rapid.SliceOfN(rapid.StringMatching(`[a-zä]{1,7}`), 1, 12).Draw(rt, "words")
		s := SentenceOf(words)
		require.Equal(rt, strings.Join(words, " "), s.Text)
		var want []int
		var ce, bce float64
		known := 0
		for _, id := range firstPieces(words) {
			z := make([]float64, c)
			for j := range z {
				z[j] = float64(float32(wordLogit([]int32{id}, 0, j)))
			}
			want = append(want, largest(z))
			gold := rapid.IntRange(-1, c-1).Draw(rt, "gold")
			s.Gold = append(s.Gold, gold)
			if gold < 0 {
				continue
			}
			known++
			ce -= math.Log(softmax64(z)[gold])
			for j, v := range z {
				y := map[bool]float64{true: 1}[j == gold]
				bce += math.Log1p(math.Exp(v)) - y*v
			}
		}
		got, err := tagger.TagWords(background, []Sentence{s, s}, TagOptions{})
		require.NoError(rt, err)
		require.Equal(rt, got[0], got[1])
		require.Equal(rt, want, got[0].Labels)
		require.Equal(rt, known, got[0].Terms)
		require.InDelta(rt, ce, got[0].Loss, 1e-6)
		got, err = several.TagWords(background, []Sentence{s}, TagOptions{})
		require.NoError(rt, err)
		require.Equal(rt, known*c, got[0].Terms)
		require.InDelta(rt, bce, got[0].Loss, 1e-6)
	})
}

// TestTagWordsCut checks that words after the end of what the model sees have no label and no part in the loss, and that the words of windows have one each.
func TestTagWordsCut(t *testing.T) {
	const c = 3
	f := fake{heads: []engine.Head{{Task: tasktable.Tags, Rows: engine.PerToken, C: c}}, forward: perRow(c, wordLogit)}
	s := SentenceOf(strings.Fields("one two three four five six seven eight nine ten"))
	s.Gold = make([]int, len(s.Starts))
	whole, err := newTagger(t, f).TagWords(background, []Sentence{s}, TagOptions{})
	require.NoError(t, err)
	require.NotContains(t, whole[0].Labels, -1)
	cut, err := newTagger(t, f, runtime.Long(runtime.Truncate), runtime.MaxTokens(7)).TagWords(background, []Sentence{s}, TagOptions{})
	require.NoError(t, err)
	// The model sees one two thr·ee fou: the first token of the last word is not cut.
	require.Equal(t, append(slices.Clone(whole[0].Labels[:4]), -1, -1, -1, -1, -1, -1), cut[0].Labels)
	require.Equal(t, 4, cut[0].Terms)
	require.Positive(t, cut[0].Truncated)
	windows, err := newTagger(t, f, runtime.Long(runtime.Windows(2)), runtime.MaxTokens(7)).TagWords(background, []Sentence{s}, TagOptions{})
	require.NoError(t, err)
	require.Equal(t, whole[0].Labels, windows[0].Labels)
	require.InDelta(t, whole[0].Loss, windows[0].Loss, 1e-9)

	_, err = newTagger(t, f).TagWords(background, []Sentence{{Text: "a", Starts: []int{0}, Gold: []int{0, 1}}}, TagOptions{})
	require.ErrorContains(t, err, "it has 1 words and 2 labels")
	none, err := newTagger(t, f).TagWords(background, []Sentence{{}, {Text: "ab", Starts: []int{0, 2}}}, TagOptions{})
	require.NoError(t, err)
	require.Empty(t, none[0].Labels)
	require.Equal(t, -1, none[1].Labels[1], "a word without a token")
}

// TestTagWordsTogether checks that labels that are decoded together form a path over the words, and that the loss of a CRF is -log p of the right path.
func TestTagWordsTogether(t *testing.T) {
	c := len(bioLabels)
	tensors := map[string][]float32{engine.CRFTransitions: nil, engine.CRFStart: nil, engine.CRFEnd: nil}
	for i, name := range []string{engine.CRFTransitions, engine.CRFStart, engine.CRFEnd} {
		for j := range map[bool]int{true: c * c, false: c}[i == 0] {
			tensors[name] = append(tensors[name], float32(2*noise(i, j)))
		}
	}
	head := engine.Head{Name: "ner", Task: tasktable.Tags, Rows: engine.PerToken, C: c, Labels: bioLabels, CRF: true}
	tagger := newTagger(t, fake{heads: []engine.Head{head}, forward: perRow(c, wordLogit), tensors: tensors})
	words := strings.Fields("seventeen two nineteen six") // words of one and of three tokens
	s := SentenceOf(words)
	s.Gold = []int{1, 2, 0, 3}
	var em []float64
	for _, id := range firstPieces(words) {
		for j := range c {
			em = append(em, float64(float32(wordLogit([]int32{id}, 0, j))))
		}
	}
	best, bestPath, sum, right := math.Inf(-1), []int(nil), 0.0, 0.0
	allPaths(c, len(words), func(path []int) {
		x := float64(tensors[engine.CRFStart][path[0]]) + float64(tensors[engine.CRFEnd][path[len(path)-1]])
		for i, y := range path {
			x += em[i*c+y]
			if i > 0 {
				x += float64(tensors[engine.CRFTransitions][path[i-1]*c+y])
			}
		}
		sum += math.Exp(x)
		if slices.Equal(path, s.Gold) {
			right = x
		}
		if x > best {
			best, bestPath = x, slices.Clone(path)
		}
	})
	got, err := tagger.TagWords(background, []Sentence{s}, TagOptions{})
	require.NoError(t, err)
	require.Equal(t, bestPath, got[0].Labels)
	require.Equal(t, 1, got[0].Terms)
	require.InDelta(t, math.Log(sum)-right, got[0].Loss, 1e-6)

	head.CRF, head.Decode = false, "bio"
	bio := newTagger(t, fake{heads: []engine.Head{head}, forward: perRow(c, wordLogit)})
	long := SentenceOf(strings.Fields(strings.Repeat("seventeen two nineteen six alpha beta gamma ", 2)))
	got, err = bio.TagWords(background, []Sentence{long}, TagOptions{})
	require.NoError(t, err)
	for i, label := range got[0].Labels {
		if label == 2 || label == 4 { // I-X comes after B-X or I-X
			require.Positive(t, i)
			require.Contains(t, []int{label - 1, label}, got[0].Labels[i-1])
		}
	}
}

// TestMasked checks that masked tokens are predicted from the text with masks in their places, for both kinds of heads, and that which ones are masked
// depends on the seed and the text alone.
func TestMasked(t *testing.T) {
	bothKinds(t, func(t *testing.T, rows engine.Rows) {
		m := newPerplexer(t, rows, false, false)
		texts := singles([]string{"paris is the capital of france.", "a", "one two three one two three one two three one two three", ""})
		const share = 0.3
		got, err := m.Masked(background, texts, share, 5)
		require.NoError(t, err)
		masked := 0
		for n, text := range texts {
			alone, err := m.Masked(background, texts[n:n+1], share, 5)
			require.NoError(t, err)
			require.Equal(t, got[n], alone[0])
			masked += got[n].Counted
			// The same choice of tokens, by hand: all subsets of this size are tried.
			ids := framed(t, text.First)
			if got[n].Counted == 0 {
				require.Len(t, ids, 2)
				continue
			}
			found := false
			subsets(len(ids)-2, got[n].Counted, func(chosen []int) {
				hidden := slices.Clone(ids)
				for _, i := range chosen {
					hidden[1+i] = lexMASK
				}
				sum, right := 0.0, 0
				for _, i := range chosen {
					p := rowProbabilities(logit, hidden, 0, 1+i)
					sum += math.Log(p[ids[1+i]])
					if slices.Index(p, slices.Max(p)) == int(ids[1+i]) {
						right++
					}
				}
				found = found || math.Abs(sum-got[n].LogProbability) < 1e-9 && right == got[n].Right
			})
			require.True(t, found, text.First)
		}
		require.Greater(t, masked, 4)
		other, err := m.Masked(background, texts, share, 6)
		require.NoError(t, err)
		require.NotEqual(t, got, other)
		_, err = m.Masked(background, texts, 0, 1)
		require.ErrorContains(t, err, "share is 0")
		_, err = newPerplexer(t, rows, true, false).Masked(background, texts, share, 1)
		require.ErrorContains(t, err, "this model is causal")
	})
}

// subsets calls f with all subsets of k of the numbers below n.
func subsets(n, k int, f func([]int)) {
	var chosen []int
	var grow func(from int)
	grow = func(from int) {
		if len(chosen) == k {
			f(chosen)
			return
		}
		for i := from; i < n; i++ {
			chosen = append(chosen, i)
			grow(i + 1)
			chosen = chosen[:len(chosen)-1]
		}
	}
	grow(0)
}

// TestFirstTokens checks which token is the first of its word: a token of white space alone belongs to the word after it, if the tokenizer numbers it so.
func TestFirstTokens(t *testing.T) {
	span := func(start, end, word int32) tokenizer.Span { return tokenizer.Span{Start: start, End: end, Word: word} }
	text, starts := "ab cd  e", []int{0, 3, 7}
	for name, c := range map[string]struct {
		spans []tokenizer.Span
		want  []int
	}{
		"the space is in a token": {[]tokenizer.Span{span(0, 2, 0), span(2, 5, 1), span(6, 8, 2)}, []int{0, 1, 2}},
		"a lone space":            {[]tokenizer.Span{span(0, 2, 0), span(2, 3, 1), span(3, 5, 1), span(7, 8, 2)}, []int{0, 1, 3}},
		"a token of no length":    {[]tokenizer.Span{span(0, 2, 0), span(3, 3, 1), span(3, 5, 1), span(7, 8, 2)}, []int{0, 1, 3}},
		"a space that is a word":  {[]tokenizer.Span{span(0, 2, 0), span(2, 3, 1), span(3, 5, 2), span(7, 8, 3)}, []int{0, 2, 3}},
		"a word without a token":  {[]tokenizer.Span{span(0, 1, 0), span(1, 2, 0), span(7, 8, 1)}, []int{0, -1, 2}},
		"one token of two words":  {[]tokenizer.Span{span(0, 5, 0), span(5, 6, 1), span(6, 7, 1), span(7, 8, 1)}, []int{0, 0, 1}},
		"no tokens":               {nil, []int{-1, -1, -1}},
	} {
		require.Equal(t, c.want, FirstTokens(text, starts, c.spans), name)
	}
}

// TestTagLoss checks that a text with known words has the loss that these words have by themselves.
func TestTagLoss(t *testing.T) {
	const c = 3
	tagger := newTagger(t, fake{heads: []engine.Head{{Task: tasktable.Tags, Rows: engine.PerToken, C: c, Labels: []string{"O", "B-X", "I-X"}}},
		forward: perRow(c, wordLogit)})
	s := SentenceOf(strings.Fields("one two three four"))
	s.Gold = []int{0, 1, 2, -1}
	words, err := tagger.TagWords(background, []Sentence{s}, TagOptions{})
	require.NoError(t, err)
	got, err := tagger.Tag(background, []string{s.Text}, TagOptions{Right: []Sentence{s}})
	require.NoError(t, err)
	require.Equal(t, 3, got[0].Terms)
	require.Equal(t, words[0].Loss, got[0].Loss)
	plain, err := tagger.Tag(background, []string{s.Text}, TagOptions{})
	require.NoError(t, err)
	require.Zero(t, plain[0].Terms)
	require.Equal(t, plain[0].Entities, got[0].Entities)
	_, err = tagger.Tag(background, []string{s.Text}, TagOptions{Right: []Sentence{}})
	require.ErrorContains(t, err, "there are 1 texts and right labels of 0")
}
