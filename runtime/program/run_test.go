package program

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
)

// decode reads the JSON lines of a result.
func decode(t testing.TB, out string) []runtime.Classification {
	t.Helper()
	var list []runtime.Classification
	d := json.NewDecoder(strings.NewReader(out))
	d.DisallowUnknownFields()
	for {
		var c runtime.Classification
		if err := d.Decode(&c); err == io.EOF {
			return list
		} else {
			require.NoError(t, err)
		}
		list = append(list, c)
	}
}

func gz(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func TestRunInputs(t *testing.T) {
	w := fakeWeights(t, true)
	texts := []string{"good morning", "buy now", "", "see you \"there\""}
	var jsonl, lines, table strings.Builder
	table.WriteString("id,text\r\n")
	for i, s := range texts {
		b, _ := json.Marshal(map[string]any{"text": s, "id": i})
		jsonl.Write(append(b, '\n'))
		lines.WriteString(s + "\r\n")
		fmt.Fprintf(&table, "%d,\"%s\"\n", i, strings.ReplaceAll(s, `"`, `""`))
	}
	for name, r := range map[string]result{
		"arguments":   runIn(t, "", append([]string{"run", "--json", "--weights", w}, texts...)...),
		"lines":       runIn(t, lines.String(), "run", "--weights", w, "--json"),
		"lines file":  runIn(t, "", "run", "--weights", w, "--json", "--input", write(t, "a.txt", lines.String())),
		"jsonl":       runIn(t, "", "run", "--weights", w, "--json", "--input", write(t, "a.jsonl", jsonl.String())),
		"jsonl stdin": runIn(t, "\n"+jsonl.String(), "run", "--weights", w, "--json", "--input", "-"),
		"jsonl gz":    runIn(t, "", "run", "--weights", w, "--json", "--input", write(t, "a.jsonl.gz", gz(t, jsonl.String()))),
		"csv":         runIn(t, "", "run", "--weights", w, "--json", "--input", write(t, "a.csv", table.String())),
		"csv mark gz": runIn(t, gz(t, "\xef\xbb\xbf"+table.String()), "run", "--weights", w, "--json", "--input", "-", "--format", "csv"),
	} {
		require.Equal(t, ExitDone, r.code, "%s: %s", name, r.err)
		got := decode(t, r.out)
		require.Len(t, got, len(texts), name)
		for i, s := range texts {
			want := fakeLogits(s)
			assert.Equal(t, want, got[i].Logits, "%s: %q", name, s)
			assert.Equal(t, argmax(want), got[i].Index)
			assert.Equal(t, len(strings.Fields(s))+2, got[i].Tokens)
		}
		assert.Contains(t, r.err, "4 texts, ", name)
		assert.Contains(t, r.err, "none was cut", name)
		assert.Contains(t, r.err, " on go with ", name)
	}
}

func TestRunPairsAndSinglesKeepOrder(t *testing.T) {
	w := fakeWeights(t, true)
	var in strings.Builder
	var want [][]float32
	for i := range 500 {
		a, b := fmt.Sprintf("first %d", i), fmt.Sprintf("second %d", i)
		if i%3 == 0 {
			fmt.Fprintf(&in, `{"text":%q,"pair":%q}`+"\n", a, b)
			want = append(want, fakeLogits(a, b))
		} else {
			fmt.Fprintf(&in, `{"text":%q,"pair":null}`+"\n", a)
			want = append(want, fakeLogits(a))
		}
	}
	r := runIn(t, in.String(), "run", "--weights", w, "--json", "--input", "-")
	require.Equal(t, ExitDone, r.code, r.err)
	got := decode(t, r.out)
	require.Len(t, got, len(want))
	for i := range want {
		require.Equal(t, want[i], got[i].Logits, i)
	}
}

func TestRunForPeople(t *testing.T) {
	w := fakeWeights(t, true)
	r := runIn(t, "", "run", "--weights", w, "good\x1b[31m morning", "--quiet")
	require.Equal(t, ExitDone, r.code, r.err)
	require.Empty(t, r.err)
	rows := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
	require.Len(t, rows, 1+fakeLabels)
	require.Equal(t, "good\uFFFD[31m morning  (4 tokens)", rows[0], "control characters do not reach the terminal")
	var score float64
	for i, row := range rows[1:] {
		var label string
		var s float64
		_, err := fmt.Sscan(row, &label, &s)
		require.NoError(t, err)
		if i > 0 {
			require.LessOrEqual(t, s, score, "best first")
		}
		score = s
		require.Equal(t, 10, len([]rune(row[:strings.Index(row, "0.")])), "scores are aligned: %q", row)
	}
	r = runIn(t, "", "run", "--weights", w, "--top", "1", "good")
	require.Contains(t, r.out, "… 2 more")
}

func TestRunLongTexts(t *testing.T) {
	w := fakeWeights(t, true)
	long := strings.TrimSpace(strings.Repeat("word ", 100))
	in := write(t, "a.jsonl", fmt.Sprintf("{\"text\":\"fine\"}\n\n{\"text\":%q}\n{\"text\":\"after\"}\n", long))
	r := runIn(t, "", "run", "--weights", w, "--json", "--input", in)
	require.Equal(t, ExitInput, r.code)
	require.Len(t, decode(t, r.out), 1, "what comes before the fault is printed")
	require.Contains(t, r.err, in+":3: 102 tokens are too long, the limit is 64: cut it with --long truncate")
	r = runIn(t, "", "run", "--weights", w, "--json", "--input", in, "--long", "truncate")
	require.Equal(t, ExitDone, r.code, r.err)
	got := decode(t, r.out)
	require.Equal(t, []int{0, 38, 0}, []int{got[0].Truncated, got[1].Truncated, got[2].Truncated})
	require.Contains(t, r.err, "1 of them cut at")
	r = runIn(t, "", "run", "--weights", w, "--json", "--input", in, "--long", "windows:8", "--max-tokens", "32")
	require.Equal(t, ExitDone, r.code, r.err)
	require.Equal(t, 102, decode(t, r.out)[1].Tokens)
}

func TestRunFaultyInput(t *testing.T) {
	w := fakeWeights(t, true)
	for _, c := range []struct{ name, text, want string }{
		{"a.jsonl", "{\"text\":\"x\"}\n{\"text\":\n", ":2: not a JSON object: at byte"},
		{"a.jsonl", "[1]\n", ":1: not a JSON object with a text"},
		{"a.jsonl", "{\"title\":\"x\",\"body\":1}\n", ":1: the object has no field \"text\" (it has: \"body\" \"title\")"},
		{"a.jsonl", "{\"text\":5}\n", ":1: \"text\" is 5, it must be a string"},
		{"a.jsonl", "{\"text\":\"x\",\"pair\":[]}\n", ":1: \"pair\" is [], it must be a string"},
		{"a.jsonl", "{\"text\":\"x\xff\"}\n", ":1: not valid UTF-8"},
		{"a.csv", "", ":1: a table needs a header"},
		{"a.csv", "id,body\n1,x\n", ":1: no column \"text\" in the header (its columns: id, body)"},
		{"a.csv", "text,text\n1,x\n", ":1: two columns are named \"text\""},
		{"a.csv", "id,text\n1,x\n2\n", ":3: wrong number of fields"},
		{"a.csv", "id,text\n1,\"x\n2,y\n", "\""},
		{"a.jsonl.gz", "\x1f\x8bnonsense", ": damaged gzip file"},
		{"a.jsonl.gz", gz(t, "{\"text\":\"x\"}\n")[:20], ": it cannot be read: unexpected EOF"},
		{"a.txt", "good\nan unencodable text\n", ":2: it cannot be encoded: no id for it"},
	} {
		path := write(t, c.name, c.text)
		r := runIn(t, "", "run", "--weights", w, "--json", "--input", path)
		assert.Equal(t, ExitInput, r.code, "%q", c.text)
		assert.Contains(t, r.err, path, "%q", c.text)
		assert.Contains(t, r.err, c.want, "%q", c.text)
	}
	for want, args := range map[string][]string{
		"argument 2: it cannot be encoded": {"good", "unencodable"},
		"no such file":                     {"--input", "missing.jsonl"},
	} {
		r := runIn(t, "", append([]string{"run", "--weights", w}, args...)...)
		assert.Equal(t, ExitInput, r.code)
		assert.Contains(t, r.err, want)
	}
}

func TestAccuracy(t *testing.T) {
	w := fakeWeights(t, true)
	labels := []string{"ham", "spam", "ümlaut"}
	var in strings.Builder
	for i := range 8 {
		text := fmt.Sprint("text ", i)
		best := argmax(fakeLogits(text))
		switch {
		case i < 2: // wrong
			fmt.Fprintf(&in, `{"text":%q,"label":%q}`+"\n", text, labels[(best+1)%3])
		case i < 5:
			fmt.Fprintf(&in, `{"text":%q,"label":%q}`+"\n", text, labels[best])
		default:
			fmt.Fprintf(&in, `{"text":%q,"label":%d}`+"\n", text, best)
		}
	}
	run := func(in string, more ...string) result {
		return runIn(t, in, append([]string{"run", "--weights", w, "--input", "-", "--quiet", "--accuracy"}, more...)...)
	}
	r := run(in.String())
	require.Equal(t, ExitDone, r.code, r.err)
	require.Equal(t, "accuracy 75.00 % (6 of 8)\n", r.err)
	require.Equal(t, ExitDone, run(in.String(), "--min-accuracy", "75").code)
	r = run(in.String(), "--examples", "2", "--json")
	require.Len(t, decode(t, r.out), 2, "the others are counted, not printed")
	require.Equal(t, "accuracy 75.00 % (6 of 8)\n", r.err)
	r = run(in.String(), "--min-accuracy", "75.1")
	require.Equal(t, ExitCheck, r.code)
	require.Contains(t, r.err, "below 75.1 %")
	r = run("{\"text\":\"x\"}\n")
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.err, "standard input:1: no \"label\"")
	r = run("{\"text\":\"x\",\"label\":\"eggs\"}\n")
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.err, "the model has no label \"eggs\" (it has: ham, spam, ümlaut)")
	r = run("{\"text\":\"x\",\"label\":[1]}\n")
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.err, "the model has no label \"[1]\"")
	require.Equal(t, ExitDone, runIn(t, "{\"text\":\"x\",\"label\":[1]}\n", "run", "--weights", w, "--input", "-").code, "labels matter to --accuracy only")
	require.Equal(t, ExitInput, run("").code, "an accuracy of nothing")
}

