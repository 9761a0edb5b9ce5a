package trainprogram_test

import (
	"bufio"
	"encoding/json"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/prepared"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/runfolder"
	"github.com/debertac/debertac/runtime/training"
	"github.com/debertac/debertac/runtime/trainprogram"
)

// prepare writes data with this many examples for the fake training.
func prepare(t *testing.T, examples int, source string) string {
	path := filepath.Join(t.TempDir(), "train.prepared")
	w, err := prepared.Create(path)
	require.NoError(t, err)
	for i := range examples {
		require.NoError(t, w.Add([]prepared.Sequence{{Sequence: ragged.Sequence{IDs: make([]int32, 1+i%3)},
			Integers: map[string][]int32{"target": {int32(i % numbers)}}}}, int64(i)))
	}
	w.Counted().Source, w.Counted().Mask, w.Counted().Examples = source, -1, examples
	require.NoError(t, w.Commit())
	return path
}

// trained runs a command line of the fake training and returns the exit code, the standard output and the errors.
func trained(t *testing.T, in io.Reader, args ...string) (code int, out, errs string) {
	var o, e strings.Builder
	code = trainprogram.Run(t.Context(), []trainprogram.Model{{Name: "fake", Program: fake()}}, args, command.Streams{In: in, Out: &o, Err: &e})
	return code, o.String(), e.String()
}

// TestTrain trains, stops, goes on, and asks for evaluations.
func TestTrain(t *testing.T) {
	data, dir := prepare(t, 6, "abc"), filepath.Join(t.TempDir(), "run")
	code, out, errs := trained(t, nil, "train", "--scratch", "--data", data, "--run", dir, "--max-steps", "2", "--json", "--seed", "5")
	require.Zero(t, code, errs)
	var kinds []string
	for line := range strings.Lines(out) {
		var e training.Event
		require.NoError(t, json.Unmarshal([]byte(line), &e))
		kinds = append(kinds, e.Kind)
	}
	require.Equal(t, []string{"begin", "step", "step", "checkpoint", "end"}, kinds)

	code, _, errs = trained(t, nil, "train", "--scratch", "--data", data, "--run", dir)
	require.Equal(t, command.ExitInput, code)
	require.Contains(t, errs, "it holds a run already: --resume goes on with it")
	code, _, errs = trained(t, nil, "train", "--scratch", "--data", prepare(t, 6, "other"), "--run", dir, "--resume")
	require.Equal(t, command.ExitInput, code)
	require.Contains(t, errs, "the run was begun with other data")

	replies, asked := io.Pipe()
	events, printed := io.Pipe()
	done := make(chan int)
	go func() {
		var e strings.Builder
		code := trainprogram.Run(t.Context(), []trainprogram.Model{{Name: "fake", Program: fake()}}, []string{"train", "--scratch", "--data", data, "--run",
			dir, "--resume", "--ask", "--json", "--eval-every", "1"}, command.Streams{In: replies, Out: printed, Err: &e})
		printed.Close()
		done <- code
	}()
	for s := bufio.NewScanner(events); s.Scan(); {
		var e training.Event
		require.NoError(t, json.Unmarshal(s.Bytes(), &e))
		if e.Kind == trainprogram.EventEvaluate {
			require.FileExists(t, e.Path)
			text, err := json.Marshal(trainprogram.Reply{Metrics: map[string]float64{"accuracy": float64(e.Step)}})
			require.NoError(t, err)
			_, err = asked.Write(append(text, '\n'))
			require.NoError(t, err)
		}
	}
	require.Zero(t, <-done)
	f, err := runfolder.Open(dir)
	require.NoError(t, err)
	require.Equal(t, uint64(5), f.Run.Seed)
	best, err := f.Best()
	require.NoError(t, err)
	require.Equal(t, &runfolder.Best{Step: 4, Metric: "accuracy", Value: 4}, best)
}

// TestTrainRefusesBadCalls checks the messages about flags and replies that cannot be used.
func TestTrainRefusesBadCalls(t *testing.T) {
	data := prepare(t, 6, "abc")
	dir := func() string { return filepath.Join(t.TempDir(), "run") }
	for _, c := range []struct {
		args []string
		in   string
		code int
		want string
	}{
		{args: []string{"--scratch"}, code: command.ExitUsage, want: "train needs --data FILE and --run FOLDER"},
		{args: []string{"--data", data, "--run", dir()}, code: command.ExitUsage, want: "either --weights FILE or --scratch is needed"},
		{args: []string{"--scratch", "--data", data, "--run", dir(), "--keep", "0"}, code: command.ExitUsage, want: "--keep 0: it must be at least 1"},
		{args: []string{"--scratch", "--data", data, "--run", dir(), "--ask"}, code: command.ExitUsage, want: "--ask needs --json"},
		{args: []string{"--scratch", "--data", data, "--run", dir(), "--patience", "2"}, code: command.ExitUsage, want: "--patience needs evaluations: --ask"},
		{args: []string{"--scratch", "--data", data, "--run", dir(), "--check-metric", "--ask", "--json"}, code: command.ExitUsage,
			want: "--check-metric needs --metric and --ask"},
		{args: []string{"--scratch", "--data", data, "--run", dir(), "--check-metric", "--ask", "--json", "--metric", "f1"}, code: command.ExitInput,
			in: `{"metrics":{"loss":1},"undefined":["accuracy"]}` + "\n", want: `the evaluation has no metric "f1" (it has: accuracy, loss)`},
		{args: []string{"--scratch", "--data", data, "--run", dir(), "--check-metric", "--ask", "--json", "--metric", "f1"}, code: command.ExitInput,
			in: `{"error":"no memory"}` + "\n", want: "the evaluation that tells the names of the metrics failed: no memory"},
		{args: []string{"--scratch", "--data", data + "x", "--run", dir()}, code: command.ExitInput, want: "no such file"},
		{args: []string{"--scratch", "--data", prepare(t, 0, ""), "--run", dir()}, code: command.ExitInput, want: "has no examples"},
		{args: []string{"--scratch", "--data", data, "--run", dir(), "--ask", "--json"}, in: "{\"error\":\"no memory\"}\n", code: command.ExitInput,
			want: "the evaluation after step 4 failed: no memory"},
		{args: []string{"--scratch", "--data", data, "--run", dir(), "--ask", "--json"}, in: "", code: command.ExitFault,
			want: "the program that evaluates has ended"},
	} {
		code, _, errs := trained(t, strings.NewReader(c.in), append([]string{"train"}, c.args...)...)
		require.Equal(t, c.code, code, "%v: %s", c.args, errs)
		require.Contains(t, errs, c.want)
	}
}
