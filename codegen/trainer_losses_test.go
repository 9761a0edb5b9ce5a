package codegen_test

import "testing"

// lossSpec holds a training for each loss, and for each word that changes targets. The vocabulary of m is large enough for losses by chunks.
const lossSpec = `dspec 1
model m like deberta_v3_base {
    checkpoint own
    dim vocab = 4100
    dim hidden = 16
    dim heads = 2
    dim inner = 20
    dim layers = 2
    dim span = 4
    dim reach = 9
    dim seq <= 40
}
head spans on m { take words(first); linear 12; dropout 0.1; prompt labels mark "<<ENT>>" end "<<SEP>>"; spans <= 3 markers; loss focal }
head tokens on m {
    take words(mean); linear 12; lstm 8 both; prompt labels mark "<<ENT>>" end "<<SEP>>"; tokens start end inside; loss focal(alpha: 0.75, gamma: 1.5)
}
model ar like m { encoder.attention.mask j <= i }
head lm on ar { take each; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head rtd on m { take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy }
head near on m { take mean; loss contrastive(temperature: 0.5) }
head alike on m { take mean; loss cosine_similarity }
head better on m { take first; linear 1 as score; loss pairwise }
head ranked on m { take first; linear 1 as score; loss listwise }
head tags on m { take each; linear 3 as labels("a", "b", "c"); loss cross_entropy }
head many on m { take first; linear 3 as labels("a", "b", "c"); loss binary_cross_entropy }
head pick on m { take first; linear 1 as choices; loss cross_entropy }
head mlm on m { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
train spans on m.spans { batch 8 sequences in parts of 4; epochs 1; rate 1e-3 }
train tokens on m.tokens { batch 8 sequences; epochs 1; rate 1e-3; smooth 0.1 }
train near on m.near { batch 8 sequences; epochs 1; rate 1e-3 }
train alike on m.alike { batch 8 sequences in parts of 4; epochs 1; rate 1e-3 }
train better on m.better { batch 8 sequences; epochs 1; rate 1e-3 }
train ranked on m.ranked { batch 8 sequences; epochs 1; rate 1e-3 }
train tags on m.tags { batch 8 sequences in parts of 4; epochs 1; rate 1e-3; smooth 0.1; weigh labels 1 0.5 5 }
train many on m.many { batch 8 sequences; epochs 1; rate 1e-3; smooth 0.1; weigh labels 1 0.5 5 }
train pick on m.pick { batch 8 sequences; epochs 1; rate 1e-3; smooth 0.1 }
train mlm on m.mlm { batch 8 sequences; epochs 1; rate 1e-3; smooth 0.1 }
train both on m.mlm { batch 8 sequences in parts of 4; epochs 1; rate 1e-3; also ar.lm share all weight 0.5 }
train words on m.mlm { batch 8 sequences; epochs 1; rate 1e-3; mask 30 % of words runs <= 3 keep 10 % random 10 % }
train pair on m.rtd { batch 8 sequences in parts of 4; epochs 1; rate 1e-3; replace from m.mlm; mask 20 % of words runs <= 2; updates apart }
train twins on m.rtd { batch 8 sequences in parts of 4; epochs 1; rate 1e-3; optimizer sgd; replace from m.mlm share embed.token; updates apart }
train asked on m.spans { batch 8 sequences; epochs 1; rate 1e-3; negatives 1.5 from batch }
target t {
    emit train spans; emit train tokens; emit train near; emit train better; emit train ranked; emit train tags; emit train many; emit train pick
    emit train alike; emit train mlm; emit train both; emit train words; emit train pair; emit train asked; emit train twins
}
`

// twinsTest checks that the updates of two optimizers, which share a table, both change it.
const twinsTest = `package twins

import (
	"math"
	"testing"

	"github.com/debertac/debertac/runtime/trainer"
)

func TestTwins(t *testing.T) {
	p := Program()
	p.Optimizers[0].Rate.Peak = 5 // large changes of a table without much rounding
	const of, twin = "generator.embed.token", "discriminator.embed.token"
	tr, err := trainer.Draw(p, 1, trainer.Threads(1), trainer.Steps(100))
	if err != nil {
		t.Fatal(err)
	}
	defer tr.Close()
	read := func(from func(string) ([]float32, error), name string) []float32 {
		list, err := from(name)
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	before := read(tr.Tensor, of)
	b, err := p.RandomBatch([]int{9, 17}, 3)
	if err != nil {
		t.Fatal(err)
	}
	r, err := tr.Step(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	after, other := read(tr.Tensor, of), read(tr.Tensor, twin)
	g, h := read(tr.Gradient, of), read(tr.Gradient, twin)
	both := 0
	for i, was := range before {
		want := float64(was) - r.Rate*(float64(g[i])+float64(h[i]))
		if math.Abs(want-float64(after[i])) > 1e-6 || after[i] != other[i] {
			t.Fatalf("element %d is %v and %v, want %v", i, after[i], other[i], want)
		}
		if math.Abs(r.Rate*float64(g[i])) > 1e-5 && math.Abs(r.Rate*float64(h[i])) > 1e-5 {
			both++
		}
	}
	if both == 0 {
		t.Fatal("no element is changed by both optimizers")
	}
}
`

// TestTrainersOfLosses builds a training package for each loss and runs the packages' own tests: all instruction sets, any number of threads, a pause, parts
// of a batch.
func TestTrainersOfLosses(t *testing.T) {
	testPackages(t, lossSpec, map[string]string{"twins/twins_test.go": twinsTest})
}