func TestUsage(t *testing.T) {
	w := fakeWeights(t, true)
	for _, args := range [][]string{
		{}, {"walk"}, {"run", "--nonsense"}, {"run", "--weights", w, "--long", "sometimes", "x"}, {"run", "--weights", w, "--special", "maybe", "x"},
		{"run", "--weights", w, "--top", "0", "x"}, {"run", "--weights", w, "--examples", "-2", "x"}, {"run", "--weights", w, "--examples", "-1",
			"x"}, {"run", "--weights", w, "--examples", "1.5", "x"}, {"run", "--weights", w, "--max-tokens", "-1", "x"}, {"run", "x"},
		{"run", "--weights", w, "--input", "a", "x"},
		{"run", "--weights", w, "--min-accuracy", "5", "x"}, {"run", "--weights", w, "--isa", "mmx", "x"}, {"run", "--weights", w, "--head", "tail",
			"x"}, {"run", "--weights", w, "--model", "other", "x"},
		{"run", "--weights", w, "--threads", "-1", "x"}, {"run", "--weights", w, "--format", "csv", "x"}, {"bench", "--weights", w, "x"}, {"forward",
			"--weights", w},
		{"bench", "--batch", "0"}, {"bench", "--min-time", "0s"}, {"bench", "--flops", "NaN"},
	} {
		r := runIn(t, "", args...)
		assert.Equal(t, ExitUsage, r.code, "%q: %s", args, r.err)
		assert.Empty(t, r.out)
		assert.NotEmpty(t, r.err)
	}
	for _, args := range [][]string{{"--help"}, {"help"}, {"run", "--help"}, {"bench", "-h"}, {"first", "--help"}, {"forward", "--help"},
		{"doctor", "--help"}, {"version", "--help"}} {
		r := runIn(t, "", args...)
		assert.Equal(t, ExitDone, r.code)
		assert.NotEmpty(t, r.out)
		if len(args) == 2 {
			assert.Contains(t, r.out, "Example: ")
		}
	}
	for _, args := range [][]string{{"--version"}, {"-v"}, {"-version", "--json"}} {
		r := runIn(t, "", args...)
		assert.Equal(t, ExitDone, r.code)
		assert.Contains(t, r.out, "debertac")
	}
	help := runIn(t, "", "help", "bench")
	assert.Equal(t, runIn(t, "", "bench", "--help").out, help.out)
	assert.Equal(t, ExitUsage, runIn(t, "", "help", "nonsense").code)
	assert.Equal(t, ExitUsage, runIn(t, "", "help", "run", "bench").code)
	for name, args := range map[string][]string{
		"input":   {"run", "--weights", w, "--input", "a", "--input", "b"},
		"weights": {"run", "--weights", w, "x", "-weights=" + w},
		"json":    {"run", "--json", "--weights", w, "--json", "x"},
		"tokens":  {"bench", "--tokens", "4", "--tokens", "5"},
		"out":     {"forward", "--out", "a", "--out", "a"},
	} {
		r := runIn(t, "", args...)
		assert.Equal(t, ExitUsage, r.code, "%q", args)
		assert.Contains(t, r.err, args[0]+": --"+name+" is given twice")
	}
	r := runIn(t, "", "run", "--quiet", "--weights", w, "--json", "one", "--", "--json")
	require.Len(t, decode(t, r.out), 2, "texts that look like flags follow --")
}

