package attention

// Rows tells which rows of a batch an [Attend] computes.
type Rows int8

// The sets of rows.
const (
	Each   Rows = iota // every row
	First              // the first row of each sequence
	Picked             // those in AttendCall.Picked
)

// Attend is the attention of a training program, forward and backward. Its operands lie apart and as the program's other steps see them:
// rows of tokens with all heads side by side, and relative tables with a row per distance.
//
//	score[i, j] = Scale·(q_i·k_j + q_i·KR[index[±(i-j)]] + k_j·QR[index[±(i-j)]]) + bias[i-j]
//	o_i = Σ_j softmax_j(score[i, j])·v_j
//
// A unit of work is one head, which walks over the sequences in their order, or all heads if they are mixed. So the gradient of a relative table, a sum over
// the sequences, is formed by one worker, and its bits depend on the batch alone. Sums over groups of sequences would keep more than one worker per head busy,
// but each group would need a copy of the tables' gradients, which are often larger than a sequence's queries, keys and values together.
type Attend struct {
	Heads              int
	D, E               int // columns of a head of queries, keys and tables; of values
	R                  int // rows of the relative tables; 0: the score reads no table
	Reach              int // the index holds the offsets -Reach … Reach
	Scale              float32
	Terms              Terms
	Rows               Rows
	Masked             bool    // query i sees only the keys j ≤ i and j < AttendCall.Prefix[sequence]
	MixScore           bool    // the scores of all heads are mixed
	MixWeight          bool    // the probabilities of all heads are mixed
	Rate               float64 // of the dropout of probabilities; 0: none is dropped
	Operands, Gradient Strides // Operands.O also serves the gradient of the result

	Forward  *ForwardForm  // the forward pass with kernels; nil: in plain Go
	Backward *BackwardForm // the backward pass with kernels; nil: in plain Go
}

// Strides holds the distances between rows of the operands of an attention or of their gradients, in floats.
type Strides struct{ O, Q, K, V, KR, QR, Bias, MixScore, MixWeight int }

// Tensors holds the operands of an attention, or their gradients. Those that do not exist are nil. The pointers are at the first row and column, but Bias is at
// the entry of offset 0 of the first head.
type Tensors struct{ O, Q, K, V, KR, QR, Bias, MixScore, MixWeight *float32 }

// AttendCall holds the arguments of a call. The forward pass writes Tensors.O. The backward pass reads it as the gradient of the result, and writes those of
// the other operands to Grad.
type AttendCall struct {
	Tensors
	Grad      Tensors
	Index     *int32   // points at the entry of offset 0; entries rise with the offset
	Positions *int32   // of all rows, if rows of a sequence may be missing; nil stands for 0, 1, …
	Starts    []int32  // the first row of each sequence, and the number of rows
	Prefix    []int32  // for each sequence the number of leading keys that all rows see; nil: 0
	Picked    []int32  // the rows that are computed, rising, for the rows [Picked]
	Key       *int32   // [2] the key of the dropout
	Scratch   *float32 // [Attend.Scratch(n)] or [Attend.GradScratch(n)], with n the greatest length of a sequence
}

// Mixes reports whether a unit computes all heads.
func (a *Attend) Mixes() bool { return a.MixScore || a.MixWeight }

// GroupSequences is how many sequences a unit of the forward pass computes, so that a relative table is laid out once for all of them.
const GroupSequences = 4

// Units returns the number of units of the forward pass of a batch.
func (a *Attend) Units(sequences int) int {
	groups := (sequences + GroupSequences - 1) / GroupSequences
	if a.Mixes() {
		return groups
	}
	return a.Heads * groups
}

// GradUnits returns the number of units of the backward pass.
func (a *Attend) GradUnits() int {
	if a.Mixes() {
		return 1
	}
	return a.Heads
}

// heads returns the first head of a unit and the one after its last.
func (a *Attend) heads(head int) (from, to int) {
	if a.Mixes() {
		return 0, a.Heads
	}
	return head, head + 1
}

// Run computes a unit of the forward pass.
func (a *Attend) Run(c AttendCall, unit int) {
	group, head := unit, 0
	if !a.Mixes() {
		group, head = unit/a.Heads, unit%a.Heads
	}
	from := group * GroupSequences
	to := min(from+GroupSequences, len(c.Starts)-1)
	if a.Forward != nil {
		a.forward(&c, head, from, to)
		return
	}
	p := plain{Attend: a, c: &c, h: head}
	p.place(false)
	p.h0, p.h1 = a.heads(head)
	for s := from; s < to; s++ {
		p.sequence(s)
		p.eachStrip(p.weigh)
	}
}

// RunGrad computes a unit of the backward pass. It overwrites the gradients of its heads.
func (a *Attend) RunGrad(c AttendCall, head int) {
	if a.Backward != nil {
		a.backward(&c, head)
		return
	}
	p := plain{Attend: a, c: &c, h: head}
	p.place(true)
	p.h0, p.h1 = a.heads(head)
	p.clearTables()
	for s := range len(c.Starts) - 1 {
		p.grad(s)
	}
}

// span is a run of adjacent rows of one sequence that are computed: rows [from, to) of the sequence, of which the first is row at of queries and results.
type span struct{ from, to, at int }

// eachSpan calls f with the rows of sequence s that are computed, in their order.
func (a *Attend) eachSpan(c *AttendCall, s int, f func(span)) {
	first, n := int(c.Starts[s]), int(c.Starts[s+1]-c.Starts[s])
	switch {
	case n == 0:
	case a.Rows == First:
		f(span{0, 1, s})
	case a.Rows == Each:
		f(span{0, n, first})
	default:
		for m := 0; m < len(c.Picked) && int(c.Picked[m]) < first+n; {
			i := int(c.Picked[m]) - first
			if i < 0 {
				m++
				continue
			}
			count := 1
			for m+count < len(c.Picked) && int(c.Picked[m+count]) == first+i+count && i+count < n {
				count++
			}
			f(span{i, i + count, m})
			m += count
		}
	}
}

// prefix returns the number of leading keys of sequence s that all rows see.
func (c *AttendCall) prefix(s int) int {
	if len(c.Prefix) == 0 {
		return 0
	}
	return int(c.Prefix[s])
}

// holes reports whether rows are missing between the first and the last row of sequence s.
func (c *AttendCall) holes(s int) bool {
	if c.Positions == nil {
		return false
	}
	first, n := int(c.Starts[s]), int(c.Starts[s+1]-c.Starts[s])
	call := Call{Positions: at(c.Positions, first), N: n}
	return n > 0 && call.holes()
}
