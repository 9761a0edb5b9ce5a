package codegen

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// textLowering runs what works on the words of one sequence and on its text. Heads that score the labels of a prompt read labels as words.
type textLowering struct {
	common
	attends, grad bool
}

// textLowerings returns the lowerings of the ops on words and texts, by their names.
func textLowerings() map[string]lowering {
	return map[string]lowering{
		"expand_texts":      textLowering{},
		"sum_texts":         textLowering{},
		"softmax_words":     textLowering{},
		"attend_words":      textLowering{attends: true},
		"attend_words_grad": textLowering{attends: true, grad: true},
	}
}

func (textLowering) kernels(set *kernelSet, s *step) (err error) {
	s.kernel, err = set.portableOnly(s.node)
	return err
}

func (textLowering) units(*step) units { return units{"e.sequences", "A unit is one sequence."} }

func (l textLowering) scratch(s *step) []string {
	if !l.attends {
		return nil
	}
	return []string{fmt.Sprintf("%d*s.N", ops.AttendScratch(l.grad, 1))}
}

func (l textLowering) unit(s *step) []string {
	n := s.node
	op := ir.Lookup(n.Op)
	first := map[ir.Dim]string{ir.W: "word", ir.T: "first", ir.B: "unit"}
	var args []string
	for i, v := range append(slices.Clone(n.Out), n.In...) {
		if k := i - len(n.Out); v != nil && (k < 0 || s.kernel.takes(op.Argument(k))) {
			args = append(args, s.row(v, first[v.Type.Shape[0]]))
		}
	}
	if l.attends {
		args = append(args, "e.scratch(worker)")
	}
	return []string{
		"first, word := int(e.Starts[unit]), int(e.WordStarts[unit])",
		s.kernel.run(append(args, "int(e.Starts[unit+1])-first", "int(e.WordStarts[unit+1])-word")...),
	}
}
