package codegen

import (
	"fmt"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
)

// pairsLowering rounds a matrix to pairs of bfloat16. Of the rows of a result that holds pairs of rows it writes the first half: the rest holds no pairs, and
// nothing reads it.
type pairsLowering struct{ common }

// count returns the expression for the number of rows that are written.
func (pairsLowering) count(n *ir.Node) string {
	if n.Flag("rows") {
		return fmt.Sprintf("(%s+1)/2", rowsOf(n.In[0]))
	}
	return rowsOf(n.In[0])
}

func (l pairsLowering) units(s *step) units {
	if s.split == ir.SplitNone {
		return units{"1", "The only unit is all rows."}
	}
	return units{parts(l.count(s.node), s.block), fmt.Sprintf("A unit is %d rows of pairs.", s.block)}
}

func (pairsLowering) kernels(set *kernelSet, s *step) (err error) {
	n := s.node
	x, y := n.In[0], n.Out[0]
	of, counts := kernel.PairColumns, "m"
	if n.Flag("rows") {
		of, counts = kernel.PairRows, "min(2*m, xRows-2*at)"
	}
	first := map[bool]string{false: "at", true: "2*at"}[n.Flag("rows")]
	s.kernel, err = set.driven(n, driver{
		name:     fmt.Sprintf("pairs_bf16_%s_%d_ldx%d_ldy%d", of, x.Type.Shape[1].N, stride(x), stride(y)),
		doc:      "rounds rows to bfloat16, and brings them into m rows of pairs, the first of which has the number at.",
		assembly: func(isa kernel.ISA) []kernel.Kernel { return []kernel.Kernel{kernel.Pairs(of, isa)} },
		body: func(isa kernel.ISA) string {
			return fmt.Sprintf("if m > 0 {\n%s(y, %s, %s, %d, %d, %d)\n}", kernel.PairsName(of, isa.Name), moved("x", first, stride(x)), counts,
				x.Type.Shape[1].N, stride(y), stride(x))
		},
		more: true,
	})
	return err
}

func (l pairsLowering) unit(s *step) []string {
	n := s.node
	row, m := "row", fmt.Sprintf("min(%d, %s-row)", s.block, l.count(n))
	var lines []string
	if s.split == ir.SplitNone {
		row, m = "0", l.count(n)
	} else {
		lines = append(lines, fmt.Sprintf("row := unit * %d", s.block))
	}
	return append(lines, s.kernel.run(append([]string{s.row(n.Out[0], row), s.ptr(n.In[0])}, s.kernel.counts(n, m, row)...)...))
}
