package codegen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// The lowerings of this file run gradients, and what else only training programs compute, in portable Go.

// gradLowerings returns the lowerings of ops that only training programs have, by their names.
func gradLowerings() map[string]lowering {
	return map[string]lowering{
		"span_scores_grad":      wordGradLowering{},
		"span_targets":          wordGradLowering{},
		"expand_words":          wordGradLowering{},
		"expand_labels":         wordGradLowering{},
		"sum_words":             wordGradLowering{},
		"sum_labels":            wordGradLowering{},
		"lstm_grad":             lstmGradLowering{},
		"chain_likelihood":      chainLowering{},
		"chain_likelihood_grad": chainLowering{grad: true},
		"logit_parts":           vocabLowering{},
		"token_loss_grad":       vocabLowering{grad: true},
		"sample_row":            sampleLowering{},
		"sample_parts":          sampleLowering{parts: true},
	}
}

// startsOf returns the expression for the first rows of the sequences in a part of the batch, such as e.WordStarts.
func startsOf(v *ir.Value) string { return "e." + title(camel(v.Name)) }

// chainLowering runs the likelihood of labels in a conditional random field, a sequence per unit, or its gradient, which one unit adds over all sequences.
type chainLowering struct {
	common
	grad bool
}

func (chainLowering) kernels(set *kernelSet, s *step) (err error) {
	s.kernel, err = set.portableOnly(s.node)
	return err
}

func (l chainLowering) units(*step) units {
	if l.grad {
		return units{"1", "The only unit is all sequences, in their order."}
	}
	return units{"e.sequences", "A unit is one sequence."}
}

func (l chainLowering) scratch(s *step) []string {
	labels := s.node.In[len(s.node.In)-6].Type.Shape[1].N
	if !l.grad {
		return []string{fmt.Sprint(ops.ChainScratch(false, 0, labels))}
	}
	none, one := ops.ChainScratch(true, 0, labels), ops.ChainScratch(true, 1, labels)
	return []string{fmt.Sprintf("%d*s.N + %d", one-none, none)}
}

func (l chainLowering) unit(s *step) []string {
	n := s.node
	in := n.In[len(n.In)-6:]
	starts := startsOf(in[5])
	rows := func(of string) []string {
		return []string{fmt.Sprintf("first := int(%s[%s])", starts, of), fmt.Sprintf("n := int(%s[%s+1]) - first", starts, of)}
	}
	operands := []string{s.row(in[0], "first"), s.ptr(in[1]), s.ptr(in[2]), s.ptr(in[3]), at(s.ptr(in[4]), "first"), "e.scratch(worker)", "n"}
	if !l.grad {
		return append(rows("unit"), s.kernel.run(append([]string{at(s.ptr(n.Out[0]), "unit")}, operands...)...))
	}
	call := append([]string{s.row(n.Out[0], "first"), s.ptr(n.Out[1]), s.ptr(n.Out[2]), s.ptr(n.Out[3]), at(s.ptr(n.In[0]), "b")}, operands...)
	lines := append([]string{"fresh := 1", "for b := range e.sequences {"}, rows("b")...)
	return append(lines, s.kernel.run(append(call, "fresh")...), "fresh = 0", "}")
}

// lstmGradLowering runs the gradient of one direction of a long short-term memory over one sequence.
type lstmGradLowering struct{ common }

func (lstmGradLowering) kernels(set *kernelSet, s *step) (err error) {
	s.kernel, err = set.portableOnly(s.node)
	return err
}

func (lstmGradLowering) units(s *step) units { return lstmLowering{}.units(s) }

func (lstmGradLowering) scratch(s *step) []string {
	size := s.node.Int("size")
	none, one := ops.LSTMGradScratch(size, 0), ops.LSTMGradScratch(size, 1)
	return []string{fmt.Sprintf("%d*s.N + %d", one-none, none)}
}

func (lstmGradLowering) unit(s *step) []string {
	n := s.node
	size := n.Int("size")
	gates := 4 * (ops.LSTMState(size) / 6)
	side := func(v *ir.Value, width int) string { return at(s.ptr(v), fmt.Sprintf("row*%d + way*%d", v.LD, width)) }
	return append(directions(n, startsOf(n.In[4])), s.kernel.run(side(n.Out[0], gates), side(n.In[0], size), side(n.In[1], gates),
		moved(s.ptr(n.In[2]), "way", gates*size), side(n.In[3], size), "e.scratch(worker)", "m", "step"))
}

// wordGradLowering runs what works on the words and labels of one sequence, or on pairs of both.
type wordGradLowering struct{ common }

func (wordGradLowering) kernels(set *kernelSet, s *step) (err error) {
	s.kernel, err = set.portableOnly(s.node)
	return err
}

func (wordGradLowering) units(*step) units { return units{"e.sequences", "A unit is one sequence."} }

func (wordGradLowering) unit(s *step) []string {
	n := s.node
	firsts := startsOf(n.In[len(n.In)-1]) // of labels or queries
	lines := []string{"word, mark := int(e.WordStarts[unit]), int(" + firsts + "[unit])",
		"words, labels := int(e.WordStarts[unit+1])-word, int(" + firsts + "[unit+1])-mark",
		"pair := 0",
		"for b := range unit {\n\tpair += int(e.WordStarts[b+1]-e.WordStarts[b]) * int(" + firsts + "[b+1]-" + firsts + "[b])\n}"}
	first := map[ir.Dim]string{ir.W: "word", ir.C: "mark", ir.Q: "mark", ir.G: "pair"}
	var args []string
	for _, v := range append(slices.Clone(n.Out), n.In[:len(n.In)-2]...) {
		args = append(args, s.row(v, first[v.Type.Shape[0]]))
	}
	lines = append(lines, s.kernel.run(append(args, "words", "labels")...))
	if !slices.ContainsFunc(args, func(a string) bool { return strings.Contains(a, "pair") }) {
		lines = slices.Delete(lines, 2, 4)
	}
	return lines
}
