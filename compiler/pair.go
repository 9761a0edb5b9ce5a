package compiler

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// Replaced-token detection trains two models in one program (Clark et al. 2020; He, Gao and Chen 2021). The names of the generator's tensors and of what its
// regions compute begin with the one prefix, those of the detector with the other, as in recorded trainings.
const (
	generatorPrefix = "generator."
	detectorPrefix  = "discriminator."
)

// Names in the store of a program of two models.
const (
	StoreSampled  = "sampled"         // i32[M] of the batch: a token for each row that is not drawn; -1: it is drawn
	storeDrawn    = "drawn"           // i32[M] the generator's tokens, after its prefix
	storeIDs      = "replaced.ids"    // i32[T] what the detector reads
	storeReplaced = "replaced.target" // f32[T, 1] 1 for each token that was replaced by another one
	storeWeighted = "weighted"        // f32[1] the detector's loss times its weight, if the models are updated one after the other
)

// Names of the optimizers of models that are updated one after the other.
var (
	generatorUpdate = strings.TrimSuffix(generatorPrefix, ".")
	detectorUpdate  = strings.TrimSuffix(detectorPrefix, ".")
)

// addDraw lets the region of the loss draw a token for each row of the head from the softmax of its logits.
func (u *Unit) addDraw() error {
	r := u.Program.Region("loss")
	if r == nil || r.Input(storeLogits) == nil {
		return fmt.Errorf("the program %s has no loss over logits", u.Program.Name)
	}
	e, z := edit(r), r.Input(storeLogits)
	given := e.Input(StoreSampled, ir.Batch, ir.Type{DType: ir.I32, Shape: z.Type.Shape[:1]})
	e.Output(storeDrawn, e.op("sample_row", u.Head.Source, nil, z, given, (&builder{}).key(e, "sample")))
	u.Program.Outputs = append(u.Program.Outputs, storeDrawn)
	return e.Err()
}

// pair is a training of two models.
type pair struct {
	*targetWork
	tr                  *spec.Train
	unit                *Unit // of both
	generator, detector *Unit
	begin               map[string]ir.Param // how tensors begin
	with                [2][]string         // the tensors that are trained: of the generator, of the detector
	counts              []ir.Count
	stored              []ir.Model // both models
}

// compilePair builds the program of a step that trains a generator and a detector, see compileStep.
func (t *targetWork) compilePair(u *Unit, w *work, o Options, again int) (diag.List, error) {
	k := &pair{targetWork: t, tr: w.Train, unit: u, begin: map[string]ir.Param{}}
	trace := o.Trace
	o.Trace = false // it would keep the layers of each model
	if err := k.models(w, o); err != nil {
		return nil, err
	}
	parts := k.tr.Part < k.tr.Batch
	for i, m := range []*Unit{k.generator, k.detector} {
		o := Training{Parts: parts, draws: i == 0}
		if i == 1 {
			o.Targets = targetsOf(k.tr)
		}
		done, faults, err := m.forward(o)
		if err != nil || len(faults) > 0 {
			return faults, err
		}
		k.counts = withCounts(k.counts, done.counts...)
	}
	if err := k.join(w); err != nil {
		return nil, err
	}
	compute := k.together
	if k.tr.Replace.Apart {
		compute = k.apart
	}
	if faults, err := compute(); err != nil || len(faults) > 0 {
		return faults, err
	}
	p := u.Program
	p.Training = u.trainingOf(slices.Concat(k.with[:]...))
	for i := range p.Training.Params {
		q := &p.Training.Params[i]
		q.Init, q.New = k.begin[q.Name].Init, k.begin[q.Name].New
	}
	for i := range p.Training.Updates {
		p.Training.Updates[i].Numbers = numbersOf(k.tr)
	}
	k.twins(p.Training)
	p.Training.Models = k.stored
	p.Training.Counts = k.counts
	p.Training.Targets = append(slices.Clone(k.generator.targets),
		ir.Target{Name: StoreSampled, Check: ir.ClassTarget, Below: k.generator.Head.Out, Optional: true})
	for _, name := range []string{generatorPrefix + storeLogits, detectorPrefix + storeLogits} {
		if _, v := p.Writer(name); v != nil && trace {
			p.Training.Traced, p.Outputs = append(p.Training.Traced, name), append(p.Outputs, name)
		}
	}
	p.Training.Masking = maskingTo(k.tr.Mask, []string{StoreTarget})
	p.Training.Losses = []ir.Loss{{Name: generatorPrefix + StoreLoss, Weight: 1}, {Name: detectorPrefix + StoreLoss, Weight: k.tr.Weight}}
	return nil, placed(p, again, computesBF16(k.tr))
}

