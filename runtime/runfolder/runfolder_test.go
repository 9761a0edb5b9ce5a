package runfolder_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/runfolder"
)

// made makes a run's folder with checkpoints after the given steps.
func made(t *testing.T, steps ...int) *runfolder.Folder {
	f, err := runfolder.Create(filepath.Join(t.TempDir(), "runs", "one"), &runfolder.Run{Training: "tune", Seed: 1<<64 - 1},
		map[string][]byte{runfolder.SpecFile: []byte("dspec 1\n"), "base/config.json": []byte("{}")})
	require.NoError(t, err)
	for _, n := range steps {
		require.NoError(t, os.WriteFile(f.CheckpointPath(n), []byte("x"), 0o600))
	}
	return f
}

// stepsOf lists the steps of the checkpoints.
func stepsOf(t *testing.T, f *runfolder.Folder) (steps []int) {
	list, err := f.Checkpoints()
	require.NoError(t, err)
	for _, c := range list {
		steps = append(steps, c.Step)
	}
	return steps
}

// TestCreate checks that a folder comes back as it was made, and that no other folder is taken for a run's or written to.
func TestCreate(t *testing.T) {
	f := made(t)
	is, err := runfolder.Is(f.Dir)
	require.NoError(t, err)
	require.True(t, is)
	again, err := runfolder.Open(f.Dir)
	require.NoError(t, err)
	require.Equal(t, f.Run, again.Run)
	text, err := os.ReadFile(f.Path("base/config.json"))
	require.NoError(t, err)
	require.Equal(t, "{}", string(text))

	_, err = runfolder.Create(f.Dir, &runfolder.Run{}, nil)
	require.ErrorContains(t, err, "holds a run already: --resume goes on with it")
	other := t.TempDir()
	_, err = runfolder.Open(other)
	require.ErrorIs(t, err, runfolder.ErrNone)
	require.NoError(t, os.WriteFile(filepath.Join(other, "thesis.tex"), nil, 0o600))
	_, err = runfolder.Open(filepath.Join(other, "thesis.tex"))
	require.ErrorIs(t, err, runfolder.ErrNone)
	require.ErrorContains(t, err, "thesis.tex is a file: name the folder of a run")
	_, err = runfolder.Create(other, &runfolder.Run{}, nil)
	require.ErrorContains(t, err, "holds thesis.tex and is not the folder of a run")
	require.NoError(t, os.Remove(f.Path(runfolder.RunFile))) // as if it had been killed before the last write
	_, err = runfolder.Create(f.Dir, &runfolder.Run{}, map[string][]byte{runfolder.SpecFile: nil})
	require.NoError(t, err)
	for text, want := range map[string]string{"{": "is damaged", `{"format":2}`: "has format 2; this version reads format 1",
		"{}": "run.json is damaged: it has no format", "null": "run.json is damaged: it has no format"} {
		require.NoError(t, os.WriteFile(f.Path(runfolder.RunFile), []byte(text), 0o600))
		_, err = runfolder.Open(f.Dir)
		require.ErrorContains(t, err, want)
	}
}

// TestCreateFails checks that a folder that cannot be filled, as on a full disk, leaves nothing.
func TestCreateFails(t *testing.T) {
	full := errors.New("no space left")
	for _, name := range []string{runfolder.RunFile, runfolder.SpecFile, "base/config.json"} {
		for _, there := range []bool{false, true} {
			dir := filepath.Join(t.TempDir(), "run")
			if there {
				require.NoError(t, os.Mkdir(dir, 0o700))
			}
			restore := disk.Inject(func(op disk.Op, path string) error {
				if op == disk.OpWrite && strings.HasPrefix(path, filepath.Join(dir, name)) {
					return full
				}
				return nil
			})
			_, err := runfolder.Create(dir, &runfolder.Run{}, map[string][]byte{runfolder.SpecFile: []byte("x"), "base/config.json": []byte("{}")})
			restore()
			require.ErrorIs(t, err, full)
			list, err := os.ReadDir(dir)
			if !there {
				require.ErrorIs(t, err, os.ErrNotExist)
			}
			require.Empty(t, list)
		}
	}
}

