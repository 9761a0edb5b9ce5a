package hf

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// head is what the architecture computes from the encoder's rows, as statements.
type head struct {
	name  string
	lines []string
	rows  int // columns of the classifier
}

// prefixes are the library's class names by model type.
var prefixes = map[string]string{"deberta": "Deberta", "deberta-v2": "DebertaV2", "bert": "Bert", "roberta": "Roberta"}

// list reads a list of texts.
func (c *config) list(name string) (list []string, given bool, err error) {
	v := c.raw(name)
	if v == nil {
		return nil, false, nil
	}
	if json.Unmarshal(v, &list) != nil || strings.Contains(string(v), "null") {
		return nil, false, c.fault(name, "= %s is not a list of texts", shown(v))
	}
	return list, true, nil
}

// readHead makes the head of the architecture. Its fields are read, and so held to their types, even without one.
func (c *config) readHead(w *want, kind string, tensors map[string][]int, wanted bool) error {
	arch, err := c.architecture()
	if err != nil {
		return err
	}
	f, err := c.headFields(w, kind)
	if err != nil {
		return err
	}
	w.origin = "From a config.json with model_type " + kind
	if arch != "" {
		w.origin += ", architecture " + arch
	}
	w.origin += "."
	task, ok := strings.CutPrefix(arch, prefixes[kind])
	if arch != "" && !ok {
		return c.fault("architectures", "= %q does not belong to model_type = %q", arch, kind)
	}
	if !wanted {
		return nil
	}
	switch task {
	case "", "Model":
		c.strayHeads(arch, tensors)
	case "ForSequenceClassification":
		err = c.sequence(w, f)
	case "ForTokenClassification":
		w.head = &head{name: "tag", rows: len(f.labels)}
		w.head.add("take each", drop(f.classifier), f.labelled("cross_entropy"))
	case "ForQuestionAnswering":
		if len(f.labels) != 2 {
			return c.fault("id2label", "gives %d labels: the start and the end of an answer are 2", len(f.labels))
		}
		w.head = &head{name: "answer", rows: 2}
		w.head.add("take each", "linear 2 as span\nloss cross_entropy")
	case "ForMultipleChoice":
		if !strings.HasPrefix(kind, "deberta-v2") {
			return c.fault("architectures", "= %q: multiple choice is known for deberta-v2", arch)
		}
		w.head = &head{name: "choose", rows: 1}
		w.head.add("take first", f.pooler(), drop(f.classifier), "linear 1 as choices\nloss cross_entropy")
	case "ForMaskedLM":
		err = c.masked(w, kind, f)
	default:
		return c.fault("architectures", "= %q: known are %sModel and %sFor… MaskedLM, SequenceClassification, TokenClassification, QuestionAnswering, MultipleChoice",
			arch, prefixes[kind], prefixes[kind])
	}
	return err
}

func (h *head) add(statements ...string) {
	for _, s := range statements {
		if s != "" {
			h.lines = append(h.lines, s)
		}
	}
}

// strayHeads tells of heads that the file holds although no architecture names one.
func (c *config) strayHeads(arch string, tensors map[string][]int) {
	for _, h := range []struct{ tensor, what string }{
		{"classifier.weight", "a classifier"}, {"qa_outputs.weight", "a question answering head"},
		{"lm_predictions.lm_head.dense.weight", "a head for masked tokens"}, {"cls.predictions.transform.dense.weight", "a head for masked tokens"},
		{"mask_predictions.dense.weight", "a head for replaced tokens"},
	} {
		if tensors[h.tensor] == nil {
			continue
		}
		if arch == "" {
			arch = "no architecture"
		}
		c.note("the file holds %s (%s), but the config names %s: the spec has the encoder alone", h.what, h.tensor, arch)
	}
}

// headFields are the fields that heads read.
type headFields struct {
	labels     []string
	problem    string
	poolAct    string  // as written in the head; "" the model's default
	poolDrop   float64 // before the pooler
	classifier float64 // before the classifier
	legacy     bool
}

func (c *config) headFields(w *want, kind string) (*headFields, error) {
	f := &headFields{}
	var err error
	if f.labels, err = c.labels(); err != nil {
		return nil, err
	}
	if f.problem, err = c.text("problem_type", ""); err != nil {
		return nil, err
	}
	problems := []string{"", "regression", "single_label_classification", "multi_label_classification"}
	if !slices.Contains(problems, f.problem) {
		return nil, c.fault("problem_type", "= %q is none of %s", f.problem, strings.Join(problems[1:], ", "))
	}
	drop := "cls_dropout"
	if !strings.HasPrefix(kind, "deberta") {
		drop, f.poolAct = "classifier_dropout", "tanh"
	}
	if f.classifier, err = c.real(drop, w.dropout, "a rate in [0, 1)", isRate); err != nil {
		return nil, err
	}
	if f.legacy, err = c.boolean("legacy", true); err != nil {
		return nil, err
	}
	if f.poolAct == "tanh" {
		return f, nil
	}
	if f.poolDrop, err = c.real("pooler_dropout", 0, "a rate in [0, 1)", isRate); err != nil {
		return nil, err
	}
	if f.poolAct, err = c.act("pooler_hidden_act", "gelu"); err != nil {
		return nil, err
	}
	if f.poolAct == w.act {
		f.poolAct = ""
	}
	return f, c.pooling(w, f)
}

