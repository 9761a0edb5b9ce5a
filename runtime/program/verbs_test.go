package program

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	goruntime "runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/appended"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/safetensors"
)

// int32File writes a safetensors file of I32 tensors.
func int32File(t testing.TB, tensors map[string][]int32) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "in.safetensors")
	f, err := os.Create(path)
	require.NoError(t, err)
	defer f.Close()
	var list []safetensors.Tensor
	for name, v := range tensors {
		list = append(list, safetensors.Tensor{Name: name, DType: safetensors.I32, Shape: []int{len(v)}})
	}
	w, err := safetensors.NewWriter(f, nil, list)
	require.NoError(t, err)
	for _, name := range w.Order() {
		var b []byte
		for _, v := range tensors[name] {
			b = append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24))
		}
		require.NoError(t, w.Write(name, b))
	}
	require.NoError(t, w.Close())
	return path
}

func TestForward(t *testing.T) {
	w, out := fakeWeights(t, false), filepath.Join(t.TempDir(), "out.safetensors")
	in := int32File(t, map[string][]int32{"ids": {5, 6, 7, 8}, "starts": {0, 3, 4}})
	table := fakeTable()
	at := func(id, c int) float32 { return table[id*fakeLabels+c] }
	for head, want := range map[string][]float32{
		"kind": {at(5, 0) + at(6, 0) + at(7, 0), at(5, 1) + at(6, 1) + at(7, 1), at(5, 2) + at(6, 2) + at(7, 2), at(8, 0), at(8, 1), at(8, 2)},
		"rows": table[5*fakeLabels : 9*fakeLabels],
	} {
		r := runIn(t, "", "forward", "--weights", w, "--batch", in, "--out", out, "--head", head)
		require.Equal(t, ExitDone, r.code, r.err)
		f, err := safetensors.Open(out)
		require.NoError(t, err)
		for _, name := range []string{"logits", OutputTensor} {
			require.NoError(t, f.Check(name, len(want)/fakeLabels, fakeLabels))
			got := make([]float32, len(want))
			require.NoError(t, f.Floats(name, got))
			require.Equal(t, want, got)
		}
		require.NoError(t, f.Close())
	}
	for want, tensors := range map[string]map[string][]int32{
		"lacks the tensor \"starts\"":         {"ids": {1}},
		"\"mask\" is not a part of a batch":   {"ids": {1}, "starts": {0, 1}, "mask": {1}},
		"id 100 is outside the vocabulary":    {"ids": {100}, "starts": {0, 1}},
		"the model has no token types":        {"ids": {1}, "starts": {0, 1}, "types": {0}},
		"positions must rise":                 {"ids": {1, 1}, "starts": {0, 2}, "positions": {3, 3}},
		"Starts ends at 1, there are 2 token": {"ids": {1, 1}, "starts": {0, 1}},
	} {
		r := runIn(t, "", "forward", "--weights", w, "--batch", int32File(t, tensors), "--out", out)
		assert.Equal(t, ExitInput, r.code, want)
		assert.Contains(t, r.err, want)
	}
}

// TestInputsAreKept checks that no output replaces the weights or the batch, after links.
func TestInputsAreKept(t *testing.T) {
	defer disk.GuardInputs()() // Main calls it too
	w := fakeWeights(t, false)
	in := int32File(t, map[string][]int32{"ids": {5, 6}, "starts": {0, 2}})
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(in, link))
	for _, c := range []struct {
		file string
		args []string
	}{
		{in, []string{"forward", "--weights", w, "--batch", in, "--out", in}},
		{in, []string{"forward", "--weights", w, "--batch", in, "--out", link}},
		{w, []string{"forward", "--weights", w, "--batch", in, "--out", w}},
		{w, []string{"bench", "--weights", w, "--batch", "1", "--tokens", "4", "--starts", "0", "--min-time", "1ms", "--cpuprofile", w}},
	} {
		before, err := os.ReadFile(c.file)
		require.NoError(t, err)
		r := runIn(t, "", c.args...)
		require.Equal(t, ExitUsage, r.code, r.err)
		require.Contains(t, r.err, "this file is also an input of the command, read as "+c.file)
		after, err := os.ReadFile(c.file)
		require.NoError(t, err)
		require.Equal(t, before, after)
	}
}

