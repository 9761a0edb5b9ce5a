package program

import (
	"context"
	"flag"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/disk"
)

// inputFlags holds the flags of run for where the texts come from, which fields they have, and what happens to those that cannot be computed.
type inputFlags struct {
	*tableFlags

	input, format, called  string
	onError, echoed        string
	id                     string
	text, pairField, label string
	questionField          string
	contextField           string
	optionsField           string
	labelsField            string
	fields                 *columns
}

func (f *inputFlags) register(fs *flag.FlagSet) {
	fs.StringVar(&f.called, "input-name", "", "messages call the input `NAME`: for one that debertac run has converted; the lines of a Parquet file are "+
		"its rows")
	f.declareAll(fs, map[string]any{
		"input": &f.input, "format": &f.format, "on-error": &f.onError, "id": &f.id, "echo": &f.echoed,
		"text-field": &f.text, "pair-field": &f.pairField, "label-field": &f.label, "question-field": &f.questionField,
		"context-field": &f.contextField, "options-field": &f.optionsField, "labels-field": &f.labelsField,
	})
}

// check returns an error for values that fit no input. Otherwise it sets the columns.
func (f *inputFlags) check() error {
	switch {
	case f.format != "" && !slices.Contains(FormatNames(), f.format):
		return usage("--format %s: it must be one of %s", f.format, strings.Join(FormatNames(), ", "))
	case f.format != "" && f.input == "":
		return usage("--format belongs to --input")
	case f.given["label-field"] && !f.given["accuracy"]:
		return usage("--label-field needs --accuracy")
	case f.called != "" && f.input == "":
		return usage("--input-name belongs to --input")
	}
	f.fields = defaultColumns()
	named := ""
	for _, c := range []struct{ flag, what, value string }{
		{"id", "id", f.id}, {"text-field", "text", f.text}, {"pair-field", "pair", f.pairField}, {"label-field", "label", f.label},
		{"question-field", "question", f.questionField}, {"context-field", "context", f.contextField}, {"options-field", "options", f.optionsField},
		{"labels-field", "labels", f.labelsField},
	} {
		if !f.given[c.flag] {
			continue
		}
		if c.value == "" {
			return usage("--%s is empty: it must be the name of a field", c.flag)
		}
		f.fields.name[c.what], f.fields.wanted[c.what], named = c.value, true, c.flag
	}
	if f.given["echo"] {
		names, err := list("echo", f.echoed)
		if err != nil {
			return err
		}
		for i, name := range names {
			if slices.Contains(names[:i], name) {
				return usage("--echo names the field %q twice", name)
			}
		}
		f.fields.echo, f.fields.seen, named = names, make([]bool, len(names)), "echo"
	}
	format := f.format
	if format == "" && f.input != "" && f.input != "-" {
		format, _ = InputFormat(f.input) // opening it reports what is wrong
		if st, err := disk.Stat(f.input); format == "" && err == nil && !st.Mode().IsRegular() {
			f.format = formatJSONL // a pipe's name does not tell its format
		}
	}
	if named != "" && (f.input == "" || format == formatLines) {
		return usage("--%s belongs to an --input with fields (JSONL, JSON, CSV, TSV): lines and arguments are texts without other fields", named)
	}
	return nil
}

// fromTerminal reports whether the texts come from a person who types.
func (r *runFlags) fromTerminal(s *session, args []string) bool {
	whole := r.taskFlags.given["context"] && r.taskFlags.given["question"]
	return s.InTerminal && len(args) == 0 && (r.input == "" && !whole || r.input == "-")
}

// source opens the input that the texts come from.
func (r *runFlags) source(ctx context.Context, s *session, args []string) (*input, error) {
	nothing := func() error { return nil }
	switch {
	case r.taskFlags.given["context"] && r.taskFlags.given["question"]:
		if r.input != "" || len(args) > 0 {
			return nil, usage("--question and --context together are one whole question, so there can be no further texts: give only one of the two flags, " +
				"and the other part in the texts")
		}
		return &input{source: &arguments{texts: []string{r.word("question")}}, size: -1, close: nothing}, nil
	case r.input != "" && len(args) > 0:
		return nil, usage("texts come from --input or from the arguments, not both: %q", command.Shorten(args[0], 40))
	case r.input != "":
		return opening{r.input, r.format, r.called, r.fields}.open(ctx, s.In)
	case len(args) > 0:
		return &input{source: &arguments{texts: args}, size: -1, close: nothing}, nil
	}
	return opening{path: "-", format: formatLines, columns: r.fields}.open(ctx, s.In)
}
