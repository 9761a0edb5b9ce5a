package program

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// objectsOf reads the JSON lines of a result.
func objectsOf(t testing.TB, out string) []map[string]any {
	t.Helper()
	var list []map[string]any
	for line := range strings.Lines(out) {
		var o map[string]any
		require.NoError(t, json.Unmarshal([]byte(line), &o), line)
		list = append(list, o)
	}
	return list
}

// faultyJSONL has a good text between records of every kind of fault.
func faultyJSONL() string {
	long := strings.TrimSpace(strings.Repeat("word ", 100))
	return `{"n":1,"text":"good morning"}
{"n":2,"text":"` + long + `"}
{"n":3,"text":"caf` + "\xe9" + `"}
{"n":4,"text":
{"n":5,"txt":"no text"}

{"n":7,"text":8}
{"n":8,"text":"an unencodable text"}
{"text":"no id"}
{"n":10,"text":"buy now"}
`
}

// TestOnError checks that a bad record ends the run, is left out, or has its error in its place, and that good texts have the same results as alone.
func TestOnError(t *testing.T) {
	w := fakeWeights(t, true)
	in := write(t, "night.jsonl", faultyJSONL())
	run := func(more ...string) result {
		return runIn(t, "", append([]string{"run", "--weights", w, "--json", "--id", "n", "--input", in}, more...)...)
	}
	r := run()
	require.Equal(t, ExitInput, r.code)
	require.Len(t, objectsOf(t, r.out), 1)
	require.Contains(t, r.err, in+":2: 102 tokens are too long")

	kinds := "1 too long, 1 not UTF-8, 1 malformed, 2 field missing, 1 wrong type, 1 not usable; the first: " + in + ":2: 102 tokens are too long"
	r = run("--on-error", "skip")
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.err, "7 of 9 texts are left out: "+kinds)
	got := objectsOf(t, r.out)
	require.Len(t, got, 2)
	require.Equal(t, []any{1.0, 10.0}, []any{got[0]["id"], got[1]["id"]})

	r = run("--on-error", "report")
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.err, "7 of 9 texts have an error in place of a result: "+kinds)
	require.Contains(t, r.err, "2 texts, ", "the summary counts results")
	got = objectsOf(t, r.out)
	require.Len(t, got, 9)
	for i, want := range []struct {
		id   any
		line float64
		kind kind
		text string
	}{
		{1.0, 0, "", ""}, {2.0, 2, kindLong, "102 tokens are too long, the limit is 64"}, {nil, 3, kindEncoding, "not valid UTF-8"}, {nil, 4, kindSyntax,
			"not a JSON object: at byte"},
		{5.0, 5, kindMissing, `no field "text"`}, {7.0, 7, kindType, `"text" is 8, it must be a string`}, {8.0, 8, kindOther, "it cannot be encoded"},
		{nil, 9, kindMissing, `no field "n", which --id names`}, {10.0, 0, "", ""},
	} {
		assert.Equal(t, want.id, got[i]["id"], i)
		if want.kind == "" {
			assert.Contains(t, got[i], "logits", i)
			continue
		}
		assert.Equal(t, want.line, got[i]["line"], i)
		assert.Equal(t, string(want.kind), got[i]["kind"], i)
		assert.Contains(t, got[i]["error"], want.text, i)
		assert.NotContains(t, got[i]["error"], in, "the place is a field of its own")
	}
	r = runIn(t, "", "run", "--weights", w, "--on-error", "report", "--quiet", "good", "unencodable", "morning")
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.out, "\nerror: argument 2: it cannot be encoded: no id for it\nmorning  (")
	require.Contains(t, r.err, "1 of 3 texts has an error in place of a result: 1 not usable; the first: argument 2")
	r = runIn(t, "", "run", "--weights", w, "--on-error", "report", "--quiet", "good", "gigantic", "morning")
	require.Contains(t, r.out, "\nerror: argument 2: it cannot be encoded: a text of 40000000 bytes: too long\nmorning  (", "--long does not help here")
	require.Contains(t, r.err, "1 of 3 texts has an error in place of a result: 1 too long; the first: argument 2")
}

