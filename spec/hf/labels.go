package hf

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// labels reads the names of a classifier's columns. id2label decides, as it does in the library; label2id and num_labels are only compared with
// it. Without id2label the names are LABEL_0 … of num_labels, which is 2 if nothing says otherwise.
func (c *config) labels() ([]string, error) {
	n, err := c.integer("num_labels", -1, 1, 1<<16)
	if err != nil {
		return nil, err
	}
	v := c.raw("id2label")
	if v == nil {
		if n < 0 {
			n = 2
		}
		labels := make([]string, n)
		for i := range labels {
			labels[i] = numbered("LABEL", i)
		}
		c.compareIDs(labels, false)
		return labels, nil
	}
	var byID map[string]json.RawMessage
	if json.Unmarshal(v, &byID) != nil {
		return nil, c.fault("id2label", "= %s is not an object from numbers to texts", shown(v))
	}
	if len(byID) == 0 {
		return nil, c.fault("id2label", "has 0 names")
	}
	labels := make([]string, len(byID))
	for i := range labels {
		name, ok := byID[strconv.Itoa(i)]
		if !ok {
			return nil, c.fault("id2label", "has %d entries, but none for %d", len(byID), i)
		}
		if labels[i], ok = labelText(name); !ok {
			return nil, c.fault("id2label", "has %s for %d, which is not a text", shown(name), i)
		}
	}
	if n >= 0 && n != len(labels) {
		c.warn("id2label has %d names, but num_labels = %d: id2label is followed", len(labels), n)
	}
	given := slices.Clone(labels)
	c.distinct(labels)
	c.compareIDs(given, true)
	return labels, nil
}

// labelText returns a label's name: a text, or a number, true or false as it is written. null is the empty text.
func labelText(v json.RawMessage) (string, bool) {
	var name string
	if json.Unmarshal(v, &name) == nil { // null too
		return name, true
	}
	switch v[0] {
	case '{', '[':
		return "", false
	}
	return string(v), true
}

// numbered returns a name with the number of its column.
func numbered(name string, i int) string { return fmt.Sprintf("%s_%d", name, i) }

// distinct gives labels without a name the library's usual ones, and puts their numbers after names that several have.
func (c *config) distinct(labels []string) {
	count := map[string]int{}
	for _, name := range labels {
		count[name]++
	}
	for i, name := range labels {
		stem := name
		switch {
		case name == "":
			stem = "LABEL"
		case count[name] == 1:
			continue
		}
		unique := numbered(stem, i)
		for count[unique] > 0 {
			unique = numbered(unique, i)
		}
		count[unique]++
		labels[i] = unique
		if name == "" {
			c.warn("id2label has no name for %d: it is called %s", i, unique)
		} else {
			c.warn("id2label has the name %q %d times: that of %d is called %s", name, count[name], i, unique)
		}
	}
}

// compareIDs says where label2id is at odds with the labels. It is not read: id2label, or without it the number of labels, decides.
func (c *config) compareIDs(labels []string, named bool) {
	v := c.raw("label2id")
	if v == nil {
		return
	}
	var ids map[string]json.RawMessage
	if json.Unmarshal(v, &ids) != nil {
		c.warn("label2id = %s is not an object from texts to numbers: it is not read, id2label decides", shown(v))
		return
	}
	if !named && len(ids) > 0 && !slices.ContainsFunc(labels, func(l string) bool { return ids[l] != nil }) {
		c.warn("label2id has %d names, but there is no id2label, which decides: labels are called %s …", len(ids), labels[0])
		return
	}
	for i, name := range labels {
		id, ok := ids[name]
		if !ok { // it need not have all
			continue
		}
		if text, _ := labelText(id); text != strconv.Itoa(i) && !slices.ContainsFunc(labels[i+1:], func(l string) bool { return l == name }) {
			c.warn("label2id has %s for %q, but id2label has %d: id2label is followed", shown(id), name, i)
			return
		}
	}
}
