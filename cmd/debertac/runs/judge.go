package runs

import (
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/corpus"
	"github.com/debertac/debertac/cmd/debertac/dataset"
	"github.com/debertac/debertac/cmd/debertac/evaluation"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prediction"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/trainprogram"
	"github.com/debertac/debertac/spec"
)

// judge evaluates models: it packs the weights, and runs the program of the head for inference, the same program that users of the model run.
type judge struct {
	m    *built.Maker
	unit *compiler.Unit
	data *evaluation.Data
	base string // folder or file of the tokenizer
	args []flags.Flag
	bin  string
	note string // what the first evaluation tells about the data
	told bool
}

// newJudge reads the data of evaluations and builds the program.
func (r *run) newJudge(base string) (*judge, error) {
	head := r.unit.Head
	if head.Task() == tasktable.Replaced {
		return nil, fault.Usage("leave out --eval", "--eval: models that detect replaced tokens are not evaluated: a test would depend on the generator")
	}
	j := &judge{m: r.Maker, base: base}
	var err error
	if j.unit, err = source.InferenceOf(r.Console, r.src, r.flags.Target, head); err != nil {
		return nil, err
	}
	if j.data, err = r.examples(evaluated(r.flags)); err != nil {
		return nil, err
	}
	tokens := r.unit.Training.Length
	if r.flags.MaxTokens != nil {
		tokens = *r.flags.MaxTokens
	}
	long := judgedLong(head, r.flags.Long)
	j.args = []flags.Flag{flags.Value("--long", long), flags.Value("--special", r.flags.Special), flags.OptionalCount("--max-tokens", &tokens),
		flags.OptionalCount("--threads", r.flags.Threads), flags.Value("--resamples", "0")}
	if isa := r.flags.ISA; isa != "avx512bf16" { // which is for trainings
		j.args = append(j.args, flags.Value("--isa", isa))
	}
	j.bin, err = r.Binary([]*compiler.Unit{j.unit})
	return j, err
}

// evaluated returns the files that a run is evaluated on: those of --eval, or those of --data, of which a share is held out.
func evaluated(f *Flags) []string {
	if f.HoldOut > 0 {
		return f.Data
	}
	return f.Eval
}

// judgedLong returns what becomes of long texts in an evaluation: the same as in the training. A training on the stream of all texts refuses none, so an
// evaluation reads long ones in windows.
func judgedLong(head *spec.Head, long string) string {
	if task := head.Task(); long == "reject" && (task == tasktable.MLM || task == tasktable.Replaced) {
		return "windows"
	}
	return long
}

// usual lists the metrics that decide which checkpoint is the best one, by task: the first that an evaluation has.
var usual = map[tasktable.Task]string{
	tasktable.Labels: "accuracy,f1_micro,spearman", tasktable.Tags: "f1,accuracy", tasktable.Span: "f1", tasktable.Choices: "accuracy",
	tasktable.Score: "ndcg,accuracy,spearman,pearson", tasktable.Entities: "f1", tasktable.MLM: "perplexity", tasktable.Vector: "spearman,accuracy",
}