// models builds the forward passes of both models.
func (k *pair) models(w *work, o Options) error {
	g, d := partOf(k.tr.Replace.Generator.Model, k.tr.Replace.Generator, k.tr.Replace.Pos), w.parts[0]
	o.After = beforePasses
	bounds := stepBounds(k.tr, d.model)
	bounds.Length = min(bounds.Length, g.model.Seq)
	for i, m := range []part{g, d} {
		p, err := k.compilePart(w.pkg, m, bounds, o)
		if err != nil {
			return err
		}
		u := &Unit{Program: p, Model: m.model, Head: m.head, Target: k.Target}
		shapes, name := ir.ShapesOf(p.Run), func(name string) string { return generatorPrefix + name }
		if i == 0 {
			k.generator = u
		} else {
			k.detector, name = u, k.inDetector
			k.unit.Training = k.tr
		}
		with, of := Parameters(p), readersOf(p)
		for _, tensor := range with {
			if _, ok := k.begin[name(tensor)]; !ok {
				q := ir.Param{Name: tensor, Shape: shapes[tensor]}
				u.begins(&q, of)
				k.begin[name(tensor)] = q
			}
		}
		k.store(i, with, name)
		if i == 1 {
			if some := trained(k.tr, u); some != nil {
				with = some
			}
		}
		for _, tensor := range with {
			if n := name(tensor); !slices.Contains(k.with[0], n) {
				k.with[i] = append(k.with[i], n)
			}
		}
	}
	if k.tr.Replace.Stop {
		for _, s := range k.shared() {
			k.begin[s.delta()] = ir.Param{New: true}
		}
	}
	return nil
}

// store notes of which tensors of the program those of a model are made.
func (k *pair) store(model int, tensors []string, name func(string) string) {
	m := ir.Model{Name: [2]string{generatorUpdate, detectorUpdate}[model]}
	for _, tensor := range tensors {
		s := ir.Stored{Name: tensor, Of: []string{name(tensor)}}
		for _, both := range k.shared() {
			if model == 1 && both.detector == detectorPrefix+tensor {
				s.Of = []string{both.generator}
				if k.tr.Replace.Stop {
					s.Of = append(s.Of, both.delta())
				}
			}
		}
		m.Tensors = append(m.Tensors, s)
	}
	k.stored = append(k.stored, m)
}

// shared is a table that both models have in common, by its names in the program.
type shared struct{ generator, detector string }

// delta returns the name of the difference that the detector adds to the generator's table. It is that of the authors' checkpoints.
func (s shared) delta() string {
	if stem, ok := strings.CutSuffix(s.detector, ".weight"); ok {
		return stem + "._weight"
	}
	return s.detector + "._weight"
}

// shared lists the tables that both models have in common.
func (k *pair) shared() (list []shared) {
	name := func(m *spec.Model, table string) string {
		names := namings[m.Checkpoint]
		if a := m.Positions(table); a != nil && strings.HasPrefix(table, "absolute.") {
			table = names.absolute(a)
		}
		return names.name(table)
	}
	r := k.tr.Replace
	for _, table := range r.Share {
		list = append(list, shared{generatorPrefix + name(r.Generator.Model, table), detectorPrefix + name(k.tr.Head.Model, table)})
	}
	return list
}

// inDetector returns the name in the program of a tensor of the detector.
func (k *pair) inDetector(tensor string) string {
	name := detectorPrefix + tensor
	for _, s := range k.shared() {
		switch {
		case s.detector != name:
		case k.tr.Replace.Stop:
			return s.delta()
		case !k.tr.Replace.Apart: // otherwise the name is a second one of the generator's table, see twins
			return s.generator
		}
	}
	return name
}

