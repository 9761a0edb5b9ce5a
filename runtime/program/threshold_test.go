package program

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// TestRunMultiLabel checks labels that do not exclude each other: --threshold chooses among them, with a threshold of its own for each label if wanted.
func TestRunMultiLabel(t *testing.T) {
	head := engine.Head{Name: "kinds", Task: tasktable.Labels, C: 3, Labels: []string{"spam", "toxic", "question"}, Independent: true}
	p := taskProgram(head, nil, func(_ []int32, _, column int) float32 { return []float32{-1, 3, 0}[column] }) // 0.27, 0.95, 0.5
	for threshold, want := range map[string][]string{
		"0.5": {"toxic", "question"}, "0": {"toxic", "question", "spam"}, "1": nil, "toxic=0.96": {"question"}, "0.9,spam=0.2": {"toxic",
			"spam"}, `{"question": 1, "spam": 0}`: {"toxic", "spam"},
	} {
		r := runTask(t, p, false, "", "--threshold", threshold, "--json", "x")
		require.Equal(t, ExitDone, r.code, r.err)
		var got chosenLabels
		object(t, r.out, &got)
		require.Equal(t, append([]string{}, want...), got.Labels, threshold)
		require.Equal(t, "toxic", got.Label)
		require.Len(t, got.Scores, 3)
		r = runTask(t, p, false, "", "--threshold", threshold, "x")
		require.Equal(t, ExitDone, r.code, r.err)
		for _, l := range head.Labels {
			require.Equal(t, slices.Contains(want, l), strings.Contains(r.out, "\n  "+l+" "), r.out)
		}
		require.Equal(t, want == nil, strings.Contains(r.out, "no label reaches its threshold"), r.out)
	}
	r := runTask(t, p, false, "", "--json", "x")
	require.NotContains(t, r.out, `"labels"`)
	r = runTask(t, p, false, "", "--threshold", "other=0.5", "x")
	require.Equal(t, ExitUsage, r.code)
	require.Contains(t, r.err, `--threshold: the model has no label "other" (it has: spam, toxic, question)`)
}
