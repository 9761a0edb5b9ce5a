package spec_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec"
)

// trainWords lists statements of train blocks; some fit one head only, and some exclude others. In the place of @ stands a count, of ~ a share and of ^ a rate.
var trainWords = []string{
	"length @ tokens", "precision bf16", "clip ~", "memory <= @ MiB",
	"optimizer adamw(rows: touched)", "optimizer radam(betas: ~ ~, eps: ^)", "optimizer lamb(decay: ~ except norm)", "optimizer sgd(momentum: ~)",
	"lookahead @ steps", "lookahead @ steps mix ~",
	"freeze embed", "freeze encoder[1 .. @]", "freeze relative, encoder, head", "freeze absolute.pos",
	"lora q, v rank @", "lora k rank @ alpha @ dropout ~", "lora kr rank @",
	"smooth ~", "weigh labels @ @", "weigh labels @ @ @", "negatives @ from batch",
	"mask @ %", "mask @ % of words runs <= @", "mask @ % of tokens keep @ % random @ %",
	"replace from m.mlm", "replace from m.mlm share embed.token, absolute.pos", "replace from m.mlm share embed.token stopping gradient",
	"updates apart", "updates together", "weight @", "also ar.mlm share all weight ~", "also m.mlm share all",
	"sift { }", "sift { ascend @; loss kl; weight ~ }",
}

// trainRates, trainBatches and trainEnds are statements that a train block must have.
var (
	trainRates = []string{"rate ^", "rate ^ warmup @ steps then linear", "rate ^ warmup @ % then cosine to 1e-7",
		"rate ^ warmup @ % then polynomial @ from start", "rate ^ warmup @ % then linear from start layers ~"}
	trainBatches = []string{"batch @ sequences", "batch 8 sequences in parts of @"}
	trainEnds    = []string{"epochs @", "steps 60@ steps"}
	trainHeads   = []string{"m.nli", "m.mlm", "m.rtd", "m.names", "m.near", "m.grade", "ar.mlm"}
)

// trainNumbers lists what stands for the marks in these statements. The last number of each mark is out of range in most places.
var trainNumbers = map[string][]string{"@": {"1", "2", "3", "4", "0"}, "~": {"0.1", "0.25", "0.5", "0.9", "2"}, "^": {"1e-3", "2e-4", "5e-5", "1e-6", "7"}}

// trainModels is what the drawn trainings are about.
const trainModels = `dspec 1
model m like deberta_base { checkpoint own; dim layers = 4 }
model ar like m { encoder.attention.mask j <= i }
head nli on m { take first; linear hidden; act; linear 2 as labels("x", "y"); loss focal }
head mlm on m.emd { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head mlm on ar { take each; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head rtd on m { take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy }
head names on m { take words(first); prompt labels mark "a" end "b"; spans <= 3 markers; loss binary_cross_entropy }
head near on m { take mean; loss contrastive }
head grade on m { take mean; linear 1 as score; loss pairwise }
`

// TestDrawnTrainings draws train blocks. Whatever they hold, faults have places, and the layout and the statements of a training mean the training again.
func TestDrawnTrainings(t *testing.T) {
	draws := 800
	if testing.Short() {
		draws = 80
	}
	r := rand.New(rand.NewPCG(5, 8))
	one := func(list []string) string {
		text := list[r.IntN(len(list))]
		for mark, numbers := range trainNumbers {
			for strings.Contains(text, mark) {
				n := r.IntN(4)
				if r.IntN(16) == 0 {
					n = 4
				}
				text = strings.Replace(text, mark, numbers[n], 1)
			}
		}
		return text
	}
	right := 0
	for range draws {
		words := []string{one(trainRates), one(trainBatches), one(trainEnds)}
		for range r.IntN(3) {
			words = append(words, one(trainWords))
		}
		head := one(trainHeads)
		text := trainModels + fmt.Sprintf("train t on %s { %s }\n", head, strings.Join(words, "; "))
		holds(t, []byte(text))
		s, faults := spec.ParseAndResolve("f.dspec", []byte(text))
		if faults.HasErrors() {
			continue
		}
		right++
		again := good(t, "f.dspec", []byte(trainModels+fmt.Sprintf("train t on %s {\n%s\n}\n", head, strings.Join(s.Trains[0].Statements(), "\n"))))
		require.Equal(t, spec.Dump(s), spec.Dump(again))
	}
	require.Greater(t, right, draws/5)
	t.Logf("%d of %d trainings have no fault", right, draws)
}
