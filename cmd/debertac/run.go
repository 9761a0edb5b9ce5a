package main

import (
	"math"
	"slices"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/cmd/debertac/textinput"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
)

type runVerb struct {
	Path  string   `arg:"" help:"A spec, or a Hugging Face model folder."`
	Texts []string `arg:"" optional:"" name:"text" help:"Texts. Default: the lines of the standard input."`

	folder.Wishes
	folder.DrawnFlag
	Weights string  `placeholder:"FILE" help:"Packed weights, needed for a spec."`
	Target  string  `placeholder:"NAME" help:"Target of the spec. Default: the first."`
	Random  *uint64 `name:"random-weights" placeholder:"SEED" help:"Draw random weights, to see that a spec runs; needs --tokenizer."`

	JSON        bool   `name:"json" help:"Print one JSON object per text, in input order."`
	Special     string `enum:"text,tokens" default:"text" placeholder:"text|tokens" help:"How the name of a special token inside a text, such as [SEP], is read: as text, or as the token. Default: text."`
	Long        string `default:"reject" placeholder:"reject|truncate|windows[:STRIDE]" help:"Text that is too long: refuse it, cut its end, or read it in windows that overlap by STRIDE tokens."`
	MaxTokens   int    `placeholder:"N" help:"Limit on the tokens of a text. Default, and for 0: the limit of the model."`
	Join        string `placeholder:"mean|max" help:"With --long windows: how the results of the windows are joined (mean)."`
	Threads     int    `placeholder:"N" help:"Threads per call. Default, and for 0: the number of physical cores."`
	Pin         bool   `help:"Bind threads to cores (Linux). This is faster beside other busy programs, unless they do it too."`
	Verify      bool   `help:"Compare all weights with their hashes before the first text."`
	ISA         string `name:"isa" placeholder:"SET" help:"Instruction set: go, avx2 or avx512. Default: the best of this machine."`
	BatchTokens int    `placeholder:"N" help:"Compute up to N tokens at a time; for 0, as many as the default. It changes speed and memory, not results."`
	Examples    *int   `placeholder:"N" help:"Print the results of the first N texts only. Summary and accuracy still count all."`
	Quiet       bool   `help:"Print no progress, no summary, and no note about a build."`

	textinput.Args
	flags.Tasks
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
		switch v.Head { // the names of what a folder's head is wanted for say what is to be done with it
		case "perplexity":
			v.TurnOn("perplexity")
		case "zero-shot":
			if !v.Tasks.Given("labels") {
				return fault.Usage(`debertac run `+v.Path+` --head zero-shot --labels "sport,politics" TEXT`, "--head zero-shot needs --labels, what to look for")
			}
		}
	}
	if err := flags.Within(v.numbers()...); err != nil {
		return err
	}
	if err := machine.CheckISA(v.ISA); err != nil {
		return err
	}
	if err := v.Args.Check(); err != nil {
		return err
	}
	in, err := v.Args.Convert(m.Context)
	if err != nil {
		return err
	}
	called := flags.Flag{}
	handed, err := v.Args.Handed()
	if err != nil {
		return err
	}
	if handed != nil {
		defer handed.Close() // read only
		called = flags.Value("--input-name", v.Input)
		v.Input = "-"
	}
	if in != nil {
		defer in.Close() // read only
		called = flags.Value("--input-name", v.Input)
		v.Input, v.Format = "-", in.Format
	}
	m.Quiet = v.Quiet
	p, err := m.Make(v.Path, model.Options{Wishes: v.Wishes, LentFlag: folder.LentFlag(v.DrawnFlag), Draw: true, Target: v.Target, Weights: v.Weights, Seed: v.Random, Texts: true, Accept: v.accept})
	if err != nil {
		return err
	}
	if p.Normalize {
		v.TurnOn("normalize")
	}
	args := flags.Args(append(slices.Concat(v.Tasks.Flags(), v.Args.Flags()), called, p.WeightsFlag(), flags.Switch("--json", v.JSON),
		flags.Value("--special", v.Special), flags.Value("--long", v.Long), flags.Count("--max-tokens", v.MaxTokens), flags.Value("--join", v.Join), flags.OptionalCount("--examples", v.Examples),
		flags.Count("--threads", v.Threads), flags.Switch("--pin", v.Pin), flags.Switch("--verify", v.Verify), flags.Value("--isa", v.ISA), flags.Count("--batch-tokens", v.BatchTokens),
		flags.Switch("--quiet", v.Quiet))...)
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

// numbers are those of run. They are held to their ranges here, before anything is built; the built program, which can be called by itself, holds
// them to the same ones.
func (v *runVerb) numbers() []flags.Number {
	return append(v.Tasks.Numbers(),
		flags.Whole("--max-tokens", &v.MaxTokens, 0, math.MaxInt), flags.Whole("--batch-tokens", &v.BatchTokens, 0, math.MaxInt), flags.Whole("--threads", &v.Threads, 0, runtime.MaxThreads),
		flags.Whole("--examples", v.Examples, 0, math.MaxInt))
}

// accept holds the sizes to those that the program is compiled for, before it is built.
func (v *runVerb) accept(u *compiler.Unit) error {
	b := u.Program.Bounds
	switch {
	case v.MaxTokens > b.Length:
		return fault.Usage("", "--max-tokens %d: the model is compiled for texts of up to %d tokens; --seq %d compiles a model folder for more (in a spec: dim seq <= %d)", v.MaxTokens, b.Length, v.MaxTokens, v.MaxTokens)
	case v.BatchTokens > b.Tokens:
		return fault.Usage("", "--batch-tokens %d: the model is compiled to compute up to %d tokens together (in a spec: tokens <= %d in the target)", v.BatchTokens, b.Tokens, v.BatchTokens)
	}
	return nil
}
