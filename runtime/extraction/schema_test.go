package extraction

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestSchemaFaults tries schemas with a fault. The error names the field.
func TestSchemaFaults(t *testing.T) {
	for _, c := range []struct{ schema, want string }{
		{``, `schema: it is not valid JSON: unexpected EOF`},
		{`{"entities": ["a"]`, `schema: it is not valid JSON: unexpected EOF`},
		{`{"entities": ["a"]} {}`, `schema: there is more after its end`},
		{`{"entities": ["a"]} x`, `schema: it is not valid JSON`},
		{"{\"entities\": [\"\xff\"]}", `schema: it is not valid UTF-8`},
		{`["a"]`, `schema: it is an array and must be an object`},
		{`null`, `schema: it is null and must be an object`},
		{`{}`, `schema: it asks for nothing`},
		{`{"entities": null}`, `schema: it asks for nothing`},
		{`{"entity": ["a"]}`, `entity: there is no such field (fields here: classifications, entities, entity_attributes, relations, structures)`},
		{`{"entities": ["a"], "entities": ["b"]}`, `schema["entities"]: the key occurs twice`},
		{`{"entities": {"a": {"dtype": "str", "dtype": "str"}}}`, `schema["entities"]["a"]["dtype"]: the key occurs twice`},
		{`{"entities": []}`, `entities: it is empty`},
		{`{"entities": {}}`, `entities: it is empty`},
		{`{"entities": "a"}`, `entities: it is a string and must be an array of names or an object`},
		{`{"entities": [1]}`, `entities[0]: it is a number and must be a string`},
		{`{"entities": ["a", "a"]}`, `entities["a"]: the label "a" occurs twice`},
		{`{"entities": [" "]}`, `entities[" "]: it is blank`},
		{`{"entities": {"a": null}}`, `entities["a"]: it is null and must be an object`},
		{`{"entities": {"a": {"type": "str"}}}`, `entities["a"].type: there is no such field (fields here: description, dtype, threshold)`},
		{`{"entities": {"a": {"dtype": "int"}}}`, `entities["a"].dtype: "int" is neither str nor list`},
		{`{"entities": {"a": {"threshold": 1.5}}}`, `entities["a"].threshold: 1.5 is not a number from 0 to 1`},
		{`{"entities": {"a": {"threshold": "0.5"}}}`, `entities["a"].threshold: it is a string and must be a number from 0 to 1`},
		{`{"entities": {"a": {"threshold": 1e999}}}`, `entities["a"].threshold: 1e999 is not a number from 0 to 1`},
		{`{"entities": {"a": {"description": "x [L] y"}}}`, `entities["a"].description: "x [L] y" contains [L]`},
		{`{"entities": ["a [SEP_TEXT]"]}`, `entities["a [SEP_TEXT]"]: "a [SEP_TEXT]" contains [SEP_TEXT], which separates the parts of a prompt`},
		{`{"entities": ["[E]"]}`, `contains [E]`},
		{`{"relations": ["[SEP_STRUCT]"]}`, `relations["[SEP_STRUCT]"]: "[SEP_STRUCT]" contains [SEP_STRUCT]`},
		{`{"relations": {"r": {"dtype": "str"}}}`, `relations["r"].dtype: there is no such field`},
		{`{"relations": ["r", "r"]}`, `relations["r"]: "r" is the name of relations["r"] already: choose another name`},
		{`{"relations": {"r": "d", "r: d": {}}}`, `relations["r: d"]: "r: d" is the name of relations["r"] already`},
		{`{"relations": ["entities"]}`, `relations["entities"]: "entities" is the key of other results: choose another name`},
		{`{"relations": ["a"], "classifications": [{"task": "a", "labels": ["x", "y"]}]}`,
			`classifications[0].task: "a" is the name of relations["a"] already`},
		{`{"structures": {}}`, `structures: it is empty`},
		{`{"structures": []}`, `structures: it is an array and must be an object`},
		{`{"structures": {"s": {}}}`, `structures["s"].fields: it is missing or empty`},
		{`{"structures": {"s": {"fields": []}}}`, `structures["s"].fields: it is missing or empty`},
		{`{"structures": {"s": {"fields": [{}]}}}`, `structures["s"].fields[0].name: it is missing or empty`},
		{`{"structures": {"s": {"fields": ["a"]}}}`, `structures["s"].fields[0]: it is a string and must be an object`},
		{`{"structures": {"s": {"fields": [{"name": "a"}, {"name": "a"}]}}}`, `structures["s"].fields[1].name: the field "a" occurs twice`},
		{`{"structures": {"s": {"fields": [{"name": "a", "choices": []}]}}}`, `structures["s"].fields[0].choices: it is empty`},
		{`{"structures": {"s": {"fields": [{"name": "a", "choices": ["b", ""]}]}}}`, `structures["s"].fields[0].choices[1]: it is blank`},
		{`{"structures": {"s": {"fields": [{"name": "a", "choices": "b"}]}}}`, `structures["s"].fields[0].choices: it is a string and must be an array`},
		{`{"structures": {"s": {"mode": "natural", "fields": [{"name": "a"}]}}}`,
			`structures["s"].mode: records with a mode are not supported: leave it out`},
		{`{"classifications": []}`, `classifications: it is empty`},
		{`{"classifications": [{"labels": ["x", "y"]}]}`, `classifications[0].task: it is missing or empty`},
		{`{"classifications": [{"task": "t"}]}`, `classifications[0].labels: there are 0 labels: at least 2 are needed`},
		{`{"classifications": [{"task": "t", "labels": ["x", "y", "x"]}]}`, `classifications[0].labels: "x" occurs twice`},
		{`{"classifications": [{"task": "s", "labels": ["x", "y"]}, {"task": "t", "labels": {"x": "", "y": 1}}]}`,
			`classifications[1].labels["y"]: it is a number and must be a string`},
		{`{"classifications": [{"task": "t", "labels": ["x", "[P]"]}]}`, `classifications[0].labels[1]: "[P]" contains [P]`},
		{`{"classifications": [{"task": "t", "labels": ["x", "y"], "multi_label": 1}]}`,
			`classifications[0].multi_label: it is a number and must be true or false`},
		{`{"classifications": [{"task": "t", "labels": ["x", "y"], "top_k": 0}]}`, `classifications[0].top_k: 0 is not a whole number from 1 to 2147483647`},
		{`{"classifications": [{"task": "t", "labels": ["x", "y"], "top_k": 1.5}]}`, `classifications[0].top_k: 1.5 is not a whole number`},
		{`{"classifications": [{"task": "t", "labels": ["x", "y"], "class_act": "tanh"}]}`,
			`classifications[0].class_act: "tanh" is not one of auto, sigmoid and softmax`},
		{`{"classifications": [{"task": "t", "labels": ["x", "y"], "class_act": ""}]}`, `classifications[0].class_act: it is empty`},
		{`{"classifications": [{"task": "t", "labels": ["x", "y"], "prompt": "[OUTPUT]"}]}`, `classifications[0].prompt: "[OUTPUT]" contains [OUTPUT]`},
		{`{"classifications": [{"task": "t", "labels": ["x", "y"], "examples": [["a"]]}]}`, `classifications[0].examples[0]: there are 1 values`},
		{`{"classifications": [{"task": "t", "labels": ["x", "y"], "examples": [["[C]", "x"]]}]}`, `classifications[0].examples[0]: "[C]" contains [C]`},
		{`{"entity_attributes": {"g": {"labels": ["x"]}}, "relations": ["r"]}`, `entity_attributes: there are no entities that could have attributes`},
		{`{"entities": ["a"], "entity_attributes": {"g": {}}}`, `entity_attributes["g"].labels: it is missing`},
		{`{"entities": ["a"], "entity_attributes": {"g": {"labels": []}}}`, `entity_attributes["g"].labels: it is empty`},
		{`{"entities": ["a"], "entity_attributes": {"start": {"labels": ["x"]}}}`, `entity_attributes["start"]: "start" is a key of every entity`},
		{`{"entities": ["a"], "entity_attributes": {"g": {"labels": ["x", "x"]}}}`, `entity_attributes["g"].labels: "x" occurs twice`},
		{`{"entities": ["a"], "entity_attributes": {"g": {"labels": ["x"]}, "h": {"labels": ["x"]}}}`,
			`entity_attributes["h"].labels: "x" is a label of the group "g" too`},
		{`{"entities": ["a"], "entity_attributes": {"g": {"labels": ["a"]}}}`,
			`entity_attributes["g"].labels: the model would read "a", which is a label of entities: set qualify_labels or choose another label`},
		{`{"entities": ["a"], "entity_attributes": {"g": {"labels": ["x"], "applies_to": ["b"]}}}`,
			`entity_attributes["g"].applies_to[0]: "b" is not a label of entities`},
	} {
		s, err := ParseSchema([]byte(c.schema))
		require.Nil(t, s, c.schema)
		require.ErrorContains(t, err, c.want, c.schema)
	}
}

