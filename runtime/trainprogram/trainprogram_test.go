package trainprogram_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/masking"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/rate"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/trainer"
	"github.com/debertac/debertac/runtime/trainprogram"
)

// numbers are the entries of the fake tensor.
const numbers = 3

// fake is a training step by hand: the loss is half the sum of (w[target] - number of tokens)² over the sequences, and the update subtracts rate times
// gradient.
func fake() *trainer.Program {
	return &trainer.Program{
		Name: "fake", SpecHash: "0123456789abcdef", ISAs: []cpu.ISA{cpu.ISAGo},
		Limits:     engine.Limits{Vocab: 9, SequenceTokens: 4, BatchSequences: 3, BatchTokens: 8},
		Params:     []trainer.Param{{Name: "w", Shape: []int{numbers}, Trained: true}, {Name: "still", Shape: []int{1}}},
		Targets:    []trainer.Target{{Name: "target", Rows: ragged.B, Check: trainer.Classes, Below: numbers}},
		Nodes:      []trainer.Nodes{{Forward: 1, Backward: 1, Update: 2}},
		Arena:      func(engine.Sizes) int64 { return 64 },
		Optimizers: []trainer.Optimizer{{Name: "o", Kind: "sgd", Rate: rate.Schedule{Peak: 0.5, Steps: 4, Course: rate.Constant}}},
		Bind: func(x *trainer.Exec, _ cpu.ISA) ([]trainer.Step, error) {
			kept := x.Kept()
			w, g := unsafe.Slice(kept[0], numbers), unsafe.Slice(kept[2], numbers)
			return []trainer.Step{{
				Pass: func() error {
					if err := x.Layer("pass"); err != nil {
						return err
					}
					loss := float32(0)
					x.Run(1, func(int, int) {
						for s, c := range x.Integers("target") {
							d := w[c] - float32(x.Length(s))
							loss += d * d / 2
						}
					})
					x.Set("loss", loss)
					x.Run(1, func(int, int) {
						clear(g)
						for s, c := range x.Integers("target") {
							g[c] += w[c] - float32(x.Length(s))
						}
					})
					return nil
				},
				Norm: func() error {
					x.Run(1, func(int, int) {
						sum := 0.0
						for _, v := range g {
							sum += float64(v) * float64(v)
						}
						x.Set("o.norm", float32(math.Sqrt(sum)))
					})
					return nil
				},
				Apply: func() error {
					x.Run(1, func(int, int) {
						for i, v := range g {
							w[i] -= x.Numbers("o.rate")[0] * v
						}
					})
					return nil
				},
			}}, nil
		},
	}
}

// file writes tensors to a file of the test and returns its path. Tensors are []int32 or []float32.
func file(t *testing.T, name string, tensors map[string]any) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	f, err := os.Create(path)
	require.NoError(t, err)
	var list []safetensors.Tensor
	for name, v := range tensors {
		switch v := v.(type) {
		case []int32:
			list = append(list, safetensors.Tensor{Name: name, DType: safetensors.I32, Shape: []int{len(v)}})
		case []float32:
			list = append(list, safetensors.Tensor{Name: name, DType: safetensors.F32, Shape: []int{len(v)}})
		}
	}
	w, err := safetensors.NewWriter(f, nil, list)
	require.NoError(t, err)
	for _, name := range w.Order() {
		text, err := binary.Append(nil, binary.LittleEndian, tensors[name])
		require.NoError(t, err)
		require.NoError(t, w.Write(name, text))
	}
	require.NoError(t, w.Close())
	require.NoError(t, f.Close())
	return path
}

// run runs a command line of a binary with two trainings.
func run(t *testing.T, models int, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	var out, errs bytes.Buffer
	list := []trainprogram.Model{{Name: "fake", Program: fake()}, {Name: "other", Program: fake()}}[:models]
	code = trainprogram.Run(t.Context(), list, args, command.Streams{Out: &out, Err: &errs})
	return out.String(), errs.String(), code
}

// read returns a tensor of a file.
func read(t *testing.T, path, name string, n int) []float32 {
	t.Helper()
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	out := make([]float32, n)
	require.NoError(t, f.Floats(name, out))
	return out
}

