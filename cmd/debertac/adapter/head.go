package adapter

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/spec/hf"
)

// tasks maps the library's tasks to the classes of models, without the name of the architecture.
var tasks = map[string]string{
	"SEQ_CLS": "ForSequenceClassification", "TOKEN_CLS": "ForTokenClassification", "QUESTION_ANS": "ForQuestionAnswering", "FEATURE_EXTRACTION": "Model",
}

// classifiers are the names of the matrices whose rows are those of the labels.
var classifiers = []string{"classifier.weight", "classifier.out_proj.weight", "score.weight"}

// writeConfig writes config.json: the model's, with the architecture and the labels of the adapter's head if this head is new or has other rows.
func (p *plan) writeConfig(model, dir string, m *Merged) error {
	path := filepath.Join(model, "config.json")
	if there, err := disk.Exists(path); err != nil || !there { // a GLiNER model has another file
		return err
	}
	text, err := disk.ReadFile(path, 4<<20)
	if err != nil {
		return err
	}
	rows, fresh := p.head()
	if fresh || rows > 0 {
		o, err := hf.ReadObject(text)
		if err != nil {
			return fault.Input(path, "%v", err)
		}
		if err := p.setHead(o, rows, m); err != nil {
			return fault.Input(path, "%v", err)
		}
		text = o.Bytes()
	}
	return disk.WriteFile(filepath.Join(dir, "config.json"), text, 0o666)
}

// head reports whether the adapter has a head that the model lacks, and how many rows the classifier of the adapter has; 0: it has none.
func (p *plan) head() (rows int, fresh bool) {
	for _, name := range p.adapter.Names() {
		inner := strings.TrimPrefix(name, root)
		for _, c := range classifiers {
			if inner == c {
				if info, err := p.adapter.Info(name); err == nil && len(info.Shape) == 2 {
					rows = info.Shape[0]
				}
				fresh = fresh || p.added[inner] != ""
			}
		}
		fresh = fresh || p.added[inner] != "" && strings.HasPrefix(inner, "qa_outputs.")
	}
	return rows, fresh
}

// setHead sets the architecture of a new head, and the labels where their number is another one.
func (p *plan) setHead(o *hf.Object, rows int, m *Merged) error {
	kind := ""
	if _, err := o.Get("model_type", &kind); err != nil {
		return err
	}
	name, class := hf.ClassPrefix(kind), tasks[p.s.task]
	_, fresh := p.head()
	switch {
	case !fresh:
	case name != "" && class != "":
		if err := o.Set("architectures", []string{name + class}); err != nil {
			return err
		}
	default:
		m.Notes = append(m.Notes, fmt.Sprintf("config.json keeps its architectures, because task_type = %q of the adapter with model_type = %q of the model "+
			"does not tell the class of the new head", p.s.task, kind))
	}
	if rows == 0 {
		return nil
	}
	have, byID := 2, map[string]any{}
	if _, err := o.Get("num_labels", &have); err != nil {
		return err
	}
	if set, err := o.Get("id2label", &byID); err != nil {
		return err
	} else if set {
		have = len(byID)
	}
	if have == rows {
		return nil
	}
	labels := make([]string, rows)
	for i := range labels {
		labels[i] = fmt.Sprintf("LABEL_%d", i)
	}
	m.Notes = append(m.Notes, fmt.Sprintf("the new head has %d labels, whose names an adapter does not hold: they are LABEL_0, … in config.json", rows))
	return o.SetLabels(labels)
}
