package task

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// rowProbabilities is the reference: it returns the probabilities of a row of a sequence.
func rowProbabilities(f scores, seen []int32, prefix, row int) []float64 {
	p := make([]float64, len(lex)+spare)
	sum := 0.0
	for c := range p {
		p[c] = math.Exp(float64(float32(f(seen, prefix, row, c))))
		sum += p[c]
	}
	for c := range p {
		p[c] /= sum
	}
	return p
}

// framed returns the ids of a text as the model sees it.
func framed(t testing.TB, text string) []int32 {
	t.Helper()
	spans, err := lex.AppendMasked(nil, text)
	require.NoError(t, err)
	ids := []int32{fakeCLS}
	for _, s := range spans {
		ids = append(ids, s.ID)
	}
	return append(ids, fakeSEP)
}

func newFiller(t testing.TB, rows engine.Rows, opts ...runtime.Option) *Filler {
	t.Helper()
	f, err := NewFiller(predicts(rows, false, false, logit).open(t, opts...), "")
	require.NoError(t, err)
	return f
}

// TestFill compares candidates and probabilities of every mask with a brute-force softmax over the
// vocabulary, in any batch.
func TestFill(t *testing.T) {
	bothKinds(t, func(t *testing.T, rows engine.Rows) {
		f := newFiller(t, rows)
		require.Equal(t, "[MASK]", f.Mask())
		texts := []string{"[MASK]", "paris is the [MASK] of france.", "[MASK] is [MASK][MASK].", "the [SEP] [MASK]"}
		for range 20 { // more masks than a batch has rows, more texts than sequences
			texts = append(texts, "a [MASK] b [MASK]")
		}
		got, err := f.Fill(background, texts, FillOptions{Top: 4})
		require.NoError(t, err)
		for n, text := range texts {
			ids := framed(t, text)
			require.Equal(t, strings.Count(text, "[MASK]"), len(got[n].Blanks))
			require.Equal(t, runtime.Seen{Tokens: len(ids), Windows: 1}, got[n].Seen)
			k := 0
			for row, id := range ids {
				if id != lexMASK {
					continue
				}
				b := got[n].Blanks[k]
				k++
				checkPart(t, text, b.Part)
				require.Equal(t, "[MASK]", b.Text)
				p := rowProbabilities(logit, ids, 0, row)
				var order []int32
				for id := range lex { // columns without a piece are not candidates
					order = append(order, int32(id))
				}
				slices.SortStableFunc(order, func(a, b int32) int { return cmp.Compare(float32(p[b]), float32(p[a])) })
				require.Len(t, b.Candidates, 4)
				for i, c := range b.Candidates {
					require.Equal(t, order[i], c.ID, "%q mask %d", text, k)
					require.InEpsilon(t, p[c.ID], c.Score, 1e-12)
					require.Equal(t, lex[c.ID], c.Piece)
				}
			}
			alone, err := f.Fill(background, texts[n:n+1], FillOptions{Top: 4})
			require.NoError(t, err)
			require.Equal(t, got[n], alone[0])
		}
		require.NotEqual(t, lexMASK, framed(t, "the [SEP]")[2], "other names are characters")
	})
}

// favour returns scores that predict chosen pieces: the best candidate of the k-th mask is the k-th
// piece.
func favour(t testing.TB, list ...string) scores {
	return func(seen []int32, _, row, column int) float64 {
		k := 0
		for _, id := range seen[:row] {
			if id == lexMASK {
				k++
			}
		}
		if k < len(list) && int(lex.id(t, list[k])) == column {
			return 5
		}
		return 0
	}
}

// TestFilledText checks that filled texts keep what is written, and that a piece that continues a
// word replaces the white space before it.
func TestFilledText(t *testing.T) {
	for _, c := range []struct {
		text   string
		pieces []string
		want   string
	}{
		{"the  [MASK] , x", []string{"▁capital"}, "the  capital , x"},
		{"[MASK]  is", []string{"▁rome"}, "rome  is"},
		{"[MASK]able", []string{"happy"}, "happyable"},
		{"the [MASK]", []string{"."}, "the."},
		{"un[MASK]able", []string{"happy"}, "unhappyable"},
		{"x([MASK])", []string{"▁paris"}, "x(paris)"},
		{"[MASK] [MASK] [MASK]", []string{"▁un", "happy", "▁one"}, "unhappy one"},
		{"[MASK] of [MASK]", []string{"▁capital", "▁france"}, "capital of france"},
	} {
		f, err := NewFiller(predicts(engine.PerRow, false, false, favour(t, c.pieces...)).open(t), "mlm")
		require.NoError(t, err)
		got, err := f.Fill(background, []string{c.text}, FillOptions{Top: 1})
		require.NoError(t, err)
		require.Equal(t, c.want, got[0].Text, c.text)
		for k, b := range got[0].Blanks {
			best := b.Candidates[0]
			require.Equal(t, strings.TrimPrefix(c.pieces[k], "▁"), best.Token)
			require.Equal(t, strings.Count(c.text, "[MASK]")-1, strings.Count(best.Text, "[MASK]"))
			if len(got[0].Blanks) == 1 {
				require.Equal(t, c.want, best.Text)
			}
		}
	}
}

