package main

import (
	"slices"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/cmd/debertac/textinput"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/program"
	"github.com/debertac/debertac/runtime/tasktable"
)

type runVerb struct {
	Path  string   `arg:"" help:"A spec, or a Hugging Face model folder."`
	Texts []string `arg:"" optional:"" name:"text" help:"Texts. Default: the lines of the standard input."`

	folder.Wishes
	folder.DrawnFlag
	Weights string  `placeholder:"FILE" help:"Packed weights, needed for a spec."`
	Target  string  `placeholder:"NAME" help:"Target of the spec. Default: the first that emits a model."`
	Random  *uint64 `name:"random-weights" placeholder:"SEED" help:"Draw random weights, to see that a spec runs; needs --tokenizer."`

	flags.Handed
}

// Help is the long help.
func (runVerb) Help() string {
	return `Compiles the model, builds it, packs its weights, and runs it on texts. The first three steps are done once and kept in a cache.
Results go to the standard output, in input order. They depend on the head: labels and scores, entities, answers, filled masks,
embeddings, and so on. A flag that belongs to another kind of head is refused, and the message names the kind.

Examples:
  debertac run ~/models/spam "you won a prize" "see you at nine"
  debertac run ~/models/spam --input mails.jsonl.gz --json > results.jsonl
  debertac run ~/models/spam --input mails.csv --text-field body --id number --on-error report --json > results.jsonl
  debertac run nli.dspec --weights nli.weights --input pairs.csv
  debertac run nli.dspec --random-weights 1 --tokenizer ~/models/deberta-v3-base "see that it runs"
  cat mails.txt | debertac run ~/models/spam --long truncate
  debertac run ~/models/ner "Angela Merkel visited Paris"
  debertac run ~/models/squad --question "Who visited Paris?" --context "In 2010 Angela Merkel visited Paris."
  debertac run ~/models/nli --labels "sport,politics" "The match ended in a draw."
  debertac run ~/models/deberta-base "Paris is the [MASK] of France."
  debertac run ~/models/reranker --query "capital of France" --input passages.txt
  debertac run ~/models/gliner --labels "person,place" "Angela Merkel visited Paris"`
}

// Run runs the model.
func (v *runVerb) Run(m *built.Maker) error {
	if is, err := disk.IsDir(v.Path); err == nil && is {
		switch v.Head { // these names state not only which head is wanted, but also what to do with it
		case "perplexity":
			v.TurnOn("perplexity")
		case "zero-shot":
			if !v.Handed.Given("labels") {
				return fault.Usage(`debertac run `+v.Path+` --head zero-shot --labels "sport,politics" TEXT`,
					"--head zero-shot needs --labels, what to look for")
			}
		case "rank":
			if v.plain() && !v.Handed.Given("query") && !v.Handed.Given("pair") {
				return fault.Usage(`debertac run `+v.Path+` --head rank --query "capital of France" TEXT …`,
					"--head rank needs --query, by which texts are ordered, or --pair")
			}
		}
	}
	if v.Vectors && !v.On("json") {
		return fault.Usage("--json", "--vectors needs --json: vectors are numbers, not something to look at")
	}
	if err := flags.Within(v.Numbers()...); err != nil {
		return err
	}
	if err := machine.CheckISA(v.Text("isa")); err != nil {
		return err
	}
	texts := textinput.Of(&v.Handed)
	if err := texts.Check(); err != nil {
		return err
	}
	in, err := texts.Convert(m.Context)
	if err != nil {
		return err
	}
	called := flags.Flag{}
	handed, err := texts.Handed()
	if err != nil {
		return err
	}
	if handed != nil {
		defer handed.Close() // read only
		called = flags.Value("--input-name", texts.Input)
		v.SetText("input", "-")
	}
	if in != nil {
		defer in.Close() // read only
		called = flags.Value("--input-name", texts.Input)
		v.SetText("input", "-")
		v.SetText("format", in.Format)
	}
	m.Quiet = v.On("quiet")
	p, err := m.Make(v.Path, model.Options{Wishes: v.Wishes, LentFlag: folder.LentFlag(v.DrawnFlag), DrawsForTokenizer: true, Target: v.Target,
		Weights: v.Weights, Seed: v.Random, Texts: true, Accept: v.accept})
	if err != nil {
		return err
	}
	if p.Normalize {
		v.TurnOn("normalize")
	}
	args := flags.Args(append(v.Flags(), called, p.WeightsFlag())...)
	if len(v.Texts) > 0 {
		args = slices.Concat(args, []string{"--"}, v.Texts)
	}
	if handed != nil {
		return p.Feed(m, handed, "run", args)
	}
	if in == nil {
		return p.Exec(m, "run", args)
	}
	return p.Feed(m, in, "run", args)
}

// accept refuses what the program is not compiled for, before it is built.
func (v *runVerb) accept(u *compiler.Unit) error {
	if err := within(&v.Handed, u); err != nil {
		return err
	}
	return v.enough(u)
}

// within refuses sizes beyond those that the program is compiled for.
func within(h *flags.Handed, u *compiler.Unit) error {
	b, length, tokens := u.Program.Bounds, h.Count("max-tokens"), h.Count("batch-tokens")
	switch {
	case length > b.Length:
		return fault.Usage("", "--max-tokens %d: the model is compiled for texts of up to %d tokens; --seq %d compiles a model folder for more (in a "+
			"spec: dim seq <= %d)", length, b.Length, length, length)
	case tokens > b.Tokens:
		return fault.Usage("",
			"--batch-tokens %d: the model is compiled to compute up to %d tokens together (in a spec: tokens <= %d in the target)", tokens, b.Tokens, tokens)
	}
	return nil
}

// plain reports whether the input is plain texts, without fields.
func (v *runVerb) plain() bool {
	return program.PlainTexts(len(v.Texts), v.Text("input"), v.Text("format"))
}

// enough refuses plain texts for a head that needs another field with each text, unless a flag sets that field.
func (v *runVerb) enough(u *compiler.Unit) error {
	row := tasktable.Of(u.Program.Meta.Task)
	if row == nil || !v.plain() {
		return nil
	}
	want := row.Lacking(v.Handed.Given)
	if want == "" {
		return nil
	}
	return fault.Usage(row.WantedFlag(), "a text alone is not enough for the head %s: give --%s, or an --input with a field %q", source.UnitName(u), want, want)
}
