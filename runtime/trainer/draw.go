package trainer

import (
	"math/rand/v2"
	"strings"
)

// deviation is the standard deviation of drawn weights, as in the published configurations.
const deviation = 0.02

// Draw makes a trainer whose tensors are drawn by a seed: matrices and biases from a normal distribution with deviation 0.02, and gains of norms around 1.
func Draw(p *Program, seed uint64, opts ...Option) (*Trainer, error) {
	return start(p, opts, func(t *Trainer) error {
		r := rand.New(rand.NewPCG(seed, 11))
		for i := range t.values.params {
			q := &t.values.params[i]
			mean := float32(0)
			if len(q.Shape) == 1 && strings.HasSuffix(q.Name, "weight") { // a gain
				mean = 1
			}
			rows, columns := q.columns()
			dense := make([]float32, rows*columns)
			for k := range dense {
				dense[k] = mean + float32(r.NormFloat64()*deviation)
			}
			t.values.set(i, dense)
		}
		return nil
	})
}
