package prediction

import (
	"errors"
	"fmt"
	"slices"

	"github.com/debertac/debertac/runtime/metrics"
)

// found holds entities: those that are right and those that were predicted, of each example.
type found struct {
	namer
	gold, predicted [][]metrics.Span
	single          []*metrics.Classes // the counts of each example, once they are wanted
	counts          *metrics.Classes
}

func (f *found) take(gold, predicted []metrics.Span) {
	for _, s := range slices.Concat(gold, predicted) {
		f.of(s.Label)
	}
	f.gold, f.predicted = append(f.gold, gold), append(f.predicted, predicted)
}

func (f *found) units() int { return len(f.gold) }

// count adds up the counts of a sample.
func (f *found) count(sample []int) *metrics.Classes {
	if f.counts == nil {
		f.counts = metrics.NewClasses(len(f.list))
		for i := range f.gold {
			c := metrics.NewClasses(len(f.list))
			c.Matched(f.gold[i], f.predicted[i], f.of)
			f.single = append(f.single, c)
		}
	}
	f.counts.Clear()
	for _, i := range sample {
		f.counts.Join(f.single[i])
	}
	return f.counts
}

func (f *found) measure(sample []int, out []float64) {
	c := f.count(sample)
	micro := c.Micro()
	copy(out, []float64{c.Macro().F1, micro.F1, micro.F1, micro.Precision, micro.Recall})
}

func (f *found) names() ([]string, int) {
	list := []string{"f1_macro", "f1_micro", "f1", "precision", "recall"}
	return list, len(list)
}

func (f *found) finish(r *Report) {
	all := make([]int, len(f.gold))
	for i := range all {
		all[i] = i
	}
	c := f.count(all)
	for _, i := range f.sorted() {
		r.Classes = append(r.Classes, Class{f.list[i], c.Of(i), c.Gold[i]})
	}
}

// tags are predictions of a list of tags each. Entities are counted as seqeval does in its default mode.
type tags struct {
	found
	right, words []int
}

func (t *tags) add(p *Prediction) error {
	gold, ok := classNames(p.Gold)
	if !ok {
		return errors.New(`"gold" must be the list of right tags`)
	}
	label, ok := classNames(p.Label)
	if !ok {
		return errors.New(`"label" must be the list of tags that were predicted`)
	}
	if len(gold) != len(label) {
		return fmt.Errorf("\"gold\" has %d tags and \"label\" %d: there must be one of each per word", len(gold), len(label))
	}
	if slices.Contains(gold, "") || slices.Contains(label, "") {
		return errors.New("a tag is empty: a word without an entity has the tag O")
	}
	right := 0
	for i, g := range gold {
		if g == label[i] {
			right++
		}
	}
	t.take(metrics.TagSpans(gold), metrics.TagSpans(label))
	t.right, t.words = append(t.right, right), append(t.words, len(gold))
	return nil
}

func (t *tags) names() ([]string, int) {
	list, _ := t.found.names()
	list = append([]string{"accuracy"}, list...)
	return list, len(list)
}

func (t *tags) measure(sample []int, out []float64) {
	right, words := 0.0, 0.0
	for _, i := range sample {
		right, words = right+float64(t.right[i]), words+float64(t.words[i])
	}
	out[0] = right / words
	t.found.measure(sample, out[1:])
}

// spans are predictions of a list of entities each. An entity is right if its label and both of its ends are.
type spans struct{ found }

func (s *spans) add(p *Prediction) error {
	gold, err := entities(p.Gold, "gold")
	if err != nil {
		return err
	}
	predicted, err := entities(p.Label, "label")
	if err != nil {
		return err
	}
	s.take(gold, predicted)
	return nil
}

// entities reads a list of entities. nil stands for an empty list.
func entities(v any, field string) ([]metrics.Span, error) {
	wrong := fmt.Errorf("%q must be a list of entities, with label, start and end each", field)
	list, ok := v.([]any)
	if !ok {
		return nil, wrong
	}
	var spans []metrics.Span
	for _, x := range list {
		o, ok := x.(map[string]any)
		if !ok {
			return nil, wrong
		}
		label, ok := className(o["label"])
		start, first := realOf(o["start"])
		end, last := realOf(o["end"])
		if !ok || !first || !last || start != float64(int(start)) || end != float64(int(end)) {
			return nil, wrong
		}
		spans = append(spans, metrics.Span{Label: label, Start: int(start), End: int(end)})
	}
	return spans, nil
}