// TestOnErrorManyChunks checks the order and the results over many chunks with faults anywhere.
func TestOnErrorManyChunks(t *testing.T) {
	w := fakeWeights(t, true)
	var in strings.Builder
	for i := range 3000 {
		switch {
		case i%7 == 3:
			fmt.Fprintf(&in, "text %d unencodable\n", i)
		case i%11 == 0:
			fmt.Fprintf(&in, "bytes \xff\n")
		default:
			fmt.Fprintf(&in, "text %d\n", i)
		}
	}
	r := runIn(t, in.String(), "run", "--weights", w, "--json", "--quiet", "--on-error", "report")
	require.Equal(t, ExitInput, r.code)
	got := objectsOf(t, r.out)
	require.Len(t, got, 3000)
	for i, o := range got {
		if i%7 == 3 || i%11 == 0 {
			require.EqualValues(t, i+1, o["line"])
			continue
		}
		want := fakeLogits(fmt.Sprint("text ", i))
		require.EqualValues(t, want[0], o["logits"].([]any)[0], i)
	}
}

// TestOnErrorKeepsOtherFaults checks that an error that no single record caused ends the run in every mode.
func TestOnErrorKeepsOtherFaults(t *testing.T) {
	w := fakeWeights(t, true)
	for _, mode := range []string{errorStop, errorSkip, errorReport} {
		r := runIn(t, "", "run", "--weights", w, "--on-error", mode, "--input", write(t, "a.jsonl.gz", gz(t, strings.Repeat("{\"text\":\"x\"}\n", 9000))[:60]))
		require.Equal(t, ExitInput, r.code)
		require.Contains(t, r.err, "it cannot be read: unexpected EOF")
		r = runIn(t, "", "run", "--weights", w, "--on-error", mode, "do not panic panic")
		require.Equal(t, ExitFault, r.code)
		var errs bytes.Buffer
		models := []Model{{Name: "fake", Program: fakeProgram()}}
		code := Run(context.Background(), models, []string{"run", "--weights", w, "--on-error", mode, "x"},
			Streams{In: strings.NewReader(""), Out: full{}, Err: &errs})
		require.NotEqual(t, ExitDone, code)
		require.Contains(t, errs.String(), "no space")
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space") }

// TestOnErrorOfLabels checks that, with --accuracy, a line without a label is a record that cannot be computed.
func TestOnErrorOfLabels(t *testing.T) {
	w := fakeWeights(t, true)
	in := "{\"text\":\"x\",\"label\":0}\n{\"text\":\"x\"}\n{\"text\":\"x\",\"label\":1}\n"
	r := runIn(t, in, "run", "--weights", w, "--input", "-", "--accuracy", "--quiet", "--on-error", "skip", "--examples", "0")
	require.Equal(t, ExitInput, r.code)
	require.Contains(t, r.err, " of 2)\n")
	require.Contains(t, r.err, `1 of 3 texts is left out: 1 field missing; the first: standard input:2: no "label"`)
}

// TestOnErrorOfRanking checks that the other texts are ranked if one is too long, and that they keep their places in the input.
func TestOnErrorOfRanking(t *testing.T) {
	w := fakeWeights(t, true)
	in := "{\"id\":\"a\",\"text\":\"x unencodable\"}\n{\"id\":\"b\",\"text\":\"good morning\"}\n{\"id\":\"c\",\"text\":\"buy now\"}\n"
	run := func(more ...string) result {
		return runIn(t, in, append([]string{"run", "--weights", w, "--input", "-", "--json", "--query", "what", "--positive", "spam", "--id", "id"},
			more...)...)
	}
	require.Equal(t, ExitInput, run().code)
	r := run("--on-error", "report")
	require.Equal(t, ExitInput, r.code)
	got := objectsOf(t, r.out)
	require.Len(t, got, 3)
	require.Equal(t, "a", got[0]["id"])
	require.Contains(t, got[0]["error"], "it cannot be encoded")
	places := map[any]any{}
	for i, o := range got[1:] {
		places[o["id"]] = o["index"]
		require.EqualValues(t, i+1, o["rank"])
	}
	require.Equal(t, map[any]any{"b": 1.0, "c": 2.0}, places)
	require.GreaterOrEqual(t, got[1]["score"], got[2]["score"])
}

// TestFields checks inputs with their own names for the fields, and fields that are passed through to the output.
func TestFields(t *testing.T) {
	w := fakeWeights(t, true)
	flags := []string{"run", "--weights", w, "--json", "--text-field", "premise", "--pair-field", "hypothesis", "--id", "uid", "--echo", "source,n"}
	for name, in := range map[string]string{
		"a.jsonl": `{"uid":"u1","premise":"good","hypothesis":"day","source":"web","n":1}` + "\n",
		"a.json":  "\n [ {\"uid\": \"u1\",\n \"premise\": \"good\", \"hypothesis\":\"day\", \"source\":\"web\", \"n\":1} ] \n",
		"a.csv":   "n,source,hypothesis,uid,premise,other,other\r\n1,web,day,u1,good,x,y\r\n",
		"a.tsv":   "n\tsource\thypothesis\tuid\tpremise\n1\tweb\tday\tu1\tgood\n",
	} {
		r := runIn(t, "", append(flags, "--input", write(t, name, in))...)
		require.Equal(t, ExitDone, r.code, r.err)
		o := objectsOf(t, r.out)
		require.Len(t, o, 1, name)
		assert.Equal(t, "u1", o[0]["id"], name)
		echo := o[0]["echo"].(map[string]any)
		assert.Equal(t, "web", echo["source"], name)
		assert.Equal(t, "1", fmt.Sprint(echo["n"]), name)
		assert.EqualValues(t, fakeLogits("good", "day")[0], o[0]["logits"].([]any)[0], name)
	}
	r := runIn(t, `{"text":"good","n":[1, 2],"id":7}`+"\n", "run", "--weights", w, "--quiet", "--input", "-", "--id", "id", "--echo", "n")
	require.Equal(t, ExitDone, r.code, r.err)
	require.True(t, strings.HasPrefix(r.out, "id=7  n=[1, 2]\ngood  (3 tokens)\n"), r.out)
	r = runIn(t, `{"text":"good"}`+"\n", "run", "--weights", w, "--json", "--input", "-", "--echo", "sorce")
	require.Equal(t, ExitInput, r.code, "a field that no record has is taken for a typing error")
	require.Contains(t, r.err, `no object has a field "sorce", which --echo names`)
	require.Contains(t, r.out, `"echo":{"sorce":null}`)

	for want, args := range map[string][]string{
		`a.csv:1: no column "uid", which --id names, in the header (its columns: text, n)`:           {"--id", "uid"},
		`a.csv:1: no column "hyp", which --pair-field names, in the header (its columns: text, n)`:   {"--pair-field", "hyp"},
		`a.csv:1: no column "m", which --echo names, in the header (its columns: text, n)`:           {"--echo", "m"},
		`a.csv:1: no column "body" in the header (its columns: text, n); --text-field names another`: {"--text-field", "body"},
	} {
		r := runIn(t, "", append([]string{"run", "--weights", w, "--input", write(t, "a.csv", "text,n\na,1\n")}, args...)...)
		assert.Equal(t, ExitInput, r.code)
		assert.Contains(t, r.err, want)
	}
	for _, args := range [][]string{
		{"--id", "n", "text"}, {"--echo", "n", "--input", "a.txt"}, {"--text-field", "", "--input", "a.csv"}, {"--echo", "a,a", "--input",
			"a.csv"}, {"--echo", "a,", "--input", "a.csv"},
		{"--on-error", "never", "x"}, {"--label-field", "gold", "--input", "a.csv"}, {"--question-field", "q", "--input", write(t, "a.csv", "text,q\nx,y\n")},
		{"--format", "parquet", "--input", "a"}, {"--input-name", "x", "text"},
	} {
		r := runIn(t, "", append([]string{"run", "--weights", w}, args...)...)
		assert.Equal(t, ExitUsage, r.code, "%q: %s", args, r.err)
	}
}

// TestFormats checks that a format that the program does not read is refused by name, and is never taken for an empty or a garbled text.
func TestFormats(t *testing.T) {
	w := fakeWeights(t, true)
	for _, c := range []struct{ name, text, want string }{
		{"a.parquet", "", "a.parquet: it is a Parquet file, which this program does not read: use debertac run, or convert it to JSONL"},
		{"a.jsonl", "PAR1\x15\x04\x15", "a.jsonl: it is a Parquet file"},
		{"a.jsonl.zst", "", "it is compressed by zstd, which this program does not read"},
		{"a.txt", "\x28\xb5\x2f\xfd....", "it is compressed by zstd"},
		{"a.csv", "PK\x03\x04....", "it is a ZIP archive"},
		{"a.txt", "\xff\xfeh\x00i\x00", "it is UTF-16: convert it first, with iconv -f UTF-16 -t UTF-8"},
		{"a.xls", "x", `its extension ".xls" is not known (known: .jsonl .ndjson .json .csv .tsv .tab .txt .text; .gz after them; debertac run also reads ` +
			`.parquet and .zst): give --format jsonl|json|csv|tsv|tsv-plain|lines`},
		{"mails", "x", "its name has no extension (known: "},
		{"mails.gz", gz(t, "x"), "its name has no extension (known: "},
		{"a.json", `{"data": [1]}`, `no field "text" (it has: "data")`},
		{"a.json", "{\n \"text\": \"x\"\n}", "a .json file is an array of objects or strings, or holds one object per line"},
		{"a.json", `[{"text":"x"}`, "the array of 1 elements has no end: is the file cut short?"},
		{"a.json", `["x",]`, "a.json: not JSON after element 1"},
		{"a.json", `["x"] "y"`, "something follows the end of the array"},
		{"a.json", `["x", 5]`, "a.json: element 2: it is 5, it must be an object with a text, or a string"},
		{"a.json", `["x", "\ud800"]`, `a.json: element 2: "text" has \ud800`},
		{"a.json", "[\"x\", \"\xff\"]", "a.json: element 2: not valid UTF-8"},
		{"a.tsv", "text\tn\nsay \"x\"\t1\n", "a.tsv:2: bare \" in non-quoted-field (--format tsv-plain takes quotes for characters like any others)"},
		{"a.tsv", "id\tbody\nx\t1\n", `a.tsv:1: no column "text" in the header (its columns: id, body)`},
	} {
		r := runIn(t, "", "run", "--weights", w, "--json", "--input", write(t, c.name, c.text))
		assert.Equal(t, ExitInput, r.code, "%s %q", c.name, c.text)
		assert.Contains(t, r.err, c.want, "%s %q", c.name, c.text)
	}
	for _, c := range []struct{ format, text string }{
		{"tsv-plain", "n\ttext\n1\t\"good\" morning\n\n2\t\"buy\n"},
		{"json", "\ufeff\n[\"\\\"good\\\" morning\", {\"text\":\"\\\"buy\"}]"},
		{"tsv", "n\ttext\r\n1\t\"\"\"good\"\" morning\"\r\n2\t\"\"\"buy\"\r\n"},
	} {
		r := runIn(t, c.text, "run", "--weights", w, "--json", "--input", "-", "--format", c.format)
		require.Equal(t, ExitDone, r.code, r.err)
		got := decode(t, r.out)
		require.Len(t, got, 2, c.format)
		assert.Equal(t, fakeLogits(`"good" morning`), got[0].Logits, c.format)
		assert.Equal(t, fakeLogits(`"buy`), got[1].Logits, c.format)
	}
	r := runIn(t, "n\ttext\n1\tx\ty\n2\tgood\n", "run", "--weights", w, "--json", "--input", "-", "--format", "tsv-plain", "--on-error", "skip")
	require.Contains(t, r.err, "standard input:2: wrong number of fields")
	require.Len(t, decode(t, r.out), 1)
}

// TestEmptyInput checks that a message reports an empty input.
func TestEmptyInput(t *testing.T) {
	w := fakeWeights(t, true)
	for name, text := range map[string]string{"a.jsonl": "\n\n", "b.txt": "", "c.csv": "text\n", "d.json": " [ ] "} {
		path := write(t, name, text)
		r := runIn(t, "", "run", "--weights", w, "--input", path)
		require.Equal(t, ExitDone, r.code, r.err)
		require.Equal(t, path+": the input is empty: there are no texts\n", r.err)
	}
}

// TestTypedTexts checks that a person at a terminal is told what to type.
func TestTypedTexts(t *testing.T) {
	w := fakeWeights(t, true)
	run := func(args ...string) string {
		var errs bytes.Buffer
		models := []Model{{Name: "fake", Program: fakeProgram()}}
		code := Run(context.Background(), models, append([]string{"run", "--weights", w}, args...),
			Streams{In: strings.NewReader("good\n"), Out: io.Discard, Err: &errs, InTerminal: true})
		require.Equal(t, ExitDone, code, errs.String())
		return errs.String()
	}
	require.True(t, strings.HasPrefix(run(), "reading one text per line from the terminal; Ctrl-D ends the input\n"))
	require.NotContains(t, run("--quiet"), "reading")
	require.NotContains(t, run("good"), "reading")
}

// TestLimitBeyondTheProgram checks that the message about a limit that the program was not built for names the flag that helps.
func TestLimitBeyondTheProgram(t *testing.T) {
	p := fakeProgram()
	p.Threads = 1
	for args, want := range map[string]string{
		"--threads 2":        "--threads 2: this program was built for up to 1 threads",
		"--batch-tokens 300": "--batch-tokens 300: this program was built to compute up to 256 tokens together",
	} {
		r := runTask(t, p, false, "", append(strings.Fields(args), "x")...)
		require.Equal(t, ExitUsage, r.code)
		require.Contains(t, r.err, want)
	}
	r := runIn(t, "", "run", "--weights", fakeWeights(t, true), "--max-tokens", "2000", "x")
	require.Equal(t, ExitUsage, r.code)
	require.Contains(t, r.err, "--max-tokens 2000: this program was built for texts of up to 64 tokens; debertac run MODEL_FOLDER --seq 2000 builds one "+
		"for more")
}

// TestOnErrorOfDamagedWeights checks that outputs that are not numbers do not count as the fault of a text, and that a missing tokenizer does not count as the
// fault of all texts.
func TestOnErrorOfDamagedWeights(t *testing.T) {
	nan := taskProgram(engine.Head{Name: "tag", Task: tasktable.Tags, Rows: engine.PerToken, C: 2, Labels: []string{"O", "B-X"}}, nil,
		func([]int32, int, int) float32 { return float32(math.NaN()) })
	for _, mode := range []string{errorStop, errorSkip, errorReport} {
		r := runTask(t, nan, false, "", "--on-error", mode, "paris", "rome")
		require.Equal(t, ExitInput, r.code)
		require.Contains(t, r.err, "the weights may be damaged")
		require.NotContains(t, r.err, "of 2 texts")
		require.Empty(t, r.out)
		r = runIn(t, "", "run", "--weights", fakeWeights(t, false), "--on-error", mode, "paris")
		require.Equal(t, ExitInput, r.code)
		require.Contains(t, r.err, "without a tokenizer")
		require.NotContains(t, r.err, "left out")
	}
}

// TestOnErrorOfTasks checks that a record that does not fit its task is that record's fault, and that a cell of a table may hold a list.
func TestOnErrorOfTasks(t *testing.T) {
	r := runTask(t, predicts(false, false), false, "paris is the [MASK]\nno mask here\nthe [MASK] of france\n", "--on-error", "report", "--json")
	require.Equal(t, ExitInput, r.code)
	got := objectsOf(t, r.out)
	require.Len(t, got, 3)
	require.EqualValues(t, 2, got[1]["line"])
	require.Equal(t, string(kindOther), got[1]["kind"])
	require.Contains(t, r.err, "1 of 3 texts has an error in place of a result: 1 not usable; the first: standard input:2: ")

	// At a terminal, a generated text is shown as it grows. The id and the fields of --echo come before it.
	r = runTask(t, predicts(true, false), true, `{"text":"paris is","id":7}`+"\n", "--input", "-", "--id", "id", "--max-new-tokens", "2")
	require.Equal(t, ExitDone, r.code, r.err)
	require.True(t, strings.HasPrefix(r.out, "id=7\nparis is"), r.out)
	require.Equal(t, 1, strings.Count(r.out, "id=7"))

	in := "text,wanted\nparis is a city,\"city,who\"\nrome,\nparis is a city,\"[\"\"city\"\"]\"\n"
	r = runTask(t, entityProgram(), false, in, "--input", "-", "--format", "csv", "--labels-field", "wanted", "--on-error", "report", "--json")
	require.Equal(t, ExitInput, r.code)
	got = objectsOf(t, r.out)
	require.Len(t, got, 3)
	require.Contains(t, got[0], "entities")
	require.Contains(t, got[2], "entities")
	require.Contains(t, got[1]["error"], `"wanted" is "": a part between its commas is empty`)
	require.Equal(t, string(kindType), got[1]["kind"])
}