// twins makes the detector's names of tables that two optimizers change second names of the generator's tables. Each optimizer has a gradient and moments of
// its own for such a table.
func (k *pair) twins(t *ir.Training) {
	if r := k.tr.Replace; !r.Apart || r.Stop {
		return
	}
	for _, s := range k.shared() {
		t.Params = slices.DeleteFunc(t.Params, func(p ir.Param) bool {
			if p.Name == s.detector {
				t.Twins = append(t.Twins, ir.Twin{Name: p.Name, Of: s.generator, Grad: p.Grad})
			}
			return p.Name == s.detector
		})
	}
}

// join names what the regions of both models compute, and makes the program of both, which has no calls yet.
func (k *pair) join(w *work) error {
	for _, m := range []struct {
		unit   *Unit
		prefix string
	}{{k.generator, generatorPrefix}, {k.detector, detectorPrefix}} {
		prefixed(m.unit.Program, m.prefix)
		for _, r := range m.unit.Program.Regions {
			for _, v := range r.In {
				if rest, ok := strings.CutPrefix(v.Name, ir.KeyPrefix); ok && v.Kind == ir.Batch {
					v.Name = ir.KeyPrefix + m.prefix + rest
				}
			}
		}
	}
	g, d := k.generator.Program, k.detector.Program
	p := &ir.Program{Name: w.pkg, File: k.spec.Name}
	joinMeta(p, d, true)
	joinMeta(p, g, false)
	k.precision(p, w)
	p.Bounds.Rows = g.Bounds.Rows
	p.Meta.SpecHash = specHash(fmt.Appendf(nil, "replace %s\n%s\n%s", k.tr.Replace, spec.Canonical(k.generator.Model, k.generator.Head),
		spec.Canonical(k.detector.Model, k.detector.Head)))
	k.unit.Program = p
	for _, r := range d.Regions {
		k.reads(r)
		for _, s := range k.shared() {
			if err := k.share(r, s); err != nil {
				return fmt.Errorf("region %s: %w", r.Name, err)
			}
		}
	}
	return nil
}

// reads lets a region of the detector read what the generator has written.
func (k *pair) reads(r *ir.Region) {
	for from, to := range map[string]string{ragged.IDs.Row().Operand: storeIDs, StoreTarget: storeReplaced} {
		if v := r.Input(from); v != nil && v.Kind == ir.Batch {
			v.Name, v.Kind = to, ir.State
		}
	}
}

// share lets a region of the detector read a table of the generator: in place of its own, or, if the gradient stops, besides its own, which is a difference
// then. The sum of both tables is not computed: a lookup of the sum is the sum of two lookups.
func (k *pair) share(r *ir.Region, s shared) error {
	table := r.Input(s.detector)
	if table == nil {
		return nil
	}
	if !k.tr.Replace.Stop {
		if !k.tr.Replace.Apart {
			table.Name = s.generator
		}
		return nil
	}
	table.Name = s.delta()
	nodes, e := r.Nodes, edit(r)
	r.Nodes = nil
	of := map[*ir.Value]*ir.Value{table: e.Input(s.generator, ir.Tensor, table.Type)}
	for _, n := range nodes {
		r.Nodes = append(r.Nodes, n)
		i := slices.IndexFunc(n.In, func(v *ir.Value) bool { return of[v] != nil })
		switch {
		case i < 0:
		case i == 0 && n.Op == "slice":
			of[n.Out[0]] = e.Like(n, "slice", n.Attrs, of[n.In[0]])
		case i == 0 && n.Op == "embed" && len(n.In) == 2:
			rows := e.Like(n, "embed", []ir.Attr{ir.A("stopped", true)}, of[n.In[0]], n.In[1])
			sum := e.Like(n, "add", nil, n.Out[0], rows)
			if e.Err() != nil {
				return e.Err()
			}
			for _, later := range nodes {
				for i, v := range later.In {
					if v == n.Out[0] {
						later.In[i] = sum
					}
				}
			}
			for i, v := range r.Out {
				if v == n.Out[0] {
					sum.Name, v.Name = v.Name, sum.Name
					r.Out[i] = sum
				}
			}
		default:
			return fmt.Errorf("%v: op %s reads a table of which the detector has a difference", n.Pos, n.Op)
		}
	}
	return e.Err()
}

