package attention

import (
	"unsafe"

	"github.com/debertac/debertac/runtime/dropout"
)

// Drop decides which probabilities of one head of a sequence are dropped in a training step. Those that are not are divided by 1 - rate. The row number of a
// query in the batch, times the heads plus the head, is the row of package dropout, and the number of the key in the sequence is the column.
type Drop struct {
	Key   dropout.Key
	Limit uint32  // see dropout.Limit
	Scale float32 // 1/(1 - rate)
	Row   int     // number in the batch of the sequence's first row
	Heads int
	Head  int
}

// dropOf returns what is dropped of a head of sequence s, or nil if nothing is.
func (a *Attend) dropOf(c *AttendCall, s, head int) *Drop {
	if a.Rate == 0 {
		return nil
	}
	k := unsafe.Slice(c.Key, 2)
	return &Drop{Key: dropout.Key{uint32(k[0]), uint32(k[1])}, Limit: dropout.Limit(a.Rate), Scale: float32(1 / (1 - a.Rate)),
		Row: int(c.Starts[s]), Heads: a.Heads, Head: head}
}

// row drops numbers of query i of the sequence. The first of them belongs to key j.
func (d *Drop) row(x []float32, i, j int) {
	state := dropout.Row(d.Key, (d.Row+i)*d.Heads+d.Head) + uint32(j)*dropout.Step
	for e, v := range x {
		if dropout.Number(state, 0) < d.Limit {
			v = 0
		}
		x[e] = v * d.Scale
		state += dropout.Step
	}
}

// strip drops numbers of m queries from i on against keys from j on. Rows are LDS floats apart. d may be nil.
func (d *Drop) strip(x []float32, i, m, j, keys int) {
	if d == nil {
		return
	}
	for r := range m {
		d.row(x[r*LDS:][:keys], i+r, j)
	}
}
