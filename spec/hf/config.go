package hf

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/spec"
)

// maxConfig is the greatest length of a config in bytes.
const maxConfig = 4 << 20

// config is a config.json, split into its fields.
type config struct {
	file   string  // path in the folder, for errors; "": the model's configuration
	prefix string  // of a nested config, for messages: "encoder_config."
	table  []group // the fields that are known; nil: configTable
	fields map[string]json.RawMessage
	order  []string
	known  map[string]bool // fields that were read, so they are understood
	notes  []string
	warned []string // contradictions, with the value that was used
}

// readConfig splits the object into its fields. It returns an error if a field occurs twice or if the text is not JSON.
func readConfig(text []byte) (*config, error) {
	if len(text) > maxConfig {
		return nil, fmt.Errorf("the config has %d bytes, more than %d", len(text), maxConfig)
	}
	c := &config{fields: map[string]json.RawMessage{}, known: map[string]bool{}}
	if bytes.HasPrefix(text, []byte("\xef\xbb\xbf")) {
		return nil, errors.New("the config begins with a byte order mark, which JSON does not allow: save it as UTF-8 without one")
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, errors.New("the config is not a JSON object")
	}
	for dec.More() {
		t, err := dec.Token()
		key, ok := t.(string)
		if err != nil || !ok {
			return nil, fmt.Errorf("the config is not JSON after %s: %w", last(c.order), syntax(err))
		}
		var raw json.RawMessage
		if err := dec.Decode(&raw); err != nil {
			return nil, fmt.Errorf("%s has no JSON value: %w", key, syntax(err))
		}
		if _, twice := c.fields[key]; twice {
			return nil, fmt.Errorf("%s occurs twice", key)
		}
		c.fields[key] = raw
		c.order = append(c.order, key)
	}
	if _, err := dec.Token(); err != nil {
		return nil, fmt.Errorf("the config is not JSON after %s: %w", last(c.order), syntax(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is text after the config's object")
	}
	return c, nil
}

func syntax(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errors.New("the text ends too early")
	}
	return err
}

// last returns the last of the fields that were read, in words.
func last(fields []string) string {
	if len(fields) == 0 {
		return "its first brace"
	}
	return fmt.Sprintf("the field %q", fields[len(fields)-1])
}

// warn records that the config contradicts itself, and which value is used.
func (c *config) warn(format string, args ...any) {
	c.warned = append(c.warned, c.prefix+fmt.Sprintf(format, args...))
}

func (c *config) note(format string, args ...any) {
	c.notes = append(c.notes, fmt.Sprintf(format, args...))
}

// raw returns a field's value, or nil if the field is absent or null, which mean the same.
func (c *config) raw(name string) json.RawMessage {
	c.known[name] = true
	if v := c.fields[name]; string(v) != "null" {
		return v
	}
	return nil
}

func (c *config) has(name string) bool { return c.raw(name) != nil }

// fault returns an error for a field without which the model cannot be read.
func (c *config) fault(name, format string, args ...any) error {
	return &FieldError{File: c.file, Field: c.prefix + name, Reason: fmt.Sprintf(format, args...)}
}

// refuse returns an error for a field without which the model could be read.
func (c *config) refuse(name, format string, args ...any) error {
	return &FieldError{File: c.file, Field: c.prefix + name, Reason: fmt.Sprintf(format, args...), CanIgnore: true}
}

// shown returns a value for a message.
func shown(v json.RawMessage) string {
	s := strings.Join(strings.Fields(string(v)), " ")
	if len(s) > 60 {
		s = strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

// integer reads an integer in [least, most], or returns absent if the field is missing.
func (c *config) integer(name string, absent, least, most int) (int, error) {
	v := c.raw(name)
	if v == nil {
		return absent, nil
	}
	n, err := strconv.ParseInt(string(v), 10, 64)
	switch {
	case err != nil:
		return 0, c.fault(name, "= %s is not a whole number", shown(v))
	case n < int64(least):
		return 0, c.fault(name, "= %d, it must be at least %d", n, least)
	case n > int64(most):
		return 0, c.fault(name, "= %d is larger than %d", n, most)
	}
	return int(n), nil
}

// size reads a positive integer that must be there.
func (c *config) size(name string, most int) (int, error) {
	if !c.has(name) {
		return 0, c.fault(name, "is missing")
	}
	return c.integer(name, 0, 1, most)
}

// real reads a number for which in returns true; bounds describes those numbers in words.
func (c *config) real(name string, absent float64, bounds string, in func(float64) bool) (float64, error) {
	v := c.raw(name)
	if v == nil {
		return absent, nil
	}
	var n json.Number
	if json.Unmarshal(v, &n) != nil || v[0] == '"' {
		return 0, c.fault(name, "= %s is not a number", shown(v))
	}
	x, err := n.Float64()
	if err != nil || math.IsInf(x, 0) || !in(x) {
		return 0, c.fault(name, "= %s is not %s", shown(v), bounds)
	}
	return x, nil
}

func (c *config) boolean(name string, absent bool) (bool, error) {
	v := c.raw(name)
	switch string(v) {
	case "":
		return absent, nil
	case "true":
		return true, nil
	case "false":
		return false, nil
	}
	return false, c.fault(name, "= %s is not true or false", shown(v))
}

func (c *config) text(name, absent string) (string, error) {
	v := c.raw(name)
	if v == nil {
		return absent, nil
	}
	var s string
	if json.Unmarshal(v, &s) != nil {
		return "", c.fault(name, "= %s is not a text", shown(v))
	}
	return s, nil
}

// parts reads a list of texts, or a text that it splits at |. The parts are trimmed and in lower case; nil means that the field is absent.
func (c *config) parts(name string) (list []string, err error) {
	v := c.raw(name)
	if v == nil {
		return nil, nil
	}
	var s string
	if json.Unmarshal(v, &s) == nil {
		list = strings.Split(s, "|")
	} else if json.Unmarshal(v, &list) != nil || strings.Contains(string(v), "null") {
		return nil, c.fault(name, "= %s is not a text or a list of texts", shown(v))
	}
	if len(list) > 100 {
		return nil, c.fault(name, "has %d entries", len(list))
	}
	for i := range list {
		list[i] = strings.ToLower(strings.TrimSpace(list[i]))
	}
	return list, nil
}

// act reads an activation and returns the language's word for it.
func (c *config) act(name, absent string) (string, error) {
	s, err := c.text(name, absent)
	if err != nil {
		return "", err
	}
	if word, ok := acts[s]; ok {
		return word, nil
	}
	if slices.Contains(spec.Acts, s) && !slices.Contains(notInLibrary, s) {
		return s, nil
	}
	return "", c.fault(name, "= %q is not an activation of this language: %s", s, strings.Join(spec.Acts, ", "))
}

// acts maps the library's names of activations to words of the language, where they differ. The fast and the pytorch tanh forms of gelu are the same
// function.
var acts = map[string]string{
	"gelu_python": "gelu", "gelu_new": "gelu_tanh", "gelu_pytorch_tanh": "gelu_tanh", "gelu_fast": "gelu_tanh", "gelu_accurate": "gelu_tanh", "swish": "silu",
	"linear": "identity",
}

// notInLibrary lists the words of the language for activations that the library has under other names alone.
var notInLibrary = []string{"gelu_tanh", "identity"}

// rest returns an error for the first field that was not read and that the file's table does not list as harmless.
func (c *config) rest() error {
	table := c.table
	if table == nil {
		table = configTable
	}
	for _, name := range c.order {
		value := shown(c.fields[name])
		if c.known[name] || value == "null" {
			continue
		}
		g := find(table, name)
		switch {
		case name == "" && c.prefix == "":
			return &FieldError{File: c.file, Reason: "a field with an empty name is not known: remove it from the file"}
		case g != nil && g.effect == Applied:
			return c.refuse(name, "is not known for this kind of model: what %s means for it cannot be told", value)
		case g != nil && g.allows(value):
			continue
		case g != nil:
			return c.refuse(name, "%s", g.refusal(value))
		}
		list := names(table)
		slices.Sort(list)
		if near := spec.Nearest(name, list); near != "" {
			return c.refuse(name, "is not known; %s is", near)
		}
		return c.refuse(name, "is not known: what it means for the model cannot be told")
	}
	return nil
}
