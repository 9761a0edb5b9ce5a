package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/cost"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/codegen/build"
)

type benchVerb struct {
	Path   string `arg:"" help:"A spec, or a Hugging Face model folder."`
	Target string `placeholder:"NAME" help:"Which target of the spec; default the first."`
	wishes
	Batch     int           `default:"1" help:"Sequences a call."`
	Tokens    *int          `placeholder:"128" help:"Tokens a sequence."`
	Lengths   string        `placeholder:"FILE" help:"Take the lengths of the sequences from a file of numbers instead."`
	Threads   int           `placeholder:"N" help:"Threads of a call; default the physical cores."`
	Pin       bool          `help:"Bind threads to cores (Linux): steadier beside other busy programs."`
	Precision string        `enum:",f32,bf16,int8" default:"" placeholder:"f32|bf16|int8" help:"The precision that is expected; it is the target's weights line that decides."`
	ISA       string        `name:"isa" placeholder:"SET" help:"Force an instruction set: go, avx2, avx512."`
	Weights   string        `placeholder:"FILE" help:"Packed weights."`
	Random    *uint64       `name:"random-weights" placeholder:"SEED" help:"Draw the weights; they are kept in the cache by spec and seed."`
	MinTime   time.Duration `default:"2s" help:"Measure for at least so long, after warming up."`
	Train     bool          `help:"Measure a training step."`
	Against   string        `placeholder:"FILE" help:"Compare with earlier results (--json); exit with 3 if this is slower."`
	Tolerance *float64      `placeholder:"PERCENT" help:"With --against: how much slower is still the same; default 10."`
	JSON      bool          `name:"json" help:"One JSON object."`
}

// Help is the long help.
func (benchVerb) Help() string {
	return `Measures forward calls in a fresh process of the built program: latency, throughput, arithmetic, allocations, memory, and the
time from its start to its first result. GFLOP/s count the useful operations of the spec, the same whatever an
implementation computes or leaves out, divided by the shortest latency (with --lengths: by the mean). The shares of the peak
and of the roofline compare them with what this machine reached in the same run. A spec without weights needs
--random-weights.

Examples:
  debertac bench ~/models/spam --batch 8 --tokens 128 --threads 2
  debertac bench base.dspec --random-weights 1 --json > before.json
  debertac bench base.dspec --random-weights 1 --against before.json`
}

// measured is one result. The first fields come from the built program.
type measured struct {
	Batch         int     `json:"batch"`
	Tokens        float64 `json:"tokens"`
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
	PeakShare     float64 `json:"peak_share,omitempty"`     // of the multiply-adds that this machine reached; absent if it cannot be measured here
	RooflineShare float64 `json:"roofline_share,omitempty"` // of the time that arithmetic or reading the weights needs at least
	Allocs        float64 `json:"allocs"`
	RSSMiB        float64 `json:"rss_mib"`
	WeightsRSSMiB float64 `json:"weights_rss_mib"` // of it, the mapped weights
	StartMS       float64 `json:"start_ms"`

	Model string  `json:"model"`
	Calls int     `json:"calls"`
	GFLOP float64 `json:"gflop"`        // useful operations of a call; with lengths, of a pass
	Needs float64 `json:"gflop_needed"` // those without the rows of the last layer that nobody reads, of which the shares are taken
}

