package spec

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec/diag"
)

// headOf returns the head with the path model.head.
func (r *resolver) headOf(p *path) *Head {
	d, name := r.modelOf(p)
	if d == nil {
		return nil
	}
	at := spanOfAll(p.Tokens)
	if name == "" {
		f := diag.Errorf("unknown-name", at, "%s is a model, a head is needed here", p.Parts[0])
		if heads := r.headsOf(p.Parts[0]); len(heads) > 0 {
			f.Hintf("%s.%s", p.Parts[0], heads[0])
		}
		r.add(f)
		return nil
	}
	if h := r.spec.Head(p.Parts[0] + "." + name); h != nil {
		return h
	}
	for _, s := range r.file.stmts() { // a head with faults of its own has been reported
		if form, ok := s.Form.(*onForm); s.Word == "head" && s.Name == name && (!ok || form.On.Parts[0] == p.Parts[0]) {
			return nil
		}
	}
	f := diag.Errorf("unknown-name", at, "%s has no head %s", p.Parts[0], name)
	if near := Nearest(name, r.headsOf(p.Parts[0])); near != "" {
		f.Hintf("%s.%s", p.Parts[0], near)
	} else if heads := r.headsOf(p.Parts[0]); len(heads) > 0 {
		f.Hintf("its heads are %s", strings.Join(heads, ", "))
	} else {
		f.Hintf("head %s on %s { … }", name, p.Parts[0])
	}
	r.add(f)
	return nil
}

func (r *resolver) headsOf(model string) []string {
	var names []string
	for _, h := range r.spec.Heads {
		if h.Model.Name == model {
			names = append(names, h.Name)
		}
	}
	return names
}

func (r *resolver) ensemble(s *Stmt) {
	e := &Ensemble{Source: source(s), Name: s.Name, Mean: "probabilities"}
	words := r.once(s)
	mean := words.get("mean")
	if w := mean; w != nil && !w.broken {
		e.Mean, _ = r.pick(w.Form.(*wordForm).Value, "mean", []string{"probabilities", "logits"})
	}
	for _, t := range code(s.Block.Stmts) {
		form, ok := t.Form.(*memberForm)
		if !ok {
			continue
		}
		r.reads(t)
		m := Member{Source: source(t), Head: r.headOf(form.Head), Weight: 1}
		if form.Weight != nil {
			m.Weight, _ = r.wide(form.Weight, "weight", "above 0", positive)
		}
		if m.Head == nil {
			continue
		}
		if i := slices.IndexFunc(e.Members, func(o Member) bool { return o.Head == m.Head }); i >= 0 {
			r.add(diag.Errorf("twice", t.Pos, "%s is a member already", m.Head.FullName()).Note(e.Members[i].Pos, "the first time here").
				Hintf("remove it, and give the first one the weight of both"))
			continue
		}
		e.Members = append(e.Members, m)
		if first := e.Members[0].Head; m.Head.As != first.As || m.Head.Out != first.Out ||
			strings.Join(m.Head.Labels, "\x00") != strings.Join(first.Labels, "\x00") {
			r.add(diag.Errorf("labels", t.Pos, "%s does not have the labels of %s", m.Head.FullName(), first.FullName()).
				Note(first.Pos, "%s is here", first.FullName()))
		}
	}
	if len(e.Members) == 0 && !blockBroken(s) && !r.faults.HasErrors() {
		r.add(diag.Errorf("missing", s.Pos, "the ensemble %s has no members", e.Name).Hintf("member %s", r.anyHead("MODEL.HEAD", nil)))
	}
	r.memberShares(s, e)
	r.idleEnsemble(s, e, mean)
	r.spec.Ensembles = append(r.spec.Ensembles, e)
}

// memberShares reports weights of which no mean can be computed: a member's share of their sum is a float32 above 0.
func (r *resolver) memberShares(s *Stmt, e *Ensemble) {
	total := 0.0
	for _, m := range e.Members {
		total += m.Weight
	}
	if math.IsInf(total, 0) {
		r.add(diag.Errorf("range", s.Pos, "the weights of the members of %s add up to more than %.4g: divide all of them by one number, "+
			"only their ratios count", e.Name, math.MaxFloat64))
		return
	}
	for _, m := range e.Members {
		if m.Weight > 0 && float32(m.Weight/total) == 0 {
			r.add(diag.Errorf("range", m.Pos, "weight %g is too small beside the sum of the weights, %g: its share must be at least %.3g", m.Weight, total,
				math.SmallestNonzeroFloat32))
		}
	}
}

