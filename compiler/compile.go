package compiler

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"

	_ "github.com/debertac/debertac/ir/ops" // the ops that programs consist of
)

// Options selects the part of a spec that is compiled, and the last pass.
type Options struct {
	Target string // a target's name; "" is the first target
	Emit   string // an emitted name (model or model.head); "" is all emitted names
	After  string // stop after the named pass, or after "build"; "" runs all passes
	// Perturb normalises the sum of the input's tables before the model's own norm, without gain and shift, and adds the batch's delta to it. This is the
	// input of scale-invariant fine-tuning (He et al. 2020, section 4). The authors' code normalises in the clean pass too.
	Perturb bool
	Trace   bool // keep the hidden states of every layer as outputs, for `verify`; run also layers that no head reads
}

// Unit is one program and the parts of the spec that it was compiled from.
type Unit struct {
	Program *ir.Program
	Model   *spec.Model
	Head    *spec.Head // nil: the last layer's rows
	Target  *spec.Target

	Ensemble *spec.Ensemble // nil: a single model; otherwise Model and Head are those of the first member
}

// Compile compiles the emitted heads of a target into programs. Faults of the spec are returned as diagnostics, sorted by position. An error is an internal
// error of the compiler.
func Compile(s *spec.Spec, o Options) ([]*Unit, diag.List, error) {
	t := s.Target(o.Target)
	if t == nil {
		var names []string
		for _, t := range s.Targets {
			names = append(names, t.Name)
		}
		return nil, diag.List{{Code: "unknown-name", Span: diag.Span{File: s.Name}, Message: fmt.Sprintf("no target is named %q: there is %s", o.Target, strings.Join(names, ", "))}}, nil
	}
	var units []*Unit
	var faults diag.List
	var emits []string
	packages, clashes := packageNames(s, t)
	faults = append(faults, clashes...)
	_, missing := instructionSets(t)
	faults = append(faults, missing...)
	for i, e := range t.Emit {
		name, m, h := emitted(e)
		emits = append(emits, name)
		if o.Emit != "" && o.Emit != name {
			continue
		}
		if m == nil && e.Ensemble == nil {
			faults = append(faults, laterEmit(e, name))
			continue
		}
		if later := emitFaults(e, m, h, t); len(later) > 0 {
			faults = append(faults, later...)
			continue
		}
		var u *Unit
		var err error
		if e.Ensemble != nil {
			u, err = compileEnsemble(s, t, packages[i], e.Ensemble, o)
		} else {
			u, err = compileUnit(s, t, packages[i], m, h, o)
		}
		var large *SizeError
		if errors.As(err, &large) {
			faults = append(faults, large.Fault)
			continue
		}
		if err != nil {
			return nil, faults, fmt.Errorf("compiling %s: %w", name, err)
		}
		if d := memoryFault(u.Program, t); d != nil && !o.Trace { // a trace keeps more than a call needs
			faults = append(faults, d)
			continue
		}
		units = append(units, u)
	}
	if len(units) == 0 && !faults.HasErrors() {
		at := t.Pos
		if t.Default { // no line of the spec names it
			at = diag.Span{File: s.Name}
		}
		if len(emits) == 0 {
			faults = append(faults, &diag.Diag{Code: "missing", Span: at, Message: "the spec has no model: there is nothing to compile"})
			return nil, faults, nil
		}
		faults = append(faults, &diag.Diag{Code: "unknown-name", Span: at, Message: fmt.Sprintf("the target emits nothing that is named %q: there is %s", o.Emit, strings.Join(emits, ", "))})
	}
	faults.Sort()
	return units, faults, nil
}

// emitted returns the full name of what an emit line asks for, and its model and head. The model is nil for an emit that is not a single forward pass.
func emitted(e spec.Emit) (string, *spec.Model, *spec.Head) {
	switch {
	case e.Ensemble != nil:
		return e.Ensemble.Name, nil, nil
	case e.Train != nil:
		return e.Train.Name, nil, nil
	case e.Head != nil && e.Kind == spec.EmitInfer:
		return e.Head.FullName(), e.Head.Model, e.Head
	case e.Model != nil && e.Kind == spec.EmitInfer:
		return e.Model.Name, e.Model, nil
	case e.Head != nil:
		return e.Head.FullName(), nil, nil
	}
	return "this", nil, nil
}

// If a head takes rows one by one, each row has as many numbers as the vocabulary has entries. The number of rows in a call is bounded so that they have at
// most rowBudget numbers, but it is at least leastRows.
const (
	rowBudget = 1 << 27
	leastRows = 16
)

// compileUnit builds one program for a package of the given name and runs the passes on it.
func compileUnit(s *spec.Spec, t *spec.Target, name string, m *spec.Model, h *spec.Head, o Options) (*Unit, error) {
	bounds := ir.Bounds{Sequences: t.Batch, Tokens: t.Tokens, Length: min(m.Seq, t.Tokens)}
	if h != nil && h.Take.Rows == spec.Masked {
		bounds.Rows = min(t.Tokens, max(leastRows, rowBudget/h.Out))
	}
	p, err := build(m, h, bounds, s.Name, name, o)
	if err != nil {
		return nil, err
	}
	p.Meta = meta(m, h, t)
	if o.Trace {
		p.Meta.Trace = true
		p.Outputs = nil
		if o.Perturb {
			p.Outputs = append(p.Outputs, storeNormed)
		}
		for l := 0; l <= m.Encoder.Layers; l++ {
			p.Outputs = append(p.Outputs, hiddenAt(l))
		}
		if h != nil {
			if h.Decoder != nil {
				for t := 0; t <= h.Decoder.Repeat; t++ {
					p.Outputs = append(p.Outputs, decoderAt(t))
				}
			}
			p.Outputs = append(p.Outputs, storeLogits)
		}
	}
	if err := runPasses(p, o.After); err != nil {
		return nil, err
	}
	return &Unit{Program: p, Model: m, Head: h, Target: t}, nil
}

// specHash returns the sha256, in hex, of a canonical spec.
func specHash(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// emitFaults returns the reasons why an emitted model or head cannot be compiled.
func emitFaults(e spec.Emit, m *spec.Model, h *spec.Head, t *spec.Target) diag.List {
	if e.Ensemble != nil {
		return ensembleFaults(e.Ensemble, t)
	}
	return notYet(m, h, t)
}

// meta returns what the generated package tells its callers.
func meta(m *spec.Model, h *spec.Head, t *spec.Target) ir.Meta {
	isas, _ := instructionSets(t)
	out := ir.Meta{SpecHash: specHash(spec.Canonical(m, h)), Model: m.Name, Vocab: m.Vocab, Hidden: m.Hidden, Layers: m.Encoder.Layers,
		Tokenizer: m.Tokenizer, ISAs: isas, Threads: t.Threads, Agree: t.Agree, Task: tasktable.Hidden, Columns: m.Hidden}
	if m.Embed.Segment != nil {
		out.Types = m.Embed.Segment.Rows
	}
	if h == nil {
		return out
	}
	out.Head, out.Columns, out.Task = h.Name, h.Out, h.Task()
	out.Labels, out.Multi = h.Labels, h.Loss == tasktable.BinaryCrossEntropy
	if p := h.Prompt; p != nil {
		out.Prompt = &ir.Prompt{Mark: p.Mark, End: p.End, After: p.After}
		out.Columns, out.Widths = entityColumns(h)
	}
	for _, s := range h.Steps {
		switch s.Kind {
		case spec.StepCRF:
			out.CRF = true
		case spec.StepDecode:
			out.Decode = s.Decode
		}
	}
	return out
}
