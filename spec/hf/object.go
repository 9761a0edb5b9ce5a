package hf

import (
	"bytes"
	"encoding/json"
	"slices"
)

// Object is the object of a config.json whose fields keep their order, so that it can be changed in some fields alone.
type Object struct{ c *config }

// ReadObject reads an object. A field that occurs twice, and text that is not JSON, are errors.
func ReadObject(text []byte) (*Object, error) {
	c, err := readConfig(text)
	if err != nil {
		return nil, err
	}
	return &Object{c}, nil
}

// NewObject returns an object without fields.
func NewObject() *Object {
	return &Object{&config{fields: map[string]json.RawMessage{}, known: map[string]bool{}}}
}

// Names lists the fields in their order.
func (o *Object) Names() []string { return slices.Clone(o.c.order) }

// Get reads a field into v, as json.Unmarshal does. It reports whether the field is there and is not null.
func (o *Object) Get(name string, v any) (bool, error) {
	raw := o.c.raw(name)
	if raw == nil {
		return false, nil
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return false, o.c.fault(name, "= %s is not what is expected here: %v", shown(raw), err)
	}
	return true, nil
}

// Set sets a field. A new one stands in front of the first field whose name is greater, because published files have their fields in the order of the names.
func (o *Object) Set(name string, value any) error {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(value); err != nil {
		return err
	}
	if _, there := o.c.fields[name]; !there {
		at := slices.IndexFunc(o.c.order, func(n string) bool { return n > name })
		if at < 0 {
			at = len(o.c.order)
		}
		o.c.order = slices.Insert(o.c.order, at, name)
	}
	o.c.fields[name] = bytes.TrimSpace(b.Bytes())
	return nil
}

// Delete removes a field.
func (o *Object) Delete(name string) {
	delete(o.c.fields, name)
	o.c.order = slices.DeleteFunc(o.c.order, func(n string) bool { return n == name })
}

// Bytes returns the object as text, with one field per line and an indent of two spaces, as the library writes it.
func (o *Object) Bytes() []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range o.c.order {
		if i > 0 {
			b.WriteByte(',')
		}
		key, _ := json.Marshal(name) // a string has a form in JSON
		b.Write(key)
		b.WriteByte(':')
		b.Write(o.c.fields[name])
	}
	b.WriteByte('}')
	var out bytes.Buffer
	_ = json.Indent(&out, b.Bytes(), "", "  ") // the fields were read as JSON, or encoded
	out.WriteByte('\n')
	return out.Bytes()
}

// SetLabels sets the names of the labels, and removes num_labels, which would be compared with them.
func (o *Object) SetLabels(names []string) error {
	var byID, byName bytes.Buffer
	for i, n := range names {
		open := ","
		if i == 0 {
			open = "{"
		}
		var name bytes.Buffer
		enc := json.NewEncoder(&name)
		enc.SetEscapeHTML(false)
		if err := enc.Encode(n); err != nil {
			return err
		}
		quoted := bytes.TrimSpace(name.Bytes())
		number, _ := json.Marshal(i) // a number has a form in JSON
		byID.WriteString(open + `"` + string(number) + `":` + string(quoted))
		byName.WriteString(open + string(quoted) + ":" + string(number))
	}
	byID.WriteByte('}')
	byName.WriteByte('}')
	o.Delete("num_labels")
	if err := o.Set("id2label", json.RawMessage(byID.Bytes())); err != nil {
		return err
	}
	return o.Set("label2id", json.RawMessage(byName.Bytes()))
}
