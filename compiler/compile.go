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
	Lora    *spec.Lora // adapters beside projections; nil: none
	Dropout bool       // drop elements at the model's sites, by keys that come with the batch; for training
	Train   bool       // mark what only gradients need: the padding row of the token table, which a lookup does not train
	// Trace keeps the hidden states of every layer as outputs, for `verify`, and runs also layers that no head reads. A training of two models keeps the logits
	// of both.
	Trace bool

	vectors bool // the program has vectors as outputs too
}

// Unit is one program and the parts of the spec that it was compiled from.
type Unit struct {
	Program *ir.Program
	Model   *spec.Model
	Head    *spec.Head // nil: the last layer's rows
	Target  *spec.Target

	Ensemble *spec.Ensemble // nil: a single model; otherwise Model and Head are those of the first member
	Training *spec.Train    // nil: a forward pass; otherwise a training step of Model and Head

	targets []ir.Target // of the loss, if the program has one
	counts  []ir.Count  // what the quotients of the loss divide by, if it is not a number of rows
	losses  []ir.Loss   // the terms of the loss, if it has several
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
		return nil, diag.List{{Code: "unknown-name", Span: diag.Span{File: s.Name},
			Message: fmt.Sprintf("no target is named %q: there is %s", o.Target, strings.Join(names, ", "))}}, nil
	}
	var units []*Unit
	all := workOf(s, t)
	faults := all.faults
	var emits []string
	for _, w := range all.emits {
		emits = append(emits, w.name)
		if o.Emit != "" && o.Emit != w.name {
			continue
		}
		if len(w.faults) > 0 {
			faults = append(faults, w.faults...)
			continue
		}
		u, more, err := all.compile(w, o)
		faults = append(faults, more...)
		if more.HasErrors() {
			continue
		}
		var large *SizeError
		if errors.As(err, &large) {
			faults = append(faults, large.Fault)
			continue
		}
		if err != nil {
			return nil, faults, fmt.Errorf("compiling %s: %w", w.name, err)
		}
		if d := memoryFault(u, t); d != nil && !o.Trace { // a trace keeps more than a call needs
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
		d := diag.Errorf("unknown-name", at, "the target emits nothing that is named %q: there is %s", o.Emit, strings.Join(emits, ", "))
		if tr := s.Train(o.Emit); tr != nil {
			d.Note(tr.Pos, "the training is here").Hintf("target t { emit train %s }", tr.Name)
		}
		faults = append(faults, d)
	}
	faults.Sort()
	return units, faults, nil
}

// compile compiles one emit line.
func (t *targetWork) compile(w *work, o Options) (u *Unit, faults diag.List, err error) {
	first := w.parts[0]
	u = &Unit{Model: first.model, Head: first.head, Target: t.Target, Ensemble: w.Ensemble, Training: w.Train}
	switch {
	case w.Ensemble != nil:
		u.Program, err = t.compileEnsemble(w, o)
	case w.Train != nil:
		o.Train, o.Dropout, o.Lora = true, true, w.Train.Lora
		faults, err = t.compileTraining(u, w, o)
		if u.Program != nil && u.Program.Training != nil {
			u.Program.Training.Epochs, u.Program.Training.Batch = w.Train.Epochs, w.Train.Batch
		}
	default:
		u.Program, err = t.compilePart(w.pkg, first, t.bounds(first), o)
	}
	return u, faults, err
}

// If a head takes rows one by one, each row has as many numbers as the vocabulary has entries. The number of rows in a call is bounded so that they have at
// most rowBudget numbers, but it is at least leastRows.
const (
	rowBudget = 1 << 27
	leastRows = 16
)

// bounds returns the bounds of the calls of a forward pass.
func (t *targetWork) bounds(p part) ir.Bounds {
	return ir.Bounds{Sequences: t.Batch, Tokens: t.Tokens, Length: min(p.model.Seq, t.Tokens)}
}

