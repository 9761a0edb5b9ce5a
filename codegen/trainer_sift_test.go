package codegen_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec"
)

// siftSpec is a small model with heads that are fine-tuned with perturbed inputs.
const siftSpec = `dspec 1
model m like deberta_v3_base {
    checkpoint own
    dim vocab = 40
    dim hidden = 20
    dim heads = 2
    dim inner = 10
    dim layers = 2
    dim span = 4
    dim reach = 9
    dim seq <= 40
    encoder.conv { kernel 3; act tanh; beside layer 1 }
}
head nli on m { take first; linear hidden; act; dropout 0.1; linear 3 as labels("a", "b", "c"); loss cross_entropy }
head amount on m { take first; linear 1 as score; loss mean_squared_error }
head qa on m { take each; linear 2 as span; loss cross_entropy }
head many on m { take mean; linear 2 as labels("a", "b"); loss binary_cross_entropy }
train nlis on m.nli {
    batch 12 sequences in parts of 6; length 40 tokens; steps 100 steps; optimizer adamw; rate 1e-3; sift { noise 0.1; step 0.01; ascend 2; weight 2 }
}
train amounts on m.amount { batch 6 sequences; length 40 tokens; steps 100 steps; optimizer sgd(momentum: 0.9); rate 1e-3; sift { noise 0.1; step 0.01 } }
train qas on m.qa { batch 6 sequences; length 40 tokens; steps 100 steps; optimizer radam; rate 1e-3; freeze embed; sift { loss mse } }
train manys on m.many { batch 6 sequences; length 40 tokens; steps 100 steps; optimizer adamw; rate 1e-3; lora q, v rank 2; sift { } }
target t { emit train nlis; emit train amounts; emit train qas; emit train manys }
`

// noiseTest is a test of the package nlis: where the delta of a batch comes from.
const noiseTest = `package nlis

import (
	"errors"
	"testing"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/trainer"
)

func TestNoise(t *testing.T) {
	p := Program()
	losses := map[uint64]float32{}
	for _, seed := range []uint64{3, 4, 3} {
		tr, err := trainer.Draw(p, 1, trainer.Seed(seed))
		if err != nil {
			t.Fatal(err)
		}
		defer tr.Close()
		b, err := p.RandomBatch([]int{33, 7, 19}, 1)
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Delta) != 0 {
			t.Fatal("a random batch has a delta")
		}
		loss := func() float32 {
			l, err := tr.Gradients(t.Context(), b)
			if err != nil {
				t.Fatal(err)
			}
			return l
		}
		drawn := loss()
		if old, ok := losses[seed]; ok && old != drawn {
			t.Fatalf("the loss is %v, and was %v with the same seed", drawn, old)
		}
		losses[seed] = drawn
		b.Delta = make([]float32, 59*20)
		if still := loss(); still == drawn {
			t.Fatalf("without noise the loss is %v too", still)
		}
		dropout.Normals(b.Delta, dropout.KeyOf(seed, 0, 0, 0, 1), 20, 0.1, 0)
		if given := loss(); given != drawn {
			t.Fatalf("the loss is %v with the noise of the seed, and %v with noise that is drawn", given, drawn)
		}
		b.Delta = b.Delta[1:]
		if _, err := tr.Gradients(t.Context(), b); !errors.Is(err, runtime.ErrInput) {
			t.Fatalf("a delta that is too short: %v", err)
		}
	}
	if losses[3] == losses[4] {
		t.Fatal("two seeds have one noise")
	}
}
`

// TestSiftPackages runs the tests of generated packages with perturbed inputs: instruction sets, numbers of threads, a pause, and the noise.
func TestSiftPackages(t *testing.T) {
	m := newStepsModule(t)
	s, faults := spec.ParseAndResolve("sift.dspec", []byte(siftSpec))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	require.False(t, faults.HasErrors(), faults)
	require.Len(t, units, 4)
	for _, u := range units {
		m.emit(u.Program.Name, u.Program)
	}
	m.add("nlis/noise_test.go", []byte(noiseTest))
	m.run("test", "-mod=mod", "./...")
}
