package extraction

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ParseSchema reads a schema in the published JSON form: an object with entities, entity_attributes, structures, relations and classifications. Unknown
// fields, values of another type, keys and labels that occur twice, and empty lists are errors, which name the field.
func ParseSchema(data []byte) (*Schema, error) {
	n, err := parseJSON(data)
	if err != nil {
		return nil, err
	}
	s, r := &Schema{}, &reader{}
	if _, ok := n.value.(object); !ok {
		r.fail("schema", "it is %s and must be an object", n.kind())
		return nil, r.err
	}
	r.fields("", n, map[string]func(string, node){
		"entities":          func(path string, n node) { s.Entities = r.entities(path, n) },
		"entity_attributes": func(path string, n node) { s.Attributes = r.attributes(path, n) },
		"structures":        func(path string, n node) { s.Structures = r.structures(path, n) },
		"relations":         func(path string, n node) { s.Relations = r.relations(path, n) },
		"classifications":   func(path string, n node) { s.Classifications = r.classifications(path, n) },
	})
	if r.err == nil {
		r.err = s.Check()
	}
	if r.err != nil {
		return nil, r.err
	}
	return s, nil
}

// UnmarshalJSON is ParseSchema.
func (s *Schema) UnmarshalJSON(data []byte) error {
	parsed, err := ParseSchema(data)
	if err == nil {
		*s = *parsed
	}
	return err
}

// keys returns the names of fields, for messages.
func keys[V any](m map[string]V) string { return strings.Join(slices.Sorted(maps.Keys(m)), ", ") }

// each calls f for every name of a list, or for every name of an object with its value.
func (r *reader) each(path string, n node, f func(path, name string, n *node)) {
	switch v := n.value.(type) {
	case list:
		for i, e := range v {
			at := fmt.Sprintf("%s[%d]", path, i)
			f(at, r.text(at, e), nil)
		}
		if len(v) == 0 {
			r.fail(path, "it is empty")
		}
	case object:
		for i := range v {
			f(named(path, v[i].key), v[i].key, &v[i].node)
		}
		if len(v) == 0 {
			r.fail(path, "it is empty")
		}
	default:
		r.fail(path, "it is %s and must be an array of names or an object", n.kind())
	}
}

// dtype reads "str" or "list"; it reports whether one value alone is kept.
func (r *reader) dtype(path string, n node) bool {
	s := r.text(path, n)
	if s != "str" && s != "list" {
		r.fail(path, "%q is neither str nor list", s)
	}
	return s == "str"
}

func (r *reader) entities(path string, n node) (out []Entity) {
	r.each(path, n, func(at, name string, n *node) {
		e := Entity{Label: name}
		if n == nil {
			out = append(out, e)
			return
		}
		if text, ok := n.value.(string); ok {
			e.Description = &text
		} else {
			r.fields(at, *n, map[string]func(string, node){
				"description": func(path string, n node) { e.Description = new(r.text(path, n)) },
				"dtype":       func(path string, n node) { e.One = r.dtype(path, n) },
				"threshold":   func(path string, n node) { e.Threshold = r.threshold(path, n) },
			})
		}
		out = append(out, e)
	})
	return out
}

func (r *reader) attributes(path string, n node) (out []AttributeGroup) {
	for _, m := range r.object(path, n) {
		g := AttributeGroup{Name: m.key}
		at := named(path, m.key)
		r.fields(at, m.node, map[string]func(string, node){
			"labels":         func(path string, n node) { g.Labels = r.texts(path, n) },
			"multi_label":    func(path string, n node) { g.Multi = r.flag(path, n) },
			"threshold":      func(path string, n node) { g.Threshold = r.threshold(path, n) },
			"applies_to":     func(path string, n node) { g.AppliesTo = r.texts(path, n) },
			"qualify_labels": func(path string, n node) { g.Qualify = r.flag(path, n) },
		})
		if g.Labels == nil {
			r.fail(at+".labels", "it is missing")
		}
		out = append(out, g)
	}
	return out
}

