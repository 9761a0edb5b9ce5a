package program

import (
	"context"
	"maps"
	"slices"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

// entityService finds entities of labels that are given at run time.
type entityService struct {
	noPairs
	extractor *task.Extractor
	labels    []string // nil: each record has its own
	o         task.EntityOptions
	single    map[string]float64 // thresholds of single labels; a record with labels of its own may lack some of them
}

var _ = serve(tasktable.Entities, (*taskFlags).extracting)

func (f *taskFlags) extracting(core *engine.Core, h *engine.Head, _ *page) (service, error) {
	x, err := task.NewExtractor(core, h.Name)
	if err != nil {
		return nil, err
	}
	s := &entityService{extractor: x, single: f.threshold.single, o: task.EntityOptions{Threshold: f.threshold.all, Nested: f.on("nested"),
		MultiLabel: f.on("multi-label")}}
	if !f.given["labels"] {
		return s, nil
	}
	if s.labels, err = f.words("labels"); err != nil {
		return nil, err
	}
	s.o.Thresholds = s.single
	if err := x.Check(s.labels, s.o); err != nil {
		return nil, usage("--labels, --threshold: %v", err)
	}
	return s, nil
}

func (s *entityService) prepare(r *record) error {
	own, err := r.list("labels")
	if err != nil {
		return err
	}
	switch {
	case own != nil && s.labels != nil:
		return faulty(r.where(), "the input has labels of its own, and --labels sets others: leave out one of the two")
	case own == nil && s.labels == nil:
		return r.lacks("there are no labels to look for", "labels")
	case own != nil:
		if err := s.extractor.Check(own, s.o); err != nil {
			return faulty(r.where(), "\"labels\": %w", err)
		}
	}
	if r.options = own; own == nil {
		r.options = s.labels
	}
	return s.noPairs.prepare(r)
}

func (s *entityService) compute(ctx context.Context, records []record) ([]outcome, error) {
	var outcomes []outcome
	for len(outcomes) < len(records) {
		rest := records[len(outcomes):]
		n := 1
		for n < len(rest) && slices.Equal(rest[n].options, rest[0].options) {
			n++
		}
		o := s.o
		if s.labels == nil {
			o.Thresholds = maps.Clone(s.single)
			maps.DeleteFunc(o.Thresholds, func(label string, _ float64) bool { return !slices.Contains(rest[0].options, label) })
		}
		results, err := s.extractor.Entities(ctx, firsts(rest[:n]), rest[0].options, o)
		if err != nil {
			return nil, err
		}
		for i := range results {
			outcomes = append(outcomes, &extracted{&results[i]})
		}
	}
	return outcomes, nil
}

// extracted is the result of one text.
type extracted struct{ *task.Extraction }

func (x *extracted) seen() runtime.Seen { return x.Seen }
func (x *extracted) object() any        { return x.Extraction }

func (x *extracted) show(p *page, r *record) {
	showEntities(p, r, x.Entities, x.Seen)
}
