package compiler

import (
	"fmt"

	"github.com/debertac/debertac/ir"
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
	// These are the targets of heads that read a schema.
	StoreClasses = "target.classes" // f32[C, 1] from 0 to 1 for each marker; below 0: left out
	StoreCounts  = "target.counts"  // i32[C] the count of each marker; below 0: left out
	StoreBounds  = "target.bounds"  // f32[R, 3] from 0 to 1: a span of the query starts, or ends, at the boundary; the word after it is inside one
	StoreLast    = "target.last"    // i32[R] the last boundary of the query's span that begins at the boundary; 0: none begins there; below 0: left out
	StoreAbsent  = "target.absent"  // f32[Q, 1] whether each query has no span
	StoreSpans   = "target.spans"   // f32[G, K] from 0 to 1 for each word and query; below 0: left out
	// StoreGroup is i32[B] the group of each sequence, a number from 0 to below B: the question of a choice, the query of a text that is ranked.
	StoreGroup = "target.group"
)

// Targets describes the targets of a loss.
type Targets struct {
	Soft   bool      // they are probabilities
	Smooth float64   // the share of each target that is spread over all classes, from 0 to below 1
	Weigh  []float64 // how many times a target counts, by its label; nil: all count once
}

// AddLoss appends the loss of a unit's head to its program, with targets that are neither smoothed nor weighed, see [Unit.AddLossOf].
func (u *Unit) AddLoss(soft bool) (diag.List, error) { return u.AddLossOf(Targets{Soft: soft}) }

// AddLossOf appends the loss of a unit's head to its program, which must be as [Compile] returns it for After: "build". The loss is f32[1], the output
// StoreLoss. It is a mean, so it does not depend on the size of the batch. M is the number of the head's rows, and C the number of its columns:
//
//   - cross_entropy with class numbers, the target i32[M]: the mean of -log softmax(z)[target] over the rows whose target is not below 0. Tokens
//     without a label have such a target, such as PyTorch's -100. The loss is 0 if all rows are left out.
//   - cross_entropy with class numbers, of a head with a crf: the mean over the sequences of -log p(target). Rows whose target is below 0 are not in the chain.
//     A sequence without other rows counts as 0.
//   - cross_entropy with probabilities (soft), the target f32[M, C]: the mean over the rows of -Σ_c target_c log softmax(z)_c.
//   - cross_entropy of a span, the targets StoreStart and StoreEnd: half the sum of both cross entropies over the tokens of each sequence. A sequence whose
//     target is below 0 is left out of that mean. With probabilities, the target is f32[T, 2], of first and last tokens.
//   - cross_entropy of choices, the target i32[B] and StoreGroup: the mean of -log softmax(z) over the choices whose target is not below 0, the right ones. The
//     softmax is over the choices of a question. With probabilities, the target is f32[B], and the mean is Σ -target·log softmax(z) / Σ target.
//   - binary_cross_entropy and focal, the target f32[M, C]: the mean over all numbers of log(1 + exp z) - target·z, which focal multiplies, see the op
//     binary_loss.
//   - both of entities, the target f32[G, C] with a row for each pair of a word and a label of its sequence, in the order of sequences, words and labels: the
//     mean over the numbers whose target is not below 0. Spans that would end after their sequence are left out, whatever their target is.
//   - binary_cross_entropy of a head that reads a schema, the targets StoreClasses, StoreCounts and StoreSpans of the outputs that the head has: the sum of the
//     mean binary cross entropy of the classes, the mean cross entropy of the counts, and the mean binary cross entropy of the spans, each over the numbers or
//     rows whose target is not below 0. A head that scores boundaries has the targets StoreClasses, StoreBounds, StoreLast and StoreAbsent. Its loss of
//     spans is the sum of the binary cross entropy of the chosen spans that begin at a boundary, as a mean over the queries and boundaries. No gradient
//     passes through the choice.
//   - mean_squared_error, the target f32[M, C]: the mean over all numbers of (z - target)².
//   - contrastive, StoreGroup: the mean over the groups of -log softmax of cos(a, b)/temperature. a is the first text of a group, and the second one is right
//     for it. The softmax is over the texts of all groups but the first ones.
//   - cosine_similarity, the target f32[B] and StoreGroup: the mean over the groups of (cos(a, b) - target)². a is the first text of a group, which has the
//     target, and b is the second one.
//   - pairwise, the target f32[B] and StoreGroup: the mean of log(1 + exp(z' - z)) over the pairs of texts of a group of which z has the higher target.
//   - listwise, the target f32[B] and StoreGroup: the mean over the groups of the cross entropy of the softmax of z with that of the target.
//
// Smooth replaces a class by 1-Smooth of it and Smooth/C of all classes, as torch.nn.functional.cross_entropy does with label_smoothing, where C is the number
// of columns, or of the choices of a question. It replaces a number y by (1-Smooth)·y + Smooth/2. Weigh makes a row with class numbers count as many times as
// its label, and divides the sum by that of these weights. For binary_cross_entropy and focal it multiplies the term of a label that holds, as pos_weight does.
//
// The formulas are those of torch.nn.functional in float64. Faults are diagnostics at the spec's lines, for heads without a loss and for losses without such
// targets.
func (u *Unit) AddLossOf(t Targets) (diag.List, error) {
	if d := u.lossFault(t); d != nil {
		return diag.List{d}, nil
	}
	_, logits := u.Program.Result()
	parts := outputsOf(u.Head)
	if logits == nil || logits.Name != storeLogits && parts == nil {
		return nil, fmt.Errorf("the program %s has no logits", u.Program.Name)
	}
	b := &builder{m: u.Model, h: u.Head, prog: u.Program}
	e := b.region("loss", "loss compares the head's numbers with the targets.", u.Head.Source, 1)
	l := &losses{editor: e, Targets: t, head: u.Head, longest: u.Program.Bounds.Length}
	if parts == nil {
		l.z = e.Input(storeLogits, ir.State, logits.Type)
	}
	for _, o := range parts {
		_, v := u.Program.Writer(o.Name)
		l.parts = append(l.parts, e.Input(o.Name, ir.State, v.Type))
	}
	e.Output(StoreLoss, lossOf(u.Head, t).make(l))
	u.Program.Outputs = append(u.Program.Outputs, StoreLoss)
	u.targets, u.counts = l.targets, l.counts
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
	u.targets = []ir.Target{{Name: StoreTarget, Check: ir.FiniteTarget}}
	return e.Err()
}

