package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// Names in the store of a program with a loss. The targets are parts of the batch.
const (
	StoreLoss   = "loss"         // f32[1]
	StoreTarget = "target"       // see AddLoss
	StoreStart  = "target.start" // i32[B] first token of each answer, counted from the first token of its sequence
	StoreEnd    = "target.end"   // i32[B] last token of each answer
	StoreGroup  = "target.group" // i32[B] the question of each choice, a number below B
)

// AddLoss appends the loss of a unit's head to its program, which must be as [Compile] returns it for After: "build". The loss is f32[1], the output
// StoreLoss. It is a mean, so it does not depend on the size of the batch. M is the number of the head's rows, and C the number of its columns:
//
//   - cross_entropy with class numbers, the target i32[M]: the mean of -log softmax(z)[target] over the rows whose target is not below 0. Tokens
//     without a label have such a target, such as PyTorch's -100. The loss is 0 if all rows are left out.
//   - cross_entropy with class numbers, of a head with a crf: the mean over the sequences of -log p(target). Rows whose target is below 0 are not in the chain.
//     A sequence without other rows counts as 0.
//   - cross_entropy with probabilities (soft), the target f32[M, C]: the mean over the rows of -Σ_c target_c log softmax(z)_c.
//   - cross_entropy of a span, the targets StoreStart and StoreEnd: half the sum of both cross entropies over the tokens of each sequence. A sequence whose
//     target is below 0 is left out of that mean.
//   - cross_entropy of choices, the target i32[B] and StoreGroup: the mean of -log softmax(z) over the choices whose target is not below 0, the right ones. The
//     softmax is over the choices of a question.
//   - binary_cross_entropy, the target f32[M, C]: the mean over all numbers of log(1 + exp z) - target·z.
//   - mean_squared_error, the target f32[M, C]: the mean over all numbers of (z - target)².
//
// The formulas are those of torch.nn.functional in float64. Faults are diagnostics at the spec's lines, for heads without a loss and for losses that are not
// compiled yet.
func (u *Unit) AddLoss(soft bool) (diag.List, error) {
	if d := u.lossFault(soft); d != nil {
		return diag.List{d}, nil
	}
	_, logits := u.Program.Result()
	if logits == nil || logits.Name != storeLogits {
		return nil, fmt.Errorf("the program %s has no logits", u.Program.Name)
	}
	b := &builder{m: u.Model, h: u.Head, prog: u.Program}
	e := b.region("loss", "loss compares the head's numbers with the targets.", u.Head.Source, 1)
	l := losses{editor: e, head: u.Head, z: e.Input(storeLogits, ir.State, logits.Type)}
	e.Output(StoreLoss, lossOf(u.Head, soft).make(l))
	u.Program.Outputs = append(u.Program.Outputs, StoreLoss)
	return nil, e.Err()
}

// AddWeighted appends another loss to a unit's program: the mean, over the rows of its result, of the product of a row with a row of the target, f32[M, C]. Its
// gradient by the result is the target divided by M, so a caller can start the sweep from any gradient. A unit without a head has no other loss.
func (u *Unit) AddWeighted() error {
	_, result := u.Program.Result()
	outputs := u.Program.Outputs
	if result == nil || len(outputs) == 0 {
		return fmt.Errorf("the program %s has no result", u.Program.Name)
	}
	source := u.Model.Source
	if u.Head != nil {
		source = u.Head.Source
	}
	b := &builder{m: u.Model, h: u.Head, prog: u.Program}
	e := b.region("loss", "loss weighs the numbers of the result with the target.", source, 1)
	z := e.Input(outputs[len(outputs)-1], ir.State, result.Type) // the name of the last layer's rows has the number of the layer
	target := e.Input(StoreTarget, ir.Batch, result.Type)
	e.Output(StoreLoss, e.op("mean", source, nil, e.op("row_sum", source, nil, e.op("mul", source, nil, target, z))))
	u.Program.Outputs = append(u.Program.Outputs, StoreLoss)
	return e.Err()
}

// lossFault returns what is wrong with the loss of a unit, or nil.
func (u *Unit) lossFault(soft bool) *diag.Diag {
	h := u.Head
	switch {
	case u.Ensemble != nil:
		return diag.Errorf("not-yet", u.Ensemble.Pos, "an ensemble has no loss: its members are trained one by one")
	case h == nil:
		return diag.Errorf("missing", u.Model.Pos, "the model %s has no head here, so it has no loss", u.Model.Name).Hintf("name one of its heads")
	case h.Loss == "":
		return diag.Errorf("missing", h.Pos, "the head %s has no loss", h.Name).Hintf("loss %s", tasktable.CrossEntropy)
	}
	if lossOf(h, soft) == nil {
		what := "the loss " + h.Loss
		if soft {
			what += " with probabilities as targets"
		}
		return diag.Errorf("not-yet", h.Pos, "%s of a head for %s is not compiled yet, so the head cannot be trained", what, h.Task())
	}
	return nil
}

// losses appends the loss of a head.
type losses struct {
	editor
	head *spec.Head
	z    *ir.Value // [M, C] the head's numbers
}

// lossRow is a loss that this version compiles.
type lossRow struct {
	loss string
	as   spec.Meaning // heads of this meaning only, if only is set
	only bool
	crf  bool // heads with a crf
	soft bool // the targets are probabilities
	make func(l losses) *ir.Value
}

