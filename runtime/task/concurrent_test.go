package task

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
)

// TestConcurrentTasks checks that concurrent calls, and texts together with any others, have the
// same results as each alone.
func TestConcurrentTasks(t *testing.T) {
	f := tagsByPiece(bioLabels, nil)
	f.forward = perRow(len(bioLabels), func(ids []int32, row, j int) float64 { return 4 * noise(int(ids[row]), row, len(ids), j) })
	tagger := newTagger(t, f, runtime.Long(runtime.Windows(2)), runtime.MaxTokens(9), runtime.Concurrency(2))
	answerer := newAnswerer(t, spanHead(func(ids []int32, row, side int) float64 { return 4 * noise(int(ids[row]), row, side) }),
		runtime.Long(runtime.Windows(2)), runtime.MaxTokens(12), runtime.Concurrency(2))
	texts := []string{"one", "", "the quick brown fox", strings.Repeat("jumps over ", 9), "é", "  "}
	var tags []Tagged
	var answers []Answered
	var questions []Question
	for _, text := range texts {
		got, err := tagger.Tag(background, []string{text}, TagOptions{})
		require.NoError(t, err)
		tags = append(tags, got...)
		questions = append(questions, Question{"who", text})
		found, err := answerer.Answer(background, questions[len(questions)-1:], AnswerOptions{Best: 3})
		require.NoError(t, err)
		answers = append(answers, found...)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 10 {
				got, err := tagger.Tag(background, texts, TagOptions{})
				if err != nil {
					t.Error(err)
					return
				}
				found, err := answerer.Answer(background, questions, AnswerOptions{Best: 3})
				if err != nil {
					t.Error(err)
					return
				}
				if !equalJSON(t, tags, got) || !equalJSON(t, answers, found) {
					t.Error("results depend on company")
					return
				}
			}
		})
	}
	wg.Wait()
}

// equalJSON reports whether two results have the same JSON.
func equalJSON(t *testing.T, a, b any) bool {
	x, err := json.Marshal(a)
	if err != nil {
		t.Error(err)
	}
	y, err := json.Marshal(b)
	if err != nil {
		t.Error(err)
	}
	return string(x) == string(y)
}
