package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/examples/embed/spam"
	"github.com/debertac/debertac/runtime/cpu"
)

// TestLabel runs the code that main runs.
func TestLabel(t *testing.T) {
	long := strings.Repeat("the meeting notes are in the repository ", 60)
	var out bytes.Buffer
	require.NoError(t, label(t.Context(), strings.NewReader("you have won a prize, claim it now\n"+long+"\n"), &out))
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	require.Len(t, lines, 2)
	require.Regexp(t, `^spam\t0\.9\d+\tyou have won a prize, claim it now$`, lines[0])
	require.Regexp(t, `\t\(\d+ tokens at the end not read\)$`, lines[1])
}

// TestExpected compares labels and logits of the test mails with those that the reference computed in float64, on every instruction set of this
// processor. Portable Go is slow, so only the first mails run on it.
func TestExpected(t *testing.T) {
	type mail struct{ Text, Label string }
	type expected struct {
		Tokens int
		Logits []float32
		Label  string // the true one
	}
	mails := read[mail](t, "../../examples/spam/mails/test.jsonl.gz")
	want := read[expected](t, "../../examples/spam/expected.jsonl.gz")
	require.Len(t, want, len(mails))
	for _, isa := range cpu.SupportedISAs() {
		n := len(mails)
		switch {
		case isa == cpu.ISAGo:
			n = 20
		case testing.Short():
			n = 100
		}
		t.Run(isa.String(), func(t *testing.T) {
			model, err := spam.OpenBytes(weights, spam.Long(spam.Truncate), spam.UseISA(isa.String()))
			if err != nil {
				t.Skip(err) // the package has no kernels for this instruction set of the processor
			}
			defer model.Close()
			texts := make([]string, n)
			for i := range texts {
				texts[i] = mails[i].Text
			}
			results, err := model.Classify(t.Context(), texts)
			require.NoError(t, err)
			right := 0
			for i, r := range results {
				require.Equal(t, want[i].Tokens, r.Tokens, "mail %d", i)
				require.InDeltaSlice(t, want[i].Logits, r.Logits, 1e-4, "mail %d", i)
				require.Equal(t, want[i].Logits[1] > want[i].Logits[0], r.Label == "spam", "mail %d", i)
				if r.Label == mails[i].Label {
					right++
				}
			}
			if n == len(mails) {
				require.Equal(t, 586, right)
			}
		})
	}
}

// read reads a compressed file of JSON lines.
func read[T any](t *testing.T, path string) (list []T) {
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	for d := json.NewDecoder(z); d.More(); {
		var v T
		require.NoError(t, d.Decode(&v))
		list = append(list, v)
	}
	require.NotEmpty(t, list)
	return list
}
