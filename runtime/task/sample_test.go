package task

import (
	"cmp"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tokenizer"
)

func newGenerator(t testing.TB, rows engine.Rows, prefix bool, f scores, opts ...runtime.Option) *Generator {
	t.Helper()
	g, err := NewGenerator(predicts(rows, true, prefix, f).open(t, opts...), "")
	require.NoError(t, err)
	return g
}

// greedy continues a sequence by brute force.
func greedy(f scores, seen []int32, prefix, most, limit int) (ids []int32, reason string, logp float64) {
	for {
		if len(seen) > limit {
			return ids, EndFull, logp
		}
		if len(ids) == most {
			return ids, EndLength, logp
		}
		p := rowProbabilities(f, seen, prefix, len(seen)-1)
		id := -1
		for c := range lex {
			if (c >= 5 || c == fakeSEP) && (id < 0 || p[c] > p[id]) {
				id = c
			}
		}
		logp += math.Log(p[id])
		if id == fakeSEP {
			return ids, EndToken, logp
		}
		ids, seen = append(ids, int32(id)), append(seen, int32(id))
	}
}

// TestGenerateGreedy checks that, without a temperature, each token is the most probable one, in
// any batch.
func TestGenerateGreedy(t *testing.T) {
	bothKinds(t, func(t *testing.T, rows engine.Rows) {
		g := newGenerator(t, rows, false, logit)
		var prompts []runtime.Text
		for _, s := range []string{"paris", "", "the capital of", "a b", "one two three", "rome is", "un"} {
			prompts = append(prompts, runtime.Text{First: s})
		}
		got, err := g.Generate(background, prompts, GenerateOptions{MaxNew: 20})
		require.NoError(t, err)
		reasons := map[string]int{}
		for n, p := range prompts {
			seen := framed(t, p.First)
			seen = seen[:len(seen)-1]
			ids, reason, logp := greedy(logit, slices.Clone(seen), 0, 20, 32)
			require.Equal(t, ids, got[n].IDs)
			require.Equal(t, reason, got[n].Reason)
			require.InDelta(t, logp, got[n].LogProbability, 1e-9)
			require.Equal(t, len(seen), got[n].Prompt)
			reasons[reason]++
			whole, err := lex.Decode(append(slices.Clone(seen[1:]), ids...), false)
			require.NoError(t, err)
			require.Equal(t, whole, p.First+got[n].Text, "the prompt and what follows are one text")
			alone, err := g.Generate(background, prompts[n:n+1], GenerateOptions{MaxNew: 20})
			require.NoError(t, err)
			require.Equal(t, got[n], alone[0])
		}
		require.Greater(t, len(reasons), 1, "the prompts end in several ways: %v", reasons)
	})
}

// TestGenerateFull checks that the model's limit ends a text too.
func TestGenerateFull(t *testing.T) {
	g := newGenerator(t, engine.PerRow, false, favourAlways(t, "b"), runtime.MaxTokens(6))
	got, err := g.Generate(background, []runtime.Text{{First: "a"}, {First: "one two three a b"}}, GenerateOptions{})
	require.NoError(t, err)
	require.Equal(t, "bbbbb", got[0].Text, "the last token needs no place in the model")
	require.Equal(t, []string{EndFull, EndFull}, []string{got[0].Reason, got[1].Reason})
	require.Equal(t, "b", got[1].Text)
	require.Equal(t, []int{5, 1}, []int{got[0].Tokens, got[1].Tokens})
	_, err = g.Generate(background, []runtime.Text{{First: "a"}, {First: "one two three a b one"}}, GenerateOptions{})
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "text 1: a prompt of 7 tokens")
}

// favourAlways returns scores that predict one piece.
func favourAlways(t testing.TB, piece string) scores {
	return func(_ []int32, _, _, column int) float64 {
		if column == int(lex.id(t, piece)) {
			return 9
		}
		return 0
	}
}

