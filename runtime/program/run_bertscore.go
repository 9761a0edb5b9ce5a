package program

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
)

// bertScoreService compares texts with their references. With --idf they wait for the end, because the weights of tokens depend on all references.
type bertScoreService struct {
	texts
	scorer  *task.BERTScorer
	o       task.BERTScoreOptions
	idf     bool
	waiting []record
}

func (f *taskFlags) comparing(core *engine.Core, h *engine.Head) (service, error) {
	m, err := task.NewBERTScorer(core, h.Name)
	if err != nil {
		return nil, err
	}
	s := &bertScoreService{texts: f.texts(), scorer: m, idf: f.on("idf")}
	base, err := f.words("baseline")
	if err != nil {
		return nil, err
	}
	if base != nil {
		var v [3]float64
		if len(base) != len(v) {
			return nil, usage("--baseline has %s: it takes three, of precision, recall and F1", command.Plural(len(base), "number"))
		}
		for i, word := range base {
			if v[i], err = strconv.ParseFloat(word, 64); err != nil || !(math.Abs(v[i]) < 1) {
				return nil, usage("--baseline %q: it must be a number between -1 and 1", word)
			}
		}
		s.o.Baseline = &task.Baseline{Precision: v[0], Recall: v[1], F1: v[2]}
	}
	return s, nil
}

func (s *bertScoreService) prepare(r *record) error {
	if err := s.texts.prepare(r); err != nil {
		return err
	}
	if !r.text.Pair {
		return faulty(r.where(), "it has no second text, the reference that --bert-score compares it with: add a field pair, or --pair TEXT")
	}
	return nil
}

func (s *bertScoreService) compute(ctx context.Context, records []record) ([]outcome, error) {
	outcomes := make([]outcome, len(records))
	if s.idf {
		s.waiting = append(s.waiting, records...)
		for i := range outcomes {
			outcomes[i] = waiting{}
		}
		return outcomes, nil
	}
	results, err := s.scorer.BERTScore(ctx, pairsOf(records), s.o)
	if err != nil {
		return nil, err
	}
	for i := range results {
		outcomes[i] = &compared{&results[i]}
	}
	return outcomes, nil
}

func (s *bertScoreService) end(ctx context.Context) ([]record, []outcome, error) {
	if len(s.waiting) == 0 {
		return nil, nil, nil
	}
	var references []string
	for _, r := range s.waiting {
		references = append(references, r.text.Second)
	}
	var err error
	if s.o.Weights, err = s.scorer.Weights(references); err != nil {
		return nil, nil, s.faultOf(err)
	}
	results, err := s.scorer.BERTScore(ctx, pairsOf(s.waiting), s.o)
	if err != nil {
		return nil, nil, s.faultOf(err)
	}
	outcomes := make([]outcome, len(results))
	for i := range results {
		outcomes[i] = &compared{&results[i]}
	}
	return slices.Clone(s.waiting), outcomes, nil
}

// faultOf returns the error of a text that waited, with its place in the input.
func (s *bertScoreService) faultOf(err error) error {
	var t *runtime.TextError
	if errors.As(err, &t) {
		return faulty(s.waiting[t.Text].where(), "%s", t.What)
	}
	return err
}

// compared is the result of one pair.
type compared struct{ *task.BERTScore }

func (c *compared) seen() runtime.Seen { return c.Seen }
func (c *compared) object() any        { return c.BERTScore }

func (c *compared) show(p *page, r *record) {
	p.title(r, c.Tokens, c.Truncated)
	fmt.Fprintf(p, "  precision %.4f  recall %.4f  F1 %.4f\n", c.Precision, c.Recall, c.F1)
}
