package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"runtime"
	"strconv"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/cost"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/cmd/debertac/measure"
	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/runtime/disk"
)

// sweep measures every point, all of them in each round, so that slow changes of the machine's speed meet all alike.
func (v *benchVerb) sweep(a *app, p *program, lengths [][]int) ([]measure.Result, error) {
	points := v.points()
	env := environment(p)
	rounds := make([][]measure.Result, len(points))
	for round := range v.rounds() {
		for i, pt := range points {
			what := "measuring"
			if n := len(points) * v.rounds(); n > 1 {
				what = fmt.Sprintf("measuring %d of %d", round*len(points)+i+1, n)
			}
			r, err := v.once(a, p, pt, lengths[i], round == 0, what)
			if err != nil {
				return nil, err
			}
			rounds[i] = append(rounds[i], *r)
		}
	}
	limits := limitsOf{app: a, known: map[int]*machine.Limits{}}
	var results []measure.Result
	for i := range points {
		r := measure.Join(rounds[i])
		r.Environment = env
		l, err := limits.of(r.Threads)
		if err != nil {
			return nil, err
		}
		if err := v.shares(p, &r, lengths[i], l); err != nil {
			return nil, err
		}
		if v.Steps {
			var roof measure.Roof
			if l != nil {
				roof = l.Roof
			}
			if err := r.Explain(p.unit.Program, roof); err != nil {
				return nil, ours(err)
			}
		} else {
			r.Extents = nil
		}
		results = append(results, r)
	}
	return results, nil
}

// once runs the built program's own measurement of one point. The first round also measures the start and the steps.
func (v *benchVerb) once(a *app, p *program, pt point, lengths []int, first bool, what string) (*measure.Result, error) {
	flops := cost.Flops(p.unit.Model, p.unit.Head, lengths)
	starts := flag{}
	if !first {
		starts = flag{"--starts", "0"}
	}
	args := flags(p.weightsFlag(), flag{"--batch", strconv.Itoa(pt.batch)}, flag{"--tokens", strconv.Itoa(pt.tokens)}, valueFlag("--lengths", v.Lengths),
		intFlag("--threads", pt.threads), boolFlag("--pin", v.Pin), valueFlag("--isa", pt.isa), flag{"--min-time", v.MinTime.String()},
		flag{"--flops", strconv.FormatFloat(flops, 'g', -1, 64)}, starts, boolFlag("--steps", v.Steps && first), valueFlag("--cpuprofile", v.CPUProfile), flag{name: "--json"})
	cmd := p.command(a, "bench", args)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, a.err
	stop := a.progress(what)
	err := cmd.Run()
	stop()
	if err != nil {
		return nil, a.childFault(err)
	}
	type child struct { // the steps have names in results, and numbers here
		measure.Result
		StepMS []float64 `json:"step_ms"`
	}
	c := child{Result: measure.Result{GFLOP: flops / 1e9, Precision: p.unit.Target.Weights.Kind}}
	if err := json.Unmarshal(out.Bytes(), &c); err != nil {
		return nil, ours(fmt.Errorf("the built program's result cannot be read: %w", err))
	}
	c.Result.StepMS = c.StepMS
	return &c.Result, nil
}

// limitsOf measures the machine once for each number of threads.
type limitsOf struct {
	app    *app
	binary string
	known  map[int]*machine.Limits
}

// of returns what the machine reaches with that many threads, nil if it has no instruction set with a peak kernel.
func (l *limitsOf) of(threads int) (*machine.Limits, error) {
	isa := machine.BestISA()
	if isa == "" {
		return nil, nil
	}
	threads = min(threads, runtime.NumCPU()) // more threads reach no more
	if known := l.known[threads]; known != nil {
		return known, nil
	}
	if l.binary == "" {
		var err error
		if l.binary, err = l.app.machineProgram(); err != nil {
			return nil, err
		}
	}
	stop := l.app.progress("measuring this machine")
	limits, err := machine.Measure(l.app.ctx, l.binary, isa, threads)
	stop()
	if err != nil {
		return nil, err
	}
	l.known[threads] = &limits
	return &limits, nil
}

// machineProgram builds the program that measures the machine, or finds it in the cache.
func (a *app) machineProgram() (string, error) {
	files, err := machine.Files()
	if err != nil {
		return "", ours(err)
	}
	return a.cached(cache.Built, "peak-"+digest(files), "program that measures this machine", func(temp string) error { // named by its sources
		g, err := build.FindGo(a.ctx)
		if err != nil {
			return err
		}
		sources, err := disk.TempDir(filepath.Dir(temp), "sources-")
		if err != nil {
			return err
		}
		return machine.Build(a.ctx, g.Path, sources, temp)
	})
}

// shares fills in the rates that refer to the machine. Weights that every call reads count as read from memory, but for the token table, of
// which a call reads one row per token.
func (v *benchVerb) shares(p *program, r *measure.Result, lengths []int, limits *machine.Limits) error {
	if limits == nil {
		return nil
	}
	st, err := disk.Stat(p.weights)
	if err != nil {
		return err
	}
	table := float64(p.unit.Model.Vocab) * float64(p.unit.Model.Embed.Width) * 4
	calls := 1.0
	if v.Lengths != "" {
		calls = float64((len(lengths) + r.Batch - 1) / r.Batch)
	} else {
		// The peak is the best that the machine did, so it is compared with the best call; calls of different lengths have no best.
		r.GFLOPS = r.GFLOP / r.MinMS * 1e3
	}
	seconds := r.GFLOP / r.GFLOPS // of a call, or of a pass
	r.Needs = cost.Needed(p.unit.Model, p.unit.Head, lengths) / 1e9
	r.PeakShare = r.Needs / seconds / limits.GFLOPS
	r.RooflineShare = limits.Roof(r.Needs*1e9, calls*max(float64(st.Size())-table, 0)) / seconds
	return nil
}
