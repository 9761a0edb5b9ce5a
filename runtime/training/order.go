package training

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/prepared"
)

// Order decides the rows of the data that a step reads. In an epoch each row is in one batch. The order of an epoch is a function of the seed and the
// number of the epoch alone, and needs no memory: row i of it is the image of i under a pseudo-random permutation.
type Order struct {
	Rows    int    // of the data
	PerStep int    // rows of a batch
	Seed    uint64 //
	Window  int    // batches among which rows of like length are put together; up to 1: none are
	Length  func(row int) (int, error)
}

// orderLayer and bucketLayer are the numbers of the layers in the keys of the order, so that its random numbers differ from those of a step.
const (
	orderLayer  = 5
	bucketLayer = 6
)

// StepsPerEpoch returns the number of batches of an epoch. The last one may be smaller.
func (o *Order) StepsPerEpoch() int { return (o.Rows + o.PerStep - 1) / o.PerStep }

// Step returns the rows of a step, whose number counts from 0.
func (o *Order) Step(step int) ([]int, error) {
	steps := o.StepsPerEpoch()
	epoch, i := step/steps, step%steps
	p := newPermutation(o.Rows, dropout.KeyOf(o.Seed, epoch, 0, 0, orderLayer))
	if o.Window <= 1 {
		return p.rows(i*o.PerStep, min(o.Rows, (i+1)*o.PerStep)), nil
	}
	return o.bucketed(p, epoch, i, steps)
}

// bucketed returns the rows of batch i of an epoch if rows are sorted by length within a window of batches. The rows of a window are those that it has without
// sorting. Full batches come in a random order; a smaller last batch stays the last one.
func (o *Order) bucketed(p *permutation, epoch, i, steps int) ([]int, error) {
	first := i / o.Window * o.Window
	count := min(o.Window, steps-first) // batches of the window
	rows := p.rows(first*o.PerStep, min(o.Rows, (first+count)*o.PerStep))
	full := len(rows) / o.PerStep
	lengths := map[int]int{}
	for _, r := range rows {
		n, err := o.Length(r)
		if err != nil {
			return nil, err
		}
		lengths[r] = n
	}
	slices.SortStableFunc(rows, func(a, b int) int { return cmp.Compare(lengths[a], lengths[b]) })
	place := i - first
	if place < full {
		q := newPermutation(full, dropout.KeyOf(o.Seed, epoch, first, 0, bucketLayer))
		place = q.at(place)
	}
	return rows[place*o.PerStep : min(len(rows), (place+1)*o.PerStep)], nil
}

// permutation maps the numbers below n one to one to themselves: a Feistel network over the smallest even number of bits, applied until the
// result is below n (Black and Rogaway 2002, "Ciphers with arbitrary finite domains").
type permutation struct {
	n    int
	half uint // bits of a half
	key  dropout.Key
}

// rounds is the number of rounds. With four, neighbours of small data sets stay neighbours noticeably more often than in a random order.
const rounds = 12

func newPermutation(n int, key dropout.Key) *permutation {
	return &permutation{n: n, half: uint(bits.Len(uint(max(n-1, 1)))+1) / 2, key: key}
}

// at returns the image of i.
func (p *permutation) at(i int) int {
	mask := uint32(1)<<p.half - 1
	for {
		left, right := uint32(i>>p.half), uint32(i)&mask
		for round := range rounds {
			left, right = right, (left^dropout.Number(dropout.Row(p.key, round), int(right)))&mask
		}
		if i = int(left)<<p.half | int(right); i < p.n {
			return i
		}
	}
}

// rows returns the images of from..to.
func (p *permutation) rows(from, to int) []int {
	rows := make([]int, 0, to-from)
	for i := from; i < to; i++ {
		rows = append(rows, p.at(i))
	}
	return rows
}

// PerStep returns the rows of a batch of this many sequences if a row has up to most of them.
func PerStep(batch, most int) int { return max(1, batch/max(1, most)) }

// orderOf returns the order of a file for a training with batches of this many sequences.
func orderOf(f *prepared.File, batch, window int, seed uint64) *Order {
	return &Order{Rows: f.Rows, PerStep: PerStep(batch, f.Most), Seed: seed, Window: window, Length: f.Length}
}
