package program

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

// labelService labels texts, or scores them if the head returns one plain number.
type labelService struct {
	texts
	classifier *engine.Classifier
	labels     []string
	head       *engine.Head
	top        int
	thresholds []float32 // one per label, for choosing labels; nil: all labels are printed
	shower     *shower
	score      func(logit float64) float64 // applied to the number of a head that returns one plain number
	results    []runtime.Classification    // reused
}

var (
	_ = serve(tasktable.Labels, (*taskFlags).labelling)
	_ = serve(tasktable.Score, (*taskFlags).labelling)
)

func (f *taskFlags) labelling(core *engine.Core, h *engine.Head, _ *page) (service, error) {
	switch {
	case f.given["labels"]:
		return f.zeroShot(core, h)
	case f.given["query"]:
		return f.ranking(core, h)
	}
	k, err := engine.NewClassifier(core, h.Name)
	if err != nil {
		return nil, err
	}
	s := &labelService{texts: f.texts(), classifier: k, labels: k.Labels(), head: h, top: f.best(defaultTop)}
	if s.score, err = task.ScoreActivation(core); err != nil {
		return nil, err
	}
	switch {
	case f.on("accuracy") && s.regression():
		return nil, usage("--accuracy compares labels; head %q of this model returns one number", h.Name)
	case f.given["top"] && s.regression():
		return nil, usage("--top needs --query, by which texts are ordered; head %q of this model returns one number for each", h.Name)
	case f.given["threshold"] && !h.Independent:
		return nil, usage("--threshold chooses among labels that do not exclude each other; those of head %q do exclude each other: take the best one", h.Name)
	case f.given["threshold"]:
		s.thresholds, err = f.threshold.of(s.labels, 0.5)
	}
	return s, err
}

// regression reports whether the head returns one plain number.
func (s *labelService) regression() bool {
	return s.head.C == 1 && !s.head.Independent && len(s.head.Labels) == 0
}

func (s *labelService) compute(ctx context.Context, records []record) ([]outcome, error) {
	for len(s.results) < len(records) {
		s.results = append(s.results, runtime.Classification{})
	}
	var err error
	if dst := s.results[:len(records)]; records[0].text.Pair {
		err = s.classifier.ClassifyPairsInto(ctx, dst, pairsOf(records))
	} else {
		err = s.classifier.ClassifyInto(ctx, dst, firsts(records))
	}
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(records))
	for i := range outcomes {
		outcomes[i] = &classified{s, &s.results[i]}
	}
	return outcomes, nil
}

// classified is the result of one text.
type classified struct {
	service *labelService
	*runtime.Classification
}

// measure is the JSON of a head that returns one number and no labels: regression, reward, ranking.
type measure struct {
	Score     float32 `json:"score"`
	Tokens    int     `json:"tokens"`
	Truncated int     `json:"truncated"`
}

func (c *classified) seen() runtime.Seen { return c.Seen }

// number returns the one number of the head.
func (c *classified) number() float32 { return float32(c.service.score(float64(c.Logits[0]))) }

// chosenLabels is the JSON of a text whose labels were chosen by --threshold.
type chosenLabels struct {
	Labels []string `json:"labels"` // labels whose scores reach their thresholds, the best first
	*runtime.Classification
}

func (c *classified) object() any {
	switch s := c.service; {
	case s.regression():
		return measure{c.number(), c.Tokens, c.Truncated}
	case s.thresholds != nil:
		names := []string{}
		for _, i := range c.above() {
			names = append(names, s.labels[i])
		}
		return chosenLabels{names, c.Classification}
	}
	return c.Classification
}

// above returns the indices of the labels that reach their thresholds, or nil if there are no thresholds.
func (c *classified) above() []int {
	if c.service.thresholds == nil {
		return nil
	}
	list, _ := c.Above(c.service.thresholds...) // thresholds were checked, and are as many as labels
	return list
}

func (c *classified) show(p *page, r *record) {
	if c.service.regression() {
		fmt.Fprintf(p, "%10.4f  ", c.number())
		p.title(r, c.Tokens, c.Truncated)
		return
	}
	if c.service.shower == nil {
		c.service.shower = newShower(p, c.service.labels, c.service.top)
	}
	c.service.shower.show(r, c.Classification, c.above())
}

// right reports whether the label is the one in the input. If the label in the input can be read as a name and as a number, the name counts.
func (c *classified) right(r *record) (bool, error) {
	labels := c.service.labels
	if !r.hasLabel {
		return false, faultOf(kindMissing, r.where(), "no \"label\" to compare with, which --accuracy needs")
	}
	if i := labelIndex(labels, r.label); i >= 0 {
		return i == c.Index, nil
	}
	return false, faulty(r.where(), "the model has no label %q (it has: %s)", command.Shorten(r.label, 40), command.Shorten(strings.Join(labels, ", "), 200))
}

// labelIndex returns the number of a label that is given by its name or number, or -1. A text that is both counts as a name.
func labelIndex(labels []string, text string) int {
	if i := slices.Index(labels, text); i >= 0 {
		return i
	}
	if i, err := strconv.Atoi(text); err == nil && i >= 0 && i < len(labels) {
		return i
	}
	return -1
}
