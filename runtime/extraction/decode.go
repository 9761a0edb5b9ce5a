package extraction

import (
	"cmp"
	"math"
	"slices"
)

// SpanNumbers are the numbers of a head that scores spans of limited width, for one text. Marks are indices into Input.Marks.
type SpanNumbers interface {
	// Class returns the logit of a label of a classification.
	Class(mark int) float32
	// Count returns the logits of the numbers of instances, from 0 to MaxCount, of the task at a [P].
	Count(mark int) []float32
	// Span returns the logits of the spans that begin at a word, by their width less one, for the label at a mark and an instance. Words count those of
	// choices, which come first.
	Span(mark, instance, word int) []float32
}

// decoder turns numbers into a result.
type decoder struct {
	schema  *Schema
	in      *Input
	numbers SpanNumbers
	o       *Options
	overlap Overlap
	choice  map[string]int // the first word of the choices, by its lower case
	result  *Result
}

// DecodeSpans returns the result for a text from the numbers of a head that scores spans. Schema and options must have passed their checks.
func DecodeSpans(s *Schema, in *Input, n SpanNumbers, o *Options) *Result {
	d := &decoder{schema: s, in: in, numbers: n, o: o, overlap: o.Overlap, result: newResult(s, in)}
	if d.overlap == DefaultOverlap {
		d.overlap = Greedy
	}
	d.choice = make(map[string]int, len(in.Choices))
	for i, w := range slices.Backward(in.Choices) {
		d.choice[Lower(w)] = i
	}
	for i := range in.Tasks {
		t := &in.Tasks[i]
		if t.Kind == ClassificationTask {
			d.result.Answers = append(d.result.Answers, answer(&s.Classifications[t.Index], classLogits(t, n.Class), 1))
			continue
		}
		count := argmax(n.Count(t.Mark))
		switch t.Kind {
		case EntityTask:
			if count > 0 {
				d.entities(t)
			}
		case RelationTask:
			d.pairs(t, count)
		default:
			d.instances(t, count)
		}
	}
	return d.result
}

func newResult(s *Schema, in *Input) *Result {
	return &Result{WordsCut: in.Text.Cut, entities: len(s.Entities) > 0, attributed: len(s.Attributes) > 0}
}

// argmax returns the index of the largest number; ties: the first.
func argmax[F float32 | float64](x []F) int {
	best := 0
	for i, v := range x {
		if v > x[best] {
			best = i
		}
	}
	return best
}

func sigmoid(z float64) float64 { return 1 / (1 + math.Exp(-z)) }

// softmax returns probabilities that sum to one.
func softmax(z []float64) []float64 {
	p := make([]float64, len(z))
	if len(z) == 0 {
		return p
	}
	top, sum := slices.Max(z), 0.0
	for i, v := range z {
		p[i] = math.Exp(v - top)
		sum += p[i]
	}
	for i := range p {
		p[i] /= sum
	}
	return p
}

// least returns a logit below which no probability reaches a threshold.
func least(threshold float64) float64 {
	switch {
	case threshold <= 0:
		return math.Inf(-1)
	case threshold >= 1:
		return 30
	}
	return math.Log(threshold) - math.Log1p(-threshold) - 1e-3
}

// spans returns the spans of a label that are kept, and the candidates that they come from, which count words of the text.
func (d *decoder) spans(mark, instance int, threshold float64) ([]Span, []candidate) {
	words := d.in.Text.Words
	var c []candidate
	low := least(threshold)
	for start := range words {
		for w, z := range d.numbers.Span(mark, instance, len(d.in.Choices)+start) {
			if start+w >= len(words) {
				break
			}
			if float64(z) < low {
				continue
			}
			if p := sigmoid(float64(z)); p >= threshold {
				c = append(c, candidate{p, start, start + w + 1, 0})
			}
		}
	}
	c = d.overlap.resolve(c)
	spans := make([]Span, len(c))
	for i, a := range c {
		spans[i] = d.in.Text.span(a)
	}
	return spans, c
}

// span returns the part of a text that a candidate stands for, which counts words.
func (t *Text) span(c candidate) Span {
	first, last := &t.Words[c.start].Place, &t.Words[c.end-1].Place
	p := Place{first.Start, last.End, first.RuneStart, last.RuneEnd}
	return Span{Text: t.Model[p.Start:p.End], Score: c.score, Place: p}
}

// first returns the best one alone if one is set.
func first[T any](list []T, one bool) []T {
	if one && len(list) > 1 {
		return list[:1]
	}
	return list
}

func (d *decoder) entities(t *Task) {
	for i, e := range d.schema.Entities {
		spans, words := d.spans(t.Mark+1+i, 0, d.o.threshold(e.Threshold))
		spans = first(spans, e.One)
		for j := range spans {
			spans[j].Attributes = d.attributes(t, e.Label, words[j])
		}
		d.result.Entities = append(d.result.Entities, Entities{e.Label, e.One, spans})
	}
}