// Run measures.
func (v *benchVerb) Run(a *app) error {
	if v.Train {
		return inputFault("debertac", "this version measures forward calls only: training is not compiled yet")
	}
	switch {
	case v.Tokens != nil && v.Lengths != "":
		return usage("give one of them", "--tokens and --lengths contradict each other")
	case v.Tolerance != nil && v.Against == "":
		return usage("debertac bench --help", "--tolerance belongs to --against")
	}
	if v.Batch < 1 || v.tokens() < 1 || v.MinTime <= 0 || !(v.tolerance() >= 0) { // not a number is no tolerance either
		return usage("debertac bench --help", "--batch, --tokens and --min-time must be positive, --tolerance not negative")
	}
	if err := checkISA(v.ISA); err != nil {
		return err
	}
	var before []measured
	if v.Against != "" {
		var err error
		if before, err = readMeasured(v.Against); err != nil {
			return err
		}
	}
	p, err := a.program(v.Path, programOptions{wishes: v.wishes, target: v.Target, weights: v.Weights, seed: v.Random, draws: true})
	if err != nil {
		return err
	}
	if got := p.unit.Target.Weights.Kind; v.Precision != "" && v.Precision != got {
		return inputFault(p.unit.Program.File, "the target's weights are %s, not %s", got, v.Precision).hint("write weights %s in the target", v.Precision)
	}
	lengths, err := v.lengths()
	if err != nil {
		return err
	}
	m, err := v.measure(a, p, cost.Flops(p.unit.Model, p.unit.Head, lengths))
	if err != nil {
		return err
	}
	if err := v.limits(a, p, m, lengths); err != nil {
		return err
	}
	if v.JSON {
		err = json.NewEncoder(a.out).Encode(m)
	} else {
		err = m.print(a)
	}
	if err != nil || v.Against == "" {
		return err
	}
	return v.compare(a, before, m)
}

// tokens is the length of the sequences without --lengths.
func (v *benchVerb) tokens() int {
	if v.Tokens == nil {
		return 128
	}
	return *v.Tokens
}

// tolerance is how much slower than before is still the same, in per cent.
func (v *benchVerb) tolerance() float64 {
	if v.Tolerance == nil {
		return 10
	}
	return *v.Tolerance
}

// lengths lists the sequences of one call, or of one pass over the file.
func (v *benchVerb) lengths() ([]int, error) {
	if v.Lengths == "" {
		return slices.Repeat([]int{v.tokens()}, v.Batch), nil
	}
	text, err := os.ReadFile(v.Lengths)
	if err != nil {
		return nil, err
	}
	var list []int
	for i, line := range strings.Split(string(text), "\n") {
		for _, word := range strings.Fields(line) {
			n, err := strconv.Atoi(word)
			if err != nil || n < 1 {
				return nil, inputFault(fmt.Sprintf("%s:%d", v.Lengths, i+1), "%q is no number of tokens", word)
			}
			list = append(list, n)
		}
	}
	if len(list) == 0 {
		return nil, inputFault(v.Lengths, "it holds no lengths")
	}
	return list, nil
}

// measure runs the built program's own measurement.
func (v *benchVerb) measure(a *app, p *program, flops float64) (*measured, error) {
	args := flags(p.weightsFlag(), flag{"--batch", strconv.Itoa(v.Batch)}, flag{"--tokens", strconv.Itoa(v.tokens())}, valueFlag("--lengths", v.Lengths),
		intFlag("--threads", v.Threads), boolFlag("--pin", v.Pin), valueFlag("--isa", v.ISA), flag{"--min-time", v.MinTime.String()},
		flag{"--flops", strconv.FormatFloat(flops, 'g', -1, 64)}, flag{name: "--json"})
	cmd := p.command(a, "bench", args)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, a.err
	stop := a.progress("measuring")
	err := cmd.Run()
	stop()
	if err != nil {
		return nil, a.childFault(err)
	}
	m := &measured{GFLOP: flops / 1e9, Precision: p.unit.Target.Weights.Kind}
	if err := json.Unmarshal(out.Bytes(), m); err != nil {
		return nil, ours(fmt.Errorf("the built program's result cannot be read: %w", err))
	}
	return m, nil
}

