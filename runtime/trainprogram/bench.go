package trainprogram

import (
	"context"
	"flag"
	"fmt"
	"math"
	goruntime "runtime"
	"runtime/debug"
	"slices"
	"time"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/gauge"
	"github.com/debertac/debertac/runtime/trainer"
)

// benchFlags holds the flags of the verb bench.
type benchFlags struct {
	openFlags
	fs            *flag.FlagSet
	batch, tokens int
	lengths       string
	data          uint64
	minTime       time.Duration
	flops         float64
	steps, asJSON bool
}

func (h held) newBench(fs *flag.FlagSet) command.Action {
	b := benchFlags{openFlags: openFlags{held: h}, fs: fs}
	b.register(fs)
	fs.IntVar(&b.batch, "batch", 8, "`N` sequences per step; without the flag at most the limit of a step")
	fs.IntVar(&b.tokens, "tokens", 128, "`N` tokens per sequence; without the flag at most the limit of a sequence")
	fs.StringVar(&b.lengths, "lengths", "", "instead of --tokens: take the lengths of the sequences from a `FILE` of numbers, --batch of them per step; "+
		"whole passes over the file are measured")
	fs.DurationVar(&b.minTime, "min-time", 2*time.Second, "measure for at least this `TIME`, after warming up")
	fs.Uint64Var(&b.data, "seed", 1, "`SEED` of the random token ids and targets")
	fs.Float64Var(&b.flops, "flops", 0, "floating-point operations of one step, or with --lengths of one pass over the file, to print GFLOP/s: `COUNT`")
	fs.BoolVar(&b.steps, "steps", false, "print the time of each node of the schedule too")
	fs.BoolVar(&b.asJSON, "json", false, "print a JSON object")
	return b.run
}

// benchRow is the result. Times are per step.
type benchRow struct {
	Model              string  `json:"model"`
	Batch              int     `json:"batch"`             // sequences per step
	Tokens             float64 `json:"tokens"`            // tokens per sequence; the mean, if lengths differ
	Lengths            string  `json:"lengths,omitempty"` // file
	Threads            int     `json:"threads"`
	ISA                string  `json:"isa"`
	Calls              int     `json:"calls"` // steps that were measured
	MinMS              float64 `json:"min_ms"`
	P50MS              float64 `json:"p50_ms"`
	P90MS              float64 `json:"p90_ms"`
	P99MS              float64 `json:"p99_ms"`
	ForwardMS          float64 `json:"forward_ms"`   // median; the three parts do not hold the time between nodes
	BackwardMS         float64 `json:"backward_ms"`  // median
	OptimizerMS        float64 `json:"optimizer_ms"` // median
	TokensPerSecond    float64 `json:"tokens_per_s"`
	SequencesPerSecond float64 `json:"sequences_per_s"`
	GFLOPS             float64 `json:"gflops,omitempty"`
	Allocs             float64 `json:"allocs"`            // allocations of memory per step
	RSSMiB             float64 `json:"rss_mib,omitempty"` // peak of the process while measuring
	benchSteps
}

// benchSteps holds the times of the nodes of the schedule. The program does not know the names and costs of the nodes; the compiler does.
type benchSteps struct {
	StepMS    []float64     `json:"step_ms,omitempty"`    // median time of each node of a step, or of a pass over the file of lengths
	BetweenMS float64       `json:"between_ms,omitempty"` // median time that is not part of any node
	Extents   *engine.Sizes `json:"extents,omitempty"`    // sizes of a step, from which the costs of nodes follow; with --lengths, the sum over its steps
}

func (b *benchFlags) checkFlags() error {
	switch {
	case b.batch < 1:
		return command.Usage("--batch %d: it must be at least 1", b.batch)
	case b.tokens < 1:
		return command.Usage("--tokens %d: it must be at least 1", b.tokens)
	case b.minTime <= 0:
		return command.Usage("--min-time %v: it must be positive", b.minTime)
	case b.flops < 0 || math.IsNaN(b.flops) || math.IsInf(b.flops, 0):
		return command.Usage("--flops %v: it must be a count", b.flops)
	}
	return nil
}

