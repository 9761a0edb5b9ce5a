package hf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/tasktable"
)

// Tasks lists the words for the heads that a caller can ask for.
var Tasks = func() (words []string) {
	for _, w := range tasktable.Wishes {
		words = append(words, w.Word)
	}
	return words
}()

// Pools lists the ways in which rows of tokens become an embedding: their mean, the first row, the first row through the model's pooler, or the rows
// themselves.
var Pools = []string{"mean", "first", "pooler", "none"}

// Masks lists the words for the keys that a query sees: all tokens, no later token, or no later token except those of the first of two texts.
var Masks = []string{"all", "causal", "prefix"}

// Check returns an error for an option whose word is unknown, or for options that contradict each other. Spec calls it too; Check alone finds what no folder
// could serve.
func (o *Options) Check() error {
	for _, f := range []struct {
		what, value string
		known       []string
	}{{"head", o.Task, Tasks}, {"pooling", o.Pool, Pools}, {"mask", o.Mask, Masks}} {
		if f.value != "" && !slices.Contains(f.known, f.value) {
			return fmt.Errorf("unknown %s %q (known: %s)", f.what, f.value, strings.Join(f.known, ", "))
		}
	}
	switch {
	case o.Layer < 0:
		return fmt.Errorf("there is no layer %d: they count from 1", o.Layer)
	case o.Layer > 0 && o.Task != "embed":
		return fmt.Errorf("layer %d is asked for: heads other than embed were trained on the last layer", o.Layer)
	case o.Pool != "" && o.Task != "embed":
		return fmt.Errorf("the pooling %s belongs to the head embed", o.Pool)
	case o.Mask != "" && !slices.Contains(vocabularyTasks, o.Task):
		return fmt.Errorf("the mask %s belongs to the heads %s", o.Mask, strings.Join(vocabularyTasks, ", "))
	}
	return nil
}

// prefixes maps model types to the prefixes of the library's class names.
var prefixes = map[string]string{"deberta": "Deberta", "deberta-v2": "DebertaV2", "bert": "Bert", "roberta": "Roberta"}

// classes maps the library's class names, without the prefix, to tasks.
var classes = map[string]string{
	"": "", "Model": "", "ForSequenceClassification": "classify", "ForTokenClassification": "tag", "ForQuestionAnswering": "answer",
	"ForMultipleChoice": "choose", "ForMaskedLM": "fill-mask", "ForPreTraining": "fill-mask", "LMHeadModel": "fill-mask", "ForCausalLM": "fill-mask",
}

// missing lists the classes that the library does not have for a model type.
var missing = map[string][]string{
	"deberta": {"ForMultipleChoice", "ForPreTraining", "LMHeadModel", "ForCausalLM"}, "deberta-v2": {"ForPreTraining", "LMHeadModel", "ForCausalLM"},
	"bert": {"ForCausalLM"}, "roberta": {"ForPreTraining", "LMHeadModel"},
}

// known lists the classes of a model type.
func known(kind string) string {
	var names []string
	for class, task := range classes {
		if task != "" && !slices.Contains(missing[kind], class) {
			names = append(names, prefixes[kind]+class)
		}
	}
	slices.Sort(names)
	return prefixes[kind] + "Model, " + strings.Join(names, ", ")
}

// readHead makes the head that the caller asks for, or the architecture's. It reads the fields of the head, and so checks their types, even if there is no
// head.
func (c *config) readHead(w *want, kind string, tensors map[string][]int, opts Options, wanted bool) error {
	arch, err := c.architecture()
	if err != nil {
		return err
	}
	before := len(c.warned)
	f, err := c.headFields(w, kind)
	if err != nil {
		return err
	}
	ofLabels := c.warned[before:len(c.warned):len(c.warned)]
	c.warned = c.warned[:before:before] // they matter only for a head with labels
	w.origin = "From a config.json with model_type " + kind
	if arch != "" {
		w.origin += ", architecture " + arch
	}
	w.origin += "."
	class, ok := strings.CutPrefix(arch, prefixes[kind])
	if arch != "" && !ok {
		return c.fault("architectures", "= %q does not belong to model_type = %q", arch, kind)
	}
	if !wanted {
		return nil
	}
	task, ok := classes[class]
	if !ok || slices.Contains(missing[kind], class) {
		return c.fault("architectures", "= %q: known are %s", arch, known(kind))
	}
	if class == "ForPreTraining" {
		c.note("%s also judges whether two texts follow one another: that head is left out", arch)
	}
	if f.causal {
		w.mask = "j <= i"
	}
	h := &heads{c: c, w: w, f: f, kind: kind, class: task, tensors: tensors, opts: opts}
	switch {
	case opts.Task != "":
		if err := h.offered(); err != nil {
			return err
		}
		task = opts.Task
	case task == "" && opts.sentences() != nil:
		task, h.opts.Task = "embed", "embed"
	case task == "":
		h.stray(arch)
	}
	c.allow("sentence_transformers", "activation_fn", "sbert_ce_default_activation_function") // ReadBeside reads them
	if err := opts.Beside.serve(task, len(f.labels)); err != nil {
		return err
	}
	if err := h.make(task); err != nil {
		return err
	}
	if w.head != nil && w.head.rows > 0 && task != "answer" {
		c.warned = append(c.warned, ofLabels...)
	}
	return nil
}