func TestWeightFaults(t *testing.T) {
	w := fakeWeights(t, true)
	text, err := os.ReadFile(w)
	require.NoError(t, err)
	text[20] ^= 1
	for _, args := range [][]string{{"--weights", write(t, "bad.weights", string(text))}, {"--weights", "missing"}} {
		r := runIn(t, "", append([]string{"run", "x"}, args...)...)
		assert.Equal(t, ExitInput, r.code, r.err)
	}
	r := runIn(t, "", "run", "--weights", fakeWeights(t, false), "x")
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.err, "without a tokenizer")
}

func TestFaultOfTheProgram(t *testing.T) {
	r := runIn(t, "", "run", "--weights", fakeWeights(t, true), "do not panic panic")
	require.Equal(t, ExitFault, r.code)
	require.Contains(t, r.err, "internal error: the word panic")
	require.Contains(t, r.err, "fake_test.go", "it says where")
}

func TestChunkAdapts(t *testing.T) {
	l := &job{chunk: leastChunk}
	for range 20 {
		l.adapt(l.chunk, time.Millisecond)
	}
	require.Equal(t, queueRecords, l.chunk)
	l.adapt(l.chunk, 200*time.Millisecond)
	l.adapt(3, time.Millisecond) // the time of a chunk that is not full does not count
	require.Equal(t, queueRecords, l.chunk)
	for range 20 {
		l.adapt(l.chunk, time.Second)
	}
	require.Equal(t, leastChunk, l.chunk)
}