func (b *benchFlags) run(ctx context.Context, s *command.Session, _ []string) error {
	if err := b.checkFlags(); err != nil {
		return err
	}
	if b.weights == "" && b.draw == nil {
		b.draw = new(uint64)
	}
	if b.total == 0 {
		b.total = manySteps
	}
	m, err := b.training()
	if err != nil {
		return err
	}
	t, err := b.open(m)
	if err != nil {
		return err
	}
	defer t.Close()
	command.LowerDefault(b.fs, "batch", &b.batch, m.Program.Limits.BatchSequences)
	command.LowerDefault(b.fs, "tokens", &b.tokens, m.Program.Limits.SequenceTokens)
	batches, err := b.batches(m.Program)
	if err != nil {
		return err
	}
	o := t.Options()
	row := benchRow{Model: m.Name, Batch: b.batch, Lengths: b.lengths, Threads: o.Threads, ISA: o.ISA}
	r := &measurement{benchFlags: b, ctx: ctx, t: t, program: m.Program, batches: batches}
	if err := r.measure(&row); err != nil {
		return err
	}
	if !b.steps {
		row.benchSteps = benchSteps{Extents: row.Extents}
	}
	if b.asJSON {
		return command.PrintJSON(s.Out, row)
	}
	row.print(s)
	return nil
}

// manySteps is the length of the training whose learning rates a measurement has, unless --total-steps says otherwise: more steps than are measured.
const manySteps = 1 << 20

// batches makes the batches of one pass: one, or with --lengths the sequences of the file, --batch of them per step.
func (b *benchFlags) batches(p *trainer.Program) (list []*trainer.Batch, err error) {
	l := p.Limits
	switch { // before memory of such a size is allocated
	case b.batch > l.BatchSequences:
		return nil, command.Usage("--batch %d: the limit of a step is %d sequences", b.batch, l.BatchSequences)
	case b.lengths == "" && b.tokens > l.SequenceTokens:
		return nil, command.Usage("--tokens %d: the limit of a sequence is %d tokens", b.tokens, l.SequenceTokens)
	case b.lengths == "" && b.batch*b.tokens > l.BatchTokens:
		return nil, command.Usage("--batch %d --tokens %d: the limit of a step is %d tokens", b.batch, b.tokens, l.BatchTokens)
	}
	lengths := slices.Repeat([]int{b.tokens}, b.batch)
	if b.lengths != "" {
		if lengths, err = gauge.ReadLengths(b.lengths, l.SequenceTokens); err != nil {
			return nil, err
		}
	}
	for part := range slices.Chunk(lengths, b.batch) {
		batch, err := p.RandomBatch(part, b.data+uint64(len(list)))
		if err != nil {
			return nil, command.Faulty(b.lengths, "%w", err)
		}
		list = append(list, batch)
	}
	return list, nil
}

// measurement is a run of the verb.
type measurement struct {
	*benchFlags
	ctx     context.Context
	t       *trainer.Trainer
	program *trainer.Program
	batches []*trainer.Batch

	durations []time.Duration    // of the nodes of the step that runs
	steps     []time.Duration    // whole steps
	parts     [3][]time.Duration // forward pass, backward pass, optimizer
	nodes     [][]time.Duration  // by node: its time in each pass over the batches
	between   []time.Duration
	sums      []time.Duration // of the nodes, in the pass that runs
}

// The warm-up brings tensors into memory and caches, grows the arena, and lets the processor reach its clock.
const (
	leastPasses = 3
	mostPasses  = 1 << 16
)

// measure runs passes over the batches and fills in the row.
func (r *measurement) measure(row *benchRow) error {
	tokens, sequences := 0, 0
	row.Extents = &engine.Sizes{}
	for _, b := range r.batches {
		tokens += b.Tokens()
		sequences += b.Sequences()
		row.Extents.Add(b.Sizes())
	}
	row.Tokens = float64(tokens) / float64(sequences)
	debug.FreeOSMemory() // what reading or drawing the tensors has left is no part of a step
	gauge.ResetPeakRSS()
	warm := time.Now()
	for _, b := range r.batches {
		if _, err := r.t.Timed(r.ctx, b, &r.durations); err != nil {
			return err
		}
	}
	expect := r.room(time.Since(warm))
	var before, after goruntime.MemStats
	goruntime.GC()
	goruntime.ReadMemStats(&before)
	begin := time.Now()
	passes := 0
	for passes < leastPasses || time.Since(begin) < r.minTime && passes < expect {
		if err := r.pass(); err != nil {
			return err
		}
		passes++
	}
	sec := time.Since(begin).Seconds()
	goruntime.ReadMemStats(&after)
	row.RSSMiB = float64(gauge.PeakRSS()) / (1 << 20)
	row.Calls = len(r.steps)
	row.Allocs = gauge.Round(float64(after.Mallocs-before.Mallocs)/float64(len(r.steps)), 2)
	row.TokensPerSecond = float64(tokens) * float64(passes) / sec
	row.SequencesPerSecond = float64(sequences) * float64(passes) / sec
	row.GFLOPS = r.flops * float64(passes) / sec / 1e9
	slices.Sort(r.steps)
	q := func(share float64) float64 { return gauge.MS(gauge.Quantile(r.steps, share)) }
	row.MinMS, row.P50MS, row.P90MS, row.P99MS = gauge.MS(r.steps[0]), q(0.5), q(0.9), q(0.99)
	for i, to := range []*float64{&row.ForwardMS, &row.BackwardMS, &row.OptimizerMS} {
		*to = median(r.parts[i])
	}
	for _, samples := range r.nodes {
		row.StepMS = append(row.StepMS, median(samples))
	}
	row.BetweenMS = median(r.between)
	return nil
}

