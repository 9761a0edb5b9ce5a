package dataset_test

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/dataset"
)

// packed returns a text compressed by gzip or zstd.
func packed(t *testing.T, extension string, text []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser = gzip.NewWriter(&b)
	if extension == ".zst" {
		z, err := zstd.NewWriter(&b)
		require.NoError(t, err)
		w = z
	}
	_, err := w.Write(text)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.Bytes()
}

// TestCompressed checks that compressed files of each format are read, and that one that is cut short ends in an error after the rows that are there.
func TestCompressed(t *testing.T) {
	texts := map[string]string{
		"a.jsonl": "{\"text\":\"a\"}\n{\"text\":\"b\"}\n", "a.json": `[{"text":"a"},{"text":"b"}]`, "a.csv": "text\na\nb\n", "a.tsv": "text\tx\na\t\nb\t\n",
		"a.txt": "a\nb\n", "a.conll": "a O\n\nb O\n",
	}
	for _, extension := range []string{".gz", ".zst"} {
		for name, text := range texts {
			plain := read(t, write(t, name, text), dataset.Options{})
			require.Len(t, plain, 2, name)
			whole := packed(t, extension, []byte(text))
			require.Equal(t, plain, read(t, write(t, name+extension, string(whole)), dataset.Options{}), name+extension)
			format := strings.TrimPrefix(filepath.Ext(name), ".")
			if format == "txt" {
				format = "lines"
			}
			require.Equal(t, plain, read(t, write(t, "unnamed", string(whole)), dataset.Options{Format: format}), name)
		}
		line := []byte("{\"text\":\"0123456789\"}\n")
		all := packed(t, extension, append(bytes.Repeat(line, 20_000), fmt.Sprintf("{\"text\":%q}\n", random(100_000))...))
		for _, size := range []int{11, 100, len(all) / 2, len(all) - 1} {
			got := read(t, write(t, "a.jsonl"+extension, string(all[:size])), dataset.Options{})
			last := got[len(got)-1]
			require.Contains(t, last, "! a.jsonl"+extension+": it cannot be decompressed (", size)
			require.Contains(t, last, "it ends inside the compressed data, so the file is cut short")
			if len(got) > 1 {
				require.Contains(t, last, fmt.Sprintf("(after %d examples)", len(got)-1))
			}
		}
		bad := bytes.Clone(all)
		bad[len(bad)/2] ^= 0xff
		got := read(t, write(t, "a.jsonl"+extension, string(bad)), dataset.Options{})
		require.Contains(t, got[len(got)-1], "it cannot be decompressed (")
	}
}

// TestAfterCompressed checks that several members of a gzip file are read, and that anything else after one is told from a file that is cut short.
func TestAfterCompressed(t *testing.T) {
	one := string(packed(t, ".gz", []byte("{\"text\":\"a\"}\n")))
	require.Len(t, read(t, write(t, "a.jsonl.gz", one+one+one), dataset.Options{}), 3)
	for _, junk := range []string{"x", "junk that is longer than a header"} {
		got := read(t, write(t, "a.jsonl.gz", one+one+junk), dataset.Options{})
		require.Contains(t, got[len(got)-1], "it cannot be decompressed (gzip): something follows the compressed data that is not compressed: remove it")
	}
}

// TestPlaces checks that an example tells its place in the unit of its format.
func TestPlaces(t *testing.T) {
	for name, c := range map[string]struct{ text, format, want string }{
		"a.jsonl": {"{\"text\":\"a\"}\n{\"text\":\"b\"}\n", "", "a.jsonl:2"},
		"a.json":  {`[{"text":"a"},{"text":"b"}]`, "", "a.json: element 2"},
		"r.jsonl": {`{"article":"a","questions":["p _","q _"],"options":[["a","b"],["c","d"]],"answers":["A","B"],"id":"x"}`, "race", "r.jsonl: question 2"},
	} {
		path := write(t, name, c.text)
		s, err := dataset.Open(t.Context(), path, dataset.Options{Format: c.format})
		require.NoError(t, err)
		_, err = s.Next()
		require.NoError(t, err)
		e, err := s.Next()
		require.NoError(t, err, name)
		require.Equal(t, c.want, filepath.Base(e.Place()))
		require.NoError(t, s.Close())
	}
}

