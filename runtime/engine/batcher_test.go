package engine_test

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// TestJoinMax checks that each label's score is its highest in any window. It computes the scores
// window by window from the reference.
func TestJoinMax(t *testing.T) {
	k := openClassifier(t, runtime.Long(runtime.Windows(2)), runtime.MaxTokens(12), runtime.JoinWindows(runtime.JoinMax))
	texts := []string{"abcdefghijklmnopqrstuvwxyz", "short", "zyxwvutsrqponmlkjihgfedcba", "the quick brown fox jumps "}
	got, err := k.Classify(context.Background(), texts)
	require.NoError(t, err)
	chosen := map[int]bool{}
	for i, text := range texts {
		if i == 1 {
			continue
		}
		want, best := []float64{0, 0, 0}, 0
		for _, part := range []string{text[:10], text[8:18], text[16:]} {
			ids, types := encodeLetters(t, part)
			logits := fakeReference(fakeTensors(), ids, types)
			sum := 0.0
			for _, z := range logits {
				sum += math.Exp(z)
			}
			for j, z := range logits {
				want[j] = math.Max(want[j], math.Exp(z)/sum)
			}
		}
		for j := range want {
			require.InDelta(t, want[j], float64(got[i].Scores[j]), 1e-5)
			if want[j] > want[best] {
				best = j
			}
		}
		chosen[best] = true
		require.Equal(t, best, got[i].Index)
		require.Equal(t, string("abc"[best]), got[i].Label)
		require.Equal(t, got[i].Scores[best], got[i].Score)
		require.Equal(t, 3, got[i].Windows)
	}
	require.Equal(t, 1, got[1].Windows)
	require.Greater(t, len(chosen), 1, "the texts have several labels, or the choice is not tested")
	ids, types := encodeLetters(t, "short")
	requireLogits(t, fakeReference(fakeTensors(), ids, types), got[1])
}

// TestBatcherSequences checks that prepared sequences come back in order, each with the outputs
// that it has alone.
func TestBatcherSequences(t *testing.T) {
	c := openFake(t, fakeHooks{}, runtime.BatchTokens(20))
	var texts []int
	var rows [][]float32
	b, err := engine.NewBatcher(c, 1, false, func(w *engine.Window, out []float32) error {
		texts, rows = append(texts, w.Text), append(rows, append([]float32(nil), out...))
		return nil
	})
	require.NoError(t, err)
	ctx := context.Background()
	require.NoError(t, b.Begin(ctx, false))
	lengths := []int{3, 7, 12, 1, 20, 9}
	for i, n := range lengths {
		s := engine.Sequence{IDs: oneSequence(n).IDs}
		if i == 1 {
			s.Types = []int32{0, 0, 1, 1, 0, 1, 0}
		}
		require.NoError(t, b.AddSequence(ctx, engine.Window{Text: 10 + i}, &s))
	}
	require.NoError(t, b.Flush(ctx))
	require.Equal(t, []int{10, 11, 12, 13, 14, 15}, texts)
	for i, n := range lengths {
		one := oneSequence(n)
		if i == 1 {
			one.Types = []int32{0, 0, 1, 1, 0, 1, 0}
		}
		want := make([]float32, n*fakeTags)
		require.NoError(t, c.Run(ctx, engine.Call{Head: 1, Batch: one, Out: want}))
		require.Equal(t, want, rows[i], "sequence %d", i)
	}
}

func TestBatcherFaults(t *testing.T) {
	c := openFake(t, fakeHooks{})
	_, err := engine.NewBatcher(c, 5, false, nil)
	require.ErrorContains(t, err, "head 5: this model has 3")
	_, err = engine.NewBatcher(c, 0, true, nil)
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "does not tell where its tokens lie")
	full := errors.New("full")
	b, err := engine.NewBatcher(c, 0, false, func(*engine.Window, []float32) error { return full })
	require.NoError(t, err)
	ctx := context.Background()
	require.NoError(t, b.Begin(ctx, false))
	for want, s := range map[string]engine.Sequence{
		"text 4: it has no tokens":                                      {},
		"text 4: 1 token types for 2 tokens":                            {IDs: []int32{1, 2}, Types: []int32{0}},
		"text 4: 1 of its rows are asked for, the limit of a call is 0": {IDs: []int32{1}, Rows: []int32{0}},
	} {
		require.ErrorContains(t, b.AddSequence(ctx, engine.Window{Text: 4}, &s), want)
	}
	require.NoError(t, b.AddSequence(ctx, engine.Window{Text: 4}, &engine.Sequence{IDs: []int32{1, fakeVocab}}))
	require.NoError(t, b.AddSequence(ctx, engine.Window{Text: 5}, &engine.Sequence{IDs: []int32{1}}))
	err = b.Flush(ctx)
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "texts 4 to 5, computed together: sequence 0, token 1: id 50")
	require.NoError(t, b.Begin(ctx, false), "what is left of the failed stream is gone")
	require.NoError(t, b.Flush(ctx))
	require.NoError(t, b.AddSequence(ctx, engine.Window{}, &engine.Sequence{IDs: []int32{1}}))
	require.ErrorIs(t, b.Flush(ctx), full)
	require.ErrorContains(t, (runtime.JoinWindows(7))(&runtime.Options{}), "JoinWindows(7)")
}

// TestTypesOfPairs checks that pairs need token types if the tokenizer marks second texts, unless the model has no types at all: then the marks are not used.
func TestTypesOfPairs(t *testing.T) {
	for types, refused := range map[int]bool{0: false, 1: true, 2: false} {
		p := fakeProgram(fakeHooks{})
		p.Limits.Types = types
		c, err := engine.Open(p, packFake(t, fakeMeta(), true), runtime.SkipSelfTest())
		require.NoError(t, err)
		b, err := engine.NewBatcher(c, 0, false, func(*engine.Window, []float32) error { return nil })
		require.NoError(t, err)
		require.NoError(t, b.Begin(context.Background(), false), "single texts are of type 0")
		err = b.Begin(context.Background(), true)
		if refused {
			require.ErrorIs(t, err, runtime.ErrInput)
			require.ErrorContains(t, err, "token type 1, the model has only 1 types")
		} else {
			require.NoError(t, err)
		}
		require.NoError(t, c.Close())
	}
}

// TestTensor checks reads of single tensors.
func TestTensor(t *testing.T) {
	c := openFake(t, fakeHooks{})
	got, err := c.Tensor("head")
	require.NoError(t, err)
	require.Equal(t, fakeTensors()["head"], got)
	_, err = c.Tensor("nothing")
	var fault *runtime.WeightsError
	require.ErrorAs(t, err, &fault)
	require.Equal(t, "nothing", fault.Tensor)
	require.ErrorContains(t, err, "the weights have no tensor of this name")
	require.NotContains(t, err.Error(), "pack", "the name is the caller's: packing again does not help")
}