// TestGeneratePrefix checks sequence to sequence: the source is the prefix, and the tokens of the
// result are the second text.
func TestGeneratePrefix(t *testing.T) {
	var types [][]int32
	f := predicts(engine.PerRow, true, true, logit)
	forward := f.forward
	f.forward = func(x *engine.Exec) { types = append(types, slices.Clone(x.Types)); forward(x) }
	core := f.open(t)
	g, err := NewGenerator(core, "")
	require.NoError(t, err)
	for _, c := range []runtime.Text{{First: "the capital of france"}, {First: "the capital", Second: "is paris", Pair: true}} {
		source := spansIn(t, c.First)
		seen := []int32{fakeCLS}
		for _, s := range source {
			seen = append(seen, s.ID)
		}
		seen = append(seen, fakeSEP)
		prefix := len(seen)
		for _, s := range spansIn(t, c.Second) {
			seen = append(seen, s.ID)
		}
		types = nil
		got, err := g.Generate(background, []runtime.Text{c}, GenerateOptions{MaxNew: 6})
		require.NoError(t, err)
		ids, reason, logp := greedy(logit, slices.Clone(seen), prefix, 6, 32)
		require.Equal(t, ids, got[0].IDs)
		require.Equal(t, reason, got[0].Reason)
		require.InDelta(t, logp, got[0].LogProbability, 1e-9)
		for _, ty := range types {
			for i, x := range ty {
				require.Equal(t, i >= prefix, x == 1, "token types %v, prefix %d", ty, prefix)
			}
		}
	}
}

// TestGenerateDraws checks that sampling draws each token as often as its probability, under every
// setting.
func TestGenerateDraws(t *testing.T) {
	const draws = 4000
	g := newGenerator(t, engine.PerRow, false, logit)
	seen := framed(t, "a")[:2]
	p := rowProbabilities(logit, seen, 0, 1)
	for _, o := range []GenerateOptions{
		{Temperature: 1}, {Temperature: 0.5}, {Temperature: 2, TopK: 3}, {Temperature: 1, TopP: 0.6}, {Temperature: 1.5, TopK: 6, TopP: 0.8}, {Temperature: 1,
			TopK: 1000, TopP: 1}, {Temperature: 1, TopP: 1e-9},
	} {
		want := settled(p, o)
		o.MaxNew, o.Samples, o.Seed = 1, draws, 7
		got, err := g.Generate(background, []runtime.Text{{First: "a"}}, o)
		require.NoError(t, err)
		count := map[int]int{}
		for _, r := range got {
			id := fakeSEP
			if len(r.IDs) == 1 {
				id = int(r.IDs[0])
			}
			count[id]++
			require.InDelta(t, math.Log(p[id]), r.LogProbability, 1e-9, "by the model, not by the settings")
		}
		for id, n := range count {
			require.Positive(t, want[id], "%+v drew %q", o, lex[id])
			require.InDelta(t, want[id], float64(n)/draws, 5*math.Sqrt(want[id]*(1-want[id])/draws)+1e-9, "%+v: %q", o, lex[id])
		}
		for id, w := range want {
			if w > 0.01 {
				require.Contains(t, count, id)
			}
		}
	}
}

// TestNucleus compares the nucleus with its definition: the fewest most probable tokens whose weights sum to the mass or more; ties: the lower id first.
// Weights come from a small grid, so that sums equal the mass exactly.
func TestNucleus(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		logits := make([]float32, rapid.IntRange(1, 8).Draw(t, "tokens"))
		list := make([]int32, len(logits))
		total := 0
		for i := range logits {
			logits[i] = float32(rapid.IntRange(1, 4).Draw(t, "weight"))
			list[i] = int32(len(logits) - 1 - i)
			total += int(logits[i])
		}
		mass := rapid.IntRange(1, total).Draw(t, "mass")
		var want []int32
		sum := 0
		for weight := 4; weight > 0; weight-- {
			for id, z := range logits {
				if int(z) == weight && sum < mass {
					want, sum = append(want, int32(id)), sum+weight
				}
			}
		}
		got, kept := nucleus(list, logits, func(id int32) float64 { return float64(logits[id]) }, float64(mass))
		require.Equal(t, want, got)
		require.Equal(t, float64(sum), kept)
	})
}

// fixed is a source of random numbers that always returns the same number.
type fixed uint64

func (f fixed) Uint64() uint64 { return uint64(f) }