// random returns a text that cannot be compressed well.
func random(n int) string {
	var b strings.Builder
	for x := uint64(1); b.Len() < n; x = x*6364136223846793005 + 1442695040888963407 {
		fmt.Fprintf(&b, "%x", x>>20)
	}
	return b.String()
}

// TestLongRows checks that a row of 100 MB is a fault, that what follows it is read, and that memory stays bounded.
func TestLongRows(t *testing.T) {
	const size = 100 << 20
	for _, f := range []struct{ name, format, before, after, line, want string }{
		{"a.jsonl", "", "{\"text\":\"a\"}\n{\"text\":\"", "\"}\n{\"text\":\"b\"}\n", "x", "a.jsonl:2: it is longer than 64 MiB"},
		{"a.json", "", "[{\"text\":\"a\"},{\"text\":\"", "\"},{\"text\":\"b\"}]", "x", "a.json: element 2: it is longer than 64 MiB"},
		{"a.csv", "", "text\na\n", "\nb\n", "x", "a.csv:3: it is longer than 64 MiB"},
		{"a.csv", "", "text\na\n\"", "\nb\n", "x", "a.csv:3: it is longer than 64 MiB"},
		{"a.csv", "", "text\na\n\"", "b\n", strings.Repeat("x", 1<<20-1) + "\n", "a.csv:3: a quote is not closed"},
		{"a.txt", "", "a\n", "\nb\n", "x", "a.txt:2: it is longer than 64 MiB"},
		{"a.txt", "documents", "a\n\n", "\n\nb\n", strings.Repeat("x", 1<<20-1) + "\n", "a.txt:67: the document that begins in line 3 is longer than 64 MiB"},
		{"a.conll", "", "a O\n\n", "\n\nb O\n", "x", "a.conll:3: it is longer than 64 MiB"},
	} {
		t.Run(f.name+f.format, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), f.name)
			file, err := os.Create(path)
			require.NoError(t, err)
			_, err = file.WriteString(f.before)
			require.NoError(t, err)
			block := []byte(strings.Repeat(f.line, 1<<20/len(f.line)))
			for range size / len(block) {
				_, err = file.Write(block)
				require.NoError(t, err)
			}
			_, err = file.WriteString(f.after)
			require.NoError(t, err)
			require.NoError(t, file.Close())
			peak := watch(t)
			s, err := dataset.Open(t.Context(), path, dataset.Options{Format: f.format})
			require.NoError(t, err)
			var faults, good []string
			for {
				e, err := s.Next()
				peak.look()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					var row *dataset.RowError
					require.ErrorAs(t, err, &row)
					faults = append(faults, filepath.Base(row.File)+strings.TrimPrefix(err.Error(), row.File))
				} else if len(e.Text) < 10 {
					good = append(good, e.Text+strings.Join(e.Words, ""))
				}
			}
			require.Equal(t, []string{f.want}, faults)
			require.Equal(t, "a", good[0])
			require.Equal(t, "b", good[len(good)-1])
			require.NoError(t, s.Close())
			require.Less(t, peak.bytes>>20, uint64(400))
			t.Log(peak.bytes >> 20)
		})
	}
}

// TestManyParts checks that a row of very many parts, which take more memory than their text, is a fault.
func TestManyParts(t *testing.T) {
	many := func(part string, n int) string { return strings.Repeat(part, n) }
	var fields strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&fields, `"f%d":0,`, i)
	}
	try(t, []scenario{
		{"a.jsonl", `{"text":"a","labels":["x"` + many(`,1`, 1<<20) + "]}\n{" + fields.String() + `"text":"a"}` + "\n" + `{"text":"b"}`, dataset.Options{}, `
			! a.jsonl:1: field "labels": the list has more than 1048576 elements
			! a.jsonl:2: it has more than 10000 fields
			{"at":3,"text":"b"}`},
		{"a.csv", "text\na\n" + many(",", 30_000) + "\n\"b\"" + many(",", 30_000) + "\nc\n", dataset.Options{}, `
			{"at":2,"text":"a"}
			! a.csv:3: it has more than 10000 cells
			! a.csv:4: it has more than 10000 cells
			{"at":5,"text":"c"}`},
		{"a.tsv", "text" + many("\tx", 30_000) + "\na\n", dataset.Options{}, `! a.tsv: the header line: it has more than 10000 cells`},
		{"a.conll", many("aaaaaaa O\n", 1<<20) + "\nb O\n", dataset.Options{}, `
			! a.conll:932068: the sentence that begins in line 1 is longer than 8 MiB
			{"at":1048578,"words":["b"],"tags":["O"]}`},
	})
}

