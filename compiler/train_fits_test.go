package compiler_test

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// needs matches the memory that a step needs, in MiB.
var needs = regexp.MustCompile(`needs ([0-9.]+) MiB, more than memory`)

// boundTraining compiles a training with these statements, each by its word, and returns the fault of its memory bound, or nil.
func boundTraining(t *testing.T, head string, statements map[string]string) *diag.Diag {
	t.Helper()
	var lines []string
	for word, rest := range statements {
		lines = append(lines, word+" "+rest)
	}
	s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+`model small like m { dim layers = 2 }
head fill on small { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head rtd on m { take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy }
model ar like m { encoder.attention.mask j <= i }
head lm on ar { take each; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
train tune on `+head+" {\n"+strings.Join(lines, "\n")+"\n}\ntarget t { emit train tune as package \"p\" }\n"))
	require.Empty(t, faults, "%s: %v", head, statements)
	_, faults, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	if len(faults) == 0 {
		return nil
	}
	require.Len(t, faults, 1)
	require.Equal(t, diag.Code("memory-bound"), faults[0].Code, faults)
	return faults[0]
}

// TestMemoryHints types the hint about a training beyond its memory bound, and checks that it fits then.
func TestMemoryHints(t *testing.T) {
	kinds := map[string]bool{}
	for _, c := range []struct{ head, batch, words string }{
		{"m.nli", "8 sequences", ""},
		{"m.nli", "8 sequences in parts of 4", "clip 1.0; optimizer sgd(momentum: 0.9)"},
		{"m.nli", "8 sequences", "freeze embed, relative, encoder[1 .. 2]"},
		{"m.nli", "8 sequences", "lora q rank 2"},
		{"m.nli", "8 sequences", "optimizer sgd(rows: touched)"},
		{"m.nli", "8 sequences", "lookahead 5 steps"},
		{"m.near", "8 sequences", ""},
		{"m.choice", "8 sequences", ""},
		{"m.amount", "8 sequences", "sift { }"},
		{"m.nli", "8 sequences", "sift { }"},
		{"m.mlm", "8 sequences", "also ar.lm share all"},
		{"m.rtd", "8 sequences", "replace from small.fill share embed.token stopping gradient"},
	} {
		with := func(memory string) map[string]string {
			list := map[string]string{"batch": c.batch, "length": "24 tokens", "steps": "10 steps", "rate": "1e-3"}
			if word, rest, ok := strings.Cut(c.words, " "); ok {
				list[word] = rest
			}
			list["memory"] = memory
			return list
		}
		d := boundTraining(t, c.head, with("<= 0.01 MiB"))
		require.Regexp(t, `^memory <= \d+ MiB$`, d.Hint, "nothing fits so little")
		need, err := strconv.ParseFloat(needs.FindStringSubmatch(d.Message)[1], 64)
		require.NoError(t, err)
		for _, share := range []float64{0.9, 0.6, 0.4} {
			list := with(fmt.Sprintf("<= %.3f MiB", need*share))
			d := boundTraining(t, c.head, list)
			if d == nil {
				continue
			}
			for _, statement := range strings.Split(d.Hint, "; ") {
				word, rest, _ := strings.Cut(statement, " ")
				list[word] = rest
				kinds[word] = true
			}
			require.Nil(t, boundTraining(t, c.head, list), "%s of %s: %s", list["memory"], c.head, d.Hint)
		}
	}
	require.Equal(t, map[string]bool{"batch": true, "length": true, "lora": true, "memory": true}, kinds)
}
