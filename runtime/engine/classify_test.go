package engine_test

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// encodeLetters returns the ids of a text, or a pair, in its frame, written out by hand.
func encodeLetters(t require.TestingT, texts ...string) (ids, types []int32) {
	ids = []int32{1}
	for i, s := range texts {
		var err error
		ids, err = letters{}.AppendIDs(ids, s, false)
		require.NoError(t, err)
		ids = append(ids, 2)
		for len(types) < len(ids) {
			types = append(types, int32(i))
		}
	}
	return ids, types
}

func requireLogits(t require.TestingT, want []float64, got runtime.Classification) {
	for j := range want {
		require.InDelta(t, want[j], float64(got.Logits[j]), 1e-4)
	}
	sum, top := float32(0), 0
	for j, p := range got.Scores {
		sum += p
		if got.Scores[top] < p {
			top = j
		}
	}
	require.InDelta(t, 1, sum, 1e-5)
	require.Equal(t, top, got.Index)
	require.Equal(t, got.Scores[top], got.Score)
	require.Equal(t, string("abc"[top]), got.Label)
}

// TestClassify checks that results come in input order, equal those of the reference, and do not
// depend on how texts fall into batches.
func TestClassify(t *testing.T) {
	tensors := fakeTensors()
	small := openClassifier(t, runtime.BatchTokens(40), runtime.Threads(2))
	large := openClassifier(t, runtime.Threads(1))
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfN(rapid.StringMatching(`[a-z ]{0,29}`), 0, 25).Draw(t, "texts")
		got, err := small.Classify(context.Background(), texts)
		require.NoError(t, err)
		require.Len(t, got, len(texts))
		other, err := large.Classify(context.Background(), texts)
		require.NoError(t, err)
		require.Equal(t, other, got)
		for i, text := range texts {
			ids, types := encodeLetters(t, text)
			requireLogits(t, fakeReference(tensors, ids, types), got[i])
			require.Equal(t, len(ids), got[i].Tokens)
			require.Zero(t, got[i].Truncated)
		}
	})
}

func TestClassifyPairs(t *testing.T) {
	k := openClassifier(t)
	pairs := [][2]string{{"premise", "hypothesis"}, {"", ""}, {"same", "same"}}
	got, err := k.ClassifyPairs(context.Background(), pairs)
	require.NoError(t, err)
	for i, p := range pairs {
		ids, types := encodeLetters(t, p[0], p[1])
		requireLogits(t, fakeReference(fakeTensors(), ids, types), got[i])
		require.Equal(t, len(ids), got[i].Tokens)
	}
}

func TestIndependentLabels(t *testing.T) {
	k, err := engine.NewClassifier(openFake(t, fakeHooks{}), "topics")
	require.NoError(t, err)
	require.Equal(t, []string{"LABEL_0", "LABEL_1", "LABEL_2"}, k.Labels())
	got, err := k.Classify(context.Background(), []string{"abc"})
	require.NoError(t, err)
	for j, z := range got[0].Logits {
		require.InDelta(t, 1/(1+math.Exp(-float64(z))), float64(got[0].Scores[j]), 1e-6)
	}
}

func TestLabelsOfTheFile(t *testing.T) {
	meta := fakeMeta()
	meta.Labels = map[string][]string{"kind": {"x", "y", "z"}, "topics": {"one"}}
	c, err := engine.Open(fakeProgram(fakeHooks{}), packFake(t, meta, true))
	require.NoError(t, err)
	defer c.Close()
	k, err := engine.NewClassifier(c, "kind")
	require.NoError(t, err)
	require.Equal(t, []string{"x", "y", "z"}, k.Labels())
	_, err = engine.NewClassifier(c, "topics")
	require.ErrorContains(t, err, `1 labels for head "topics" with 3 outputs`)
}

// TestReject checks the packed file's own limit of 32 tokens: 30 letters and the frame.
func TestReject(t *testing.T) {
	k := openClassifier(t)
	_, err := k.Classify(context.Background(), []string{"ok", strings.Repeat("a", 30)})
	require.NoError(t, err)
	res, err := k.Classify(context.Background(), []string{"ok", strings.Repeat("a", 31)})
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorIs(t, err, runtime.ErrTooLong)
	require.ErrorContains(t, err, "text 1: 33 tokens are too long, the limit is 32")
	require.Nil(t, res, "no half-made results")
	more := openClassifier(t, runtime.MaxTokens(64))
	got, err := more.Classify(context.Background(), []string{strings.Repeat("a", 62)})
	require.NoError(t, err)
	require.Equal(t, 64, got[0].Tokens)
}