// lossTable lists the losses. The first row that matches a head counts. Entities have no row: their loss needs a mask of valid pairs.
var lossTable = []lossRow{
	{loss: tasktable.CrossEntropy, as: spec.SpanEnds, only: true, make: losses.span},
	{loss: tasktable.CrossEntropy, as: spec.Choices, only: true, make: losses.choices},
	{loss: tasktable.CrossEntropy, crf: true, make: losses.chain},
	{loss: tasktable.CrossEntropy, make: losses.classes},
	{loss: tasktable.CrossEntropy, soft: true, make: losses.probabilities},
	{loss: tasktable.BinaryCrossEntropy, make: losses.binary},
	{loss: tasktable.MeanSquaredError, make: losses.squares},
}

// lossOf returns the row of a head, or nil.
func lossOf(h *spec.Head, soft bool) *lossRow {
	if h.Prompt != nil || soft && (h.As == spec.Choices || h.As == spec.SpanEnds) {
		return nil
	}
	crf := slices.ContainsFunc(h.Steps, func(s *spec.Step) bool { return s.Kind == spec.StepCRF })
	for i, r := range lossTable {
		if r.loss == h.Loss && r.soft == soft && r.crf == crf && (!r.only || r.as == h.As) {
			return &lossTable[i]
		}
	}
	return nil
}

// node appends a node at the head's line.
func (l losses) node(op string, attrs []ir.Attr, in ...*ir.Value) *ir.Value {
	return l.op(op, l.head.Source, attrs, in...)
}

// target returns a part of the batch that is compared with the head's numbers.
func (l losses) target(name string, t ir.DType, dims ...ir.Dim) *ir.Value {
	return l.Input(name, ir.Batch, ir.Type{DType: t, Shape: dims})
}

// negated appends -x.
func (l losses) negated(x *ir.Value) *ir.Value {
	return l.node("scale", []ir.Attr{ir.A("by", -1.0)}, x)
}

// classes appends the mean cross entropy of class numbers.
func (l losses) classes() *ir.Value {
	target := l.target(StoreTarget, ir.I32, l.z.Type.Shape[0])
	picked := l.node("pick_column", nil, l.node("log_softmax_rows", nil, l.z), target)
	return l.node("mean", nil, l.negated(picked), target)
}

// chain appends the mean negative logarithm of the labels' probabilities in a conditional random field.
func (l losses) chain() *ir.Value {
	labels := l.z.Type.Shape[1]
	scores := func(name string, dims ...ir.Dim) *ir.Value {
		return l.Input(storeCRF+name, ir.State, ir.Type{DType: ir.F32, Shape: dims})
	}
	starts := ragged.Starts
	if l.head.Take.Rows == spec.Words {
		starts = ragged.WordStarts
	}
	each := l.node("chain_likelihood", nil, l.z, scores("transitions", labels, labels), scores("start", labels), scores("end", labels),
		l.target(StoreTarget, ir.I32, l.z.Type.Shape[0]), l.Part(starts))
	return l.node("mean", nil, l.negated(each))
}

// probabilities appends the mean cross entropy of probabilities.
func (l losses) probabilities() *ir.Value {
	target := l.target(StoreTarget, ir.F32, l.z.Type.Shape...)
	each := l.node("row_sum", nil, l.node("mul", nil, target, l.node("log_softmax_rows", nil, l.z)))
	return l.node("mean", nil, l.negated(each))
}

// span appends half the sum of the cross entropies of first and last tokens.
func (l losses) span() *ir.Value {
	starts := l.Part(ragged.Starts)
	logs := l.node("log_softmax_tokens", nil, l.z, starts)
	var both *ir.Value
	for column, name := range []string{StoreStart, StoreEnd} {
		target := l.target(name, ir.I32, ir.B)
		mean := l.node("mean", nil, l.node("pick_token", []ir.Attr{ir.A("column", column)}, logs, target, starts), target)
		if both == nil {
			both = mean
		} else {
			both = l.node("add", nil, both, mean)
		}
	}
	return l.node("scale", []ir.Attr{ir.A("by", -0.5)}, both)
}

// choices appends the mean cross entropy of the right choices.
func (l losses) choices() *ir.Value {
	target := l.target(StoreTarget, ir.I32, l.z.Type.Shape[0])
	logs := l.node("log_softmax_groups", nil, l.node("row_sum", nil, l.z), l.target(StoreGroup, ir.I32, l.z.Type.Shape[0]))
	return l.node("mean", nil, l.negated(logs), target)
}

// binary appends the mean binary cross entropy: softplus(z) - target·z.
func (l losses) binary() *ir.Value {
	target := l.target(StoreTarget, ir.F32, l.z.Type.Shape...)
	return l.overall(l.node("sub", nil, l.node("softplus", nil, l.z), l.node("mul", nil, target, l.z)))
}

// squares appends the mean squared difference.
func (l losses) squares() *ir.Value {
	target := l.target(StoreTarget, ir.F32, l.z.Type.Shape...)
	d := l.node("sub", nil, l.z, target)
	return l.overall(l.node("mul", nil, d, d))
}

// overall appends the mean of all numbers of a matrix [M, C].
func (l losses) overall(x *ir.Value) *ir.Value {
	rows := l.node("scale", []ir.Attr{ir.A("by", 1/float64(x.Type.Shape[1].N))}, l.node("row_sum", nil, x))
	return l.node("mean", nil, rows)
}
