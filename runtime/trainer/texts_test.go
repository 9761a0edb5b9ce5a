package trainer_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/trainer"
)

// TestTexts checks that the epochs of a spec and the number of texts are a number of steps, and where Texts is refused.
func TestTexts(t *testing.T) {
	open := func(epochs, batch int, opts ...trainer.Option) (int, error) {
		p := (&watched{}).program()
		p.Epochs, p.Batch = epochs, batch
		if epochs > 0 {
			p.Optimizers[0].Rate.Steps, p.Optimizers[0].Rate.Warmup = 0, 0
		}
		tr, err := trainer.Draw(p, 1, append(opts, trainer.Threads(1))...)
		if err != nil {
			return 0, err
		}
		t.Cleanup(func() { tr.Close() })
		return tr.Options().Steps, nil
	}
	for _, c := range []struct{ epochs, batch, texts, want int }{{3, 8, 16, 6}, {3, 8, 17, 9}, {1, 8, 1, 1}, {2, 1, 5, 10}} {
		steps, err := open(c.epochs, c.batch, trainer.Texts(c.texts))
		require.NoError(t, err)
		require.Equal(t, c.want, steps, "%+v", c)
	}
	_, err := open(3, 8)
	require.ErrorContains(t, err, "counts epochs")
	require.ErrorContains(t, err, "Texts")
	_, err = open(0, 8, trainer.Texts(5))
	require.ErrorContains(t, err, "counts steps: leave the option out")
	_, err = open(3, 8, trainer.Texts(5), trainer.Steps(5))
	require.ErrorContains(t, err, "Texts(5) and Steps(5) both set the number of steps")
	_, err = open(3, 8, trainer.Texts(0))
	require.ErrorContains(t, err, "Texts(0): it must be at least 1")
	_, err = open(1<<20, 1, trainer.Texts(1<<20))
	require.ErrorContains(t, err, "are more than 2147483647 steps")
}
