package main

import (
	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/measure"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/cmd/debertac/sweep"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/disk"
)

type benchVerb struct {
	Path   string `arg:"" help:"A spec, or a Hugging Face model folder."`
	Target string `placeholder:"NAME" help:"Target of the spec. Default: the first that emits a model; with --train the first."`
	folder.Wishes
	sweep.Sweep
}

// Help is the long help.
func (benchVerb) Help() string {
	return `Measures forward calls in fresh processes of the built program: latency, throughput, arithmetic, allocations, memory, and the
time from the program's start to its first result. GFLOP/s count the useful operations of the spec, the same whatever an
implementation computes or leaves out, divided by the shortest latency (with --lengths: by the mean). The shares of the peak
and of the roofline compare them with what this machine reached in the same run. A spec without weights needs
--random-weights. A spec states its precision itself: --precision is then the one that you expect, and another one is an error.

Results carry the processor, its caches, the system, the versions of Go and debertac, the hash of the spec and the time, so
that --against can refuse to compare another machine or another spec. --against compares medians: with six rounds or more on both sides a
point counts as slower if the nearest end of the 95 % interval is beyond the tolerance.

Examples:
  debertac bench ~/models/spam --batch 8 --tokens 128 --threads 2
  debertac bench base.dspec --random-weights 1 --batch 1,8 --tokens 16,128,512 --repeat 5 --plot sweep.png
  debertac bench base.dspec --random-weights 1 --steps
  debertac bench base.dspec --train nli --batch 8 --tokens 128 --steps
  debertac bench base.dspec --random-weights 1 --repeat 6 --json > before.json
  debertac bench base.dspec --random-weights 1 --against before.json`
}

// Run measures the model and prints the results.
func (v *benchVerb) Run(m *built.Maker) error {
	if err := v.Sweep.Check(); err != nil {
		return err
	}
	if is, err := disk.IsDir(v.Path); err != nil || !is { // a spec has a precision of its own
		v.Sweep.Precision, v.Wishes.Precision = v.Wishes.Precision, ""
	}
	before, err := v.Before()
	if err != nil {
		return err
	}
	if v.Train != "" {
		return v.training(m, before)
	}
	var lengths [][]int // of each point
	o := model.Options{Wishes: v.Wishes, Target: v.Target, Weights: v.Weights, Seed: v.Random, DrawsAlone: true}
	o.Accept = func(u *compiler.Unit) (err error) {
		lengths, err = v.Accept(u)
		return err
	}
	p, err := m.Make(v.Path, o)
	if err != nil {
		return err
	}
	results, err := v.Measure(m, p, lengths)
	if err != nil {
		return err
	}
	return v.Report(m.Console, before, results)
}

// training measures a training step and prints the results.
func (v *benchVerb) training(m *built.Maker, before []measure.Result) error {
	if err := v.OfSpec(v.Path); err != nil {
		return err
	}
	p, lengths, err := v.Training(m, v.Path, v.Target)
	if err != nil {
		return err
	}
	results, err := v.Measure(m, p, lengths)
	if err != nil {
		return err
	}
	return v.Report(m.Console, before, results)
}
