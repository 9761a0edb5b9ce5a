package compiler

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
)

// losses appends the loss of a head.
type losses struct {
	editor
	Targets
	head    *spec.Head
	z       *ir.Value   // [M, C] the head's numbers
	parts   []*ir.Value // the outputs of a head that has several, in place of z
	targets []ir.Target
	longest int        // tokens of the longest sequence
	counts  []ir.Count // of the whole batch, for each sum_ratio, if it divides by more than the number of rows
}

// node appends a node at the head's line.
func (l *losses) node(op string, attrs []ir.Attr, in ...*ir.Value) *ir.Value {
	return l.op(op, l.head.Source, attrs, in...)
}

// target returns a part of the batch that is compared with the head's numbers, and what must hold for its numbers.
func (l *losses) target(name string, check ir.TargetCheck, t ir.DType, dims ...ir.Dim) *ir.Value {
	target := ir.Target{Name: name, Check: check}
	if check == ir.ClassTarget {
		target.Below = width(l.z)
		if l.head.As == spec.Choices {
			target.Below = 0 // any number marks the right choice
		}
	}
	l.targets = append(l.targets, target)
	return l.Input(name, ir.Batch, ir.Type{DType: t, Shape: dims})
}

// group returns the group of each sequence.
func (l *losses) group(check ir.TargetCheck) *ir.Value {
	return l.target(StoreGroup, check, ir.I32, ir.B)
}

// scaled appends a number times x.
func (l *losses) scaled(x *ir.Value, by float64) *ir.Value {
	return l.node("scale", []ir.Attr{ir.A("by", by)}, x)
}

// negated appends -x.
func (l *losses) negated(x *ir.Value) *ir.Value { return l.scaled(x, -1) }

// ratio appends Σx / Σw. count tells what Σw counts, for batches that are computed in parts.
func (l *losses) ratio(x, w *ir.Value, count ir.Count) *ir.Value {
	count.Name = StoreCount + count.Target
	l.counts = append(l.counts, count)
	return l.node("sum_ratio", nil, x, w)
}

// classes appends the mean cross entropy of class numbers.
func (l *losses) classes() *ir.Value {
	target := l.target(StoreTarget, ir.ClassTarget, ir.I32, l.z.Type.Shape[0])
	logs := l.node("log_softmax_rows", nil, l.z)
	each := l.node("pick_column", nil, logs, target)
	if l.Smooth > 0 {
		each = l.node("add", nil, l.scaled(each, l.Smooth-1), l.scaled(l.node("row_sum", nil, logs), -l.Smooth/float64(width(l.z))))
	} else {
		each = l.negated(each)
	}
	if l.Weigh == nil {
		return l.node("mean", nil, each, target)
	}
	w := l.node("class_weight", nil, l.node("numbers", []ir.Attr{ir.A("of", l.Weigh)}), target)
	return l.ratio(l.node("mul", nil, w, each), w, ir.Count{Target: StoreTarget, Of: ir.WeightCount, Weights: l.Weigh})
}

// chain appends the mean negative logarithm of the labels' probabilities in a conditional random field.
func (l *losses) chain() *ir.Value {
	labels := l.z.Type.Shape[1]
	scores := func(name string, dims ...ir.Dim) *ir.Value {
		return l.Input(storeCRF+name, ir.State, ir.Type{DType: ir.F32, Shape: dims})
	}
	starts := ragged.Starts
	if l.head.Take.Rows == spec.Words {
		starts = ragged.WordStarts
	}
	each := l.node("chain_likelihood", nil, l.z, scores("transitions", labels, labels), scores("start", labels), scores("end", labels),
		l.target(StoreTarget, ir.ClassTarget, ir.I32, l.z.Type.Shape[0]), l.Part(starts))
	return l.node("mean", nil, l.negated(each))
}

// probabilities appends the mean cross entropy of probabilities.
func (l *losses) probabilities() *ir.Value {
	target := l.target(StoreTarget, ir.ShareTarget, ir.F32, l.z.Type.Shape...)
	if l.Smooth > 0 {
		target = l.node("offset", []ir.Attr{ir.A("by", l.Smooth/float64(width(l.z)))}, l.scaled(target, 1-l.Smooth))
	}
	each := l.node("row_sum", nil, l.node("mul", nil, target, l.node("log_softmax_rows", nil, l.z)))
	return l.node("mean", nil, l.negated(each))
}

