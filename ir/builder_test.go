package ir_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec/diag"
)

var matrix = ir.Type{Shape: ir.Shape{ir.T, ir.N(4)}}

func TestBuilder(t *testing.T) {
	r := &ir.Region{Name: "r"}
	b := ir.NewBuilder(r)
	pos := diag.Span{File: "a.dspec", Line: 3, Col: 5, EndCol: 9}
	x := b.Input("x", ir.State, matrix)
	require.Same(t, x, b.Input("x", ir.State, matrix))
	y := b.Op("scale", pos, "scale 2", []ir.Attr{ir.A("by", 2.0)}, x)
	z := b.Like(y.Def, "add", nil, y, x)
	b.Output("out", z)
	require.NoError(t, b.Err())
	require.Equal(t, []*ir.Value{z}, r.Out)
	require.Equal(t, "out", z.Name)
	require.Equal(t, pos, z.Def.Pos)
	require.Equal(t, "scale 2", z.Def.Note)
	require.True(t, z.Type.Equal(matrix))

	// A second builder on the same region takes no name that is in use.
	again := ir.NewBuilder(r)
	w := again.Op("add", pos, "", nil, y, z)
	require.NoError(t, again.Err())
	p := &ir.Program{Bounds: ir.Bounds{Sequences: 1, Tokens: 1, Length: 1}, Regions: []*ir.Region{r}}
	require.NoError(t, ir.Verify(p))
	require.NotEqual(t, y.Name, w.Name)
}

func TestBuilderErrors(t *testing.T) {
	pos := diag.Span{File: "a.dspec", Line: 3, Col: 5, EndCol: 9}
	for _, c := range []struct {
		write func(b *ir.Builder, x *ir.Value)
		want  string
	}{
		{func(b *ir.Builder, x *ir.Value) { b.Op("sing", pos, "", nil, x) }, `a.dspec:3:5: no op is named "sing"`},
		{func(b *ir.Builder, x *ir.Value) { b.Op("scale", pos, "", nil, x) }, "a.dspec:3:5: op scale: attribute by is missing"},
		{func(b *ir.Builder, x *ir.Value) { b.Op("linear", pos, "", nil, x, x) }, "a.dspec:3:5: op linear: w is f32[T, 4], not a matrix of fixed size"},
		{func(b *ir.Builder, x *ir.Value) { b.Input("x", ir.Batch, matrix) }, "input x is state f32[T, 4], not batch f32[T, 4]"},
		{func(b *ir.Builder, x *ir.Value) {
			y := b.Op("relu", pos, "", nil, x)
			b.Output("x", y)
		}, "output x has the name of another value"},
		{func(b *ir.Builder, x *ir.Value) { // the first error is kept, and nothing is appended after it
			y := b.Op("sing", pos, "", nil, x)
			b.Op("add", pos, "", nil, y, x)
		}, `no op is named "sing"`},
	} {
		r := &ir.Region{Name: "r"}
		b := ir.NewBuilder(r)
		c.write(b, b.Input("x", ir.State, matrix))
		require.ErrorContains(t, b.Err(), c.want)
		require.LessOrEqual(t, len(r.Nodes), 1)
	}
}

func TestAttrs(t *testing.T) {
	n := &ir.Node{}
	n.Set("b", 2)
	n.Set("a", "x")
	n.Set("c", []int{1})
	n.Set("b", 3)
	require.Equal(t, []ir.Attr{{Key: "a", Value: "x"}, {Key: "b", Value: 3}, {Key: "c", Value: []int{1}}}, n.Attrs)
	n.Set("b", nil)
	n.Set("z", nil)
	require.Equal(t, []ir.Attr{{Key: "a", Value: "x"}, {Key: "c", Value: []int{1}}}, n.Attrs)
	require.Equal(t, "x", n.Str("a"))
	require.Zero(t, n.Int("a"))
}

func TestArray(t *testing.T) {
	a := &ir.Array{Shape: []int{2, 2}, F32: []float32{1, 2, 3, 0.1}}
	require.NoError(t, a.Valid())
	turned := a.Rearrange([]int{3}, func(i int) int { return []int{3, -1, 0}[i] })
	require.Equal(t, []float32{0.1, 0, 1}, turned.F32, "float32 stays float32")
	require.Equal(t, float64(float32(0.1)), turned.Floats()[0])
	row := make([]float64, 2)
	a.Row(1, row)
	require.Equal(t, []float64{3, float64(float32(0.1))}, row)
	require.Equal(t, []float32{1, 2}, (&ir.Array{Shape: []int{2}, F: []float64{1, 2}}).Single())
	require.ErrorContains(t, (&ir.Array{Shape: []int{3}, F: make([]float64, 2)}).Valid(), "2 numbers for shape [3], which has 3")
	require.ErrorContains(t, (&ir.Array{Shape: []int{1}, F: []float64{1}, I: []int32{1}}).Valid(), "in 2 forms")
	require.ErrorContains(t, (&ir.Array{Shape: []int{-1}}).Valid(), "extent -1")
}
