package spec

import (
	"go/token"
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// The smallest difference from the reference that each number format can reach for numbers of the order of 1.
var agreeFloor = map[string]float64{"f32": 1e-7, "bf16": 1e-4, "int8": 1e-4}

// MostRank is the greatest rank of adapters. Matrices of models have at most some thousand rows.
const MostRank = 4096

// defaultTarget returns the target of a file without a target.
func (r *resolver) defaultTarget() *Target {
	t := &Target{Name: "default", ISA: []string{"avx512", "avx2", "go"}, Weights: Weights{Kind: "f32"}, Batch: 32, Tokens: 16384, Agree: 1e-4, Default: true}
	t.Emit = r.emitAll()
	return t
}

// emitAll returns emits of every head and ensemble. If the file has no head, it returns the rows of every model.
func (r *resolver) emitAll() []Emit {
	var all []Emit
	for _, h := range r.spec.Heads {
		all = append(all, Emit{Source: h.Source, Head: h})
	}
	for _, e := range r.spec.Ensembles {
		all = append(all, Emit{Source: e.Source, Ensemble: e})
	}
	if len(all) == 0 {
		for _, m := range r.spec.Models {
			all = append(all, Emit{Source: m.Source, Model: m})
		}
	}
	return all
}

func (r *resolver) target(s *Stmt) {
	t := r.defaultTarget()
	t.Source, t.Name, t.Default = source(s), s.Name, false
	words := r.once(s)
	word := func(name string) (*Stmt, bool) {
		w := words.get(name)
		return w, w != nil && !w.broken
	}
	if w, ok := word("isa"); ok {
		t.ISA, t.ListsISA = r.isa(w.Form.(*isaForm)), true
	}
	if w, ok := word("weights"); ok {
		form := w.Form.(*weightsForm)
		t.Weights = Weights{Source: source(w), Channel: form.Channel}
		t.Weights.Kind, _ = r.pick(form.Kind, "number format", []string{"f32", "bf16", "int8"})
		if form.Channel && t.Weights.Kind != "int8" {
			r.add(diag.Errorf("syntax", w.Pos, "per channel is about the scales of int8").Hintf("weights %s", t.Weights.Kind))
		}
	}
	if w, ok := word("batch"); ok {
		t.Batch = r.atMost(w, "sequences")
	}
	if w, ok := word("tokens"); ok {
		t.Tokens = r.atMost(w)
	}
	if w, ok := word("threads"); ok {
		t.Threads = r.atMost(w)
	}
	if w, ok := word("memory"); ok {
		t.Memory = r.bytes(w)
	}
	if w, ok := word("adapters"); ok {
		form := w.Form.(*adaptersForm)
		if t.Rank = r.atMostOf(form.Value, "rank"); t.Rank > MostRank && t.Rank <= maxDim {
			r.add(diag.Errorf("too-large", spanOfAll(form.Value.Tokens), "rank = %d is larger than %d", t.Rank, MostRank))
		}
	}
	if w, ok := word("vectors"); ok {
		t.Vectors = source(w)
	}
	if w, ok := word("agree"); ok {
		t.Agree, _ = r.real(w.Form.(*agreeForm).Value, "agree", "above 0 and below 1", func(v float64) bool { return v > 0 && v < 1 })
		if floor := agreeFloor[t.Weights.Kind]; t.Agree > 0 && t.Agree < floor {
			d := diag.Errorf("agree-reach", w.Pos, "%s weights cannot agree to %g: their own rounding is about %g", t.Weights.Kind, t.Agree, floor)
			if !t.Weights.Pos.IsZero() {
				d.Note(t.Weights.Pos, "the weights are here")
			}
			r.add(d.Hintf("agree %g with reference", floor*10))
		}
	}
	before := len(r.faults)
	r.emits(s, t)
	if !r.errorsSince(before) {
		r.trainedAlone(t, words)
	}
	r.precision(t)
	r.spec.Targets = append(r.spec.Targets, t)
}

// trainedAlone reports bounds of calls in a target that emits trainings only: a training has bounds of its own.
func (r *resolver) trainedAlone(t *Target, words words) {
	if len(t.Emit) == 0 || slices.ContainsFunc(t.Emit, func(e Emit) bool { return e.Kind != EmitTrain }) {
		return
	}
	tr := t.Emit[0].Train
	for _, b := range []struct{ word, own string }{{"batch", "batch of a training bounds"}, {"tokens", "batch and length of a training bound"},
		{"memory", "memory of a training bounds"},
		{"adapters", "lora of a training adds adapters to"}, {"vectors", "no caller reads what is computed in"}} {
		if s := words.of[b.word]; s != nil && !s.broken {
			r.add(diag.Errorf("no-effect", s.Pos, "%s has no effect: the target emits trainings only, and %s its steps", b.word, b.own).
				Note(tr.Pos, "the training is here").Hintf("remove it"))
		}
	}
}

func (r *resolver) atMost(s *Stmt, units ...string) int {
	form := s.Form.(*atMostForm)
	r.unit(s, form.Value, form.Unit, units...)
	return r.atMostOf(form.Value, s.Word)
}

// atMostOf resolves the number of a bound.
func (r *resolver) atMostOf(value *num, name string) int {
	n, ok := r.whole(value, name, 1)
	if ok && n > maxDim {
		r.add(diag.Errorf("too-large", spanOfAll(value.Tokens), "%s = %d is larger than %d", name, n, maxDim))
	}
	return n
}

// isa resolves the list. It accepts known names, each once, and nothing after go, which runs everywhere.
func (r *resolver) isa(form *isaForm) []string {
	var names []string
	for i, n := range form.Names {
		name, ok := r.pick(n, "instruction set", ISAs)
		if !ok {
			continue
		}
		at := spanOfAll(n.Tokens)
		if slices.Contains(names, name) {
			r.add(diag.Errorf("twice", at, "%s stands twice", name))
			continue
		}
		if i > 0 && len(names) > 0 && slices.Index(ISAs, name) < slices.Index(ISAs, names[len(names)-1]) {
			r.add(diag.Errorf("isa-order", at, "%s is listed after %s, so it would never be chosen", name, names[len(names)-1]).
				Hintf("isa %s", strings.Join(ordered(form), ", ")))
		}
		names = append(names, name)
	}
	return names
}

// ordered returns the list, best first.
func ordered(form *isaForm) []string {
	var names []string
	for _, isa := range ISAs {
		if slices.ContainsFunc(form.Names, func(n *reference) bool { return n.Name == isa }) {
			names = append(names, isa)
		}
	}
	return names
}

// emits resolves the packages to generate.
func (r *resolver) emits(s *Stmt, t *Target) {
	var list []Emit
	packages := map[string]diag.Span{}
	for _, w := range code(s.Block.Stmts) {
		form, ok := w.Form.(*emitForm)
		if !ok {
			continue
		}
		r.reads(w)
		e := Emit{Source: source(w)}
		if form.Package != "" {
			e.Package = r.text(w.Pos, form.Package)
			if e.Package != "" && (!token.IsIdentifier(e.Package) || strings.ToLower(e.Package) != e.Package || e.Package == "main" || e.Package == "_") {
				r.add(diag.Errorf("range", w.Pos, "%q is not the name of a Go package", e.Package).
					Hintf(`emit %s %s as package "nli"`, form.Kind, strings.Join(form.Of.Parts, ".")))
			}
			if before, twice := packages[e.Package]; twice {
				r.add(diag.Errorf("twice", w.Pos, "there are two packages %s", e.Package).Note(before, "the first is here"))
			}
			packages[e.Package] = w.Pos
		}
		if !r.emit(&e, form) {
			continue
		}
		if i := slices.IndexFunc(list, func(o Emit) bool { return o.Name() == e.Name() && o.Package == e.Package }); i >= 0 {
			r.add(diag.Errorf("twice", w.Pos, "%s is emitted already", e.Name()).Note(list[i].Pos, "the first time here").Hintf("remove it"))
			continue
		}
		list = append(list, e)
	}
	if len(list) > 0 || slices.ContainsFunc(s.Block.Stmts, func(w *Stmt) bool { return w.Word == "emit" }) {
		t.Emit = list
	}
}

// emit finds what is emitted: an ensemble, a head or a model's rows; for train it is a training.
func (r *resolver) emit(e *Emit, form *emitForm) bool {
	name := strings.Join(form.Of.Parts, ".")
	at := spanOfAll(form.Of.Tokens)
	if form.Kind == "train" {
		e.Kind, e.Train = EmitTrain, r.spec.Train(name)
		if e.Train == nil && !r.declared("train", name) {
			r.notOneOf(at, "training", name, r.names("train"))
		}
		return e.Train != nil
	}
	if len(form.Of.Parts) > 1 {
		e.Head = r.headOf(form.Of)
		return e.Head != nil
	}
	if e.Ensemble = r.spec.Ensemble(name); e.Ensemble != nil {
		return true
	}
	if r.declared("ensemble", name) {
		return false
	}
	d, _ := r.modelOf(form.Of)
	if d != nil {
		e.Model = d.model
	}
	return e.Model != nil
}

func (r *resolver) names(word string) []string {
	var names []string
	for _, s := range r.file.stmts() {
		if s.Word == word && s.Name != "" {
			names = append(names, s.Name)
		}
	}
	return names
}

// declared reports whether the file has such a statement, even one with faults.
func (r *resolver) declared(word, name string) bool { return slices.Contains(r.names(word), name) }

// precision checks that number formats fit the instruction sets.
func (r *resolver) precision(t *Target) {
	vector := slices.ContainsFunc(t.ISA, func(s string) bool { return s != "go" })
	if vector || len(t.ISA) == 0 {
		return
	}
	const message = "%s needs vector instructions, but isa names only go"
	if t.Weights.Kind == "bf16" {
		r.add(diag.Errorf("precision-isa", t.Weights.Pos, message, "bf16").Hintf("isa avx512, avx2, go"))
	}
	for _, e := range t.Emit {
		if e.Train != nil && e.Train.Precision.Compute == "bf16" {
			r.add(diag.Errorf("precision-isa", e.Pos, message, "bf16").Note(e.Train.Precision.Pos, "the training asks for it here").
				Hintf("isa avx512, avx2, go"))
		}
	}
}