// run appends regions with their calls to the program.
func (k *pair) run(p *ir.Program) {
	k.unit.Program.Regions = append(k.unit.Program.Regions, p.Regions...)
	k.unit.Program.Run = append(k.unit.Program.Run, p.Run...)
}

// region starts a region that is called once.
func (k *pair) region(name, doc string) editor {
	r := &ir.Region{Name: name, Doc: name + " " + doc, Pos: k.tr.Replace.Pos}
	k.run(&ir.Program{Regions: []*ir.Region{r}, Run: []ir.Call{{Region: r, Count: 1}}})
	return edit(r)
}

// detect appends the forward pass of the detector on what the generator has written.
func (k *pair) detect() error {
	e := k.region("replaced", "writes the generator's tokens into the batch, and finds those that differ from the original ones.")
	part := func(name string, shape ...ir.Dim) *ir.Value {
		return e.Input(name, ir.Batch, ir.Type{DType: ir.I32, Shape: shape})
	}
	ids, rows, target := e.Part(ragged.IDs), e.Part(ragged.Rows), part(StoreTarget, ir.M)
	drawn := e.Input(generatorPrefix+storeDrawn, ir.State, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.M}})
	e.Output(storeIDs, e.op("replace_tokens", k.tr.Replace.Source, nil, ids, rows, target, drawn))
	e.Output(storeReplaced, e.op("replaced", k.tr.Replace.Source, nil, ids, rows, target, drawn))
	k.run(k.detector.Program)
	return e.Err()
}

// loss returns the loss of a model as an input of a region.
func (k *pair) loss(e editor, prefix string) *ir.Value {
	return e.Input(prefix+StoreLoss, ir.State, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.N(1)}})
}

// weighted appends the detector's loss times its weight.
func (k *pair) weighted(e editor) *ir.Value {
	return e.op("scale", k.tr.Replace.Source, []ir.Attr{ir.A("by", k.tr.Weight)}, k.loss(e, detectorPrefix))
}

// together appends both forward passes, the gradients of the sum of the losses, and one update.
func (k *pair) together() (diag.List, error) {
	k.run(k.generator.Program)
	if err := k.detect(); err != nil {
		return nil, err
	}
	e := k.region("loss", "adds the losses of both models.")
	e.Output(StoreLoss, e.op("add", k.tr.Replace.Source, nil, k.loss(e, generatorPrefix), k.weighted(e)))
	if e.Err() != nil {
		return nil, e.Err()
	}
	p := k.unit.Program
	p.Outputs = []string{generatorPrefix + StoreLoss, detectorPrefix + StoreLoss, StoreLoss}
	flat, faults, err := Grad(p, Sweep{Of: StoreLoss, With: slices.Concat(k.with[:]...)})
	if err != nil || len(faults) > 0 {
		return faults, err
	}
	for i := range k.with {
		k.with[i] = unlisted(k.with[i], flat)
	}
	o := optimizerOf(k.tr)
	o.With = slices.Concat(k.with[:]...)
	return nil, Update(p, o)
}

// apart appends the forward pass of the generator, its gradients and its update, and then the same of the detector, which reads what the update has changed.
func (k *pair) apart() (diag.List, error) {
	p := k.unit.Program
	k.run(k.generator.Program)
	p.Outputs = []string{generatorPrefix + StoreLoss}
	if faults, err := k.step(0, generatorPrefix+StoreLoss, generatorUpdate); err != nil || len(faults) > 0 {
		return faults, err
	}
	if err := k.detect(); err != nil {
		return nil, err
	}
	e := k.region("loss", "weighs the loss of the detector.")
	e.Output(storeWeighted, k.weighted(e))
	if e.Err() != nil {
		return nil, e.Err()
	}
	p.Outputs = append(p.Outputs, detectorPrefix+StoreLoss)
	return k.step(1, storeWeighted, detectorUpdate)
}

// step appends the gradients of a loss by the tensors of one model, and their update.
func (k *pair) step(model int, of, name string) (diag.List, error) {
	p := k.unit.Program
	flat, faults, err := Grad(p, Sweep{Of: of, With: k.with[model]})
	if err != nil || len(faults) > 0 {
		return faults, err
	}
	k.with[model] = unlisted(k.with[model], flat)
	o := optimizerOf(k.tr)
	o.Name, o.With = name, k.with[model]
	return nil, Update(p, o)
}