// attributes returns the attributes of an entity.
func (d *decoder) attributes(t *Task, entity string, c candidate) (out []Attribute) {
	for i := range d.schema.Attributes {
		g := &d.schema.Attributes[i]
		if g.AppliesTo != nil && !slices.Contains(g.AppliesTo, entity) {
			continue
		}
		logits := make([]float64, len(g.Labels))
		for j, l := range g.Labels {
			own := len(d.schema.Entities)
			mark := t.Mark + 1 + own + slices.Index(t.Labels[own:], g.prompt(l))
			logits[j] = float64(d.numbers.Span(mark, 0, len(d.in.Choices)+c.start)[c.end-c.start-1])
		}
		a := Attribute{Group: g.Name, Multi: g.Multi}
		if g.Multi {
			threshold := defaultThreshold
			if g.Threshold != nil {
				threshold = *g.Threshold
			}
			for j, l := range g.Labels {
				if p := sigmoid(logits[j]); p >= threshold {
					a.Labels = append(a.Labels, Scored{l, p})
				}
			}
		} else {
			p := softmax(logits)
			best := argmax(p)
			a.Labels = []Scored{{g.Labels[best], p[best]}}
		}
		out = append(out, a)
	}
	return out
}

func (d *decoder) pairs(t *Task, count int) {
	r := &d.schema.Relations[t.Index]
	threshold := d.o.threshold(r.Threshold)
	if r.Description != "" {
		threshold = d.o.threshold(nil)
	}
	p := Pairs{Relation: r.Name, key: r.key()}
	for instance := range count {
		heads, _ := d.spans(t.Mark+1, instance, threshold)
		tails, _ := d.spans(t.Mark+2, instance, threshold)
		if len(heads) > 0 && len(tails) > 0 {
			p.Pairs = append(p.Pairs, Pair{heads[0], tails[0]})
		}
	}
	p.empty = len(p.Pairs) == 0
	d.result.Pairs = append(d.result.Pairs, p)
}

func (d *decoder) instances(t *Task, count int) {
	s := &d.schema.Structures[t.Index]
	out := Instances{Structure: s.Name, Counted: count > 0, linked: s.linked()}
	for instance := range count {
		values := make(Instance, len(s.Fields))
		found := false
		for i := range s.Fields {
			f := &s.Fields[i]
			v := Value{Field: f.Name, One: f.One, Choice: f.Choices != nil}
			if v.Choice {
				v.Choices = d.choices(f, t.Mark+1+i, instance)
			} else {
				spans, _ := d.spans(t.Mark+1+i, instance, d.o.threshold(f.Threshold))
				v.Spans = first(spans, f.One)
			}
			found = found || len(v.Spans)+len(v.Choices) > 0
			values[i] = v
		}
		if found {
			out.Instances = append(out.Instances, values)
		}
	}
	if len(out.Instances) == 0 {
		out.empty = []any{out.nothing()}
	}
	d.result.Instances = append(d.result.Instances, out)
}

// linked reports whether instances have fields for a head and a tail.
func (s *Structure) linked() bool {
	head := slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Name == "head" })
	return head && slices.ContainsFunc(s.Fields, func(f Field) bool { return f.Name == "tail" })
}

// nothing returns what stands in place of instances if there is no instance.
func (i *Instances) nothing() any {
	if i.Counted {
		return []any{}
	}
	return map[string]any{}
}

// choices returns the choices of a field that are kept.
func (d *decoder) choices(f *Field, mark, instance int) []Scored {
	threshold := d.o.threshold(f.Threshold)
	var kept []Scored
	seen := map[string]bool{}
	best := Scored{Score: -1}
	for _, c := range f.Choices {
		p := sigmoid(float64(d.numbers.Span(mark, instance, d.choice[Lower(c)])[0]))
		if p > best.Score {
			best = Scored{c, p}
		}
		if p >= threshold && !seen[c] {
			seen[c] = true
			kept = append(kept, Scored{c, p})
		}
	}
	if !f.One {
		return kept
	}
	if best.Score >= threshold {
		return []Scored{best}
	}
	return nil
}

// classLogits returns the numbers of the labels of a classification.
func classLogits(t *Task, class func(mark int) float32) []float64 {
	logits := make([]float64, len(t.Labels))
	for i := range logits {
		logits[i] = float64(class(t.Mark + 1 + i))
	}
	return logits
}

// answer returns the answer of a classification from the numbers of its labels.
func answer(c *Classification, logits []float64, temperature float64) Answer {
	for i := range logits {
		logits[i] /= temperature
	}
	var p []float64
	if c.Activation == Sigmoid || c.Activation != Softmax && c.Multi {
		for _, z := range logits {
			p = append(p, sigmoid(z))
		}
	} else {
		p = softmax(logits)
	}
	a := Answer{Task: c.Task, Multi: c.Multi}
	best := argmax(p)
	if !c.Multi {
		a.Labels = []Scored{{c.Labels[best], p[best]}}
		return a
	}
	threshold := defaultThreshold
	if c.Threshold != nil {
		threshold = *c.Threshold
	}
	for i, l := range c.Labels {
		if p[i] >= threshold {
			a.Labels = append(a.Labels, Scored{l, p[i]})
		}
	}
	if len(a.Labels) == 0 {
		a.Labels = []Scored{{c.Labels[best], p[best]}}
	}
	if c.TopK > 0 {
		slices.SortStableFunc(a.Labels, func(x, y Scored) int { return cmp.Compare(y.Score, x.Score) })
		a.Labels = a.Labels[:min(c.TopK, len(a.Labels))]
	}
	return a
}