// compilePart builds one program for a package of the given name and runs the passes on it.
func (t *targetWork) compilePart(pkg string, p part, bounds ir.Bounds, o Options) (*ir.Program, error) {
	m, h := p.model, p.head
	if p.rows == spec.Masked {
		bounds.Rows = min(bounds.Tokens, max(bounds.Rows, leastRows, rowBudget/h.Out))
	} else {
		bounds.Rows = 0
	}
	bounds.Steps, bounds.Candidates = stepsOf(h), candidatesOf(h)
	o.vectors = !o.Train && t.HasVectors()
	prog, err := build(m, h, bounds, t.spec.Name, pkg, o)
	if err != nil {
		return nil, err
	}
	prog.Meta = t.meta(p)
	if o.Lora != nil {
		prog.Meta.SpecHash = adaptedHash(o.Lora, spec.Canonical(m, h))
	}
	if !o.Train {
		prog.Meta.Rank = t.Rank
		if t.Weights.Kind != "f32" {
			prog.Meta.Weights, prog.Meta.ISAs, prog.Meta.Agree = t.Weights.Kind, t.setsOf(&work{}), max(t.Agree, bf16Agree)
		}
	}
	if o.vectors {
		prog.Meta.Outputs = withVectors(prog)
	}
	if o.Trace {
		prog.Meta.Trace = true
		prog.Outputs = traced(p, o, prog.Outputs)
	}
	return prog, runPasses(prog, o.After)
}

// traced returns the outputs of a program that is compiled for `verify`. own are those of the head.
func traced(p part, o Options, own []string) (outputs []string) {
	if o.Perturb {
		outputs = append(outputs, storeNormed)
	}
	for l := 0; l <= p.model.Encoder.Layers; l++ {
		outputs = append(outputs, hiddenAt(l))
	}
	if p.head == nil {
		return outputs
	}
	if d := p.head.Decoder; d != nil {
		for t := 0; t <= d.Repeat; t++ {
			outputs = append(outputs, decoderAt(t))
		}
	}
	return append(outputs, own...)
}

// specHash returns the sha256, in hex, of a canonical spec.
func specHash(canonical []byte) string {
	sum := sha256.Sum256(canonical)
	return hex.EncodeToString(sum[:])
}

// adaptedHash returns the hash of a canonical spec with adapters. Their tensors mean something else with another scale. Their dropout has no part in it, as
// that of a model has none.
func adaptedHash(l *spec.Lora, canonical []byte) string {
	adapters := *l
	adapters.Dropout = 0
	return specHash(fmt.Appendf(nil, "lora %s\n%s", &adapters, canonical))
}

// meta returns what the generated package tells its callers.
func (t *targetWork) meta(p part) ir.Meta {
	m, h := p.model, p.head
	out := ir.Meta{SpecHash: specHash(spec.Canonical(m, h)), Model: m.Name, Vocab: m.Vocab, Hidden: m.Hidden, Layers: m.Encoder.Layers,
		Tokenizer: m.Tokenizer, ISAs: t.isas, Threads: t.Threads, Agree: t.Agree, Task: p.task, Columns: m.Hidden}
	if m.Embed.Segment != nil {
		out.Types = m.Embed.Segment.Rows
	}
	if h == nil {
		return out
	}
	out.Head, out.Columns, out.CRF = h.Name, h.Out, p.crf
	out.Labels, out.Multi = h.Labels, tasktable.Sigmoid(h.Loss)
	out.Temperature = h.LossSettings.Temperature
	if out.Outputs = outputsOf(h); out.Outputs != nil {
		out.Columns = out.Outputs[len(out.Outputs)-1].Columns
	}
	if d := h.Decoding; d != nil {
		out.Boundary = &ir.Boundary{Pairs: d.Pairs, Classes: d.Classes, Above: d.Above, Overlap: d.Overlap}
	}
	if p := h.Prompt; p != nil && !p.Schema {
		out.Prompt = &ir.Prompt{Mark: p.Mark, End: p.End, After: p.After, Last: p.Last, Example: p.Example,
			Whole: h.Take.Rows == spec.ByLabel && h.Take.Pick == "mean", FromEnd: h.Text != nil && h.Text.End}
	}
	if h.As == spec.Entities {
		out.Columns, out.Widths = entityColumns(h)
	}
	for _, s := range h.Steps {
		if s.Kind == spec.StepDecode {
			out.Decode = s.Decode
		}
	}
	return out
}