// span appends half the sum of the cross entropies of first and last tokens.
func (l *losses) span() *ir.Value {
	starts := l.Part(ragged.Starts)
	logs := l.node("log_softmax_tokens", nil, l.z, starts)
	var both *ir.Value
	for column, name := range []string{StoreStart, StoreEnd} {
		target := l.target(name, ir.TokenTarget, ir.I32, ir.B)
		mean := l.node("mean", nil, l.node("pick_token", []ir.Attr{ir.A("column", column)}, logs, target, starts), target)
		if both == nil {
			both = mean
		} else {
			both = l.node("add", nil, both, mean)
		}
	}
	return l.node("scale", []ir.Attr{ir.A("by", -0.5)}, both)
}

// spanShares appends half the sum of the cross entropies of probabilities of first and last tokens.
func (l *losses) spanShares() *ir.Value {
	starts := l.Part(ragged.Starts)
	target := l.target(StoreTarget, ir.ShareTarget, ir.F32, l.z.Type.Shape...)
	terms := l.node("mul", nil, target, l.node("log_softmax_tokens", nil, l.z, starts))
	each := l.node("row_sum", nil, l.node("take", []ir.Attr{ir.A("rows", "sum")}, terms, starts))
	return l.scaled(l.node("mean", nil, each), -0.5)
}

// choices appends the mean cross entropy of the right choices.
func (l *losses) choices() *ir.Value {
	target := l.target(StoreTarget, ir.ClassTarget, ir.I32, l.z.Type.Shape[0])
	group := l.group(ir.GroupTarget)
	logs := l.node("log_softmax_groups", nil, l.node("row_sum", nil, l.z), group)
	if l.Smooth > 0 {
		logs = l.node("add", nil, l.scaled(logs, 1-l.Smooth), l.scaled(l.node("group_mean", nil, logs, group), l.Smooth))
	}
	return l.node("mean", nil, l.negated(logs), target)
}

// choiceShares appends the mean cross entropy of the probabilities of choices.
func (l *losses) choiceShares() *ir.Value {
	target := l.target(StoreTarget, ir.ShareTarget, ir.F32, l.z.Type.Shape[0])
	logs := l.node("log_softmax_groups", nil, l.node("row_sum", nil, l.z), l.group(ir.GroupTarget))
	return l.ratio(l.negated(l.node("mul", nil, target, logs)), target, ir.Count{Target: StoreTarget, Of: ir.SumCount})
}

// binary appends the mean binary cross entropy, softplus(z) - target·z, or the mean focal loss.
func (l *losses) binary() *ir.Value {
	target := l.target(StoreTarget, ir.UnitTarget, ir.F32, l.z.Type.Shape...)
	if l.head.Loss == tasktable.BinaryCrossEntropy && l.Smooth == 0 && l.Weigh == nil {
		return l.overall(l.node("sub", nil, l.node("softplus", nil, l.z), l.node("mul", nil, target, l.z)))
	}
	return l.overall(l.judged(target))
}

// judged appends the binary loss of each number.
func (l *losses) judged(target *ir.Value) *ir.Value {
	var attrs []ir.Attr
	if l.head.Loss == tasktable.Focal {
		attrs = append(attrs, ir.A("alpha", l.head.LossSettings.Alpha), ir.A("gamma", l.head.LossSettings.Gamma))
	}
	if l.Smooth > 0 {
		attrs = append(attrs, ir.A("smooth", l.Smooth))
	}
	var weights *ir.Value
	if l.Weigh != nil {
		weights = l.node("numbers", []ir.Attr{ir.A("of", l.Weigh)})
	}
	return l.node("binary_loss", attrs, l.z, target, weights)
}

// entities appends the mean binary loss of the numbers of words and labels that count.
func (l *losses) entities() *ir.Value {
	_, widths := entityColumns(l.head)
	return l.judgedMean(StoreTarget, widths, ragged.MarkStarts)
}

// judgedMean appends the mean binary loss of the numbers whose target is not below 0. If they are those of spans of up to a number of words, starts divides the
// labels or queries between the sequences; widths is 0 for other numbers.
func (l *losses) judgedMean(name string, widths int, starts ragged.Part) *ir.Value {
	target := l.target(name, ir.JudgedTarget, ir.F32, l.z.Type.Shape...)
	if widths > 0 {
		target = l.node("span_targets", nil, target, l.Part(ragged.WordStarts), l.Part(starts))
	}
	count := ir.Count{Target: name, Of: ir.JudgedCount, Widths: widths}
	return l.ratio(l.node("row_sum", nil, l.judged(target)), l.node("judged", nil, target), count)
}

