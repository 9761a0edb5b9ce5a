package trainer

import (
	"hash/fnv"
	"math/rand/v2"
	"strings"
)

// deviation is the standard deviation of drawn weights, as in the published configurations.
const deviation = 0.02

// Draw makes a trainer whose tensors are drawn by a seed: matrices and biases from a normal distribution with deviation 0.02, and gains of norms around 1.
func Draw(p *Program, seed uint64, opts ...Option) (*Trainer, error) {
	return start(p, opts, func(t *Trainer) error {
		for i := range t.values.params {
			q := t.values.params[i]
			q.Init = &Init{Normal: deviation}
			if len(q.Shape) == 1 && strings.HasSuffix(q.Name, "weight") { // a gain
				q.Init.Mean = 1
			}
			t.values.set(i, q.draw(seed))
		}
		return nil
	})
}

// draw returns new numbers for a tensor. They depend on the seed and on its name alone.
func (p *Param) draw(seed uint64) []float32 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(p.Name)) // never fails
	r := rand.New(rand.NewPCG(seed, h.Sum64()))
	rows, columns := p.columns()
	dense := make([]float32, rows*columns)
	for k := range dense {
		x := p.Init.Mean
		if p.Init.Normal != 0 {
			x += p.Init.Normal * r.NormFloat64()
		}
		if p.Init.Uniform != 0 {
			x += p.Init.Uniform * (2*r.Float64() - 1)
		}
		dense[k] = float32(x)
	}
	return dense
}
