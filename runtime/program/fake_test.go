package program

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// The model of these tests is a bag of words: logit[c] = Σ table[id][c] over the tokens. The id of a word is its hash. The word panic, twice in a
// row, makes the model panic.
const (
	fakeVocab  = 100
	fakeLabels = 3
	idPanic    = 98
	fakeEnv    = "DEBERTAC_PROGRAM_TEST"
)

// TestMain runs the test binary as the program under test if a test asks for it.
func TestMain(m *testing.M) {
	switch os.Getenv(fakeEnv) {
	case "one":
		Main([]Model{{Name: "fake", Program: fakeProgram(), Precision: "f32"}})
	case "two":
		Main([]Model{{Name: "fake", Program: fakeProgram()}, {Name: "other", Program: fakeProgram()}})
	}
	os.Exit(m.Run())
}

func fakeProgram() *engine.Program {
	return &engine.Program{
		Name: "fake",
		Want: engine.Want{SpecHash: strings.Repeat("ab", 32), Layout: "test/1", Tensors: []engine.TensorWant{
			{Name: "table", DType: safetensors.F32, Len: fakeVocab * fakeLabels},
			{Name: engine.TokenizerTensor, DType: safetensors.U8, Len: -1, Optional: true},
		}},
		ISAs:   []cpu.ISA{cpu.ISAGo},
		Limits: engine.Limits{Vocab: fakeVocab, SequenceTokens: 64, BatchSequences: 16, BatchTokens: 256},
		Heads: []engine.Head{{Name: "kind", Task: tasktable.Labels, C: fakeLabels, Labels: []string{"ham", "spam", "ümlaut"}},
			{Name: "rows", Task: tasktable.Tags, Rows: engine.PerToken, C: fakeLabels}},
		Arena:     func(s engine.Sizes) int64 { return int64(s.T) * 64 },
		Bind:      fakeBind,
		Tokenizer: func(string, []byte) (tokenizer.Tokenizer, error) { return fakeTokenizer{}, nil },
	}
}

func fakeBind(w *engine.Weights, _ cpu.ISA) (engine.NewForward, error) {
	table := w.F32("table")
	return func(x *engine.Exec) (engine.Forward, error) {
		sum := func(_, _ int) { // the one step
			clear(x.Out)
			for s := range x.Sequences() {
				for t := x.Starts[s]; t < x.Starts[s+1]; t++ {
					if x.IDs[t] == idPanic && t > x.Starts[s] && x.IDs[t-1] == idPanic {
						panic("the word panic")
					}
					row := s
					if x.Head == 1 {
						row = int(t)
					}
					for c := range fakeLabels {
						x.Out[row*fakeLabels+c] += table[int(x.IDs[t])*fakeLabels+c]
					}
				}
			}
		}
		return func() error {
			if err := x.Layer("sum"); err != nil {
				return err
			}
			x.Run(1, sum)
			if err := x.Layer("end"); err != nil { // reports a panic of the step
				return err
			}
			if x.Tracing() {
				x.Trace("logits", x.Out, len(x.Out)/fakeLabels, fakeLabels)
			}
			return nil
		}, nil
	}, nil
}

type fakeTokenizer struct{}

func (fakeTokenizer) AppendIDs(dst []int32, text string, _ bool) ([]int32, error) {
	for _, w := range strings.Fields(text) {
		if w == "unencodable" {
			return nil, errors.New("no id for it")
		}
		if w == "gigantic" {
			return nil, fmt.Errorf("a text of 40000000 bytes: %w", runtime.ErrTooLong)
		}
		dst = append(dst, fakeID(w))
	}
	return dst, nil
}

func (fakeTokenizer) Frame() tokenizer.Frame {
	return tokenizer.Frame{Open: []int32{1}, Middle: []int32{2}, Close: []int32{2}}
}

func fakeID(word string) int32 {
	if word == "panic" {
		return idPanic
	}
	h := fnv.New32a()
	h.Write([]byte(word))
	return int32(3 + h.Sum32()%90)
}

// fakeTable returns the model's weights: small multiples, whose sums are exact.
func fakeTable() []float32 {
	table := make([]float32, fakeVocab*fakeLabels)
	for i := range table {
		table[i] = float32((i*7919)%41-20) / 16
	}
	return table
}

// fakeLogits returns the logits that the model must compute for a text.
func fakeLogits(texts ...string) []float32 {
	ids, _ := fakeTokenizer{}.AppendIDs([]int32{1}, texts[0], false)
	for _, t := range texts[1:] {
		ids, _ = fakeTokenizer{}.AppendIDs(append(ids, 2), t, false)
	}
	ids = append(ids, 2)
	table, out := fakeTable(), make([]float32, fakeLabels)
	for _, id := range ids {
		for c := range out {
			out[c] += table[int(id)*fakeLabels+c]
		}
	}
	return out
}

func argmax(x []float32) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

// fakeWeights writes the packed file.
func fakeWeights(t testing.TB, tokenizer bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fake.weights")
	meta := engine.Meta{Layout: "test/1", SpecHash: strings.Repeat("ab", 32)}
	decls := []engine.TensorDecl{{Name: "table", DType: safetensors.F32, Len: fakeVocab * fakeLabels}}
	if tokenizer {
		meta.Tokenizer = "words"
		decls = append(decls, engine.TensorDecl{Name: engine.TokenizerTensor, DType: safetensors.U8, Len: 1})
	}
	w, err := engine.CreateWeights(path, meta, decls)
	require.NoError(t, err)
	require.NoError(t, w.WriteF32("table", fakeTable()))
	if tokenizer {
		require.NoError(t, w.Write(engine.TokenizerTensor, []byte{0}))
	}
	require.NoError(t, w.Close())
	return path
}

// result is the outcome of one run of the program.
type result struct {
	code     int
	out, err string
}

// runIn runs the program in this process.
func runIn(t testing.TB, stdin string, args ...string) result {
	t.Helper()
	var out, errs bytes.Buffer
	models := []Model{{Name: "fake", Program: fakeProgram(), Precision: "f32"}}
	code := Run(context.Background(), models, args, Streams{In: strings.NewReader(stdin), Out: &out, Err: &errs})
	return result{code, out.String(), errs.String()}
}

// command returns the program as a process of its own.
func call(t testing.TB, models string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(exe, args...)
	cmd.Env = append(os.Environ(), fakeEnv+"="+models)
	return cmd
}

// write writes a file into a folder of the test and returns its path.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o666))
	return path
}
