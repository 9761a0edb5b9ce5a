// Package textinput has the flags of run for where texts come from, and converts the files that built programs do not read.
package textinput

import (
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/runtime/disk"
	builtprogram "github.com/debertac/debertac/runtime/program"
)

// Args are the flags of run that say where the texts come from, which fields they have, and what becomes of those that cannot be computed.
// They are handed on to the built program; nil is left out.
type Args struct {
	Input         string  `group:"Input" placeholder:"FILE" help:"Read texts from a file: .jsonl, .json (an array of objects or strings), .csv, .tsv, .parquet, or .txt with one text per line; .gz and .zst too; - is the standard input. Fields: text, pair, label, question, context, options, labels."`
	Format        string  `group:"Input" placeholder:"jsonl|json|csv|tsv|tsv-plain|lines" help:"Format of --input, if its name does not tell. In tsv-plain quotes are characters like any others."`
	OnError       string  `group:"Input" enum:"stop,skip,report" default:"stop" placeholder:"stop|skip|report" help:"What a text does that cannot be computed (too long, not UTF-8, malformed, a field missing or of a wrong type): stop ends the run, skip leaves it out, report prints its error in its place; skip and report count them and exit with 1. Default: stop."`
	ID            *string `name:"id" group:"Input" placeholder:"FIELD" help:"A field of the input to print with every result as its id."`
	Echo          *string `group:"Input" placeholder:"A,B,…" help:"Fields of the input to print with every result; under echo in JSON."`
	TextField     *string `group:"Input" placeholder:"FIELD" help:"The field or column that is the text (text)."`
	PairField     *string `group:"Input" placeholder:"FIELD" help:"The field that is the second text of a pair (pair)."`
	LabelField    *string `group:"Input" placeholder:"FIELD" help:"With --accuracy: the field that is the expected label (label)."`
	QuestionField *string `group:"Input" placeholder:"FIELD" help:"The field that is the question (question)."`
	ContextField  *string `group:"Input" placeholder:"FIELD" help:"The field that is the context to answer from (context)."`
	OptionsField  *string `group:"Input" placeholder:"FIELD" help:"The field that lists the options to choose from (options)."`
	LabelsField   *string `group:"Input" placeholder:"FIELD" help:"The field that lists the labels to look for (labels)."`
}

// Flags are the arguments of the built program.
func (i *Args) Flags() []flags.Flag {
	list := []flags.Flag{
		flags.Value("--input", i.Input), flags.Value("--format", i.Format), flags.Text("--id", i.ID), flags.Text("--echo", i.Echo), flags.Text("--text-field", i.TextField),
		flags.Text("--pair-field", i.PairField), flags.Text("--label-field", i.LabelField), flags.Text("--question-field", i.QuestionField),
		flags.Text("--context-field", i.ContextField), flags.Text("--options-field", i.OptionsField), flags.Text("--labels-field", i.LabelsField),
	}
	if i.OnError != "stop" {
		list = append(list, flags.Value("--on-error", i.OnError))
	}
	return list
}

// Check finds out before anything is built whether the input can be read.
func (i *Args) Check() error {
	if i.Input == "" || i.Input == "-" {
		return nil
	}
	st, err := disk.Stat(i.Input)
	switch {
	case err != nil:
		return err
	case st.IsDir():
		return fault.Input(i.Input, "this is a folder, a file of texts is wanted")
	}
	if i.Format == "" && !converts(i.Input) && st.Mode().IsRegular() { // the names of pipes tell nothing
		if _, err := builtprogram.InputFormat(i.Input); err != nil {
			return fault.Input(i.Input, "%s", strings.TrimPrefix(err.Error(), i.Input+": "))
		}
	}
	return nil
}