// idleEnsemble reports statements of an ensemble without an effect: the weight of an only member, and mean probabilities for numbers that have no
// probabilities.
func (r *resolver) idleEnsemble(s *Stmt, e *Ensemble, mean *Stmt) {
	if len(e.Members) == 0 || blockBroken(s) {
		return
	}
	members := 0
	for _, t := range code(s.Block.Stmts) {
		if t.Word == "member" {
			members++
		}
	}
	for _, t := range code(s.Block.Stmts) {
		form, ok := t.Form.(*memberForm)
		if ok && form.Weight != nil && members == 1 {
			r.add(diag.Errorf("no-effect", t.Pos, "weight has no effect: the ensemble %s has one member", e.Name).
				Hintf("member %s", e.Members[0].Head.FullName()))
		}
	}
	if h := e.Members[0].Head; mean != nil && e.Mean == "probabilities" && !h.hasProbabilities() {
		r.add(diag.Errorf("no-effect", mean.Pos, "mean probabilities has no effect: the numbers of %s are not logits", h.FullName()).
			Note(h.Pos, "the head is here").Hintf("mean logits"))
	}
}

// hasProbabilities reports whether a softmax or sigmoid of the head's numbers has a meaning.
func (h *Head) hasProbabilities() bool {
	if h.As == Vector {
		return h.Loss == tasktable.CrossEntropy || tasktable.Sigmoid(h.Loss)
	}
	return tasktable.Meant(h.As).Mean != tasktable.MeanOfNumbers
}

// anyHead returns the full name of the file's first head that fits, for hints, or else a placeholder.
func (r *resolver) anyHead(placeholder string, fits func(*Head) bool) string {
	for _, h := range r.spec.Heads {
		if fits == nil || fits(h) {
			return h.FullName()
		}
	}
	return placeholder
}

// unit checks that the unit of a statement's number is one that the word takes, and returns it.
func (r *resolver) unit(s *Stmt, n *num, u *unitTok, units ...string) string {
	usage := s.Word + " " + textOf(n.Tokens)
	if _, ok := s.Form.(*atMostForm); ok {
		usage = s.Word + " <= " + textOf(n.Tokens)
	}
	return r.unitOf(s.Word, usage+" ", n, u, units)
}

// operandUnit checks the unit of a number inside a statement, which stands after word.
func (r *resolver) operandUnit(word string, n *num, u *unitTok, units ...string) string {
	usage := ""
	if u == nil {
		usage = textOf(n.Tokens) + " "
	}
	return r.unitOf(word, usage, n, u, units)
}

// unitOf checks a unit. usage is what stands before the unit in a hint.
func (r *resolver) unitOf(word, usage string, n *num, u *unitTok, units []string) string {
	switch {
	case u == nil && len(units) == 0:
		return ""
	case u == nil:
		r.add(diag.Errorf("unit", spanOfAll(n.Tokens), "%s is counted in %s", word, strings.Join(units, " or ")).Hintf("%s%s", usage, units[0]))
		return ""
	case len(units) == 0:
		r.add(diag.Errorf("unit", spanOfAll(u.Tokens), "%s has no unit", word).Hintf("%s", strings.TrimSpace(usage)))
		return ""
	}
	if slices.Contains(units, u.Name) {
		return u.Name
	}
	near := Nearest(u.Name, units)
	if near == "" {
		near = units[0]
	}
	r.add(diag.Errorf("unit", spanOfAll(u.Tokens), "%s is counted in %s, not in %s", word, strings.Join(units, " or "), u.Name).Hintf("%s%s", usage, near))
	return ""
}

// bytes reads a bound of memory.
func (r *resolver) bytes(s *Stmt) int64 {
	form := s.Form.(*atMostForm)
	v, _ := r.real(form.Value, "memory", "above 0 and below 1e9", func(v float64) bool { return v > 0 && v < 1e9 })
	switch r.unit(s, form.Value, form.Unit, "MiB", "GiB") {
	case "MiB":
		return int64(v * (1 << 20))
	case "GiB":
		return int64(v * (1 << 30))
	}
	return 0
}

// trainBuilder resolves one training.
type trainBuilder struct {
	r     *resolver
	t     *Train
	block *Stmt
	words words
	dims  *dimTable // sizes of the trained model; nil: the model is not known
}

// word returns the statement of a word, if it is there and readable.
func (b *trainBuilder) word(name string) (*Stmt, bool) {
	s := b.words.get(name)
	return s, s != nil && !s.broken
}

