package extraction

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime/ragged"
)

// Schema describes what to look for in a text. The fields may be combined; one of Entities, Structures, Relations and Classifications must not be empty.
type Schema struct {
	Entities        []Entity
	Attributes      []AttributeGroup // of the entities that are found
	Structures      []Structure
	Relations       []Relation
	Classifications []Classification
}

// Entity is a kind of entity.
type Entity struct {
	Label       string
	Description *string  // nil: there is no description, which is not the same as an empty one
	One         bool     // only the best entity is kept (dtype "str"); otherwise all are
	Threshold   *float64 // least probability; nil: that of the call
}

// AttributeGroup is a set of labels, of which every entity that is found has one, or several.
type AttributeGroup struct {
	Name      string
	Labels    []string
	Multi     bool     // every label has a probability of its own; otherwise the labels share one, and the best label is chosen
	Threshold *float64 // least probability of a label if Multi is set; nil: 0.5
	AppliesTo []string // labels of entities that have this group; nil: all
	Qualify   bool     // the model reads "group: label" instead of the label
}

// Structure is a kind of record. A text may hold several instances of it.
type Structure struct {
	Name   string
	Fields []Field
	idle   []string // fields of the published form that were read and matter only in records with a mode
}

// Field is a field of a structure: parts of the text, or some of a set of choices.
type Field struct {
	Name        string
	One         bool     // only the best value is kept (dtype "str"); otherwise all are
	Choices     []string // the values that are possible; nil: parts of the text
	Description string   // empty: there is no description
	Threshold   *float64 // least probability; nil: that of the call
	idle        []string // as Structure.idle
}

// Relation is a kind of relation between a head and a tail, two parts of the text.
type Relation struct {
	Name        string
	Description string // empty: there is no description
	// Threshold is the least probability; nil: that of the call. As in the reference implementation, it has no effect on a relation with a description;
	// Idle reports it.
	Threshold *float64
}

// Classification is a question about the whole text, whose answer is one or several of its labels.
type Classification struct {
	Task         string
	Labels       []string
	Descriptions []string // one per label, also if some are empty; nil: there are no descriptions
	Multi        bool     // several labels may fit
	Threshold    *float64 // least probability if Multi is set; nil: 0.5
	TopK         int      // at most this many labels if Multi is set, the best first; 0: all, in the order of Labels
	Activation   Activation
	Prompt       string // follows the task's name; empty: there is no prompt
	Examples     []Example
}

// Example is a text with the label that fits it. Examples whose label is not one of the task's labels have no effect.
type Example struct {
	Text, Label string
}

// Activation is the function that turns the numbers of labels into probabilities.
type Activation string

// The activations. The zero value is Auto.
const (
	Auto    Activation = "auto" // Sigmoid if several labels may fit, else Softmax
	Sigmoid Activation = "sigmoid"
	Softmax Activation = "softmax"
)

// Markers are the tokens that divide a prompt into its parts. No name, label, description, prompt, example or choice may hold one of them.
var Markers = []string{sepStruct, sepText, markTask, markField, markEntity, markRole, markLabel, markExample, markOutput, markDescription}

const (
	sepStruct       = "[SEP_STRUCT]"
	sepText         = "[SEP_TEXT]"
	markTask        = "[P]"
	markField       = "[C]"
	markEntity      = "[E]"
	markRole        = "[R]"
	markLabel       = "[L]"
	markExample     = "[EXAMPLE]"
	markOutput      = "[OUTPUT]"
	markDescription = "[DESCRIPTION]"
)

// The keys of results that do not come from a schema.
const (
	keyEntities  = "entities"
	keyRelations = "relation_extraction"
)

// Check returns an error that names the field if a model cannot read the schema. Labels of a classification may occur twice; they are then
// separate labels.
func (s *Schema) Check() error {
	if s == nil {
		return ragged.Errorf("schema: it is missing")
	}
	if len(s.Entities)+len(s.Structures)+len(s.Relations)+len(s.Classifications) == 0 {
		return ragged.Errorf("schema: it asks for nothing: it needs entities, structures, relations or classifications")
	}
	c := checker{names: map[string]string{}}
	c.entities(s)
	c.attributes(s)
	for i := range s.Structures {
		c.structure(named("structures", s.Structures[i].Name), &s.Structures[i])
	}
	for i := range s.Relations {
		c.relation(named("relations", s.Relations[i].Name), &s.Relations[i])
	}
	for i := range s.Classifications {
		c.classification(fmt.Sprintf("classifications[%d]", i), &s.Classifications[i])
	}
	return c.err
}

