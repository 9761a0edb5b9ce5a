package program

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

// TestRunBERTScore compares what run prints with what the service computes, with and without --idf, for which results come at the end.
func TestRunBERTScore(t *testing.T) {
	p := taskProgram(engine.Head{Name: "rows", Task: tasktable.Hidden, Rows: engine.PerToken, C: 2}, nil, func(ids []int32, row, column int) float32 {
		return float32(math.Sin(float64(ids[row])*float64(column+1)) + 0.5)
	})
	const lines = `{"text":"angela visited paris","pair":"merkel visited the capital"}` + "\n" + `{"text":"a city","pair":"the city"}` + "\n"
	results := func(args ...string) (list []task.BERTScore) {
		r := runTask(t, p, false, lines, append(args, "--bert-score", "--json", "--input", "-")...)
		require.Equal(t, ExitDone, r.code, r.err)
		for d := json.NewDecoder(strings.NewReader(r.out)); d.More(); {
			var one task.BERTScore
			require.NoError(t, d.Decode(&one))
			list = append(list, one)
		}
		require.Len(t, list, 2)
		return list
	}
	plain, idf, based := results(), results("--idf"), results("--baseline", "0.5,0.25,-0.5")
	require.Equal(t, 9+0, plain[0].Tokens-2, "both texts with two special tokens each")
	require.NotEqual(t, plain[0].Recall, idf[0].Recall, "the, in both references, has no weight")
	require.NotEqual(t, idf[0].Recall, idf[1].Recall)
	for i := range plain {
		require.InDelta(t, 2*plain[i].Precision*plain[i].Recall/(plain[i].Precision+plain[i].Recall), plain[i].F1, 1e-12)
		require.InDelta(t, (plain[i].Precision-0.5)/0.5, based[i].Precision, 1e-12)
		require.InDelta(t, (plain[i].Recall-0.25)/0.75, based[i].Recall, 1e-12)
		require.InDelta(t, (plain[i].F1+0.5)/1.5, based[i].F1, 1e-12)
	}
	same := runTask(t, p, false, "", "--bert-score", "--pair", "the city", "the city")
	require.Equal(t, "the city | the city  (8 tokens)\n  precision 1.0000  recall 1.0000  F1 1.0000\n", same.out, same.err)
	for want, args := range map[string][]string{
		"argument 1: it has no second text":                    {"--bert-score", "a"},
		"--baseline has 2 numbers: it takes three":             {"--bert-score", "--baseline", "0.5,0.5", "--pair", "a", "a"},
		`--baseline "1": it must be a number between -1 and 1`: {"--bert-score", "--baseline", "0,0,1", "--pair", "a", "a"},
		"--idf needs --bert-score":                             {"--idf", "a"},
		"--bert-score and --normalize contradict":              {"--bert-score", "--normalize", "--pair", "a", "a"},
		"argument 1: it has 2 windows":                         {"--bert-score", "--idf", "--pair", "a", "--long", "windows:1", strings.Repeat("a ", 100)},
	} {
		r := runTask(t, p, false, "", args...)
		require.NotEqual(t, ExitDone, r.code, want)
		require.Contains(t, r.err, want)
	}
}
