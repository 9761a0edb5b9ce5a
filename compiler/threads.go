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
			case ir.Flat:
				if op.Launches != nil && len(op.Launches(n, nil, nil)) > 1 {
					s.Split, s.Block = ir.SplitChunks, ops.UpdateChunk
				}
			default:
				s.Split, s.Block = byRows(n)
			}
			p.Plan.Steps = append(p.Plan.Steps, s)
		}
	}
	return nil
}

// rowsInBlock is the number of rows of a row-wise step that one worker takes at a time. It is large enough to make the hand-over cheap, and small enough to
// balance the work.
const rowsInBlock = 32

// numbersInBlock is the least number of elements in such a block where the rows of the batch do not decide: of vectors, and of matrices of a fixed size.
const numbersInBlock = 1 << 14

// byRows returns how a step is divided that computes each row of its result by itself, and the number of rows in a block.
func byRows(n *ir.Node) (ir.Split, int) {
	shape := n.Out[0].Type.Shape
	block := max(rowsInBlock, numbersInBlock/(ir.Sizes{}).Elements(shape[1:]))
	switch {
	case len(shape) > 1 && !shape[0].Const():
		return ir.SplitRows, rowsInBlock
	case !shape[0].Const():
		return ir.SplitRows, block
	case ir.Lookup(n.Op).Class == ir.Reduction: // each unit reads all of the operands
		block = max(block, (shape[0].N+reductionUnits-1)/reductionUnits)
	}
	if block >= shape[0].N {
		return ir.SplitNone, 0
	}
	return ir.SplitRows, block
}

// reductionUnits is the greatest number of blocks of a result of a fixed size, such as the gradient of a table.
const reductionUnits = 64
