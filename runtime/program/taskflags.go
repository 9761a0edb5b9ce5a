package program

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"maps"
	"math"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/task"
)

// taskFlags are the flags of run that only some tasks have.
type taskFlags struct {
	given map[string]bool // flags of the command line

	top         int
	accuracy    bool
	minAccuracy float64
	pair        string

	context, question, options, labels, template, entailment, contradiction, query, positive string
	multi, sigmoid                                                                           bool

	targets, stop                 string
	perplexity                    bool
	newTokens, topK, samples      int
	temperature, topP             float64
	seed                          uint64
	aggregate, pooling            string
	prompt                        string
	noPrompt                      bool
	normalize, nested, multiLabel bool
	bio                           bool
	thresholds                    string // of the command line
	threshold                     limits
	noAnswer                      float64
	answerTokens                  int
}

// defaultTop is how many results of a text are printed.
const defaultTop = 5

func (f *taskFlags) register(fs *flag.FlagSet) {
	fs.IntVar(&f.top, "top", defaultTop, "print the `N` best labels, candidates of a mask, answers or documents per text")
	fs.BoolVar(&f.accuracy, "accuracy", false, "compare results with the \"label\" (name or number) of each record, and print the share that is right")
	fs.Float64Var(&f.minAccuracy, "min-accuracy", 0, "with --accuracy: exit with code 3 if the accuracy is below `PERCENT`")
	fs.StringVar(&f.pair, "pair", "", "second `TEXT`, paired with every text, such as the hypothesis to each premise")
	fs.StringVar(&f.context, "context", "", "questions: the `TEXT` to answer from; the arguments or the input are questions")
	fs.StringVar(&f.question, "question", "", "questions: the `QUESTION`; the arguments or the input are texts to answer it from")
	fs.StringVar(&f.options, "options", "", "multiple choice: the `OPTIONS` to choose from, with commas between them or as a JSON array")
	fs.StringVar(&f.labels, "labels", "", "`LABELS` of your own, with commas between them or as a JSON array: an NLI model scores each text for each label (zero-shot), an entity model finds spans of them")
	fs.StringVar(&f.template, "template", "", "with --labels: the `SENTENCE` that says that a label fits, with {} in the label's place (default \""+task.DefaultTemplate+"\")")
	fs.BoolVar(&f.multi, "multi", false, "with --labels: several labels may fit: score each label by itself")
	fs.StringVar(&f.entailment, "entailment", "", "with --labels: the `LABEL` of the model that means entailment, if its name does not tell")
	fs.StringVar(&f.contradiction, "contradiction", "", "with --labels: the `LABEL` of the model that means contradiction, if its name does not tell")
	fs.StringVar(&f.query, "query", "", "rank: order all texts by how well they fit the `TEXT`, best first")
	fs.BoolVar(&f.sigmoid, "sigmoid", false, "with --query: scores from 0 to 1")
	fs.StringVar(&f.positive, "positive", "", "with --query: the `LABEL` of the model that means that a text fits, if its name does not tell")
	fs.StringVar(&f.targets, "targets", "", "masks: only these `WORDS` are candidates, with commas between them or as a JSON array")
	fs.BoolVar(&f.perplexity, "perplexity", false, "measure how well the model predicts each text, instead of filling masks or generating text")
	fs.IntVar(&f.newTokens, "max-new-tokens", 64, "text generation: at most `N` tokens")
	fs.Float64Var(&f.temperature, "temperature", 0, "text generation: 0 takes the likeliest token; a higher `T` makes less likely tokens more frequent")
	fs.IntVar(&f.topK, "top-k", 0, "with --temperature: draw from the `K` likeliest tokens; 0: all")
	fs.Float64Var(&f.topP, "top-p", 1, "with --temperature: draw from the likeliest tokens whose probabilities add up to `P`")
	fs.Uint64Var(&f.seed, "seed", 1, "with --temperature: seed of the random numbers; the same `NUMBER` gives the same text")
	fs.IntVar(&f.samples, "samples", 1, "with --temperature: generate `N` texts per prompt")
	fs.StringVar(&f.stop, "stop", "", "text generation: `STRINGS` that end a text, with commas between them or as a JSON array")
	fs.StringVar(&f.aggregate, "aggregate", "", "entities from labels of tokens: how they are joined: `none|simple|first|average|max` (default simple)")
	fs.BoolVar(&f.bio, "bio", false, "entities from labels of tokens: allow only sequences that B- and I- permit")
	fs.StringVar(&f.thresholds, "threshold", "", "smallest probability of an entity, of a label that holds, or of a replaced token: `P`, and for single labels LABEL=P, with commas between them or as a JSON object (default 0.5, and 0 for entities from labels of tokens)")
	fs.BoolVar(&f.nested, "nested", false, "entities of --labels: allow entities inside entities")
	fs.BoolVar(&f.multiLabel, "multi-label", false, "entities of --labels: allow several labels for the same words")
	fs.Float64Var(&f.noAnswer, "no-answer-threshold", 0, "questions that may have no answer: report no answer unless the best one beats it by more than `X`, in logits")
	fs.IntVar(&f.answerTokens, "answer-tokens", 30, "questions: the longest answer has `N` tokens")
	fs.StringVar(&f.pooling, "pooling", "", "embeddings of a model that returns one vector per token: `mean|first` makes one per text (default mean)")
	fs.BoolVar(&f.normalize, "normalize", false, "embeddings: scale each vector to length 1; models whose folder asks for it do so anyway")
	fs.StringVar(&f.prompt, "prompt", "", "embeddings: the `NAME` of the model's prompt that is put in front of each text (default the one that its folder names)")
	fs.BoolVar(&f.noPrompt, "no-prompt", false, "embeddings: put no prompt in front of texts")
}

