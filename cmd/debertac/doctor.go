package main

import (
	"encoding/json"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/diagnosis"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/model"
)

type doctorVerb struct {
	Model   string `arg:"" optional:"" help:"Spec or model folder: also build it, compare its weights with their hashes and run its self-test."`
	Weights string `placeholder:"FILE" help:"Packed weights, needed for a spec."`
	folder.Wishes
	JSON bool `name:"json" help:"Print a JSON object; with a model, a second one for the model."`
}

// Help is the long help.
func (doctorVerb) Help() string {
	return `Describes this machine: the processor and its caches, the instruction sets that debertac has kernels for, the Go toolchain that
builds need, and the cache. With a model, it also builds the model, compares the weights with their hashes, and runs a self-test.

Examples:
  debertac doctor
  debertac doctor path/to/model_folder`
}

// Run prints the report.
func (v *doctorVerb) Run(m *built.Maker) error {
	if v.Model == "" && (v.Weights != "" || v.Wishes.Given()) {
		return fault.Usage("debertac doctor SPEC --weights FILE", "--weights, --head and the other flags of a model belong to one: name its spec or its folder")
	}
	if err := v.Check(); err != nil {
		return err
	}
	r := diagnosis.Of(m)
	if v.JSON {
		if err := json.NewEncoder(m.Out).Encode(r); err != nil {
			return err
		}
	} else if err := r.Print(m.Out); err != nil {
		return err
	}
	if v.Model == "" {
		return nil
	}
	p, err := m.Make(v.Model, model.Options{Weights: v.Weights, Wishes: v.Wishes})
	if err != nil {
		return err
	}
	return p.Exec(m, "doctor", flags.Args(p.WeightsFlag(), flags.Switch("--json", v.JSON), flags.Switch("--model-only", !v.JSON)))
}
