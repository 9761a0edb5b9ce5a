package ops_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/ragged"
)

// TestShape checks that every result has the shape that the op returned and finite numbers, and that computing it again returns the same numbers.
func TestShape(t *testing.T) {
	eachTrial(t, func(t *testing.T, tr *trial) {
		before := make([]string, len(tr.in))
		for i, a := range tr.in {
			before[i] = fmt.Sprint(a)
		}
		out := tr.run(t, tr.in)
		require.Len(t, out, len(tr.node.Out))
		for k, v := range tr.node.Out {
			require.NoError(t, out[k].Fits(v.Type, tr.sizes))
			for _, x := range out[k].Floats() {
				require.False(t, math.IsNaN(x) || math.IsInf(x, 0))
			}
		}
		require.Equal(t, out, tr.run(t, tr.in))
		for i, a := range tr.in {
			require.Equal(t, before[i], fmt.Sprint(a), "operand %d was changed", i)
		}
	})
}

// TestCost checks that the work grows with the batch and is never negative.
func TestCost(t *testing.T) {
	eachTrial(t, func(t *testing.T, tr *trial) {
		c := tr.op.CostOf(tr.node, tr.sizes)
		double := tr.op.CostOf(tr.node, twice(tr.sizes))
		require.Greater(t, c.Bytes, 0.0)
		require.GreaterOrEqual(t, c.FLOPs, 0.0)
		require.GreaterOrEqual(t, double.FLOPs, c.FLOPs)
		require.GreaterOrEqual(t, double.Bytes, c.Bytes)
		switch tr.op.Class {
		case ir.Layout, ir.Constant:
			require.Zero(t, c.FLOPs)
		case ir.Contraction:
			k := tr.node.In[0].Type.Shape[1].N
			require.GreaterOrEqual(t, c.FLOPs, float64(2*k*tr.sizes.Elements(tr.node.Out[0].Type.Shape)))
		}
	})
}

// TestInPlace checks that a result takes the memory of an operand of its type, and that no two results take the same.
func TestInPlace(t *testing.T) {
	eachTrial(t, func(t *testing.T, tr *trial) {
		if tr.op.InPlace == nil {
			return
		}
		list := tr.op.InPlace(tr.node)
		require.Len(t, list, len(tr.node.Out))
		taken := map[int]bool{-1: false}
		for k, i := range list {
			if i >= 0 {
				require.True(t, tr.node.Out[k].Type.Equal(tr.node.In[i].Type))
			}
			require.False(t, taken[i], "operand %d", i)
			taken[i] = i >= 0
		}
	})
}

// TestRows checks ops that return integers and have no operands. The integers are row numbers of a table, and all are below the size of the table that Rows
// returns. Weights are checked against this size when they are opened.
func TestRows(t *testing.T) {
	eachTrial(t, func(t *testing.T, tr *trial) {
		if tr.op.Class != ir.Constant || tr.node.Out[0].Type.DType != ir.I32 {
			require.Nil(t, tr.op.Rows)
			return
		}
		require.NotNil(t, tr.op.Rows)
		rows := tr.op.Rows(tr.node)
		for _, row := range tr.run(t, tr.in)[0].I {
			require.GreaterOrEqual(t, row, int32(0))
			require.Less(t, int(row), rows)
		}
	})
}

// TestRefused checks that a node with a wrong operand, or with a missing or unknown attribute, is refused and not computed.
func TestRefused(t *testing.T) {
	eachTrial(t, func(t *testing.T, tr *trial) {
		n := *tr.node
		n.Attrs = append([]ir.Attr{{Key: "0", Value: 1}}, n.Attrs...)
		_, err := tr.op.Shape(&n)
		require.ErrorContains(t, err, "unknown")
		for i, d := range tr.op.In {
			n = *tr.node
			n.In = append([]*ir.Value(nil), tr.node.In...)
			if d.Optional || i >= len(n.In) {
				continue
			}
			n.In[i] = nil
			_, err := tr.op.Shape(&n)
			require.ErrorContains(t, err, "missing")
			wrong := *tr.node.In[i]
			wrong.Type.DType = ir.I32 - wrong.Type.DType
			n.In[i] = &wrong
			_, err = tr.op.Shape(&n)
			require.ErrorContains(t, err, "operand")
		}
		for _, d := range tr.op.Attrs {
			if !d.Required {
				continue
			}
			n = *tr.node
			n.Attrs = append([]ir.Attr(nil), tr.node.Attrs...)
			n.Set(d.Name, nil)
			_, err := tr.op.Shape(&n)
			require.ErrorContains(t, err, d.Name)
		}
	})
}

