package dataset

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/example"
)

// openBytes opens the content of a file.
func openBytes(name string, text []byte, o *Options) (*source, error) {
	s := &source{file: name, in: newStream(name, bytes.NewReader(text), int64(len(text)), func() error { return nil })}
	if err := s.in.begin(name); err != nil {
		return nil, err
	}
	return s, s.open(o)
}

// readAll reads a file to its end and checks what holds for every file.
func readAll(t *testing.T, name string, text []byte, o Options) (all []*example.Example, faults []*RowError, last error) {
	t.Helper()
	require.NoError(t, o.check())
	s, err := openBytes(name, text, &o)
	if err != nil {
		require.True(t, utf8.ValidString(err.Error()))
		return nil, nil, err
	}
	defer func() { require.NoError(t, s.Close()) }()
	for n := 0; ; n++ {
		require.LessOrEqual(t, n, 2*len(text)+16, "the file has no end")
		e, err := s.Next()
		var fault *RowError
		switch {
		case errors.As(err, &fault):
			require.Positive(t, fault.Number)
			require.NotEmpty(t, fault.Reason)
			faults = append(faults, fault)
		case errors.Is(err, io.EOF):
			return all, faults, nil
		case err != nil:
			return all, faults, err
		default:
			holds(t, e)
			all = append(all, e)
		}
	}
}

// holds checks what holds for every example.
func holds(t *testing.T, e *example.Example) {
	t.Helper()
	require.Positive(t, e.At)
	if e.Tags != nil {
		require.Len(t, e.Tags, len(e.Words))
	}
	for _, n := range e.Entities {
		require.Less(t, n.Start, n.End)
		require.GreaterOrEqual(t, n.Start, 0)
		if e.Words != nil {
			require.LessOrEqual(t, n.End, len(e.Words))
			continue
		}
		require.True(t, utf8.ValidString(e.Text[n.Start:n.End]))
	}
	for _, a := range e.Answers {
		if a.Start >= 0 {
			require.Equal(t, a.Text, e.Context[a.Start:a.Start+len(a.Text)])
		}
	}
	var b, again bytes.Buffer
	require.NoError(t, example.Encode(&b, e))
	require.True(t, utf8.Valid(b.Bytes()))
	back, err := example.NewReader(bytes.NewReader(b.Bytes())).Next()
	require.NoError(t, err)
	require.NoError(t, example.Encode(&again, back))
	require.Equal(t, b.String(), again.String())
}

// seeds adds the texts of inputs to a fuzz target.
func seeds(f *testing.F, all ...string) {
	for _, s := range all {
		f.Add([]byte(s))
	}
}

// fuzzed lists the fuzz targets beside the formats that they read.
var fuzzed = map[string]func(*testing.F){"jsonl": FuzzJSONL, "json": FuzzJSON, "csv": FuzzCSV, "tsv": FuzzTSV, "tsv-plain": FuzzTSV, "lines": FuzzLines,
	"documents": FuzzLines, "parquet": FuzzParquet, "conll": FuzzCoNLL, "squad": FuzzSQuAD, "race": FuzzRACE, "gliner": FuzzGLiNER}

// TestFuzzed checks that each format has a fuzz target. The tasks of GLUE and SuperGLUE have FuzzTasks, and compressed files FuzzPacked.
func TestFuzzed(t *testing.T) {
	for _, name := range FormatNames() {
		require.NotNil(t, fuzzed[name], name)
	}
	require.Len(t, fuzzed, len(FormatNames()))
}

func FuzzPacked(f *testing.F) {
	for _, name := range []string{"labels.jsonl.gz", "labels.jsonl.zst"} {
		text, err := os.ReadFile(filepath.Join("..", "evaluation", "testdata", name))
		require.NoError(f, err)
		f.Add(text)
		f.Add(text[:len(text)/2])
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, name := range []string{"a.txt.gz", "a.txt.zst", "a.txt"} {
			s, err := openBytes(name, text, &Options{})
			for n := 0; err == nil && n < 1000; n++ { // what a file of a few bytes holds may be large
				var fault *RowError
				if _, err = s.Next(); errors.As(err, &fault) {
					err = nil
				}
			}
			if s != nil {
				require.NoError(t, s.Close())
			}
		}
	})
}

