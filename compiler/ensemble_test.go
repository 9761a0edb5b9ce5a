package compiler_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/spec"
)

// twoMembers is an ensemble of two equal heads.
const twoMembers = `dspec 1
model a {
    checkpoint own; tokenizer none
    dim vocab = 500; dim hidden = 32; dim heads = 2; dim head = hidden / heads; dim inner = 40; dim layers = 1; dim seq <= 32
    defaults { norm layernorm(eps: 1e-7); act gelu }
    embed { token vocab; norm }
    encoder layers {
        attention { q, k, v = linear(x); score q[i]·k[j]; scale 1 / sqrt(head * terms); mask j }
        ffn inner
    }
}
model b like a { dim layers = 2 }
head c on a { HEAD }
head c on b { HEAD }
ensemble both { member a.c; member b.c; MEAN }
target t { batch <= 8 sequences; tokens <= 256; emit infer both }
`

// meanWord returns the statement for what is averaged, or "" for numbers that have no probabilities.
func meanWord(mean string) string {
	if mean == "" {
		return ""
	}
	return "mean " + mean
}

// TestEnsembleMeans checks the mean of each kind of head: only rows of logits of labels have probabilities of their own.
func TestEnsembleMeans(t *testing.T) {
	labels := `linear 3 as labels("O", "B-X", "I-X")`
	for _, c := range []struct{ head, mean, join, fault string }{
		{"take first; " + labels, "probabilities", "softmax_rows", ""},
		{"take first; " + labels, "logits", "", ""},
		{"take first; " + labels + "; loss binary_cross_entropy", "probabilities", "sigmoid", ""},
		{"take each; " + labels, "probabilities", "softmax_rows", ""},
		{"take each; linear 1; loss binary_cross_entropy", "probabilities", "sigmoid", ""},
		{"take each; linear 4", "", "", ""},
		{"take mean; linear 4", "", "", ""},
		{"take first; linear 1 as score", "", "", ""},
		{"take each; linear 2 as span", "logits", "", ""},
		{"take each; linear 2 as span", "probabilities", "", "over the tokens of a text"},
		{"take first; linear 1 as choices", "logits", "", ""},
		{"take first; linear 1 as choices", "probabilities", "", "over options"},
		{"take each; " + labels + "; crf", "logits", "", "no mean is defined"},
	} {
		f, faults := spec.Parse("both.dspec", []byte(strings.NewReplacer("HEAD", c.head, "MEAN", meanWord(c.mean)).Replace(twoMembers)))
		require.Empty(t, faults, c.head)
		s, faults := spec.Resolve(f)
		require.Empty(t, faults, c.head)
		units, faults, err := compiler.Compile(s, compiler.Options{})
		require.NoError(t, err, c.head)
		if c.fault != "" {
			require.True(t, faults.HasErrors(), c.head)
			require.Contains(t, faults[0].Message, c.fault)
			continue
		}
		require.Empty(t, faults, c.head)
		regions := units[0].Program.Regions
		join := ""
		for _, n := range regions[len(regions)-1].Nodes {
			if strings.HasPrefix(n.Op, "softmax") || n.Op == "sigmoid" {
				join = n.Op
			}
		}
		require.Equal(t, c.join, join, "%s, mean %s", c.head, c.mean)
	}
}

// TestEnsemblesInPlainGo checks that the warning names every member.
func TestEnsemblesInPlainGo(t *testing.T) {
	text := strings.NewReplacer("HEAD", "take first; linear 4", "MEAN", meanWord("logits"), "dim layers = 2",
		"dim layers = 2; encoder.attention { mix score }").Replace(twoMembers)
	f, faults := spec.Parse("both.dspec", []byte(text))
	require.Empty(t, faults)
	s, faults := spec.Resolve(f)
	require.Empty(t, faults)
	early := compiler.NotYet(s)
	require.Len(t, early, 1)
	require.Contains(t, early[0].String(), "both.dspec:12:54: warning: no kernel mixes heads")
}

// TestEnsembleNumbers compares an ensemble's numbers with the weighted mean of its members', computed here from theirs.
func TestEnsembleNumbers(t *testing.T) {
	mean := func(of ...float64) float64 { return (3*of[0] + of[1]) / 4 } // the members weigh 3 and 1
	sigmoid := func(x float64) float64 { return 1 / (1 + math.Exp(-x)) }
	for head, c := range map[string]struct {
		mean string
		want func(a, b float64) float64
	}{
		"take first; linear 3 as labels(\"x\", \"y\", \"z\"); loss binary_cross_entropy": {"probabilities", func(a, b float64) float64 {
			p := mean(sigmoid(a), sigmoid(b))
			return math.Log(p / (1 - p)) // the logit of the mean probability
		}},
		"take first; linear 3 as labels(\"x\", \"y\", \"z\")": {"logits", func(a, b float64) float64 { return mean(a, b) }},
		"take first; linear 1 as score":                       {"", func(a, b float64) float64 { return mean(a, b) }},
	} {
		text := strings.NewReplacer("HEAD", head, "MEAN", meanWord(c.mean), "member a.c", "member a.c weight 3").Replace(twoMembers)
		p := compileTo(t, text, "build")
		logits := map[string][]float64{}
		store := batchOf(rand.New(rand.NewPCG(3, 1)), p, 1, 9, 17)
		watch := func(_ string, _ int, v *ir.Value, a *ir.Array) error {
			logits[v.Name] = a.Floats()
			return nil
		}
		require.NoError(t, eval.Run(p, store, eval.From(shapesOf(p)), eval.Watch(watch)))
		got, a, b := store[p.Outputs[0]].Floats(), logits["a.c.logits"], logits["b.c.logits"]
		require.Len(t, a, len(got), "%s: %v", head, slices.Collect(maps.Keys(logits)))
		require.Len(t, b, len(got))
		for i := range got {
			require.InDelta(t, c.want(a[i], b[i]), got[i], 1e-9, "%s, output %d", head, i)
		}
		single := compileTo(t, strings.Replace(text, "emit infer both", "emit infer a.c", 1), "build")
		require.NotEqual(t, single.Meta.SpecHash, p.Meta.SpecHash, "an ensemble does not take its member's weights")
	}
}