// TestInterrupt types a line, reads its result at once, and stops the program while it waits for the next. The exit code names the signal.
func TestInterrupt(t *testing.T) {
	for signal, want := range map[syscall.Signal]int{syscall.SIGINT: ExitInterrupted, syscall.SIGTERM: ExitTerminated} {
		cmd := call(t, "one", "run", "--weights", fakeWeights(t, true), "--json")
		in, err := cmd.StdinPipe()
		require.NoError(t, err)
		out, err := cmd.StdoutPipe()
		require.NoError(t, err)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		require.NoError(t, cmd.Start())
		_, err = io.WriteString(in, "hello\n")
		require.NoError(t, err)
		buf := make([]byte, 4096)
		n, err := out.Read(buf)
		require.NoError(t, err)
		require.Len(t, decode(t, string(buf[:n])), 1)
		require.NoError(t, cmd.Process.Signal(signal))
		timeout := time.AfterFunc(20*time.Second, func() { cmd.Process.Kill() })
		defer timeout.Stop()
		require.Error(t, cmd.Wait())
		require.Equal(t, want, cmd.ProcessState.ExitCode(), errs.String())
		require.Contains(t, errs.String(), "stopped")
	}
}

// TestStopWhileWaiting checks that Ctrl-C ends a program that waits for input, as it does at a terminal until somebody types.
func TestStopWhileWaiting(t *testing.T) {
	silent, silence := io.Pipe()
	defer silence.Close()
	weights := fakeWeights(t, true)
	models := []Model{{Name: "fake", Program: fakeProgram(), Precision: "f32"}}
	for _, more := range [][]string{nil, {"--input", "-"}} {
		ctx, stop := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, stop)
		code := make(chan int, 1)
		go func() {
			code <- Run(ctx, models, append([]string{"run", "--weights", weights}, more...), Streams{In: silent, Out: io.Discard, Err: io.Discard})
		}()
		select {
		case got := <-code:
			require.Equal(t, ExitInterrupted, got)
		case <-time.After(10 * time.Second):
			t.Fatal("it goes on waiting")
		}
	}
}

// TestRunISA asks for instruction sets that this program does not have, by the flag and by the environment. Both are faults of the input.
func TestRunISA(t *testing.T) {
	p := taskProgram(tagsHead, nil, tagsOf)
	for _, set := range []string{"avx2", "mmx"} {
		r := runTask(t, p, false, "", "--isa", set, "paris")
		require.Equal(t, ExitUsage, r.code, r.err)
		t.Setenv(cpu.EnvISA, set)
		r = runTask(t, p, false, "", "paris")
		require.Equal(t, ExitUsage, r.code, r.err)
		require.Contains(t, r.err, cpu.EnvISA+" asks for ")
		r = runTask(t, p, false, "", "--isa", "go", "paris")
		require.Equal(t, ExitDone, r.code, "the flag goes before the variable: %s", r.err)
	}
}
