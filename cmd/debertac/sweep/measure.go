package sweep

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/cost"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/cmd/debertac/measure"
	"github.com/debertac/debertac/cmd/debertac/version"
	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/disk"
)

// Measure measures all points in each round, so that slow changes of the machine's speed affect all points alike.
func (v *Sweep) Measure(m *built.Maker, p *built.Program, lengths [][]int) ([]measure.Result, error) {
	points := v.points()
	env := environment(p)
	rounds := make([][]measure.Result, len(points))
	for round := range v.rounds() {
		for i, pt := range points {
			what := "measuring"
			if n := len(points) * v.rounds(); n > 1 {
				what = fmt.Sprintf("measuring %d of %d", round*len(points)+i+1, n)
			}
			r, err := v.once(m, p, pt, lengths[i], round == 0, what)
			if err != nil {
				return nil, err
			}
			rounds[i] = append(rounds[i], *r)
		}
	}
	limits := limitsOf{maker: m, known: map[limitsKey]*machine.Limits{}}
	var results []measure.Result
	for i := range points {
		r := measure.Join(rounds[i])
		r.Environment = env
		l, err := limits.of(r.Threads, r.ISA)
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
			if err := r.Explain(p.Unit.Program, roof); err != nil {
				return nil, fault.Ours(err)
			}
		} else {
			r.Extents = nil
		}
		results = append(results, r)
	}
	return results, nil
}

// once runs the built program's own measurement of one point. The first round also measures the start and the steps.
func (v *Sweep) once(m *built.Maker, p *built.Program, pt point, lengths []int, first bool, what string) (*measure.Result, error) {
	if p.Unit.Training != nil {
		return v.onceTraining(m, p, pt, what)
	}
	flops := cost.Flops(p.Unit.Model, p.Unit.Head, lengths)
	starts := flags.Flag{}
	if !first {
		starts = flags.Value("--starts", "0")
	}
	args := flags.Args(p.WeightsFlag(), flags.Value("--batch", strconv.Itoa(pt.batch)), flags.Value("--tokens", strconv.Itoa(pt.tokens)),
		flags.Value("--lengths", v.Lengths),
		flags.Count("--threads", pt.threads), flags.Switch("--pin", v.Pin), flags.Value("--isa", pt.isa), flags.Value("--min-time", v.MinTime.String()),
		flags.Value("--flops", strconv.FormatFloat(flops, 'g', -1, 64)), starts, flags.Switch("--steps", v.Steps &&
			first), flags.Value("--cpuprofile", v.CPUProfile), flags.Switch("--json", true))
	r := measure.Result{GFLOP: flops / 1e9, Precision: p.Unit.Target.Weights.Kind}
	return &r, v.child(m, p, args, what, &r)
}

// limitsOf measures the machine, once per key.
type limitsOf struct {
	maker  *built.Maker
	binary string
	known  map[limitsKey]*machine.Limits
}

// limitsKey is what the limits depend on.
type limitsKey struct {
	threads int
	bf16    bool // the program has products of bfloat16
}

// of returns the machine's limits for a program that uses an instruction set with that many threads. It returns nil if the machine has no instruction set
// with a peak kernel.
func (l *limitsOf) of(threads int, used string) (*machine.Limits, error) {
	set, _ := kernel.FindISA(used)
	isa := machine.BestISA()
	if isa == "" {
		return nil, nil
	}
	threads = min(threads, runtime.NumCPU()) // more threads reach no more
	key := limitsKey{threads, set.BF16()}
	if known := l.known[key]; known != nil {
		return known, nil
	}
	if l.binary == "" {
		var err error
		if l.binary, err = machineProgram(l.maker); err != nil {
			return nil, err
		}
	}
	stop := l.maker.Progress("measuring this machine")
	limits, err := machine.Measure(l.maker.Context, l.binary, isa, threads)
	if err == nil && set.BF16() {
		var products machine.Limits
		products, err = machine.Measure(l.maker.Context, l.binary, set.Name, threads)
		limits.BF16 = products.GFLOPS
	}
	stop()
	if err != nil {
		return nil, err
	}
	l.known[key] = &limits
	return &limits, nil
}

// machineProgram returns the path of the program that measures the machine. It finds the program in the cache, or builds it.
func machineProgram(m *built.Maker) (string, error) {
	files, err := machine.Files()
	if err != nil {
		return "", fault.Ours(err)
	}
	return m.Cached(cache.Built, "peak-"+digest(files), "program that measures this machine", func(temp string) error { // named by its sources
		g, err := build.FindGo(m.Context)
		if err != nil {
			return err
		}
		sources, err := disk.TempDir(filepath.Dir(temp), "sources-")
		if err != nil {
			return err
		}
		return machine.Build(m.Context, g.Path, sources, temp)
	})
}

// shares fills in the rates that refer to the machine. All weights count as read from memory in every call, except the token table, of which a call
// reads one row per token.
func (v *Sweep) shares(p *built.Program, r *measure.Result, lengths []int, limits *machine.Limits) error {
	if p.Unit.Training != nil {
		v.sharesOfTraining(p, r, limits)
		return nil
	}
	if limits == nil {
		return nil
	}
	st, err := disk.Stat(p.Weights)
	if err != nil {
		return err
	}
	table := float64(p.Unit.Model.Vocab) * float64(p.Unit.Model.Embed.Width) * 4
	calls := 1.0
	if v.Lengths != "" {
		calls = float64((len(lengths) + r.Batch - 1) / r.Batch)
	} else {
		// The peak is the best that the machine did, so it is compared with the best call; calls of different lengths have no best.
		r.GFLOPS = r.GFLOP / r.MinMS * 1e3
	}
	seconds := r.GFLOP / r.GFLOPS // duration of a call, or of a pass over the file of lengths
	r.Needs = cost.Needed(p.Unit.Model, p.Unit.Head, lengths) / 1e9
	all, bf16 := r.Needs*1e9, r.Needs*1e9*bf16Share(p.Unit.Program, lengths)
	r.PeakShare = limits.Roof(all, bf16, 0) / seconds
	r.RooflineShare = limits.Roof(all, bf16, calls*max(float64(st.Size())-table, 0)) / seconds
	return nil
}

// bf16Share returns which part of the operations of a call are those of products of bfloat16.
func bf16Share(p *ir.Program, lengths []int) float64 {
	if p.Meta.Weights != "bf16" {
		return 0
	}
	s := ir.Sizes{B: len(lengths), N: slices.Max(lengths)}
	for _, n := range lengths {
		s.T, s.P = s.T+n, s.P+n*n
	}
	sum := ir.Cost{}
	for r := range ir.Steps(p.Run) {
		for _, n := range r.Nodes {
			c := ir.Lookup(n.Op).CostOf(n, s)
			sum.FLOPs, sum.BF16 = sum.FLOPs+c.FLOPs, sum.BF16+c.BF16
		}
	}
	return sum.BF16 / sum.FLOPs
}

// digest is a short name for a set of files by their content.
func digest(files map[string][]byte) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		fmt.Fprintf(sum, "%s %d\n", name, len(files[name]))
		sum.Write(files[name])
	}
	return hex.EncodeToString(sum.Sum(nil))[:32]
}

// environment returns the environment that every result of this run has.
func environment(p *built.Program) measure.Environment {
	info := version.Read()
	version := info.Version
	if info.Revision != "" {
		version += " " + info.Revision
	}
	return measure.Environment{Machine: measure.ThisMachine(), Go: runtime.Version(), Debertac: version, SpecHash: p.Unit.Program.Meta.SpecHash,
		Time: measure.Now()}
}
