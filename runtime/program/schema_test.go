package program

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/extraction"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// schemaWords is words with a token for each marker of a schema.
type schemaWords struct{ words }

func (w schemaWords) ID(piece string) (int32, bool) {
	if i := slices.Index(extraction.Markers, piece); i >= 0 {
		return int32(len(vocabulary) + i), true
	}
	return w.words.ID(piece)
}

// schemaProgram returns a model that finds the word paris for every label but who, and merkel for who. It counts one instance of everything, and prefers the
// label who.
func schemaProgram() *engine.Program {
	p := taskProgram(engine.Head{
		Name: "extract", Task: tasktable.Extract, Rows: engine.PerPair, C: 2, Parts: []engine.Part{
			{Name: tasktable.ClassOutput, Rows: engine.PerMark, C: 1}, {Name: tasktable.CountOutput, Rows: engine.PerMark, C: 2},
			{Name: tasktable.SpanOutput, Rows: engine.PerPair, C: 2, Width: 2}},
	}, func(l *engine.Limits) {
		l.Words, l.Marks, l.Steps, l.Vocab = true, true, 2, len(vocabulary)+len(extraction.Markers)
	}, nil)
	p.Tokenizer = func(string, []byte) (tokenizer.Tokenizer, error) { return schemaWords{}, nil }
	p.Bind = func(w *engine.Weights, _ cpu.ISA) (engine.NewForward, error) {
		w.F32("table")
		return func(x *engine.Exec) (engine.Forward, error) {
			return func() error {
				out := x.Out
				put := func(v ...float32) { copy(out, v); out = out[len(v):] }
				label := func(row int32) int32 { return x.IDs[min(int(row)+1, len(x.IDs)-1)] }
				for _, m := range x.Marks {
					put(likes(label(m), "who"))
				}
				for range x.Marks {
					put(0, 1)
				}
				for s := range x.B {
					for i := x.WordStarts[s]; i < x.WordStarts[s+1]; i++ {
						for q := x.QueryStarts[s]; q < x.QueryStarts[s+1]; q++ {
							wanted := "paris"
							if label(x.Queries[q]) == word("who") {
								wanted = "merkel"
							}
							put(likes(x.IDs[x.Words[2*i]], wanted)-3, -3)
						}
					}
				}
				return x.Layer("all")
			}, nil
		}, nil
	}
	return p
}

