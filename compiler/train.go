package compiler

import (
	"fmt"
	"math"
	"slices"
	"sort"
	"strings"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/masking"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// Training describes a training step.
type Training struct {
	// With lists the tensors of the checkpoint that are trained, see [Parameters]; nil: all of them. Nothing is computed or kept for the others.
	With []string

	// Targets describes the targets of the loss, see [Unit.AddLossOf].
	Targets

	// Parts makes the step one of a part of a batch, see [ir.Training.Counts]. Update must add up the gradients.
	Parts bool

	// Weighted is true if the loss is that of [Unit.AddWeighted], whatever the loss of the head is.
	Weighted bool

	// Again is the number of layers, from the first, that keep nothing for the backward pass, which computes them again.
	Again int

	// Sift adds scale-invariant fine-tuning; nil: none. The program must have been compiled with Perturb.
	Sift *spec.Sift

	// BF16 rounds the operands of products with weights to bfloat16.
	BF16 bool

	// Trace lists values of the store that a step keeps, for `verify`.
	Trace []string

	// Update appends the regions that change the trained tensors by their gradients; nil: none. It is called when the gradients are outputs of the program.
	Update func(p *ir.Program, with []string) error

	draws   bool      // draw tokens from the head's logits, see storeDrawn
	further []further // further losses
}

// Train turns the program of a unit into one training step: the forward pass, the loss, the gradients of the trained tensors, and the update. The unit must be
// as [Compile] returns it for Train and After: "build". The program reads the tensors of the checkpoint in their own layout, so nothing is folded into packed
// weights. Its outputs are the loss and the gradients.
//
// Faults are diagnostics at the spec's lines. An error is an internal error.
func (u *Unit) Train(o Training) (diag.List, error) {
	done, faults, err := u.forward(o)
	if err != nil || len(faults) > 0 {
		return faults, err
	}
	if faults, err := u.also(o.further, o, &done); err != nil || len(faults) > 0 {
		return faults, err
	}
	p := u.Program
	with := o.With
	if with == nil {
		with = Parameters(p)
	}
	flat, parts, faults, err := gradients(p, Sweep{Of: StoreLoss, With: with, Constant: done.constant})
	if err != nil || len(faults) > 0 {
		return faults, err
	}
	with = unlisted(with, flat)
	if o.Update != nil {
		if err := o.Update(p, with); err != nil {
			return nil, err
		}
	}
	p.Training = u.trainingOf(with)
	p.Training.Counts, p.Training.Traced, p.Training.Sums, p.Training.Losses = done.counts, o.Trace, parts, u.losses
	if o.Sift != nil {
		p.Training.Noise = o.Sift.Noise
	}
	if u.Training != nil {
		p.Training.Merges = merges(p, u.Training.Lora)
		p.Training.Masking, p.Training.Negatives = u.maskingOf(o.further), u.Training.Negatives
	}
	return nil, placed(p, o.Again, o.BF16)
}

// unlisted returns the names of a list that are not in another.
func unlisted(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(name string) bool { return slices.Contains(other, name) })
}

// forwarded is what the gradients of a program with a loss need to know.
type forwarded struct {
	counts   []ir.Count
	constant []string // see [Sweep]
}

// forward runs what precedes the gradients on the program of a model: the passes over a forward pass, and the loss.
func (u *Unit) forward(o Training) (f forwarded, faults diag.List, err error) {
	p := u.Program
	if err := runPassesFrom(p, "", "rows"); err != nil {
		return f, nil, err
	}
	if faults, err := u.addLoss(o); err != nil || len(faults) > 0 {
		return f, faults, err
	}
	p.Outputs = []string{StoreLoss}
	if o.draws {
		if err := u.addDraw(); err != nil {
			return f, nil, err
		}
	}
	if f.constant, faults, err = u.sift(o.Sift); err != nil || len(faults) > 0 {
		return f, faults, err
	}
	p.Outputs = append(p.Outputs, o.Trace...)
	if o.Parts {
		f.counts = partOfBatch(p, u.counts)
	}
	if err := trainPass(p, attendPass); err != nil {
		return f, nil, err
	}
	return f, nil, trainPass(p, pass{"vocabulary", vocabulary, "compute the loss of a large vocabulary by chunks of it"})
}