// named returns the path of a part of a schema that has a name.
func named(section, name string) string { return fmt.Sprintf("%s[%q]", section, name) }

// Idle returns the paths of settings that have no effect beside others, such as the threshold of a classification with one answer.
func (s *Schema) Idle() []string {
	var idle []string
	for i := range s.Attributes {
		if g := &s.Attributes[i]; !g.Multi && g.Threshold != nil {
			idle = append(idle, named("entity_attributes", g.Name)+".threshold")
		}
	}
	for i := range s.Structures {
		t := &s.Structures[i]
		path := named("structures", t.Name)
		for _, f := range t.idle {
			idle = append(idle, path+"."+f)
		}
		for j := range t.Fields {
			for _, f := range t.Fields[j].idle {
				idle = append(idle, fmt.Sprintf("%s.fields[%d].%s", path, j, f))
			}
		}
	}
	for i := range s.Relations {
		if r := &s.Relations[i]; r.Description != "" && r.Threshold != nil {
			idle = append(idle, named("relations", r.Name)+".threshold")
		}
	}
	for i := range s.Classifications {
		t, path := &s.Classifications[i], fmt.Sprintf("classifications[%d]", i)
		if !t.Multi && t.Threshold != nil {
			idle = append(idle, path+".cls_threshold")
		}
		if !t.Multi && t.TopK > 0 {
			idle = append(idle, path+".top_k")
		}
		for j, e := range t.Examples {
			if !slices.Contains(t.Labels, e.Label) {
				idle = append(idle, fmt.Sprintf("%s.examples[%d]", path, j))
			}
		}
	}
	return idle
}

// checker keeps the first error of a schema.
type checker struct {
	names map[string]string // the keys of results, and the fields that they come from
	err   error
}

func (c *checker) fail(path, format string, args ...any) {
	if c.err == nil {
		c.err = ragged.Errorf("%s: %s", path, fmt.Sprintf(format, args...))
	}
}

// text checks a text that the prompt holds.
func (c *checker) text(path, text string) {
	if !utf8.ValidString(text) {
		c.fail(path, "%q is not valid UTF-8", text)
	}
	for _, m := range Markers {
		if strings.Contains(text, m) {
			c.fail(path, "%q contains %s, which separates the parts of a prompt", text, m)
		}
	}
}

// name checks a text that may not be blank.
func (c *checker) name(path, text string) {
	if strings.TrimFunc(text, isSpace) == "" {
		c.fail(path, "it is blank")
	}
	c.text(path, text)
}

// key checks a name that is a key of the result.
func (c *checker) key(path, name string) {
	c.name(path, name)
	if name == keyEntities || name == keyRelations {
		c.fail(path, "%q is the key of other results: choose another name", name)
	}
	if before, ok := c.names[name]; ok {
		c.fail(path, "%q is the name of %s already: choose another name", name, before)
	}
	c.names[name] = path
}

// distinct checks a list of names.
func (c *checker) distinct(path string, names []string) {
	if len(names) == 0 {
		c.fail(path, "it is empty")
	}
	seen := map[string]bool{}
	for i, n := range names {
		c.name(fmt.Sprintf("%s[%d]", path, i), n)
		if seen[n] {
			c.fail(path, "%q occurs twice", n)
		}
		seen[n] = true
	}
}

func (c *checker) threshold(path string, t *float64) {
	if t != nil && !(*t >= 0 && *t <= 1) {
		c.fail(path, "%v is not a number from 0 to 1", *t)
	}
}

func (c *checker) entities(s *Schema) {
	seen := map[string]bool{}
	for _, e := range s.Entities {
		path := named("entities", e.Label)
		c.name(path, e.Label)
		if seen[e.Label] {
			c.fail(path, "the label %q occurs twice", e.Label)
		}
		seen[e.Label] = true
		if e.Description != nil {
			c.text(path+".description", *e.Description)
		}
		c.threshold(path+".threshold", e.Threshold)
	}
}

