package hf

import (
	"fmt"
	"slices"
	"strings"
)

// part is a head whose tensors a checkpoint may hold.
type part struct {
	what   string
	tensor string // the tensor that shows that the head is there; published models have it at the top level
	tasks  []string
}

// vocabularyTasks are the tasks of every head that scores the vocabulary.
var vocabularyTasks = []string{"fill-mask", "perplexity", "generate"}

// parts returns the possible heads of a model type.
func parts(kind string) []part {
	sequence := []string{"classify", "score", "rank", "zero-shot", "choose"}
	list := []part{{"a question answering head", "qa_outputs.weight", []string{"answer"}}}
	switch kind {
	case "roberta":
		return append(list, part{"a classifier of texts", "classifier.out_proj.weight", sequence[:4]},
			part{"a classifier of tokens", "classifier.weight", []string{"tag", "choose"}},
			part{"a head for masked tokens", "lm_head.dense.weight", vocabularyTasks})
	case "bert":
		return append(list, part{"a classifier", "classifier.weight", append([]string{"tag"}, sequence...)},
			part{"a head for masked tokens", "cls.predictions.transform.dense.weight", vocabularyTasks})
	}
	return append(list, part{"a classifier", "classifier.weight", append([]string{"tag"}, sequence...)},
		part{"a head for masked tokens", legacyHead, vocabularyTasks},
		part{"a head for masked tokens", newHead, append([]string{"emd"}, vocabularyTasks...)},
		part{"a head for replaced tokens", "mask_predictions.dense.weight", []string{"rtd"}})
}

// These are the first tensors of DeBERTa's two heads for masked tokens.
const (
	legacyHead = "cls.predictions.transform.dense.weight"
	newHead    = "lm_predictions.lm_head.dense.weight"
)

// serves lists the tasks that the checkpoint has tensors for. It leaves out embed, which needs no tensors of its own.
func (h *heads) serves() []string {
	var tasks []string
	for _, p := range parts(h.kind) {
		if h.tensors[p.tensor] == nil {
			continue
		}
		for _, t := range p.tasks {
			if !slices.Contains(tasks, t) && !h.contradicts(t) {
				tasks = append(tasks, t)
			}
		}
	}
	return tasks
}

// contradicts reports whether a classifier certainly cannot serve a task. A pooler, the architecture or the number of its columns decide.
func (h *heads) contradicts(task string) bool {
	shape := h.tensors["classifier.weight"]
	if shape == nil {
		shape = h.tensors["classifier.out_proj.weight"]
	}
	one := len(shape) > 0 && shape[0] == 1
	pooled := h.tensors["pooler.dense.weight"] != nil || h.tensors[h.kind+".pooler.dense.weight"] != nil
	tokens := h.class == "tag" || h.class == "" && !pooled && h.kind != "roberta"
	switch task {
	case "tag":
		return h.class != "tag" && (h.class != "" || pooled && h.kind != "roberta")
	case "classify", "zero-shot":
		return tokens || h.class == "choose" || task == "zero-shot" && (one || !entails(h.f.labels))
	case "score", "rank":
		several := task == "score" && h.f.problem == "regression"
		return tokens || h.class == "choose" || !one && !several
	case "choose":
		return tokens || !one || !pooled || h.kind == "deberta"
	}
	return false
}

// offered returns an error if the folder cannot serve the task: it compares the task with the folder's tensors if they are known, else with its architecture.
func (h *heads) offered() error {
	task := h.opts.Task
	if task == "embed" || task == "entities" {
		return nil
	}
	deberta := task != "rtd" && task != "emd" || h.deberta()
	if h.tensors == nil {
		same := h.class == task || slices.Contains(vocabularyTasks, task) && slices.Contains(vocabularyTasks, h.class) ||
			h.class == "classify" && slices.Contains([]string{"score", "zero-shot", "rank"}, task)
		if deberta && (same || h.class == "" || slices.Contains([]string{"rtd", "emd"}, task)) {
			return nil
		}
		if !deberta {
			return fmt.Errorf("the head %s belongs to DeBERTa, the model is of model_type %s", task, h.kind)
		}
		return fmt.Errorf("the head %s is asked for, but the architecture has the head %s", task, h.class)
	}
	have := h.serves()
	if slices.Contains(have, task) || task == "zero-shot" && slices.Contains(have, "classify") { // the labels are checked later
		return nil
	}
	reason := fmt.Sprintf("the folder has no tensors for the head %s", task)
	if !deberta {
		reason = fmt.Sprintf("the head %s belongs to DeBERTa, the model is of model_type %s", task, h.kind)
	}
	return fmt.Errorf("%s; the folder serves %s", reason, strings.Join(append(have, "embed"), ", "))
}

// stray adds a note about heads that the file holds and no architecture names.
func (h *heads) stray(arch string) {
	if arch == "" {
		arch = "no architecture"
	}
	for _, p := range parts(h.kind) {
		if h.tensors[p.tensor] != nil {
			h.c.note("the file holds %s (%s), but the config names %s: the spec has the encoder alone; ask for one of the heads %s", p.what, p.tensor, arch,
				strings.Join(h.serves(), ", "))
		}
	}
}
