package example

import (
	"bytes"
	"encoding/json"
)

// Twice finds a field that an object has more than once, in a JSON value at any depth, because a decoder would silently keep the last one. What follows the
// value, or is not JSON, is not looked at.
func Twice(text []byte) (name string, ok bool) {
	type level struct {
		fields map[string]bool // of an object; nil: it is an array
		value  bool            // the next token is a value
	}
	var open []level
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	for {
		t, err := d.Token()
		if err != nil {
			return "", false
		}
		if end, is := t.(json.Delim); is && (end == '}' || end == ']') {
			open = open[:len(open)-1]
		} else {
			if n := len(open); n > 0 && open[n-1].fields != nil {
				in := &open[n-1]
				if in.value = !in.value; in.value {
					name, _ := t.(string)
					if in.fields[name] {
						return name, true
					}
					in.fields[name] = true
					continue
				}
			}
			switch t {
			case json.Delim('{'):
				open = append(open, level{fields: map[string]bool{}})
			case json.Delim('['):
				open = append(open, level{})
			}
		}
		if len(open) == 0 {
			return "", false
		}
	}
}