// schema appends the sum of the losses of all outputs of a head that reads a schema.
func (l *losses) schema() (sum *ir.Value) {
	var pool *ir.Value
	for i, o := range outputsOf(l.head) {
		l.z = l.parts[i]
		var mean *ir.Value
		switch o.Name {
		case tasktable.ClassOutput:
			mean = l.judgedMean(StoreClasses, 0, 0)
		case tasktable.BoundOutput:
			mean = l.judgedMean(StoreBounds, 0, 0)
		case tasktable.AbsentOutput:
			mean = l.judgedMean(StoreAbsent, 0, 0)
		case tasktable.PoolOutput:
			pool = l.z
			continue
		case tasktable.PairOutput:
			mean = l.spanLoss(pool)
		case tasktable.CountOutput:
			target := l.target(StoreCounts, ir.ClassTarget, ir.I32, l.z.Type.Shape[0])
			mean = l.node("mean", nil, l.negated(l.node("pick_column", nil, l.node("log_softmax_rows", nil, l.z), target)), target)
		default:
			mean = l.judgedMean(StoreSpans, o.Widths, ragged.QueryStarts)
		}
		if sum == nil {
			sum = mean
		} else {
			sum = l.node("add", nil, sum, mean)
		}
	}
	return sum
}

// spanLoss appends the mean loss of the chosen spans. A target is any boundary of a text.
func (l *losses) spanLoss(pool *ir.Value) *ir.Value {
	target := l.target(StoreLast, ir.ClassTarget, ir.I32, ir.R)
	l.targets[len(l.targets)-1].Below = l.longest + 1
	each := l.node("span_loss", nil, l.z, target, pool, l.Part(ragged.WordStarts), l.Part(ragged.QueryStarts), l.Part(ragged.Candidates))
	return l.node("mean", nil, each, target)
}

// squares appends the mean squared difference.
func (l *losses) squares() *ir.Value {
	d := l.node("sub", nil, l.z, l.target(StoreTarget, ir.FiniteTarget, ir.F32, l.z.Type.Shape...))
	return l.overall(l.node("mul", nil, d, d))
}

// overall appends the mean of all numbers of a matrix [M, C].
func (l *losses) overall(x *ir.Value) *ir.Value {
	return l.node("mean", nil, l.scaled(l.node("row_sum", nil, x), 1/float64(width(x))))
}

// contrastive appends the mean cross entropy of the similarities of each group's first text with the others.
func (l *losses) contrastive() *ir.Value {
	group := l.group(ir.PairTarget)
	temperature := []ir.Attr{ir.A("temperature", l.head.LossSettings.Temperature)}
	anchor, x := l.node("anchors", nil, group), l.node("unit_rows", nil, l.z)
	each := l.node("sub", nil, l.node("contrast_logs", temperature, x, anchor), l.node("pair_score", temperature, x, group))
	return l.node("sum_ratio", nil, each, anchor) // a batch has no parts
}

// cosines appends the mean squared difference of the cosines of pairs and their targets.
func (l *losses) cosines() *ir.Value {
	target, group := l.target(StoreTarget, ir.FiniteTarget, ir.F32, ir.B), l.group(ir.PairTarget)
	anchor, x := l.node("anchors", nil, group), l.node("unit_rows", nil, l.z)
	d := l.node("sub", nil, l.node("pair_score", []ir.Attr{ir.A("temperature", 1.0)}, x, group), target)
	return l.ratio(l.node("mul", nil, anchor, l.node("mul", nil, d, d)), anchor, ir.Count{Target: StoreGroup, Of: ir.GroupCount})
}

// pairwise appends the mean loss of the pairs of texts of a group.
func (l *losses) pairwise() *ir.Value {
	target, group := l.target(StoreTarget, ir.FiniteTarget, ir.F32, ir.B), l.group(ir.GroupTarget)
	return l.ratio(l.node("pairwise_loss", nil, l.node("row_sum", nil, l.z), target, group), l.node("pair_count", nil, target, group),
		ir.Count{Target: StoreTarget, Of: ir.PairCount})
}

// listwise appends the mean, over the groups, of the cross entropy of the scores' softmax with that of the targets. The probabilities of a group add up to 1,
// so their sum is the number of groups.
func (l *losses) listwise() *ir.Value {
	target, group := l.target(StoreTarget, ir.FiniteTarget, ir.F32, ir.B), l.group(ir.GroupTarget)
	shares := l.node("exp", nil, l.node("log_softmax_groups", nil, target, group))
	logs := l.node("log_softmax_groups", nil, l.node("row_sum", nil, l.z), group)
	return l.ratio(l.negated(l.node("mul", nil, shares, logs)), shares, ir.Count{Target: StoreGroup, Of: ir.GroupCount})
}
