package compiler_test

import (
	"math"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
)

// words compiles a training of the small model with statements after those of its batch.
func words(t *testing.T, statements string) *ir.Program {
	t.Helper()
	s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+"train tune on m.nli { batch 8 sequences; length 24 tokens\n"+statements+`
}
target t { emit train tune as package "p" }
`))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	require.Empty(t, faults)
	return units[0].Program
}

// TestNumbersOfWords checks the numbers of a step for each word of the optimizer and of the learning rate.
func TestNumbersOfWords(t *testing.T) {
	for statements, want := range map[string]ir.UpdateNumbers{
		"steps 70 steps; rate 3e-3": {Kind: "adamw", Beta1: 0.9, Beta2: 0.999, Eps: 1e-6, Correct: true, Peak: 3e-3, Steps: 70, Course: "constant"},
		"steps 70 steps; rate 3e-3 warmup 7 steps then linear; optimizer adamw(betas: 0.8 0.95, eps: 1e-7, correct: no)": {Kind: "adamw", Beta1: 0.8,
			Beta2: 0.95, Eps: 1e-7, Peak: 3e-3, Steps: 70, Warmup: 7, Course: "linear"},
		"steps 70 steps; rate 3e-3 warmup 15 % then cosine to 1e-4; optimizer radam(betas: 0.7 0.9, eps: 1e-5); lookahead 6 steps mix 0.3": {Kind: "radam",
			Beta1: 0.7, Beta2: 0.9, Eps: 1e-5, Correct: true, Peak: 3e-3, Final: 1e-4, Steps: 70, Share: 0.15, Course: "cosine", Every: 6},
		"epochs 2; rate 3e-3 warmup 9 % then polynomial 3 from start to 1e-5; optimizer lamb(eps: 1e-4)": {Kind: "lamb", Beta1: 0.9, Beta2: 0.999, Eps: 1e-4,
			Correct: true, Peak: 3e-3, Final: 1e-5, Share: 0.09, Course: "polynomial", Power: 3, FromStart: true},
		"steps 5 steps; rate 3e-3 warmup 1 steps then linear from start; optimizer sgd(momentum: 0.4)": {Kind: "sgd", Peak: 3e-3, Steps: 5, Warmup: 1,
			Course: "linear", FromStart: true},
	} {
		got := words(t, statements).Training.Updates
		require.Len(t, got, 1)
		require.Equal(t, want, *got[0].Numbers, statements)
	}
}

// TestNodesOfWords checks the attributes of the nodes that each word of the optimizer and of the learning rate decides.
func TestNodesOfWords(t *testing.T) {
	for _, c := range []struct {
		statements, op string
		want           map[string]float64
	}{
		{"optimizer adamw(betas: 0.8 0.95, decay: 0.03)", "adamw", map[string]float64{"beta1": 0.8, "beta2": 0.95, "decay": 0.03}},
		{"optimizer radam(betas: 0.7 0.9, decay: 0.04)", "adamw", map[string]float64{"beta1": 0.7, "beta2": 0.9, "decay": 0.04}},
		{"optimizer lamb(betas: 0.7 0.9, decay: 0.05)", "lamb_moments", map[string]float64{"beta1": 0.7, "beta2": 0.9, "decay": 0.05}},
		{"optimizer lamb(decay: 0.05)", "lamb", map[string]float64{"decay": 0.05}},
		{"optimizer sgd(momentum: 0.4, decay: 0.06)", "sgd", map[string]float64{"momentum": 0.4, "decay": 0.06}},
		{"clip 0.7", "clip", map[string]float64{"limit": 0.7}},
		{"lookahead 6 steps mix 0.3", "lookahead", map[string]float64{"mix": 0.3}},
		{"lookahead 6 steps", "lookahead", map[string]float64{"mix": 0.5}},
	} {
		found := 0
		for _, r := range words(t, "steps 70 steps; rate 3e-3; "+c.statements).Regions {
			for _, n := range r.Nodes {
				if n.Op != c.op {
					continue
				}
				found++
				for name, want := range c.want {
					require.Equal(t, want, n.Float(name), "%s: %s of %s", c.statements, name, n.Out[0].Name)
				}
			}
		}
		require.NotZero(t, found, c.statements)
	}
}

// TestDecayOfWords checks which tensors have no decay.
func TestDecayOfWords(t *testing.T) {
	for except, decays := range map[string]func(norm, bias bool) bool{
		"":                  func(bool, bool) bool { return true },
		" except norm":      func(norm, _ bool) bool { return !norm },
		" except bias":      func(_, bias bool) bool { return !bias },
		" except norm bias": func(norm, bias bool) bool { return !norm && !bias },
	} {
		seen := 0
		for _, r := range words(t, "steps 70 steps; rate 3e-3; optimizer adamw(decay: 0.03"+except+")").Regions {
			for _, n := range r.Nodes {
				if n.Op != "adamw" {
					continue
				}
				seen++
				name := n.In[0].Name
				norm, bias := normTensor.MatchString(name), biasTensor.MatchString(name)
				require.Equal(t, decays(norm, bias), n.Float("decay") == 0.03, "%s with decay%s", name, except)
			}
		}
		require.Greater(t, seen, 10)
	}
}

// TestRatesOfWords checks the factor of the learning rate of each depth: the head's is 1, that of the embeddings has the power of all layers and one more.
func TestRatesOfWords(t *testing.T) {
	by := map[float64]bool{}
	for _, r := range words(t, "steps 70 steps; rate 3e-3 layers 0.5").Regions {
		for _, n := range r.Nodes {
			if n.Op == "scale" && r.Name == "update_rates" {
				by[n.Float("by")] = true
			}
		}
	}
	want := map[float64]bool{}
	for power := range 4 + 2 { // four layers
		want[math.Pow(0.5, float64(power))] = true
	}
	require.Equal(t, want, by)
}

var (
	normTensor = regexp.MustCompile(`norm[0-9]*\.(weight|bias)$`)
	biasTensor = regexp.MustCompile(`bias$`)
)

// TestFrozenConvolution checks that a convolution is frozen with the layer that it stands beside, and has its learning rate.
func TestFrozenConvolution(t *testing.T) {
	for _, c := range []struct {
		freeze string
		frozen bool
	}{{"encoder[3]", true}, {"encoder[1]", false}, {"encoder[4]", false}} {
		s, faults := spec.ParseAndResolve("small.dspec", []byte(strings.Replace(trained, "beside layer 1", "beside layer 3", 1)+
			"train tune on m.nli { batch 8 sequences; steps 10 steps; rate 1e-3 layers 0.5; freeze "+c.freeze+` }
target t { emit train tune as package "p" }
`))
		require.Empty(t, faults)
		units, faults, err := compiler.Compile(s, compiler.Options{})
		require.NoError(t, err)
		require.Empty(t, faults)
		found := 0
		for _, p := range units[0].Program.Training.Params {
			if strings.HasPrefix(p.Name, "conv.") {
				found++
				require.Equal(t, c.frozen, p.Grad == "", "%s with freeze %s", p.Name, c.freeze)
			}
		}
		require.NotZero(t, found)
		for _, r := range units[0].Program.Regions {
			for _, n := range r.Nodes {
				if n.Op == "scale" && strings.HasPrefix(n.Out[0].Name, "update.rate.conv") {
					found = -1
					require.Equal(t, 0.25, n.Float("by"), "the third of four layers is two below the head")
				}
			}
		}
		require.Equal(t, !c.frozen, found < 0, "the rate of a convolution that is trained")
	}
}
