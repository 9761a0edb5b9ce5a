package trainer

import (
	"math/rand/v2"

	"github.com/debertac/debertac/runtime"
)

// RandomBatch draws sequences of the given lengths with their targets, for measurements. A head on chosen rows gets one token in seven, about as many as the
// published models were trained to predict.
func (p *Program) RandomBatch(lengths []int, seed uint64) (*Batch, error) {
	r := rand.New(rand.NewPCG(seed, 5))
	b := &Batch{Batch: runtime.Batch{Starts: []int32{0}}}
	for _, n := range lengths {
		for range n {
			b.IDs = append(b.IDs, r.Int32N(int32(p.Limits.Vocab)))
		}
		b.Starts = append(b.Starts, int32(len(b.IDs)))
	}
	if p.Limits.Rows > 0 {
		for i := 0; i < len(b.IDs) && len(b.Rows) < p.Limits.Rows; i += maskedEvery {
			b.Rows = append(b.Rows, int32(i))
		}
	}
	b.FillNeeded(p.Needs())
	if err := b.Validate(p.Needs()); err != nil {
		return nil, err
	}
	p.DrawTargets(b, r.IntN)
	return b, nil
}

// maskedEvery is the distance between two tokens of a random batch that are to be predicted.
const maskedEvery = 7

// DrawTargets fills the targets of a batch, but those that a batch may lack. pick returns a random number from 0 to n-1.
func (p *Program) DrawTargets(b *Batch, pick func(n int) int) {
	b.Integers, b.Floats = map[string][]int32{}, map[string][]float32{}
	sizes := b.Sizes()
	for i := range p.Targets {
		t := &p.Targets[i]
		if t.Optional {
			continue
		}
		for k := range t.Want(sizes) {
			if t.Floats {
				b.Floats[t.Name] = append(b.Floats[t.Name], float32(pick(2)))
			} else {
				b.Integers[t.Name] = append(b.Integers[t.Name], t.draw(b, k, t.Want(sizes), pick))
			}
		}
	}
}
