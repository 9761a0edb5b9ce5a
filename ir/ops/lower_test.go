package ops_test

import (
	"fmt"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/ir/ops"
)

// stray marks memory that no kernel may write or read as data: the padding between rows.
const stray = float32(12345)

// spread sets the distance between rows of activations to whole panels and one more, so that a wrong stride is found. It does the same for matrices of a fixed
// size, which are weights or their gradients, if the op works on rows. Ops on flat memory have no more than whole panels.
func spread(n *ir.Node) {
	class := ir.Lookup(n.Op).Class
	byRows := class.ByRows() || class == ir.Recurrent
	for _, list := range [][]*ir.Value{n.In, n.Out} {
		for _, v := range list {
			if v != nil && v.Type.DType == ir.F32 && len(v.Type.Shape) == 2 && (byRows || !v.Type.Shape[0].Const()) {
				v.LD = (v.Type.Shape[1].N+15)/16*16 + 16
			} else if v != nil && len(v.Type.Shape) == 2 && class == ir.Flat {
				v.LD = (v.Type.Shape[1].N + 15) / 16 * 16
			}
		}
	}
}

// memory lays out an array in memory with its value's row distance. Between rows lies padding.
func memory(v *ir.Value, a *ir.Array, padding float32) loop.Memory {
	if a.I != nil {
		return loop.Memory{I: append([]int32{}, a.I...)}
	}
	src := a.Single()
	if v.LD == 0 {
		return loop.Memory{F: append([]float32{}, src...)}
	}
	rows, cols := a.Shape[0], a.Shape[1]
	out := make([]float32, rows*v.LD)
	for i := range out {
		if out[i] = padding; i%v.LD < cols {
			out[i] = src[i/v.LD*cols+i%v.LD]
		}
	}
	return loop.Memory{F: out}
}

// padding returns what lies between rows: what no op reads, or zeros for ops on flat memory.
func padding(op *ir.Op) float32 {
	if op.Class == ir.Flat {
		return 0
	}
	return stray
}

// launches returns the op's own launches, or the one call with arguments by name.
func launches(t *testing.T, tr *trial, nest *loop.Nest) []ir.Launch {
	starts := []int32{0}
	for i, a := range tr.in {
		if v := tr.node.In[i]; v != nil && v.Type.Equal(ir.Type{DType: ir.I32, Shape: ir.Shape{ir.Bound}}) {
			starts = a.I
		}
	}
	if len(starts) == 1 { // the op does not look at sequences
		starts = make([]int32, tr.sizes.B+1)
		starts[tr.sizes.B] = int32(tr.sizes.T)
	}
	if tr.op.Launches != nil {
		return tr.op.Launches(tr.node, starts, tr.in)
	}
	return blocks(t, tr, nest, tr.sizes.Dim(tr.node.Out[0].Type.Shape[0]))
}

// blocks returns the calls of the nest of an op that works on rows, for blocks of size rows of the result.
func blocks(t *testing.T, tr *trial, nest *loop.Nest, size int) (list []ir.Launch) {
	require.True(t, tr.op.Class.ByRows())
	rows := tr.sizes.Dim(tr.node.Out[0].Type.Shape[0])
	for at := 0; at < rows; at += size {
		l := ir.Launch{Memory: map[string]ir.Place{}, Counts: map[string]int{ir.CountRows: min(size, rows-at), ir.CountAt: at}}
		for _, a := range nest.Args {
			if a.Name == "y" {
				l.Memory["y"] = ir.Place{Operand: ir.Result, At: at * stride(tr.node.Out[0])}
				continue
			}
			name, found := a.Name, a.Name == ir.CountRows || a.Name == ir.CountAt
			if of := ir.RowsOf(name); a.Kind == loop.Count && of != "" {
				name = of
			}
			for i := range tr.node.In {
				d := tr.op.In[min(i, len(tr.op.In)-1)]
				switch {
				case tr.op.Argument(i) != name:
				case a.Kind == loop.Count:
					l.Counts[a.Name], found = tr.sizes.Dim(tr.node.In[i].Type.Shape[0]), true
				case d.Whole:
					l.Memory[name], found = ir.Place{Operand: i}, true
				default:
					require.Equal(t, tr.node.Out[0].Type.Shape[0], tr.node.In[i].Type.Shape[0], "%s has other rows than the result: it is Whole", name)
					l.Memory[name], found = ir.Place{Operand: i, At: at * stride(tr.node.In[i])}, true
				}
			}
			require.True(t, found, "argument %s is no operand", a.Name)
		}
		list = append(list, l)
	}
	return list
}