// TestLock checks that one process at a time has a folder.
func TestLock(t *testing.T) {
	f := made(t)
	require.NoError(t, f.Lock(t.Context()))
	second, err := runfolder.Open(f.Dir)
	require.NoError(t, err)
	require.ErrorIs(t, second.Lock(t.Context()), disk.ErrLocked)
	require.NoError(t, f.Close())
	require.NoError(t, second.Lock(t.Context()))
	require.NoError(t, second.Close())
}

// TestAbandon checks that a run is removed before its first step, and stays afterwards.
func TestAbandon(t *testing.T) {
	f := made(t)
	_, err := f.Begin(0)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	require.NoError(t, f.Abandon())
	_, err = os.Stat(f.Dir)
	require.ErrorIs(t, err, os.ErrNotExist)

	dir := t.TempDir()
	f, err = runfolder.Create(dir, &runfolder.Run{}, nil)
	require.NoError(t, err)
	require.NoError(t, f.Abandon())
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)

	f = made(t, 3)
	require.NoError(t, f.Abandon())
	require.Equal(t, []int{3}, stepsOf(t, f))
}

// TestMetrics checks that metrics come back, that a line that was cut off is dropped, and that a run that goes on begins after its checkpoint.
func TestMetrics(t *testing.T) {
	f := made(t, 10, 20, 30)
	kept, err := f.Begin(0)
	require.NoError(t, err)
	require.Empty(t, kept)
	f = made(t, 10, 20, 30)
	require.NoError(t, os.WriteFile(f.Path(runfolder.MetricsFile), nil, 0o600))
	_, err = f.Begin(30)
	require.NoError(t, err)
	for step := 10; step <= 30; step += 10 {
		require.NoError(t, f.Log(&runfolder.Line{Step: step, Values: map[string]float64{"loss": 1 / float64(step), "eval_f1": 0.5, "rate": 1e-5}}))
		require.NoError(t, f.SetBest(&runfolder.Best{Step: step, Metric: "f1", Value: 0.5}))
	}
	require.Error(t, f.Log(&runfolder.Line{Step: 31, Values: map[string]float64{"loss": 1 / zero}}))
	require.NoError(t, f.Close())
	text, err := os.ReadFile(f.Path(runfolder.MetricsFile))
	require.NoError(t, err)
	require.Contains(t, string(text), `{"step":10,"loss":0.1,"rate":1e-05,"eval_f1":0.5}`+"\n")
	require.NoError(t, os.WriteFile(f.Path(runfolder.MetricsFile), append(text, `{"step":40,"lo`...), 0o600))

	lines, err := f.Metrics()
	require.NoError(t, err)
	require.Len(t, lines, 3)
	require.Equal(t, runfolder.Line{Step: 20, Values: map[string]float64{"loss": 0.05, "rate": 1e-5, "eval_f1": 0.5}}, lines[1])

	lines, err = f.Begin(20)
	require.NoError(t, err)
	require.Len(t, lines, 2)
	require.Equal(t, []int{10, 20}, stepsOf(t, f))
	best, err := f.Best()
	require.NoError(t, err)
	require.Nil(t, best)
	require.NoError(t, f.Log(&runfolder.Line{Step: 21}))
	require.NoError(t, f.Close())
	lines, err = f.Metrics()
	require.NoError(t, err)
	require.Len(t, lines, 3)
	require.Equal(t, 21, lines[2].Step)

	require.NoError(t, os.WriteFile(f.Path(runfolder.MetricsFile), []byte("{\"step\":1}\n{\"step\":\"x\"}\n"), 0o600))
	_, err = f.Metrics()
	require.ErrorContains(t, err, "metrics.jsonl:2: it is not a line of metrics")
	require.ErrorIs(t, err, ragged.ErrInput)
	for line, want := range map[string]string{`{"loss":1}`: `it has no "step"`,
		`{"step":1.5}`: `"step" is 1.5, and must be a whole number from 0 to 2147483647`,
		`{"step":-1}`:  `"step" is -1`, `{"step":3e9}`: `"step" is 3e+09`, `{"step":1,"loss":null}`: `"loss" is null, and must be a number`,
		`{"step":1,"loss":1,"loss":2}`: `the field "loss" stands twice`, `null`: `it has no "step"`, `{"step":1,"loss":1e999}`: `1e999`} {
		require.NoError(t, os.WriteFile(f.Path(runfolder.MetricsFile), []byte(line+"\n"), 0o600))
		_, err = f.Metrics()
		require.ErrorContains(t, err, want)
		require.ErrorContains(t, err, "metrics.jsonl:1: ")
	}
	for text, want := range map[string]string{"": "best.json is damaged: ", "{}": `field "metric": it is empty`, "null": `field "metric": it is empty`,
		`{"step":-1,"metric":"f1"}`:                    `field "step": it is -1, and must be from 0 to 2147483647`,
		`{"step":"1","metric":"f1"}`:                   `field "step": it is the string, and must be a whole number`,
		`{"step":1,"metric":"f1","value":"high"}`:      `field "value": it is the string, and must be a number`,
		`{"step":1,"metric":"f1","metric":"accuracy"}`: `the field "metric" stands twice`} {
		require.NoError(t, os.WriteFile(f.Path(runfolder.BestFile), []byte(text), 0o600))
		_, err = f.Best()
		require.ErrorContains(t, err, f.Path(runfolder.BestFile))
		require.ErrorContains(t, err, want)
		require.ErrorIs(t, err, ragged.ErrInput)
	}
}

