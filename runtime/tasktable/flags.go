package tasktable

import (
	"math"
	"slices"
)

// Flag is a flag of run. debertac run has the same flags as the programs that debertac builds, and passes them on.
type Flag struct {
	Name        string
	Kind        Kind
	Group       string // the group of help of debertac that lists it; "": it is listed with the flags without a group
	Placeholder string // what help shows for the value
	Help        string // one sentence or several, without the default
	Default     string // the value without the flag; "": no value, or the model's
	Unsaid      bool   // the help of debertac does not show the default
	Wider       string // a further sentence for the help of debertac, whose flag takes more than the program's
	Eval        bool   // eval has the flag too

	OneOf []string // the values of a text; nil: every text

	Needs       string   // the flag is refused without this flag
	Contradicts []string // the flag is refused together with these flags
	Filled      bool     // an empty text is refused
	Must        string   // what the value must be, for messages about a value that is empty or out of range
	Least, Most float64  // the range of a number; both 0: every finite number
}

// Kind is the type of a flag's value.
type Kind uint8

// The kinds of values.
const (
	Switch  Kind = iota // on or off
	Text                // UTF-8
	List                // words separated by commas, or a JSON array of strings, in UTF-8
	Count               // a whole number
	Real                // a real number
	Natural             // a whole number from 0 to 2⁶⁴-1
)

