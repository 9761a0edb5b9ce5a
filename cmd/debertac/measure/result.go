// Package measure handles the measurements of debertac bench: it joins the rounds of a point, writes results in several formats, draws sweeps, and
// compares results with earlier ones.
package measure

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	goruntime "runtime"
	"slices"
	"strings"
	"time"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
)

// Result is one point of a sweep: a model, a shape of the batch, threads and an instruction set. Times are milliseconds per call. With several
// rounds, min_ms is the shortest call of all of them, the other times are medians of the rounds' values, and rates follow from these.
type Result struct {
	Batch         int     `json:"batch"`  // sequences per call
	Tokens        float64 `json:"tokens"` // per sequence; the mean where lengths differ
	Lengths       string  `json:"lengths,omitempty"`
	Threads       int     `json:"threads"`
	Precision     string  `json:"precision"`
	ISA           string  `json:"isa"`
	MinMS         float64 `json:"min_ms"`
	P50MS         float64 `json:"p50_ms"`
	P90MS         float64 `json:"p90_ms"`
	P99MS         float64 `json:"p99_ms"`
	TokensPerS    float64 `json:"tokens_per_s"`
	SequencesPerS float64 `json:"sequences_per_s"`
	GFLOPS        float64 `json:"gflops"`
	PeakShare     float64 `json:"peak_share,omitempty"`     // of the rate of multiply-adds that this machine reached; missing if it cannot be measured here
	RooflineShare float64 `json:"roofline_share,omitempty"` // the shortest time for arithmetic or for reading the weights, divided by the time of the call
	Allocs        float64 `json:"allocs"`                   // per call
	RSSMiB        float64 `json:"rss_mib"`                  // peak of the process
	WeightsRSSMiB float64 `json:"weights_rss_mib"`          // the part of RSSMiB that is mapped weights
	StartMS       float64 `json:"start_ms"`                 // from exec to the first result

	Train       string  `json:"train,omitempty"` // of a training step: its name; a call is a step then
	ForwardMS   float64 `json:"forward_ms,omitempty"`
	BackwardMS  float64 `json:"backward_ms,omitempty"`
	OptimizerMS float64 `json:"optimizer_ms,omitempty"`

	Model string  `json:"model"`
	Calls int     `json:"calls"`        // calls that were measured in all rounds
	GFLOP float64 `json:"gflop"`        // useful operations of a call; with lengths, of a pass
	Needs float64 `json:"gflop_needed"` // without the rows of the last layer that nothing reads; the shares refer to this count

	Rounds      int       `json:"rounds,omitempty"`       // processes that measured, one after the other
	RoundsMS    []float64 `json:"rounds_ms,omitempty"`    // the median of each round
	DeviationMS float64   `json:"deviation_ms,omitempty"` // standard deviation of RoundsMS; 0 for one round

	Environment

	StepMS    []float64     `json:"-"` // times of the steps in the first round, in the order of the schedule
	BetweenMS float64       `json:"between_ms,omitempty"`
	Steps     []Step        `json:"steps,omitempty"`
	Layers    []Layer       `json:"layers,omitempty"`
	Extents   *engine.Sizes `json:"extents,omitempty"` // of a call; the costs of its steps follow from these
}

// Environment describes what a figure depends on besides the model and the point.
type Environment struct {
	Machine  *Machine `json:"machine,omitempty"`
	Go       string   `json:"go,omitempty"`          // toolchain that built the measured program
	Debertac string   `json:"debertac,omitempty"`    // version of the compiler, with the revision if it is known
	SpecHash string   `json:"spec_sha256,omitempty"` // of the canonical spec
	Time     string   `json:"time,omitempty"`        // RFC 3339, when the measurement began
}

// Machine identifies a kind of machine.
type Machine struct {
	CPU     string      `json:"cpu"` // as the system names it
	Arch    string      `json:"arch"`
	OS      string      `json:"os"`
	Logical int         `json:"logical"` // logical processors that the process may use
	Caches  []cpu.Cache `json:"caches,omitempty"`
}

// ThisMachine describes the machine that the process runs on.
func ThisMachine() *Machine {
	c := cpu.Describe()
	return &Machine{CPU: c.Model, Arch: c.Arch, OS: goruntime.GOOS, Logical: c.Logical, Caches: c.Caches}
}

// difference describes the first difference between two machines, or returns "". An unknown machine counts as a difference.
func (m *Machine) difference(here *Machine) string {
	switch {
	case m == nil:
		return "the earlier results do not name the machine that they were measured on"
	case m.CPU != here.CPU:
		return fmt.Sprintf("the processor was %q, here it is %q", m.CPU, here.CPU)
	case m.Arch != here.Arch || m.OS != here.OS:
		return fmt.Sprintf("the platform was %s/%s, here it is %s/%s", m.OS, m.Arch, here.OS, here.Arch)
	case m.Logical != here.Logical:
		return fmt.Sprintf("%d processors could be used, here it is %d", m.Logical, here.Logical)
	case !slices.Equal(m.Caches, here.Caches):
		return "the caches are not the same"
	}
	return ""
}

