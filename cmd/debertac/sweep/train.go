package sweep

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/cmd/debertac/measure"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/disk"
)

// Training compiles and builds the training step that --train names, and returns it with the lengths of the sequences of each point.
func (v *Sweep) Training(m *built.Maker, path, target string) (*built.Program, [][]int, error) {
	switch is, err := disk.IsDir(path); {
	case err == nil && is:
		return nil, nil, fault.Usage("debertac import DIR -o model.dspec, then write a training", "--train belongs to a spec, and %s is a model folder", path)
	case v.Weights != "" && v.Random != nil:
		return nil, nil, fault.Usage("give one of them", "--weights and --random-weights contradict each other")
	}
	src, err := source.Load(m.Console, path)
	if err != nil {
		return nil, nil, err
	}
	u, err := source.TrainingOf(m.Console, src, target, v.Train, compiler.Options{})
	if err != nil {
		return nil, nil, err
	}
	lengths, err := v.Accept(u)
	if err != nil {
		return nil, nil, err
	}
	binary, err := m.Binary([]*compiler.Unit{u})
	return &built.Program{Binary: binary, Weights: v.Weights, Unit: u}, lengths, err
}

// onceTraining runs the built program's own measurement of one point.
func (v *Sweep) onceTraining(m *built.Maker, p *built.Program, pt point, what string) (*measure.Result, error) {
	seed := flags.Flag{}
	if v.Weights == "" {
		seed = flags.Value("--random-weights", strconv.FormatUint(v.seed(), 10))
	}
	args := flags.Args(p.WeightsFlag(), seed, flags.Value("--batch", strconv.Itoa(pt.batch)), flags.Value("--lengths", v.Lengths),
		flags.Count("--threads", pt.threads), flags.Value("--isa", pt.isa), flags.Value("--min-time", v.MinTime.String()), flags.Switch("--steps", v.Steps),
		flags.Switch("--json", true))
	if v.Lengths == "" {
		args = append(args, "--tokens", strconv.Itoa(pt.tokens))
	}
	r := measure.Result{Precision: p.Unit.Training.Precision.Compute, Train: p.Unit.Training.Name}
	return &r, v.child(m, p, args, what, &r)
}

// seed is that of the weights of a training: without flags they are drawn too, because a step is only measured.
func (v *Sweep) seed() uint64 {
	if v.Random != nil {
		return *v.Random
	}
	return 1
}

// child runs the verb bench of the built program and reads its result.
func (v *Sweep) child(m *built.Maker, p *built.Program, args []string, what string, r *measure.Result) error {
	cmd := p.Command(m, "bench", args)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, m.Err
	stop := m.Progress(what)
	err := cmd.Run()
	stop()
	if err != nil {
		return m.ChildFault(err)
	}
	type child struct { // in results steps have names, here they have numbers
		*measure.Result
		StepMS []float64 `json:"step_ms"`
	}
	c := child{Result: r}
	if err := json.Unmarshal(out.Bytes(), &c); err != nil {
		return fault.Ours(fmt.Errorf("the built program's result cannot be read: %w", err))
	}
	r.StepMS = c.StepMS
	return nil
}

// sharesOfTraining fills in the rates of a training step. The operations are those of its schedule, and the bytes those of the tensors, the gradients and the
// optimizer's states that its nodes read and write.
func (v *Sweep) sharesOfTraining(p *built.Program, r *measure.Result, limits *machine.Limits) {
	var all measure.Load
	for _, part := range measure.Work(p.Unit.Program, ir.Sizes(*r.Extents)) {
		all.Add(part)
	}
	r.GFLOP, r.Needs = all.FLOPs/1e9, all.FLOPs/1e9
	seconds := r.MinMS / 1e3
	if v.Lengths != "" { // of a pass over the file
		seconds = float64(r.Extents.T) / r.TokensPerS
	}
	r.GFLOPS = r.GFLOP / seconds
	if limits != nil {
		r.PeakShare = limits.Roof(all.FLOPs, all.BF16, 0) / seconds
		r.RooflineShare = limits.Roof(all.FLOPs, all.BF16, all.Bytes) / seconds
	}
}