func (r *resolver) train(s *Stmt) {
	form := s.Form.(*onForm)
	t := &Train{Source: source(s), Name: s.Name, Head: r.headOf(form.On), Words: map[string]Source{}}
	for _, w := range code(s.Block.Stmts) {
		t.Words[w.Word] = source(w)
	}
	b := &trainBuilder{r: r, t: t, block: s, words: r.once(s)}
	if t.Head != nil {
		b.dims = r.dimsOf(r.decls[t.Head.Model.Name])
	}
	b.amounts(s)
	b.numbers()
	b.optimizer()
	b.lookahead()
	b.rate(s)
	b.freeze()
	b.lora()
	b.targets()
	if b.tasks(); t.Head == nil {
		return
	}
	b.idle()
	r.spec.Trains = append(r.spec.Trains, t)
}

// amounts resolves batch, length, epochs and steps.
func (b *trainBuilder) amounts(s *Stmt) {
	t := b.t
	lacks := func(what, hint string) {
		if !blockBroken(s) {
			b.r.add(diag.Errorf("missing", s.Pos, "%s does not say %s", t.Name, what).Hintf("%s", hint))
		}
	}
	if w, ok := b.word("batch"); ok {
		b.batch(w, w.Form.(*batchForm))
	} else {
		lacks("how many sequences a step has", "batch 32 sequences")
	}
	seq := Dim{}
	if t.Head != nil {
		seq, _ = t.Head.Model.Dim("seq")
	}
	t.Length = seq.Value
	if w, ok := b.word("length"); ok {
		t.Length = b.count(w, 1, "tokens")
		if t.Length > seq.Value && seq.Value > 0 {
			b.r.add(diag.Errorf("range", w.Pos, "length = %d, but seq = %d", t.Length, seq.Value).Note(seq.Pos, "seq is set here"))
		}
	}
	epochs, hasEpochs := b.word("epochs")
	steps, hasSteps := b.word("steps")
	switch {
	case hasEpochs && hasSteps:
		b.r.add(diag.Errorf("twice", steps.Pos, "both epochs and steps say how long to train").Note(epochs.Pos, "epochs is here").
			Hintf("remove one of the two"))
	case hasEpochs:
		t.Epochs, _ = b.r.whole(epochs.Form.(*numForm).Value, "epochs", 1)
	case hasSteps:
		t.Steps = b.count(steps, 1, "steps")
	default:
		lacks("how long to train", "epochs 3")
	}
}

// batch resolves the sequences of a step and of its parts.
func (b *trainBuilder) batch(s *Stmt, form *batchForm) {
	t := b.t
	b.r.unit(s, form.Value, form.Unit, "sequences")
	n, ok := b.r.whole(form.Value, "batch", 1)
	t.Batch, t.Part = n, n
	if form.Part == nil {
		return
	}
	part, valid := b.r.whole(form.Part, "part", 1)
	if !ok || !valid {
		return
	}
	t.Part = part
	switch {
	case n == part:
		b.r.add(diag.Errorf("no-effect", spanOfAll(form.Part.Tokens), "in parts of %d has no effect: the batch is %s", part, counted(n, "sequence")).
			Hintf("batch %d sequences", n))
	case n%part != 0:
		near := min(part, n)
		for n%near != 0 {
			near--
		}
		hint := fmt.Sprintf("batch %d sequences", n)
		if near < n {
			hint += fmt.Sprintf(" in parts of %d", near)
		}
		b.r.add(diag.Errorf("dim-divides", spanOfAll(form.Part.Tokens), "parts of %d do not divide the batch of %d", part, n).Hintf("%s", hint))
	}
}

// count reads a number with a unit.
func (b *trainBuilder) count(s *Stmt, least int, unit string) int {
	form := s.Form.(*countForm)
	b.r.unit(s, form.Value, form.Unit, unit)
	n, _ := b.r.whole(form.Value, s.Word, least)
	return n
}

// numbers resolves precision, clip, memory.
func (b *trainBuilder) numbers() {
	t := b.t
	t.Precision = Precision{Compute: "f32", Master: "f32"}
	if s, ok := b.word("precision"); ok {
		form := s.Form.(*precisionForm)
		t.Precision.Source = source(s)
		t.Precision.Compute, _ = b.r.pick(form.Compute, "precision", []string{"f32", "bf16"})
		if form.Master != nil {
			t.Precision.Master, _ = b.r.pick(form.Master, "precision", []string{"f32"})
		}
	}
	if s, ok := b.word("clip"); ok {
		t.Clip, _ = b.r.real(s.Form.(*numForm).Value, "clip", "above 0", positive)
	}
	if s, ok := b.word("memory"); ok {
		t.Memory = b.r.bytes(s)
	}
}
