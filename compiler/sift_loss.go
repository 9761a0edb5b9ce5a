package compiler

import (
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// siftLosses appends the losses of scale-invariant fine-tuning to a region.
type siftLosses struct {
	editor
	*spec.Sift
}

// divergence measures how far the probabilities of one pass are from those of another, for heads of one kind.
type divergence struct {
	// probabilities returns those that logits stand for.
	probabilities func(l siftLosses, z *ir.Value) *ir.Value
	// cross returns the cross entropy of probabilities with logits. The sum of its numbers, f32[M], is that of all rows.
	cross func(l siftLosses, p, z *ir.Value) *ir.Value
	// mean returns the mean over the rows of such numbers, f32[1].
	mean func(l siftLosses, each *ir.Value) *ir.Value
	// whole is true if the probabilities are those of the whole batch, which cannot be computed in parts.
	whole bool
}

// The kinds. A row is what has one distribution, or several that are independent of each other.
var (
	// divergenceOfRows: each row is a distribution over its columns.
	divergenceOfRows = divergence{
		probabilities: func(l siftLosses, z *ir.Value) *ir.Value { return l.node("exp", l.node("log_softmax_rows", z)) },
		cross:         func(l siftLosses, p, z *ir.Value) *ir.Value { return l.weighed(p, l.node("log_softmax_rows", z)) },
		mean:          siftLosses.mean,
	}
	// divergenceOfLabels: each number is the logarithm of the odds of a label, as in the head's loss. CE(p, z) = softplus(z) - p·z.
	divergenceOfLabels = divergence{
		probabilities: func(l siftLosses, z *ir.Value) *ir.Value { return l.node("sigmoid", z) },
		cross: func(l siftLosses, p, z *ir.Value) *ir.Value {
			return l.node("row_sum", l.node("sub", l.node("softplus", z), l.node("mul", p, z)))
		},
		mean: siftLosses.mean,
	}
	// divergenceOfTokens: each column is a distribution over the tokens of a sequence. A row is a sequence, with half the sum of both, as in the head's loss.
	divergenceOfTokens = divergence{
		probabilities: func(l siftLosses, z *ir.Value) *ir.Value { return l.node("exp", l.overTokens(z)) },
		cross: func(l siftLosses, p, z *ir.Value) *ir.Value {
			each := l.op("take", l.Source, []ir.Attr{ir.A("rows", "sum")}, l.node("mul", p, l.overTokens(z)), l.Part(ragged.Starts))
			return l.scaled(l.node("row_sum", each), -0.5)
		},
		mean: siftLosses.mean,
	}
	// divergenceOfChoices: the choices of a question are a distribution. The mean is over the questions with a right choice, as in the head's loss.
	divergenceOfChoices = divergence{
		probabilities: func(l siftLosses, z *ir.Value) *ir.Value { return l.node("exp", l.overGroups(z, l.groups(z))) },
		cross: func(l siftLosses, p, z *ir.Value) *ir.Value {
			return l.scaled(l.node("mul", p, l.overGroups(z, l.groups(z))), -1)
		},
		mean: func(l siftLosses, each *ir.Value) *ir.Value {
			target := l.Input(StoreTarget, ir.Batch, ir.Type{DType: ir.I32, Shape: each.Type.Shape})
			return l.node("mean", l.node("group_sum", each, l.groups(each)), target)
		},
	}
	// divergenceOfBatch: a head with one number has one row, a distribution over the numbers of the batch, as in the authors' code.
	divergenceOfBatch = divergence{
		probabilities: func(l siftLosses, z *ir.Value) *ir.Value { return l.node("exp", l.overGroups(z, nil)) },
		cross: func(l siftLosses, p, z *ir.Value) *ir.Value {
			return l.scaled(l.node("mul", p, l.overGroups(z, nil)), -1)
		},
		mean:  siftLosses.sum,
		whole: true,
	}
)

// divergenceOf returns how the numbers of a head are compared.
func divergenceOf(h *spec.Head) divergence {
	switch {
	case tasktable.Sigmoid(h.Loss):
		return divergenceOfLabels
	case h.As == spec.SpanEnds:
		return divergenceOfTokens
	case h.As == spec.Choices:
		return divergenceOfChoices
	case h.Out == 1:
		return divergenceOfBatch
	}
	return divergenceOfRows
}

// siftFault returns why the penalty has no meaning for a head, or nil.
func siftFault(h *spec.Head, at spec.Source) *diag.Diag {
	var why string
	switch crf := slices.IndexFunc(h.Steps, func(s *spec.Step) bool { return s.Kind == spec.StepCRF }); {
	case crf >= 0:
		return diag.Errorf("take-loss", at.Pos, "sift compares the probabilities of rows, but %s has those of chains of labels", h.FullName()).
			Note(h.Steps[crf].Pos, "the crf is here").Hintf("remove it")
	case h.Prompt != nil:
		why = "scores of labels that are given at run time"
	case h.Loss == tasktable.CrossEntropy, h.Loss == tasktable.MeanSquaredError, tasktable.Sigmoid(h.Loss):
		return nil
	default:
		why = "numbers for the loss " + h.Loss
	}
	return diag.Errorf("take-loss", at.Pos, "sift compares the probabilities of rows, but %s computes %s", h.FullName(), why).
		Note(h.Pos, "the head is here").Hintf("remove it")
}

// siftFaults returns what a training with sift cannot have besides it.
func siftFaults(tr *spec.Train) diag.List {
	f := tr.Sift
	if f == nil {
		return nil
	}
	if d := siftFault(tr.Head, f.Source); d != nil {
		return diag.List{d}
	}
	whole := divergenceOf(tr.Head).whole
	if whole && tr.Batch == 1 {
		return diag.List{diag.Errorf("take-loss", f.Pos, "sift compares the numbers of a head with one column by a softmax over the batch, which is "+
			"always 1 for one text").Note(tr.Words["batch"].Pos, "the batch is here").Hintf("batch 2 sequences")}
	}
	if tr.Part < tr.Batch && whole {
		return diag.List{diag.Errorf("take-loss", f.Pos, "sift compares the numbers of a head with one column by a softmax over the batch, which cannot be "+
			"cut into parts").Note(tr.Words["batch"].Pos, "the parts are here").Hintf("batch %d sequences", tr.Batch)}
	}
	return nil
}

// node appends a node without attributes at the line of sift.
func (l siftLosses) node(op string, in ...*ir.Value) *ir.Value { return l.op(op, l.Source, nil, in...) }

// scaled appends a product with a constant.
func (l siftLosses) scaled(x *ir.Value, by float64) *ir.Value {
	return l.op("scale", l.Source, []ir.Attr{ir.A("by", by)}, x)
}

// weighed appends the negative sum of each row of logarithms, weighed by probabilities.
func (l siftLosses) weighed(p, logs *ir.Value) *ir.Value {
	return l.scaled(l.node("row_sum", l.node("mul", p, logs)), -1)
}

// sum appends the sum of numbers, mean their mean.
func (l siftLosses) sum(each *ir.Value) *ir.Value {
	return l.op("mean", l.Source, []ir.Attr{ir.A("sum", true)}, each)
}

func (l siftLosses) mean(each *ir.Value) *ir.Value { return l.node("mean", each) }

// overTokens appends the logarithm of the softmax over the tokens of each sequence.
func (l siftLosses) overTokens(z *ir.Value) *ir.Value {
	return l.node("log_softmax_tokens", z, l.Part(ragged.Starts))
}

// groups returns the questions of the choices.
func (l siftLosses) groups(z *ir.Value) *ir.Value {
	return l.Input(StoreGroup, ir.Batch, ir.Type{DType: ir.I32, Shape: z.Type.Shape[:1]})
}

// overGroups appends the logarithm of the softmax over the numbers of each group, or of all numbers.
func (l siftLosses) overGroups(z, group *ir.Value) *ir.Value {
	in := []*ir.Value{l.node("row_sum", z)}
	if group != nil {
		in = append(in, group)
	}
	return l.node("log_softmax_groups", in...)
}

// distance appends the mean of the squared differences of all logits.
func (l siftLosses) distance(z, clean *ir.Value) *ir.Value {
	d := l.node("sub", z, clean)
	return l.node("mean", l.scaled(l.node("row_sum", l.node("mul", d, d)), 1/float64(z.Type.Shape[1].N)))
}