// TestTypedSchemaFaults tries what only the typed form can hold.
func TestTypedSchemaFaults(t *testing.T) {
	var missing *Schema
	require.ErrorContains(t, missing.Check(), "schema: it is missing")
	for want, s := range map[string]Schema{
		`entities["\xff"]: "\xff" is not valid UTF-8`: {Entities: []Entity{{Label: "\xff"}}},
		`classifications[0].labels: it is empty`:      {Classifications: []Classification{{Task: "t"}}},
		`classifications[0].labels: there are 1 labels and 2 desc`: {Classifications: []Classification{{Task: "t", Labels: []string{"a"},
			Descriptions: []string{"", ""}}}},
		`classifications[0].top_k: -1 is below 1`: {Classifications: []Classification{{Task: "t", Labels: []string{"a"}, TopK: -1}}},
		`structures["s"].fields: it is empty`:     {Structures: []Structure{{Name: "s"}}},
		`entity_attributes["g"]: the group "g" occurs twice`: {Entities: []Entity{{Label: "a"}}, Attributes: []AttributeGroup{
			{Name: "g", Labels: []string{"x"}}, {Name: "g", Labels: []string{"y"}}}},
	} {
		require.ErrorContains(t, s.Check(), want)
	}
}

const allOfIt = `{"entities":{"a":{"description":"","dtype":"str","threshold":0},"b":{}},` +
	`"entity_attributes":{"g":{"labels":["x"],"multi_label":true,"threshold":0.4,"applies_to":["b"],"qualify_labels":true},` +
	`"h":{"labels":["y"],"applies_to":[]}},` +
	`"structures":{"s":{"fields":[{"name":"f","choices":["<c>","d e"],"description":"of it","dtype":"str","threshold":1},{"name":"g"}]}},` +
	`"relations":{"r":{"description":"d","threshold":0.5},"q":{}},` +
	`"classifications":[{"task":"t","labels":{"x":"","y":"z"},"multi_label":true,"cls_threshold":0.25,"top_k":3,` +
	`"class_act":"auto","prompt":"p","examples":[["i","x"],["j","n"]]},` +
	`{"task":"u","labels":["x","y"],"cls_threshold":0.5,"top_k":1}]}`