// TestPickAtBoundary draws numbers that fall exactly between two tokens. The interval of a token excludes its end, and a token without weight is never taken.
func TestPickAtBoundary(t *testing.T) {
	g := &Generator{allowed: []bool{true, true, false, true, true, true, true}}
	never := float32(math.Inf(-1))
	logits := []float32{1, 1, 9, 1, never, 1}
	for eighth, want := range []int32{0, 0, 1, 1, 3, 3, 5, 5} {
		got, ok := g.pick(logits, &GenerateOptions{Temperature: 1, TopP: 1}, rand.New(fixed(eighth<<50)))
		require.True(t, ok)
		require.Equal(t, want, got, "%d/8", eighth)
	}
	// Four weights just below 2^-54 add 2^-52 to the sum, but each alone is lost when it is subtracted from 1. After the last token with a weight, the number
	// drawn is exactly 0.
	const small = -37.45
	got, ok := g.pick([]float32{small, small, 9, small, small, 0, never}, &GenerateOptions{Temperature: 1, TopP: 1}, rand.New(fixed(1<<53-1)))
	require.True(t, ok)
	require.EqualValues(t, 5, got)
}

// settled returns the probabilities under the settings, computed over the whole vocabulary.
func settled(p []float64, o GenerateOptions) []float64 {
	q := make([]float64, len(p))
	var order []int
	for c := range lex {
		if c >= 5 || c == fakeSEP {
			q[c] = math.Pow(p[c], 1/o.Temperature)
			order = append(order, c)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(float32(q[b]), float32(q[a])) })
	keep := func(n int) {
		for _, c := range order[n:] {
			q[c] = 0
		}
		order = order[:n]
	}
	norm := func() {
		sum := 0.0
		for _, v := range q {
			sum += v
		}
		for c := range q {
			q[c] /= sum
		}
	}
	if o.TopK > 0 {
		keep(min(o.TopK, len(order)))
	}
	norm()
	if o.TopP > 0 {
		sum, n := 0.0, 0
		for n < len(order) && sum < o.TopP-1e-12 {
			sum += q[order[n]]
			n++
		}
		keep(n)
	}
	norm()
	return q
}

// TestGenerateSeed checks that only the seed decides: not the batch, not threads, not the other
// prompts.
func TestGenerateSeed(t *testing.T) {
	o := GenerateOptions{Temperature: 1.3, MaxNew: 8, Seed: 5, Samples: 3}
	prompts := []runtime.Text{{First: "paris"}, {First: "one two"}, {First: "paris"}}
	want, err := newGenerator(t, engine.PerRow, false, logit).Generate(background, prompts, o)
	require.NoError(t, err)
	require.Len(t, want, 9)
	require.Equal(t, want[:3], want[6:], "the same prompt has the same samples")
	require.NotEqual(t, want[0].IDs, want[1].IDs)
	got, err := newGenerator(t, engine.PerToken, false, logit, runtime.BatchTokens(33)).Generate(background, prompts, o)
	require.NoError(t, err)
	require.Equal(t, want, got)
	alone, err := newGenerator(t, engine.PerRow, false, logit).Generate(background, prompts[1:2], o)
	require.NoError(t, err)
	require.Equal(t, want[3:6], alone)
	o.Seed++
	other, err := newGenerator(t, engine.PerRow, false, logit).Generate(background, prompts, o)
	require.NoError(t, err)
	require.NotEqual(t, want, other)
}

