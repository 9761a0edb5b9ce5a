package engine

import "github.com/debertac/debertac/runtime/ragged"

import (
	"math"
	"slices"
	"sync/atomic"
	"unsafe"

	"github.com/debertac/debertac/runtime/resource"
)

// PastShape is the size of what a program keeps of each token so that later tokens can attend to
// it. The zero value means that the program cannot keep anything.
type PastShape struct {
	Layers int // attentions per call, in their order
	Row    int // floats that one attention keeps per token: a row of queries, keys and values
}

// Past holds what a causal model has computed of one sequence: the queries, keys and values of its
// tokens in every layer. A call with a Past computes further tokens of the sequence and adds them
// to it. The outputs have the same bits as if the whole sequence were computed again, but only the
// new tokens cost work. A Past is not safe for concurrent use: neither two calls nor a call and a
// method may use it at the same time.
type Past struct {
	core     *Core
	rows     []float32 // [Layers][capacity][Row]
	capacity int
	tokens   int
	busy     atomic.Bool
}

// largePast is the size in bytes from which NewPast asks the system whether it has the memory.
const largePast = 256 << 20

// NewPast returns an empty past with room for the given number of tokens, at most as many as a
// sequence may have; 0 means this maximum. The system provides memory as tokens come, 4·Layers·Row
// bytes per token.
func (c *Core) NewPast(tokens int) (*Past, error) {
	shape, most := c.program.Past, c.program.Limits.SequenceTokens
	switch {
	case shape.Layers == 0 && !c.program.Limits.Causal:
		return nil, ragged.Errorf("tokens of this model attend to later tokens: " +
			"what was computed for a sequence is no longer right when the sequence grows, so nothing can be kept")
	case shape.Layers == 0:
		return nil, ragged.Errorf("this model is causal, but some of its steps need the whole sequence: nothing can be kept of it")
	case tokens < 0 || tokens > most:
		return nil, ragged.Errorf("a past of %d tokens: a sequence of this model has at most %d", tokens, most)
	case tokens == 0:
		tokens = most
	}
	// The spec bounds each factor, but not their product.
	if need := 4 * float64(shape.Layers) * float64(tokens) * float64(shape.Row); need >= largePast {
		if need > math.MaxInt64/2 {
			return nil, ragged.Errorf("a past of %d tokens would take %.3g bytes: ask for fewer tokens", tokens, need)
		}
		if err := resource.CheckMemory("a past of "+itoa(tokens)+" tokens", int64(need)); err != nil {
			return nil, err
		}
	}
	const line = 16 // floats
	rows := make([]float32, shape.Layers*tokens*shape.Row+line)
	skip := int(-uintptr(unsafe.Pointer(unsafe.SliceData(rows)))/4) & (line - 1)
	return &Past{core: c, rows: rows[skip:], capacity: tokens}, nil
}

// Tokens returns the number of tokens that the past holds.
func (p *Past) Tokens() int { return p.tokens }

// Cap returns the number of tokens that the past has room for.
func (p *Past) Cap() int { return p.capacity }

// Truncate drops all but the first n tokens, so that another continuation can begin there.
func (p *Past) Truncate(n int) error {
	if !p.busy.CompareAndSwap(false, true) {
		return ragged.Errorf("a call is using the past")
	}
	defer p.busy.Store(false)
	if n < 0 || n > p.tokens {
		return ragged.Errorf("a past of %d tokens cannot be cut to %d", p.tokens, n)
	}
	p.tokens = n
	return nil
}

// CopyFrom replaces the contents of p by those of another past of the same model, so that the same
// beginning can have a second continuation.
func (p *Past) CopyFrom(from *Past) error {
	if from == nil || from.core != p.core {
		return ragged.Errorf("the pasts belong to different models")
	}
	if p == from {
		return nil
	}
	for _, x := range []*Past{p, from} {
		if !x.busy.CompareAndSwap(false, true) {
			return ragged.Errorf("a call is using the past")
		}
		defer x.busy.Store(false)
	}
	if from.tokens > p.capacity {
		return ragged.Errorf("a past of %d tokens, room for %d", from.tokens, p.capacity)
	}
	shape := p.core.program.Past
	for l := range shape.Layers {
		copy(p.layer(l), from.layer(l)[:from.tokens*shape.Row])
	}
	p.tokens = from.tokens
	return nil
}

