// Package sweep measures a built program at many points, compares the results with earlier ones, and reports them.
package sweep

import (
	"errors"
	"io/fs"
	"math"
	"slices"
	"time"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/cmd/debertac/measure"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/gauge"
	"github.com/debertac/debertac/runtime/pool"
)

// Sweep holds the flags of bench: what is measured, how, and what is done with the results. Each combination of --batch, --tokens, --threads and
// --isa is one point.
type Sweep struct {
	Batch      []int         `placeholder:"N,..." help:"@sweep_batch"`
	Tokens     []int         `placeholder:"N,..." help:"@sweep_tokens"`
	Lengths    string        `placeholder:"FILE" help:"Take the lengths of the sequences from a file of numbers instead."`
	Threads    []int         `placeholder:"N,..." help:"Threads per call. Default: the number of physical cores."`
	Pin        bool          `help:"Bind threads to cores (Linux). This is steadier beside other busy programs, unless they do it too."`
	Precision  string        `kong:"-"` // that a spec must have; "": any
	ISA        []string      `name:"isa" placeholder:"SET,..." help:"@sweep_isa"`
	Weights    string        `placeholder:"FILE" help:"Packed weights of a spec; with --train a safetensors file, or a folder of such files."`
	Random     *uint64       `name:"random-weights" placeholder:"SEED" help:"Draw random weights. They are kept in the cache, by spec and seed."`
	MinTime    time.Duration `default:"2s" help:"Measure each point for at least this time in each round, after a warm-up."`
	Repeat     *int          `placeholder:"ROUNDS" help:"@sweep_repeat"`
	Steps      bool          `help:"Measure each step of the schedule too, with its share of the roofline, and each layer."`
	CPUProfile string        `name:"cpuprofile" placeholder:"FILE" help:"@sweep_cpuprofile"`
	Train      string        `placeholder:"NAME" help:"@sweep_train"`
	Against    string        `placeholder:"FILE" help:"Compare medians with earlier results (--json); exit with 3 if a point is slower."`
	AnyMachine bool          `help:"With --against: compare with results of another machine too."`
	AnySpec    bool          `help:"With --against: compare with results of another spec too."`
	Tolerance  *float64      `placeholder:"PERCENT" help:"With --against: the slowdown that is tolerated, in per cent. Default: 10."`
	Format     string        `enum:",table,markdown,csv,json,benchstat" default:"" placeholder:"table|markdown|csv|json|benchstat" help:"@sweep_format"`
	JSON       bool          `name:"json" help:"The same as --format json: one JSON object per point."`
	Plot       string        `placeholder:"FILE" help:"Draw latency and throughput of the points to a file that ends in .png or .svg."`

	bounds ir.Bounds // of the program, once Accept knows it: defaults are within them
}

// point is one combination of what a sweep varies.
type point struct {
	batch, tokens, threads int // threads 0: the default
	isa                    string
}

// Check refuses flags that are wrong for every model.
func (v *Sweep) Check() error {
	switch {
	case v.Train != "" && v.Pin:
		return fault.Usage("leave out --pin", "--pin is for forward calls, and --train %s measures training steps", v.Train)
	case v.Train != "" && v.CPUProfile != "":
		return fault.Usage("leave out --cpuprofile", "--cpuprofile is for forward calls, and --train %s measures training steps", v.Train)
	case v.Tokens != nil && v.Lengths != "":
		return fault.Usage("give one of them", "--tokens and --lengths contradict each other")
	case v.Tolerance != nil && v.Against == "":
		return fault.Usage("debertac bench --help", "--tolerance belongs to --against")
	case v.AnyMachine && v.Against == "":
		return fault.Usage("debertac bench --help", "--any-machine belongs to --against")
	case v.AnySpec && v.Against == "":
		return fault.Usage("debertac bench --help", "--any-spec belongs to --against")
	case v.JSON && v.Format != "" && v.Format != "json":
		return fault.Usage("give one of them", "--json and --format %s contradict each other", v.Format)
	case v.MinTime <= 0:
		return fault.Usage("debertac bench --help", "--min-time %v: it must be positive", v.MinTime)
	case !(v.tolerance() >= 0) || math.IsInf(v.tolerance(), 0): // NaN is refused too
		return fault.Usage("debertac bench --help", "--tolerance %v: it must be a number of per cent from 0", v.tolerance())
	}
	if err := flags.Within(flags.Whole("--repeat", v.Repeat, 1, mostRounds)); err != nil {
		return err
	}
	for _, f := range []struct {
		name string
		list []int
		most int
	}{{"--batch", v.Batch, math.MaxInt}, {"--tokens", v.Tokens, math.MaxInt}, {"--threads", v.Threads, pool.MaxThreads}} {
		if err := checkList(f.name, f.list, func(n int) error { return flags.Within(flags.Whole(f.name, &n, 1, f.most)) }); err != nil {
			return err
		}
	}
	if err := checkList("--isa", v.ISA, machine.CheckISA); err != nil {
		return err
	}
	if n := len(v.points()); v.CPUProfile != "" && (n > 1 || v.rounds() > 1) {
		return fault.Usage("debertac bench --help", "--cpuprofile is for one point and one round, these are %s and %s",
			wording.Counted(n, "point", "points"), wording.Counted(v.rounds(), "round", "rounds"))
	}
	if err := v.places(); err != nil {
		return err
	}
	if v.Plot != "" {
		if err := measure.CheckPlotName(v.Plot); err != nil {
			return fault.Usage("", "--plot %v", err)
		}
	}
	return nil
}