func (r *reader) structures(path string, n node) (out []Structure) {
	o := r.object(path, n)
	if len(o) == 0 {
		r.fail(path, "it is empty")
	}
	for _, m := range o {
		s := Structure{Name: m.key}
		at := named(path, m.key)
		r.fields(at, m.node, map[string]func(string, node){
			"fields": func(path string, n node) {
				for i, e := range r.list(path, n) {
					s.Fields = append(s.Fields, r.field(fmt.Sprintf("%s[%d]", path, i), e))
				}
			},
			"mode": func(path string, n node) {
				r.fail(path, "records with a mode are not supported: leave it out")
			},
			"anchor":            func(string, node) { s.idle = append(s.idle, "anchor") },
			"occurrence_policy": func(string, node) { s.idle = append(s.idle, "occurrence_policy") },
		})
		if s.Fields == nil {
			r.fail(at+".fields", "it is missing or empty")
		}
		out = append(out, s)
	}
	return out
}

func (r *reader) field(path string, n node) (f Field) {
	r.fields(path, n, map[string]func(string, node){
		"name":        func(path string, n node) { f.Name = r.text(path, n) },
		"dtype":       func(path string, n node) { f.One = r.dtype(path, n) },
		"choices":     func(path string, n node) { f.Choices = r.texts(path, n) },
		"description": func(path string, n node) { f.Description = r.text(path, n) },
		"threshold":   func(path string, n node) { f.Threshold = r.threshold(path, n) },
		"cardinality": func(string, node) { f.idle = append(f.idle, "cardinality") },
		"exclusive": func(path string, n node) {
			if r.flag(path, n) { // false is the published default
				f.idle = append(f.idle, "exclusive")
			}
		},
	})
	if f.Name == "" {
		r.fail(path+".name", "it is missing or empty")
	}
	return f
}

func (r *reader) relations(path string, n node) (out []Relation) {
	r.each(path, n, func(at, name string, n *node) {
		x := Relation{Name: name}
		if n == nil {
			out = append(out, x)
			return
		}
		if text, ok := n.value.(string); ok {
			x.Description = text
		} else {
			r.fields(at, *n, map[string]func(string, node){
				"description": func(path string, n node) { x.Description = r.text(path, n) },
				"threshold":   func(path string, n node) { x.Threshold = r.threshold(path, n) },
			})
		}
		out = append(out, x)
	})
	return out
}

func (r *reader) classifications(path string, n node) (out []Classification) {
	l := r.list(path, n)
	if len(l) == 0 {
		r.fail(path, "it is empty")
	}
	for i, e := range l {
		out = append(out, r.classification(fmt.Sprintf("%s[%d]", path, i), e))
	}
	return out
}

func (r *reader) classification(path string, n node) (t Classification) {
	r.fields(path, n, map[string]func(string, node){
		"task": func(path string, n node) { t.Task = r.text(path, n) },
		"labels": func(path string, n node) {
			if o, ok := n.value.(object); ok {
				t.Descriptions = []string{}
				for _, m := range o {
					t.Labels = append(t.Labels, m.key)
					t.Descriptions = append(t.Descriptions, r.text(named(path, m.key), m.node))
				}
			} else {
				t.Labels = r.texts(path, n)
			}
		},
		"multi_label":   func(path string, n node) { t.Multi = r.flag(path, n) },
		"cls_threshold": func(path string, n node) { t.Threshold = r.threshold(path, n) },
		"top_k":         func(path string, n node) { t.TopK = r.count(path, n) },
		"class_act": func(path string, n node) {
			if t.Activation = Activation(r.text(path, n)); t.Activation == "" {
				r.fail(path, "it is empty: it must be auto, sigmoid or softmax")
			}
		},
		"prompt":   func(path string, n node) { t.Prompt = r.text(path, n) },
		"examples": func(path string, n node) { t.Examples = r.examples(path, n) },
	})
	if t.Task == "" {
		r.fail(path+".task", "it is missing or empty")
	}
	if len(t.Labels) < 2 {
		r.fail(path+".labels", "there are %d labels: at least 2 are needed", len(t.Labels))
	}
	seen := map[string]bool{}
	for _, l := range t.Labels {
		if seen[l] {
			r.fail(path+".labels", "%q occurs twice", l)
		}
		seen[l] = true
	}
	return t
}

func (r *reader) examples(path string, n node) (out []Example) {
	for i, e := range r.list(path, n) {
		at := fmt.Sprintf("%s[%d]", path, i)
		pair := r.texts(at, e)
		if len(pair) != 2 {
			r.fail(at, "there are %d values: an example is a text and its label", len(pair))
			return out
		}
		out = append(out, Example{pair[0], pair[1]})
	}
	return out
}