// limits measures the machine with as many threads and fills in the shares. Weights that every call reads count as read from memory, but for
// the token table, of which a call reads a row a token.
func (v *benchVerb) limits(a *app, p *program, m *measured, lengths []int) error {
	isa := machine.BestISA()
	if isa == "" {
		return nil
	}
	key, err := a.machineKey()
	if err != nil {
		return err
	}
	binary, err := a.cached(cache.Built, "peak-"+key, "program that measures this machine", func(temp string) error {
		g, err := build.FindGo(a.ctx)
		if err != nil {
			return err
		}
		sources, err := os.MkdirTemp(filepath.Dir(temp), "sources-")
		if err != nil {
			return err
		}
		return machine.Build(a.ctx, g.Path, sources, temp)
	})
	if err != nil {
		return err
	}
	stop := a.progress("measuring this machine")
	limits, err := machine.Measure(a.ctx, binary, isa, min(m.Threads, runtime.NumCPU())) // more threads reach no more
	stop()
	if err != nil {
		return err
	}
	st, err := os.Stat(p.weights)
	if err != nil {
		return err
	}
	table := float64(p.unit.Model.Vocab) * float64(p.unit.Model.Embed.Width) * 4
	calls := 1.0
	if v.Lengths != "" {
		calls = float64((len(lengths) + v.Batch - 1) / v.Batch)
	}
	if v.Lengths == "" {
		// The peak is the best that the machine did, so it is compared with the best call; calls of different lengths have no best.
		m.GFLOPS = m.GFLOP / m.MinMS * 1e3
	}
	seconds := m.GFLOP / m.GFLOPS // of a call, or of a pass
	m.Needs = cost.Needed(p.unit.Model, p.unit.Head, lengths) / 1e9
	m.PeakShare = m.Needs / seconds / limits.GFLOPS
	m.RooflineShare = limits.Roof(m.Needs*1e9, calls*max(float64(st.Size())-table, 0)) / seconds
	return nil
}

// machineKey identifies the measuring program by its sources.
func (a *app) machineKey() (string, error) {
	files, err := machine.Files()
	if err != nil {
		return "", ours(err)
	}
	return digest(files), nil
}

// print writes the result for people.
func (m *measured) print(a *app) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "  %-13s "+format+"\n", append([]any{name}, args...)...)
	}
	fmt.Fprintf(&b, "%s: %d × %.4g tokens a call, %d threads, %s, %s, %d calls\n", m.Model, m.Batch, m.Tokens, m.Threads, m.ISA, m.Precision, m.Calls)
	line("latency", "min %.3f ms, p50 %.3f ms, p90 %.3f ms, p99 %.3f ms", m.MinMS, m.P50MS, m.P90MS, m.P99MS)
	line("throughput", "%.0f tokens/s, %.1f sequences/s", m.TokensPerS, m.SequencesPerS)
	line("arithmetic", "%.1f GFLOP/s of %.3g useful GFLOP", m.GFLOPS, m.GFLOP)
	if m.PeakShare > 0 {
		line("", "%.0f %% of this machine's peak, %.0f %% of its roofline (%.3g GFLOP are needed)", 100*m.PeakShare, 100*m.RooflineShare, m.Needs)
	}
	line("allocations", "%.4g a call", m.Allocs)
	line("peak memory", "%.1f MiB, of it %.1f MiB the mapped weights", m.RSSMiB, m.WeightsRSSMiB)
	line("first result", "%.1f ms from start", m.StartMS)
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

// readMeasured reads earlier results, one JSON object a line.
func readMeasured(path string) ([]measured, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []measured
	d := json.NewDecoder(bytes.NewReader(text))
	for d.More() {
		var m measured
		if err := d.Decode(&m); err != nil {
			return nil, inputFault(path, "it does not hold results of debertac bench --json: %v", err)
		}
		list = append(list, m)
	}
	return list, nil
}

// same reports whether two results are of the same work under the same conditions.
func (m *measured) same(o *measured) bool {
	return m.Model == o.Model && m.Batch == o.Batch && m.Tokens == o.Tokens && m.Lengths == o.Lengths && m.Threads == o.Threads &&
		m.Precision == o.Precision && m.ISA == o.ISA
}

// compare holds the shortest latency to the best earlier one of the same work.
func (v *benchVerb) compare(a *app, before []measured, now *measured) error {
	best := 0.0
	for i := range before {
		if before[i].same(now) && (best == 0 || before[i].MinMS < best) {
			best = before[i].MinMS
		}
	}
	if best == 0 {
		return inputFault(v.Against, "it has no result of %s with %d × %.4g tokens, %d threads, %s, %s", now.Model, now.Batch, now.Tokens, now.Threads, now.Precision, now.ISA)
	}
	change := 100 * (now.MinMS/best - 1)
	a.note("shortest call: %.3f ms before, %.3f ms now (%+.1f %%, %.4g %% are tolerated)", best, now.MinMS, change, v.tolerance())
	if change > v.tolerance() {
		return notHeld()
	}
	return nil
}