// TestGrad checks that the gradient that an op builds from other ops equals that of its reference. The gradient of the reference is computed by central
// differences of <w, y> with random weights w.
func TestGrad(t *testing.T) {
	eachTrial(t, func(t *testing.T, tr *trial) {
		if tr.op.Grad == nil {
			require.NotEmpty(t, tr.op.NoGrad)
			return
		}
		rng := rand.New(rand.NewPCG(3, 4))
		b := ir.NewBuilder(tr.r)
		y := tr.run(t, tr.in)
		var dy []*ir.Value
		given := map[*ir.Value]*ir.Array{}
		weights := make([]*ir.Array, len(y))
		for k, o := range tr.node.Out {
			weights[k] = ir.NewArray(y[k].Shape...)
			for i := range weights[k].F {
				weights[k].F[i] = rng.NormFloat64()
			}
			v := b.Input(fmt.Sprintf("dy%d", k), ir.State, o.Type)
			dy, given[v] = append(dy, v), weights[k]
		}
		grads, err := tr.op.Grad(b, tr.node, dy)
		require.NoError(t, err)
		require.NoError(t, b.Err())
		require.Len(t, grads, len(tr.node.In))
		for i, v := range tr.node.In {
			if v != nil {
				given[v] = tr.in[i]
			}
			if grads[i] != nil {
				tr.r.Out = append(tr.r.Out, grads[i])
			}
		}
		require.NoError(t, eval.Region(tr.r, given, tr.sizes, nil))
		for i, v := range tr.node.In {
			if v == nil {
				require.Nil(t, grads[i])
				continue
			}
			if grads[i] == nil {
				requireFlat(t, tr, i)
				continue
			}
			require.True(t, grads[i].Type.Equal(v.Type), "the gradient of operand %d is %s, the operand %s", i, grads[i].Type, v.Type)
			compareGrad(t, tr, i, weights, given[grads[i]].Floats())
		}
	})
}

// loss returns <w, y>.
func loss(w, y []*ir.Array) float64 {
	s := 0.0
	for k := range w {
		for i, x := range y[k].Floats() {
			s += x * w[k].F[i]
		}
	}
	return s
}

// compareGrad compares a gradient with central differences.
func compareGrad(t *testing.T, tr *trial, operand int, w []*ir.Array, got []float64) {
	in := append([]*ir.Array(nil), tr.in...)
	const h = 1e-5
	for e := range tr.in[operand].F {
		x := copyOf(tr.in[operand])
		in[operand] = x
		x.F[e] += h
		up := loss(w, tr.run(t, in))
		x.F[e] -= 2 * h
		down := loss(w, tr.run(t, in))
		want := (up - down) / (2 * h)
		require.InDelta(t, want, got[e], 1e-6*(1+math.Abs(want)), "operand %d, element %d", operand, e)
	}
}

// requireFlat checks that an operand without gradient holds integers, is a constant, or does not change the result.
func requireFlat(t *testing.T, tr *trial, operand int) {
	if tr.in[operand].I != nil || tr.op.In[min(operand, len(tr.op.In)-1)].Constant {
		return
	}
	in := append([]*ir.Array(nil), tr.in...)
	x := copyOf(in[operand])
	for i := range x.F {
		x.F[i] += 0.25
	}
	in[operand] = x
	require.Equal(t, tr.run(t, tr.in), tr.run(t, in), "operand %d changes the result but has no gradient", operand)
}

// twice returns the sizes of a batch twice as large.
func twice(z ir.Sizes) ir.Sizes {
	both := ragged.Sizes(z)
	both.Add(ragged.Sizes(z))
	return ir.Sizes(both)
}