// owners says which tasks' heads take a flag.
var owners = map[string][]runtime.Task{
	"top":      {runtime.TaskLabels, runtime.TaskScore, runtime.TaskSpan, runtime.TaskMLM, runtime.TaskChoices},
	"accuracy": {runtime.TaskLabels}, "min-accuracy": {runtime.TaskLabels},
	"pair":    {runtime.TaskLabels, runtime.TaskScore, runtime.TaskVector, runtime.TaskHidden, runtime.TaskMLM},
	"context": {runtime.TaskSpan, runtime.TaskChoices}, "question": {runtime.TaskSpan, runtime.TaskChoices},
	"options":  {runtime.TaskChoices},
	"labels":   {runtime.TaskLabels, runtime.TaskEntities},
	"template": {runtime.TaskLabels}, "multi": {runtime.TaskLabels}, "entailment": {runtime.TaskLabels}, "contradiction": {runtime.TaskLabels},
	"query": {runtime.TaskScore, runtime.TaskLabels}, "sigmoid": {runtime.TaskScore, runtime.TaskLabels}, "positive": {runtime.TaskLabels},
	"targets": {runtime.TaskMLM}, "perplexity": {runtime.TaskMLM}, "max-new-tokens": {runtime.TaskMLM}, "temperature": {runtime.TaskMLM},
	"top-k": {runtime.TaskMLM}, "top-p": {runtime.TaskMLM}, "seed": {runtime.TaskMLM}, "samples": {runtime.TaskMLM}, "stop": {runtime.TaskMLM},
	"aggregate": {runtime.TaskTags}, "bio": {runtime.TaskTags}, "nested": {runtime.TaskEntities}, "multi-label": {runtime.TaskEntities},
	"threshold": {runtime.TaskReplaced, runtime.TaskEntities, runtime.TaskTags, runtime.TaskLabels}, "no-answer-threshold": {runtime.TaskSpan}, "answer-tokens": {runtime.TaskSpan},
	"pooling": {runtime.TaskHidden}, "normalize": {runtime.TaskVector, runtime.TaskHidden},
	"prompt": {runtime.TaskVector, runtime.TaskHidden}, "no-prompt": {runtime.TaskVector, runtime.TaskHidden},
	"join":           {runtime.TaskLabels, runtime.TaskScore},
	"question-field": {runtime.TaskSpan, runtime.TaskChoices}, "context-field": {runtime.TaskSpan, runtime.TaskChoices},
	"options-field": {runtime.TaskChoices}, "labels-field": {runtime.TaskEntities}, "label-field": {runtime.TaskLabels},
}

