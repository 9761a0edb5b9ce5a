package trial

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/cmd/debertac/gopackage"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/published"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/trainprogram"
	"github.com/debertac/debertac/spec"
)

// step is a compiled training step of a case. Its program runs once on each instruction set.
type step struct {
	built.Program
	passes  []golden.Pass  // one for each step of a training run
	cases   []*golden.Case // whose inputs these have
	reads   *compiler.Unit // the model that the batch is for
	update  bool           // the tensors change, as those of a training run do
	lean    bool           // gradients are neither recorded nor compared
	prefix  []int32        // see form
	batches []string
	stored  map[string]string    // names of tensors in the case's file of weights, by their names in the program
	names   map[string]string    // what the step writes besides gradients and tensors, to the names of recorded tensors
	still   map[string][]float32 // recorded tensors of the file of weights that the program does not read, by the recorded names
}

// train compiles the training steps that the recorded tensors ask for.
func (t *Trial) train(m *built.Maker) error {
	if t.golden.Training() {
		return t.trainRun(m.Console)
	}
	names, err := golden.Recorded(t.outputs, golden.Scope{})
	if err != nil {
		return err
	}
	moved := t.golden.Kind == golden.KindSiFT // a step moves the perturbation, whether gradients are recorded or not
	lean := !slices.ContainsFunc(names, func(name string) bool { return golden.Group(name) == "grad" })
	if lean && !moved {
		return nil
	}
	passes, err := t.golden.Passes(t.outputs)
	switch {
	case err != nil:
		return caseFault(err)
	case t.golden.Ends() && t.golden.Dead():
		return nil // compare leaves the gradients out
	case t.golden.Kind == golden.KindRTD:
		return t.pair(m.Console, nil, []*golden.Case{t.golden})
	}
	var o compiler.Training
	if moved {
		o, passes = t.sift(), passes[1:] // the batch with the first perturbation
	}
	s, err := t.step(m.Console, passes[0], o)
	if err != nil {
		return err
	}
	s.cases, s.passes, s.names, s.lean = []*golden.Case{t.golden}, passes[:1], stepNames, lean
	t.steps = append(t.steps, s)
	return nil
}

// stepNames maps what a step of one model writes to the names of recorded tensors.
var stepNames = map[string]string{trainprogram.LossTensor: golden.StepLoss}

// sift returns the training of a case of scale-invariant fine-tuning.
func (t *Trial) sift() compiler.Training {
	o := compiler.Training{Sift: &spec.Sift{Step: t.golden.Move, Ascend: 1, Loss: strings.ReplaceAll(t.golden.Inner, "-", "_"), Weight: t.golden.Adversarial}}
	for name := range siftNames {
		o.Trace = append(o.Trace, name)
	}
	slices.Sort(o.Trace)
	return o
}

// siftNames maps values of the store of a step of scale-invariant fine-tuning to the names of recorded tensors, or to those that tell them from the outputs of
// forward passes.
var siftNames = map[string]string{compiler.AscentAt(1): "delta_grad", compiler.DeltaAt(1): "delta1", "logits": "clean_logits" + golden.OfStep,
	"probe1.logits": "probe_logits" + golden.OfStep, "moved.logits": "pert_logits" + golden.OfStep}

// step compiles a training step of a pass.
func (t *Trial) step(c *console.Console, p golden.Pass, o compiler.Training) (*step, error) {
	f, err := t.form(c, p.Model, compiler.Options{After: "build", Train: true, Perturb: p.Model.Perturb})
	if err != nil {
		return nil, err
	}
	u := f.Unit
	o.Weighted = bare(u)
	o.Soft = t.soft(u)
	faults, err := u.Train(o)
	if err == nil && faults.HasErrors() {
		return nil, &fault.Error{Code: fault.ExitInput, List: faults}
	}
	return &step{Program: f.Program, prefix: f.prefix, reads: u}, err
}