// TestSchemaForms writes a schema that has every field in its published form, and reads it again.
func TestSchemaForms(t *testing.T) {
	s, err := ParseSchema([]byte(allOfIt))
	require.NoError(t, err)
	require.Equal(t, "", *s.Entities[0].Description)
	require.Nil(t, s.Entities[1].Description)
	require.NotNil(t, s.Attributes[1].AppliesTo)
	out, err := s.MarshalJSON()
	require.NoError(t, err)
	require.Equal(t, allOfIt, string(out))
	require.Equal(t, []string{`relations["r"].threshold`, `classifications[0].examples[1]`,
		`classifications[1].cls_threshold`, `classifications[1].top_k`}, s.Idle())
	s, err = ParseSchema([]byte(`{"structures": {"s": {"mode": null, "fields": [{"name": "f", "exclusive": false, "cardinality": null}]}}}`))
	require.NoError(t, err)
	require.Equal(t, &Schema{Structures: []Structure{{Name: "s", Fields: []Field{{Name: "f"}}}}}, s)
	s, err = ParseSchema([]byte(`{"structures": {"s": {"anchor": "f", "occurrence_policy": "first", "fields": [{"name": "f", "exclusive": true},
		{"name": "g", "cardinality": 2}]}}}`))
	require.NoError(t, err)
	require.Equal(t, []string{`structures["s"].anchor`, `structures["s"].occurrence_policy`, `structures["s"].fields[0].exclusive`,
		`structures["s"].fields[1].cardinality`}, s.Idle(), "settings of records")
	var line struct{ Schema *Schema }
	require.NoError(t, json.Unmarshal([]byte(`{"schema": {"entities": {"a": "what it is"},
		"relations": {"r": "d", "q": {"description": null}}}}`), &line))
	require.Equal(t, &Schema{Entities: []Entity{{Label: "a", Description: new("what it is")}},
		Relations: []Relation{{Name: "r", Description: "d"}, {Name: "q"}}},
		line.Schema)
	require.ErrorContains(t, json.Unmarshal([]byte(`{"schema": {"entities": []}}`), &line), "entities: it is empty")
	s = &Schema{Entities: []Entity{{Label: "a"}}, Attributes: []AttributeGroup{{Name: "g", Labels: []string{"x"}, Threshold: new(0.5)}}}
	require.NoError(t, s.Check())
	require.Equal(t, []string{`entity_attributes["g"].threshold`}, s.Idle())
	s, err = ParseSchema([]byte(`{"classifications": [{"task": "t", "labels": ["a", "b"]}]}`))
	require.NoError(t, err)
	require.Empty(t, s.Idle(), "what is not there has no effect to miss")
}

// FuzzSchema checks that what is read is valid, and is the same if it is written and read again.
func FuzzSchema(f *testing.F) {
	for _, s := range []string{allOfIt, `{"entities": ["a"]}`, `{"relations": {"a": "b"}}`,
		`{"classifications": [{"task": "t", "labels": ["x", "y"]}]}`, `[[`, `{"a":`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSchema([]byte(text))
		if err != nil {
			require.NotEmpty(t, strings.TrimSpace(err.Error()))
			return
		}
		require.NoError(t, s.Check())
		out, err := s.MarshalJSON()
		require.NoError(t, err)
		again, err := ParseSchema(out)
		require.NoError(t, err, "%s", out)
		require.Equal(t, s.Tasks(), again.Tasks())
		twice, err := again.MarshalJSON()
		require.NoError(t, err)
		require.Equal(t, string(out), string(twice))
	})
}