// needs says which flag another one belongs to.
var needs = map[string]string{
	"min-accuracy": "accuracy", "template": "labels", "multi": "labels", "entailment": "labels", "contradiction": "labels", "sigmoid": "query", "positive": "query",
	"label-field": "accuracy",
}

// check finds values and combinations that no task takes.
func (f *taskFlags) check() error {
	for _, name := range slices.Sorted(maps.Keys(f.given)) {
		if other := needs[name]; other != "" && !f.given[other] {
			return usage("--%s needs --%s", name, other)
		}
	}
	for _, pair := range [][2]string{{"labels", "query"}, {"accuracy", "query"}, {"accuracy", "labels"}, {"pair", "query"}, {"pair", "labels"}, {"perplexity", "targets"}, {"prompt", "no-prompt"}, {"prompt", "pair"}} {
		if f.given[pair[0]] && f.given[pair[1]] {
			return usage("--%s and --%s contradict each other", pair[0], pair[1])
		}
	}
	switch {
	case f.top < 1:
		return usage("--top %d: it must be at least 1", f.top)
	case f.minAccuracy < 0 || f.minAccuracy > 100 || math.IsNaN(f.minAccuracy):
		return usage("--min-accuracy %v: it must be a percentage", f.minAccuracy)
	case math.IsNaN(f.noAnswer) || math.IsInf(f.noAnswer, 0):
		return usage("--no-answer-threshold %v: it must be a number", f.noAnswer)
	case f.answerTokens < 1:
		return usage("--answer-tokens %d: it must be at least 1", f.answerTokens)
	case f.newTokens < 1:
		return usage("--max-new-tokens %d: it must be at least 1", f.newTokens)
	case f.samples < 1 || f.samples > task.MaxResults:
		return usage("--samples %d: it must be from 1 to %d", f.samples, task.MaxResults)
	case f.topK < 0:
		return usage("--top-k %d: it must be at least 1, or 0 for all tokens", f.topK)
	case !(0 <= f.topP && f.topP <= 1):
		return usage("--top-p %v: it must be from 0 to 1", f.topP)
	case !(0 <= f.temperature && f.temperature <= math.MaxFloat64):
		return usage("--temperature %v: it must be a number from 0 on", f.temperature)
	}
	if f.given["threshold"] {
		if err := f.threshold.read(f.thresholds); err != nil {
			return err
		}
	}
	for _, l := range []struct{ name, value string }{
		{"threshold", f.thresholds}, {"pair", f.pair}, {"context", f.context}, {"question", f.question}, {"options", f.options}, {"labels", f.labels}, {"template", f.template},
		{"query", f.query}, {"targets", f.targets}, {"stop", f.stop}, {"entailment", f.entailment}, {"contradiction", f.contradiction}, {"positive", f.positive},
	} {
		if !utf8.ValidString(l.value) {
			return usage("--%s is %s", l.name, notUTF8)
		}
	}
	for _, l := range []struct{ name, value string }{
		{"entailment", f.entailment}, {"contradiction", f.contradiction}, {"positive", f.positive}, {"aggregate", f.aggregate}, {"pooling", f.pooling},
		{"question", strings.TrimSpace(f.question)},
	} {
		if f.given[l.name] && l.value == "" {
			return usage("--%s is empty", l.name)
		}
	}
	for _, l := range []struct{ name, value string }{{"labels", f.labels}, {"options", f.options}, {"targets", f.targets}, {"stop", f.stop}} {
		if !f.given[l.name] {
			continue
		}
		if _, err := list(l.name, l.value); err != nil {
			return err
		}
	}
	return nil
}

// list reads a flag's list.
func list(name, value string) ([]string, error) {
	parts, err := List(value)
	if err != nil {
		return nil, usage("--%s %q: %v", name, shorten(value, 60), err)
	}
	return parts, nil
}

