package codegen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// placeLowering runs what works on the queries, boundaries and candidates of one sequence, in portable Go.
type placeLowering struct {
	common
	chooses bool
	attends int // floats of scratch memory for each boundary
}

// placeLowerings returns the lowerings of the ops of a head that chooses spans, by their names.
func placeLowerings() map[string]lowering {
	list := map[string]lowering{"choose_spans": placeLowering{chooses: true},
		"attend_bounds": placeLowering{attends: 1}, "attend_bounds_grad": placeLowering{attends: 2}}
	for _, name := range []string{"boundary_rows", "boundary_words", "boundary_edges", "boundary_scores", "boundary_scores_grad", "span_ends", "span_ends_grad",
		"span_products", "span_products_grad", "span_lengths", "span_content", "span_content_grad", "film_rows", "film_rows_grad",
		"span_evidence", "span_evidence_grad", "span_loss", "span_loss_grad"} {
		list[name] = placeLowering{}
	}
	return list
}

func (placeLowering) kernels(set *kernelSet, s *step) (err error) {
	s.kernel, err = set.portableOnly(s.node)
	return err
}

func (placeLowering) units(*step) units { return units{"e.sequences", "A unit is one sequence."} }

// scratch returns the memory of a sequence that has as many words as the longest one has tokens, which is no less than for fewer words.
func (l placeLowering) scratch(s *step) []string {
	if l.attends > 0 {
		return []string{fmt.Sprintf("%d*(s.N+1)", l.attends)}
	}
	if !l.chooses {
		return nil
	}
	k := fmt.Sprintf("min(%d, s.N+1)", s.node.Int("top"))
	return []string{fmt.Sprintf("%d*(s.N+1) + %d*%s + %d*%s*%[3]s", ops.ChooseBounds, ops.ChooseLooked, k, ops.ChoosePairs, k)}
}

func (l placeLowering) unit(s *step) []string {
	n := s.node
	op := ir.Lookup(n.Op)
	first := map[ir.Dim]string{ir.B: "unit", ir.W: "p.Word", ir.Q: "p.Query", ir.U: "p.Bound", ir.R: "p.Score", ir.S: "p.Candidate", ir.X: "p.Pair"}
	var args []string
	for i, v := range append(slices.Clone(n.Out), n.In[:len(n.In)-3]...) {
		if k := i - len(n.Out); k >= 0 && !s.kernel.takes(op.Argument(k)) {
			continue
		}
		if at := first[v.Type.Shape[0]]; at == "" {
			args = append(args, s.ptr(v))
		} else {
			args = append(args, s.row(v, at))
		}
	}
	if l.chooses || l.attends > 0 {
		args = append(args, "e.scratch(worker)")
	}
	for _, c := range [][2]string{{"words", "p.Words"}, {"queries", "p.Queries"}, {"chosen", "p.Candidates"}} {
		if s.kernel.takes(c[0]) {
			args = append(args, c[1])
		}
	}
	lines := []string{"p := e.SpansOf(unit)", s.kernel.run(args...)}
	if !slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, "p.") }) {
		return lines[1:]
	}
	return lines
}
