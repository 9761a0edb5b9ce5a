package task

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// TestAnswerLoss computes the loss of the right answer by hand, for one window and for several.
func TestAnswerLoss(t *testing.T) {
	logit := func(ids []int32, row, side int) float64 { return 6 * noise(int(ids[row]), row, len(ids), side) }
	question, context := "who is it", "the cat sat on the mat"
	a := newAnswerer(t, spanHead(logit))
	ids := []int32{fakeCLS}
	for _, s := range spansOf(t, question) {
		ids = append(ids, s.ID)
	}
	ids = append(ids, fakeSEP)
	second := len(ids)
	for _, s := range spansOf(t, context) {
		ids = append(ids, s.ID)
	}
	ids = append(ids, fakeSEP)
	loss := func(ids []int32, start, end int) float64 {
		sum := 0.0
		for side, row := range []int{start, end} {
			z := make([]float64, len(ids))
			for i := range z {
				z[i] = float64(float32(logit(ids, i, side)))
			}
			sum -= math.Log(softmax64(z)[row]) / 2
		}
		return sum
	}
	q := []Question{{question, context}}
	at := strings.Index(context, "cat sat")
	got, err := a.Answer(background, q, AnswerOptions{Right: [][2]int{{at, at + len("cat sat")}}})
	require.NoError(t, err)
	require.InDelta(t, loss(ids, second+1, second+2), got[0].Loss, 1e-6) // the cat sat: tokens of three letters
	require.Equal(t, 1, got[0].Terms)
	got, err = a.Answer(background, q, AnswerOptions{Right: [][2]int{{}}})
	require.NoError(t, err)
	require.InDelta(t, loss(ids, 0, 0), got[0].Loss, 1e-6)

	// Windows that lack the answer have the first token as the right one.
	windows := newAnswerer(t, spanHead(logit), runtime.Long(runtime.Windows(1)), runtime.MaxTokens(second+3), runtime.BatchTokens(30))
	got, err = windows.Answer(background, q, AnswerOptions{Right: [][2]int{{at, at + len("cat sat")}}})
	require.NoError(t, err)
	want, n := 0.0, 0
	all := ids[second : len(ids)-1]
	for from := 0; ; from++ { // windows of two tokens that overlap by one
		part := append(append([]int32(nil), ids[:second]...), all[from], all[from+1], fakeSEP)
		if from == 1 {
			want += loss(part, second, second+1)
		} else {
			want += loss(part, 0, 0)
		}
		if n++; from+2 == len(all) {
			break
		}
	}
	require.Equal(t, n, got[0].Terms)
	require.InDelta(t, want, got[0].Loss, 1e-5)

	_, err = a.Answer(background, q, AnswerOptions{Right: make([][2]int, 2)})
	require.ErrorContains(t, err, "2 right answers for 1 questions")
	first, last := tokensAt(&engine.Encoded{}, [2]int{0, 1})
	require.Equal(t, []int{-1, -1}, []int{first, last})
}
