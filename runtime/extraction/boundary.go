package extraction

import "github.com/debertac/debertac/runtime/ragged"

// Boundary is a candidate of a head that scores pairs of boundaries: the words [Start, End) of a text.
type Boundary struct {
	Start, End int32
}

// BoundaryNumbers are the numbers of a head that scores pairs of boundaries, for one text. Marks are indices into Input.Marks.
type BoundaryNumbers interface {
	// Class returns the logit of a label of a classification.
	Class(mark int) float32
	// Pool returns the candidates of the text.
	Pool() []Boundary
	// Pair returns the logits of the candidates for a label of entities.
	Pair(mark int) []float32
	// Null returns the logit of the label's absence. It is called only if the head has abstention.
	Null(mark int) float32
}

// BoundarySettings holds the settings of a head that scores pairs of boundaries, from a model's config.
type BoundarySettings struct {
	PairTemperature     float64 // what logits of pairs are divided by
	ClassTemperature    float64 // what logits of classifications are divided by
	Abstention          bool
	AbstentionThreshold float64 // a label whose absence is more probable than this has no result
	Overlap             Overlap // the rule if a call asks for DefaultOverlap
}

// CheckBoundary returns an error that names the field if a head that scores pairs of boundaries cannot serve a schema.
func CheckBoundary(s *Schema) error {
	const what = "a model with a boundary head finds entities and classifies: "
	switch {
	case len(s.Structures) > 0:
		return ragged.Errorf("%s: "+what+"it has no structures here", named("structures", s.Structures[0].Name))
	case len(s.Relations) > 0:
		return ragged.Errorf("%s: "+what+"it has no relations here", named("relations", s.Relations[0].Name))
	case len(s.Attributes) > 0:
		return ragged.Errorf("%s: "+what+"it has no attributes of entities here", named("entity_attributes", s.Attributes[0].Name))
	}
	return nil
}

// DecodeBoundaries returns the result for a text from the numbers of a head that scores pairs of boundaries. Schema and options must have passed their
// checks, and the schema also CheckBoundary.
func DecodeBoundaries(s *Schema, in *Input, n BoundaryNumbers, b *BoundarySettings, o *Options) *Result {
	r := newResult(s, in)
	for i := range in.Tasks {
		t := &in.Tasks[i]
		switch t.Kind {
		case ClassificationTask:
			r.Answers = append(r.Answers, answer(&s.Classifications[t.Index], classLogits(t, n.Class), b.ClassTemperature))
		case EntityTask:
			for j, e := range s.Entities {
				r.Entities = append(r.Entities, Entities{e.Label, e.One, first(boundarySpans(in.Text, n, t.Mark+1+j, b, o, o.threshold(e.Threshold)), e.One)})
			}
		}
	}
	return r
}

// boundarySpans returns the spans of a label.
func boundarySpans(t *Text, n BoundaryNumbers, mark int, b *BoundarySettings, o *Options, threshold float64) []Span {
	if b.Abstention && sigmoid(float64(n.Null(mark))) > b.AbstentionThreshold {
		return nil
	}
	overlap := o.Overlap
	if overlap == DefaultOverlap {
		overlap = b.Overlap
	}
	var c []candidate
	logits := n.Pair(mark)
	for i, pair := range n.Pool() {
		if p := sigmoid(float64(logits[i]) / b.PairTemperature); p >= threshold {
			c = append(c, candidate{p, int(pair.Start), int(pair.End), i})
		}
	}
	var spans []Span
	for _, a := range overlap.resolve(c) {
		spans = append(spans, t.span(a))
	}
	return spans
}
