package codegen

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// queryLowering runs what works on the queries of one sequence.
type queryLowering struct {
	common
	memory func(n *ir.Node) string // the number of floats of scratch memory, as an expression in s engine.Sizes
}

// queryLowerings returns the lowerings of the ops on queries, by their names.
func queryLowerings() map[string]lowering {
	size := func(scratch func(size int) int) func(*ir.Node) string {
		return func(n *ir.Node) string { return fmt.Sprint(scratch(n.In[0].Type.Shape[1].N)) }
	}
	attends := func(grad bool) func(*ir.Node) string {
		return func(*ir.Node) string { return fmt.Sprintf("%d*s.Q", ops.AttendScratch(grad, 1)) }
	}
	return map[string]lowering{
		"gru":                queryLowering{memory: size(ops.GRUScratch)},
		"gru_grad":           queryLowering{memory: size(ops.GRUGradScratch)},
		"attend_fields":      queryLowering{memory: attends(false)},
		"attend_fields_grad": queryLowering{memory: attends(true)},
	}
}

func (queryLowering) kernels(set *kernelSet, s *step) (err error) {
	s.kernel, err = set.portableOnly(s.node)
	return err
}

func (queryLowering) units(*step) units { return units{"e.sequences", "A unit is one sequence."} }

func (l queryLowering) scratch(s *step) []string { return []string{l.memory(s.node)} }

func (queryLowering) unit(s *step) []string {
	n := s.node
	op := ir.Lookup(n.Op)
	var args []string
	for i, v := range append(slices.Clone(n.Out), n.In...) {
		switch k := i - len(n.Out); {
		case k >= 0 && !s.kernel.takes(op.Argument(k)):
		case v.Type.Shape[0] == ir.Q:
			args = append(args, s.row(v, "query"))
		default:
			args = append(args, s.ptr(v))
		}
	}
	return []string{"query := int(e.QueryStarts[unit])", s.kernel.run(append(args, "e.scratch(worker)", "int(e.QueryStarts[unit+1])-query")...)}
}