// TestEdited checks the messages about values of run.json that no run has.
func TestEdited(t *testing.T) {
	f := made(t)
	for text, want := range map[string]string{
		`"steps":-1`:                 `field "steps": it is -1, and must be from 0 to 2147483647`,
		`"steps":1e3`:                `field "steps": it is the number 1e3, and must be a whole number`,
		`"steps":4294967296`:         `field "steps": it is 4294967296, and must be from 0 to 2147483647`,
		`"steps_per_epoch":-7`:       `field "steps_per_epoch": it is -7`,
		`"seed":-1`:                  `field "seed": it is the number -1, and must be a whole number, at least 0`,
		`"seed":0.5`:                 `field "seed": it is the number 0.5`,
		`"training":3`:               `field "training": it is the number, and must be a text`,
		`"data":{}`:                  `field "data": it is the object, and must be a list`,
		`"data":[{"examples":-1}]`:   `field "data[0].examples": it is -1`,
		`"eval":[{"bytes":-2}]`:      `field "eval[0].bytes": it is -2`,
		`"seed":1,"seed":2`:          `the field "seed" stands twice`,
		`"command":"debertac train"`: `field "command": it is the string, and must be a list`,
	} {
		require.NoError(t, os.WriteFile(f.Path(runfolder.RunFile), []byte(`{"format":1,`+text+`}`), 0o600))
		_, err := runfolder.Open(f.Dir)
		require.ErrorContains(t, err, f.Path(runfolder.RunFile))
		require.ErrorContains(t, err, want)
		require.ErrorIs(t, err, ragged.ErrInput)
	}
}

var zero float64

// TestCheckpoints checks how checkpoints are named and which ones stay.
func TestCheckpoints(t *testing.T) {
	f := made(t, 5, 10, 15, 100000000)
	require.NoError(t, os.WriteFile(filepath.Join(f.Dir, runfolder.Checkpoints, ".step-00000003.safetensors.partial-00000000"), nil, 0o600))
	require.Equal(t, []int{5, 10, 15, 100000000}, stepsOf(t, f))
	for word, want := range map[string]int{"": 100000000, "last": 100000000, "10": 10, "00010": 10} {
		c, err := f.Find(word)
		require.NoError(t, err)
		require.Equal(t, want, c.Step)
	}
	for word, want := range map[string]string{
		"best": "has no best checkpoint, because the run was not evaluated", "11": "has no checkpoint after 11 steps (there are: 5, 10, 15, 100000000)",
		"worst": `no checkpoint is named "worst": last, best, or a number of steps`,
	} {
		_, err := f.Find(word)
		require.ErrorContains(t, err, want)
	}
	require.NoError(t, f.SetBest(&runfolder.Best{Step: 5, Metric: "accuracy", Value: 0.9}))
	c, err := f.Find("best")
	require.NoError(t, err)
	require.Equal(t, 5, c.Step)
	require.NoError(t, f.Prune(2))
	require.Equal(t, []int{5, 15, 100000000}, stepsOf(t, f))
	require.NoError(t, f.Prune(0))
	require.Equal(t, []int{5, 100000000}, stepsOf(t, f))
}
