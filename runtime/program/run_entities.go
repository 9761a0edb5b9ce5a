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
	labels    []string           // nil: each record has its own
	o         task.EntityOptions // a record with labels of its own may lack labels of the thresholds
}

var _ = serve(tasktable.Entities, (*taskFlags).extracting)

func (f *taskFlags) extracting(core *engine.Core, h *engine.Head, _ *page) (service, error) {
	x, err := task.NewExtractor(core, h.Name)
	if err != nil {
		return nil, err
	}
	s := &entityService{extractor: x, o: task.EntityOptions{Threshold: f.threshold.all, Thresholds: f.threshold.single, Nested: f.on("nested"),
		MultiLabel: f.on("multi-label")}}
	if !f.given["labels"] {
		return s, nil
	}
	if s.labels, err = f.words("labels"); err != nil {
		return nil, err
	}
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
	in := &task.EntityInput{Text: r.text.First, Labels: s.labels}
	switch {
	case own != nil && s.labels != nil:
		return faulty(r.where(), "the input has labels of its own, and --labels sets others: leave out one of the two")
	case own == nil && s.labels == nil:
		return r.lacks("there are no labels to look for", "labels")
	case own != nil:
		in.Labels, in.Options = own, withThresholds(s.o, own)
		if err := s.extractor.Check(own, *in.Options); err != nil {
			return faulty(r.where(), "\"labels\": %w", err)
		}
	default:
		o := s.o
		in.Options = &o
	}
	if set, err := r.entityOptions(in.Options); err != nil {
		return err
	} else if set {
		if err := s.extractor.Check(in.Labels, *in.Options); err != nil {
			return faulty(r.where(), "%w", err)
		}
	}
	r.own = in
	return s.noPairs.prepare(r)
}

// entityOptions reads the settings that a record has of its own. It reports whether there are any.
func (r *record) entityOptions(o *task.EntityOptions) (set bool, err error) {
	for _, field := range []struct {
		name, must string
		value      any
	}{
		{"threshold", "a number from 0 to 1", &o.Threshold}, {"thresholds", "an object of labels with numbers from 0 to 1", &o.Thresholds},
		{"nested", "true or false", &o.Nested}, {"multi_label", "true or false", &o.MultiLabel},
	} {
		if err := r.decode(field.name, field.must, field.value); err != nil {
			return false, err
		}
		_, has := r.extra[field.name]
		set = set || has
	}
	return set, nil
}

// withThresholds returns options with the thresholds of those labels that a text asks for.
func withThresholds(o task.EntityOptions, labels []string) *task.EntityOptions {
	o.Thresholds = maps.Clone(o.Thresholds)
	maps.DeleteFunc(o.Thresholds, func(label string, _ float64) bool { return !slices.Contains(labels, label) })
	return &o
}

func (s *entityService) compute(ctx context.Context, records []record) ([]outcome, error) {
	inputs := make([]task.EntityInput, len(records))
	for i, r := range records {
		inputs[i] = *r.own.(*task.EntityInput)
	}
	results, err := s.extractor.EntitiesEach(ctx, inputs, s.o)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(results))
	for i := range results {
		outcomes[i] = &extracted{&results[i]}
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
