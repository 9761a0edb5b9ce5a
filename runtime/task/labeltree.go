package task

import (
	"bytes"
	"encoding/json"
	"io"
)

// UnmarshalJSON reads an object with a text and labels. The labels are an array of strings or one string, under the name labels or true_labels; both names are
// in use. Another field is an error, and so is null.
func (e *MatchExample) UnmarshalJSON(data []byte) error {
	if string(data) == "null" {
		return input("an example is null, it must be an object with text and labels")
	}
	var object struct {
		Text   json.RawMessage `json:"text"`
		Labels json.RawMessage `json:"labels"`
		True   json.RawMessage `json:"true_labels"`
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&object); err != nil {
		return err
	}
	raw := object.Labels
	if raw == nil {
		raw = object.True
	}
	*e = MatchExample{}
	if object.Text != nil {
		text, err := exampleText("text", object.Text)
		if err != nil {
			return err
		}
		e.Text = text
	}
	var list []json.RawMessage
	switch {
	case raw == nil:
		return nil
	case raw[0] != '[':
		list = []json.RawMessage{raw}
	default:
		if err := json.Unmarshal(raw, &list); err != nil {
			return err
		}
	}
	e.Labels = make([]string, len(list))
	for i, r := range list {
		label, err := exampleText("label", r)
		if err != nil {
			return err
		}
		e.Labels[i] = label
	}
	return nil
}

// exampleText reads a string of an example. Package json would read null as an empty string.
func exampleText(what string, raw json.RawMessage) (text string, err error) {
	if string(raw) == "null" {
		return "", input("a %s of an example is null, it must be a string", what)
	}
	return text, json.Unmarshal(raw, &text)
}

// LabelTree holds labels with their groups, as a JSON value has them: a list of labels, or an object of named groups, each of which is a list, an object or one
// label. The order of an object counts.
type LabelTree struct {
	Name   string      // of a group
	Labels []string    // of a list; or of one label, if One is set
	One    bool        // the group is one label
	Groups []LabelTree // of an object
}

// UnmarshalJSON reads a list or an object.
func (t *LabelTree) UnmarshalJSON(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	if err := t.read(d); err != nil {
		return err
	}
	if t.One {
		return input("labels are an array of strings, or an object of arrays, and not one string")
	}
	return nil
}

// read reads the next value of d.
func (t *LabelTree) read(d *json.Decoder) error {
	token, err := d.Token()
	if err != nil {
		return unexpectedEnd(err)
	}
	switch v := token.(type) {
	case string:
		t.Labels, t.One = []string{v}, true
		return nil
	case json.Delim:
		if v == '{' {
			return t.object(d)
		}
		t.Labels = []string{}
		for d.More() {
			token, err := d.Token()
			label, ok := token.(string)
			if err == nil && !ok {
				err = input("a list of labels holds %v, which is not a string", token)
			}
			if err != nil {
				return unexpectedEnd(err)
			}
			t.Labels = append(t.Labels, label)
		}
		_, err := d.Token()
		return err
	}
	return input("labels hold %v, which is neither a string, an array nor an object", token)
}

// object reads the groups of an object.
func (t *LabelTree) object(d *json.Decoder) error {
	seen := map[string]bool{}
	for d.More() {
		token, err := d.Token()
		if err != nil {
			return unexpectedEnd(err)
		}
		name, _ := token.(string)
		if seen[name] {
			return input("the group %q of labels occurs twice", name)
		}
		seen[name] = true
		g := LabelTree{Name: name}
		if err := g.read(d); err != nil {
			return err
		}
		t.Groups = append(t.Groups, g)
	}
	_, err := d.Token()
	return err
}

// unexpectedEnd returns the error for JSON that ends too early, or err.
func unexpectedEnd(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Flat returns all labels in order. The names of groups stand in front of a label, with dots between them.
func (t *LabelTree) Flat() []string { return t.flat(nil, "") }

func (t *LabelTree) flat(dst []string, path string) []string {
	for _, l := range t.Labels {
		dst = append(dst, under(path, l))
	}
	for i := range t.Groups {
		dst = t.Groups[i].flat(dst, under(path, t.Groups[i].Name))
	}
	return dst
}

// under returns a name with the names of its groups in front of it.
func under(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// Scored returns the tree as a JSON object, with the probability of each label in its place. m is the result for the labels of Flat. As in the reference
// implementation, of labels with the same text the last one that fits counts; if none fits, the last one.
func (t *LabelTree) Scored(m *Matched) (json.RawMessage, error) {
	byLabel := map[string]float64{}
	for i, l := range t.Flat() {
		byLabel[l] = m.Scores[i]
	}
	for _, l := range m.Labels {
		byLabel[l.Label] = l.Score
	}
	var b bytes.Buffer
	err := t.write(&b, "", byLabel)
	return b.Bytes(), err
}

func (t *LabelTree) write(b *bytes.Buffer, path string, scores map[string]float64) error {
	b.WriteByte('{')
	n := 0
	field := func(name string) error {
		if n++; n > 1 {
			b.WriteByte(',')
		}
		key, err := json.Marshal(name)
		b.Write(append(key, ':'))
		return err
	}
	seen := map[string]bool{}
	for _, l := range t.Labels {
		if seen[l] {
			continue
		}
		seen[l] = true
		if err := field(l); err != nil {
			return err
		}
		number, err := json.Marshal(scores[under(path, l)])
		if err != nil {
			return err
		}
		b.Write(number)
	}
	for i := range t.Groups {
		g := &t.Groups[i]
		if err := field(g.Name); err != nil {
			return err
		}
		if err := g.write(b, under(path, g.Name), scores); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}
