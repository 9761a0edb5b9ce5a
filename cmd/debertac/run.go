package main

import (
	"slices"
	"strconv"
)

type runVerb struct {
	Path  string   `arg:"" help:"A spec, or a Hugging Face model folder."`
	Texts []string `arg:"" optional:"" name:"text" help:"Texts; none: the lines of the standard input."`

	Weights string  `placeholder:"FILE" help:"Packed weights; needed for a spec."`
	Target  string  `placeholder:"NAME" help:"Which target of the spec; default the first."`
	Head    string  `placeholder:"NAME" help:"Which head, if the target emits several."`
	Random  *uint64 `name:"random-weights" placeholder:"SEED" help:"Draw the weights: to see that a spec runs."`

	Input       string  `placeholder:"FILE" help:"Read texts from a file: JSONL with text and, for pairs, pair; CSV; .txt; .gz too; - is the standard input."`
	Format      string  `placeholder:"jsonl|csv|lines" help:"Format of --input, if its name does not tell."`
	JSON        bool    `name:"json" help:"One JSON object a text, in input order."`
	Special     string  `enum:"text,tokens" default:"text" help:"What a special token's name in a text is: text or tokens."`
	Long        string  `default:"reject" placeholder:"reject|truncate|windows[:STRIDE]" help:"What becomes of a text that is too long."`
	MaxTokens   int     `placeholder:"N" help:"Most tokens of a text that the model sees; default its own limit."`
	Top         int     `default:"5" placeholder:"N" help:"Print the N best labels."`
	Threads     int     `placeholder:"N" help:"Threads of a call; default the physical cores."`
	ISA         string  `name:"isa" placeholder:"SET" help:"Force an instruction set: go, avx2, avx512."`
	BatchTokens int     `placeholder:"N" help:"Compute up to N tokens together; changes speed and memory only."`
	Accuracy    bool    `help:"Compare with the label of every line of the input, and print the share that is right."`
	MinAccuracy float64 `placeholder:"PERCENT" help:"With --accuracy: exit with 3 if fewer are right."`
	Quiet       bool    `help:"No progress bar, no summary."`
}

// Help is the long help.
func (runVerb) Help() string {
	return `Compiles and builds the model, packs its weights (all three only the first time), and runs it on texts. Labels and scores go
to the standard output, in input order.

Examples:
  debertac run ~/models/spam "you won a prize" "see you at nine"
  debertac run ~/models/spam --input mails.jsonl.gz --json > results.jsonl
  debertac run nli.dspec --weights nli.weights --input pairs.csv
  cat mails.txt | debertac run ~/models/spam --long truncate`
}

// Run runs the model.
func (v *runVerb) Run(a *app) error {
	p, err := a.program(v.Path, programOptions{target: v.Target, head: v.Head, weights: v.Weights, seed: v.Random})
	if err != nil {
		return err
	}
	accuracy := ""
	if v.MinAccuracy != 0 {
		accuracy = strconv.FormatFloat(v.MinAccuracy, 'g', -1, 64)
	}
	args := flags(p.weightsFlag(), valueFlag("--input", v.Input), valueFlag("--format", v.Format), boolFlag("--json", v.JSON),
		valueFlag("--special", v.Special), valueFlag("--long", v.Long), intFlag("--max-tokens", v.MaxTokens), flag{"--top", strconv.Itoa(v.Top)},
		intFlag("--threads", v.Threads), valueFlag("--isa", v.ISA), intFlag("--batch-tokens", v.BatchTokens),
		boolFlag("--accuracy", v.Accuracy), valueFlag("--min-accuracy", accuracy), boolFlag("--quiet", v.Quiet))
	if len(v.Texts) > 0 {
		args = slices.Concat(args, []string{"--"}, v.Texts)
	}
	return p.exec(a, "run", args)
}
