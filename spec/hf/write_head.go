package hf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
)

// heads that a config describes, by their tasks.
var writers = map[tasktable.Task]func(*writer) error{
	tasktable.Labels: (*writer).labelled, tasktable.Score: (*writer).score, tasktable.Tags: (*writer).tags, tasktable.Span: (*writer).span,
	tasktable.Choices: (*writer).choices, tasktable.MLM: (*writer).vocabulary, tasktable.Replaced: (*writer).replaced, tasktable.Vector: (*writer).vector,
	tasktable.Hidden: (*writer).vector,
}

// head sets the fields of the head.
func (w *writer) head() error {
	if w.h == nil {
		w.class("Model")
		return w.err
	}
	write := writers[w.h.Task()]
	if write == nil {
		return fmt.Errorf("head %s: a config.json has no field for a head of the task %s", w.h.FullName(), w.h.Task())
	}
	if err := write(w); err != nil {
		return fmt.Errorf("head %s: %w", w.h.FullName(), err)
	}
	if mask := w.m.Encoder.Attention.Mask; mask != spec.MaskLive && (w.deberta() || mask == spec.MaskPrefix) {
		if w.h.Task() != tasktable.MLM {
			return fmt.Errorf("mask %s: a config.json has no field for it", mask)
		}
		w.out.Wish.Mask = map[spec.MaskKind]string{spec.MaskCausal: "causal", spec.MaskPrefix: "prefix"}[mask]
		w.without("the library has no class of model_type %s with mask %s: debertac reads the folder with --mask %s", w.kind, mask, w.out.Wish.Mask)
	}
	return w.err
}

// class sets the architecture.
func (w *writer) class(name string) {
	w.out.Class = prefixes[w.kind] + name
	w.set("architectures", []string{w.out.Class})
}

// without notes that the library has no class for the head.
func (w *writer) without(format string, args ...any) {
	w.out.Class = ""
	w.o.Delete("architectures")
	w.gone = append(w.gone, "architectures")
	w.out.Notes = append(w.out.Notes, fmt.Sprintf(format, args...))
}

// names sets the labels.
func (w *writer) names(labels []string) {
	w.gone = append(w.gone, "num_labels")
	if err := w.o.SetLabels(labels); err != nil && w.err == nil {
		w.err = err
	}
}

// numbered returns the library's names of n labels.
func numberedLabels(n int) []string {
	labels := make([]string, n)
	for i := range labels {
		labels[i] = numbered("LABEL", i)
	}
	return labels
}

// pooler sets what a head does before its classifier: dropout, an activation after a product, dropout.
func (w *writer) pooler() {
	last := 0
	for i, s := range w.h.Steps {
		if s.Kind == spec.StepLinear {
			last = i
		}
	}
	w.poolerOf(w.h.Steps[:last])
}

// poolerOf sets what steps do before a classifier.
func (w *writer) poolerOf(steps []*spec.Step) {
	act, before, between := "", 0.0, 0.0
	for i, s := range steps {
		switch s.Kind {
		case spec.StepAct:
			act = s.Act
		case spec.StepDropout:
			if slices.ContainsFunc(steps[i:], func(s *spec.Step) bool { return s.Kind == spec.StepLinear }) {
				before = s.Rate
			} else {
				between = s.Rate
			}
		}
	}
	if !w.deberta() {
		w.set("classifier_dropout", between)
		return
	}
	w.set("pooler_dropout", before)
	w.set("cls_dropout", between)
	if act != "" {
		w.set("pooler_hidden_act", actName(act))
	}
	w.gone = append(w.gone, "pooling")
}

// from refuses tensors with a prefix of their own.
func (w *writer) from() error {
	if w.h.From != "" {
		return fmt.Errorf("from %q: the library's class has other names for its tensors", w.h.From)
	}
	return nil
}

// labelled writes a classification of sequences.
func (w *writer) labelled() error {
	w.class("ForSequenceClassification")
	w.out.Wish.Task = "classify"
	w.pooler()
	problem := "single_label_classification"
	if w.h.Loss == tasktable.BinaryCrossEntropy || w.h.Loss == tasktable.Focal {
		problem = "multi_label_classification"
	}
	w.set("problem_type", problem)
	w.names(w.h.Labels)
	return w.from()
}

// score writes a head of one number for a sequence.
func (w *writer) score() error {
	w.class("ForSequenceClassification")
	w.out.Wish.Task = "score"
	w.pooler()
	w.set("problem_type", "regression")
	w.names(numberedLabels(1))
	return w.from()
}