// stride returns the distance between the rows of a value.
func stride(v *ir.Value) int { return max(v.LD, (ir.Sizes{}).Elements(v.Type.Shape[1:])) }

// lowered computes a node by its portable form and returns the memory of its first result.
func lowered(t *testing.T, tr *trial, nest *loop.Nest) []float32 {
	return launched(t, tr, nest, launches(t, tr, nest))[0]
}

// launched computes a node by calls of its portable form and returns the memory of each result.
func launched(t *testing.T, tr *trial, nest *loop.Nest, calls []ir.Launch) [][]float32 {
	operands := make([]loop.Memory, len(tr.in))
	for i, v := range tr.node.In {
		if v != nil {
			operands[i] = memory(v, tr.in[i], padding(tr.op))
		}
	}
	results := make([][]float32, len(tr.node.Out))
	own := 0 // the first result that has memory of its own
	var ints []int32
	for k, out := range tr.node.Out {
		if at := inPlace(tr, k); at >= 0 {
			results[k] = operands[at].F
			if own == k {
				own++
			}
			continue
		}
		results[k] = make([]float32, max(1, tr.sizes.Dim(out.Type.Shape[0])*max(out.LD, tr.sizes.Elements(out.Type.Shape[1:]))))
		for i := range results[k] {
			results[k][i] = stray
		}
		if out.Type.DType == ir.I32 {
			ints = make([]int32, len(results[k]))
		}
	}
	for _, l := range calls {
		if y := l.Memory["y"]; y.Operand >= 0 && argument(nest, "y") {
			results[0] = operands[y.Operand].F
		}
		mem := map[string]loop.Memory{}
		for name, p := range l.Memory {
			switch {
			case !argument(nest, name):
			case p.Operand == ir.Result && ints != nil:
				mem[name] = loop.Memory{I: ints, At: p.At}
			case p.Operand == ir.Result:
				mem[name] = loop.Memory{F: results[own], At: p.At}
			case p.Operand < ir.Scratch:
				mem[name] = loop.Memory{F: results[ir.Scratch-p.Operand], At: p.At}
			case p.Operand == ir.Scratch:
				mem[name] = loop.Memory{F: make([]float32, p.At)}
			case p.Operand < len(operands):
				m := operands[p.Operand]
				m.At = p.At
				mem[name] = m
			}
		}
		require.NoError(t, loop.Run(nest, mem, l.Counts))
	}
	for i, v := range ints { // the only result
		results[0][i] = float32(v)
	}
	return results
}

// inPlace returns the operand whose memory a result takes, or -1.
func inPlace(tr *trial, result int) int {
	if tr.op.InPlace == nil {
		return -1
	}
	return tr.op.InPlace(tr.node)[result]
}

// argument reports whether the nest has an argument of that name.
func argument(n *loop.Nest, name string) bool {
	for _, a := range n.Args {
		if a.Name == name {
			return true
		}
	}
	return false
}

// compare compares the memory of a result with the reference.
func compare(t *testing.T, tr *trial, result int, got []float32) {
	want := tr.run(t, tr.in)[result]
	out := tr.node.Out[result]
	cols := 1
	for _, d := range want.Shape[1:] {
		cols *= d
	}
	ld := max(out.LD, cols)
	for i, w := range want.I {
		require.Equal(t, float32(w), got[i], "element %d", i)
	}
	for i, w := range want.Floats() {
		g := float64(got[i/cols*ld+i%cols])
		require.InDelta(t, w, g, 1e-5*(1+math.Abs(w)), "result %d, element %d", result, i)
	}
	padded := (cols + 15) / 16 * 16
	for i, g := range got {
		if inPlace(tr, result) >= 0 && i%ld >= cols {
			require.Equal(t, padding(tr.op), g, "element %d, between rows", i)
		}
		if out.LD != 0 && i%ld >= padded {
			require.Equal(t, stray, g, "element %d, after a row's last panel, was written", i)
		}
	}
}