func (c *checker) attributes(s *Schema) {
	if len(s.Attributes) > 0 && len(s.Entities) == 0 {
		c.fail("entity_attributes", "there are no entities that could have attributes")
	}
	read := map[string]string{} // labels, as the model reads them
	for _, e := range s.Entities {
		read[e.Label] = "a label of entities"
	}
	plain, groups := map[string]string{}, map[string]bool{}
	for i := range s.Attributes {
		g := &s.Attributes[i]
		path := named("entity_attributes", g.Name)
		c.name(path, g.Name)
		switch g.Name {
		case "text", "confidence", "start", "end":
			c.fail(path, "%q is a key of every entity: choose another name", g.Name)
		}
		if groups[g.Name] {
			c.fail(path, "the group %q occurs twice", g.Name)
		}
		groups[g.Name] = true
		c.distinct(path+".labels", g.Labels)
		c.threshold(path+".threshold", g.Threshold)
		for _, l := range g.Labels {
			if other, ok := plain[l]; ok && other != g.Name {
				c.fail(path+".labels", "%q is a label of the group %q too", l, other)
			}
			plain[l] = g.Name
			if other, ok := read[g.prompt(l)]; ok {
				c.fail(path+".labels", "the model would read %q, which is %s: set qualify_labels or choose another label", g.prompt(l), other)
			}
			read[g.prompt(l)] = "a label of the group " + g.Name
		}
		for j, label := range g.AppliesTo {
			known := false
			for _, e := range s.Entities {
				known = known || e.Label == label
			}
			if !known {
				c.fail(fmt.Sprintf("%s.applies_to[%d]", path, j), "%q is not a label of entities", label)
			}
		}
	}
}

// prompt returns a label as the model reads it.
func (g *AttributeGroup) prompt(label string) string {
	if g.Qualify {
		return g.Name + ": " + label
	}
	return label
}

func (c *checker) structure(path string, s *Structure) {
	c.key(path, s.Name)
	if len(s.Fields) == 0 {
		c.fail(path+".fields", "it is empty")
	}
	seen := map[string]bool{}
	for i, f := range s.Fields {
		at := fmt.Sprintf("%s.fields[%d]", path, i)
		c.name(at+".name", f.Name)
		if seen[f.Name] {
			c.fail(at+".name", "the field %q occurs twice", f.Name)
		}
		seen[f.Name] = true
		if f.Choices != nil && len(f.Choices) == 0 {
			c.fail(at+".choices", "it is empty")
		}
		for j, choice := range f.Choices {
			c.name(fmt.Sprintf("%s.choices[%d]", at, j), choice)
		}
		c.text(at+".description", f.Description)
		c.threshold(at+".threshold", f.Threshold)
	}
}

func (c *checker) relation(path string, r *Relation) {
	c.key(path, r.Name)
	c.text(path+".description", r.Description)
	c.threshold(path+".threshold", r.Threshold)
	if r.Description != "" {
		c.key(path, r.key()) // the results have it as their key
	}
}

// key returns the key of a relation among the results.
func (r *Relation) key() string {
	if r.Description == "" {
		return r.Name
	}
	return r.Name + ": " + r.Description
}

func (c *checker) classification(path string, t *Classification) {
	c.key(path+".task", t.Task)
	if len(t.Labels) == 0 {
		c.fail(path+".labels", "it is empty")
	}
	for i, l := range t.Labels {
		c.name(fmt.Sprintf("%s.labels[%d]", path, i), l)
	}
	if n := len(t.Descriptions); t.Descriptions != nil && n != len(t.Labels) {
		c.fail(path+".labels", "there are %d labels and %d descriptions", len(t.Labels), n)
	}
	for i, d := range t.Descriptions {
		c.text(fmt.Sprintf("%s.labels[%d]", path, i), d)
	}
	c.threshold(path+".cls_threshold", t.Threshold)
	if t.TopK < 0 {
		c.fail(path+".top_k", "%d is below 1", t.TopK)
	}
	switch t.Activation {
	case "", Auto, Sigmoid, Softmax:
	default:
		c.fail(path+".class_act", "%q is not one of auto, sigmoid and softmax", t.Activation)
	}
	c.text(path+".prompt", t.Prompt)
	for i, e := range t.Examples {
		at := fmt.Sprintf("%s.examples[%d]", path, i)
		c.text(at, e.Text)
		c.text(at, e.Label)
	}
}