// trainRun compiles the step of a training run.
func (t *Trial) trainRun(c *console.Console) error {
	r, err := t.golden.Recipe()
	if err != nil {
		return caseFault(err)
	}
	run := t.golden
	defer func() { t.golden = run }()
	var cases []*golden.Case
	var passes []golden.Pass
	for i := range r.Steps {
		of, err := run.Step(r, i)
		if err != nil {
			return caseFault(err)
		}
		list, err := of.Passes(t.outputs)
		if err != nil {
			return caseFault(err)
		}
		cases, passes = append(cases, of), append(passes, list[0])
	}
	if t.golden = cases[0]; t.golden.Kind == golden.KindRTD {
		return t.pair(c, r, cases)
	}
	s, err := t.step(c, passes[0], compiler.Training{Update: func(p *ir.Program, with []string) error { return updateOf(p, r, with) }})
	if err != nil {
		return err
	}
	s.cases, s.passes, s.update, s.names, s.lean = cases, passes, true, runNames, true
	t.steps = []*step{s}
	return nil
}

// updateOf appends the optimizer of a training run to a program.
func updateOf(p *ir.Program, r *golden.Recipe, with []string) error {
	o := compiler.Optimizer{Kind: compiler.AdamW, Beta1: r.Beta1, Beta2: r.Beta2, Decay: r.Decay, Except: []string{"norm", "bias"}, Clip: r.Clip, With: with}
	if err := compiler.Update(p, o); err != nil {
		return err
	}
	s := r.Schedule()
	p.Training.Updates[0].Numbers = &ir.UpdateNumbers{Kind: string(o.Kind), Beta1: o.Beta1, Beta2: o.Beta2, Eps: r.Eps, Correct: r.Correct, Peak: s.Peak,
		Final: s.Final, Steps: s.Steps, Warmup: s.Warmup, Course: string(s.Course), FromStart: s.FromStart}
	return nil
}

// prepareSteps writes the tensors and the batches of the training steps.
func (t *Trial) prepareSteps(ctx context.Context, dir *folder.Folder, temp string) error {
	run := t.golden
	defer func() { t.golden = run }()
	for _, s := range t.steps {
		name := s.Unit.Program.Name
		s.Weights = filepath.Join(temp, name+".tensors")
		if err := s.writeWeights(ctx, dir); err != nil {
			return err
		}
		for i, p := range s.passes {
			t.golden = s.cases[i]
			of := s.Program
			of.Unit = s.reads
			b, err := t.batch(dir, &pass{Pass: p, form: &form{Program: of, model: p.Model, prefix: s.prefix}})
			if err != nil {
				return err
			}
			with, err := t.targets(s.reads, b)
			if err != nil {
				return err
			}
			s.batches = append(s.batches, filepath.Join(temp, fmt.Sprintf("%s.%d.step", name, i)))
			if err := golden.WriteBatch(s.batches[i], b, with); err != nil {
				return err
			}
		}
	}
	return nil
}

