package codegen_test

import "testing"

// bf16Spec holds trainings in bf16: with each optimizer, in parts, with a layer that is computed again, adapters, a convolution and an LSTM, of two models, and
// with noise.
const bf16Spec = `dspec 1
model m like deberta_v3_base {
    checkpoint own
    dim vocab = 60; dim hidden = 36; dim heads = 2; dim inner = 20; dim layers = 3; dim span = 4; dim reach = 9; dim seq <= 40
}
model conv like m { encoder.conv { kernel 3; act gelu; beside layer 1 } }
model small like m { dim layers = 1 }
head nli on m { take first; linear hidden; act; linear 3 as labels("a", "b", "c"); loss cross_entropy }
head tags on conv { take each; linear 3 as labels("a", "b", "c"); loss cross_entropy }
head words on m {
    take words(mean); linear 12; lstm 8 both; prompt labels mark "<<ENT>>" end "<<SEP>>"; tokens start end inside; loss focal(alpha: 0.75, gamma: 1.5)
}
head mlm on small { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head rtd on m { take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy }
train plain on m.nli { batch 8 sequences; steps 100 steps; rate 1e-3; optimizer adamw(decay: 0.01); clip 1.0; precision bf16 master f32 }
train parts on conv.tags { batch 8 sequences in parts of 4; steps 100 steps; rate 1e-3; optimizer radam; precision bf16 }
train words on m.words { batch 8 sequences; steps 100 steps; rate 1e-3; optimizer sgd(momentum: 0.9); precision bf16 }
train adapters on m.nli { batch 8 sequences; steps 100 steps; rate 1e-3; lora q, v rank 4 alpha 8 dropout 0.05; precision bf16 }
train noise on m.nli { batch 8 sequences; steps 100 steps; rate 1e-3; sift { noise 1e-2; step 1e-4; ascend 1; weight 4 }; precision bf16 }
train replaced on m.rtd {
    batch 8 sequences; steps 100 steps; rate 1e-3; replace from small.mlm share embed.token stopping gradient; updates apart; precision bf16
}
target t { emit train plain; emit train parts; emit train words; emit train adapters; emit train noise; emit train replaced }
`

// overflowTest is a test of a package: a row of the token table is so large that a batch with the token overflows. The step of such a batch changes nothing and
// reports it; the steps after it have the bits of a training that never saw the batch.
const overflowTest = `package plain

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/trainer"
)

const overflow = 7 // the token

// weights writes drawn weights, in which the sum of a row of the table is not finite.
func weights(t *testing.T, p *trainer.Program) string {
	d, err := trainer.Draw(p, 1)
	check(t, err)
	defer d.Close()
	var list []safetensors.Tensor
	table := ""
	for _, q := range p.Params {
		if q.Shape[0] == p.Limits.Vocab {
			table = q.Name
		}
		list = append(list, safetensors.Tensor{Name: q.Name, DType: safetensors.F32, Shape: q.Shape})
	}
	path := filepath.Join(t.TempDir(), "model.safetensors")
	f, err := os.Create(path)
	check(t, err)
	w, err := safetensors.NewWriter(f, nil, list)
	check(t, err)
	found := false
	for _, name := range w.Order() {
		x, err := d.Tensor(name)
		check(t, err)
		if width := len(x) / p.Limits.Vocab; name == table {
			for i := range width {
				x[overflow*width+i], found = 3e38, true
			}
		}
		check(t, w.WriteFloats(name, x))
	}
	if !found {
		t.Fatal("there is no token table")
	}
	check(t, w.Close())
	check(t, f.Close())
	return path
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// saved returns the bytes of a checkpoint: the tensors, the optimizer's states and the number of the step.
func saved(t *testing.T, tr *trainer.Trainer) string {
	path := filepath.Join(t.TempDir(), "checkpoint.safetensors")
	check(t, tr.Save(path))
	text, err := os.ReadFile(path)
	check(t, err)
	return string(text)
}

func batch(ids ...int32) *trainer.Batch {
	return &trainer.Batch{Batch: runtime.Batch{IDs: ids, Starts: []int32{0, 3, int32(len(ids))}}, Integers: map[string][]int32{"target": {1, 2}}}
}

func TestOverflow(t *testing.T) {
	p := Program()
	path := weights(t, p)
	good := []*trainer.Batch{batch(1, 9, 2, 1, 30, 31, 2), batch(1, 8, 2, 1, 40, 2), batch(1, 11, 2, 1, 12, 13, 2)}
	bad := batch(1, overflow, 2, 1, 5, 6, 2)
	for _, isa := range p.ISAs {
		if !isa.Supported() {
			continue
		}
		through, err := trainer.Open(p, path, trainer.UseISA(isa.String()), trainer.Steps(100))
		check(t, err)
		without, err := trainer.Open(p, path, trainer.UseISA(isa.String()), trainer.Steps(100))
		check(t, err)
		for i, b := range good {
			before := saved(t, through)
			r, err := through.Step(t.Context(), bad)
			if !errors.Is(err, trainer.ErrNotFinite) {
				t.Fatalf("%v, step %d: the batch overflows, and the error is %v, the loss %v", isa, i, err, r.Loss)
			}
			if saved(t, through) != before {
				t.Fatalf("%v, step %d: a step that is not finite has changed something", isa, i)
			}
			got, err := through.Step(t.Context(), b)
			check(t, err)
			want, err := without.Step(t.Context(), b)
			check(t, err)
			if got.Loss != want.Loss || got.Step != i || saved(t, through) != saved(t, without) {
				t.Fatalf("%v: step %d differs after one that was not finite", isa, i)
			}
		}
		check(t, through.Close())
		check(t, without.Close())
	}
}
`

// TestTrainersOfBF16 builds packages of trainings in bf16 and runs their own tests, and one with numbers that overflow.
func TestTrainersOfBF16(t *testing.T) {
	testPackages(t, bf16Spec, map[string]string{"plain/overflow_test.go": overflowTest})
}