// TestStep checks that steps follow each other, and that the file holds what each step reports, the last gradients and the changed tensors.
func TestStep(t *testing.T) {
	weights := file(t, "weights", map[string]any{"w": []float32{1, 2, 4}, "still": []float32{7}, "unused": []float32{1}})
	first := file(t, "first", map[string]any{"ids": []int32{1, 2, 3}, "starts": []int32{0, 1, 3}, "target": []int32{0, 2}})
	second := file(t, "second", map[string]any{"ids": []int32{1, 2, 3}, "starts": []int32{0, 3}, "target": []int32{1}})
	out, saved := filepath.Join(t.TempDir(), "out"), filepath.Join(t.TempDir(), "saved")
	stdout, stderr, code := run(t, 1, "step", "--weights", weights, "--batch", first, "--batch", second, "--out", out, "--save", saved)
	require.Equal(t, command.ExitDone, code, stderr)
	require.Equal(t, "step 0: loss 2, learning rate 0.5, norm of the gradients 2\nstep 1: loss 0.5, learning rate 0.5, norm of the gradients 1\n", stdout)
	require.Equal(t, []float32{2, 0.5}, read(t, out, trainprogram.LossTensor, 2))
	require.Equal(t, []float32{2, 1}, read(t, out, trainprogram.NormTensor, 2))
	require.Equal(t, []float32{0.5, 0.5}, read(t, out, trainprogram.RateTensor, 2))
	require.Equal(t, []float32{0, -1, 0}, read(t, out, trainprogram.GradPrefix+"w", 3))
	require.Equal(t, []float32{1, 2.5, 3}, read(t, out, trainprogram.NewPrefix+"w", 3))

	// A checkpoint continues with the number of its step; gradients alone change nothing.
	stdout, stderr, code = run(t, 1, "step", "--weights", weights, "--resume", saved, "--batch", second, "--out", out, "--json")
	require.Equal(t, command.ExitDone, code, stderr)
	require.Equal(t, `{"step":2,"loss":0.125,"learning_rate":0.5,"grad_norm":0.5}`+"\n", stdout)
	stdout, stderr, code = run(t, 1, "step", "--weights", saved, "--gradients", "--batch", second, "--batch", second, "--out", out)
	require.Equal(t, command.ExitDone, code, stderr)
	require.Equal(t, "loss 0.125\nloss 0.125\n", stdout)
	f, err := safetensors.Open(out)
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"loss", "grad.w"}, f.Names())
	require.NoError(t, f.Close())
}

// TestStepMasks checks that step masks a batch which has neither rows nor their targets.
func TestStepMasks(t *testing.T) {
	p := fake()
	p.Limits.Rows = 8
	p.Targets[0].Rows = ragged.M
	p.Masking = &trainer.Masking{Rule: masking.Rule{Share: 0.15, Words: true, Runs: 1}, Targets: []string{"target"}}
	weights := file(t, "weights", map[string]any{"w": []float32{1, 2, 7}, "still": []float32{7}})
	step := func(more map[string]any, args ...string) (stdout, stderr string, code int) {
		batch := map[string]any{"ids": []int32{0, 0, 2, 0}, "starts": []int32{0, 4}}
		maps.Copy(batch, more)
		args = append([]string{"step", "--weights", weights, "--out", filepath.Join(t.TempDir(), "out"), "--batch", file(t, "batch", batch)}, args...)
		var out, errs bytes.Buffer
		code = trainprogram.Run(t.Context(), []trainprogram.Model{{Name: "fake", Program: p}}, args, command.Streams{Out: &out, Err: &errs})
		return out.String(), errs.String(), code
	}
	words := map[string]any{"word_of": []int32{-1, -1, 0, -1}}
	stdout, stderr, code := step(words, "--mask-token", "8")
	require.Equal(t, command.ExitDone, code, stderr)
	require.Equal(t, "step 0: loss 4.5, learning rate 0.5, norm of the gradients 3\n", stdout, "of the token 2, in 4 tokens")
	for _, c := range []struct {
		more map[string]any
		args []string
		want string
		code int
	}{
		{words, nil, "neither Rows nor the target \"target\": give both, or let the trainer choose the tokens to predict", command.ExitInput},
		{nil, []string{"--mask-token", "8"}, "WordOf has 0 numbers, the batch needs 4", command.ExitInput},
		{map[string]any{"word_of": []float32{1}}, []string{"--mask-token", "8"}, "it must be I32 with one dimension", command.ExitInput},
		{words, []string{"--mask-token", "9"}, "the vocabulary of fake has 9 tokens", command.ExitInput},
		{words, []string{"--mask-token", "-2"}, "--mask-token -2: it must be the id of a token", command.ExitUsage},
		{map[string]any{"rows": []int32{2}}, nil, `it lacks the target "target"`, command.ExitInput},
	} {
		_, stderr, code := step(c.more, c.args...)
		require.Contains(t, stderr, c.want)
		require.Equal(t, c.code, code)
	}
}

