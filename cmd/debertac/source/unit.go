package source

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// Units compiles what a target of a spec emits, and prints warnings, also about trainings that the spec does not emit.
func Units(c *console.Console, src *Source, o compiler.Options) ([]*compiler.Unit, error) {
	list, err := units(c, src, o)
	if err == nil && o.Emit == "" {
		c.Warn(compiler.NotEmitted(src.Spec), src.Tree.Sources())
	}
	return list, err
}

// units compiles what a target of a spec emits, and prints warnings about it.
func units(c *console.Console, src *Source, o compiler.Options) ([]*compiler.Unit, error) {
	units, faults, err := compiler.Compile(src.Spec, o)
	if err != nil {
		return nil, fault.Ours(err)
	}
	if faults.HasErrors() {
		return nil, &fault.Error{Code: fault.ExitInput, List: faults, Files: src.Tree.Sources()}
	}
	c.Warn(faults, src.Tree.Sources())
	return units, nil
}

// oneUnit compiles a spec that must emit exactly one unit. If there are several, its error tells how to choose.
func oneUnit(c *console.Console, src *Source, o compiler.Options) (*compiler.Unit, error) {
	units, err := units(c, src, o)
	if err != nil {
		return nil, err
	}
	if len(units) == 1 {
		return units[0], nil
	}
	names := UnitNames(units)
	return nil, &fault.Error{Code: fault.ExitInput, List: diag.List{
		diag.Errorf("", diag.Span{File: src.Tree.Name}, "the target emits %d packages, one is wanted: %s", len(units), wording.List(names)).
			Hintf("%s", fmt.Sprintf("--head %s", names[0]))}}
}

// UnitName returns the name by which --emit selects a unit.
func UnitName(u *compiler.Unit) string {
	switch {
	case u.Ensemble != nil:
		return u.Ensemble.Name
	case u.Training != nil:
		return u.Training.Name
	}
	if u.Head != nil {
		return u.Head.FullName()
	}
	return u.Model.Name
}

// UnitNames returns the names by which --emit selects units.
func UnitNames(units []*compiler.Unit) []string {
	var names []string
	for _, u := range units {
		names = append(names, UnitName(u))
	}
	return names
}

// UnitFor compiles what the target emits and returns one unit that is not a training: the named head, or the only one there is.
func UnitFor(c *console.Console, src *Source, target, head string, o compiler.Options) (*compiler.Unit, error) {
	o.Target = target
	src, err := withoutTrainings(src, target)
	if err != nil {
		return nil, err
	}
	if head != "" {
		o.Emit = head
		if t := src.Spec.Target(target); t == nil || !emitsModel(t, head) {
			h, err := findHead(src, head)
			if err != nil {
				return nil, err
			}
			o.Emit = h.FullName()
		}
	}
	return oneUnit(c, src, o)
}

// withoutTrainings returns a source with one target, which emits models alone: that of a name, or without a name the first one that emits a model. It refuses
// a target that emits trainings only.
func withoutTrainings(src *Source, target string) (*Source, error) {
	emitsTrainings := func(t *spec.Target) bool {
		return len(t.Emit) > 0 && !slices.ContainsFunc(t.Emit, func(e spec.Emit) bool { return e.Kind != spec.EmitTrain })
	}
	t := src.Spec.Target(target)
	if i := slices.IndexFunc(src.Spec.Targets, func(t *spec.Target) bool { return !emitsTrainings(t) }); target == "" && i > 0 {
		t = src.Spec.Targets[i]
	}
	switch {
	case t == nil:
		return src, nil
	case emitsTrainings(t):
		return nil, fault.Input(src.Tree.Name, "the target %s emits trainings only, and a model is wanted", t.Name).
			Hint("%s", inferring(src.Spec, t.Emit[0].Train.Head))
	case t == src.Spec.Target(target) && !slices.ContainsFunc(t.Emit, func(e spec.Emit) bool { return e.Kind == spec.EmitTrain }):
		return src, nil
	}
	other, with := *t, *src.Spec
	other.Emit = slices.DeleteFunc(slices.Clone(t.Emit), func(e spec.Emit) bool { return e.Kind == spec.EmitTrain })
	with.Targets = []*spec.Target{&other}
	return &Source{src.Tree, &with}, nil
}

