package extraction

// Format states what the published form of a result holds.
type Format struct {
	Confidence bool // probabilities
	Spans      bool // places, in code points
}

// JSON writes a result in its published form: an object of "entities", "relation_extraction", and one key per structure and classification. Without Spans,
// values of a label or field with the same text, ignoring case, are written once, except where the text was read in windows.
func (r *Result) JSON(f Format) ([]byte, error) {
	w := &resultWriter{Format: f, merged: r.merged, attributed: r.attributed}
	w.object(func() { w.members(r) })
	return w.Bytes(), w.err
}

// Members writes the members of the object that JSON writes, with commas between them, for callers that add members of their own.
func (r *Result) Members(f Format) ([]byte, error) {
	w := &resultWriter{Format: f, merged: r.merged, attributed: r.attributed}
	w.members(r)
	return w.Bytes(), w.err
}

type resultWriter struct {
	writer
	Format
	merged     bool
	attributed bool
}

func (w *resultWriter) members(r *Result) {
	if r.entities {
		w.key(keyEntities)
		w.object(func() {
			for _, e := range r.Entities {
				w.key(e.Label)
				w.spans(e.Spans, e.One, w.attributed, false)
			}
		})
	}
	w.relations(r)
	for i := range r.Instances {
		s := &r.Instances[i]
		switch {
		case len(s.Instances) > 0 && !s.linked:
			w.key(s.Structure)
			w.array(len(s.Instances), func(i int) { w.instance(s.Instances[i], false) })
		case len(s.empty) > 0:
			w.member(s.Structure, s.empty[0])
		}
	}
	for _, p := range r.Pairs {
		if p.key != p.Relation && p.empty {
			w.member(p.key, []any{})
		}
	}
	for i := range r.Answers {
		a := &r.Answers[i]
		w.key(a.Task)
		if a.Multi {
			w.array(len(a.Labels), func(i int) { w.scored("label", a.Labels[i], w.Confidence) })
		} else {
			w.scored("label", a.Labels[0], w.Confidence)
		}
	}
}

// relations writes the pairs of relations, and the instances of structures that have a head and a tail.
func (w *resultWriter) relations(r *Result) {
	linked := false
	for i := range r.Instances {
		linked = linked || r.Instances[i].linked && len(r.Instances[i].Instances) > 0
	}
	if len(r.Pairs) == 0 && !linked {
		return
	}
	w.key(keyRelations)
	w.object(func() {
		for i := range r.Instances {
			if s := &r.Instances[i]; s.linked && len(s.Instances) > 0 {
				w.key(s.Structure)
				w.array(len(s.Instances), func(i int) { w.instance(s.Instances[i], true) })
			}
		}
		for i := range r.Pairs {
			p := &r.Pairs[i]
			if p.key != p.Relation {
				w.member(p.Relation, []any{})
				if len(p.Pairs) == 0 {
					continue
				}
			}
			w.key(p.key)
			w.array(len(p.Pairs), func(i int) { w.pair(&p.Pairs[i]) })
		}
	})
}

func (w *resultWriter) pair(p *Pair) {
	if !w.Confidence && !w.Spans && !w.merged && p.Head.Vector == nil {
		w.value([]string{p.Head.Text, p.Tail.Text})
		return
	}
	w.object(func() {
		w.key("head")
		w.span(&p.Head, false)
		w.key("tail")
		w.span(&p.Tail, false)
	})
}

// instance writes an instance of a structure. As in the reference implementation, equal texts stay if it stands among the relations.
func (w *resultWriter) instance(values Instance, linked bool) {
	w.object(func() {
		for _, v := range values {
			w.key(v.Field)
			switch {
			case !v.Choice:
				w.spans(v.Spans, v.One, false, linked)
			case !v.One:
				choices := v.Choices
				if !linked {
					choices = differing(choices, func(s Scored) string { return s.Label })
				}
				w.array(len(choices), func(i int) { w.scored("text", choices[i], w.Confidence) })
			case len(v.Choices) == 0:
				w.value(nil)
			default:
				w.scored("text", v.Choices[0], w.Confidence)
			}
		}
	})
}

// spans writes the spans of a label: a list, or one or null.
func (w *resultWriter) spans(spans []Span, one, attributed, equal bool) {
	if !w.Spans && !w.merged && !equal {
		spans = differing(spans, func(s Span) string { return s.Text })
	}
	switch {
	case !one:
		w.array(len(spans), func(i int) { w.span(&spans[i], attributed) })
	case len(spans) == 0:
		w.value(nil)
	default:
		w.span(&spans[0], attributed)
	}
}

// differing leaves the first of the items whose texts are equal, ignoring case.
func differing[T any](items []T, text func(T) string) []T {
	var kept []T
	seen := map[string]bool{}
	for _, x := range items {
		if t := Lower(text(x)); !seen[t] {
			seen[t] = true
			kept = append(kept, x)
		}
	}
	return kept
}

// span writes a span: its text alone, or an object if there is more to write. Entities of a schema with attribute groups are always objects, unless the text
// was read in windows and the entity has no attributes.
func (w *resultWriter) span(s *Span, attributed bool) {
	if !w.Confidence && !w.Spans && s.Vector == nil && (!attributed || w.merged && len(s.Attributes) == 0) {
		w.value(s.Text)
		return
	}
	w.object(func() {
		w.member("text", s.Text)
		if w.Confidence {
			w.member("confidence", s.Score)
		}
		if w.Spans {
			w.member("start", s.RuneStart)
			w.member("end", s.RuneEnd)
		}
		if s.Vector != nil {
			w.member("vector", s.Vector)
		}
		for i := range s.Attributes {
			a := &s.Attributes[i]
			w.key(a.Group)
			if a.Multi {
				w.array(len(a.Labels), func(i int) { w.scored("label", a.Labels[i], true) })
			} else {
				w.scored("label", a.Labels[0], true)
			}
		}
	})
}

// scored writes a label, with its probability if confidence is set.
func (w *resultWriter) scored(key string, s Scored, confidence bool) {
	if !confidence {
		w.value(s.Label)
		return
	}
	w.object(func() {
		w.member(key, s.Label)
		w.member("confidence", s.Score)
	})
}