// placed runs the passes over a program with gradients. The first layers, as many as again says, keep nothing for the backward pass. With bf16 products have
// operands of bfloat16.
func placed(p *ir.Program, again int, bf16 bool) error {
	recompute(p, again)
	for _, ps := range afterSweep {
		if ps.name == precisionPass && !bf16 {
			continue
		}
		if err := trainPass(p, ps); err != nil {
			return err
		}
	}
	return callSizes(p)
}

// maskingOf tells how the tokens are chosen that the heads of a training predict; nil: none of them predicts masked tokens.
func (u *Unit) maskingOf(list []further) *ir.Masking {
	var targets []string
	for i, f := range append([]further{{Unit: u}}, list...) {
		if !predictsMasked(f.Head) {
			continue
		}
		if i == 0 {
			targets = append(targets, StoreTarget)
		} else {
			targets = append(targets, AlsoTarget(f.Head, StoreTarget))
		}
	}
	return maskingTo(u.Training.Mask, targets)
}

// maskingTo returns the masking of a training, whose original tokens are targets of these names.
func maskingTo(m *spec.Masking, targets []string) *ir.Masking {
	if m == nil || len(targets) == 0 {
		return nil
	}
	return &ir.Masking{Rule: ruleOf(m), Targets: targets}
}

// ruleOf returns the rule of a masking.
func ruleOf(m *spec.Masking) masking.Rule {
	return masking.Rule{Share: m.Share, Words: m.Words, Runs: m.Runs, Keep: m.Keep, Random: m.Random}
}

// predictsMasked reports whether a head predicts masked tokens.
func predictsMasked(h *spec.Head) bool {
	return h.Take.Rows == spec.Masked && h.Task() == tasktable.MLM
}

// addLoss appends the loss that a training asks for.
func (u *Unit) addLoss(o Training) (diag.List, error) {
	if o.Weighted {
		return nil, u.AddWeighted()
	}
	return u.AddLossOf(o.Targets)
}

// attendPass is the pass before gradients that makes the attention of training programs.
var attendPass = pass{"attend", attends, "join the terms of each score to one attention, whose operands lie apart"}

// afterSweep lists the passes over a program with gradients, in their order.
var afterSweep = []pass{
	{"chunks", chunks, "compute the gradient of such a loss by chunks too"},
	{"dead", dead, "drop what no output needs"},
	{"sums", sums, "let products add to the memory of other terms"},
	{"constants", constants, "move what depends on nothing out of the step"},
	{precisionPass, bf16Products, "round the operands of products with weights to bfloat16, if the training asks for it"},
	{"layout", layout, "choose row strides"},
	{"arena", trainingArena, "assign slots of the arena by lifetimes over the whole step"},
	{"threads", threads, "split steps over the pool"},
}

// compileTraining builds the program of a training step. It replaces the unit's program. If a step needs more memory than the training allows, as
// few layers as suffice keep nothing for the backward pass.
func (t *targetWork) compileTraining(u *Unit, w *work, o Options) (faults diag.List, err error) {
	if o.After == beforePasses {
		return nil, t.forwardOf(u, w, o)
	}
	step := func(again int) (*diag.Diag, error) {
		if faults, err = t.compileStep(u, w, o, again); err != nil || len(faults) > 0 {
			return nil, err
		}
		return trainingFault(u.Program, w.Train), nil
	}
	over, err := step(0)
	if over == nil {
		return faults, err
	}
	most := w.parts[0].model.Encoder.Layers
	if r := w.Train.Replace; r != nil {
		most = max(most, r.Generator.Model.Encoder.Layers)
	}
	if over, err = step(most); over != nil {
		hint, err := t.hintThatFits(u.Program, w, o, most)
		if hint == "" {
			hint = sufficient(u.Program)
		}
		return diag.List{over.Hintf("%s", hint)}, err
	}
	if err == nil {
		fewest := 1 + sort.Search(most-1, func(k int) bool {
			var over *diag.Diag
			if err == nil {
				over, err = step(k + 1)
			}
			return over == nil
		})
		if err == nil {
			_, err = step(fewest)
		}
	}
	return faults, err
}

// forwardOf builds the program of a training before any pass: its forward pass.
func (t *targetWork) forwardOf(u *Unit, w *work, o Options) (err error) {
	tr, p := w.Train, w.parts[0]
	o.After, o.Perturb = beforePasses, tr.Sift != nil
	u.Program, err = t.compilePart(w.pkg, p, stepBounds(tr, p.model), o)
	if err == nil {
		t.precision(u.Program, w)
	}
	return err
}

