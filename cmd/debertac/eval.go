package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/dataset"
	"github.com/debertac/debertac/cmd/debertac/evaluation"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/cmd/debertac/output"
	"github.com/debertac/debertac/cmd/debertac/runs"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/example"
	"github.com/debertac/debertac/runtime/prediction"
	"github.com/debertac/debertac/runtime/runfolder"
)

type evalVerb struct {
	Path   string `arg:"" optional:"" help:"A spec, a Hugging Face model folder, or the folder of a run. Not with --from."`
	Step   string `placeholder:"N" help:"Of a run, the checkpoint: a number of steps, best or last. Default: the best if the run was evaluated, else the last."`
	Data   string `placeholder:"FILE" help:"Examples to compare the model with, in a format of docs/data.md; - is the standard input, lines of JSON."`
	Format string `placeholder:"NAME" help:"@eval_format"`

	From    []string `group:"Recorded predictions" sep:"none" placeholder:"FILE" help:"@eval_from"`
	Against []string `group:"Recorded predictions" sep:"none" placeholder:"FILE" help:"Compare the runs of --from with these, by t-tests."`
	Task    string   `group:"Recorded predictions" placeholder:"TASK" help:"@eval_task"`

	JSON        bool     `help:"Print one JSON object."`
	Predictions string   `placeholder:"FILE" help:"Write the predictions, one JSON object per line, in a form that --from reads."`
	Plot        string   `placeholder:"FILE" help:"Draw the table of confusion: a .png or .svg file."`
	Resamples   *int     `placeholder:"N" help:"Draw the examples N times for the intervals of metrics (1000); 0 computes no intervals."`
	Seed        *uint64  `placeholder:"NUMBER" help:"Decides which examples are drawn, and which tokens are masked (1)."`
	Positive    string   `placeholder:"LABEL" help:"Of two labels, the one whose precision, recall and F1 are printed. Default: the second."`
	Candidates  *int     `placeholder:"N" help:"For vectors: compare each text with the right ones of the N examples around it (32)."`
	Share       *float64 `placeholder:"P" help:"For models that fill masks: the share of tokens that are masked (0.15)."`
	Generate    bool     `help:"For models that write text: generate a text for each example and compare it with the right one."`

	dataset.Flags
	folder.Wishes
	folder.DrawnFlag
	Weights string  `placeholder:"FILE" help:"Packed weights, needed for a spec."`
	Target  string  `placeholder:"NAME" help:"Target of the spec. Default: the first that emits a model."`
	Random  *uint64 `name:"random-weights" placeholder:"SEED" help:"Draw random weights, to see that a spec runs; needs --tokenizer."`

	flags.Handed
}

// evalHelp returns the long texts of eval's flags, by name.
func evalHelp() map[string]string {
	return map[string]string{
		"eval_from": "Score predictions instead of a model; - is the standard input. Several files are those of several runs, such as seeds of one training: " +
			"the mean and the deviation of each metric are printed.",
		"eval_task":   "What the predictions are of: " + strings.Join(prediction.Names(), ", ") + ".",
		"eval_format": "Format of the data: " + strings.Join(dataset.FormatNames(), ", ") + ". Default: the name of the file tells, or its first bytes.",
	}
}

// Help is the long help.
func (evalVerb) Help() string {
	var b strings.Builder
	b.WriteString(`Computes the metrics of a model's task on examples, with 95 % intervals over the examples (bootstrap). The texts are computed as run
computes them. Shares are from 0 to 1; exact and f1 of questions are in percent, as SQuAD's scripts print them.

With --from it scores recorded predictions, without a model. A line of the file is a JSON object. What it holds depends on the task:
`)
	for _, t := range prediction.Tasks {
		fmt.Fprintf(&b, "  %s\n", t.Line)
		for _, line := range wrapped(t.Name+": "+t.Doc, 90) {
			fmt.Fprintf(&b, "    %s\n", line)
		}
	}
	b.WriteString(`
Examples:
  debertac eval ~/models/spam --data test.jsonl
  debertac eval ~/models/spam --data test.jsonl --json --predictions predictions.jsonl --plot confusion.png
  debertac eval ~/models/nli --data glue/MNLI --dataset mnli --split validation
  debertac eval ~/models/ner --data test.conll --want-scheme bio
  debertac eval ~/models/squad --data dev-v2.0.json
  debertac eval runs/spam --data test.jsonl
  debertac eval ner.dspec --weights ner.weights --data test.jsonl --long truncate
  debertac eval --from predictions.jsonl --task labels --json
  debertac eval --task labels --from a1.jsonl --from a2.jsonl --against b1.jsonl --against b2.jsonl`)
	return b.String()
}