func TestBench(t *testing.T) {
	t.Setenv(fakeEnv, "one") // bench starts fresh processes of the test binary
	w := fakeWeights(t, true)
	r := runIn(t, "", "bench", "--weights", w, "--batch", "2", "--tokens", "16", "--threads", "1", "--min-time", "50ms", "--starts", "2", "--flops", "1e6",
		"--json")
	require.Equal(t, ExitDone, r.code, r.err)
	var b benchRow
	require.NoError(t, json.Unmarshal([]byte(r.out), &b))
	require.Equal(t, []any{2, 16.0, 1, "go", "f32"}, []any{b.Batch, b.Tokens, b.Threads, b.ISA, b.Precision})
	require.GreaterOrEqual(t, b.Calls, leastCalls)
	require.Positive(t, b.MinMS)
	require.True(t, b.MinMS <= b.P50MS && b.P50MS <= b.P90MS && b.P90MS <= b.P99MS)
	require.InEpsilon(t, 16*b.SequencesPerSecond, b.TokensPerSecond, 1e-9)
	require.InEpsilon(t, b.SequencesPerSecond/2*1e6/1e9, b.GFLOPS, 1e-9)
	require.Less(t, b.Allocs, 1.0, "a call allocates nothing")
	require.Positive(t, b.StartMS)
	require.Less(t, b.StartMS, 10e3)
	if goruntime.GOOS == "linux" {
		require.Greater(t, b.RSSMiB, 1.0)
	}
	lengths := write(t, "lengths.txt", "3 5\n8\n1 64\n")
	r = runIn(t, "", "bench", "--weights", w, "--batch", "2", "--lengths", lengths, "--min-time", "20ms", "--starts", "0")
	require.Equal(t, ExitDone, r.code, r.err)
	require.Contains(t, r.out, "2 sequences of 16.2 tokens per call")
	for text, want := range map[string]string{"3\nx": ":2: \"x\" is not a number of tokens", "": "it holds no lengths",
		"3\n65": ":2: 65 tokens, the limit of a sequence is 64"} {
		r = runIn(t, "", "bench", "--weights", w, "--lengths", write(t, "bad.txt", text), "--starts", "0")
		require.Equal(t, ExitInput, r.code)
		require.Contains(t, r.err, want)
	}
}

// TestBenchLimits checks that sizes above the model's limits are refused before memory of such a size is allocated.
func TestBenchLimits(t *testing.T) {
	w := fakeWeights(t, true)
	for _, c := range []struct{ batch, tokens, want string }{
		{"1000000000", "1", "--batch 1000000000: the limit of a batch is "},
		{"9223372036854775807", "1", "--batch 9223372036854775807: the limit of a batch is "},
		{"1", "9223372036854775807", "--tokens 9223372036854775807: the limit of a sequence is 64 tokens"},
		{"8", "64", "--batch 8 --tokens 64: the limit of a batch is "},
	} {
		r := runIn(t, "", "bench", "--weights", w, "--batch", c.batch, "--tokens", c.tokens, "--starts", "0")
		require.Equal(t, ExitUsage, r.code, r.err)
		require.Contains(t, r.err, c.want)
	}
}

// TestBenchSteps checks that --steps reports the time of each step of a pass, and the time between the steps.
func TestBenchSteps(t *testing.T) {
	w := fakeWeights(t, true)
	profile := filepath.Join(t.TempDir(), "cpu.pprof")
	r := runIn(t, "", "bench", "--weights", w, "--batch", "2", "--tokens", "16", "--min-time", "20ms", "--starts", "0", "--steps", "--cpuprofile", profile,
		"--json")
	require.Equal(t, ExitDone, r.code, r.err)
	var b benchRow
	require.NoError(t, json.Unmarshal([]byte(r.out), &b))
	require.NotEmpty(t, b.StepMS)
	require.Equal(t, 32, b.Extents.T)
	require.Equal(t, 2*16*16, b.Extents.P)
	sum := b.BetweenMS
	for _, ms := range b.StepMS {
		sum += ms
	}
	require.Less(t, sum, 20*b.P50MS, "the steps are parts of a call")
	text, err := os.ReadFile(profile)
	require.NoError(t, err)
	require.Equal(t, []byte{0x1f, 0x8b}, text[:2], "a profile is compressed with gzip")
	r = runIn(t, "", "bench", "--weights", w, "--tokens", "16", "--min-time", "20ms", "--starts", "0", "--cpuprofile", filepath.Join(t.TempDir(), "no", "such"))
	require.Equal(t, ExitInput, r.code, r.err)
	require.Contains(t, r.err, "--cpuprofile: ")
}

func TestFirst(t *testing.T) {
	for _, tokenizer := range []bool{true, false} {
		cmd := call(t, "one", "first", "--weights", fakeWeights(t, tokenizer), "--threads", "1")
		out, err := cmd.CombinedOutput()
		require.NoError(t, err, string(out))
		require.True(t, strings.HasPrefix(string(out), "ready\n"), string(out))
		if goruntime.GOOS == "linux" {
			require.Contains(t, string(out), "the result of 16 tokens came about")
		}
	}
}

func TestProcessAge(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("only Linux tells when a process began")
	}
	before := processAge()
	time.Sleep(50 * time.Millisecond)
	after := processAge()
	require.Positive(t, before)
	require.GreaterOrEqual(t, after-before, 50*time.Millisecond)
	require.Less(t, after, time.Hour)
}

