package program

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"time"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/gauge"
)

// benchFlags holds the flags of the verb bench.
type benchFlags struct {
	openFlags
	fs                    *flag.FlagSet
	batch, tokens, starts int
	lengths               string
	seed                  uint64
	minTime               time.Duration
	flops                 float64
	steps, asJSON         bool
	profile               string
}

func newBench(fs *flag.FlagSet) action {
	var b benchFlags
	b.fs = fs
	b.register(fs)
	b.registerHead(fs)
	fs.IntVar(&b.batch, "batch", 1, "`N` sequences per call")
	fs.IntVar(&b.tokens, "tokens", 128, "`N` tokens per sequence; without the flag at most the limit of a sequence")
	fs.StringVar(&b.lengths, "lengths", "", "instead of --tokens: take the lengths of the sequences from a `FILE` of numbers, --batch of them per call; "+
		"whole passes over the file are measured")
	fs.DurationVar(&b.minTime, "min-time", 2*time.Second, "measure for at least this `TIME`, after warming up")
	fs.Uint64Var(&b.seed, "seed", 1, "`SEED` of the random token ids")
	fs.Float64Var(&b.flops, "flops", 0, "floating-point operations of one call, or with --lengths of one pass over the file, to print GFLOP/s: `COUNT`")
	fs.IntVar(&b.starts, "starts", 5, "start `N` fresh processes to measure the time to the first result; 0: none")
	fs.BoolVar(&b.steps, "steps", false, "measure each step of the schedule too, in calls of their own")
	fs.StringVar(&b.profile, "cpuprofile", "", "write a CPU profile of the measured calls to `FILE`, for go tool pprof")
	fs.BoolVar(&b.asJSON, "json", false, "print a JSON object")
	return b.run
}

// benchRow is the result. Times are per call.
type benchRow struct {
	Model              string  `json:"model"`
	Batch              int     `json:"batch"`             // sequences per call
	Tokens             float64 `json:"tokens"`            // tokens per sequence; the mean, if lengths differ
	Lengths            string  `json:"lengths,omitempty"` // file
	Threads            int     `json:"threads"`
	Precision          string  `json:"precision,omitempty"`
	ISA                string  `json:"isa"`
	Calls              int     `json:"calls"` // measured
	MinMS              float64 `json:"min_ms"`
	P50MS              float64 `json:"p50_ms"`
	P90MS              float64 `json:"p90_ms"`
	P99MS              float64 `json:"p99_ms"`
	TokensPerSecond    float64 `json:"tokens_per_s"`
	SequencesPerSecond float64 `json:"sequences_per_s"`
	GFLOPS             float64 `json:"gflops,omitempty"`
	Allocs             float64 `json:"allocs"`                    // allocations of memory per call
	RSSMiB             float64 `json:"rss_mib,omitempty"`         // peak of the process while measuring, including the mapped weights that are in memory
	WeightsRSSMiB      float64 `json:"weights_rss_mib,omitempty"` // the part of RSSMiB that is the mapped weight file; the rest is the program's own
	StartMS            float64 `json:"start_ms,omitempty"`        // from exec to the result of a text of 16 tokens, median of fresh processes
	benchSteps
}

// mostStarts bounds --starts: a larger number is taken for a typing error.
const mostStarts = 1000

func (b *benchFlags) check() error {
	switch {
	case b.batch < 1:
		return usage("--batch %d: it must be at least 1", b.batch)
	case b.tokens < 1:
		return usage("--tokens %d: it must be at least 1", b.tokens)
	case b.minTime <= 0:
		return usage("--min-time %v: it must be positive", b.minTime)
	case b.starts < 0 || b.starts > mostStarts:
		return usage("--starts %d: it must be from 0 to %d", b.starts, mostStarts)
	case b.flops < 0 || math.IsNaN(b.flops) || math.IsInf(b.flops, 0):
		return usage("--flops %v: it must be a count", b.flops)
	}
	return nil
}

