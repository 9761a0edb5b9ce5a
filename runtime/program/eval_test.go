package program

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/prediction"
	"github.com/debertac/debertac/runtime/tasktable"
)

// TestEveryExaminedTask checks that exactly the tasks with an examiner have metrics, and that flags of eval that only some tasks have belong to such tasks.
func TestEveryExaminedTask(t *testing.T) {
	measured := map[tasktable.Task]bool{}
	for _, row := range prediction.Tasks {
		if row.Task != "" {
			measured[row.Task] = true
			require.NotNil(t, examiners[row.Task], "the task %s has metrics and no examiner: eval cannot evaluate its heads", row.Task)
		}
	}
	for task := range examiners {
		require.True(t, measured[task], "the task %s has an examiner and no row of prediction.Tasks", task)
	}
	for name, tasks := range ownTasks {
		for _, task := range tasks {
			require.True(t, measured[task], name)
		}
	}
	for _, f := range tasktable.EvalFlags() {
		if tasks := tasktable.Taking(f.Name); tasks != nil {
			require.Condition(t, func() bool {
				for _, task := range tasks {
					if measured[task] {
						return true
					}
				}
				return false
			}, "eval has --%s, and no task that it evaluates has", f.Name)
		}
	}
}

// TestEvenly checks that all parts have about the wanted size, and that none has a single example.
func TestEvenly(t *testing.T) {
	for n := 1; n < 200; n++ {
		for size := 2; size < 50; size++ {
			got := evenly(n, size)
			require.LessOrEqual(t, got, 2*size+3)
			require.True(t, n == 1 || n%got != 1, "%d examples in parts of %d", n, got)
		}
	}
}

// TestEvalFlags checks the values that the flags of eval can have.
func TestEvalFlags(t *testing.T) {
	weights := fakeWeights(t, true)
	data := "{\"text\":\"x\",\"label\":\"ham\"}\n"
	for want, args := range map[string][]string{
		"--resamples -1: it must be from 0 to 1000000": {"--resamples", "-1"}, "--candidates 1: it must be at least 2": {"--candidates", "1"},
		"--share 0: it must be above 0": {"--share", "0"}, "--input is empty": {"--input", ""}, "--long: ": {"--long", "x"},
		"--join needs --long windows": {"--join", "max"}, "--head: ": {"--head", "x"},
	} {
		r := runIn(t, data, append([]string{"eval", "--weights", weights}, args...)...)
		require.Equal(t, ExitUsage, r.code, "%v: %s", args, r.err)
		require.Contains(t, r.err, want)
	}
	for want, in := range map[string]string{
		"standard input: it is empty: there are no examples":        "",
		"standard input: line 2: it is not an example":              data + "[]\n",
		`standard input: line 1: it is not an example: unexpected`:  `{"text":`,
		`standard input: line 2: the field "label" stands twice`:    data + `{"text":"x","label":"ham","label":"spam"}`,
		`example 1: the model has no label "x" (it has: ham, spam`:  `{"text":"x","label":"x"}`,
		`example 1: it has 2 labels, and this model chooses one`:    `{"text":"x","labels":["ham","spam"]}`,
		`example 9: it cannot be encoded: a text of 40000000 bytes`: data + `{"text":"gigantic","label":"ham","at":9}` + "\n" + data,
		`dev.json: element 4: the model has no label "x"`:           `{"text":"x","label":"x","where":"dev.json: element 4"}`,
		`example 1 (id the-id): `:                                   `{"text":"unencodable","label":"ham","id":"the-id"}`,
		`it has no "text", which this head reads; it has "context"`: `{"context":"x","label":"ham"}`,
	} {
		r := runIn(t, in, "eval", "--weights", weights)
		require.Equal(t, ExitInput, r.code, "%s: %s", in, r.err)
		require.Contains(t, r.err, want)
	}
	r := runIn(t, data, "eval", "--weights", weights, "--input", write(t, "e.jsonl", data+`{"text":"y","labels":["2"]}`), "--resamples", "0")
	require.Equal(t, ExitDone, r.code, r.err)
	require.Contains(t, r.out, `"n":2,`)

	defer disk.Inject(func(op disk.Op, path string) error { // an input that cannot be read again goes into a temporary file
		if op == disk.OpWrite && path == os.TempDir() {
			return errors.New("no space left")
		}
		return nil
	})()
	r = runIn(t, data, "eval", "--weights", weights)
	require.Equal(t, ExitInput, r.code, r.err)
	require.Contains(t, r.err, "standard input: ")
	require.Contains(t, r.err, os.TempDir()+": no space left")
}