// lossFault returns what is wrong with the loss of a unit, or nil.
func (u *Unit) lossFault(t Targets) *diag.Diag {
	h := u.Head
	switch {
	case u.Ensemble != nil:
		return diag.Errorf("not-yet", u.Ensemble.Pos, "an ensemble has no loss: its members are trained one by one")
	case h == nil:
		return diag.Errorf("missing", u.Model.Pos, "the model %s has no head here, so it has no loss", u.Model.Name).Hintf("name one of its heads")
	case h.Loss == "":
		return diag.Errorf("missing", h.Pos, "the head %s has no loss", h.Name).Hintf("loss %s", tasktable.CrossEntropy)
	}
	if lossOf(h, t) == nil {
		return diag.Errorf("not-yet", h.Pos, "the loss %s%s of a head for %s is not compiled, so the head cannot be trained in this way", h.Loss, t.text(),
			h.Task())
	}
	return nil
}

// text tells which targets are meant, in messages.
func (t Targets) text() (text string) {
	if t.Soft {
		text += " with probabilities as targets"
	}
	if t.Smooth > 0 {
		text += fmt.Sprintf(" with smooth %g", t.Smooth)
	}
	if t.Weigh != nil {
		text += " with weights of labels"
	}
	return text
}

// lossRow is a loss that this version compiles.
type lossRow struct {
	loss   string
	as     spec.Meaning // heads of this meaning only, if only is set
	only   bool
	crf    bool // heads with a crf
	soft   bool // the targets are probabilities
	smooth bool // the targets can be smoothed
	weigh  bool // the targets can be weighed
	make   func(l *losses) *ir.Value
}

// lossTable lists the losses. The first row that matches a head counts.
var lossTable = []lossRow{
	{loss: tasktable.CrossEntropy, as: spec.SpanEnds, only: true, make: (*losses).span},
	{loss: tasktable.CrossEntropy, as: spec.SpanEnds, only: true, soft: true, make: (*losses).spanShares},
	{loss: tasktable.CrossEntropy, as: spec.Choices, only: true, smooth: true, make: (*losses).choices},
	{loss: tasktable.CrossEntropy, as: spec.Choices, only: true, soft: true, make: (*losses).choiceShares},
	{loss: tasktable.CrossEntropy, crf: true, make: (*losses).chain},
	{loss: tasktable.CrossEntropy, smooth: true, weigh: true, make: (*losses).classes},
	{loss: tasktable.CrossEntropy, soft: true, smooth: true, make: (*losses).probabilities},
	{loss: tasktable.BinaryCrossEntropy, as: spec.Entities, only: true, smooth: true, make: (*losses).entities},
	{loss: tasktable.BinaryCrossEntropy, as: spec.BySchema, only: true, make: (*losses).schema},
	{loss: tasktable.Focal, as: spec.Entities, only: true, smooth: true, make: (*losses).entities},
	{loss: tasktable.BinaryCrossEntropy, smooth: true, weigh: true, make: (*losses).binary},
	{loss: tasktable.Focal, smooth: true, weigh: true, make: (*losses).binary},
	{loss: tasktable.MeanSquaredError, make: (*losses).squares},
	{loss: tasktable.Contrastive, make: (*losses).contrastive},
	{loss: tasktable.CosineSimilarity, make: (*losses).cosines},
	{loss: tasktable.Pairwise, make: (*losses).pairwise},
	{loss: tasktable.Listwise, make: (*losses).listwise},
}

// lossOf returns the row of a head, or nil.
func lossOf(h *spec.Head, t Targets) *lossRow {
	crf := h.HasStep(spec.StepCRF)
	for i, r := range lossTable {
		if r.loss == h.Loss && r.soft == t.Soft && r.crf == crf && (!r.only || r.as == h.As) {
			if t.Smooth > 0 && !r.smooth || t.Weigh != nil && !r.weigh {
				return nil
			}
			return &lossTable[i]
		}
	}
	return nil
}

// targetsOf returns the targets of a training.
func targetsOf(tr *spec.Train) Targets {
	t := Targets{Smooth: tr.Smooth}
	if tr.Weigh != nil {
		t.Weigh = tr.Weigh.Labels
	}
	return t
}