func (b *benchFlags) run(ctx context.Context, s *session, _ []string) error {
	if err := b.check(); err != nil {
		return err
	}
	core, m, err := b.open(s)
	if err != nil {
		return err
	}
	defer core.Close()
	head, err := core.HeadIndex(b.head)
	if err != nil {
		return usage("--head: %v", err)
	}
	command.LowerDefault(b.fs, "tokens", &b.tokens, core.Program().Limits.SequenceTokens)
	calls, err := b.calls(core, head)
	if err != nil {
		return err
	}
	rep, err := core.Report()
	if err != nil {
		return err
	}
	row := benchRow{Model: m.Name, Batch: b.batch, Lengths: b.lengths, Threads: rep.Threads, Precision: m.Precision, ISA: rep.ISA}
	if err := b.measure(ctx, core, calls, &row); err != nil {
		return err
	}
	if b.steps {
		if row.benchSteps, err = b.measureSteps(ctx, core, calls); err != nil {
			return err
		}
	}
	core.Close() // so that its memory and threads do not disturb the processes that are started now
	if b.starts > 0 {
		if row.StartMS, err = b.measureStart(ctx, m); err != nil {
			return err
		}
	}
	if b.asJSON {
		return command.PrintJSON(s.Out, row)
	}
	row.print(s)
	return nil
}

// calls makes the calls of one pass: one call, or with --lengths the sequences of the file, --batch of them per call.
func (b *benchFlags) calls(core *engine.Core, head int) ([]engine.Call, error) {
	l := core.Program().Limits
	switch { // before memory of such a size is allocated
	case b.batch > l.BatchSequences:
		return nil, usage("--batch %d: the limit of a batch is %d sequences", b.batch, l.BatchSequences)
	case b.lengths == "" && b.tokens > l.SequenceTokens:
		return nil, usage("--tokens %d: the limit of a sequence is %d tokens", b.tokens, l.SequenceTokens)
	case b.lengths == "" && b.batch*b.tokens > l.BatchTokens:
		return nil, usage("--batch %d --tokens %d: the limit of a batch is %d tokens", b.batch, b.tokens, l.BatchTokens)
	}
	where := b.lengths
	var lengths []int
	if where == "" {
		lengths = slices.Repeat([]int{b.tokens}, b.batch)
	} else {
		var err error
		if lengths, err = gauge.ReadLengths(where, l.SequenceTokens); err != nil {
			return nil, err
		}
	}
	rng := rand.New(rand.NewPCG(b.seed, 0))
	var calls []engine.Call
	most := 0
	for part := range slices.Chunk(lengths, b.batch) {
		batch := &runtime.Batch{Starts: []int32{0}}
		for _, n := range part {
			for range n {
				batch.IDs = append(batch.IDs, rng.Int32N(int32(l.Vocab)))
			}
			batch.Starts = append(batch.Starts, int32(len(batch.IDs)))
		}
		batch.FillNeeded(l)
		if err := batch.Validate(l); err != nil {
			return nil, faulty(where, "%w", err)
		}
		calls = append(calls, engine.Call{Head: head, Batch: batch})
		most = max(most, core.Program().Heads[head].OutLen(batch))
	}
	// One call runs at a time, so all calls share the memory of the outputs: a file may hold many lengths, and a head may have many numbers per token.
	out := make([]float32, most)
	for i := range calls {
		calls[i].Out = out[:core.Program().Heads[head].OutLen(calls[i].Batch)]
	}
	return calls, nil
}

// The warm-up brings weights into memory and caches, grows arenas, and lets the processor reach its clock.
const (
	warmTime    = 300 * time.Millisecond
	warmPasses  = 3
	leastCalls  = 10
	mostSamples = 1 << 20
)