func FuzzJSONL(f *testing.F) {
	seeds(f, `{"text":"a","label":1}`,
		"{\"text\":\"\\ud83d\\ude00\",\"labels\":[\"x\"],\"entities\":[{\"label\":\"X\",\"start\":0,\"end\":4}]}\n\n{\"text\":1e5}",
		`{"question":"q","context":"éb","answers":{"text":["b"],"answer_start":[1]}}`, `{"chosen":"a","rejected":"b","score":-0.5,"x":{"a":[null,true]}}`)
	f.Fuzz(func(t *testing.T, text []byte) {
		_, faults, _ := readAll(t, "a.jsonl", text, Options{})
		for _, e := range faults { // the scanner refuses what the standard library refuses, and no more
			if lines := bytes.Split(text, []byte("\n")); strings.HasPrefix(e.Reason, "it is not JSON") && len(lines) >= int(e.Number) {
				line := bytes.TrimPrefix(lines[e.Number-1], []byte("\xef\xbb\xbf"))
				require.False(t, json.Valid(line) && !strings.Contains(e.Reason, "deep"), "%q: %s", line, e.Reason)
			}
		}
	})
}

func FuzzJSON(f *testing.F) {
	seeds(f, `[{"text":"a"},{"text":"b"}]`, `{"n":{"a":[1]},"data":[{"text":"a"},"b"],"m":2}`, "{\"text\":\"a\"}\n{\"text\":\"b\"}", `["a",1,null]`)
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _, err := readAll(t, "a.json", text, Options{Format: "json"})
		if trimmed := bytes.TrimSpace(text); err == nil && len(trimmed) > 0 && trimmed[0] == '[' {
			var all []json.RawMessage // what the standard library reads is read
			if json.Unmarshal(text, &all) == nil {
				_, _, err = readAll(t, "a.json", text, Options{Format: "json"})
				require.NoError(t, err)
			}
		}
	})
}

func FuzzCSV(f *testing.F) {
	seeds(f, "text,label\na,1\n\"b, \"\"c\"\"\r\nd\",2\n", "text\n\"a\nb\n", "text,label\n\"a\"b,1\nc,2", "text,text\na,b")
	f.Fuzz(func(t *testing.T, text []byte) {
		all, faults, last := readAll(t, "a.csv", text, Options{})
		if last != nil || len(faults) > 0 || bytes.Contains(text, []byte("\r")) {
			return
		}
		r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))))
		rows, err := r.ReadAll() // what is read without a fault is what the standard library reads
		require.NoError(t, err)
		require.Len(t, all, len(rows)-1)
		for i, name := range rows[0] {
			if strings.TrimSpace(name) == "text" {
				for j, e := range all {
					require.Equal(t, rows[j+1][i], e.Text)
				}
			}
		}
	})
}

func FuzzTSV(f *testing.F) {
	seeds(f, "text\tlabel\na\t1\n\"b\tc\"\t2\n", "text\n\"a\n", "label\ttext\n\t\n")
	f.Fuzz(func(t *testing.T, text []byte) {
		readAll(t, "a.tsv", text, Options{})
		readAll(t, "a.tsv", text, Options{Format: "tsv-plain"})
	})
}

func FuzzLines(f *testing.F) {
	seeds(f, "a\n\nb\r\nc", "a\rb", "\xff\n\na")
	f.Fuzz(func(t *testing.T, text []byte) {
		all, faults, last := readAll(t, "a.txt", text, Options{})
		if last == nil { // each line that is not blank is an example or a fault
			want := 0
			for l := range bytes.Lines(bytes.TrimPrefix(text, []byte("\xef\xbb\xbf"))) {
				if len(bytes.TrimSpace(l)) > 0 {
					want++
				}
			}
			require.Equal(t, want, len(all)+len(faults))
		}
		readAll(t, "a.txt", text, Options{Format: "documents"})
	})
}