// TestFillWindows checks that a mask of a long text counts in the window in which it lies farthest
// from an edge.
func TestFillWindows(t *testing.T) {
	bothKinds(t, func(t *testing.T, rows engine.Rows) {
		text := strings.Repeat("one two [MASK] ", 12) // 36 tokens
		f := newFiller(t, rows, runtime.MaxTokens(12), runtime.Long(runtime.Windows(4)))
		got, err := f.Fill(background, []string{text}, FillOptions{Top: 2})
		require.NoError(t, err)
		require.Equal(t, runtime.Seen{Tokens: 38, Windows: 6}, got[0].Seen)
		ids := framed(t, text)[1:37]
		for k, b := range got[0].Blanks {
			token, best, most := 3*k+2, -1, -1
			for w := 0; w*6+10 <= 40; w++ {
				lo, hi := w*6, min(w*6+10, 36)
				if token < lo || token >= hi {
					continue
				}
				m := 100
				if lo > 0 {
					m = token - lo
				}
				if hi < 36 {
					m = min(m, hi-1-token)
				}
				if m > most {
					best, most = lo, m
				}
			}
			seen := append(append([]int32{fakeCLS}, ids[best:min(best+10, 36)]...), fakeSEP)
			p := rowProbabilities(logit, seen, 0, 1+token-best)
			require.InEpsilon(t, p[b.Candidates[0].ID], b.Candidates[0].Score, 1e-12, "mask %d", k)
		}
	})
	f := newFiller(t, engine.PerRow, runtime.MaxTokens(6), runtime.Long(runtime.Truncate))
	_, err := f.Fill(background, []string{"[MASK] one two three a [MASK]"}, FillOptions{})
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "mask 2 of 2 lies after what the model sees")
	_, err = newFiller(t, engine.PerRow, runtime.MaxTokens(6)).Fill(background, []string{"a", strings.Repeat("[MASK] ", 9)}, FillOptions{})
	require.ErrorContains(t, err, "text 0: there is no [MASK] in it")
	_, err = newFiller(t, engine.PerRow, runtime.MaxTokens(6)).Fill(background, []string{strings.Repeat("[MASK] ", 9)}, FillOptions{})
	require.ErrorIs(t, err, runtime.ErrTooLong)
}

// TestFillTargets checks that targets are the only candidates, with their probabilities among all
// tokens.
func TestFillTargets(t *testing.T) {
	f := newFiller(t, engine.PerRow)
	got, err := f.Fill(background, []string{"paris is the [MASK].", "un[MASK]"}, FillOptions{Top: 1, Targets: []string{"rome", " capital", "b"}})
	require.NoError(t, err)
	for n, want := range [][]string{{"▁rome", "▁capital", "▁b"}, {"▁rome", "▁capital", "b"}} {
		ids := framed(t, []string{"paris is the [MASK].", "un[MASK]"}[n])
		p := rowProbabilities(logit, ids, 0, slices.Index(ids, lexMASK))
		last := math.Inf(1)
		var names []string
		for _, c := range got[n].Blanks[0].Candidates {
			require.InEpsilon(t, p[c.ID], c.Score, 1e-12)
			require.LessOrEqual(t, c.Score, last)
			last = c.Score
			names = append(names, c.Piece)
		}
		require.ElementsMatch(t, want, names)
	}
	same := func([]int32, int, int, int) float64 { return 1 }
	ties, err := NewFiller(predicts(engine.PerRow, false, false, same).open(t), "")
	require.NoError(t, err)
	got, err = ties.Fill(background, []string{"un[MASK]", "[MASK]"}, FillOptions{Targets: []string{"rome", "b", "paris"}})
	require.NoError(t, err)
	for n, want := range [][]string{{"▁paris", "▁rome", "b"}, {"▁paris", "▁rome", "▁b"}} {
		var names []string
		for _, c := range got[n].Blanks[0].Candidates {
			names = append(names, c.Piece)
		}
		require.Equal(t, want, names, "ties: the lower id first")
	}
	for _, c := range [][2]string{{"parisbb", "tokens: a mask stands for one"}, {"", "target 1 is empty"}, {" ", "target 1 is empty"},
		{"one two", "2 tokens"}} {
		_, err := f.Fill(background, []string{"[MASK]"}, FillOptions{Targets: []string{c[0]}})
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, c[1])
	}
	_, err = f.Fill(background, []string{"[MASK]"}, FillOptions{Targets: []string{"rome", "rome"}})
	require.ErrorContains(t, err, `target "rome" is given twice`)
	_, err = f.Fill(background, []string{"[MASK]"}, FillOptions{Top: -1})
	require.ErrorContains(t, err, "Top is -1")
}

// TestNewFillerFaults checks the errors of models that cannot fill masks.
func TestNewFillerFaults(t *testing.T) {
	_, err := NewFiller(predicts(engine.PerRow, true, false, logit).open(t), "")
	require.ErrorContains(t, err, "this model is causal")
	other := predicts(engine.PerRow, false, false, logit)
	other.token = pieces{}
	_, err = NewFiller(other.open(t), "")
	require.ErrorContains(t, err, "no mask token")
	other.token = spansOnly{lex}
	_, err = NewFiller(other.open(t), "")
	require.ErrorContains(t, err, "cannot recognize the mask token")
	labels := fake{heads: []engine.Head{{Name: "kind", Task: tasktable.Labels, C: 2}}, forward: perSequence(2, func([]int32, int) float64 { return 0 })}
	_, err = NewFiller(labels.open(t), "")
	require.ErrorContains(t, err, `head "kind" of this model is for labels; filling masks needs one for mlm`)
	_, err = NewFiller(nil, "")
	require.ErrorIs(t, err, runtime.ErrInput)
	bad, err := NewFiller(predicts(engine.PerRow, false, false, func([]int32, int, int, int) float64 { return math.NaN() }).open(t, runtime.SkipSelfTest()),
		"")
	require.NoError(t, err)
	_, err = bad.Fill(background, []string{"[MASK]"}, FillOptions{})
	require.ErrorContains(t, err, "weights may be damaged")
}

// spansOnly hides all methods of a tokenizer except those of tokenizer.SpanTokenizer.
type spansOnly struct{ tokenizer.SpanTokenizer }