// stepBounds returns the bounds of a pass of a training over one of its models.
func stepBounds(tr *spec.Train, m *spec.Model) ir.Bounds {
	b := ir.Bounds{Sequences: tr.Part, Tokens: tr.Part * tr.Length, Length: min(tr.Length, m.Seq)}
	if tr.Mask != nil {
		r := ruleOf(tr.Mask)
		b.Rows = r.Most(b.Tokens, b.Sequences)
	}
	return b
}

// compileStep builds the program of a step in which the first layers, as many as again says, keep nothing for the backward pass.
func (t *targetWork) compileStep(u *Unit, w *work, o Options, again int) (diag.List, error) {
	tr := w.Train
	if tr.Replace != nil {
		return t.compilePair(u, w, o, again)
	}
	if err := t.forwardOf(u, w, o); err != nil {
		return nil, err
	}
	step := Training{BF16: computesBF16(tr), Targets: targetsOf(tr), Parts: tr.Part < tr.Batch, Again: again, Sift: tr.Sift}
	var err error
	o.After = beforePasses
	if step.further, step.With, err = t.furtherOf(u, w, o, trained(tr, u)); err != nil {
		return nil, err
	}
	if len(tr.Also) > 0 {
		u.Program.Meta.SpecHash = alsoHash(u.Program.Meta.SpecHash, tr)
	}
	step.Update = func(p *ir.Program, with []string) error {
		o := optimizerOf(tr)
		o.With = with
		err := Update(p, o)
		if err == nil {
			p.Training.Updates[0].Numbers = numbersOf(tr)
		}
		return err
	}
	return u.Train(step)
}

// optimizerOf returns the optimizer of a training, without the tensors.
func optimizerOf(tr *spec.Train) Optimizer {
	o := Optimizer{Kind: OptimizerKind(tr.Optimizer.Kind), Beta1: tr.Optimizer.Beta1, Beta2: tr.Optimizer.Beta2, Momentum: tr.Optimizer.Momentum,
		Decay: tr.Optimizer.Decay, Clip: tr.Clip, Except: tr.Optimizer.Except, Layers: tr.Rate.Layers, Parts: tr.Part < tr.Batch,
		Touched: tr.Optimizer.Touched}
	if l := tr.Lookahead; l != nil {
		o.Lookahead, o.Mix = true, l.Mix
	}
	return o
}

// numbersOf returns what decides the numbers of each step of a training.
func numbersOf(tr *spec.Train) *ir.UpdateNumbers {
	r, o := tr.Rate, tr.Optimizer
	n := &ir.UpdateNumbers{Kind: o.Kind, Beta1: o.Beta1, Beta2: o.Beta2, Eps: o.Eps, Correct: o.Correct, Peak: r.Peak, Final: r.To, Steps: tr.Steps,
		Warmup: float64(r.Warmup), Share: r.Share, Course: r.Then, Power: r.Power, FromStart: r.FromStart}
	if l := tr.Lookahead; l != nil {
		n.Every = l.Every
	}
	return n
}

// trained returns the tensors of a unit that a training changes; nil stands for all. What is frozen is found by the region that reads a tensor first.
func trained(tr *spec.Train, u *Unit) []string {
	f, p := tr.Freeze, u.Program
	if tr.Lora != nil { // the adapters and the head
		head := readersOf(p).head
		return slices.DeleteFunc(Parameters(p), func(name string) bool { return !adapter(name) && !head[name] })
	}
	if f == nil {
		return nil
	}
	var names []string
	seen := map[string]bool{}
	for r, l := range ir.Steps(p.Run) {
		frozen := frozenIn(f, u.Head, r.Name, l)
		for _, v := range r.In {
			name := ir.At(v.Name, l)
			if v.Kind != ir.Tensor || seen[name] {
				continue
			}
			seen[name] = true
			if !frozen {
				names = append(names, name)
			}
		}
	}
	return names
}

// frozenIn reports whether the tensors that a region is the first to read are frozen: those of the input, of the relative table, of a layer with what is beside
// it, of a table of positions, or of the head.
func frozenIn(f *spec.Freeze, h *spec.Head, region string, layer int) bool {
	switch region {
	case "embed", regionPerturb:
		return f.Embed
	case "relative":
		return f.Relative
	case "head", "crf":
		return f.Head
	case "conv":
		return f.Layer(h.Model.Encoder.Conv.Beside)
	case "decoder_query":
		return slices.Contains(f.Absolutes, h.Decoder.Add)
	case "decoder":
		return f.Layer(h.Decoder.Layer)
	}
	return f.Layer(layer + 1)
}

