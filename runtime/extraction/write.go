package extraction

import (
	"bytes"
	"encoding/json"
)

// MarshalJSON writes the published JSON form. ParseSchema reads it, unless a classification has fewer than two labels or the same label twice, which only
// the typed form allows.
func (s *Schema) MarshalJSON() ([]byte, error) {
	var w writer
	w.object(func() {
		if len(s.Entities) > 0 {
			w.key(keyEntities)
			w.object(func() {
				for _, e := range s.Entities {
					w.key(e.Label)
					w.object(func() {
						if e.Description != nil {
							w.member("description", *e.Description)
						}
						w.kept(e.One, e.Threshold)
					})
				}
			})
		}
		if len(s.Attributes) > 0 {
			w.key("entity_attributes")
			w.object(func() { w.attributes(s.Attributes) })
		}
		if len(s.Structures) > 0 {
			w.key("structures")
			w.object(func() { w.structures(s.Structures) })
		}
		if len(s.Relations) > 0 {
			w.key("relations")
			w.object(func() {
				for _, r := range s.Relations {
					w.key(r.Name)
					w.object(func() {
						w.optional("description", r.Description)
						w.kept(false, r.Threshold)
					})
				}
			})
		}
		if len(s.Classifications) > 0 {
			w.key("classifications")
			w.array(len(s.Classifications), func(i int) { w.classification(&s.Classifications[i]) })
		}
	})
	return w.Bytes(), w.err
}

func (w *writer) attributes(groups []AttributeGroup) {
	for _, g := range groups {
		w.key(g.Name)
		w.object(func() {
			w.member("labels", g.Labels)
			w.set("multi_label", g.Multi)
			w.kept(false, g.Threshold)
			if g.AppliesTo != nil {
				w.member("applies_to", g.AppliesTo)
			}
			w.set("qualify_labels", g.Qualify)
		})
	}
}

func (w *writer) structures(structures []Structure) {
	for _, s := range structures {
		w.key(s.Name)
		w.object(func() {
			w.key("fields")
			w.array(len(s.Fields), func(i int) {
				f := &s.Fields[i]
				w.object(func() {
					w.member("name", f.Name)
					if f.Choices != nil {
						w.member("choices", f.Choices)
					}
					w.optional("description", f.Description)
					w.kept(f.One, f.Threshold)
				})
			})
		})
	}
}

func (w *writer) classification(t *Classification) {
	w.object(func() {
		w.member("task", t.Task)
		if t.Descriptions == nil {
			w.member("labels", t.Labels)
		} else {
			w.key("labels")
			w.object(func() {
				for i, l := range t.Labels {
					w.member(l, t.Descriptions[i])
				}
			})
		}
		w.set("multi_label", t.Multi)
		if t.Threshold != nil {
			w.member("cls_threshold", *t.Threshold)
		}
		if t.TopK > 0 {
			w.member("top_k", t.TopK)
		}
		w.optional("class_act", string(t.Activation))
		w.optional("prompt", t.Prompt)
		if len(t.Examples) > 0 {
			w.key("examples")
			w.array(len(t.Examples), func(i int) { w.value([]string{t.Examples[i].Text, t.Examples[i].Label}) })
		}
	})
}

// writer writes JSON whose objects keep their order.
type writer struct {
	bytes.Buffer
	more bool // a comma comes before the next value
	err  error
}

func (w *writer) comma() {
	if w.more {
		w.WriteByte(',')
	}
	w.more = false
}

func (w *writer) value(v any) {
	w.comma()
	text, err := marshal(v)
	if err != nil && w.err == nil {
		w.err = err
	}
	w.Write(text)
	w.more = true
}

// marshal is json.Marshal without escapes for HTML.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func (w *writer) key(name string) {
	w.value(name)
	w.WriteByte(':')
	w.more = false
}

func (w *writer) member(name string, v any) { w.key(name); w.value(v) }

func (w *writer) optional(name, v string) {
	if v != "" {
		w.member(name, v)
	}
}

func (w *writer) set(name string, v bool) {
	if v {
		w.member(name, true)
	}
}

// kept writes the settings that decide which values are kept.
func (w *writer) kept(one bool, threshold *float64) {
	if one {
		w.member("dtype", "str")
	}
	if threshold != nil {
		w.member("threshold", *threshold)
	}
}

func (w *writer) object(members func()) {
	w.comma()
	w.WriteByte('{')
	members()
	w.WriteByte('}')
	w.more = true
}

func (w *writer) array(n int, item func(i int)) {
	w.comma()
	w.WriteByte('[')
	w.more = false
	for i := range n {
		item(i)
	}
	w.WriteByte(']')
	w.more = true
}