func TestRunSchema(t *testing.T) {
	p := schemaProgram()
	text := "Angela Merkel visited paris"
	r := runTask(t, p, false, "", "--labels", "city, who", "--classify", "what=city,who; more=who,city", text)
	require.Equal(t, ExitDone, r.code, r.err)
	require.Contains(t, r.out, text+"  (")
	require.Contains(t, r.out, "       ^^^^^^         ^^^^^\n  city  0.9975  ████████████████████  paris\n  who   0.9975  ████████████████████  Merkel\n"+
		"  what  0.9999  ████████████████████  who\n  more  0.9999  ████████████████████  who\n")

	schema := `{"entities": ["who"], "entity_attributes": {"kind": {"labels": ["city", "x"], "multi_label": true, "threshold": 0}},` +
		`"relations": ["visited"], "structures": {"trip": {"fields": [{"name": "to", "dtype": "str"}, {"name": "city", "choices": ["paris", "rome"]}]}}}`
	r = runTask(t, p, false, `{"text":"`+text+`","schema":`+schema+`}`, "--json", "--input", "-")
	require.Equal(t, ExitDone, r.code, r.err)
	score := `"confidence":0.9975273768433653`
	require.JSONEq(t, `{"entities":{"who":[{"text":"Merkel",`+score+`,"start":7,"end":13,"kind":[{"label":"city","confidence":0.04742587317756678},`+
		`{"label":"x","confidence":0.04742587317756678}]}]},"relation_extraction":{"visited":[{"head":{"text":"paris",`+score+`,"start":22,"end":27},`+
		`"tail":{"text":"paris",`+score+`,"start":22,"end":27}}]},"trip":[{"to":{"text":"paris",`+score+`,"start":22,"end":27},`+
		`"city":[{"text":"paris",`+score+`}]}],"tokens":49,"truncated":0,"windows":1}`, r.out)
	r = runTask(t, p, false, `{"text":"`+text+`","schema":`+schema+`}`, "--input", "-")
	require.Contains(t, r.out, "Merkel  kind: city 0.0474  kind: x 0.0474\n")
	require.Contains(t, r.out, "  trip 1: to       0.9975  ████████████████████  paris\n  trip 1: city     0.9975  ████████████████████  paris\n")
	require.Contains(t, r.out, "  visited 1: head  0.9975  ████████████████████  paris\n  visited 1: tail")

	file := filepath.Join(t.TempDir(), "schema.json")
	require.NoError(t, os.WriteFile(file, []byte(`{"entities": ["who"], "relations": {"r": {"description": "d", "threshold": 0.1}}}`), 0o666))
	r = runTask(t, p, false, "", "--schema", file, "--json", "--threshold", "0.9976", text)
	require.Equal(t, ExitDone, r.code, r.err)
	require.JSONEq(t, `{"entities":{"who":[]},"relation_extraction":{"r":[]},"r: d":[],"no_effect":["relations[\"r\"].threshold"],`+
		`"tokens":26,"truncated":0,"windows":1}`, r.out)
	rows := func(options string, flags ...string) string {
		r := runTask(t, p, false, `{"text":"`+text+`"`+options+`}`, append([]string{"--json", "--input", "-", "--labels", "who"}, flags...)...)
		require.Equal(t, ExitDone, r.code, r.err)
		return r.out
	}
	require.JSONEq(t, `{"entities":{"who":["Merkel"]},"words_cut":3,"tokens":11,"truncated":0,"windows":1}`,
		rows(`,"max_len":2,"include_confidence":false,"include_spans":false`))
	require.JSONEq(t, `{"entities":{"who":[{"text":"Merkel","start":7,"end":13}]},"tokens":13,"truncated":0,"windows":2}`,
		rows(`,"chunk_size":3,"chunk_overlap":1,"include_confidence":false,"threshold":0.3,"overlap_policy":"nested","word_splitter":"char"`))
	require.JSONEq(t, rows(`,"chunk_size":3,"chunk_overlap":1`), rows("", "--chunk-size", "3", "--chunk-overlap", "1"))
	require.JSONEq(t, rows(`,"chunk_size":70`), rows("", "--chunk-size", "70"))
	require.Contains(t, runTask(t, p, false, `{"text":"`+text+`","max_len":2}`, "--input", "-", "--labels", "who").out, "(11 tokens, 3 words cut)")
	require.Contains(t, runWithSummary(t, p, false, `{"text":"`+text+`","max_len":2}`, "--input", "-", "--labels", "who").err,
		"; 1 of them cut, 1 at a limit of its own\n")
	both := `{"text":"` + text + `"}` + "\n" + `{"text":"` + text + `","threshold":0}` + "\n" + `{"text":"` + text + `"}` + "\n"
	r = runTask(t, p, false, both, "--json", "--input", "-", "--labels", "who", "--threshold", "0.999")
	require.Equal(t, ExitDone, r.code, r.err)
	lines := strings.Split(r.out, "\n")
	require.Contains(t, lines[0], `{"entities":{"who":[]}`)
	require.Contains(t, lines[1], `{"entities":{"who":[{"text":"Merkel",`, "a line's threshold is its own")
	require.Equal(t, lines[0], lines[2], "a line's threshold is not that of the other lines")
	table := "text,schema,threshold\nAngela Merkel,\"{\"\"entities\"\": [\"\"who\"\"]}\",0.25\n"
	r = runTask(t, p, false, table, "--json", "--input", "-", "--format", "csv")
	require.Contains(t, r.out, `{"entities":{"who":[{"text":"Merkel",`)
	cells := "text,threshold,max_len,schema\nAngela Merkel,, ,\n"
	r = runTask(t, p, false, cells, "--json", "--input", "-", "--format", "csv", "--labels", "who")
	require.Equal(t, ExitDone, r.code, r.err)
	require.Contains(t, r.out, `{"entities":{"who":[{"text":"Merkel",`, "an empty cell sets nothing")
	for _, line := range []string{`{"text":"Angela Merkel","labels":["who"]}`, `{"text":"Angela Merkel","labels":["x"],"schema":{"entities":["who"]}}`} {
		r = runTask(t, p, false, line, "--json", "--input", "-")
		require.Contains(t, r.out, `{"entities":{"who":[{"text":"Merkel",`, line)
	}
	r = runTask(t, p, false, "text,wanted\nAngela Merkel,\"x, who\"\n", "--json", "--input", "-", "--format", "csv", "--labels-field", "wanted")
	require.Contains(t, r.out, `{"entities":{"x":[],"who":[{"text":"Merkel",`)
	r = runTask(t, p, false, `{"text":"Angela Merkel","schema":"{\"entities\": [\"who\"]}"}`, "--json", "--input", "-")
	require.Contains(t, r.out, `{"entities":{"who":[{"text":"Merkel",`, "a schema may be a string that holds JSON")
}