// places refuses outputs that cannot be written, or that would replace each other or a file that has been read.
func (v *Sweep) places() error {
	for _, file := range []string{v.CPUProfile, v.Plot} {
		if file == "" {
			continue
		}
		if _, err := output.Place(file); err != nil {
			return err
		}
	}
	return output.Apart("--cpuprofile", v.CPUProfile, "--plot", v.Plot)
}

// checkList calls check for each element of a flag, and refuses an element that occurs twice.
func checkList[T comparable](name string, list []T, check func(T) error) error {
	for i, x := range list {
		if err := check(x); err != nil {
			return err
		}
		if slices.Contains(list[:i], x) {
			return fault.Usage("", "%s: %v is there twice", name, x)
		}
	}
	return nil
}

// mostRounds is the largest value of --repeat: a larger one is a typing error.
const mostRounds = 1000

// rounds is how often each point is measured.
func (v *Sweep) rounds() int {
	switch {
	case v.Repeat != nil:
		return *v.Repeat
	case v.Against != "":
		return measure.RoundsForInterval
	}
	return 1
}

// points lists the combinations, the last flag varying fastest.
func (v *Sweep) points() []point {
	orDefault := func(list []int, one, limit int) []int {
		switch {
		case len(list) > 0:
			return list
		case limit > 0:
			return []int{min(one, limit)}
		}
		return []int{one}
	}
	sets := v.ISA
	if len(sets) == 0 {
		sets = []string{""}
	}
	var list []point
	batch := 1
	if v.Train != "" {
		batch = trainBatch
	}
	for _, set := range sets {
		for _, threads := range orDefault(v.Threads, 0, 0) {
			for _, batch := range orDefault(v.Batch, batch, v.bounds.Sequences) {
				for _, tokens := range orDefault(v.Tokens, 128, v.bounds.Length) {
					list = append(list, point{batch, tokens, threads, set})
				}
			}
		}
	}
	return list
}

// trainBatch is how many sequences a training step has unless --batch says otherwise.
const trainBatch = 8

// tolerance returns by how much a point may be slower than before without counting as slower, in per cent.
func (v *Sweep) tolerance() float64 {
	if v.Tolerance == nil {
		return 10
	}
	return *v.Tolerance
}

// Accept refuses flags beyond the limits of a program, before the program is built. It returns the lengths of the sequences of each point.
func (v *Sweep) Accept(u *compiler.Unit) ([][]int, error) {
	if u.Training != nil {
		if got := u.Training.Precision.Compute; v.Precision != "" && v.Precision != got {
			return nil, fault.Input(u.Program.File, "the training %s computes in %s, not %s", u.Training.Name, got, v.Precision).
				Hint("precision %s in the training", v.Precision)
		}
	} else if got := u.Target.Weights.Kind; v.Precision != "" && v.Precision != got {
		return nil, fault.Input(u.Program.File, "the target's weights are %s, not %s", got, v.Precision).Hint("write weights %s in the target", v.Precision)
	}
	v.bounds = u.Program.Bounds
	var all [][]int
	for _, pt := range v.points() {
		list, err := v.lengths(u, pt)
		if err != nil {
			return nil, err
		}
		all = append(all, list)
	}
	return all, v.places() // here, because the inputs are known now
}

// lengths returns the lengths of the sequences of one call of a point, or of one pass over the file. The program's limits are checked before the list is made.
func (v *Sweep) lengths(u *compiler.Unit, pt point) ([]int, error) {
	b := u.Program.Bounds
	switch {
	case pt.batch > b.Sequences:
		return nil, fault.Usage("", "--batch %d: the limit of a batch is %d sequences", pt.batch, b.Sequences)
	case v.Lengths == "" && pt.tokens > b.Length:
		return nil, fault.Usage("", "--tokens %d: the limit of a sequence is %d tokens", pt.tokens, b.Length)
	case v.Lengths == "" && pt.batch*pt.tokens > b.Tokens: // both numbers are small here, so the product cannot overflow
		return nil, fault.Usage("", "--batch %d --tokens %d: the limit of a batch is %d tokens", pt.batch, pt.tokens, b.Tokens)
	}
	if v.Lengths == "" {
		return slices.Repeat([]int{pt.tokens}, pt.batch), nil
	}
	list, err := gauge.ReadLengths(v.Lengths, b.Length)
	if system := (*fs.PathError)(nil); err != nil && !errors.As(err, &system) {
		return nil, fault.Input("", "%v", err)
	}
	return list, err
}
