package dataset_test

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/dataset"
	"github.com/debertac/debertac/runtime/example"
)

// write writes a file and returns its path.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

// read reads a file to its end: the examples as lines of JSON, and faults and the last error in their places, without the folder of the file.
func read(t testing.TB, path string, o dataset.Options) (lines []string) {
	t.Helper()
	message := func(err error) string {
		return "! " + strings.ReplaceAll(err.Error(), filepath.Dir(path)+string(filepath.Separator), "")
	}
	s, err := dataset.Open(t.Context(), path, o)
	if err != nil {
		return []string{message(err)}
	}
	defer func() { require.NoError(t, s.Close()) }()
	for {
		e, err := s.Next()
		var row *dataset.RowError
		switch {
		case errors.As(err, &row):
			lines = append(lines, message(err))
		case errors.Is(err, io.EOF):
			_, again := s.Next()
			require.ErrorIs(t, again, io.EOF)
			return lines
		case err != nil:
			return append(lines, message(err))
		default:
			lines = append(lines, line(t, e))
		}
	}
}

// line returns an example as JSON.
func line(t testing.TB, e *example.Example) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, example.Encode(&b, e))
	return strings.TrimSpace(b.String())
}

// scenario is a file and what becomes of it.
type scenario struct {
	name, text string
	o          dataset.Options
	want       string
}

// try reads the files of scenarios.
func try(t *testing.T, scenarios []scenario) {
	for i, s := range scenarios {
		t.Run(fmt.Sprint(i, " ", s.name), func(t *testing.T) {
			require.Equal(t, strings.TrimSpace(strings.ReplaceAll(s.want, "\t", "")), strings.Join(read(t, write(t, s.name, s.text), s.o), "\n"))
		})
	}
}

// named returns options with names of fields: role, name, role, name and so on.
func named(pairs ...string) dataset.Options {
	o := dataset.Options{Fields: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		o.Fields[pairs[i]] = pairs[i+1]
	}
	return o
}

func TestObjects(t *testing.T) {
	try(t, []scenario{
		{"a.jsonl", `{"text":"good <b> \u00e9\n","label":1,"id":7}` + "\r\n\n" +
			`{"label":"spam","text":"","pair":"x","labels":["a",2],"score":-1.5e0,"extra":{"a":[1,{}]}}`,
			dataset.Options{}, `
			{"id":"7","at":1,"text":"good <b> é\n","label":"1"}
			{"at":3,"pair":"x","label":"spam","labels":["a","2"],"score":-1.5}`},
		{"a.json", ` [ {"text":"a","label":true} ,{"text":"b]\"}","label":null}] `, dataset.Options{}, `
			{"at":1,"text":"a","label":"true"}
			{"at":2,"text":"b]\"}"}`},
		{"a.json", `{"version":"x","n":[1,2],"data":[{"text":"a"}, {"text":"b"}],"more":{"data":[1]}}`, dataset.Options{}, `
			{"at":1,"text":"a"}
			{"at":2,"text":"b"}`},
		{"a.json", `{"text":"a"}` + "\n" + `{"text":"b"}`, dataset.Options{}, `
			{"at":1,"text":"a"}
			{"at":2,"text":"b"}`},
		{"a.jsonl", "\xef\xbb\xbf" + `{"sentence":"a","gold":"x","text":1}`, named("text", "sentence", "label", "gold"), `{"at":1,"text":"a","label":"x"}`},
		{"a.jsonl", `{"text":"a","labels":3}`, dataset.Options{Read: []string{"text"}}, `{"at":1,"text":"a"}`},
		{"a.jsonl", `{"text":"t","query":"q","documents":["a","b"],"scores":[1,0.5],"group":3,"positive":"p","negatives":"n","target":"y","options":["o"]}`,
			dataset.Options{}, `
			{"at":1,"text":"t","group":"3","options":["o"],"query":"q","documents":["a","b"],"scores":[1,0.5],"positive":"p","negatives":["n"],"target":"y"}`},
		{"a.jsonl", `{"chosen":"a","rejected":"b","text":"q"}`, dataset.Options{}, `{"at":1,"text":"q","documents":["a","b"]}`},
		{"a.jsonl", `{"words":["Ann","é"],"tags":["B-PER",0],"entities":[{"label":"PER","start":0,"end":1}]}`, dataset.Options{}, `
			{"at":1,"words":["Ann","é"],"tags":["B-PER","0"],"entities":[{"label":"PER","start":0,"end":1}]}`},
		{"a.jsonl", `{"text":"éa","entities":[{"label":"X","start":2,"end":3,"text":"a"}]}`, dataset.Options{}, `
			{"at":1,"text":"éa","entities":[{"label":"X","start":2,"end":3}]}`},
		{"a.jsonl", `{"text":"éa","entities":[{"label":"X","start":1,"end":2,"text":"a"}]}`, dataset.Options{Characters: true}, `
			{"at":1,"text":"éa","entities":[{"label":"X","start":2,"end":3}]}`},
	})
}

