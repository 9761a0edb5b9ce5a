package export

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/runfolder"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
)

// Card is what a model card tells of the run.
type Card struct {
	Title   string // of the page
	Run     runfolder.Run
	Step    int                // steps that were done when the checkpoint was written
	Metrics map[string]float64 // of the last evaluation up to then
	At      int                // steps after which they were measured
	Spec    string             // text of the spec
}

// pipelines maps tasks to the names that the hub has for them.
var pipelines = map[tasktable.Task]string{
	tasktable.Labels: "text-classification", tasktable.Tags: "token-classification", tasktable.Span: "question-answering", tasktable.Choices: "multiple-choice",
	tasktable.MLM: "fill-mask", tasktable.Vector: "sentence-similarity", tasktable.Hidden: "feature-extraction",
}

// text returns README.md. library is that which reads the folder.
func (c *Card) text(h *spec.Head, w *Written, library string) []byte {
	var b strings.Builder
	add := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	add("---")
	add("# license: write the licence of this model here; it depends on the data and on the model that the training began from")
	add("library_name: %s", library)
	if tag := pipelines[h.Task()]; tag != "" && library == "transformers" {
		add("pipeline_tag: %s", tag)
	}
	add("tags:\n- debertac\n- deberta")
	add("---\n")
	add("# %s\n", c.Title)
	add("The training `%s` of debertac %s made this model: %s after %s.\n", c.Run.Training, c.Run.Version, c.what(h), wording.Counted(c.Step, "step", "steps"))
	c.use(add, h, w, library)
	if len(c.Metrics) > 0 {
		add("## Evaluation\n\nAfter %s:\n\n| metric | value |\n|---|---|", wording.Counted(c.At, "step", "steps"))
		for _, name := range slices.Sorted(maps.Keys(c.Metrics)) {
			add("| %s | %s |", strings.TrimPrefix(name, runfolder.EvalPrefix), strconv.FormatFloat(c.Metrics[name], 'g', 6, 64))
		}
		add("")
	}
	c.data(add)
	c.training(add)
	return []byte(strings.TrimRight(b.String(), "\n") + "\n")
}

// what describes the model in words.
func (c *Card) what(h *spec.Head) string {
	began := "weights drawn by the seed"
	if c.Run.Base != "" {
		began = "the weights of " + filepath.Base(c.Run.Base)
	}
	what := fmt.Sprintf("head `%s` (%s), which began with %s", h.FullName(), h.Task(), began)
	if len(h.Labels) > 0 && len(h.Labels) <= 50 {
		what += "; labels " + strings.Join(quoted(h.Labels), ", ")
	}
	return what
}

// quoted returns words as code.
func quoted(words []string) []string {
	list := make([]string, len(words))
	for i, w := range words {
		list[i] = "`" + w + "`"
	}
	return list
}

// use describes how the folder is used.
func (c *Card) use(add func(string, ...any), h *spec.Head, w *Written, library string) {
	if library == "peft" {
		add("## Use\n\nThis is an adapter of the library PEFT. `debertac merge MODEL_FOLDER THIS_FOLDER -o merged` makes a model folder of it.\n")
		return
	}
	add("## Use\n\n```\ndebertac run THIS_FOLDER \"some text\"\n```\n")
	if w.Class != "" {
		add("```python\nfrom transformers import AutoTokenizer, %s\n", w.Class)
		add("model = %s.from_pretrained(\"THIS_FOLDER\")\ntokenizer = AutoTokenizer.from_pretrained(\"THIS_FOLDER\")\n```\n", w.Class)
	}
	for _, n := range w.Notes {
		add("Note: %s.\n", n)
	}
}

// data lists the files of data.
func (c *Card) data(add func(string, ...any)) {
	add("## Data\n\n| file | use | examples | sha256 |\n|---|---|---|---|")
	for _, d := range c.Run.Data {
		add("| %s | training | %d | `%s` |", local(d.Path), d.Examples, d.SHA256)
	}
	for _, d := range c.Run.Eval {
		add("| %s | evaluation | %d | `%s` |", local(d.Path), d.Examples, d.SHA256)
	}
	add("")
}

// local returns a text with the last words of its absolute paths alone: a card that is published does not tell about the folders of a machine.
func local(text string) string {
	return absolutePath.ReplaceAllString(text, "$1$2")
}

// absolutePath matches absolute paths at the start of a text, or after an equals sign or a comma.
var absolutePath = regexp.MustCompile(`(^|[=,] ?)/(?:[^/,=]+/)*([^/,=]*)`)

// training describes how the run is repeated.
func (c *Card) training(add func(string, ...any)) {
	var words []string
	for _, w := range c.Run.Again() {
		words = append(words, wording.Quoted(local(w)))
	}
	add("## Training\n\nWith the spec below, this command repeats the run, with the same bits on the same instruction set:\n")
	add("```\n%s\n```\n", strings.Join(words, " "))
	add("| | |\n|---|---|")
	add("| seed | %d |", c.Run.Seed)
	add("| steps | %d |", c.Run.Steps)
	for _, row := range [][2]string{{"spec", c.Run.Spec}, {"program", c.Run.Program}, {"tokenizer", c.Run.Tokenizer}, {"weights at the start", c.Run.Weights}} {
		if row[1] != "" {
			add("| sha256 of the %s | `%s` |", row[0], row[1])
		}
	}
	if c.Spec != "" {
		add("\n```\n%s\n```", strings.TrimRight(c.Spec, "\n"))
	}
}
