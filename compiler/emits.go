package compiler

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// targetWork is a target with its emit lines, and what is wrong with them. [Compile], [NotYet] and the functions that they call read it, so that what a line
// asks for is derived only once.
type targetWork struct {
	*spec.Target
	spec   *spec.Spec
	isas   []string  // instruction sets that this version has kernels for, best first, and "go"
	emits  []*work   // in the order of the lines
	faults diag.List // of the target: clashes of package names, instruction sets without kernels
}

// work is an emit line.
type work struct {
	spec.Emit
	name   string    // the full name, as `--emit` takes it
	pkg    string    // the name of the Go package; "" for a line that is not compiled yet
	parts  []part    // the model, or the members of the ensemble; none for a line that is not compiled yet
	faults diag.List // why the line cannot be compiled
}

// part is a model with a head, which a line computes by itself or as a member of an ensemble.
type part struct {
	model *spec.Model
	head  *spec.Head // nil: the last layer's rows
	task  ir.Task    // what the numbers mean
	rows  spec.Rows  // that the head takes
	crf   bool       // the head scores sequences of labels
	at    diag.Span  // the line that asks for it: the emit, or the member
}

// partOf returns a model with a head, which may be nil.
func partOf(m *spec.Model, h *spec.Head, at diag.Span) part {
	p := part{model: m, head: h, task: tasktable.Hidden, at: at}
	if h == nil {
		return p
	}
	p.task, p.rows = h.Task(), h.Take.Rows
	for _, s := range h.Steps {
		p.crf = p.crf || s.Kind == spec.StepCRF
	}
	return p
}

// name returns the full name of a part.
func (p part) name() string {
	if p.head != nil {
		return p.head.FullName()
	}
	return p.model.Name
}

// workOf derives what the lines of a target ask for, and finds their faults.
func workOf(s *spec.Spec, t *spec.Target) *targetWork {
	out := &targetWork{Target: t, spec: s}
	for _, e := range t.Emit {
		w := &work{Emit: e}
		w.name, w.parts = emitted(e)
		out.emits = append(out.emits, w)
	}
	out.faults = out.namePackages()
	isas, missing := instructionSets(t)
	out.isas, out.faults = isas, append(out.faults, missing...)
	for _, w := range out.emits {
		w.faults = faultsOf(w, t)
	}
	return out
}

// emitted returns the full name of what an emit line asks for, and its parts. A line that is not a forward pass has none.
func emitted(e spec.Emit) (string, []part) {
	infer := e.Kind == spec.EmitInfer
	switch {
	case e.Ensemble != nil:
		var members []part
		for _, m := range e.Ensemble.Members {
			members = append(members, partOf(m.Head.Model, m.Head, m.Pos))
		}
		return e.Ensemble.Name, members
	case e.Train != nil:
		return e.Train.Name, []part{partOf(e.Train.Head.Model, e.Train.Head, e.Pos)}
	case e.Head != nil && infer:
		return e.Head.FullName(), []part{partOf(e.Head.Model, e.Head, e.Pos)}
	case e.Model != nil && infer:
		return e.Model.Name, []part{partOf(e.Model, nil, e.Pos)}
	case e.Head != nil:
		return e.Head.FullName(), nil
	}
	return "this", nil
}

// faultsOf returns the reasons why a line cannot be compiled.
func faultsOf(w *work, t *spec.Target) diag.List {
	if len(w.parts) == 0 {
		return diag.List{diag.Errorf("not-yet", w.Pos, "emit %s is checked by this version, but not compiled yet", w.name)}
	}
	var out diag.List
	if w.Ensemble != nil && t.Rank > 0 {
		out = append(out, diag.Errorf("not-yet", w.Pos, "an ensemble in a target with adapters is checked by this version, but not compiled yet"))
	}
	if w.Ensemble != nil && t.HasVectors() {
		out = append(out, diag.Errorf("not-yet", w.Pos, "an ensemble in a target with vectors is checked by this version, but not compiled yet"))
	}
	for _, p := range w.parts {
		if w.Train == nil && w.Ensemble == nil && t.HasVectors() && !tasktable.Of(p.task).Vectors {
			out = append(out, diag.Errorf("no-effect", t.Vectors.Pos, "vectors has no effect on %s: it is for heads that find labels in texts", p.name()).
				Note(w.Pos, "what is emitted is here").Hintf("remove it"))
		}
		out = append(out, notYet(p, t)...)
		if w.Ensemble != nil {
			out = append(out, memberFaults(w.Ensemble, p, w.parts[0])...)
		}
	}
	if w.Train != nil {
		out = append(out, siftFaults(w.Train)...)
	}
	return out
}