// List reads the value of a flag that takes several words: parts between commas without the white space around them, or a JSON array of strings, as
// it is.
func List(value string) ([]string, error) {
	var parts []string
	if strings.HasPrefix(strings.TrimSpace(value), "[") {
		if err := json.Unmarshal([]byte(value), &parts); err != nil || len(parts) == 0 {
			return nil, errors.New("it must be words with commas between them, or a JSON array of strings such as [\"a\", \"b\"]")
		}
		return parts, nil
	}
	for _, p := range strings.Split(value, ",") {
		if p = strings.TrimSpace(p); p == "" {
			return nil, errors.New("a part between its commas is empty")
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// kindWords are the words by which debertac --head asks for heads of a task.
var kindWords = map[runtime.Task]string{
	runtime.TaskLabels: "classify", runtime.TaskScore: "score", runtime.TaskTags: "tag", runtime.TaskSpan: "answer", runtime.TaskChoices: "choose", runtime.TaskMLM: "fill-mask",
	runtime.TaskVector: "embed", runtime.TaskHidden: "embed without pooling", runtime.TaskReplaced: "rtd", runtime.TaskEntities: "entities",
}

// kindOf is the word for heads of a task.
func kindOf(t runtime.Task) string {
	if word, ok := kindWords[t]; ok {
		return word
	}
	return string(t)
}

// belong refuses flags that the head's task does not have.
func (f *taskFlags) belong(h *runtime.Head) error {
	for _, name := range slices.Sorted(maps.Keys(f.given)) {
		tasks, own := owners[name]
		if !own || slices.Contains(tasks, h.Task) {
			continue
		}
		var names []string
		for _, t := range tasks {
			names = append(names, kindOf(t))
		}
		remedy := ""
		if name == "pooling" && h.Task == runtime.TaskVector {
			remedy = "; its vectors are pooled in the model, which debertac run --pool and debertac build --pool choose"
		}
		return usage("--%s belongs to heads of the kind %s; head %q of this model is of the kind %s%s", name, strings.Join(names, " or "), h.Name, kindOf(h.Task), remedy)
	}
	return nil
}

// best is how many results of a text are wanted: what the flag says, else the default of the task.
func (f *taskFlags) best(otherwise int) int {
	if f.given["top"] {
		return f.top
	}
	return otherwise
}

// service makes what the head is for, with the flags.
func (f *taskFlags) service(core *runtime.Core, head int, p *page) (service, error) {
	h := &core.Program().Heads[head]
	if err := f.belong(h); err != nil {
		return nil, err
	}
	if core.Tokenizer() == nil {
		_, err := core.SpanTokenizer() // says what to do
		return nil, err
	}
	switch {
	case f.given["labels"] && h.Task != runtime.TaskEntities:
		return f.zeroShot(core, h)
	case f.given["query"]:
		return f.ranking(core, h)
	}
	switch h.Task {
	case runtime.TaskTags:
		return f.tagging(core, h)
	case runtime.TaskEntities:
		return f.extracting(core, h)
	case runtime.TaskReplaced:
		return f.detecting(core, h)
	case runtime.TaskSpan:
		return f.answering(core, h)
	case runtime.TaskChoices:
		return f.choosing(core, h)
	case runtime.TaskVector, runtime.TaskHidden:
		return f.embedding(core, h)
	case runtime.TaskMLM:
		return f.predicting(core, h, p)
	}
	return f.labelling(core, h)
}

// texts is what most services have in common: records are texts, with --pair pairs, and nothing comes at the end.
type texts struct {
	pair  string
	pairs bool
}

func (f *taskFlags) texts() texts { return texts{f.pair, f.given["pair"]} }

func (t texts) prepare(r *record) error {
	if err := r.needText(); err != nil {
		return err
	}
	if t.pairs {
		if r.text.Pair {
			return faulty(r.where(), "it is a pair already, and --pair would be its second text")
		}
		r.text.Second, r.text.Pair = t.pair, true
	}
	return nil
}

func (texts) end(context.Context) ([]record, []outcome, error) { return nil, nil, nil }

// firsts and pairsOf are the texts of records.
func firsts(records []record) []string {
	list := make([]string, len(records))
	for i, r := range records {
		list[i] = r.text.First
	}
	return list
}

func pairsOf(records []record) [][2]string {
	list := make([][2]string, len(records))
	for i, r := range records {
		list[i] = [2]string{r.text.First, r.text.Second}
	}
	return list
}
