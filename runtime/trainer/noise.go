package trainer

import (
	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/engine"
)

// Needs returns the limits for what a batch must hold. A batch without a delta gets one if the program has noise, so they do not ask for it.
func (p *Program) Needs() engine.Limits {
	l := p.Limits
	if p.Noise > 0 {
		l.Delta = 0
	}
	return l
}

// noiseLayer is the number of the layer in the keys of noise. Those of dropout have the layer 0, and a site for each layer.
const noiseLayer = 1

// noiseRows are the rows that a worker draws at a time.
const noiseRows = 32

// drawDelta draws the delta of a batch that has none. Its bits depend on the seed, the step, the part of the batch, and the place of a number.
func (x *Exec) drawDelta(part int) error {
	p := x.owner.program
	n := p.Limits.Delta
	if p.Noise == 0 || len(x.Delta) > 0 {
		return nil
	}
	if len(x.noise) < x.T*n {
		x.noise = make([]float32, x.T*n)
	}
	x.Delta = x.noise[:x.T*n]
	key := dropout.KeyOf(x.owner.options.Seed, x.owner.step, part, 0, noiseLayer)
	return x.team.Run((x.T+noiseRows-1)/noiseRows, func(_, unit int) {
		first := unit * noiseRows
		dropout.Normals(x.Delta[first*n:min(x.T, first+noiseRows)*n], key, n, p.Noise, first)
	})
}