func TestTruncate(t *testing.T) {
	k := openClassifier(t, runtime.Long(runtime.Truncate), runtime.MaxTokens(12))
	long := "abcdefghijklmnopqrstuvwxyz"
	got, err := k.Classify(context.Background(), []string{long})
	require.NoError(t, err)
	ids, types := encodeLetters(t, long[:10])
	requireLogits(t, fakeReference(fakeTensors(), ids, types), got[0])
	require.Equal(t, 12, got[0].Tokens)
	require.Equal(t, 16, got[0].Truncated)
	// A pair has room for 9 letters; the longer text is cut first.
	for _, c := range []struct{ a, b, ka, kb int }{{20, 2, 7, 2}, {2, 20, 2, 7}, {20, 20, 4, 5}, {20, 5, 5, 4}, {5, 20, 4, 5}, {0, 20, 0, 9}, {20, 0, 9, 0}} {
		got, err := k.ClassifyPairs(context.Background(), [][2]string{{long[:c.a], long[:c.b]}})
		require.NoError(t, err)
		ids, types := encodeLetters(t, long[:c.ka], long[:c.kb])
		requireLogits(t, fakeReference(fakeTensors(), ids, types), got[0])
		require.Equal(t, 12, got[0].Tokens)
		require.Equal(t, c.a+c.b-9, got[0].Truncated)
	}
	tiny := openClassifier(t, runtime.Long(runtime.Truncate), runtime.MaxTokens(2))
	_, err = tiny.Classify(context.Background(), []string{"abc"})
	require.NoError(t, err)
	_, err = tiny.ClassifyPairs(context.Background(), [][2]string{{"a", "b"}})
	require.ErrorContains(t, err, "no room beside 3 special tokens")
}

// TestWindows checks that the logits are the mean over windows that together see every token.
func TestWindows(t *testing.T) {
	k := openClassifier(t, runtime.Long(runtime.Windows(4)), runtime.MaxTokens(12), runtime.BatchTokens(30))
	text := "abcdefghijklmnopqrstuvwxyzabcd"
	mean := func(seqs ...[]string) []float64 {
		sum := make([]float64, fakeLabels)
		for _, s := range seqs {
			ids, types := encodeLetters(t, s...)
			for j, v := range fakeReference(fakeTensors(), ids, types) {
				sum[j] += v / float64(len(seqs))
			}
		}
		return sum
	}
	got, err := k.Classify(context.Background(), []string{"short", text, text[:10], text[:11]})
	require.NoError(t, err)
	requireLogits(t, mean([]string{"short"}), got[0])
	requireLogits(t, mean([]string{text[0:10]}, []string{text[6:16]}, []string{text[12:22]}, []string{text[18:28]}, []string{text[24:30]}), got[1])
	require.Equal(t, 32, got[1].Tokens, "common tokens count once")
	require.Zero(t, got[1].Truncated)
	requireLogits(t, mean([]string{text[:10]}), got[2])
	requireLogits(t, mean([]string{text[:10]}, []string{text[6:11]}), got[3])
	// In a pair the longer text is cut into windows: 9-3 = 6 letters per window.
	got, err = k.ClassifyPairs(context.Background(), [][2]string{{"xyz", text[:10]}, {text[:10], "xyz"}})
	require.NoError(t, err)
	requireLogits(t, mean([]string{"xyz", text[0:6]}, []string{"xyz", text[2:8]}, []string{"xyz", text[4:10]}), got[0])
	requireLogits(t, mean([]string{text[0:6], "xyz"}, []string{text[2:8], "xyz"}, []string{text[4:10], "xyz"}), got[1])
	_, err = k.ClassifyPairs(context.Background(), [][2]string{{text[:8], text}})
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "text 0: windows of 1 tokens beside 8 tokens of the first part cannot overlap by 4")
	require.ErrorIs(t, err, runtime.ErrTooLong)
}

func TestSpecialText(t *testing.T) {
	texts := []string{"a[SEP]b"}
	asText, err := openClassifier(t).Classify(context.Background(), texts)
	require.NoError(t, err)
	require.Equal(t, 9, asText[0].Tokens)
	asTokens, err := openClassifier(t, runtime.Special(runtime.SpecialAsTokens)).Classify(context.Background(), texts)
	require.NoError(t, err)
	require.Equal(t, 5, asTokens[0].Tokens)
}

func TestTokenizerFaults(t *testing.T) {
	k := openClassifier(t)
	_, err := k.Classify(context.Background(), []string{"fine", "not!"})
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "text 1: it cannot be encoded: an exclamation mark")

	c, err := engine.Open(fakeProgram(fakeHooks{}), packFake(t, fakeMeta(), false))
	require.NoError(t, err)
	defer c.Close()
	k, err = engine.NewClassifier(c, "kind")
	require.NoError(t, err)
	_, err = k.Classify(context.Background(), []string{"a"})
	require.ErrorContains(t, err, "packed without a tokenizer, which texts need: run debertac pack again with --tokenizer DIR")
	rows, err := k.Logits(context.Background(), oneSequence(4))
	require.NoError(t, err, "ids work without one")
	require.Len(t, rows, 1)

	meta := fakeMeta()
	meta.Tokenizer = "runes"
	_, err = engine.Open(fakeProgram(fakeHooks{}), packFake(t, meta, true))
	require.ErrorContains(t, err, `unknown tokenizer "runes"`)
}

