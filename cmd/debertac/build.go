package main

import (
	"path/filepath"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/runtime/appended"
	"github.com/debertac/debertac/runtime/disk"
)

type buildVerb struct {
	File string `arg:"" help:"A spec, or a Hugging Face model folder."`
	chosen
	wishes
	lentFlag
	Out     string `short:"o" required:"" placeholder:"FILE" help:"Program to write."`
	Embed   bool   `help:"Put the weights inside the program."`
	Weights string `placeholder:"FILE" help:"With --embed: the packed weights. Default: those of the folder."`
}

// Help is the long help.
func (buildVerb) Help() string {
	return `Builds one static program (no cgo) from everything that the spec's target emits. The program has the verbs run, forward, bench,
first, doctor and version. The machine where it runs needs the program and its packed weights, which are a file of their own
or, with --embed, inside the program.

Examples:
  debertac build nli.dspec -o nli                    then: ./nli run --weights nli.weights "some text"
  debertac build ~/models/deberta-v3-base-mnli -o nli --embed`
}

// Run builds.
func (v *buildVerb) Run(a *app) error {
	if v.Weights != "" && !v.Embed {
		return usage("add --embed", "--weights is for --embed: without it the program reads its weights when it runs")
	}
	src, dir, err := a.open(v.File, programOptions{wishes: v.wishes, lentFlag: v.lentFlag, weights: v.Weights})
	if err != nil {
		return err
	}
	defer dir.Close()
	if err := v.named(src, dir, v.Head); err != nil {
		return err
	}
	units, err := a.units(src, compiler.Options{Target: v.Target, Emit: v.Emit})
	if err != nil {
		return err
	}
	if v.Embed && v.Weights != "" && len(units) != 1 {
		return usage("pick one with --emit", "the target emits %d models, --weights is for one", len(units))
	}
	if v.Embed && v.Weights == "" && dir == nil {
		return inputFault(v.File, "a spec has no weights to put inside").hint("--weights FILE")
	}
	target, err := outPlace(v.Out)
	if err != nil {
		return err
	}
	if v.Weights != "" { // a program that refuses its own weights is found out by whoever it was given to
		if err := pack.Check(v.Weights, units[0].Program); err != nil {
			return err
		}
		if _, err := outPlace(v.Out); err != nil { // it could be the weights themselves
			return err
		}
	}
	packages, err := emitAll(units) // only now: generating code takes a while
	if err != nil {
		return err
	}
	var weights []appended.Source // packed first: a folder's faults are found sooner so
	if v.Embed {
		if weights, err = a.embedded(units, dir, v.Weights); err != nil {
			return err
		}
	}
	// The program appears under its name when it is whole.
	temp, err := disk.TempDir(filepath.Dir(target), ".build-")
	if err != nil {
		return err
	}
	defer disk.RemoveAll(temp)
	made := filepath.Join(temp, filepath.Base(v.Out))
	stop := a.building()
	err = a.build(packages, made)
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
		return outFault(err)
	}
	st, err := disk.Stat(v.Out)
	if err != nil {
		return err
	}
	a.note("%s: %s", v.Out, size(st.Size()))
	return nil
}

// embedded are the packed weights of every unit: the given file, or those of the folder.
func (a *app) embedded(units []*compiler.Unit, dir *folder, weights string) ([]appended.Source, error) {
	var sources []appended.Source
	for _, u := range units {
		path := weights
		if path == "" {
			var err error
			if path, err = a.folderWeights(u, dir); err != nil {
				return nil, err
			}
		}
		sources = append(sources, appended.Source{Name: modelName(u), Path: path})
	}
	return sources, nil
}