// Flags lists the flags that have a meaning only for the tasks whose rows name them, in the order of help.
var Flags = []Flag{
	{
		Name: "top", Kind: Count, Placeholder: "N",
		Help:    "Print the N best labels, candidates, answers or documents per text.",
		Default: "5", Unsaid: true, Least: 1, Most: math.MaxInt64, Must: "at least 1",
	},
	{
		Name: "accuracy", Kind: Switch,
		Help:        "Compare results with the label of each record of the input, and print the share that is right.",
		Contradicts: []string{"query", "labels"},
	},
	{
		Name: "min-accuracy", Kind: Real, Placeholder: "PERCENT",
		Help:  "With --accuracy: exit with 3 if the accuracy is lower.",
		Needs: "accuracy", Most: 100, Must: "a percentage, from 0 to 100",
	},
	{
		Name: "pair", Kind: Text, Group: "Texts", Placeholder: "TEXT",
		Help:        "Second text, paired with every text.",
		Contradicts: []string{"query", "labels"},
	},
	{
		Name: "query", Kind: Text, Group: "Ranking", Placeholder: "TEXT",
		Help: "Order all texts by how well they fit this query, best first.",
	},
	{Name: "sigmoid", Kind: Switch, Group: "Ranking", Help: "Print scores from 0 to 1.", Needs: "query"},
	{
		Name: "positive", Kind: Text, Group: "Ranking", Placeholder: "LABEL",
		Help:  "Label of the model that means that a text fits, if its name does not tell.",
		Needs: "query", Filled: true,
	},
	{
		Name: "context", Kind: Text, Group: "Questions", Placeholder: "TEXT",
		Help: "Text to answer from; the arguments are questions.",
	},
	{
		Name: "question", Kind: Text, Group: "Questions", Placeholder: "QUESTION",
		Help:   "Question; the arguments are texts to answer it from.",
		Filled: true,
	},
	{
		Name: "options", Kind: List, Group: "Questions", Placeholder: "A,B,…",
		Help: "Multiple choice: options to choose from.",
	},
	{
		Name: "no-answer-threshold", Eval: true, Kind: Real, Group: "Questions", Placeholder: "X",
		Help: "Report no answer unless the best one beats it by more than X, in logits.",
		Must: "a number",
	},
	{
		Name: "answer-tokens", Eval: true, Kind: Count, Group: "Questions", Placeholder: "N",
		Help:    "Longest answer, in tokens.",
		Default: "30", Least: 1, Most: math.MaxInt64, Must: "at least 1",
	},
	{
		Name: "labels", Eval: true, Kind: List, Group: "Labels of your own", Placeholder: "A,B,…",
		Help:        "Labels of your own: an NLI model scores each text for each label, an entity model finds spans of them.",
		Contradicts: []string{"query"},
	},
	{
		Name: "template", Kind: Text, Group: "Labels of your own", Placeholder: "SENTENCE",
		Help:    "Sentence that is true if a label fits, with {} in the place of the label.",
		Default: "This example is {}.", Unsaid: true,
		Needs: "labels", Filled: true, Must: "a sentence with {} in a label's place"},
	{
		Name: "multi", Kind: Switch, Group: "Labels of your own",
		Help:  "Several labels may fit: score each label by itself.",
		Needs: "labels",
	},
	{
		Name: "entailment", Kind: Text, Group: "Labels of your own", Placeholder: "LABEL",
		Help:  "Label of the model that means entailment, if its name does not tell.",
		Needs: "labels", Filled: true,
	},
	{
		Name: "contradiction", Kind: Text, Group: "Labels of your own", Placeholder: "LABEL",
		Help:  "Label of the model that means contradiction, if its name does not tell.",
		Needs: "labels", Filled: true,
	},
	{
		Name: "schema", Kind: Text, Group: "Schemas", Placeholder: "FILE",
		Help:        "JSON file with the schema of what to look for: entities, structures, relations, classifications.",
		Contradicts: []string{"labels", "classify"}, Filled: true, Must: "the name of a file",
	},
	{
		Name: "classify", Kind: Text, Group: "Schemas", Placeholder: "TASK=A,B;…",
		Help:   "Tasks that classify each text, with their labels; semicolons stand between tasks.",
		Filled: true, Must: "TASK=LABEL,LABEL",
	},
	{
		Name: "overlap", Kind: Text, Group: "Schemas", Placeholder: "RULE",
		Help: "Which parts of a text to keep if those of a label overlap: flat, nested, longest or allow. Without the flag, the model's own rule applies.",
	},
	{
		Name: "chunk-size", Kind: Count, Group: "Schemas", Placeholder: "WORDS",
		Help:  "Read texts in windows of this number of words.",
		Least: 1, Most: math.MaxInt32, Must: "at least 1",
	},
	{
		Name: "chunk-overlap", Kind: Count, Group: "Schemas", Placeholder: "WORDS",
		Help:    "Number of words that neighboring windows share.",
		Default: "64", Unsaid: true, Needs: "chunk-size", Most: math.MaxInt32, Must: "0 or more",
	},
	{
		Name: "threshold", Eval: true, Kind: Text, Group: "Entities and tokens", Placeholder: "P,LABEL=P,…",
		Help: "Smallest probability of an entity, of a label that holds, or of a replaced token (0.5); LABEL=P for single labels.",
	},
	{Name: "nested", Eval: true, Kind: Switch, Group: "Entities and tokens", Help: "Allow entities inside entities."},
	{Name: "multi-label", Eval: true, Kind: Switch, Group: "Entities and tokens", Help: "Allow several labels for the same words."},
	{
		Name: "single-label", Kind: Switch, Group: "Labels of your own",
		Help: "One label fits: labels share one probability, and the best one is printed.",
	},
	{
		Name: "instruction", Kind: Text, Group: "Labels of your own", Placeholder: "TEXT",
		Help: "What the labels are for, in words, such as: Classify this review by sentiment. It stands between the labels and the text.", Filled: true,
	},
	{
		Name: "aggregate", Eval: true, Kind: Text, Group: "Entities and tokens", Placeholder: "none|simple|first|average|max",
		Help:    "How labels of tokens are joined to entities.",
		Default: "simple", Filled: true,
	},
	{
		Name: "bio", Eval: true, Kind: Switch, Group: "Entities and tokens",
		Help: "Allow only sequences of labels that B- and I- permit (Viterbi).",
	},
	{
		Name: "targets", Kind: List, Group: "Masks and text", Placeholder: "A,B,…",
		Help: "Words that may fill a mask. Default: all.",
	},
	{
		Name: "perplexity", Kind: Switch, Group: "Masks and text",
		Help:        "Measure how well the model predicts each text.",
		Contradicts: []string{"targets"},
	},
	{
		Name: "max-new-tokens", Eval: true, Kind: Count, Group: "Masks and text", Placeholder: "N",
		Help:    "Tokens to generate at most.",
		Default: "64", Least: 1, Most: math.MaxInt64, Must: "at least 1",
	},
	{
		Name: "temperature", Kind: Real, Group: "Masks and text", Placeholder: "T",
		Help:    "0 takes the likeliest token; higher values make less likely tokens more frequent.",
		Default: "0", Most: math.MaxFloat64, Must: "a number from 0 on",
	},
	{
		Name: "top-k", Kind: Count, Group: "Masks and text", Placeholder: "K",
		Help: "With --temperature: draw from the K likeliest tokens.",
		Most: math.MaxInt64, Must: "at least 1, or 0 for all tokens",
	},
	{
		Name: "top-p", Kind: Real, Group: "Masks and text", Placeholder: "P",
		Help:    "With --temperature: draw from the likeliest tokens whose probabilities add up to P.",
		Default: "1", Unsaid: true, Most: 1, Must: "from 0 to 1",
	},
	{
		Name: "seed", Kind: Natural, Group: "Masks and text", Placeholder: "NUMBER",
		Help:    "With --temperature: seed of the random numbers.",
		Default: "1",
	},
	{
		Name: "samples", Kind: Count, Group: "Masks and text", Placeholder: "N",
		Help:    "With --temperature: texts to generate per prompt.",
		Default: "1", Least: 1, Most: 1 << 20, Must: "from 1 to 1048576",
	},
	{
		Name: "stop", Eval: true, Kind: List, Group: "Masks and text", Placeholder: "A,B,…",
		Help: "Strings that end a generated text.",
	},
	{
		Name: "pooling", Eval: true, Kind: Text, Group: "Embeddings", Placeholder: "mean|first",
		Help:    "For models that return one vector per token (debertac run --pool none, or a spec): how they become one vector per text.",
		Default: "mean", Filled: true,
	},
	{
		Name: "normalize", Eval: true, Kind: Switch, Group: "Embeddings",
		Help: "Scale each vector to length 1. Models whose folder asks for it do so anyway.",
	},
	{
		Name: "bert-score", Kind: Switch, Group: "Embeddings",
		Help:        "Compare each text with its second one, the reference, by the vectors of their tokens: precision, recall, F1.",
		Contradicts: []string{"pooling", "normalize", "prompt", "no-prompt"},
	},
	{
		Name: "baseline", Kind: List, Group: "Embeddings", Placeholder: "P,R,F1",
		Help:  "Scores of unrelated texts, which become 0.",
		Needs: "bert-score",
	},
	{
		Name: "idf", Kind: Switch, Group: "Embeddings",
		Help:  "Weigh tokens by how few references of the input have them.",
		Needs: "bert-score",
	},
	{
		Name: "prompt", Eval: true, Kind: Text, Group: "Embeddings", Placeholder: "NAME",
		Help:        "The name of the model's prompt that is put in front of each text (the one that its folder names).",
		Contradicts: []string{"no-prompt", "pair"},
	},
	{Name: "no-prompt", Eval: true, Kind: Switch, Group: "Embeddings", Help: "Put no prompt in front of texts."},
}

// Within reports whether a number is in the flag's range.
func (f *Flag) Within(x float64) bool {
	if f.Least == 0 && f.Most == 0 {
		return !math.IsNaN(x) && !math.IsInf(x, 0)
	}
	return f.Least <= x && x <= f.Most
}

// RunFlags returns all flags of run: those of every task, then those of some.
func RunFlags() []Flag { return slices.Concat(CommonFlags, Flags) }

// EvalFlags returns the flags of run that eval has too.
func EvalFlags() (list []Flag) {
	for _, f := range RunFlags() {
		if f.Eval {
			list = append(list, f)
		}
	}
	return list
}

// FlagNamed returns the flag of run of a name, or nil.
func FlagNamed(name string) *Flag {
	for _, list := range [][]Flag{CommonFlags, Flags} {
		for i := range list {
			if list[i].Name == name {
				return &list[i]
			}
		}
	}
	return nil
}