// TestSecondType checks that a model whose only token type is 0 takes single texts.
func TestSecondType(t *testing.T) {
	p := fakeProgram(fakeHooks{})
	p.Limits.Types = 1
	c, err := engine.Open(p, packFake(t, fakeMeta(), true))
	require.NoError(t, err)
	defer c.Close()
	k, err := engine.NewClassifier(c, "")
	require.NoError(t, err)
	_, err = k.Classify(context.Background(), []string{"a"})
	require.NoError(t, err)
	_, err = k.ClassifyPairs(context.Background(), [][2]string{{"a", "b"}})
	require.ErrorContains(t, err, "it takes no pairs")
}

// TestClassifyAfterClose checks that calls fail after Close and do not touch the tokenizer.
func TestClassifyAfterClose(t *testing.T) {
	c := openFake(t, fakeHooks{}, runtime.PinThreads())
	k, err := engine.NewClassifier(c, "")
	require.NoError(t, err)
	require.NoError(t, c.Close())
	_, err = k.Classify(context.Background(), []string{"a"})
	require.ErrorIs(t, err, runtime.ErrClosed)
	_, err = k.Logits(context.Background(), oneSequence(2))
	require.ErrorIs(t, err, runtime.ErrClosed)
}

func TestLogits(t *testing.T) {
	k := openClassifier(t)
	b := &runtime.Batch{IDs: []int32{3, 4, 5, 6}, Starts: []int32{0, 1, 4}}
	rows, err := k.Logits(context.Background(), b)
	require.NoError(t, err)
	require.Len(t, rows, 2)
	for s, want := range [][]float64{fakeReference(fakeTensors(), b.IDs[:1], nil), fakeReference(fakeTensors(), b.IDs[1:], nil)} {
		for j := range want {
			require.InDelta(t, want[j], float64(rows[s][j]), 1e-4)
		}
	}
	_, err = k.Logits(context.Background(), nil)
	require.ErrorIs(t, err, runtime.ErrInput)
	_, err = k.Logits(context.Background(), &runtime.Batch{})
	require.ErrorIs(t, err, runtime.ErrInput)
}

func TestClassifyFaults(t *testing.T) {
	k := openClassifier(t)
	got, err := k.Classify(context.Background(), nil)
	require.NoError(t, err)
	require.Empty(t, got)
	require.ErrorContains(t, k.ClassifyInto(context.Background(), nil, []string{"a"}), "room for 0 results, 1 texts")
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("enough"))
	_, err = k.Classify(ctx, []string{"a"})
	require.ErrorIs(t, err, context.Canceled)
	//lint:ignore SA1012 a nil context must be an error, not a crash
	_, err = k.Classify(nil, []string{"a"})
	require.ErrorIs(t, err, runtime.ErrInput)
}

func TestConcurrentClassify(t *testing.T) {
	k := openClassifier(t, runtime.Threads(2), runtime.Concurrency(2))
	texts := []string{"one", "two words", "", strings.Repeat("long ", 6), "five"}
	want, err := k.Classify(context.Background(), texts)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 6 {
		wg.Go(func() {
			dst := make([]runtime.Classification, len(texts))
			for range 30 {
				if err := k.ClassifyInto(context.Background(), dst, texts); err != nil {
					t.Error(err)
				}
				for i := range dst {
					if dst[i].Score != want[i].Score || dst[i].Label != want[i].Label || dst[i].Tokens != want[i].Tokens {
						t.Error(i, dst[i], want[i])
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestClassifyIntoAllocatesNothing(t *testing.T) {
	k := openClassifier(t, runtime.Threads(2), runtime.Long(runtime.Windows(3)), runtime.MaxTokens(12))
	texts := []string{"one", strings.Repeat("long ", 6), "two"}
	pairs := [][2]string{{"one", "two"}, {"three", strings.Repeat("long ", 6)}}
	dst := make([]runtime.Classification, len(texts))
	ctx := context.Background()
	require.Zero(t, testing.AllocsPerRun(50, func() { _ = k.ClassifyInto(ctx, dst, texts) }))
	require.Zero(t, testing.AllocsPerRun(50, func() { _ = k.ClassifyPairsInto(ctx, dst[:2], pairs) }))
}

func BenchmarkClassifyInto(b *testing.B) {
	k := openClassifier(b, runtime.Threads(2))
	texts := []string{"one", "two words", strings.Repeat("long ", 6)}
	dst := make([]runtime.Classification, len(texts))
	ctx := context.Background()
	b.ReportAllocs()
	for b.Loop() {
		if err := k.ClassifyInto(ctx, dst, texts); err != nil {
			b.Fatal(err)
		}
	}
}
