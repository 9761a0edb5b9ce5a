package ops_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
	_ "github.com/debertac/debertac/ir/ops"
	"github.com/debertac/debertac/ir/opstest"
	"github.com/debertac/debertac/runtime/ragged"
)

// trial is a sample together with operands that the test made up.
type trial struct {
	op    *ir.Op
	r     *ir.Region // one node; its operands are the inputs
	node  *ir.Node
	batch *ragged.Batch
	sizes ir.Sizes
	in    []*ir.Array // by operand; nil where it is missing
}

// eachTrial runs f as a subtest for every sample of every op.
func eachTrial(t *testing.T, f func(t *testing.T, tr *trial)) {
	for _, op := range ir.Ops() {
		list := op.Sample()
		require.NotEmpty(t, list, "op %s has no samples", op.Name)
		for i, s := range list {
			t.Run(fmt.Sprintf("%s/%d", op.Name, i), func(t *testing.T) { f(t, newTrial(t, op, s, uint64(i))) })
		}
	}
}

// newTrial builds the node and draws its operands.
func newTrial(t *testing.T, op *ir.Op, s ir.Sample, seed uint64) *trial {
	tr, err := opstest.New(op, s, seed)
	require.NoError(t, err)
	return &trial{op: op, r: tr.Region, node: tr.Node, batch: tr.Batch, sizes: tr.Sizes, in: tr.In}
}

// run evaluates the node on the given operands.
func (tr *trial) run(t *testing.T, in []*ir.Array) []*ir.Array {
	out, err := tr.op.Ref(tr.node, in)
	require.NoError(t, err)
	return out
}

// copyOf returns a copy of an array, which may be changed.
func copyOf(a *ir.Array) *ir.Array {
	return &ir.Array{Shape: a.Shape, F: append([]float64(nil), a.F...)}
}