// TestBench checks the fields of a measurement, and that the parts are those of the schedule.
func TestBench(t *testing.T) {
	lengths := file(t, "none", nil)
	require.NoError(t, os.WriteFile(lengths, []byte("1 4 2"), 0o600))
	for _, args := range [][]string{{"--batch", "2", "--tokens", "4"}, {"--batch", "2", "--lengths", lengths}} {
		stdout, stderr, code := run(t, 1, append([]string{"bench", "--random-weights", "1", "--threads", "1", "--min-time", "1ms", "--flops", "1e6", "--steps",
			"--json"}, args...)...)
		require.Equal(t, command.ExitDone, code, stderr)
		var row map[string]any
		require.NoError(t, json.Unmarshal([]byte(stdout), &row))
		for _, name := range []string{"min_ms", "p50_ms", "p99_ms", "forward_ms", "backward_ms", "optimizer_ms", "tokens_per_s", "gflops", "calls"} {
			require.Positive(t, row[name], name)
		}
		require.Len(t, row["step_ms"], 4)
		require.Equal(t, "go", row["isa"])
	}
	stdout, stderr, code := run(t, 1, "bench", "--min-time", "1ms", "--batch", "1", "--tokens", "4")
	require.Equal(t, command.ExitDone, code, stderr)
	require.Contains(t, stdout, "  parts         forward ")
}

// TestOutputs checks that outputs which would replace each other or an input are refused before a step, and that faults of a batch name its file.
func TestOutputs(t *testing.T) {
	weights := file(t, "weights", map[string]any{"w": []float32{1, 2, 4}, "still": []float32{7}})
	good := file(t, "good", map[string]any{"ids": []int32{1, 2, 3}, "starts": []int32{0, 3}, "target": []int32{1}})
	wrong := file(t, "wrong", map[string]any{"ids": []int32{1, 2, 3}, "starts": []int32{0, 3}, "target": []int32{3}})
	folder := t.TempDir()
	out, saved := filepath.Join(folder, "out"), filepath.Join(folder, "saved")
	link := filepath.Join(folder, "link")
	require.NoError(t, os.Symlink("out", link))
	for _, save := range []string{out, folder + "/../" + filepath.Base(folder) + "/out", link} {
		stdout, stderr, code := run(t, 1, "step", "--weights", weights, "--batch", good, "--out", out, "--save", save)
		require.Equal(t, command.ExitUsage, code, stderr)
		require.Contains(t, stderr, "name one file")
		require.Empty(t, stdout)
		require.NoFileExists(t, out)
	}
	_, stderr, code := run(t, 1, "step", "--weights", weights, "--batch", good, "--save", saved)
	require.Equal(t, command.ExitDone, code, stderr)
	for _, path := range []string{good, weights, saved} {
		stop := disk.GuardInputs() // Main calls it too
		stdout, stderr, code := run(t, 1, "step", "--weights", weights, "--resume", saved, "--batch", good, "--save", path)
		stop()
		require.Equal(t, command.ExitUsage, code)
		require.Contains(t, stderr, "is also an input of the command")
		require.Empty(t, stdout, "no step has been computed")
	}
	_, stderr, code = run(t, 1, "step", "--weights", weights, "--batch", good, "--batch", wrong, "--out", out)
	require.Equal(t, command.ExitInput, code)
	require.Contains(t, stderr, wrong+": target[0] is 3")
	stdout, stderr, code := run(t, 1, "step", "--weights", weights, "--resume", saved, "--batch", good, "--gradients", "--json", "--out", out)
	require.Equal(t, command.ExitDone, code, stderr)
	require.Equal(t, "{\"loss\":0.125}\n", stdout, "a pass that is no step has no number")
	five := []string{"step", "--weights", weights, "--out", out, "--total-steps", "4"}
	for range 5 {
		five = append(five, "--batch", good)
	}
	stdout, stderr, code = run(t, 1, five...)
	require.Equal(t, command.ExitUsage, code)
	require.Contains(t, stderr, "5 batches from step 0 on are more than the 4 steps of the training")
	require.Empty(t, stdout, "no step has been computed")
	stdout, stderr, code = run(t, 1, append(five[:len(five)-4:len(five)-4], "--resume", saved)...) // three batches after a step
	require.Equal(t, command.ExitDone, code, stderr)
	require.Contains(t, stdout, "step 3")
	_, stderr, code = run(t, 1, append(five[:len(five)-2:len(five)-2], "--resume", saved)...)
	require.Equal(t, command.ExitUsage, code)
	require.Contains(t, stderr, "4 batches from step 1 on")
	_, stderr, code = run(t, 1, append(five, "--gradients")...)
	require.Equal(t, command.ExitDone, code, stderr)
	large := file(t, "large", map[string]any{"w": []float32{1, 3e38, 4}, "still": []float32{7}})
	for _, more := range [][]string{nil, {"--gradients", "--json"}} {
		stdout, stderr, code = run(t, 1, append([]string{"step", "--weights", large, "--batch", good, "--out", out}, more...)...)
		require.Equal(t, command.ExitInput, code)
		require.Contains(t, stderr, "the loss is +Inf: not a finite number")
		require.Empty(t, stdout)
	}
}

