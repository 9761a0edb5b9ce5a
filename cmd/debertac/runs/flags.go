// Package runs starts trainings and goes on with them. It makes the folder of a run, prepares its data, builds and starts the program that trains, evaluates
// the models that this program asks about, and shows what happens.
package runs

import (
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/cmd/debertac/prepare"
)

// Flags are the flags of debertac train. They are recorded in the folder of the run, so that a run that goes on has the same.
type Flags struct {
	Train     string   `placeholder:"NAME" help:"The training, by its name in the spec. Default: the only one." json:",omitempty"`
	Target    string   `placeholder:"NAME" help:"Target of the spec. Default: the first." json:",omitempty"`
	Data      []string `sep:"none" placeholder:"FILE" help:"What to train on. May be given several times." json:",omitempty"`
	Eval      []string `sep:"none" placeholder:"FILE" help:"What to evaluate on, during the training and at its end." json:",omitempty"`
	HoldOut   float64  `placeholder:"P" help:"Hold this share of --data out and evaluate on it, in place of --eval." json:",omitempty"`
	Init      string   `placeholder:"DIR|FILE" help:"Begin with these weights: a model folder, a file of weights, or another run." json:",omitempty"`
	Generator string   `placeholder:"DIR|FILE" help:"The generator's weights, if --init has the detector alone." json:",omitempty"`
	Tokenizer string   `placeholder:"DIR|FILE" help:"The tokenizer. Default: that of the folder of --init." json:",omitempty"`
	Seed      *uint64  `placeholder:"NUMBER" help:"Decides the order of the examples, dropout, masks, and new tensors (0)." json:",omitempty"`

	MaxSteps  *int `placeholder:"N" help:"Stop after step N. The learning rates stay those of the whole training." json:",omitempty"`
	SaveEvery *int `placeholder:"N" help:"Write a checkpoint every N steps. Default: after each pass over the data, or 1000." json:",omitempty"`
	EvalEvery *int `placeholder:"N" help:"Evaluate every N steps. Default: after each pass over the data." json:",omitempty"`
	LogEvery  *int `placeholder:"N" help:"Write metrics every N steps (1)." json:",omitempty"`
	Keep      *int `placeholder:"N" help:"How many checkpoints stay, besides the best one (1)." json:",omitempty"`
	Bucket    *int `placeholder:"N" help:"Put examples of like length together among N batches; an epoch still holds each example once." json:",omitempty"`

	Metric   string `placeholder:"NAME" help:"The metric that decides which checkpoint is the best one. Default: the usual one of the task." json:",omitempty"`
	Patience *int   `placeholder:"N" help:"Stop after N evaluations that were no better." json:",omitempty"`

	Threads *int   `placeholder:"N" help:"Threads per step. Default: the number of physical cores." json:",omitempty"`
	ISA     string `placeholder:"SET" help:"Instruction set: go, avx2, avx512 or avx512bf16. Default: the best of this machine." json:",omitempty"`

	prepare.Flags `embed:""`
}

// changeable lists the flags that a run that goes on may have with other values: no bit of a step depends on them.
var changeable = []string{"MaxSteps", "SaveEvery", "EvalEvery", "LogEvery", "Keep", "Patience", "Threads", "ISA"}

// checkValues refuses values that no machine and no data make meaningful.
func (f *Flags) checkValues() error {
	numbers := []flags.Number{flags.Whole("--threads", f.Threads, 1, 1024)}
	for name, n := range map[string]*int{"--max-steps": f.MaxSteps, "--save-every": f.SaveEvery, "--eval-every": f.EvalEvery, "--log-every": f.LogEvery,
		"--keep": f.Keep, "--bucket": f.Bucket, "--patience": f.Patience} {
		numbers = append(numbers, flags.Whole(name, n, 1, math.MaxInt32))
	}
	if err := flags.Within(numbers...); err != nil {
		return err
	}
	if err := flags.Within(flags.Real("--hold-out", &f.HoldOut, 0, 0.9)); err != nil {
		return err
	}
	return f.Flags.Check()
}

// Check refuses values of flags that mean nothing, before any work.
func (f *Flags) Check() error {
	if err := f.checkValues(); err != nil {
		return err
	}
	for name, list := range map[string][]string{"--data": f.Data, "--eval": f.Eval} {
		if slices.Contains(list, "") {
			return fault.Usage("name a file", "%s has an empty name", name)
		}
	}
	if f.ISA != "" {
		return machine.CheckISA(f.ISA)
	}
	return nil
}

