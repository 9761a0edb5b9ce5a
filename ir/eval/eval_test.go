package eval_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	_ "github.com/debertac/debertac/ir/ops"
)

// This program has a packing part. Layer l adds w.l, doubled when weights are packed, to each row; the last region reads first rows.
const text = `program p from "p.dspec"
bounds 2 sequences 8 tokens 4 length
outputs first

region embed {
	in tensor table f32[3, 2]
	in batch ids i32[T]
	x.0 f32[T, 2] = embed(table, ids) @1:1:2
	out x.0
}

region layer_pack {
	in tensor w.{l} f32[2, 2]
	double.{l} f32[2, 2] = scale(w.{l}) {by = 2.0}
	out double.{l}
}

region layer {
	in state x.{l} f32[T, 2]
	in packed double.{l} f32[2, 2]
	x.{l+1} f32[T, 2] = linear(x.{l}, double.{l}) @2:1:2
	out x.{l+1}
}

region head {
	in state x.2 f32[T, 2]
	in batch starts i32[B+1]
	first f32[B, 2] = take(x.2, starts) {rows = "first"} @3:1:2
	out first
}

pack layer_pack 0 2

run embed 0 1
run layer 0 2
run head 0 1
`

// checkpoint counts how often each tensor is loaded.
type checkpoint map[string]int

func (c checkpoint) Tensor(name string) (*ir.Array, error) {
	c[name]++
	switch name {
	case "table":
		return &ir.Array{Shape: []int{3, 2}, F32: []float32{1, 2, 3, 4, 5, 6}}, nil
	case "w.0":
		return &ir.Array{Shape: []int{2, 2}, F32: []float32{0, 1, 1, 0}}, nil // swaps
	case "w.1":
		return &ir.Array{Shape: []int{2, 2}, F32: []float32{1, 1, 0, 1}}, nil // sum, second
	}
	return nil, errors.New("not in the file")
}

func program(t *testing.T) *ir.Program {
	p, err := ir.Parse(text)
	require.NoError(t, err)
	require.NoError(t, ir.Verify(p))
	return p
}

func batch() eval.Store {
	return eval.Store{
		"ids":    {Shape: []int{3}, I: []int32{2, 0, 1}},
		"starts": {Shape: []int{3}, I: []int32{0, 1, 3}},
	}
}

// (5, 6) → 2·(6, 5) → 4·(11, 5), and (1, 2) → 4·(3, 1).
var want = []float64{44, 20, 12, 4}

func TestRun(t *testing.T) {
	s, c := batch(), checkpoint{}
	require.NoError(t, eval.Run(program(t), s, eval.From(c)))
	require.Equal(t, want, s["first"].F)
	require.Equal(t, []float64{12, 10, 4, 2, 8, 6}, s["x.1"].F)
	require.Equal(t, checkpoint{"table": 1, "w.0": 1, "w.1": 1}, c)
	require.NotContains(t, s, "w.0", "tensors are dropped after their call")
}

func TestPackThenRun(t *testing.T) {
	packed, c := eval.Store{}, checkpoint{}
	require.NoError(t, eval.Run(program(t), packed, eval.From(c), eval.OnlyPack()))
	require.Equal(t, checkpoint{"w.0": 1, "w.1": 1}, c)
	require.Len(t, packed, 2)
	s := batch()
	for name, a := range packed {
		s[name] = &ir.Array{Shape: a.Shape, F32: a.Single()} // as a file holds it
	}
	require.NoError(t, eval.Run(program(t), s, eval.From(c), eval.OnlyRun()))
	require.Equal(t, want, s["first"].F)
	require.Equal(t, 1, c["w.0"])
}

func TestEmit(t *testing.T) {
	s := batch()
	var got []string
	emit := func(name string, a *ir.Array) error {
		got = append(got, name)
		return nil
	}
	require.NoError(t, eval.Run(program(t), s, eval.From(checkpoint{}), eval.Emit(emit)))
	require.Equal(t, []string{"double.0", "double.1", "x.0", "x.1", "x.2", "first"}, got)
	require.Len(t, s, 2, "only the batch is left: %v", s)

	full := errors.New("disk full")
	err := eval.Run(program(t), batch(), eval.From(checkpoint{}), eval.Emit(func(string, *ir.Array) error { return full }))
	require.ErrorIs(t, err, full)
}

func TestWatch(t *testing.T) {
	var got []string
	watch := func(region string, layer int, v *ir.Value, a *ir.Array) error {
		got = append(got, fmt.Sprintf("%s/%d/%s%v", region, layer, v.Name, a.Shape))
		return nil
	}
	require.NoError(t, eval.Run(program(t), batch(), eval.From(checkpoint{}), eval.OnlyPack(), eval.Watch(watch)))
	require.Equal(t, []string{"layer_pack/0/double.{l}[2 2]", "layer_pack/1/double.{l}[2 2]"}, got)
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		change func(s eval.Store)
		want   string
	}{
		{func(s eval.Store) { delete(s, "starts") }, "region head, layer 0: the store has no batch starts"},
		{func(s eval.Store) { s["ids"].I[1] = 3 }, "region embed, layer 0: node 0, p.dspec:1:1: op embed: ids[1] is 3, the table has 3 rows"},
		{func(s eval.Store) { s["ids"].Shape[0] = 4 }, "batch ids: 3 numbers for shape [4]"},
		{func(s eval.Store) { s["starts"].I[2] = 2 }, "region head, layer 0: node 0, p.dspec:3:1: op take: starts is [0 1 2] for 3 rows"},
		{func(s eval.Store) { s["starts"].I[1] = 0 }, "sequence 0 has no tokens"},
		{func(s eval.Store) { s["table"] = ir.NewArray(2, 3) }, "tensor table: shape [2 3], want f32[3, 2]"},
		{func(s eval.Store) { s["ids"] = ir.NewArray(3) }, "f32 numbers, want i32[T]"},
	} {
		s := batch()
		c.change(s)
		require.ErrorContains(t, eval.Run(program(t), s, eval.From(checkpoint{})), c.want)
	}
	require.ErrorContains(t, eval.Run(program(t), batch()), "the store has no tensor w.0")
	p, err := ir.Parse(strings.Replace(text, "w.{l}", "v.{l}", 2))
	require.NoError(t, err)
	require.ErrorContains(t, eval.Run(p, batch(), eval.From(checkpoint{})), "tensor v.0: not in the file")
}