// Join makes one result of the rounds of a point. The first round carries what is measured once: the start-up time and the steps.
func Join(rounds []Result) Result {
	r := rounds[0]
	pick := func(f func(*Result) float64) []float64 {
		list := make([]float64, len(rounds))
		for i := range rounds {
			list[i] = f(&rounds[i])
		}
		return list
	}
	medians := pick(func(r *Result) float64 { return r.P50MS })
	r.MinMS = slices.Min(pick(func(r *Result) float64 { return r.MinMS }))
	r.P50MS = Median(medians)
	r.P90MS = Median(pick(func(r *Result) float64 { return r.P90MS }))
	r.P99MS = Median(pick(func(r *Result) float64 { return r.P99MS }))
	r.TokensPerS = Median(pick(func(r *Result) float64 { return r.TokensPerS }))
	r.SequencesPerS = Median(pick(func(r *Result) float64 { return r.SequencesPerS }))
	r.GFLOPS = Median(pick(func(r *Result) float64 { return r.GFLOPS }))
	r.ForwardMS = Median(pick(func(r *Result) float64 { return r.ForwardMS }))
	r.BackwardMS = Median(pick(func(r *Result) float64 { return r.BackwardMS }))
	r.OptimizerMS = Median(pick(func(r *Result) float64 { return r.OptimizerMS }))
	r.Allocs = Median(pick(func(r *Result) float64 { return r.Allocs }))
	r.RSSMiB = slices.Max(pick(func(r *Result) float64 { return r.RSSMiB }))
	r.WeightsRSSMiB = slices.Max(pick(func(r *Result) float64 { return r.WeightsRSSMiB }))
	r.Calls = 0
	for i := range rounds {
		r.Calls += rounds[i].Calls
	}
	r.Rounds, r.RoundsMS, r.DeviationMS = len(rounds), medians, deviation(medians)
	return r
}

// Median returns the middle value of a list, or the mean of the two in the middle. The list must not be empty.
func Median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	if n := len(s); n%2 == 0 {
		return (s[n/2-1] + s[n/2]) / 2
	}
	return s[len(s)/2]
}

// deviation returns the sample standard deviation, 0 for fewer than two values.
func deviation(list []float64) float64 {
	n := float64(len(list))
	if n < 2 {
		return 0
	}
	mean, sum := 0.0, 0.0
	for _, x := range list {
		mean += x / n
	}
	for _, x := range list {
		sum += (x - mean) * (x - mean)
	}
	return math.Sqrt(sum / (n - 1))
}

// Read reads results in the form of --json: one JSON object after another. If an object is not a result, or has values that no measurement can have,
// the error has its line.
func Read(text []byte) ([]Result, error) {
	var list []Result
	d := json.NewDecoder(bytes.NewReader(text))
	for d.More() {
		start := d.InputOffset()
		var r Result
		var raw json.RawMessage
		err := d.Decode(&raw)
		if err == nil {
			err = json.Unmarshal(raw, &r)
		}
		if err == nil && (r.Model == "" || r.ISA == "" || !(r.MinMS > 0)) {
			err = fmt.Errorf("an object without model, isa or min_ms")
		}
		what := "not a result of debertac bench --json"
		if err == nil {
			what, err = "a damaged result", damage(raw, &r)
		}
		if err != nil {
			rest := text[start:]
			line := 1 + strings.Count(string(text[:start]), "\n") + strings.Count(string(rest[:len(rest)-len(bytes.TrimLeft(rest, " \t\r\n"))]), "\n")
			return nil, fmt.Errorf("line %d: %s: %s", line, what, plain(err))
		}
		if r.P50MS == 0 {
			r.P50MS = r.MinMS
		}
		list = append(list, r)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("it holds no results of debertac bench --json")
	}
	return list, nil
}

// plain writes an error of encoding/json without the names of Go types.
func plain(err error) string {
	if t, ok := err.(*json.UnmarshalTypeError); ok {
		if t.Field == "" {
			return fmt.Sprintf("a JSON %s, want an object", t.Value)
		}
		return fmt.Sprintf("%s is a JSON %s", t.Field, t.Value)
	}
	return err.Error()
}

// Now returns the current time in the form that results have.
func Now() string { return time.Now().UTC().Format(time.RFC3339) }

// point describes the point of a result for messages.
func (r *Result) point() string {
	tokens := fmt.Sprintf("%d × %.4g tokens", r.Batch, r.Tokens)
	if r.Lengths != "" {
		tokens = fmt.Sprintf("the lengths of %s, %d per call", r.Lengths, r.Batch)
	}
	if r.Train != "" {
		tokens += ", training " + r.Train
	}
	return fmt.Sprintf("%s with %s, threads %d, %s, %s", r.Model, tokens, r.Threads, r.Precision, r.ISA)
}
