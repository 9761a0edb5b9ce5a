package trial

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime"
)

// TestRecordedPairs computes the losses and the gradients of recorded generators and discriminators (He, Gao, Chen 2021, sections 3.1 to 3.3). The tables of
// the pair are one tensor whose gradients add up, or two tensors, or a sum of which each model trains its own term.
func TestRecordedPairs(t *testing.T) {
	compared := 0
	for _, dir := range caseDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			k, recorded := openCase(t, dir, golden.KindRTD)
			passes, err := k.golden.Passes(k.Trial.outputs)
			require.NoError(t, err)
			require.Len(t, passes, 2)
			total := map[string][]float64{}
			for i, weight := range []float64{1, k.golden.Lambda} {
				grads, loss := k.passOfPair(passes[i])
				k.compare([]string{"mlm_loss", "rtd_loss"}[i], k.floats(k.outputs, []string{"mlm_loss", "rtd_loss"}[i]), loss)
				for name, g := range grads {
					if total[name] == nil {
						total[name] = make([]float64, len(g))
					}
					for j, v := range g {
						total[name][j] += weight * v
					}
				}
			}
			k.compareAll(recorded, total)
			compared++
		})
	}
	t.Logf("%d pairs were compared", compared)
	require.NotZero(t, compared)
}

// passOfPair computes the loss of one model of a pair, and its gradients.
func (k *recordedCase) passOfPair(p golden.Pass) (grads map[string][]float64, loss []float64) {
	b, _ := k.compile(p)
	k.part = p.Name
	k.put(k.targetsOf(p, b))
	faults, err := k.unit.AddLoss(false)
	require.NoError(k.t, err)
	require.Empty(k.t, faults)
	grads = k.differentiate(compiler.StoreLoss, compiler.Parameters(k.unit.Program))
	return grads, k.store[compiler.StoreLoss].Floats()
}

// targetsOf returns the targets of one model of a pair: labels, or what the generator has replaced.
func (k *recordedCase) targetsOf(p golden.Pass, b *runtime.Batch) (*golden.Targets, error) {
	if p.Name != "discriminator" {
		return k.targets(k.unit, b)
	}
	out := &golden.Targets{Floats: map[string][]float32{}}
	return out, k.replaced(out, b)
}

// replaced sets the targets of a discriminator: 1 where the generator's token differs from the one that was masked.
func (t *Trial) replaced(out *golden.Targets, b *runtime.Batch) error {
	labels, err := t.given("labels")
	if err != nil {
		return err
	}
	drawn, err := t.given("sampled_ids")
	if err != nil {
		return err
	}
	numbers := make([]float32, b.Tokens())
	for i, row := range t.golden.Rows() {
		if row >= 0 && labels[i] > 0 && drawn[i] != labels[i] {
			numbers[row] = 1
		}
	}
	out.Floats[compiler.StoreTarget] = numbers
	return nil
}
