package trainer

import (
	"hash/fnv"
	"math/rand/v2"
	"strings"

	"github.com/debertac/debertac/runtime/ragged"
)

// deviation is the standard deviation of drawn weights, as in the published configurations.
const deviation = 0.02

// Start makes a trainer for a training from scratch. All tensors begin as the spec's `init` says: matrices are drawn by the seed from a normal distribution
// with its deviation, biases are 0 and gains of norms 1. Adapters begin as in [Open]. [Trainer.Drawn] lists all tensors.
func Start(p *Program, opts ...Option) (*Trainer, error) {
	return start(p, opts, func(t *Trainer) error {
		if err := t.noGenerator("Start"); err != nil {
			return err
		}
		for i := range t.values.params {
			q := &t.values.params[i]
			t.values.set(i, q.draw(t.options.Seed))
			t.drawn = append(t.drawn, q.Name)
		}
		return nil
	})
}

// Draw makes a trainer whose tensors are drawn by a seed, for measurements and tests: no tensor is 0, as in a model that is trained. Matrices and biases are
// from a normal distribution with deviation 0.02, gains of norms around 1, whatever the spec says. [Start] begins a training.
func Draw(p *Program, seed uint64, opts ...Option) (*Trainer, error) {
	return start(p, opts, func(t *Trainer) error {
		if err := t.noGenerator("Draw"); err != nil {
			return err
		}
		for i := range t.values.params {
			q := t.values.params[i]
			q.Init = Init{Normal: deviation}
			if len(q.Shape) == 1 && strings.HasSuffix(q.Name, "weight") { // a gain
				q.Init.Mean = 1
			}
			t.values.set(i, q.draw(seed))
		}
		return nil
	})
}

// noGenerator refuses the option Generator for a function that reads no weights.
func (t *Trainer) noGenerator(function string) error {
	if t.options.Generator == "" {
		return nil
	}
	return ragged.Errorf("%s draws all tensors, and Generator names weights: leave out one of them, or call NewTrainer", function)
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