// pooling is how early configs wrote the pooler's fields.
func (c *config) pooling(w *want, f *headFields) error {
	v := c.raw("pooling")
	if v == nil {
		return nil
	}
	old, err := readConfig(v)
	if err != nil {
		return c.fault("pooling", "= %s: %v", shown(v), err)
	}
	old.prefix = "pooling."
	act, err := old.act("hidden_act", "gelu")
	if err != nil {
		return err
	}
	rate, err := old.real("dropout", f.poolDrop, "a rate in [0, 1)", isRate)
	if err != nil {
		return err
	}
	have := f.poolAct
	if have == "" {
		have = w.act
	}
	if c.has("pooler_hidden_act") && act != have || c.has("pooler_dropout") && rate != f.poolDrop {
		return c.fault("pooling", "= %s contradicts pooler_hidden_act or pooler_dropout", shown(v))
	}
	if f.poolDrop, f.poolAct = rate, act; act == w.act {
		f.poolAct = ""
	}
	return old.rest()
}

// labels reads id2label, or makes LABEL_0 … of num_labels, which is 2 if nothing says otherwise.
func (c *config) labels() ([]string, error) {
	n, err := c.integer("num_labels", -1, 1, 1<<16)
	if err != nil {
		return nil, err
	}
	back := c.raw("label2id")
	v := c.raw("id2label")
	if v == nil {
		if n < 0 {
			n = 2
		}
		labels := make([]string, n)
		for i := range labels {
			labels[i] = fmt.Sprintf("LABEL_%d", i)
		}
		return labels, nil
	}
	var byID map[string]string
	if json.Unmarshal(v, &byID) != nil || strings.Contains(string(v), "null") {
		return nil, c.fault("id2label", "= %s is not an object from numbers to texts", shown(v))
	}
	labels := make([]string, len(byID))
	seen := map[string]string{}
	for i := range labels {
		key := strconv.Itoa(i)
		name, ok := byID[key]
		switch {
		case !ok:
			return nil, c.fault("id2label", "has %d entries, but none for %d", len(byID), i)
		case name == "":
			return nil, c.fault("id2label", "has an empty name for %d", i)
		case seen[name] != "":
			return nil, c.fault("id2label", "has the name %q for both %s and %d", name, seen[name], i)
		}
		labels[i], seen[name] = name, key
	}
	if n >= 0 && n != len(labels) || len(labels) == 0 {
		return nil, c.fault("id2label", "has %d names, but num_labels = %d", len(labels), max(n, 0))
	}
	if back != nil {
		var ids map[string]int
		if json.Unmarshal(back, &ids) != nil {
			return nil, c.fault("label2id", "= %s is not an object from texts to numbers", shown(back))
		}
		for i, name := range labels {
			if id, ok := ids[name]; ok && id != i {
				return nil, c.fault("label2id", "has %d for %q, but id2label has %d", id, name, i)
			}
		}
	}
	return labels, nil
}

func drop(rate float64) string {
	if rate == 0 {
		return ""
	}
	return "dropout " + number(rate)
}

// number prints a float the short way that reads back the same.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// pooler is act(W·x0 + b).
func (f *headFields) pooler() string {
	lines := "linear hidden\n" + strings.TrimSpace("act "+f.poolAct)
	if d := drop(f.poolDrop); d != "" {
		lines = d + "\n" + lines
	}
	return lines
}

// labelled is the classifier with the labels' names.
func (f *headFields) labelled(loss string) string {
	quoted := make([]string, len(f.labels))
	for i, l := range f.labels {
		quoted[i] = strconv.Quote(l)
	}
	return fmt.Sprintf("linear %d as labels(%s)\nloss %s", len(f.labels), strings.Join(quoted, ", "), loss)
}

// sequence is the classification of whole sequences, by problem_type.
func (c *config) sequence(w *want, f *headFields) error {
	n := len(f.labels)
	w.head = &head{name: "classify", rows: n}
	w.head.add("take first", f.pooler(), drop(f.classifier))
	switch {
	case f.problem == "" && n == 1, f.problem == "regression" && n == 1:
		w.head.name = "score"
		w.head.add("linear 1 as score\nloss mean_squared_error")
	case f.problem == "regression":
		w.head.name = "score"
		w.head.add(fmt.Sprintf("linear %d\nloss mean_squared_error", n))
		if !strings.HasPrefix(f.labels[0], "LABEL_") {
			c.note("problem_type is regression over %d columns: the names of id2label are left out", n)
		}
	case f.problem == "multi_label_classification":
		w.head.add(f.labelled("binary_cross_entropy"))
	default:
		w.head.add(f.labelled("cross_entropy"))
	}
	return nil
}

// masked is the prediction of masked tokens: the legacy head works at the width of the tables, the new one at hidden.
func (c *config) masked(w *want, kind string, f *headFields) error {
	w.head = &head{name: "mlm", rows: w.vocab}
	w.head.add("take masked")
	if strings.HasPrefix(kind, "deberta") && !f.legacy {
		if w.width != w.hidden {
			return c.fault("legacy", "= false: the new head needs embedding_size = hidden_size, not %d and %d", w.width, w.hidden)
		}
		w.head.add(`from "lm_predictions.lm_head"`)
	}
	width := "hidden"
	if w.width != w.hidden {
		width = strconv.Itoa(w.width)
	}
	w.head.add("linear "+width, "act", "norm", "linear vocab tied embed.token", "loss cross_entropy")
	return nil
}
