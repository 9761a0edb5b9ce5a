package main

import (
	"slices"

	"github.com/debertac/debertac/runtime/disk"
)

type runVerb struct {
	Path  string   `arg:"" help:"A spec, or a Hugging Face model folder."`
	Texts []string `arg:"" optional:"" name:"text" help:"Texts. Default: the lines of the standard input."`

	wishes
	drawnFlag
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

	inputArgs
	taskArgs
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
func (v *runVerb) Run(a *app) error {
	if is, err := disk.IsDir(v.Path); err == nil && is {
		switch v.Head { // the names of what a folder's head is wanted for say what is to be done with it
		case "perplexity":
			v.turnOn("perplexity")
		case "zero-shot":
			if !v.taskArgs.given("labels") {
				return usage(`debertac run `+v.Path+` --head zero-shot --labels "sport,politics" TEXT`, "--head zero-shot needs --labels, what to look for")
			}
		}
	}
	if err := within(v.numbers()...); err != nil {
		return err
	}
	if err := checkISA(v.ISA); err != nil {
		return err
	}
	if err := v.inputArgs.check(); err != nil {
		return err
	}
	in, err := v.inputArgs.convert(a.ctx)
	if err != nil {
		return err
	}
	called := flag{}
	handed, err := v.inputArgs.handed()
	if err != nil {
		return err
	}
	if handed != nil {
		defer handed.Close() // read only
		called = flag{"--input-name", v.Input}
		v.Input = "-"
	}
	if in != nil {
		defer in.close() // read only
		called = flag{"--input-name", v.Input}
		v.Input, v.Format = "-", in.format
	}
	a.quiet = v.Quiet
	p, err := a.program(v.Path, programOptions{wishes: v.wishes, lentFlag: lentFlag(v.drawnFlag), draw: true, target: v.Target, weights: v.Weights, seed: v.Random, texts: true, accept: v.accept})
	if err != nil {
		return err
	}
	if p.normalize {
		v.turnOn("normalize")
	}
	args := flags(append(slices.Concat(v.taskArgs.flags(), v.inputArgs.flags()), called, p.weightsFlag(), boolFlag("--json", v.JSON),
		valueFlag("--special", v.Special), valueFlag("--long", v.Long), intFlag("--max-tokens", v.MaxTokens), valueFlag("--join", v.Join), numberFlag("--examples", v.Examples),
		intFlag("--threads", v.Threads), boolFlag("--pin", v.Pin), boolFlag("--verify", v.Verify), valueFlag("--isa", v.ISA), intFlag("--batch-tokens", v.BatchTokens),
		boolFlag("--quiet", v.Quiet))...)
	if len(v.Texts) > 0 {
		args = slices.Concat(args, []string{"--"}, v.Texts)
	}
	if handed != nil {
		return p.feed(a, handed, "run", args)
	}
	if in == nil {
		return p.exec(a, "run", args)
	}
	return p.feed(a, in, "run", args)
}