// fit refuses flags that contradict each other, or need others. Those of a run that goes on are looked at together with those that it was begun with.
func (f *Flags) fit() error {
	if f.HoldOut > 0 && len(f.Eval) > 0 {
		return fault.Usage("choose one", "--hold-out and --eval contradict each other: both name what the run is evaluated on")
	}
	if len(f.Eval) == 0 && f.HoldOut == 0 {
		for _, g := range []struct {
			name  string
			given bool
		}{{"--eval-every", f.EvalEvery != nil}, {"--metric", f.Metric != ""}, {"--patience", f.Patience != nil}} {
			if g.given {
				return fault.Usage("--eval FILE", "%s needs --eval, the data to evaluate on", g.name)
			}
		}
	}
	return nil
}

// absolute returns the flags with paths that do not depend on the working folder, because a run may go on from another one.
func (f Flags) absolute() (*Flags, error) {
	f.Data, f.Eval = slices.Clone(f.Data), slices.Clone(f.Eval)
	lists := []*string{&f.Init, &f.Generator, &f.Tokenizer}
	for _, l := range [][]string{f.Data, f.Eval} {
		for i := range l {
			lists = append(lists, &l[i])
		}
	}
	for _, p := range lists {
		if *p == "" {
			continue
		}
		path, err := filepath.Abs(*p)
		if err != nil {
			return nil, err
		}
		*p = path
	}
	return &f, nil
}

// part returns the part of the data that the run trains on, or that is held out.
func (f *Flags) part(held bool) prepare.Part {
	p := prepare.Part{Share: f.HoldOut, Held: held}
	if f.HoldOut > 0 && f.Seed != nil {
		p.Seed = *f.Seed
	}
	return p
}

// child returns the flags of the program that trains.
func (f *Flags) child() []flags.Flag {
	return []flags.Flag{flags.OptionalCount("--max-steps", f.MaxSteps), flags.OptionalCount("--save-every", f.SaveEvery),
		flags.OptionalCount("--eval-every", f.EvalEvery), flags.OptionalCount("--log-every", f.LogEvery), flags.OptionalCount("--keep", f.Keep),
		flags.OptionalCount("--bucket", f.Bucket), flags.Value("--metric", f.Metric), flags.OptionalCount("--patience", f.Patience),
		flags.OptionalCount("--threads", f.Threads), flags.Value("--isa", f.ISA), flags.Value("--generator", f.Generator)}
}

// recorded returns the flags of a run that goes on: old, those that it was begun with, with the new values of those that may change. A flag that may not
// change and has another value is refused.
func (f *Flags) recorded(old *Flags) (*Flags, error) {
	now, err := f.absolute()
	if err != nil {
		return nil, err
	}
	return old, merge(reflect.ValueOf(old).Elem(), reflect.ValueOf(now).Elem(), reflect.ValueOf(defaults()).Elem())
}

// defaults returns the flags of a command line without any.
func defaults() *Flags {
	return &Flags{Flags: prepare.Flags{Long: "reject", Special: "text"}}
}

// merge takes the values of f that differ from the defaults over into old, or refuses them.
func merge(old, f, plain reflect.Value) error {
	for i := range f.NumField() {
		field := f.Type().Field(i)
		if field.Anonymous {
			if err := merge(old.Field(i), f.Field(i), plain.Field(i)); err != nil {
				return err
			}
			continue
		}
		now := f.Field(i).Interface()
		if reflect.DeepEqual(now, plain.Field(i).Interface()) || reflect.DeepEqual(now, old.Field(i).Interface()) {
			continue
		}
		may := false
		for _, name := range changeable {
			may = may || name == field.Name
		}
		if !may {
			return fault.Usage("a run with other settings needs another folder", "--%s: the run that goes on was begun with another value (%s)",
				dashed(field.Name), shown(old.Field(i)))
		}
		old.Field(i).Set(f.Field(i))
	}
	return nil
}

// dashed returns the name of a flag by that of its field.
func dashed(name string) string {
	var b strings.Builder
	for i, r := range name {
		if i > 0 && r >= 'A' && r <= 'Z' && name != "ISA" {
			b.WriteByte('-')
		}
		b.WriteString(strings.ToLower(string(r)))
	}
	return b.String()
}

// shown returns the value of a flag for a message.
func shown(v reflect.Value) string {
	for v.Kind() == reflect.Pointer {
		if v.IsNil() {
			return "none"
		}
		v = v.Elem()
	}
	if v.IsZero() {
		return "none"
	}
	return fmt.Sprint(v.Interface())
}