// TestVersion checks what is told about the trainings.
func TestVersion(t *testing.T) {
	stdout, _, code := run(t, 2, "version")
	require.Equal(t, command.ExitDone, code)
	require.Contains(t, stdout, "training fake: spec sha256 0123456789ab…, kernels go, 3 of 4 parameters trained, up to 3 sequences of 4 tokens per step\n")
	stdout, _, code = run(t, 2, "version", "--json")
	require.Equal(t, command.ExitDone, code)
	require.Contains(t, stdout, `"name":"other","spec_sha256":"0123456789abcdef","isas":["go"]`)
}

// TestFaults checks exit codes and messages of wrong command lines and wrong inputs.
func TestFaults(t *testing.T) {
	weights := file(t, "weights", map[string]any{"w": []float32{1, 2, 4}, "still": []float32{7}})
	batch := func(tensors map[string]any) string {
		all := map[string]any{"ids": []int32{1, 2, 3}, "starts": []int32{0, 3}, "target": []int32{1}}
		for name, v := range tensors {
			if all[name] = v; v == nil {
				delete(all, name)
			}
		}
		return file(t, "batch", all)
	}
	good, out := batch(nil), filepath.Join(t.TempDir(), "out")
	step := func(more ...string) []string {
		return append([]string{"step", "--weights", weights, "--out", out}, more...)
	}
	for _, c := range []struct {
		want string
		code int
		args []string
	}{
		{"a verb is missing", command.ExitUsage, nil},
		{`unknown verb "run" (there are: step train bench version)`, command.ExitUsage, []string{"run"}},
		{"step needs --batch FILE", command.ExitUsage, step()},
		{"either --weights FILE or --random-weights SEED is needed", command.ExitUsage, []string{"step", "--batch", good, "--out", out}},
		{"leave out --generator", command.ExitUsage, []string{"bench", "--random-weights", "1", "--generator", weights}},
		{"has no generator", command.ExitUsage, []string{"bench", "--weights", weights, "--generator", weights}},
		{"a seed is a whole number", command.ExitUsage, []string{"bench", "--random-weights", "x"}},
		{"--save and --gradients contradict each other", command.ExitUsage, step("--batch", good, "--gradients", "--save", out)},
		{"--out is given twice", command.ExitUsage, step("--batch", good, "--out", out)},
		{"--threads -1", command.ExitUsage, step("--batch", good, "--threads", "-1")},
		{"--isa", command.ExitUsage, step("--batch", good, "--isa", "nonsense")},
		{"this package has no kernels for it", command.ExitUsage, step("--batch", good, "--isa", "avx2")},
		{"it lacks the target \"target\"", command.ExitInput, step("--batch", batch(map[string]any{"target": nil}))},
		{"the target \"target\" is F32, it must be I32", command.ExitInput, step("--batch", batch(map[string]any{"target": []float32{1}}))},
		{"target[0] is 3: it must be less than 3", command.ExitInput, step("--batch", batch(map[string]any{"target": []int32{3}}))},
		{"tensor \"more\" is not a part of a batch", command.ExitInput, step("--batch", batch(map[string]any{"more": []int32{3}}))},
		{"it lacks the tensor \"ids\"", command.ExitInput, step("--batch", batch(map[string]any{"ids": nil}))},
		{"w", command.ExitInput, []string{"step", "--weights", good, "--batch", good, "--out", out}},
		{"is not a checkpoint", command.ExitInput, step("--batch", good, "--resume", good)},
		{"no such file", command.ExitInput, step("--batch", filepath.Join(t.TempDir(), "absent"))},
		{"the limit of a step is 3 sequences", command.ExitUsage, []string{"bench", "--batch", "4"}},
		{"the limit of a sequence is 4 tokens", command.ExitUsage, []string{"bench", "--batch", "1", "--tokens", "5"}},
		{"the limit of a step is 8 tokens", command.ExitUsage, []string{"bench", "--batch", "3", "--tokens", "4"}},
		{"--min-time -1s", command.ExitUsage, []string{"bench", "--min-time", "-1s"}},
	} {
		_, stderr, code := run(t, 1, c.args...)
		require.Equal(t, c.code, code, "%v: %s", c.args, stderr)
		require.Contains(t, stderr, c.want)
	}
	_, stderr, code := run(t, 2, "bench")
	require.Equal(t, command.ExitUsage, code)
	require.Contains(t, stderr, "--model is needed: this binary holds fake other")
	epochs := fake()
	epochs.Optimizers[0].Rate = rate.Schedule{Peak: 0.5, Course: rate.Linear}
	var printed, errs bytes.Buffer
	models := []trainprogram.Model{{Name: "epochs", Program: epochs}}
	code = trainprogram.Run(t.Context(), models, step("--batch", good), command.Streams{Out: &printed, Err: &errs})
	require.Equal(t, command.ExitInput, code)
	require.Contains(t, errs.String(), "set them with Steps or --total-steps")
}