// trainPass runs a pass over a training program and checks the program after it.
func trainPass(p *ir.Program, ps pass) error {
	if err := ps.run(p); err != nil {
		return fmt.Errorf("pass %s: %w", ps.name, err)
	}
	if err := ir.Verify(p); err != nil {
		return fmt.Errorf("after pass %s: %w", ps.name, err)
	}
	return nil
}

// adapter reports whether a tensor is a matrix of an adapter.
func adapter(name string) bool {
	return strings.HasSuffix(name, adapterDown) || strings.HasSuffix(name, adapterUp)
}

// readers is what a training needs to know of those that read the tensors of a program.
type readers struct {
	head  map[string]bool // the head is the first region that reads the tensor
	gains map[string]bool // a norm multiplies by the tensor
}

// readersOf looks at the tensors that the calls of a program read.
func readersOf(p *ir.Program) readers {
	of := readers{map[string]bool{}, map[string]bool{}}
	for r, l := range ir.Steps(p.Run) {
		head := r.Name == "head" || r.Name == "crf" || r.Name == "loss" // vocabulary moves a bias there
		for _, v := range r.In {
			if v.Kind != ir.Tensor {
				continue
			}
			name := ir.At(v.Name, l)
			if _, seen := of.head[name]; !seen {
				of.head[name] = head
			}
		}
		for _, n := range r.Nodes {
			if n.Op == "layernorm" {
				of.gains[ir.At(n.In[1].Name, l)] = true
			}
		}
	}
	return of
}

// begins notes how a tensor begins, and whether the weights from which a training starts may lack it: those of a head, and adapters. The library PEFT draws the
// first matrix of an adapter as torch.nn.Linear does. So does GLiNER with its heads, whose numbers are products of several matrices: where all of them are
// small, their gradients are too small to begin with.
func (u *Unit) begins(p *ir.Param, of readers) {
	p.New = of.head[p.Name]
	p.Rows = u.Head != nil && u.Head.Prompt != nil && p.Name == glinerEncoder+"embeddings.word_embeddings.weight"
	switch {
	case strings.HasSuffix(p.Name, adapterDown):
		p.New, p.Init = true, ir.Init{Uniform: 1 / math.Sqrt(float64(p.Shape[1]))}
	case strings.HasSuffix(p.Name, adapterUp):
		p.New = true
	case len(p.Shape) > 1 && p.New && u.Head.Prompt != nil:
		p.Init = ir.Init{Uniform: 1 / math.Sqrt(float64(p.Shape[1]))}
	case len(p.Shape) > 1:
		p.Init = ir.Init{Normal: u.Model.Defaults.Init.Std}
	case of.gains[p.Name]:
		p.Init = ir.Init{Mean: 1}
	}
}

// trainingOf lists the tensors of a training program. with are those that are trained.
func (u *Unit) trainingOf(with []string) *ir.Training {
	p := u.Program
	shapes := ir.ShapesOf(p.Run)
	t := &ir.Training{Targets: u.targets}
	if p.Training != nil {
		t.Updates = p.Training.Updates
	}
	of := readersOf(p)
	for _, name := range Parameters(p) {
		param := ir.Param{Name: name, Shape: shapes[name]}
		u.begins(&param, of)
		if slices.Contains(with, name) {
			param.Grad = GradOf(name)
		}
		t.Params = append(t.Params, param)
	}
	return t
}

// constants moves the nodes that depend neither on the batch nor on a tensor to regions that are computed when code is generated, such as the rows of the
// relative table by offset.
func constants(p *ir.Program) error { return split(p, false) }

// layout sets the distance between rows of all matrices: those of the batch's rows as in forward programs, others with rows of whole vectors.
func layout(p *ir.Program) error {
	for _, r := range p.Regions {
		eachValue(r, rowDistance)
	}
	return nil
}

// rowDistance sets the row distance of a matrix of a training program, which holds floats or pairs of bfloat16.
func rowDistance(v *ir.Value) {
	s := v.Type.Shape
	pairs := v.Def != nil && v.Def.Op == "bf16_pairs"
	switch {
	case v.Type.DType != ir.F32 && !pairs || len(s) != 2 || !s[1].Const():
	case !s[0].Const() && pairs:
		v.LD = kernel.LD(s[1].N)
	case !s[0].Const():
		stride(v)
	default:
		v.LD = ir.RowFloats(s[1].N)
	}
}