// examples reads the examples of files. Ones that cannot be used are refused as those of the training are.
func (r *run) examples(paths []string) (*evaluation.Data, error) {
	split := "validation"
	if r.flags.HoldOut > 0 {
		split = "" // that of the training
	}
	x := r.flags.Files(r.Context, paths, corpus.Judged(r.unit.Head.Task()), split, r.flags.part(true))
	defer x.Close() // read only
	check, err := r.checks()
	if err != nil {
		return nil, err
	}
	bad, all := 0, 0
	d, err := evaluation.Load(sourceFunc(func() (*example.Example, error) {
		for {
			e, err := x.Next()
			all++
			var row *dataset.RowError
			switch {
			case err == nil:
				if err = check(e); err == nil {
					return e, nil
				}
			case !errors.As(err, &row):
				return nil, err
			}
			bad++
			r.Note("%v", err)
		}
	}))
	if err != nil {
		return nil, err
	}
	if err := r.enough(paths, d.N, bad, all-1); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// enough refuses files with no example to evaluate on, or with more examples that cannot be used than the flags allow. n can be used, of all bad cannot.
func (r *run) enough(paths []string, n, bad, all int) error {
	switch {
	case bad > 0 && float64(bad) > r.flags.AllowBad*float64(all):
		return fault.Input(wording.List(paths), "%d of %d examples cannot be used: mend them, or leave them out", bad, all).
			Hint("--allow-bad SHARE, such as 0.01")
	case n == 0 && r.flags.HoldOut > 0:
		return fault.Usage("a larger share", "--hold-out %g: it holds out no example of %s", r.flags.HoldOut, wording.List(paths))
	case n == 0:
		return fault.Input(wording.List(paths), "there is no example to evaluate on")
	}
	return nil
}

// checked lists the tasks whose evaluations need what their trainings need of an example.
var checked = []tasktable.Task{tasktable.Labels, tasktable.Tags, tasktable.Choices}

// checks returns a function that refuses examples that an evaluation cannot use, so that they are known before the first step.
func (r *run) checks() (func(e *example.Example) error, error) {
	if !slices.Contains(checked, r.unit.Head.Task()) {
		return func(*example.Example) error { return nil }, nil
	}
	enc, err := r.flags.Encoder(r.unit, r.tok)
	if err != nil {
		return nil, err
	}
	check := enc.Check()
	return func(e *example.Example) error {
		reason, bad := corpus.Reason(check(e))
		if !bad {
			return nil
		}
		return errors.New(e.Place() + ": " + reason)
	}, nil
}

// sourceFunc makes a source of examples of a function.
type sourceFunc func() (*example.Example, error)

// Next calls the function.
func (f sourceFunc) Next() (*example.Example, error) { return f() }

// evaluatedWeights is the file in the folder of a run that holds packed weights while they are evaluated.
const evaluatedWeights = ".evaluated.weights"

// metrics evaluates the model in a file of weights.
func (j *judge) metrics(weights string) (*trainprogram.Reply, error) {
	report, err := j.report(j.m, weights, j.data)
	if err != nil {
		return nil, err
	}
	if report.CutLabels > 0 && !j.told {
		j.note = fmt.Sprintf("note: in each evaluation %s: %d of %d examples are cut", evaluation.CutLabels(report.CutLabels), report.Truncated, report.N)
	}
	reply := &trainprogram.Reply{Metrics: map[string]float64{}}
	for _, v := range report.Values {
		if math.IsNaN(v.Value) || math.IsInf(v.Value, 0) {
			reply.Undefined = append(reply.Undefined, v.Name)
		} else {
			reply.Metrics[v.Name] = v.Value
		}
	}
	return reply, nil
}

// names returns the names of the metrics of all evaluations. They depend on the kinds of examples that there are, so a few of each kind tell them.
func (j *judge) names(weights string) (*trainprogram.Reply, error) {
	c, m := *j.m.Console, *j.m
	c.Err, m.Console = io.Discard, &c
	report, err := j.report(&m, weights, j.data.Kinds)
	if err != nil { // such as two texts of the few that are the same; if it is something else, all examples tell it again
		report, err = j.report(j.m, weights, j.data)
	}
	if err != nil {
		return nil, err
	}
	reply := &trainprogram.Reply{}
	for _, v := range report.Values {
		reply.Undefined = append(reply.Undefined, v.Name)
	}
	return reply, nil
}

// report evaluates the model in a file of weights on data.
func (j *judge) report(m *built.Maker, weights string, data *evaluation.Data) (*prediction.Report, error) {
	packed := filepath.Join(filepath.Dir(weights), evaluatedWeights)
	defer func() { _ = disk.RemoveAll(packed) }()
	if err := packFile(m, j.unit, weights, j.base, packed); err != nil {
		return nil, err
	}
	p := &built.Program{Binary: j.bin, Weights: packed, Unit: j.unit}
	return evaluation.Run(m, p, data, flags.Args(append(j.args, p.WeightsFlag())...))
}