// tags writes a classification of tokens.
func (w *writer) tags() error {
	if w.h.Loss != "" && w.h.Loss != tasktable.CrossEntropy {
		return fmt.Errorf("loss %s: labels of tokens exclude each other in the library", w.h.Loss)
	}
	w.class("ForTokenClassification")
	w.out.Wish.Task = "tag"
	w.pooler()
	w.names(w.h.Labels)
	w.gone = append(w.gone, "problem_type")
	for _, s := range w.h.Steps {
		switch s.Kind {
		case spec.StepCRF:
			w.out.Notes = append(w.out.Notes, "the library has no conditional random field: it computes the logits and ignores the "+
				"transitions, which debertac reads")
		case spec.StepDecode:
			w.out.Notes = append(w.out.Notes, fmt.Sprintf("a config.json has no field for decode %s, which excludes sequences of labels", s.Decode))
		}
	}
	return w.from()
}

// span writes the answering of questions.
func (w *writer) span() error {
	w.class("ForQuestionAnswering")
	w.out.Wish.Task = "answer"
	w.gone = append(w.gone, "problem_type", "id2label", "label2id", "num_labels") // without labels there are two columns
	return w.from()
}

// choices writes multiple choice.
func (w *writer) choices() error {
	if slices.Contains(missing[w.kind], "ForMultipleChoice") {
		return fmt.Errorf("as choices: the library has no class for it with model_type %s", w.kind)
	}
	w.class("ForMultipleChoice")
	w.out.Wish.Task = "choose"
	w.pooler()
	w.gone = append(w.gone, "problem_type", "id2label", "label2id", "num_labels")
	return w.from()
}

// newHeadName is the beginning of the tensors of DeBERTa's newer head for masked tokens.
const newHeadName = "lm_predictions.lm_head"

// vocabulary writes a head that predicts tokens.
func (w *writer) vocabulary() error {
	w.out.Wish.Task = "fill-mask"
	causal := w.m.Encoder.Attention.Mask == spec.MaskCausal
	switch {
	case w.deberta() || !causal:
		w.class("ForMaskedLM")
	case w.kind == "bert":
		w.class("LMHeadModel")
	default:
		w.class("ForCausalLM")
	}
	if w.deberta() {
		w.set("legacy", w.h.From == "")
	}
	if w.h.From != "" && (!w.deberta() || w.h.From != newHeadName) {
		return fmt.Errorf("from %q: the library's class has other names for its tensors", w.h.From)
	}
	tied := slices.ContainsFunc(w.h.Steps, func(s *spec.Step) bool { return s.Tied != "" })
	w.set("tie_word_embeddings", tied)
	w.gone = append(w.gone, "problem_type")
	if w.h.Decoder != nil {
		w.out.Wish.Task = "emd"
		w.without("the library has no class with DeBERTa's mask decoder: debertac reads the folder with --head emd")
	}
	return nil
}

// replaced writes the head of a discriminator.
func (w *writer) replaced() error {
	if !w.deberta() {
		return fmt.Errorf("it judges replaced tokens, which model_type %s has no head for", w.kind)
	}
	w.out.Wish.Task = "rtd"
	w.without("the library has no class for heads that judge replaced tokens: it loads the encoder, and debertac reads the folder with --head rtd")
	return w.from()
}

// pools maps the rows of a head to the word for its pooling.
var pools = map[spec.Rows]string{spec.Mean: "mean", spec.First: "first", spec.Each: "none"}

// vector writes the encoder alone, whose rows become vectors.
func (w *writer) vector() error {
	if w.h.Out == w.m.Hidden || len(w.h.Steps) == 0 {
		w.out.Wish.Task = "embed"
		w.out.Wish.Pool = pools[w.h.Take.Rows]
		if len(w.h.Steps) > 0 {
			w.out.Wish.Pool = "pooler"
			w.poolerOf(w.h.Steps)
		}
		w.class("Model")
		return w.from()
	}
	if w.h.Loss != tasktable.MeanSquaredError {
		return fmt.Errorf("linear %d: no class of the library has such a head", w.h.Out)
	}
	w.class("ForSequenceClassification") // a regression with several numbers
	w.out.Wish.Task = "score"
	w.pooler()
	w.set("problem_type", "regression")
	w.names(numberedLabels(w.h.Out))
	return w.from()
}

// clone copies an object.
func (o *Object) clone() *Object {
	c := NewObject()
	c.c.order = slices.Clone(o.c.order)
	for name, value := range o.c.fields {
		c.c.fields[name] = []byte(strings.Clone(string(value)))
	}
	return c
}