// TestLower checks that the portable form of every op computes in float32 what its reference computes, for rows that are not adjacent.
func TestLower(t *testing.T) {
	eachTrial(t, func(t *testing.T, tr *trial) {
		if tr.op.Lower == nil {
			require.NotEmpty(t, tr.op.NoLower)
			require.Empty(t, tr.op.Kernels, "kernels replace a portable form that does not exist")
			return
		}
		spread(tr.node)
		nest, err := tr.op.Lower(tr.node)
		require.NoError(t, err)
		got := launched(t, tr, nest, launches(t, tr, nest))
		for k := range got {
			compare(t, tr, k, got[k])
		}
		if tr.op.Class.ByRows() && tr.op.Launches == nil {
			require.Equal(t, fmt.Sprint(got), fmt.Sprint(launched(t, tr, nest, blocks(t, tr, nest, 2))), "blocks of two rows")
		}
	})
}

// TestGemmBits checks that two panels in one call return the bits of one panel per call, for any number of rows.
func TestGemmBits(t *testing.T) {
	op := ir.Lookup("gemm")
	for _, s := range op.Sample() {
		tr := newTrial(t, op, s, 5)
		spread(tr.node)
		one, err := ops.GemmNest(tr.node, 16)
		require.NoError(t, err)
		want := lowered(t, tr, one)
		two, err := ops.GemmNest(tr.node, 32)
		require.NoError(t, err)
		got := append([]float32(nil), want...)
		residual := 3
		if len(tr.in) > 4 {
			residual = 4
		}
		k, panels, ld := tr.node.Int("k"), tr.node.In[1].Type.Shape[0].N, tr.node.Out[0].LD
		for p := 0; p+2 <= panels; p += 2 {
			for i := range got {
				if at := i % ld; at >= 16*p && at < 16*p+32 {
					got[i] = stray
				}
			}
			rows := len(got) / ld
			for i := 0; i < rows; i++ { // one row at a time
				mem := map[string]loop.Memory{"c": {F: got, At: i*ld + 16*p}}
				for name, at := range map[string][2]int{"a": {0, i * tr.node.In[0].LD}, "w": {1, 16 * p * k}, "bias": {2, 16 * p},
					"r": {residual, i*ld + 16*p}} {
					if at[0] < len(tr.in) && tr.node.In[at[0]] != nil && argument(two, name) {
						m := memory(tr.node.In[at[0]], tr.in[at[0]], stray)
						m.At = at[1]
						mem[name] = m
					}
				}
				require.NoError(t, loop.Run(two, mem, map[string]int{"m": 1, "ldc": ld}))
			}
		}
		require.Equal(t, fmt.Sprint(want), fmt.Sprint(got))
	}
}

// TestLayernormPadding checks that a norm clears the columns between the last column and the end of its panel.
func TestLayernormPadding(t *testing.T) {
	op := ir.Lookup("layernorm")
	tr := newTrial(t, op, op.Sample()[0], 1)
	spread(tr.node)
	nest, err := op.Lower(tr.node)
	require.NoError(t, err)
	cols, ld := tr.node.Out[0].Type.Shape[1].N, tr.node.Out[0].LD
	for i, g := range lowered(t, tr, nest) {
		if c := i % ld; c >= cols && c < (cols+15)/16*16 {
			require.Zero(t, g, "element %d", i)
		}
	}
}

// TestGemmRefused checks that rows that are too close for whole panels are refused, and rows whose distance differs from that of the residual.
func TestGemmRefused(t *testing.T) {
	op := ir.Lookup("gemm")
	tr := newTrial(t, op, op.Sample()[3], 1)
	_, err := op.Lower(tr.node)
	require.ErrorContains(t, err, "too near for whole panels of 33 columns")
	spread(tr.node)
	tr.node.In[3].LD += 16
	_, err = op.Lower(tr.node)
	require.ErrorContains(t, err, "both must be equal")
	_, err = ops.GemmNest(tr.node, 24)
	require.ErrorContains(t, err, "a kernel of 24 columns")
}

// TestScatterFrozen checks that the portable form leaves out a row that gets no gradient. Samples of the op have no such row, because it has no second
// derivative.
func TestScatterFrozen(t *testing.T) {
	op := ir.Lookup("scatter_add")
	for _, frozen := range []int{0, 1, 6} {
		s := op.Sample()[0]
		s.Attrs = []ir.Attr{ir.A("frozen", frozen), ir.A("rows", 7)}
		tr := newTrial(t, op, s, 2)
		tr.in[1].I = []int32{6, 1, 0, 1, 6, 0, 3, 1}
		spread(tr.node)
		nest, err := op.Lower(tr.node)
		require.NoError(t, err)
		for _, size := range []int{1, 3, 7} {
			compare(t, tr, 0, launched(t, tr, nest, blocks(t, tr, nest, size))[0])
		}
	}
}