func TestDoctor(t *testing.T) {
	w := fakeWeights(t, true)
	r := runIn(t, "", "doctor", "--weights", w)
	require.Equal(t, ExitDone, r.code, r.err)
	for _, want := range []string{"processor", "caches", "kernels       go (compiled: go", "every tensor holds what was packed", "tokenizer     words",
		"first output"} {
		assert.Contains(t, r.out, want)
	}
	r = runIn(t, "", "doctor", "--weights", w, "--json")
	var d doctorReport
	require.NoError(t, json.Unmarshal([]byte(r.out), &d))
	require.True(t, d.Hashes)
	require.True(t, d.Model.SelfTest.Ran)
	text, err := os.ReadFile(w)
	require.NoError(t, err)
	text[len(text)-600] ^= 1 // a value of the table, which 64 bytes of tokenizer follow: Open does not notice, doctor must
	r = runIn(t, "", "doctor", "--weights", write(t, "bad.weights", string(text)))
	require.Equal(t, ExitInput, r.code, r.out)
	require.Contains(t, r.out, "DAMAGED")
	require.Contains(t, r.err, "table")
}

func TestSeconds(t *testing.T) {
	for d, want := range map[time.Duration]string{
		1500 * time.Microsecond: "1.5 ms", 999 * time.Millisecond: "999 ms", 12345 * time.Millisecond: "12.35 s", 90*time.Second + 4*time.Millisecond: "1m30s",
	} {
		require.Equal(t, want, seconds(d))
	}
}

func TestVersion(t *testing.T) {
	r := runIn(t, "", "version")
	require.Equal(t, ExitDone, r.code)
	require.Contains(t, r.out, "model fake: spec sha256 abab")
	r = runIn(t, "", "version", "--json")
	var v versionReport
	require.NoError(t, json.Unmarshal([]byte(r.out), &v))
	require.Equal(t, goruntime.Version(), v.Go)
	require.Equal(t, []string{"go"}, v.Models[0].ISAs)
}

// TestWeightsInside appends weights to the test binary and runs it as a program of two models.
func TestWeightsInside(t *testing.T) {
	exe, err := os.Executable()
	require.NoError(t, err)
	text, err := os.ReadFile(exe)
	require.NoError(t, err)
	own := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(own, text, 0o777))
	require.NoError(t, appended.Append(own, []appended.Source{{Name: "other", Path: fakeWeights(t, true)}}))
	run := func(args ...string) result {
		cmd := exec.Command(own, args...)
		cmd.Env = append(os.Environ(), fakeEnv+"=two")
		var out, errs strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &errs
		_ = cmd.Run() // the exit code tells
		return result{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
	}
	r := run("run", "--json", "--model", "other", "hello")
	require.Equal(t, ExitDone, r.code, r.err)
	require.Equal(t, fakeLogits("hello"), decode(t, r.out)[0].Logits)
	r = run("run", "--model", "fake", "hello")
	require.Equal(t, ExitUsage, r.code)
	require.Contains(t, r.err, "--weights FILE is needed: there are no weights of fake")
	r = run("run", "hello")
	require.Equal(t, ExitUsage, r.code)
	require.Contains(t, r.err, "--model is needed: this binary holds fake other")
}

// TestWeightsCutWhileOpen makes the file of weights empty between two lines of the input. The error must not be reported as a fault of the program.
func TestWeightsCutWhileOpen(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("elsewhere the file is read, or cannot be cut while it is mapped")
	}
	weights := fakeWeights(t, true)
	in, text := io.Pipe()
	out, results := io.Pipe()
	go func() {
		fmt.Fprintln(text, "hello")
		_, err := bufio.NewReader(out).ReadString('\n')
		assert.NoError(t, err)
		assert.NoError(t, os.Truncate(weights, 0))
		fmt.Fprintln(text, "again")
		text.Close()
		_, _ = io.Copy(io.Discard, out)
	}()
	var errs bytes.Buffer
	code := Run(t.Context(), []Model{{Name: "fake", Program: fakeProgram()}}, []string{"run", "--weights", weights, "--json", "--quiet"},
		Streams{In: in, Out: results, Err: &errs})
	require.NoError(t, results.Close())
	require.Equal(t, ExitInput, code, errs.String())
	require.Contains(t, errs.String(), weights+": the file of weights changed or became shorter while it was open")
	require.NotContains(t, errs.String(), "fault of the program")
}

// TestVerify changes one bit of a matrix. Only --verify and doctor find it.
func TestVerify(t *testing.T) {
	weights := fakeWeights(t, true)
	text, err := os.ReadFile(weights)
	require.NoError(t, err)
	r := runIn(t, "", "run", "--verify", "--weights", weights, "hello")
	require.Equal(t, ExitDone, r.code, r.err)
	at := bytes.Index(text, safetensors.FloatBytes(fakeTable()[:8]))
	require.Positive(t, at)
	text[at+2] ^= 1
	require.NoError(t, os.WriteFile(weights, text, 0o600))
	r = runIn(t, "", "run", "--weights", weights, "hello")
	require.Equal(t, ExitDone, r.code, r.err)
	for _, args := range [][]string{{"run", "--verify", "hello"}, {"bench", "--verify"}, {"first", "--verify"}, {"doctor"}} {
		r := runIn(t, "", append(args, "--weights", weights)...)
		require.Equal(t, ExitInput, r.code, args)
		require.Contains(t, r.err, `tensor "table": its values are not those that were packed`, args)
	}
}
