package hf

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
)

// labels returns the names of a classifier's columns. id2label decides, as it does in the library; label2id and num_labels are only compared with it. Without
// id2label the names are LABEL_0, LABEL_1, and so on. Their number is num_labels, or 2 if that field is missing.
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

// labelText returns a label's name: a text, or a number, true or false as the JSON has it. null is the empty text.
func labelText(v json.RawMessage) (string, bool) {
	var name string
	if json.Unmarshal(v, &name) == nil { // also true for null
		return name, true
	}
	switch v[0] {
	case '{', '[':
		return "", false
	}
	return string(v), true
}

// numbered returns a name followed by the number of its column.
func numbered(name string, i int) string { return fmt.Sprintf("%s_%d", name, i) }

// distinct makes all labels different. A label without a name gets the library's usual name; names that several labels have get their numbers appended.
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

// compareIDs warns where label2id differs from the labels. label2id is not used: id2label decides, or without it the number of labels.
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
		if !ok { // label2id may be incomplete
			continue
		}
		if text, _ := labelText(id); text != strconv.Itoa(i) && !slices.ContainsFunc(labels[i+1:], func(l string) bool { return l == name }) {
			c.warn("label2id has %s for %q, but id2label has %d: id2label is followed", shown(id), name, i)
			return
		}
	}
}
