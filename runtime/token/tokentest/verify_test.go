package tokentest

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"runtime/debug"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/token"
)

// TestMain makes garbage collection rare: the tests allocate much and keep little, and collection took a third of their processor time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}

func needTestdata(t *testing.T) {
	if _, err := os.Stat("../testdata/go.mod"); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the recorded encodings are only in the repository")
	}
}

// TestGoldens compares every recorded line: ids, type ids, mask, offsets, words, overflow, decoded text; and
// SentencePiece's own normalized form, pieces, byte spans and parts. Folders with older files count twice, once
// per reading.
func TestGoldens(t *testing.T) {
	needTestdata(t)
	for folder, lines := range map[string]int{"spm_v3": 1520, "spm_bytes": 820, "bpe_deberta": 940, "bpe_roberta": 940, "wordpiece_cased": 940,
		"wordpiece_uncased": 940, "variants": 960} {
		t.Run(folder, func(t *testing.T) {
			compared, failed, err := VerifyDir("../testdata/"+folder, func(line string) { t.Error(line) })
			require.NoError(t, err)
			assert.Equal(t, lines, compared)
			assert.Zero(t, failed)
		})
	}
}

// TestWindows compares texts that are cut at either side or into windows, as recorded by testdata/windows.py.
func TestWindows(t *testing.T) {
	needTestdata(t)
	f, err := os.Open("../testdata/windows.jsonl.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	comparers := map[string]*comparer{}
	faults, windows, left := 0, 0, 0
	lines := bufio.NewScanner(z)
	for lines.Buffer(nil, 1<<24); lines.Scan(); {
		var line struct {
			File string
			Record
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &line))
		c := comparers[line.File]
		if c == nil {
			b, err := os.ReadFile("../testdata/" + line.File)
			require.NoError(t, err)
			tok, err := token.FromJSON(b)
			require.NoError(t, err)
			c, err = newComparer(tok)
			require.NoError(t, err)
			comparers[line.File] = c
		}
		assert.NoError(t, c.check(&line.Record), "%s: %+v of %q and %v", line.File, line.Options, line.Text, line.Pair)
		switch {
		case line.Error != "":
			faults++
		case line.Options.Direction == "left":
			left++
		}
		windows += len(line.Overflowing)
	}
	require.NoError(t, lines.Err())
	assert.Len(t, comparers, 11)
	assert.Greater(t, min(faults, left), 50)
	assert.Greater(t, windows, 500)
}

// TestDifferencesAreFound checks that any change in a record is found, and that the report names its place.
func TestDifferencesAreFound(t *testing.T) {
	needTestdata(t)
	model, err := os.ReadFile("../testdata/spm_v3/tokenizer.json")
	require.NoError(t, err)
	good := `{"text":"a b","options":{},"ids":[1,9,141,2],"type_ids":[0,0,0,0],"mask":[1,1,1,1],"offsets":[[0,0],[0,1],[1,3],[0,0]],` +
		`"words":[null,0,1,null],"decoded":"a b"}`
	run := func(line string) (report string, failed int) {
		fsys := fstest.MapFS{"tokenizer.json": {Data: model}, "encodings.jsonl": {Data: []byte("\n" + line + "\n")}}
		compared, failed, err := VerifyFS(fsys, func(line string) { report = line })
		require.NoError(t, err)
		require.Equal(t, 1, compared)
		return report, failed
	}
	report, failed := run(good)
	require.Zero(t, failed, report)
	for _, x := range []struct{ old, new, want string }{
		{"[1,9,", "[1,8,", "encodings.jsonl:2 (tokenizer.json): id 1 is 9, want 8"},
		{`"type_ids":[0,0`, `"type_ids":[0,1`, "type id 1 is 0, want 1"},
		{`"mask":[1,1,1,1]`, `"mask":[1,1,1,0]`, "mask 3 is 1, want 0"},
		{`[0,1],[1,3]`, `[0,1],[2,3]`, "offsets 2 is [1 3], want [2 3]"},
		{"[null,0,1,null]", "[null,0,0,null]", "word 2 is 1, want 0"},
		{`"decoded":"a b"`, `"decoded":"a  b"`, `decoded "a b", want "a  b"`},
		{`"ids":[1,9,141,2]`, `"ids":[1,9,141,2,0]`, "4 of id, want 5"},
		{`"decoded"`, `"overflowing":[{}],"decoded"`, "0 overflowing windows, want 1"},
		{`"decoded"`, `"surprise":1,"decoded"`, "cannot be read"},
		{`"options":{}`, `"options":{"truncation":"middle"}`, "unknown"},
		{`"options":{}`, `"options":{"direction":"up"}`, `direction "up": unknown`},
		{`"options":{}`, `"options":{"truncation":"only_first","max_length":3}`, "id 2 is 2, want 141"},
		{`"options":{}`, `"options":{"truncation":"only_first","max_length":3,"direction":"left"}`, "id 1 is 141, want 9"},
		{`"options":{}`, `"options":{"truncation":"only_first","max_length":3,"overflow":true}`, "1 overflowing windows, want 0"},
		{`"decoded":"a b"`, `"error":"too long"`, "want the error"},
	} {
		line := strings.Replace(good, x.old, x.new, 1)
		require.NotEqual(t, good, line, x.old)
		report, failed := run(line)
		assert.Equal(t, 1, failed, x.new)
		assert.Contains(t, report, x.want)
	}
}

func TestNothingToCompare(t *testing.T) {
	for name, fsys := range map[string]fstest.MapFS{
		"empty folder":        {},
		"a model, no records": {"tokenizer.json": {Data: []byte("{}")}},
		"records, no model":   {"encodings.jsonl": {Data: []byte("{}\n")}},
		"tokenizer_config":    {"tokenizer_config.json": {Data: []byte("{}")}, "encodings_config.jsonl": {Data: []byte("{}\n")}},
	} {
		_, _, err := VerifyFS(fsys, func(string) {})
		assert.ErrorContains(t, err, "nothing to compare", name)
	}
	_, _, err := VerifyFS(fstest.MapFS{"spm.model": {Data: []byte("x")}, "sentencepiece.jsonl": {Data: []byte("{}\n")}}, func(string) {})
	assert.ErrorContains(t, err, "spm.model")
	_, _, err = VerifyDir("no such folder", func(string) {})
	assert.Error(t, err)
}