// measure runs passes over the calls and fills in all fields except StartMS.
func (b *benchFlags) measure(ctx context.Context, core *engine.Core, calls []engine.Call, row *benchRow) error {
	tokens, sequences := 0, 0
	for _, c := range calls {
		tokens += c.Batch.Tokens()
		sequences += c.Batch.Sequences()
	}
	row.Tokens = float64(tokens) / float64(sequences)
	passes := 0
	begin := time.Now()
	for passes < warmPasses || time.Since(begin) < min(warmTime, b.minTime) {
		for _, c := range calls {
			if err := core.Run(ctx, c); err != nil {
				return err
			}
			if passes == 0 && !finite(c.Out) {
				return faulty("", "outputs are not finite: the weights may be damaged, see doctor")
			}
		}
		if passes++; time.Since(begin) > 2*b.minTime {
			break // one pass over a long file is enough of a warm-up
		}
	}
	// Memory for all samples is allocated before the measurement, so that the program's own allocations do not count as the model's.
	pass := time.Since(begin) / time.Duration(passes)
	expect := (2*float64(b.minTime)/float64(max(pass, 1)) + leastCalls + 1) * float64(len(calls)) // as an integer it could overflow
	times := make([]time.Duration, 0, int(min(expect, float64(max(mostSamples, len(calls))))))
	endProfile, err := b.startProfile()
	if err != nil {
		return err
	}
	defer endProfile(false)
	goruntime.GC()
	gauge.ResetPeakRSS()
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	begin = time.Now()
	last := begin
	passes = 0
	for len(times)+len(calls) <= cap(times) && (len(times) < leastCalls || last.Sub(begin) < b.minTime) {
		for _, c := range calls {
			if err := core.Run(ctx, c); err != nil {
				return err
			}
			now := time.Now()
			times = append(times, now.Sub(last))
			last = now
		}
		passes++
	}
	goruntime.ReadMemStats(&after)
	if err := endProfile(true); err != nil {
		return err
	}
	row.RSSMiB = float64(gauge.PeakRSS()) / (1 << 20)
	if rep, err := core.Report(); err == nil {
		row.WeightsRSSMiB = float64(gauge.MappedRSS(filepath.Base(rep.Weights))) / (1 << 20)
	}
	sec := last.Sub(begin).Seconds()
	row.Calls = len(times)
	row.Allocs = gauge.Round(float64(after.Mallocs-before.Mallocs)/float64(len(times)), 2)
	row.TokensPerSecond = float64(tokens) * float64(passes) / sec
	row.SequencesPerSecond = float64(sequences) * float64(passes) / sec
	row.GFLOPS = b.flops * float64(passes) / sec / 1e9
	slices.Sort(times)
	q := func(share float64) float64 { return gauge.MS(gauge.Quantile(times, share)) }
	row.MinMS, row.P50MS, row.P90MS, row.P99MS = gauge.MS(times[0]), q(0.5), q(0.9), q(0.99)
	return nil
}

func (r *benchRow) print(s *session) {
	kind := ""
	if r.Precision != "" {
		kind = ", " + r.Precision
	}
	fmt.Fprintf(s.Out, "%s: %s of %.4g tokens per call, %s, %s%s, %d calls\n",
		r.Model, command.Plural(r.Batch, "sequence"), r.Tokens, command.Plural(r.Threads, "thread"), r.ISA, kind, r.Calls)
	row := func(name, format string, args ...any) {
		fmt.Fprintf(s.Out, "  %-13s %s\n", name, fmt.Sprintf(format, args...))
	}
	row("latency", "min %.3f ms, p50 %.3f ms, p90 %.3f ms, p99 %.3f ms", r.MinMS, r.P50MS, r.P90MS, r.P99MS)
	row("throughput", "%.0f tokens/s, %.1f sequences/s", r.TokensPerSecond, r.SequencesPerSecond)
	if r.GFLOPS > 0 {
		row("arithmetic", "%.1f GFLOP/s", r.GFLOPS)
	}
	row("allocations", "%.4g per call", r.Allocs)
	if r.RSSMiB > 0 {
		row("peak memory", "%.1f MiB, of which %.1f MiB are the mapped weights", r.RSSMiB, r.WeightsRSSMiB)
	}
	if r.StartMS > 0 {
		row("first result", "%.1f ms from exec", r.StartMS)
	}
}