// peak is the largest heap that was seen.
type peak struct{ bytes uint64 }

// watch begins to look at the heap, which is collected often.
func watch(t testing.TB) *peak {
	old := debug.SetGCPercent(20)
	t.Cleanup(func() { debug.SetGCPercent(old) })
	runtime.GC()
	return &peak{}
}

func (p *peak) look() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	p.bytes = max(p.bytes, m.HeapAlloc)
}

// TestMemory checks that reading a file needs memory that does not grow with the file.
func TestMemory(t *testing.T) {
	size, large := 48<<20, 200<<20
	if testing.Short() {
		size, large = 24<<20, 24<<20
	}
	sentence := strings.Repeat("the figures of the quarter ", 8)
	for _, f := range []struct {
		name, format, header string
		line                 func(i int) string
		footer               string
	}{
		{"a.jsonl", "", "", func(i int) string { return fmt.Sprintf("{\"text\":%q,\"label\":%d}\n", sentence, i) }, ""},
		{"a.json", "", "[", func(i int) string { return fmt.Sprintf("{\"text\":%q,\"label\":%d},\n", sentence, i) }, `{"text":"a"}]`},
		{"a.csv", "", "text,label\n", func(i int) string { return fmt.Sprintf("\"%s\n\"\"%s\",%d\n", sentence, sentence, i) }, ""},
		{"a.txt", "", "", func(i int) string { return fmt.Sprintln(sentence, i) }, ""},
		{"a.txt", "documents", "", func(i int) string { return fmt.Sprintln(sentence, i) + sentence + "\n\n" }, ""},
		{"a.conll", "", "", func(i int) string { return fmt.Sprintf("a%d\tB-X\nb\tI-X\nc\tO\n\n", i) }, ""},
		{"a.json", "squad", `{"data":[`, func(i int) string {
			return fmt.Sprintf(`{"paragraphs":[{"context":%q,"qas":[{"id":"%d","question":"Q","answers":[{"text":"the","answer_start":0}]}]}]},`+"\n",
				sentence, i)
		}, `{"paragraphs":[]}]}`},
	} {
		t.Run(f.name+f.format, func(t *testing.T) {
			size := size
			if f.name == "a.jsonl" {
				size = large
			}
			path := generate(t, f.name, f.header, size, f.line)
			file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			require.NoError(t, err)
			_, err = file.WriteString(f.footer)
			require.NoError(t, err)
			require.NoError(t, file.Close())
			flat(t, path, dataset.Options{Format: f.format}, size/1000)
		})
	}
	t.Run("parquet", func(t *testing.T) {
		type row struct {
			Text  string `parquet:"text,zstd"`
			Label int64  `parquet:"label"`
		}
		path := filepath.Join(t.TempDir(), "a.parquet")
		file, err := os.Create(path)
		require.NoError(t, err)
		w := parquet.NewGenericWriter[row](file, parquet.PageBufferSize(1<<16), parquet.MaxRowsPerRowGroup(10_000))
		rows := size / len(sentence)
		for i := range rows {
			_, err := w.Write([]row{{sentence, int64(i)}})
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		require.NoError(t, file.Close())
		flat(t, path, dataset.Options{}, rows)
	})
}

// flat reads a file, which has at least this many examples, and checks the heap.
func flat(t *testing.T, path string, o dataset.Options, least int) {
	peak := watch(t)
	s, err := dataset.Open(t.Context(), path, o)
	require.NoError(t, err)
	n := 0
	for ; ; n++ {
		_, err := s.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
		if n%2000 == 0 {
			peak.look()
		}
	}
	require.NoError(t, s.Close())
	require.GreaterOrEqual(t, n, least)
	require.Less(t, peak.bytes>>20, uint64(24))
	t.Log(peak.bytes >> 20)
}
