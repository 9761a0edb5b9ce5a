package hf

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// head is the part of the architecture after the encoder, as statements of the language.
type head struct {
	name    string
	lines   []string
	rows    int  // columns of the classifier; 0: there is no classifier
	decoder bool // the head reads the enhanced mask decoder
}

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

func (h *head) add(statements ...string) {
	for _, s := range statements {
		if s != "" {
			h.lines = append(h.lines, s)
		}
	}
}

// headFields holds the fields that heads read.
type headFields struct {
	labels     []string
	problem    string
	poolAct    string  // as the head writes it; "": the model's default
	poolDrop   float64 // dropout before the pooler
	classifier float64 // dropout before the classifier
	legacy     bool
	tied       bool // a head on the vocabulary uses the token table as its weight
	causal     bool // no query sees later tokens
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
		return nil, c.fault("problem_type", "= %q is not one of %s", f.problem, strings.Join(problems[1:], ", "))
	}
	if f.tied, err = c.boolean("tie_word_embeddings", true); err != nil {
		return nil, err
	}
	drop := "cls_dropout"
	if !strings.HasPrefix(kind, "deberta") {
		drop, f.poolAct = "classifier_dropout", "tanh"
	}
	if _, err = c.real("classifier_dropout", 0, "a rate in [0, 1)", isRate); err != nil { // DeBERTa's classes ignore the field
		return nil, err
	}
	if f.classifier, err = c.real(drop, w.dropout, "a rate in [0, 1)", isRate); err != nil {
		return nil, err
	}
	if f.legacy, err = c.boolean("legacy", true); err != nil {
		return nil, err
	}
	if f.causal, err = c.boolean("is_decoder", false); err != nil || f.poolAct == "tanh" {
		return f, err
	}
	if f.causal {
		return nil, c.refuse("is_decoder", "= true: only false is understood of DeBERTa, whose classes have no mask of their own")
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

// oldPoolerTable lists the fields of the object pooling.
var oldPoolerTable = []group{{Applied, "hidden_act dropout", "the pooler", nil}, {Harmless, "hidden_size", "compared with the tensors", nil}}

// pooling reads the pooler's fields as early configs write them.
func (c *config) pooling(w *want, f *headFields) error {
	v := c.raw("pooling")
	if v == nil {
		return nil
	}
	old, err := readConfig(v)
	if err != nil {
		return c.fault("pooling", "= %s: %v", shown(v), err)
	}
	old.prefix, old.table = "pooling.", oldPoolerTable
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

func drop(rate float64) string {
	if rate == 0 {
		return ""
	}
	return "dropout " + number(rate)
}

// number returns the shortest text that reads back as v.
func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

// pooler returns the statements of act(W·x0 + b).
func (f *headFields) pooler() string {
	lines := "linear hidden\n" + strings.TrimSpace("act "+f.poolAct)
	if d := drop(f.poolDrop); d != "" {
		lines = d + "\n" + lines
	}
	return lines
}

// labelled returns the classifier with the labels' names.
func (f *headFields) labelled(loss string) string {
	quoted := make([]string, len(f.labels))
	for i, l := range f.labels {
		quoted[i] = strconv.Quote(l)
	}
	return fmt.Sprintf("linear %d as labels(%s)\nloss %s", len(f.labels), strings.Join(quoted, ", "), loss)
}
