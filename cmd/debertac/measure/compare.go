package measure

import (
	"fmt"
	"math"
	"slices"

	"golang.org/x/perf/benchmath"
)

// confidence is the level of the intervals that Compare reports.
const confidence = 0.95

// RoundsForInterval is the smallest number of rounds for which a median has an interval of 95 %. All of n independent values lie on the same side of
// the true median with probability 2·2⁻ⁿ, which is below 5 % for n >= 6.
const RoundsForInterval = 6

// Comparison compares a result with an earlier one of the same point.
type Comparison struct {
	Before, Now benchmath.Summary // medians of the rounds with their intervals, in ms
	Rounds      [2]int            // before and now
	Change      float64           // of the medians: 0.1 is 10 % slower
	Low, High   float64           // the change between the nearest and the farthest ends of the two intervals; infinite if a side has too few rounds
}

// Allow lists what Compare does not refuse.
type Allow struct {
	Machine bool // results of another machine, or of an unknown one
	Spec    bool // results of another spec, or of an unknown one
}

// Compare finds the earlier results of now's point and compares medians. It refuses results of another machine (*MachineError) or another spec
// (*SpecError) unless they are allowed, and a point that was not measured before.
func Compare(before []Result, now *Result, allow Allow) (*Comparison, error) {
	var rounds []float64
	for i := range before {
		b := &before[i]
		if !b.samePoint(now) {
			continue
		}
		if b.SpecHash != now.SpecHash && !allow.Spec {
			return nil, &SpecError{b.SpecHash, now.SpecHash}
		}
		if why := b.Machine.difference(now.Machine); why != "" && !allow.Machine {
			return nil, &MachineError{why}
		}
		if len(b.RoundsMS) > 0 {
			rounds = append(rounds, b.RoundsMS...)
		} else {
			rounds = append(rounds, b.P50MS)
		}
	}
	if rounds == nil {
		return nil, fmt.Errorf("it has no result of %s", now.point())
	}
	sample := func(values []float64) *benchmath.Sample {
		return benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
	}
	c := &Comparison{Rounds: [2]int{len(rounds), len(now.RoundsMS)}}
	c.Before = benchmath.AssumeNothing.Summary(sample(rounds), confidence)
	c.Now = benchmath.AssumeNothing.Summary(sample(now.RoundsMS), confidence)
	c.Change = c.Now.Center/c.Before.Center - 1
	c.Low, c.High = c.Now.Lo/c.Before.Hi-1, c.Now.Hi/c.Before.Lo-1
	if min(c.Rounds[0], c.Rounds[1]) < RoundsForInterval {
		c.Low, c.High = math.Inf(-1), math.Inf(1)
	}
	return c, nil
}

// MachineError reports why results of two machines are not compared.
type MachineError struct{ Why string }

func (e *MachineError) Error() string { return "it is of another machine: " + e.Why }

// SpecError reports that results of two specs are not compared. It has the hashes of their canonical texts; Before is empty if it is not known.
type SpecError struct{ Before, Now string }

func (e *SpecError) Error() string {
	if e.Before == "" {
		return "it does not name its spec: spec_sha256 is missing"
	}
	return fmt.Sprintf("it is of another spec: spec_sha256 was %.12s, now it is %.12s", e.Before, e.Now)
}

// samePoint reports whether two results are of the same work under the same conditions.
func (r *Result) samePoint(o *Result) bool {
	return r.Model == o.Model && r.Batch == o.Batch && r.Tokens == o.Tokens && r.Lengths == o.Lengths && r.Threads == o.Threads &&
		r.Precision == o.Precision && r.ISA == o.ISA && r.Train == o.Train
}

// Slower reports whether now is slower than before by more than the tolerance (0.1: 10 %). With enough rounds, even the most favourable end of the
// interval must be slower by more; with fewer, the medians decide.
func (c *Comparison) Slower(tolerance float64) bool {
	if math.IsInf(c.Low, 0) {
		return c.Change > tolerance
	}
	return c.Low > tolerance
}

// String describes the comparison in one line.
func (c *Comparison) String() string {
	s := fmt.Sprintf("median %.3f ms before, %.3f ms now, %+.1f %%", c.Before.Center, c.Now.Center, 100*c.Change)
	if math.IsInf(c.Low, 0) {
		return s + fmt.Sprintf(" (%d and %d rounds; an interval needs %d of each: --repeat %[3]d)", c.Rounds[0], c.Rounds[1], RoundsForInterval)
	}
	return s + fmt.Sprintf(" (95 %% interval %+.1f to %+.1f %%, %d and %d rounds)", 100*c.Low, 100*c.High, c.Rounds[0], c.Rounds[1])
}