func TestAnswers(t *testing.T) {
	try(t, []scenario{
		{"a.jsonl", `{"answers":{"text":["b"],"answer_start":[1]},"question":"q","context":"éb"}
			{"question":"q","context":"éb","answers":{"text":[],"answer_start":[]}}
			{"question":"q","context":"éb","answers":["b",{"text":"b","start":-1},{"text":"b","answer_start":1}]}
			{"question":"q","context":"éb","answers":[{"text":"b","start":2}]}
			{"question":"q","context":"éb","answers":"b"}
			{"question":"q","context":"éb","answers":null}
			{"question":"q","context":"éb","answered":true}
			{"question":"q","context":"éb","answers":[]}`, dataset.Options{}, `
			{"at":1,"question":"q","context":"éb","answers":[{"text":"b","start":2}],"answered":true}
			{"at":2,"question":"q","context":"éb","answered":true}
			{"at":3,"question":"q","context":"éb","answers":[{"text":"b","start":-1},{"text":"b","start":-1},{"text":"b","start":2}],"answered":true}
			{"at":4,"question":"q","context":"éb","answers":[{"text":"b","start":2}],"answered":true}
			{"at":5,"question":"q","context":"éb","answers":[{"text":"b","start":-1}],"answered":true}
			{"at":6,"question":"q","context":"éb"}
			{"at":7,"question":"q","context":"éb","answered":true}
			{"at":8,"question":"q","context":"éb","answered":true}`},
	})
}

func TestTables(t *testing.T) {
	try(t, []scenario{
		{"a.csv", "text,label,labels,score\r\n\"a, \"\"b\"\"\r\nc\",1,\"x,y\",\r\n\r\n,2,,0.5\n\"\",3,\"[\"\"x\"\"]\",1\nz,,[],", dataset.Options{}, `
			{"at":2,"text":"a, \"b\"\nc","label":"1","labels":["x","y"]}
			{"at":5,"label":"2","score":0.5}
			{"at":6,"label":"3","labels":["x"],"score":1}
			{"at":7,"text":"z","labels":[]}`},
		{"a.tsv", "sentence\tlabel\n\"a\tb\"\tx\nc\ty", named("text", "sentence"), `
			{"at":2,"text":"a` + `\t` + `b","label":"x"}
			{"at":3,"text":"c","label":"y"}`},
		{"a.tsv", "text\tlabel\n\"a\tx\n", dataset.Options{Format: "tsv-plain"}, `{"at":2,"text":"\"a","label":"x"}`},
		{"a.csv", "question,context,answers\nq,éb,\"{\"\"text\"\":[\"\"b\"\"],\"\"answer_start\"\":[1]}\"\nq,b,b\n", dataset.Options{}, `
			{"at":2,"question":"q","context":"éb","answers":[{"text":"b","start":2}],"answered":true}
			{"at":3,"question":"q","context":"b","answers":[{"text":"b","start":-1}],"answered":true}`},
	})
}

func TestTexts(t *testing.T) {
	try(t, []scenario{
		{"a.txt", "one\r\n\ntwo\n \n three", dataset.Options{}, `
			{"at":1,"text":"one"}
			{"at":3,"text":"two"}
			{"at":5,"text":" three"}`},
		{"a.txt", "\n\none\ntwo\r\n  \n\nthree\n", dataset.Options{Format: "documents"}, `
			{"at":3,"text":"one\ntwo"}
			{"at":7,"text":"three"}`},
	})
}
