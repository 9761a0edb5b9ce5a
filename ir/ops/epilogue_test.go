package ops_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
)

// TestGemmEpilogues compares the portable form of products with the reference, for each activation, with and without bias and residual. 33 columns and an odd
// number of rows make the nest write the epilogue of every tile that it has.
func TestGemmEpilogues(t *testing.T) {
	acts := []string{""}
	for _, op := range ir.Ops() {
		if slices.Contains(op.Kernels, "act") {
			acts = append(acts, op.Name)
		}
	}
	require.Greater(t, len(acts), 5)
	arg := func(dims ...ir.Dim) ir.Arg { return ir.Arg{Type: ir.Type{Shape: dims}} }
	for _, act := range acts {
		for _, bias := range []bool{false, true} {
			for _, residual := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/bias=%t/residual=%t", act, bias, residual), func(t *testing.T) {
					s := ir.Sample{Lens: []int{2, 1, 4}, Attrs: []ir.Attr{ir.A("k", 7), ir.A("n", 33)},
						In: []ir.Arg{arg(ir.T, ir.N(7)), {Type: ir.Type{Shape: ir.Shape{ir.N(3), ir.N(7), ir.N(16)}}, Fill: ir.FillPanels, Max: 33},
							{Fill: ir.FillMissing}, {Fill: ir.FillMissing}}}
					if act != "" {
						s.Attrs = append([]ir.Attr{ir.A("act", act)}, s.Attrs...)
					}
					if bias {
						s.In[2] = arg(ir.N(48))
					}
					if residual {
						s.In[3] = arg(ir.T, ir.N(33))
					}
					tr := newTrial(t, ir.Lookup("gemm"), s, 3)
					spread(tr.node)
					nest, err := tr.op.Lower(tr.node)
					require.NoError(t, err)
					compare(t, tr, 0, lowered(t, tr, nest))
				})
			}
		}
	}
}