// TestGenerateStream checks that stop strings end texts, even across tokens, that the stream shows
// no part of a stop string, and that what it shows is the text.
func TestGenerateStream(t *testing.T) {
	g := newGenerator(t, engine.PerRow, false, logit)
	r := rand.New(rand.NewPCG(3, 4))
	stops := 0
	for seed := range uint64(60) {
		o := GenerateOptions{Temperature: 2, MaxNew: 12, Seed: seed, Samples: 2}
		for range r.IntN(3) {
			o.Stop = append(o.Stop, []string{"b", " b", "the", "e.", "c !", "of fr", "bc"}[r.IntN(7)])
		}
		shown := map[[2]int]string{}
		o.Stream = func(prompt, sample int, added string) error {
			require.NotEmpty(t, added)
			shown[[2]int{prompt, sample}] += added
			return nil
		}
		got, err := g.Generate(background, []runtime.Text{{First: "a"}, {First: "rome"}}, o)
		require.NoError(t, err)
		o.Stop, o.Stream = nil, nil
		free, err := g.Generate(background, []runtime.Text{{First: "a"}, {First: "rome"}}, o)
		require.NoError(t, err)
		for i, x := range got {
			require.Equal(t, shown[[2]int{i / 2, i % 2}], x.Text)
			require.True(t, strings.HasPrefix(free[i].Text, x.Text))
			if x.Reason != EndStop {
				require.Equal(t, free[i], x)
			} else {
				stops++
			}
		}
	}
	require.Positive(t, stops)
	got, err := newGenerator(t, engine.PerRow, false, favourAlways(t, "b")).Generate(background, []runtime.Text{{First: "a"}},
		GenerateOptions{Stop: []string{"bbb"}})
	require.NoError(t, err)
	require.Equal(t, []string{"", EndStop}, []string{got[0].Text, got[0].Reason})
	require.Len(t, got[0].IDs, 3)
	fault := errors.New("no more")
	_, err = g.Generate(background, []runtime.Text{{First: "a"}}, GenerateOptions{Stream: func(int, int, string) error { return fault }})
	require.ErrorIs(t, err, fault)
	// A panic goes through. The generator works afterwards.
	o := GenerateOptions{MaxNew: 5, Seed: 1, Stream: func(int, int, string) error { panic("in Stream") }}
	require.PanicsWithValue(t, "in Stream", func() { _, _ = g.Generate(background, []runtime.Text{{First: "a"}}, o) })
	o.Stream = nil
	after, err := g.Generate(background, []runtime.Text{{First: "a"}}, o)
	require.NoError(t, err)
	want, err := newGenerator(t, engine.PerRow, false, logit).Generate(background, []runtime.Text{{First: "a"}}, o)
	require.NoError(t, err)
	require.Equal(t, want, after)
}

func TestGenerateFaults(t *testing.T) {
	g := newGenerator(t, engine.PerRow, false, logit)
	for want, o := range map[string]GenerateOptions{
		"MaxNew is -1": {MaxNew: -1}, "Samples is -1": {Samples: -1}, "TopK is -1": {TopK: -1}, "TopP is 1.5": {TopP: 1.5}, "TopP is -1": {TopP: -1},
		"TopP is NaN":       {TopP: math.NaN()},
		"Temperature is -1": {Temperature: -1}, "Temperature is NaN": {Temperature: math.NaN()}, "Temperature is +Inf": {Temperature: math.Inf(1)},
		"empty stop string": {Stop: []string{"a", ""}},
	} {
		_, err := g.Generate(background, []runtime.Text{{First: "a"}}, o)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
	}
	_, err := NewGenerator(predicts(engine.PerRow, false, false, logit).open(t), "")
	require.ErrorContains(t, err, "looks at both sides")
	bare := predicts(engine.PerRow, true, false, logit)
	bare.token = frameless{lex}
	h, err := NewGenerator(bare.open(t), "")
	require.NoError(t, err)
	_, err = h.Generate(background, []runtime.Text{{}}, GenerateOptions{})
	require.ErrorContains(t, err, "text 0: the prompt is empty")
}

// frameless is a tokenizer that puts no special tokens around texts.
type frameless struct{ lexicon }

func (frameless) Frame() tokenizer.Frame { return tokenizer.Frame{} }

// framelessPairs is frameless with token types.
type framelessPairs struct{ lexicon }

func (framelessPairs) Frame() tokenizer.Frame { return tokenizer.Frame{SecondType: 1} }

// TestTypeOfOneToken checks that a prompt of a single token, which begins a second text, keeps its token type.
func TestTypeOfOneToken(t *testing.T) {
	f := predicts(engine.PerToken, true, false, favourAlways(t, "b"))
	f.token = framelessPairs{lex}
	var types [][]int32
	forward := f.forward
	f.forward = func(x *engine.Exec) { types = append(types, slices.Clone(x.Types)); forward(x) }
	g, err := NewGenerator(f.open(t, runtime.SkipSelfTest()), "")
	require.NoError(t, err)
	_, err = g.Generate(background, []runtime.Text{{Second: "a", Pair: true}}, GenerateOptions{MaxNew: 2})
	require.NoError(t, err)
	require.NotEmpty(t, types)
	for _, list := range types {
		require.NotContains(t, list, int32(0))
	}
}