// inferring returns how to get a model of a head in place of its training: the target that emits it, or the line that a target lacks.
func inferring(s *spec.Spec, h *spec.Head) string {
	for _, t := range s.Targets {
		if slices.ContainsFunc(t.Emit, func(e spec.Emit) bool { return e.Kind == spec.EmitInfer && e.Head == h }) {
			return "--target " + t.Name
		}
	}
	return "emit infer " + h.FullName()
}

// TrainingOf compiles the step of a training, whether a target emits it or not.
func TrainingOf(c *console.Console, src *Source, target, name string, o compiler.Options) (*compiler.Unit, error) {
	i := slices.IndexFunc(src.Spec.Trains, func(t *spec.Train) bool { return t.Name == name })
	if i < 0 {
		var names []string
		for _, t := range src.Spec.Trains {
			names = append(names, t.Name)
		}
		if names == nil {
			return nil, fault.Input(src.Tree.Name, "the spec has no training, so none is named %s", name).Hint("train %s on MODEL.HEAD { … }", name)
		}
		return nil, fault.Input(src.Tree.Name, "no training is named %s; there is %s", name, wording.List(names))
	}
	tr, t := src.Spec.Trains[i], src.Spec.Target(target)
	o.Target, o.Emit = target, name
	if t == nil || slices.ContainsFunc(t.Emit, func(e spec.Emit) bool { return e.Train == tr }) {
		return oneUnit(c, src, o)
	}
	alone := *t
	alone.Emit = []spec.Emit{{Source: tr.Source, Kind: spec.EmitTrain, Train: tr}} // alone: its package has a name that others may have
	with := *src.Spec
	with.Targets = []*spec.Target{&alone}
	return oneUnit(c, &Source{src.Tree, &with}, o)
}

// InferenceOf compiles the forward pass of a head, for the processors of a target, whether the target emits it or not.
func InferenceOf(c *console.Console, src *Source, target string, h *spec.Head) (*compiler.Unit, error) {
	o := compiler.Options{Target: target, Emit: h.FullName()}
	t := src.Spec.Target(target)
	if t == nil {
		return oneUnit(c, src, o)
	}
	alone, with := *t, *src.Spec
	alone.Emit = []spec.Emit{{Source: h.Source, Kind: spec.EmitInfer, Head: h, Model: h.Model}}
	with.Targets = []*spec.Target{&alone}
	return oneUnit(c, &Source{src.Tree, &with}, o)
}

// emitsModel reports whether a target emits a model of this name without a head, or an ensemble.
func emitsModel(t *spec.Target, name string) bool {
	return slices.ContainsFunc(t.Emit, func(e spec.Emit) bool {
		return e.Ensemble != nil && e.Ensemble.Name == name || e.Kind == spec.EmitInfer && e.Head == nil && e.Model != nil && e.Model.Name == name
	})
}

// findHead finds a head by its name or its full name.
func findHead(src *Source, name string) (*spec.Head, error) {
	var found []*spec.Head
	var names []string
	for _, h := range src.Spec.Heads {
		names = append(names, h.FullName())
		if h.Name == name || h.FullName() == name {
			found = append(found, h)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return nil, fault.Input(src.Tree.Name, "no head is named %s; there are %s", name, wording.List(names))
	}
	return nil, fault.Input(src.Tree.Name, "several heads are named %s: give one of %s", name, wording.List(names))
}

// ModelName returns the name of a unit in a built program.
func ModelName(u *compiler.Unit) string { return u.Program.Name }

// UnitsAfter compiles a spec up to a pass, and returns the name of that pass. If pass is "", it is the last one.
func UnitsAfter(c *console.Console, file, pass string, o compiler.Options) ([]*compiler.Unit, string, error) {
	names := Passes()
	last := cmp.Or(pass, names[len(names)-1])
	if !slices.Contains(names, last) {
		return nil, "", fault.Usage("debertac dump --help", "no pass is named %s; there are %s", last, wording.List(names))
	}
	src, err := Load(c, file)
	if err != nil {
		return nil, "", err
	}
	o.After = pass
	units, err := Units(c, src, o)
	return units, last, err
}

// Passes returns the names of the passes that dump --after takes.
func Passes() []string {
	names := []string{"build"}
	for _, p := range compiler.Passes() {
		names = append(names, p.Name)
	}
	return names
}
