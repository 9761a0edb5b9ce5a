package engine

import (
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
)

// pastCore returns a model that keeps rows of 8 floats in 2 layers.
func pastCore(causal bool) *Core {
	p := &Program{Limits: Limits{Vocab: 9, SequenceTokens: 20, BatchSequences: 4, BatchTokens: 40, Causal: causal}}
	if causal {
		p.Past = PastShape{Layers: 2, Row: 8}
	}
	return &Core{state: &state{program: p}}
}

func TestPastRooms(t *testing.T) {
	c := pastCore(true)
	p, err := c.NewPast(7)
	require.NoError(t, err)
	require.Equal(t, 7, p.Cap())
	require.Zero(t, uintptr(unsafe.Pointer(unsafe.SliceData(p.layer(0))))%64)
	q, err := c.NewPast(0)
	require.NoError(t, err)
	require.Equal(t, 20, q.Cap())
	largest, err := c.NewPast(20)
	require.NoError(t, err)
	require.Equal(t, 20, largest.Cap())
	for _, tokens := range []int{-1, 21} {
		_, err = c.NewPast(tokens)
		require.ErrorContains(t, err, "a sequence of this model has at most 20")
	}
	for l := range 2 {
		require.Len(t, q.layer(l), 20*8)
		for i := range q.layer(l) {
			q.layer(l)[i] = float32(1000*l + i)
		}
	}
	q.tokens = 5
	require.NoError(t, p.CopyFrom(q))
	require.Equal(t, 5, p.Tokens())
	for l := range 2 {
		require.Equal(t, q.layer(l)[:40], p.layer(l)[:40])
		require.Zero(t, p.layer(l)[40])
	}
	q.tokens = 8
	require.ErrorContains(t, p.CopyFrom(q), "a past of 8 tokens, room for 7")
	require.ErrorContains(t, p.Truncate(6), "a past of 5 tokens cannot be cut to 6")
	require.ErrorContains(t, p.Truncate(-1), "cannot be cut")
	require.NoError(t, p.Truncate(2))
	require.Equal(t, 2, p.Tokens())
	other, err := pastCore(true).NewPast(3)
	require.NoError(t, err)
	require.ErrorContains(t, p.CopyFrom(other), "different models")
	for n, want := range map[int]string{21: "a past of 21 tokens: a sequence of this model has at most 20", -1: "a past of -1"} {
		_, err = c.NewPast(n)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
	}
	_, err = pastCore(false).NewPast(1)
	require.ErrorContains(t, err, "attend to later tokens")
	c.program.Past = PastShape{}
	_, err = c.NewPast(1)
	require.ErrorContains(t, err, "some of its steps need the whole sequence")
}

func TestPastsOfACall(t *testing.T) {
	c := pastCore(true)
	p, _ := c.NewPast(6)
	q, _ := c.NewPast(6)
	other, _ := pastCore(true).NewPast(6)
	p.tokens = 3
	batch := func() *runtime.Batch { return &runtime.Batch{IDs: make([]int32, 5), Starts: []int32{0, 2, 5}} }
	call := &Call{Batch: batch(), Past: []*Past{p, nil}}
	require.NoError(t, c.takePasts(call))
	require.ErrorContains(t, c.takePasts(call), "sequence 0: another call is using its past")
	require.ErrorContains(t, p.Truncate(0), "a call is using the past")
	call.leavePasts(false)
	require.Equal(t, 3, p.Tokens())
	require.NoError(t, c.takePasts(call))
	call.leavePasts(true)
	require.Equal(t, 5, p.Tokens())
	for want, change := range map[string]func(*Call){
		"1 pasts for 2 sequences":                                                         func(c *Call) { c.Past = c.Past[:1] },
		"sequence 1: its past belongs to another model":                                   func(c *Call) { c.Past[1] = other },
		"sequence 1: its past is that of another sequence":                                func(c *Call) { c.Past[1] = p },
		"sequence 0: sequences with a past have no holes":                                 func(c *Call) { c.Batch.Positions = make([]int32, 5) },
		"sequence 0: 2 tokens after 5, its past has room for 6":                           func(*Call) {},
		"sequence 0: a prefix of 1 after 4 tokens: only the first call may have a prefix": func(c *Call) { p.tokens = 4; c.Batch.Prefix = []int32{1, 0} },
	} {
		p.tokens = 5
		call := &Call{Batch: batch(), Past: []*Past{p, q}}
		if want[:10] == "sequence 1" {
			p.tokens = 0
		}
		change(call)
		err := c.takePasts(call)
		require.ErrorIs(t, err, runtime.ErrInput)
		require.ErrorContains(t, err, want)
		require.False(t, p.busy.Load() || q.busy.Load() || other.busy.Load(), "%s: a refused call holds a past", want)
	}
}

func TestKeepRows(t *testing.T) {
	from, to := make([]float32, 3*32), make([]float32, 3*32)
	for i := range from {
		from[i] = float32(i + 1)
	}
	KeepRows(&to[4], &from[4], 3, 32, 3, 10) // a head's columns 4 … 6, 14 … 16, 24 … 26
	for i, x := range to {
		want := float32(0)
		if c := i % 32 % 10; i%32 < 30 && c >= 4 && c < 7 {
			want = from[i]
		}
		require.Equal(t, want, x, i)
	}
	KeepRows(nil, nil, 0, 32, 3, 10)
}

func TestPositionsAfterAPast(t *testing.T) {
	x := &Exec{Batch: runtime.Batch{IDs: make([]int32, 5), Starts: []int32{0, 2, 5}}, past: []*Past{nil, {tokens: 7}}}
	dst := make([]int32, 5)
	x.FillPositions(dst)
	require.Equal(t, []int32{0, 1, 7, 8, 9}, dst)
}