// wrapped cuts a text into lines of at most some bytes.
func wrapped(text string, most int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > most {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// Run evaluates a model, or scores predictions.
func (v *evalVerb) Run(m *built.Maker) error {
	if err := v.check(); err != nil {
		return err
	}
	if v.Plot != "" {
		if _, err := output.Place(v.Plot); err != nil {
			return err
		}
	}
	if len(v.From) > 1 {
		return v.compare(m)
	}
	var r *prediction.Report
	var err error
	if len(v.From) > 0 {
		r, err = v.score(m, v.From[0])
	} else {
		r, err = v.evaluate(m)
	}
	if err != nil {
		return err
	}
	if v.Plot != "" {
		if err := evaluation.Draw(r, v.Plot); err != nil {
			return err
		}
	}
	if !v.JSON {
		evaluation.Print(m.Out, r)
		return nil
	}
	return v.print(m, r)
}

// mostColumns bounds the numbers of columns.
const mostColumns = 1 << 20

// check refuses flags that contradict each other, before any work.
func (v *evalVerb) check() error {
	numbers := append(v.Numbers(), flags.Whole("--resamples", v.Resamples, 0, 1e6), flags.Whole("--candidates", v.Candidates, 2, math.MaxInt),
		flags.Real("--share", v.Share, math.SmallestNonzeroFloat64, 1), flags.Whole("--word-column", &v.WordColumn, -mostColumns, mostColumns),
		flags.Whole("--tag-column", &v.TagColumn, -mostColumns, mostColumns))
	if err := flags.Within(numbers...); err != nil {
		return err
	}
	if err := v.Wishes.Check(); err != nil {
		return err
	}
	if v.Plot != "" {
		if err := evaluation.Drawable(v.Plot); err != nil {
			return err
		}
	}
	if len(v.From) > 0 {
		return v.checkScored()
	}
	switch {
	case v.Path == "":
		return fault.Usage("debertac eval ~/models/spam --data test.jsonl", "name a model, or --from a file of predictions")
	case v.Task != "":
		return fault.Usage("", "--task belongs to --from: the task of a model is that of its head")
	case len(v.Against) > 0:
		return fault.Usage("", "--against belongs to --from: it compares recorded predictions")
	case v.Data == "":
		return fault.Usage("debertac eval "+v.Path+" --data test.jsonl", "--data is missing: the examples to compare the model with")
	}
	if v.Predictions != "" {
		if _, err := output.Place(v.Predictions); err != nil {
			return err
		}
	}
	if err := output.Apart("--predictions", v.Predictions, "--plot", v.Plot); err != nil {
		return err
	}
	return machine.CheckISA(v.Text("isa"))
}

// checkScored refuses flags that have no meaning with --from.
func (v *evalVerb) checkScored() error {
	switch {
	case v.Path != "":
		return fault.Usage("", "%s and --from contradict each other: predictions are scored without a model", v.Path)
	case v.Task == "":
		return fault.Usage("--task labels", "--from needs --task, what the predictions are of: %s", strings.Join(prediction.Names(), ", "))
	case len(v.From) > 1 && v.Plot != "":
		return fault.Usage("", "--plot draws one table of confusion, and there are %d files: score them one after the other", len(v.From))
	case len(v.From) == 1 && len(v.Against) > 0, len(v.Against) == 1:
		return fault.Usage("--from a1.jsonl --from a2.jsonl --against b1.jsonl --against b2.jsonl",
			"--against compares runs by t-tests, which need two files or more on both sides (there are %d and %d)", len(v.From), len(v.Against))
	}
	for _, f := range []struct {
		name  string
		given bool
	}{{"--data", v.Data != ""}, {"--step", v.Step != ""}, {"--predictions", v.Predictions != ""}, {"--weights", v.Weights != ""}, {"--target", v.Target != ""},
		{"--random-weights", v.Random != nil}, {"--tokenizer", v.Tokenizer != ""}, {"--candidates", v.Candidates != nil}, {"--share", v.Share != nil},
		{"--generate", v.Generate}, {"--head", v.Wishes.Given()}} {
		if f.given {
			return fault.Usage("", "%s has no meaning with --from: predictions are scored without a model", f.name)
		}
	}
	for _, f := range v.Handed.Flags() {
		if f.Name != "" && f.Name != "--quiet" {
			return fault.Usage("", "%s has no meaning with --from: predictions are scored without a model", f.Name)
		}
	}
	return nil
}

// compare scores the predictions of several runs, and summarizes them.
func (v *evalVerb) compare(m *built.Maker) error {
	var sides [2][]*prediction.Report
	for i, files := range [][]string{v.From, v.Against} {
		for _, path := range files {
			r, err := v.score(m, path)
			if err != nil {
				return err
			}
			sides[i] = append(sides[i], r)
		}
	}
	s := evaluation.Summarize(sides[0], sides[1])
	if !v.JSON {
		evaluation.PrintSeeds(m.Out, s)
		return nil
	}
	return v.print(m, s)
}

// print prints a JSON object.
func (v *evalVerb) print(m *built.Maker, x any) error {
	text, err := json.Marshal(x)
	if err != nil {
		return err
	}
	_, err = m.Out.Write(append(text, '\n'))
	return err
}

// score scores predictions.
func (v *evalVerb) score(m *built.Maker, path string) (*prediction.Report, error) {
	o := prediction.Options{Resamples: prediction.Resamples, Seed: 1, Positive: v.Positive}
	if v.Resamples != nil {
		o.Resamples = *v.Resamples
	}
	if v.Seed != nil {
		o.Seed = *v.Seed
	}
	if len(v.From) > 1 { // their intervals are those over runs
		o.Resamples = 0
	}
	return evaluation.Score(m.Context, path, m.In, v.Task, o)
}

// evaluate makes the program of the model and runs it on the data.
func (v *evalVerb) evaluate(m *built.Maker) (*prediction.Report, error) {
	data, err := v.load(m.Context, m.In)
	if err != nil {
		return nil, err
	}
	defer data.Close() // it is thrown away
	m.Quiet = v.On("quiet")
	if is, err := runfolder.Is(v.Path); err != nil || is {
		if err != nil {
			return nil, err
		}
		return v.ofRun(m, data)
	}
	if v.Step != "" {
		return nil, fault.Usage("", "--step belongs to the folder of a run: %s is not one", v.Path)
	}
	p, err := m.Make(v.Path, model.Options{Wishes: v.Wishes, LentFlag: folder.LentFlag(v.DrawnFlag), DrawsForTokenizer: true, Target: v.Target,
		Weights: v.Weights, Seed: v.Random, Texts: true, Accept: func(u *compiler.Unit) error { return within(&v.Handed, u) }})
	if err != nil {
		return nil, err
	}
	if p.Normalize {
		v.TurnOn("normalize")
	}
	return v.against(m, p, data)
}

// ofRun evaluates a checkpoint of a run. Texts are cut as those of its training were, unless flags tell otherwise.
func (v *evalVerb) ofRun(m *built.Maker, data *evaluation.Data) (*prediction.Report, error) {
	if v.Weights != "" || v.Random != nil || v.Wishes.Given() || v.Tokenizer != "" || v.Target != "" {
		return nil, fault.Usage("leave it out", "%s is the folder of a run, which has its own weights, head, target and tokenizer", v.Path)
	}
	p, old, err := runs.Trained(m, v.Path, v.Step)
	if err != nil {
		return nil, err
	}
	if !v.Handed.Given("long") {
		v.SetText("long", old.Long)
	}
	if !v.Handed.Given("max-tokens") {
		v.SetCount("max-tokens", *old.MaxTokens)
	}
	return v.against(m, p, data)
}

// against runs the program of a model on the data.
func (v *evalVerb) against(m *built.Maker, p *built.Program, data *evaluation.Data) (*prediction.Report, error) {
	if v.Predictions != "" { // the built program, which writes them, does not know which files were read here
		if _, err := output.Place(v.Predictions); err != nil {
			return nil, err
		}
	}
	args := append(v.Handed.Flags(), p.WeightsFlag(), flags.Value("--predictions", v.Predictions), flags.OptionalCount("--resamples", v.Resamples),
		flags.Value("--positive", v.Positive), flags.OptionalCount("--candidates", v.Candidates), flags.Switch("--generate", v.Generate))
	if v.Seed != nil {
		args = append(args, flags.Value("--seed", strconv.FormatUint(*v.Seed, 10)))
	}
	if v.Share != nil {
		args = append(args, flags.Value("--share", strconv.FormatFloat(*v.Share, 'g', -1, 64)))
	}
	return evaluation.Run(m, p, data, flags.Args(args...))
}

// load reads the examples.
func (v *evalVerb) load(ctx context.Context, in io.Reader) (*evaluation.Data, error) {
	if v.Data == "-" {
		data, err := evaluation.Load(example.NewReader(in))
		if err != nil {
			return nil, fault.Input("standard input", "%v", err)
		}
		return data, nil
	}
	src, err := dataset.Open(ctx, v.Data, v.Flags.Options(v.Format))
	if err != nil {
		return nil, err
	}
	defer src.Close() // read only
	return evaluation.Load(src)
}
