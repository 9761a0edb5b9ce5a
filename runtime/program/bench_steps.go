package program

import (
	"context"
	"fmt"
	"runtime/pprof"
	"slices"
	"time"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/gauge"
)

// benchSteps holds the times of the steps of the schedule. The program does not know the names and costs of the steps; the compiler does.
type benchSteps struct {
	StepMS    []float64     `json:"step_ms,omitempty"`    // median time of each step of a pass, in the order of the schedule
	BetweenMS float64       `json:"between_ms,omitempty"` // median time of a pass that is not part of any step
	Extents   *engine.Sizes `json:"extents,omitempty"`    // sizes of a pass, from which the costs of steps follow: with --lengths, the sum over its calls
}

// measureSteps runs passes that report the time of each step. Latency is measured in other passes, because reading the clock around each step
// takes time too.
func (b *benchFlags) measureSteps(ctx context.Context, core *engine.Core, calls []engine.Call) (benchSteps, error) {
	var samples [][]time.Duration // for each step, its time in each pass
	var between []time.Duration
	var steps []time.Duration
	out := benchSteps{Extents: &engine.Sizes{}}
	for i := range calls {
		calls[i].Steps = &steps
		out.Extents.Add(calls[i].Batch.Sizes())
	}
	defer func() {
		for i := range calls {
			calls[i].Steps = nil
		}
	}()
	begin := time.Now()
	for passes := 0; passes < leastCalls || time.Since(begin) < b.minTime; passes++ {
		var pass []time.Duration
		var rest time.Duration
		for _, c := range calls {
			start := time.Now()
			if err := core.Run(ctx, c); err != nil {
				return out, err
			}
			rest += time.Since(start)
			if pass == nil {
				pass = make([]time.Duration, len(steps))
			}
			if len(steps) != len(pass) {
				return out, fmt.Errorf("a call had %d steps and the next one %d", len(pass), len(steps))
			}
			for i, d := range steps {
				pass[i] += d
				rest -= d
			}
		}
		if samples == nil {
			samples = make([][]time.Duration, len(pass))
		}
		for i, d := range pass {
			samples[i] = append(samples[i], d)
		}
		between = append(between, rest)
		if passes >= leastCalls && len(between)*len(samples) >= mostSamples {
			break
		}
	}
	for _, s := range samples {
		slices.Sort(s)
		out.StepMS = append(out.StepMS, gauge.MS(gauge.Quantile(s, 0.5)))
	}
	slices.Sort(between)
	out.BetweenMS = gauge.MS(gauge.Quantile(between, 0.5))
	return out, nil
}

// startProfile starts the CPU profile that --cpuprofile asks for. The returned function ends the profile and keeps or discards its file. Calling
// this function again does nothing.
func (b *benchFlags) startProfile() (end func(keep bool) error, err error) {
	if b.profile == "" {
		return func(bool) error { return nil }, nil
	}
	f, err := disk.Create(b.profile, 0o666)
	if err != nil {
		return nil, faulty("", "--cpuprofile: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Discard()
		return nil, err
	}
	ended := false
	return func(keep bool) error {
		if ended {
			return nil
		}
		ended = true
		pprof.StopCPUProfile()
		if !keep {
			f.Discard()
			return nil
		}
		return f.Commit()
	}, nil
}