func FuzzCoNLL(f *testing.F) {
	seeds(f, "-DOCSTART- O\n\na B-X\nb I-X\n\n# c\nd O\n", "a\tS-X\nb\tB-X\nc\tE-X", "a NN\nb VB\n", "a U-X\nb B-X\nc L-X\n", "a I-X\nb B-X\n")
	f.Fuzz(func(t *testing.T, text []byte) {
		all, _, _ := readAll(t, "a.conll", text, Options{Repair: true})
		if slices.ContainsFunc(all, func(e *example.Example) bool { return e.Tags == nil }) || len(all) == 0 {
			return
		}
		for _, scheme := range []string{schemeBIO, schemeIOB1, schemeBIOES, schemeBILOU} {
			converted, _, _ := readAll(t, "a.conll", text, Options{Repair: true, WantScheme: scheme})
			for i, e := range converted { // entities stay the same in each scheme
				at, why := wrong(e.Tags, scheme)
				require.Equal(t, -1, at, why)
				require.Equal(t, spans(all[i].Tags), spans(e.Tags))
			}
		}
	})
}

func FuzzSQuAD(f *testing.F) {
	seeds(f, `{"data":[{"title":"A","paragraphs":[{"context":"Ünn.","qas":[{"id":"1","question":"Q","answers":[{"text":"n","answer_start":1}]}]}]}]}`,
		`{"data":[{"paragraphs":[{"context":"a","qas":[{"id":"1","question":"Q","answers":[],"is_impossible":true}]}]}]}`)
	f.Fuzz(func(t *testing.T, text []byte) { readAll(t, "a.json", text, Options{Format: "squad"}) })
}

func FuzzRACE(f *testing.F) {
	seeds(f, `{"answers":["B"],"options":[["x","y"]],"questions":["Q"],"article":"A","id":"1"}`, `{"article":"A","question":"Q","options":["x"],"answer":"A"}`)
	f.Fuzz(func(t *testing.T, text []byte) {
		readAll(t, "a.txt", text, Options{Format: "race"})
		readAll(t, "a.jsonl", text, Options{Format: "race"})
	})
}

func FuzzGLiNER(f *testing.F) {
	seeds(f, `[{"tokenized_text":["Ann","left"],"ner":[[0,0,"person"]]}]`, `[{"tokenized_text":[],"ner":[]}]`)
	f.Fuzz(func(t *testing.T, text []byte) { readAll(t, "a.json", text, Options{Format: "gliner"}) })
}

func FuzzTasks(f *testing.F) {
	archive, err := os.ReadFile(filepath.Join("testdata", "tasks.txtar"))
	require.NoError(f, err)
	for part := range strings.SplitSeq(string(archive), "-- ") {
		_, text, _ := strings.Cut(part, " --\n")
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		for _, task := range TaskNames() {
			readAll(t, "a.jsonl", text, Options{Task: task})
			readAll(t, "a.tsv", text, Options{Task: task})
		}
	})
}

func FuzzParquet(f *testing.F) {
	for _, name := range []string{"columns.parquet", "nested.parquet", "untitled.parquet"} {
		text, err := os.ReadFile(filepath.Join("..", "parquetfile", "testdata", name))
		require.NoError(f, err)
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		path := filepath.Join(t.TempDir(), "a.parquet")
		require.NoError(t, os.WriteFile(path, text, 0o600))
		s, err := Open(t.Context(), path, Options{})
		if err != nil {
			require.Nil(t, s)
			return
		}
		for n := 0; err == nil && n < 1000; n++ {
			var e *example.Example
			var fault *RowError
			if e, err = s.Next(); err == nil {
				holds(t, e)
			} else if errors.As(err, &fault) {
				err = nil
			}
		}
		require.NoError(t, s.Close())
	})
}
