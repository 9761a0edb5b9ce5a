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

// words compiles a training of a classifier with statements after those of its batch.
func words(t *testing.T, statements string) *ir.Program {
	t.Helper()
	return wordsOf(t, "nli", statements)
}

// wordsOf compiles a training of a head of the small model with statements after those of its batch.
func wordsOf(t *testing.T, head, statements string) *ir.Program {
	t.Helper()
	s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+"train tune on m."+head+" { batch 8 sequences; length 24 tokens\n"+statements+`
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

// TestDecayOfLSTM checks that the biases of an LSTM with the names of PyTorch are biases.
func TestDecayOfLSTM(t *testing.T) {
	s, faults := spec.ParseAndResolve("small.dspec", []byte(strings.NewReplacer("checkpoint own", "checkpoint hf.gliner",
		"encoder.conv { kernel 3; act tanh; beside layer 1 }", "").Replace(trained[:strings.Index(trained, "head nli")])+`
head ner on m {
    take words(first); linear 8; lstm 4 both
    prompt labels mark "<<ENT>>" end "<<SEP>>"
    spans <= 3 markers
    loss binary_cross_entropy
}
train tune on m.ner { batch 2 sequences; length 24 tokens; steps 9 steps; rate 1e-3; optimizer adamw(decay: 0.03 except bias) }
target t { emit train tune as package "p" }
`))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	require.Empty(t, faults)
	biases := 0
	for _, r := range units[0].Program.Regions {
		for _, n := range r.Nodes {
			if n.Op != "adamw" || !strings.Contains(n.In[0].Name, "lstm") {
				continue
			}
			bias := strings.Contains(n.In[0].Name, "bias")
			require.Equal(t, bias, n.Float("decay") == 0, n.In[0].Name)
			if bias {
				biases++
			}
		}
	}
	require.Equal(t, 4, biases)
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

// TestDropoutOfAdapters checks that what enters an adapter is dropped at its own rate, in the forward pass and in the backward pass.
func TestDropoutOfAdapters(t *testing.T) {
	for words, want := range map[string]int{"lora q, v rank 3 dropout 0.25": 4, "lora q rank 3 dropout 0.25": 2, "lora q, v rank 3": 0} {
		found := 0
		for _, r := range wordsOf(t, "nli", "steps 70 steps; rate 3e-3; "+words).Regions {
			for _, n := range r.Nodes {
				if n.Op == "dropout" && n.Float("rate") == 0.25 {
					found++
				}
			}
		}
		require.GreaterOrEqual(t, found, want, words)
		require.Equal(t, want > 0, found > 0, words)
	}
}

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

// TestBeginOfWords checks the noise of a batch, and how tensors begin that the weights may lack: an adapter's first matrix as torch.nn.Linear's weight does,
// its second at 0, and a head by the model's deviation.
func TestBeginOfWords(t *testing.T) {
	require.Equal(t, 0.07, words(t, "steps 70 steps; rate 3e-3; sift { noise 0.07 }").Training.Noise)
	plain := words(t, "steps 70 steps; rate 3e-3").Training
	require.Zero(t, plain.Noise)
	for _, p := range plain.Params {
		if p.New {
			require.Regexp(t, `^head\.`, p.Name)
			require.Equal(t, len(p.Shape) > 1, p.Init == ir.Init{Normal: 0.02}, p.Name)
		}
	}
	adapters := 0
	for _, p := range words(t, "steps 70 steps; rate 3e-3; lora q rank 3").Training.Params {
		switch {
		case strings.HasSuffix(p.Name, ".lora_A.weight"):
			adapters++
			require.Equal(t, []int{3, 12}, p.Shape)
			require.Equal(t, ir.Init{Uniform: 1 / math.Sqrt(12)}, p.Init)
		case strings.HasSuffix(p.Name, ".lora_B.weight"):
			require.Equal(t, ir.Init{}, p.Init)
		}
	}
	require.Equal(t, 4, adapters)
}

// TestBatchNumbers checks that a program in parts reads the numbers of the whole batch that it lists, and no others, and that another program reads none.
func TestBatchNumbers(t *testing.T) {
	const pair = `head rtd on m { take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy }
`
	for _, c := range []struct{ head, statements string }{
		{"nli", ""}, {"mlm", ""}, {"qa", ""}, {"many", ""}, {"bio", ""}, {"choice", ""}, {"better", ""}, {"ents", ""}, {"nli", "weigh labels 1 2 3"},
		{"nli", "sift { ascend 2 }"}, {"rtd", "replace from m.mlm"}, {"rtd", "replace from m.mlm; updates apart"},
	} {
		for _, batch := range []string{"batch 8 sequences", "batch 8 sequences in parts of 4"} {
			s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+pair+"train tune on m."+c.head+" { "+batch+"\n"+
				"length 24 tokens; steps 9 steps; rate 1e-3\n"+c.statements+"\n}\ntarget t { emit train tune as package \"p\" }\n"))
			require.Empty(t, faults)
			units, faults, err := compiler.Compile(s, compiler.Options{})
			require.NoError(t, err)
			require.Empty(t, faults)
			p := units[0].Program
			read, listed := map[string]bool{}, map[string]bool{}
			for _, r := range p.Regions {
				for _, v := range r.In {
					if strings.HasPrefix(v.Name, compiler.StoreCount) && v.Kind == ir.Batch {
						read[v.Name] = true
					}
				}
			}
			for _, n := range p.Training.Counts {
				listed[n.Name] = true
			}
			require.Equal(t, read, listed, "%s with %s, %s", c.head, batch, c.statements)
			require.Equal(t, strings.Contains(batch, "parts"), len(read) > 0, "%s with %s", c.head, batch)
		}
	}
}
