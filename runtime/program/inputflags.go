package program

import (
	"context"
	"flag"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/disk"
)

// inputFlags are the flags of run that say where the texts come from, which fields they have, and what becomes of those that cannot be computed.
type inputFlags struct {
	given map[string]bool // flags of the command line

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
	fs.StringVar(&f.input, "input", "", "read texts from a `FILE`: .jsonl, .json (an array of objects or strings), .csv, .tsv, or .txt with one text per line; .gz too; - is standard input. Fields: text, pair, label, question, context, options, labels")
	fs.StringVar(&f.format, "format", "", "the `FORMAT` of --input, if its name does not tell: "+strings.Join(FormatNames(), "|")+"; in tsv-plain quotes are characters like any others")
	fs.StringVar(&f.called, "input-name", "", "messages call the input `NAME`: for one that debertac run has converted; the lines of a Parquet file are its rows")
	fs.StringVar(&f.onError, "on-error", errorStop, "what a text does that cannot be computed (too long, not UTF-8, malformed, a field missing or of a wrong type): `stop|skip|report`. skip leaves it out, report prints its error in its place; both count them and exit with 1")
	fs.StringVar(&f.id, "id", "", "the `FIELD` of the input that is printed with every result as its id")
	fs.StringVar(&f.echoed, "echo", "", "`FIELDS` of the input to print with every result, with commas between them or as a JSON array; under \"echo\" in JSON")
	fs.StringVar(&f.text, "text-field", "text", "the `FIELD` or column that is the text")
	fs.StringVar(&f.pairField, "pair-field", "pair", "the `FIELD` that is the second text of a pair")
	fs.StringVar(&f.label, "label-field", "label", "with --accuracy: the `FIELD` that is the expected label")
	fs.StringVar(&f.questionField, "question-field", "question", "the `FIELD` that is the question")
	fs.StringVar(&f.contextField, "context-field", "context", "the `FIELD` that is the context to answer from")
	fs.StringVar(&f.optionsField, "options-field", "options", "the `FIELD` that lists the options to choose from")
	fs.StringVar(&f.labelsField, "labels-field", "labels", "the `FIELD` that lists the labels to look for")
}

// check finds values that fit no input, and makes the columns of the others.
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
	case !slices.Contains([]string{errorStop, errorSkip, errorReport}, f.onError):
		return usage("--on-error %s: it must be stop, skip or report", f.onError)
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
		format, _ = InputFormat(f.input) // opening it says what is wrong
		if st, err := disk.Stat(f.input); format == "" && err == nil && !st.Mode().IsRegular() {
			f.format = formatJSONL // a pipe, whose name tells nothing
		}
	}
	if named != "" && (f.input == "" || format == formatLines) {
		return usage("--%s belongs to an --input with fields (JSONL, JSON, CSV, TSV): lines and arguments are texts and nothing else", named)
	}
	return nil
}

// fromTerminal reports whether a person is to type the texts.
func (r *runFlags) fromTerminal(s *session, args []string) bool {
	whole := r.taskFlags.given["context"] && r.taskFlags.given["question"]
	return s.InTerminal && len(args) == 0 && (r.input == "" && !whole || r.input == "-")
}

// source chooses where the texts come from.
func (r *runFlags) source(ctx context.Context, s *session, args []string) (*input, error) {
	nothing := func() error { return nil }
	switch {
	case r.taskFlags.given["context"] && r.taskFlags.given["question"]:
		if r.input != "" || len(args) > 0 {
			return nil, usage("--question and --context are a whole question: further texts have no part in it; give only one of the two, and the other in the texts")
		}
		return &input{source: &arguments{texts: []string{r.word("question")}}, size: -1, close: nothing}, nil
	case r.input != "" && len(args) > 0:
		return nil, usage("texts come from --input or from the arguments, not both: %q", shorten(args[0], 40))
	case r.input != "":
		return opening{r.input, r.format, r.called, r.fields}.open(ctx, s.In)
	case len(args) > 0:
		return &input{source: &arguments{texts: args}, size: -1, close: nothing}, nil
	}
	return opening{path: "-", format: formatLines, columns: r.fields}.open(ctx, s.In)
}
