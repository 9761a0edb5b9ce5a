package tasktable

import "math"

// InputGroup is the group of the flags that describe the input.
const InputGroup = "Input"

// CommonFlags lists the flags of run that every task has, in the order of help: how texts are read, computed and printed, then where they
// come from.
var CommonFlags = []Flag{
	{Name: "json", Kind: Switch, Help: "Print one JSON object per text, in input order."},
	{
		Name: "special", Eval: true, Kind: Text, Placeholder: "text|tokens",
		Help:    "How the name of a special token inside a text, such as [SEP], is read: as text, or as the token.",
		Default: "text", OneOf: []string{"text", "tokens"},
	},
	{
		Name: "long", Eval: true, Kind: Text, Placeholder: "reject|truncate|windows[:STRIDE]",
		Help:    "Text that is too long: refuse it, cut its end, or read it in windows that overlap by STRIDE tokens.",
		Default: "reject",
	},
	{
		Name: "max-tokens", Eval: true, Kind: Count, Placeholder: "N",
		Help: "Limit on the tokens of a text, including special tokens. Without this flag, or for 0, it is the model's own limit.",
		Most: math.MaxInt, Must: "at least 0",
	},
	{
		Name: "join", Eval: true, Kind: Text, Placeholder: "mean|max",
		Help:    "With --long windows: how the results of the windows are joined.",
		Default: "mean", OneOf: []string{"mean", "max"},
	},
	{
		Name: "threads", Eval: true, Kind: Count, Placeholder: "N",
		Help: "Threads per call. Without this flag, or for 0, one per physical core.",
		Most: 1024, Must: "from 0 to 1024",
	},
	{Name: "pin", Eval: true, Kind: Switch, Help: "Bind threads to cores (Linux). This is faster beside other busy programs, unless they do it too."},
	{Name: "verify", Eval: true, Kind: Switch, Help: "Compare all weights with their hashes before the first text."},
	{
		Name: "isa", Eval: true, Kind: Text, Placeholder: "SET",
		Help: "Instruction set: go, avx2 or avx512. Without this flag, or for auto, the value of DEBERTAC_ISA, else the best of this machine.",
	},
	{
		Name: "adapter", Eval: true, Kind: Text, Placeholder: "NAME",
		Help: "Compute with this low-rank adapter, one of those with which the weights were packed (pack --adapter). Without this flag, with none.",
	},
	{
		Name: "batch-tokens", Eval: true, Kind: Count, Placeholder: "N",
		Help: "Compute up to N tokens at a time; 0 stands for the default. It changes speed and memory, not results.",
		Most: math.MaxInt, Must: "at least 0",
	},
	{
		Name: "examples", Kind: Count, Placeholder: "N",
		Help: "Print the results of the first N texts only. Summary and accuracy still count all.",
		Most: math.MaxInt, Must: "at least 0",
	},
	{Name: "quiet", Eval: true, Kind: Switch, Help: "Print no progress and no summary.", Wider: "Print no note about a build either."},

	{
		Name: "input", Kind: Text, Group: InputGroup, Placeholder: "FILE",
		Help: "Read texts from a file: .jsonl, .json (an array of objects or strings), " +
			".csv, .tsv, or .txt with one text per line; .gz too; - is the standard input. " +
			"Fields: text, pair, label, question, context, options, labels, schema; the pages of tasks name further ones.",
		Wider: "debertac reads .parquet and .zst too.",
	},
	{
		Name: "format", Kind: Text, Group: InputGroup, Placeholder: "jsonl|json|csv|tsv|tsv-plain|lines",
		Help: "Format of --input, if its name does not tell. In tsv-plain quotes are characters like any others.",
	},
	{
		Name: "on-error", Kind: Text, Group: InputGroup, Placeholder: "stop|skip|report",
		Help: "What happens if a text cannot be computed (too long, not UTF-8, malformed, a field missing or of a wrong type): " +
			"stop ends the run, skip leaves it out, report prints its error in its place; skip and report count them and exit with 1.",
		Default: "stop", OneOf: []string{"stop", "skip", "report"},
	},
	{Name: "id", Kind: Text, Group: InputGroup, Placeholder: "FIELD", Help: "A field of the input to print with every result as its id."},
	{
		Name: "echo", Kind: Text, Group: InputGroup, Placeholder: "A,B,…",
		Help: "Fields of the input to print with every result, with commas between them or as a JSON array; under echo in JSON.",
	},
	{Name: "text-field", Kind: Text, Group: InputGroup, Placeholder: "FIELD", Help: "The field or column that is the text.", Default: "text"},
	{Name: "pair-field", Kind: Text, Group: InputGroup, Placeholder: "FIELD", Help: "The field that is the second text of a pair.", Default: "pair"},
	{
		Name: "label-field", Kind: Text, Group: InputGroup, Placeholder: "FIELD",
		Help: "With --accuracy: the field that is the expected label.", Default: "label",
	},
	{Name: "question-field", Kind: Text, Group: InputGroup, Placeholder: "FIELD", Help: "The field that is the question.", Default: "question"},
	{Name: "context-field", Kind: Text, Group: InputGroup, Placeholder: "FIELD", Help: "The field that is the context to answer from.", Default: "context"},
	{Name: "options-field", Kind: Text, Group: InputGroup, Placeholder: "FIELD", Help: "The field that lists the options to choose from.", Default: "options"},
	{Name: "labels-field", Kind: Text, Group: InputGroup, Placeholder: "FIELD", Help: "The field that lists the labels to look for.", Default: "labels"},
}
