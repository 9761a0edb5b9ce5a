package attention

import "github.com/debertac/debertac/runtime/dropout"

// Drop decides which probabilities of one head of a sequence are dropped in a training step. Those that are not are divided by 1 - rate. The row number of a
// query in the batch, times the heads plus the head, is the row of package dropout, and the number of the key in the sequence is the column.
type Drop struct {
	Key   dropout.Key
	Limit uint32  // see dropout.Limit
	Scale float32 // 1/(1 - rate)
	Row   int     // number in the batch of the sequence's first row
	Heads int
	Head  int

	kernel func(x *float32, state *int32, m, n int) // see HeadKernels; nil: plain Go
	states [dropRows]int32
}

// dropRows is the number of rows in one call of the kernel.
const dropRows = 64

// dropOf returns what is dropped of a head of sequence s, by a kernel if it is not nil. It returns nil if nothing is dropped.
func (a *Attend) dropOf(c *AttendCall, s, head int, kernel func(x *float32, state *int32, m, n int)) *Drop {
	if a.Rate == 0 {
		return nil
	}
	return &Drop{Key: dropout.KeyAt(c.Key), Limit: dropout.Limit(a.Rate), Scale: float32(1 / (1 - a.Rate)),
		Row: int(c.Starts[s]), Heads: a.Heads, Head: head, kernel: kernel}
}

// row drops numbers of query i of the sequence. The first of them belongs to key j.
func (d *Drop) row(x []float32, i, j int) {
	state := d.state(i, j)
	for e, v := range x {
		if dropout.Number(state, 0) < d.Limit {
			v = 0
		}
		x[e] = v * d.Scale
		state += dropout.Step
	}
}

// state returns the state of query i of the sequence at key j.
func (d *Drop) state(i, j int) uint32 {
	return dropout.Row(d.Key, (d.Row+i)*d.Heads+d.Head) + uint32(j)*dropout.Step
}

// strip drops numbers of m queries from i on against keys from j on. Rows are LDS floats apart. d may be nil.
func (d *Drop) strip(x []float32, i, m, j, keys int) {
	if d == nil {
		return
	}
	if d.kernel == nil {
		for r := range m {
			d.row(x[r*LDS:][:keys], i+r, j)
		}
		return
	}
	for r := 0; r < m; r += dropRows {
		count := min(dropRows, m-r)
		for k := range count {
			d.states[k] = int32(d.state(i+r+k, j))
		}
		d.kernel(&x[r*LDS], &d.states[0], count, keys)
	}
}
