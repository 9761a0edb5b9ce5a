package compiler

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// threads decides how each step of the schedule is divided between the workers. However it is divided, one worker computes each output element in one order, so
// a result does not depend on the number of threads.
func threads(p *ir.Program) error {
	seen := map[*ir.Region]bool{}
	for _, c := range p.Run {
		if seen[c.Region] {
			continue
		}
		seen[c.Region] = true
		for i, n := range c.Region.Nodes {
			s := ir.Step{Region: c.Region.Name, Node: i, Split: ir.SplitNone}
			op := ir.Lookup(n.Op)
			if len(op.Kernels) > 0 {
				s.Kernel = op.Kernels[0]
			}
			switch op.Class {
			case ir.Contraction:
				s.Split = ir.SplitPanels
			case ir.Attention:
				s.Split = ir.SplitHeads
			case ir.Sequencewise:
				s.Split = ir.SplitSeqs
			case ir.Recurrent:
				s.Split = ir.SplitWays
			case ir.Wordwise:
				s.Split, s.Block = ir.SplitWords, ops.TokenBlock
			case ir.Gather:
				s.Split, s.Block = ir.SplitRows, rowsInBlock
			case ir.Rowwise, ir.Elementwise:
				if sameRows(n) {
					s.Split, s.Block = ir.SplitRows, rowsInBlock
				}
			}
			p.Plan.Steps = append(p.Plan.Steps, s)
		}
	}
	return nil
}

// rowsInBlock is the number of rows of a row-wise step that one worker takes at a time. It is large enough to make the hand-over cheap, and small enough to
// balance the work.
const rowsInBlock = 32

// sameRows reports whether a row of the result needs only the same row of the operands.
func sameRows(n *ir.Node) bool {
	for _, v := range n.In {
		if v != nil && v.Batched() && v.Type.Shape[0] != n.Out[0].Type.Shape[0] {
			return false
		}
	}
	return true
}