// room makes room for the samples of all passes before the measurement, so that its own allocations do not count as those of a step. It returns the largest
// number of passes. pass is how long the first one took.
func (r *measurement) room(pass time.Duration) int {
	expect := int(min(4*float64(r.minTime)/float64(max(pass, 1))+leastPasses+1, mostPasses))
	list := func(n int) []time.Duration { return make([]time.Duration, 0, n) }
	r.steps, r.between = list(expect*len(r.batches)), list(expect)
	for i := range r.parts {
		r.parts[i] = list(expect * len(r.batches))
	}
	r.sums = make([]time.Duration, len(r.durations))
	if r.benchFlags.steps {
		r.nodes = make([][]time.Duration, len(r.durations))
	}
	for i := range r.nodes {
		r.nodes[i] = list(expect)
	}
	return expect
}

// median returns the median of durations in milliseconds.
func median(list []time.Duration) float64 {
	slices.Sort(list)
	return gauge.MS(gauge.Quantile(list, 0.5))
}

// divided divides the durations of a step's nodes into forward pass, backward pass and optimizer, and adds those of the nodes that every step runs to the sums.
func (r *measurement) divided() (parts [3]time.Duration) {
	usual, all := 0, 0
	for _, n := range r.program.Nodes {
		usual += n.Forward + n.Backward + n.Update
		all += n.Forward + n.Backward + n.Update + n.Lookahead
	}
	mixes := len(r.durations) == all && all > usual
	at, node := 0, 0
	for _, n := range r.program.Nodes {
		for part, count := range []int{n.Forward, n.Backward, n.Update, n.Lookahead} {
			if part == 3 && !mixes {
				continue
			}
			for range count {
				d := r.durations[at]
				parts[min(part, 2)] += d
				if at++; part < 3 {
					if node < len(r.sums) {
						r.sums[node] += d
					}
					node++
				}
			}
		}
	}
	return parts
}

// pass measures one pass over the batches. A step that mixes slow weights has nodes of its own after the others; they count as a part of the optimizer.
func (r *measurement) pass() error {
	clear(r.sums)
	var rest time.Duration
	for _, b := range r.batches {
		start := time.Now()
		if _, err := r.t.Timed(r.ctx, b, &r.durations); err != nil {
			return err
		}
		took := time.Since(start)
		r.steps = append(r.steps, took)
		rest += took
		for _, d := range r.durations {
			rest -= d
		}
		parts := r.divided()
		for i, d := range parts {
			r.parts[i] = append(r.parts[i], d)
		}
	}
	for i := range r.nodes {
		r.nodes[i] = append(r.nodes[i], r.sums[i])
	}
	r.between = append(r.between, rest)
	return nil
}

// print prints the result for people.
func (r *benchRow) print(s *command.Session) {
	fmt.Fprintf(s.Out, "%s: training steps on %s of %.4g tokens, %s, %s, %s\n", r.Model, command.Plural(r.Batch, "sequence"), r.Tokens,
		command.Plural(r.Threads, "thread"), r.ISA, command.Plural(r.Calls, "step"))
	row := func(name, format string, args ...any) {
		fmt.Fprintf(s.Out, "  %-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("time", "min %.3f ms, p50 %.3f ms, p90 %.3f ms, p99 %.3f ms", r.MinMS, r.P50MS, r.P90MS, r.P99MS)
	row("parts", "forward %.3f ms, backward %.3f ms, optimizer %.3f ms", r.ForwardMS, r.BackwardMS, r.OptimizerMS)
	row("throughput", "%.0f tokens/s, %.1f sequences/s", r.TokensPerSecond, r.SequencesPerSecond)
	if r.GFLOPS > 0 {
		row("arithmetic", "%.1f GFLOP/s", r.GFLOPS)
	}
	row("allocations", "%.4g per step", r.Allocs)
	if r.RSSMiB > 0 {
		row("peak memory", "%.1f MiB", r.RSSMiB)
	}
	for i, ms := range r.StepMS {
		row(fmt.Sprintf("node %d", i), "%.3f ms", ms)
	}
}
