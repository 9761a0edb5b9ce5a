package program

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/task"
	"github.com/debertac/debertac/runtime/tasktable"
)

// noPairs is the common part of services that take single texts only.
type noPairs struct{ texts }

func (noPairs) prepare(r *record) error {
	if r.text.Pair {
		return faulty(r.where(), "it is a pair, and this model's head takes single texts")
	}
	return nil
}

// tagService finds entities by the labels of tokens.
type tagService struct {
	noPairs
	tagger *task.Tagger
	o      task.TagOptions
}

var _ = serve(tasktable.Tags, (*taskFlags).tagging)

func (f *taskFlags) tagging(core *engine.Core, h *engine.Head, _ *page) (service, error) {
	t, err := task.NewTagger(core, h.Name)
	if err != nil {
		return nil, err
	}
	s := &tagService{tagger: t, o: task.TagOptions{Aggregation: task.Aggregation(f.word("aggregate")), BIO: f.on("bio"), Thresholds: f.threshold.single}}
	if f.threshold.all != nil {
		s.o.Threshold = *f.threshold.all
	}
	if _, err := t.Tag(context.Background(), nil, s.o); err != nil { // finds wrong settings before any text is read
		return nil, usage("--aggregate, --threshold: %v", err)
	}
	if s.o.BIO && !slices.ContainsFunc(t.Labels(), func(l string) bool { return strings.HasPrefix(l, "B-") }) {
		return nil, usage("--bio: no label of the head begins with B- (its labels: %s), so no sequence of labels can be wrong", strings.Join(t.Labels(), ", "))
	}
	return s, nil
}

func (s *tagService) compute(ctx context.Context, records []record) ([]outcome, error) {
	results, err := s.tagger.Tag(ctx, firsts(records), s.o)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(records))
	for i := range outcomes {
		outcomes[i] = &tagged{&results[i]}
	}
	return outcomes, nil
}

// tagged is the result of one text.
type tagged struct{ *task.Tagged }

func (t *tagged) seen() runtime.Seen { return t.Seen }
func (t *tagged) object() any        { return t.Tagged }

func (t *tagged) show(p *page, r *record) {
	showEntities(p, r, t.Entities, t.Seen)
}

// showEntities prints a text with its entities marked, and one line per entity.
func showEntities(p *page, r *record, entities []task.Entity, seen runtime.Seen) {
	var marks []mark
	var list []row
	for _, e := range entities {
		marks = append(marks, mark{e.Start, e.End})
		list = append(list, row{e.Label, e.Score, e.Text})
	}
	p.marked(r.text.First, marks, "", tail(seen.Tokens, seen.Truncated))
	p.rows(list)
}

// replacedService finds tokens of a text that do not seem to belong there.
type replacedService struct {
	noPairs
	detector  *task.Detector
	threshold float64
}

var _ = serve(tasktable.Replaced, (*taskFlags).detecting)

func (f *taskFlags) detecting(core *engine.Core, h *engine.Head, _ *page) (service, error) {
	d, err := task.NewDetector(core, h.Name)
	if err == nil && len(f.threshold.single) > 0 {
		return nil, usage("--threshold: tokens are replaced or not, and have no labels: give one number")
	}
	s := &replacedService{detector: d, threshold: 0.5}
	if f.threshold.all != nil {
		s.threshold = *f.threshold.all
	}
	return s, err
}

func (s *replacedService) compute(ctx context.Context, records []record) ([]outcome, error) {
	results, err := s.detector.Detect(ctx, firsts(records), s.threshold)
	if err != nil {
		return nil, err
	}
	outcomes := make([]outcome, len(records))
	for i := range outcomes {
		outcomes[i] = &detected{&results[i]}
	}
	return outcomes, nil
}

// detected is the result of one text.
type detected struct{ *task.Detection }

func (d *detected) seen() runtime.Seen { return d.Seen }
func (d *detected) object() any        { return d.Detection }

func (d *detected) show(p *page, r *record) {
	var marks []mark
	var list []row
	for _, v := range d.Verdicts {
		if v.Replaced {
			marks = append(marks, mark{v.Start, v.End})
			list = append(list, row{v.Text, v.Score, ""})
		}
	}
	p.marked(r.text.First, marks, "", tail(d.Tokens, d.Truncated))
	fmt.Fprintf(p, "  %d of %s seem to be replaced\n", d.Replaced, command.Plural(len(d.Verdicts), "token"))
	p.rows(list)
}
