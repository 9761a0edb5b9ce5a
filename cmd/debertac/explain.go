package main

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/reference"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/zoo"
)

type explainVerb struct {
	What   string `arg:"" optional:"" help:"Message code, word of the language, published model, file of the zoo, or spec; - is the standard input."`
	Tokens *int   `placeholder:"N" help:"With --json: count the operations of one sequence of N tokens. Default: the model's seq."`
	JSON   bool   `name:"json" help:"For a spec: print the sums, one JSON object per model, head and training."`
}

// Help is the long help.
func (explainVerb) Help() string {
	return `For a message code, explain prints what it means, with an example. For a word, it prints how the word is written, and where.
For a spec or a published model, it prints every statement that makes numbers, with its place, shape, parameters and
operations (a multiply-add counts as two), and for a training of a spec what a step computes, moves and keeps in memory; with
--json the sums of the parameters, and of the useful operations that bench counts, and for a training those of a step. For a
file of the zoo, which the comments of generated code cite, it prints the numbered lines. Without an argument it lists the
message codes.

Examples:
  debertac explain index-kind
  debertac explain score
  debertac explain model.dspec --json --tokens 512
  debertac explain deberta_v3_base
  debertac explain zoo/deberta_v3.dspec`
}

// Run explains the code, word, model, file or spec that is named.
func (v *explainVerb) Run(c *console.Console) error {
	if err := flags.Within(flags.Whole("--tokens", v.Tokens, 1, math.MaxInt)); err != nil {
		return err
	}
	switch {
	case v.Tokens != nil && !v.JSON:
		return fault.Usage("debertac explain --help", "--tokens belongs to --json")
	case v.What == "" && v.JSON:
		return fault.Usage("debertac explain model.dspec --json", "--json belongs to a spec or a published model, and none is named")
	case v.What == "":
		return reference.Codes(c.Out)
	}
	if there, err := disk.Exists(v.What); v.What == "-" || there || err != nil {
		src, err := source.Load(c, v.What)
		if err != nil {
			return err
		}
		if err := v.spec(c.Out, src.Spec); err != nil {
			return err
		}
		if v.JSON {
			return reference.TrainingSums(c, src)
		}
		return reference.Trainings(c, src)
	}
	if m := spec.ZooModel(v.What); m != nil {
		published := *m
		published.Like = slices.DeleteFunc(slices.Clone(m.Like), func(name string) bool { return name == m.Name }) // the zoo lists it as like itself
		return v.spec(c.Out, &spec.Spec{Name: v.What, Models: []*spec.Model{&published}})
	}
	if v.JSON {
		return fault.Usage("debertac explain model.dspec --json", "--json belongs to a spec or a published model, and %s is neither", v.What)
	}
	if info, ok := diag.Find(diag.Code(v.What)); ok {
		_, err := fmt.Fprint(c.Out, info.Page())
		return err
	}
	if rows := reference.Rows(v.What); len(rows) > 0 {
		return reference.Words(c.Out, rows)
	}
	if text := zoo.Text(v.What); text != nil {
		return printNumbered(c.Out, text)
	}
	return fault.Input(v.What, "this is not a file, a message code, a word of the language or a model of the zoo").Hint("debertac explain")
}

// printNumbered prints a text with the numbers of its lines.
func printNumbered(out io.Writer, text []byte) error {
	n := 0
	for line := range strings.Lines(string(text)) {
		n++
		if _, err := fmt.Fprintf(out, "%4d  %s", n, line); err != nil {
			return err
		}
	}
	return nil
}

// spec prints the resolved spec, or with --json the sums of its parameters and operations.
func (v *explainVerb) spec(out io.Writer, s *spec.Spec) error {
	if v.JSON {
		return reference.Sums(out, s, v.Tokens)
	}
	_, err := fmt.Fprint(out, spec.Explain(s))
	return err
}