// layer returns the rows of one layer [capacity][Row].
func (p *Past) layer(l int) []float32 {
	size := p.capacity * p.core.program.Past.Row
	return p.rows[l*size : (l+1)*size]
}

// takePasts checks the pasts of a call whose batch is valid and reserves them.
func (c *Core) takePasts(call *Call) (err error) {
	if len(call.Past) == 0 {
		return nil
	}
	b := call.Batch
	if len(call.Past) != b.Sequences() {
		return ragged.Errorf("%d pasts for %d sequences: there must be one for each, nil for a sequence of its own", len(call.Past), b.Sequences())
	}
	var taken []*Past
	defer func() {
		if err != nil {
			for _, p := range taken {
				p.busy.Store(false)
			}
		}
	}()
	for s, p := range call.Past {
		if p == nil {
			continue
		}
		fresh := b.Length(s)
		switch {
		case p.core != c:
			return ragged.Errorf("sequence %d: its past belongs to another model", s)
		case slices.Contains(taken, p):
			return ragged.Errorf("sequence %d: its past is that of another sequence of the call", s)
		case len(b.Positions) != 0:
			return ragged.Errorf("sequence %d: sequences with a past have no holes, leave Positions empty", s)
		case !p.busy.CompareAndSwap(false, true):
			return ragged.Errorf("sequence %d: another call is using its past", s)
		}
		taken = append(taken, p)
		switch {
		case p.tokens+fresh > p.capacity:
			return ragged.TooLong("sequence %d: %d tokens after %d, its past has room for %d", s, fresh, p.tokens, p.capacity)
		case p.tokens > 0 && len(b.Prefix) != 0 && b.Prefix[s] != 0:
			return ragged.Errorf("sequence %d: a prefix of %d after %d tokens: only the first call may have a prefix, "+
				"leave it 0 from then on", s, b.Prefix[s], p.tokens)
		}
	}
	return nil
}

// leavePasts releases the pasts of a call. If done, the call has succeeded, and leavePasts adds its
// tokens to them.
func (call *Call) leavePasts(done bool) {
	for s, p := range call.Past {
		if p == nil {
			continue
		}
		if done {
			p.tokens += call.Batch.Length(s)
		}
		p.busy.Store(false)
	}
}

// pastTokens returns the number of tokens before sequence s of the call's batch.
func (x *Exec) pastTokens(s int) int {
	if s >= len(x.past) || x.past[s] == nil {
		return 0
	}
	return x.past[s].tokens
}

// Kept returns the number of tokens of sequence s that earlier calls have computed, and the rows
// [·, Row] in which attention number layer keeps these tokens and those of this call. rows is nil
// if the sequence has no past.
func (x *Exec) Kept(s, layer int) (tokens int, rows *float32) {
	if s >= len(x.past) || x.past[s] == nil {
		return 0, nil
	}
	p := x.past[s]
	return p.tokens, unsafe.SliceData(p.layer(layer))
}

// KeepRows copies what one head needs from rows of queries, keys and values. It copies count rows,
// which lie ld floats apart in both places. From each row it copies 3 parts of cols floats, which
// lie step floats apart.
func KeepRows(to, from *float32, count, ld, cols, step int) {
	if count < 1 {
		return
	}
	size := (count-1)*ld + 2*step + cols
	t, f := unsafe.Slice(to, size), unsafe.Slice(from, size)
	for at := 0; at < size; at += ld {
		for c := at; c <= at+2*step; c += step {
			copy(t[c:c+cols], f[c:c+cols])
		}
	}
}
