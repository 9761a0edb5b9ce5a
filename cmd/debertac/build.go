package main

import (
	"path/filepath"
	"slices"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/gopackage"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime/appended"
	"github.com/debertac/debertac/runtime/disk"
)

type buildVerb struct {
	File string `arg:"" help:"A spec, or a Hugging Face model folder."`
	source.Choice
	folder.Wishes
	folder.LentFlag
	Out     string `short:"o" required:"" placeholder:"FILE" help:"Program to write."`
	Embed   bool   `help:"Put the weights inside the program."`
	Weights string `placeholder:"FILE" help:"With --embed: the packed weights. Default: those of the folder."`
	Trace   bool   `help:"The verb forward also writes the hidden states and the attention maps of all layers."`
}

// Help is the long help.
func (buildVerb) Help() string {
	return `Builds one static program (no cgo) from everything that the spec's target emits. The program has the verbs run, eval, forward,
bench, first, doctor and version. The machine where it runs needs the program and its packed weights, which are a file of their own
or, with --embed, inside the program.

With --trace the program's forward writes what its layers compute, besides the output: hidden_states.0 [T, hidden], the rows that
enter the first layer, and those after each layer; attentions.0 [heads, P], the attention probabilities of the first layer, and so
on, where P is the sum of N·N over the sequences of N tokens; with a mask decoder decoder.0 and decoder.attentions.0 for its
steps. Such a program is slower, because it computes the probabilities again in plain Go.

A program of a target that emits trainings has the verbs train, step, bench and version: train runs over
data that debertac prepare has made, step reads batches of token ids and targets,
and writes and resumes checkpoints. It reads weights in safetensors form. A program holds models or trainings, not both.

Examples:
  debertac build nli.dspec -o nli                    then: ./nli run --weights nli.weights "some text"
  debertac build ~/models/deberta-v3-base-mnli -o nli --embed`
}

// Run builds the program.
func (v *buildVerb) Run(m *built.Maker) error {
	if v.Weights != "" && !v.Embed {
		return fault.Usage("add --embed", "--weights is for --embed: without it the program reads its weights when it runs")
	}
	src, dir, err := model.Open(m.Console, v.File, model.Options{Wishes: v.Wishes, LentFlag: v.LentFlag, Weights: v.Weights})
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := v.Narrow(src, dir != nil, v.Head); err != nil {
		return err
	}
	units, err := source.Units(m.Console, src, compiler.Options{Target: v.Target, Emit: v.Emit, Trace: v.Trace})
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(units, func(u *compiler.Unit) bool { return (u.Training != nil) != (units[0].Training != nil) }); i > 0 {
		return fault.Input(v.File, "a program holds models or trainings, and the target %s emits both: %s", units[0].Target.Name,
			wording.List(source.UnitNames(units))).Hint("--emit %s", source.UnitName(units[0]))
	}
	if i := slices.IndexFunc(units, func(u *compiler.Unit) bool { return u.Training != nil || u.Ensemble != nil }); v.Trace && i >= 0 {
		return fault.Input(v.File, "--trace is for models, and %s is a training or an ensemble", source.UnitName(units[i])).Hint("--emit NAME of a model")
	}
	if v.Embed && v.Weights != "" && len(units) != 1 {
		return fault.Usage("pick one with --emit", "the target emits %d models, --weights is for one", len(units))
	}
	if v.Embed && v.Weights == "" && dir == nil {
		return fault.Input(v.File, "a spec has no weights to put inside").Hint("--weights FILE")
	}
	target, err := output.Place(v.Out)
	if err != nil {
		return err
	}
	if v.Weights != "" { // otherwise only the program's user would find out that it refuses its own weights
		if err := pack.Check(v.Weights, units[0].Program); err != nil {
			return err
		}
		if _, err := output.Place(v.Out); err != nil { // -o could name the weights themselves
			return err
		}
	}
	packages, err := gopackage.EmitAll(units) // after the checks, because generating code takes a while
	if err != nil {
		return err
	}
	var weights []appended.Source // packed before the build, so that a folder's faults are found sooner
	if v.Embed {
		if weights, err = m.Embedded(units, dir, v.Weights); err != nil {
			return err
		}
	}
	// The program takes its name when it is complete.
	temp, err := disk.Scratch(target)
	if err != nil {
		return output.Fault(err)
	}
	defer temp.Discard()
	made := filepath.Join(temp.Dir(), filepath.Base(v.Out))
	stop := m.Building()
	err = m.Build(packages, made)
	stop()
	if err != nil {
		return err
	}
	if v.Embed {
		if err := appended.Append(made, weights); err != nil {
			return err
		}
	}
	if err := disk.Install(made, v.Out); err != nil {
		return output.Fault(err)
	}
	st, err := disk.Stat(v.Out)
	if err != nil {
		return err
	}
	m.Note("%s: %s", v.Out, wording.Size(st.Size()))
	return nil
}