// heads makes the head of one model.
type heads struct {
	c       *config
	w       *want
	f       *headFields
	kind    string
	class   string // the task of the architecture; "": none
	tensors map[string][]int
	opts    Options
}

// make adds the head of a task.
func (h *heads) make(task string) error {
	switch task {
	case "":
		return nil
	case "classify", "score", "zero-shot", "rank":
		return h.sequence(task)
	case "tag":
		h.w.head = &head{name: "tag", rows: len(h.f.labels)}
		labels := h.f.labelled("cross_entropy")
		if h.chained() {
			labels = strings.Replace(labels, "\nloss", "\ncrf\nloss", 1)
		}
		h.w.head.add("take each", drop(h.f.classifier), labels)
		return nil
	case "answer":
		if len(h.f.labels) != 2 {
			return h.c.fault("id2label", "has %d labels: the start and the end of an answer need 2", len(h.f.labels))
		}
		h.w.head = &head{name: "answer", rows: 2}
		h.w.head.add("take each", "linear 2 as span\nloss cross_entropy")
		return nil
	case "choose":
		h.w.head = &head{name: "choose", rows: 1}
		pooler := h.f.pooler()
		if !h.deberta() { // the pooler of BERT and RoBERTa
			pooler = "linear hidden\nact tanh"
		}
		h.w.head.add("take first", pooler, drop(h.f.classifier), "linear 1 as choices\nloss cross_entropy")
		return nil
	case "embed":
		return h.embed()
	case "rtd":
		return h.replaced()
	case "entities":
		return fmt.Errorf("entities for labels given at run time need a GLiNER model, whose config is gliner_config.json")
	}
	if task == "extract" {
		return fmt.Errorf("schemas need a GLiNER2 model, whose config.json has model_type extractor")
	}
	if task == "own-labels" {
		return fmt.Errorf("labels of your own need a GLiClass model, whose config.json has model_type GLiClass; for models of entailment the head is zero-shot")
	}
	return h.masked(task)
}

// chained reports whether the checkpoint has a conditional random field over the labels of tokens, as the pytorch-crf library stores it. The config does not
// tell.
func (h *heads) chained() bool {
	n := len(h.f.labels)
	has := false
	for _, t := range []struct {
		name  string
		shape []int
	}{{"crf.transitions", []int{n, n}}, {"crf.start_transitions", []int{n}}, {"crf.end_transitions", []int{n}}} {
		shape, ok := h.tensors[t.name]
		has = has || ok
		if has && !slices.Equal(shape, t.shape) {
			h.c.note("crf.transitions and its like are not those of the pytorch-crf library for %d labels: each token's label is taken by itself", n)
			return false
		}
	}
	if has {
		h.c.note("labels are decoded together, by the transitions of the checkpoint's conditional random field")
	}
	return has
}

func (h *heads) deberta() bool { return strings.HasPrefix(h.kind, "deberta") }

// sequence adds the classification of whole sequences, by problem_type.
func (h *heads) sequence(task string) error {
	f, n := h.f, len(h.f.labels)
	h.w.head = &head{name: "classify", rows: n}
	h.w.head.add("take first", f.pooler(), drop(f.classifier))
	one := n == 1 && f.problem != "multi_label_classification" && f.problem != "single_label_classification"
	switch {
	case task == "zero-shot" && !entails(f.labels) && !unnamed(f.labels):
		return h.c.fault("id2label", "= %s: zero-shot classification needs a model of entailment, with a label that begins with entail",
			strings.Join(f.labels, ", "))
	case n != 1 && (task == "rank" || task == "score" && f.problem != "regression"):
		return h.c.fault("id2label", "has the %d labels %s: the head %s is one number per text", n, strings.Join(f.labels, ", "), task)
	case one || n == 1 && (task == "score" || task == "rank"):
		h.w.head.name = "score"
		h.w.head.add("linear 1 as score\nloss mean_squared_error")
	case f.problem == "regression":
		h.w.head.name = "score"
		h.w.head.add(fmt.Sprintf("linear %d\nloss mean_squared_error", n))
		if !strings.HasPrefix(f.labels[0], "LABEL_") {
			h.c.note("problem_type is regression over %d columns: the names of id2label are left out", n)
		}
	case f.problem == "multi_label_classification":
		h.w.head.add(f.labelled("binary_cross_entropy"))
	default:
		h.w.head.add(f.labelled("cross_entropy"))
	}
	if task == "zero-shot" && !entails(f.labels) {
		h.c.note("id2label = %s: no name tells which label means entailment: name it with --entailment, such as --entailment %s", strings.Join(f.labels, ", "),
			f.labels[n-1])
	}
	if task == "zero-shot" || task == "rank" {
		h.w.head.name = strings.ReplaceAll(task, "-", "_")
	}
	return nil
}

// unnamed reports whether there are several labels and all have the names that the transformers library makes from their numbers.
func unnamed(labels []string) bool {
	for i, l := range labels {
		if l != fmt.Sprintf("LABEL_%d", i) {
			return false
		}
	}
	return len(labels) > 1
}

// entails reports whether a label means that one text follows from another.
func entails(labels []string) bool {
	return slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(strings.ToLower(l), "entail") })
}

// ClassPrefix returns the beginning of the library's class names for a model type, such as DebertaV2; "" if the type is not known.
func ClassPrefix(kind string) string { return prefixes[kind] }
