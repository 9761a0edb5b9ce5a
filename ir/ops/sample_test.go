package ops_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	_ "github.com/debertac/debertac/ir/ops"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
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
	rng := rand.New(rand.NewPCG(seed, 7))
	lens := s.Lens
	if lens == nil {
		lens = []int{3, 1, 4}
	}
	tr := &trial{op: op, r: &ir.Region{Name: "trial"}}
	limits := ragged.Limits{Vocab: 5, Types: 2, SequenceTokens: 99, Rows: 99}
	for p := range ragged.Part(ragged.Parts) {
		p.Read(&limits, 1)
	}
	tr.batch = raggedtest.Batch(lens, limits, s.Holes, rng.IntN)
	tr.sizes = ir.Sizes(tr.batch.Sizes())
	parts := eval.StoreOf(tr.batch, 1)
	b := ir.NewBuilder(tr.r)
	var values []*ir.Value
	for k, a := range s.In {
		if a.Fill == ir.FillMissing {
			values, tr.in = append(values, nil), append(tr.in, nil)
			continue
		}
		values = append(values, b.Input(fmt.Sprintf("in%d", k), ir.State, a.Type))
		if a.Fill == ir.FillPart {
			tr.in = append(tr.in, parts[a.Part.Row().Operand])
		} else {
			tr.in = append(tr.in, fill(rng, a, tr.sizes, lens))
		}
	}
	b.Op(op.Name, tr.r.Pos, "", s.Attrs, values...)
	require.NoError(t, b.Err())
	tr.node = tr.r.Nodes[0]
	tr.r.Out = append(tr.r.Out, tr.node.Out...)
	return tr
}

// fill draws the numbers of one operand.
func fill(rng *rand.Rand, a ir.Arg, z ir.Sizes, lens []int) *ir.Array {
	var shape []int
	for _, d := range a.Type.Shape {
		shape = append(shape, z.Dim(d))
	}
	if a.Type.DType == ir.I32 {
		out := ir.NewInts(shape...)
		fillInts(rng, out.I, a)
		return out
	}
	out := ir.NewArray(shape...)
	if a.Fill == ir.FillZero {
		return out
	}
	for i := range out.F {
		x := rng.NormFloat64()
		if a.Fill == ir.FillPositive {
			x = 0.5 + 1.5*rng.Float64()
		}
		out.F[i] = float64(float32(x))                                   // kernels must see the same numbers
		if a.Fill == ir.FillPanels && i/(16*shape[1])*16+i%16 >= a.Max { // a column after the last
			out.F[i] = 0
		}
	}
	if a.Fill == ir.FillProb {
		at := 0
		for range shape[0] {
			for _, n := range lens {
				for range n {
					row, sum := out.F[at:at+n], 0.0
					for j := range row {
						row[j] *= row[j]
						sum += row[j]
					}
					for j := range row {
						row[j] /= sum
					}
					at += n
				}
			}
		}
	}
	return out
}

// fillInts draws integers.
func fillInts(rng *rand.Rand, out []int32, a ir.Arg) {
	for i := range out {
		switch {
		case a.Fill == ir.FillIndex: // steps of 0 or 1 that reach all rows, placed around the middle
			out[i] = int32(min(max(i-(len(out)-a.Max)/2, 0), a.Max-1))
		case a.Fill == ir.FillTarget && i < 2:
			out[i] = int32(-i)
		case a.Fill == ir.FillTarget:
			out[i] = int32(rng.IntN(a.Max+1) - 1)
		default:
			out[i] = int32(rng.IntN(a.Max))
		}
	}
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