// writeWeights writes the tensors of the step's program, under their names there.
func (s *step) writeWeights(ctx context.Context, dir *folder.Folder) error {
	from := dir.Source(s.Unit.Model)
	if s.Unit.Training != nil { // its tensors have the names of a file of two models
		from = &pack.Checkpoint{File: dir.Weights}
	}
	params := s.Unit.Program.Training.Params
	s.stored = map[string]string{}
	var list []safetensors.Tensor
	shapes := map[string][]int{}
	for _, p := range params {
		list, shapes[p.Name] = append(list, safetensors.Tensor{Name: p.Name, DType: safetensors.F32, Shape: p.Shape}), p.Shape
		s.stored[p.Name] = storedName(dir.Weights.Names(), s.passes[0].Name, p.Name)
	}
	f, err := disk.Create(s.Weights, 0o666)
	if err != nil {
		return err
	}
	defer f.Discard()
	w, err := safetensors.NewWriter(f, nil, list)
	if err != nil {
		return err
	}
	for _, name := range w.Order() {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := from.Tensor(name, shapes[name])
		if err != nil {
			return err
		}
		if err := w.WriteFloats(name, data); err != nil {
			return err
		}
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Commit()
}

// storedName returns the name that a tensor has in the file of weights. Files of a bare encoder lack its prefix. In files of two models the names begin with
// the model; the discriminator's tables are sums with a tensor of its own, or the generator's.
func storedName(weights []string, part, name string) string {
	two := []string{part + "." + name, part + "." + strings.TrimSuffix(name, "weight") + "_weight", "generator." + name}
	for _, s := range append(published.Names(name), two...) {
		if slices.Contains(weights, s) {
			return s
		}
	}
	return name
}

// trained runs the training steps on an instruction set, and returns what they compute by the names of recorded tensors. It returns nil if the case has no
// steps.
func (t *Trial) trained(m *built.Maker, temp, isa string) (map[string][]float64, error) {
	if len(t.steps) == 0 {
		return nil, nil
	}
	all := map[string][]float64{}
	for _, s := range t.steps {
		out := filepath.Join(temp, fmt.Sprintf("%s.%s.out", s.Unit.Program.Name, isa))
		args := flags.Args(s.WeightsFlag(), flags.Value("--model", source.ModelName(s.Unit)), flags.Value("--out", out), flags.Value("--isa", isa),
			flags.Switch("--gradients", !s.update))
		for _, b := range s.batches {
			args = append(args, "--batch", b)
		}
		cmd := s.Command(m, "step", args)
		var said bytes.Buffer
		cmd.Stdout, cmd.Stderr = &said, &said
		if err := cmd.Run(); err != nil {
			return nil, fmt.Errorf("the compiled training step fails: %w\n%s", err, strings.TrimSpace(said.String()))
		}
		if err := s.read(out, all); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// runNames maps what a training run of one model writes to the names of recorded tensors.
var runNames = map[string]string{trainprogram.LossTensor: "losses", trainprogram.NormTensor: "grad_norms", trainprogram.RateTensor: "learning_rates"}

// read adds what a step has computed to all: gradients, and for a training run the changed tensors and the numbers of each step.
func (s *step) read(path string, all map[string][]float64) error {
	f, err := safetensors.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	for _, name := range f.Names() {
		to := s.names[name]
		if value, ok := strings.CutPrefix(name, trainprogram.OfPrefix); ok && to == "" {
			to = siftNames[value]
		}
		for _, prefix := range []string{trainprogram.GradPrefix, trainprogram.NewPrefix} {
			if tensor, ok := strings.CutPrefix(name, prefix); ok && (prefix == trainprogram.NewPrefix || !s.lean) {
				to = prefix + s.stored[tensor]
			}
		}
		if to == "" {
			continue
		}
		info, err := f.Info(name)
		if err != nil {
			return err
		}
		data := make([]float32, info.Elements())
		if err := f.Floats(name, data); err != nil {
			return err
		}
		all[to] = wide(data)
	}
	for name, data := range s.still {
		all[name] = wide(data)
	}
	return nil
}

// wide returns numbers as float64.
func wide(data []float32) []float64 {
	out := make([]float64, len(data))
	for i, v := range data {
		out[i] = float64(v)
	}
	return out
}

// buildSteps builds one program of the training steps of all trials that can run. A step for which no code can be generated must not prevent the others from
// being built.
func buildSteps(m *built.Maker, trials []*Trial) error {
	var units []*compiler.Unit
	var steps []*step
	for _, t := range trials {
		if t.fault != nil {
			continue
		}
		for _, s := range t.steps {
			if _, err := gopackage.Emit(s.Unit.Program); err != nil {
				t.steps, t.untrained = nil, fmt.Sprintf("no code can be generated: %v", err)
				if t.golden.Training() {
					t.fault = errors.New(t.untrained)
				}
				break
			}
		}
		for _, s := range t.steps {
			units, steps = append(units, s.Unit), append(steps, s)
		}
	}
	if len(units) == 0 {
		return nil
	}
	binary, err := m.Binary(units)
	for _, s := range steps {
		s.Binary = binary
	}
	return err
}