// TestRunSchemaFaults tries flags and lines that are not valid.
func TestRunSchemaFaults(t *testing.T) {
	p := schemaProgram()
	bad := filepath.Join(t.TempDir(), "bad.json")
	require.NoError(t, os.WriteFile(bad, []byte(`{"entities": []}`), 0o666))
	for want, args := range map[string]string{
		"a text alone is not enough":                                      "x",
		"--schema: open ":                                                 "--schema nothing.json x",
		bad + ": entities: it is empty":                                   "--schema " + bad + " x",
		"--schema and --labels contradict each other":                     "--schema a --labels b x",
		`--classify "tone": it must be TASK=LABEL,LABEL`:                  "--classify tone x",
		`--classify "tone=a": a task needs two labels or more`:            "--classify tone=a x",
		`--classify "tone=a,a": the label "a" occurs twice`:               "--classify tone=a,a x",
		"--classify \"a,,b\": a part between its commas is empty":         "--classify t=a,,b x",
		`classifications[0].task: "tokens" is a key of every result here`: "--classify tokens=a,b x",
		`the schema of the flags: entities["a[E]"]`:                       "--labels a[E] x",
		"--threshold: LABEL=P needs --labels":                             "--classify t=a,b --threshold a=0.5 x",
		`--threshold: "b" is not one of --labels`:                         "--labels a --threshold b=0.5 x",
		"--overlap: overlap_policy is \"odd\"":                            "--labels a --overlap odd x",
		"--chunk-overlap needs --chunk-size":                              "--labels a --chunk-overlap 3 x",
		"chunk_overlap is 3: it must be from 0 to 2, below chunk_size":    "--labels a --chunk-size 3 --chunk-overlap 3 x",
		"--chunk-size 64 needs --chunk-overlap, from 0 to 63":             "--labels a --chunk-size 64 x",
	} {
		r := runTask(t, p, false, "", strings.Fields(args)...)
		require.NotEqual(t, ExitDone, r.code, args)
		require.Contains(t, r.err, want, args)
	}
	for want, line := range map[string]string{
		`there is no schema: write --schema, --labels or --classify`:           `{"text":"x"}`,
		`"labels" is "a", it must be an array of strings`:                      `{"text":"x","labels":"a"}`,
		`"labels": it asks for nothing`:                                        `{"text":"x","labels":[]}`,
		`"labels": entities["a"]: the label "a" occurs twice`:                  `{"text":"x","labels":["a","a"]}`,
		`"schema": entities: it is empty`:                                      `{"text":"x","schema":{"entities":[]}}`,
		`"schema": it is a string and must be an object`:                       `{"text":"x","schema":"x"}`,
		`structures["windows"]: "windows" is a key of every result here`:       `{"text":"x","schema":{"structures":{"windows":{"fields":[{"name":"a"}]}}}}`,
		`"overlap_policy" is "odd": it must be allow, nested, flat or longest`: `{"text":"x","schema":{"entities":["a"]},"overlap_policy":"odd"}`,
		`"word_splitter" is "odd": it must be whitespace or char`:              `{"text":"x","schema":{"entities":["a"]},"word_splitter":"odd"}`,
		`"threshold" is "high", it must be a number from 0 to 1`:               `{"text":"x","schema":{"entities":["a"]},"threshold":"high"}`,
		`threshold is 2: it must be from 0 to 1`:                               `{"text":"x","schema":{"entities":["a"]},"threshold":2}`,
		`"max_len" is 0, it must be a whole number above 0`:                    `{"text":"x","schema":{"entities":["a"]},"max_len":0}`,
		`"chunk_size" is 1.5, it must be a whole number above 0`:               `{"text":"x","schema":{"entities":["a"]},"chunk_size":1.5}`,
		`"chunk_overlap" is -1, it must be a whole number, 0 or more`:          `{"text":"x","schema":{"entities":["a"]},"chunk_size":3,"chunk_overlap":-1}`,
		`"chunk_size" is 3 and needs "chunk_overlap", from 0 to 2`:             `{"text":"x","schema":{"entities":["a"]},"chunk_size":3}`,
		`chunk_overlap is 3 and has no effect without chunk_size`:              `{"text":"x","schema":{"entities":["a"]},"chunk_overlap":3}`,
		`max_len has no effect in windows of chunk_size words`: `{"text":"x","schema":{"entities":["a"]},"chunk_size":3,"chunk_overlap":1,` +
			`"max_len":2}`,
		`"include_spans" is 1, it must be true or false`:         `{"text":"x","schema":{"entities":["a"]},"include_spans":1}`,
		`it is a pair, and this model's head takes single texts`: `{"text":"x","pair":"y","schema":{"entities":["a"]}}`,
		`"schema": the schema takes `:                            `{"text":"x","schema":{"entities":["` + strings.Repeat("a ", 200) + `"]}}`,
		`tokens with its schema are too long, the limit is`:      `{"text":"` + strings.Repeat("a ", 200) + `","schema":{"entities":["a"]}}`,
	} {
		r := runTask(t, p, false, line, "--input", "-")
		require.NotEqual(t, ExitDone, r.code, line)
		require.Contains(t, r.err, want, line)
	}
	r := runTask(t, p, false, `{"text":"x","labels":["a"]}`, "--input", "-", "--labels", "who")
	require.Contains(t, r.err, "the input has labels of its own, and --labels sets others")
	r = runTask(t, p, false, `{"text":"x","schema":{"entities":["a"]}}`, "--input", "-", "--labels", "who")
	require.Contains(t, r.err, "the input has a schema of its own, and a flag sets another")
}
