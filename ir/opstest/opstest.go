// Package opstest makes up operands for the samples of ops, for tests.
package opstest

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/bf16"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
)

// Trial is a sample together with operands.
type Trial struct {
	Op     *ir.Op
	Region *ir.Region // one node; its operands are the inputs
	Node   *ir.Node
	Batch  *ragged.Batch
	Sizes  ir.Sizes
	In     []*ir.Array // by operand; nil where it is missing
}

// New builds the node of a sample and draws its operands. Its error is a fault of the sample.
func New(op *ir.Op, s ir.Sample, seed uint64) (*Trial, error) {
	rng := rand.New(rand.NewPCG(seed, 7))
	lens := s.Lens
	if lens == nil {
		lens = []int{3, 1, 4}
	}
	tr := &Trial{Op: op, Region: &ir.Region{Name: "trial"}}
	limits := ragged.Limits{Vocab: 5, Types: 2, SequenceTokens: 99, Rows: 99, Candidates: 7}
	for p := range ragged.Part(ragged.Parts) {
		p.Read(&limits, 1)
	}
	if slices.ContainsFunc(s.In, func(a ir.Arg) bool { return a.Fill == ir.FillPart && a.Part.Row().Limit == "Steps" }) {
		limits.Steps = ir.SampleSteps // otherwise words go with labels
	}
	tr.Batch = raggedtest.Batch(lens, limits, s.Holes, rng.IntN)
	tr.Sizes = ir.Sizes(tr.Batch.Sizes())
	parts := eval.StoreOf(tr.Batch, 1)
	b := ir.NewBuilder(tr.Region)
	var values []*ir.Value
	for k, a := range s.In {
		if a.Fill == ir.FillMissing {
			values, tr.In = append(values, nil), append(tr.In, nil)
			continue
		}
		values = append(values, b.Input(fmt.Sprintf("in%d", k), ir.State, a.Type))
		if a.Fill == ir.FillPart {
			tr.In = append(tr.In, parts[a.Part.Row().Operand])
		} else {
			tr.In = append(tr.In, fill(rng, a, tr.Sizes, lens))
		}
	}
	b.Node(op.Name, tr.Region.Pos, "", s.Attrs, values...)
	if err := b.Err(); err != nil {
		return nil, err
	}
	tr.Node = tr.Region.Nodes[0]
	tr.Region.Out = append(tr.Region.Out, tr.Node.Out...)
	return tr, nil
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
		switch {
		case a.Fill == ir.FillPositive:
			x = 0.5 + 1.5*rng.Float64()
		case a.Fill == ir.FillSome && i/shape[len(shape)-1]%3 == 1:
			x = 0
		}
		switch a.Fill {
		case ir.FillBelow:
			x = float64(rng.IntN(a.Max))
		case ir.FillShare:
			x = [...]float64{-1, 0, 1, rng.Float64(), rng.Float64()}[rng.IntN(5)]
		case ir.FillRole:
			x = float64(1 - i%2)
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
		case a.Fill == ir.FillBF16:
			out[i] = bf16.Pair(float32(rng.NormFloat64()), float32(rng.NormFloat64()))
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
