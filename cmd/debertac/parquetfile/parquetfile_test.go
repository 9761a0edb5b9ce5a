package parquetfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/stretchr/testify/require"
)

// recorded is a file that PyArrow 26 wrote from a table of all types, with two rows per row group, compressed with zstd. CC0.
const recorded = "testdata/columns.parquet"

// linesOf reads the columns of a file.
func linesOf(t testing.TB, path string, names ...string) (string, error) {
	t.Helper()
	f, err := Open(path)
	require.NoError(t, err)
	defer f.Close()
	r, err := f.Lines(names)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(r)
	return string(text), err
}

func TestColumns(t *testing.T) {
	for name, want := range map[string][]string{
		"uid":    {`"u0"`, `"u1"`, `"u2"`, `"u3"`, `"u4"`},
		"text":   {`"good morning"`, `"buy \"now\"\u000a"`, `null`, `"ümlaut 😀\u0001"`, `""`},
		"label":  {`0`, `1`, `2`, `null`, `1`},
		"labels": {`["a","b"]`, `[]`, `null`, `["c",null]`, `["d"]`},
		"small":  {`1`, `2`, `3`, `4`, `255`},
		"score":  {`0.5`, `"NaN"`, `"+Inf"`, `null`, `-1e+300`},
		"half":   {`0.1`, `1`, `2`, `3`, `4`},
		"ok":     {`true`, `false`, `null`, `true`, `true`},
		"day":    {`"2024-02-29"`, `"1969-12-31"`, `null`, `"1970-01-01"`, `"2000-01-01"`},
		"at":     {`"2024-02-29T01:02:03.45Z"`, `"1969-12-31T23:59:59Z"`, `null`, `"1970-01-01T00:00:00Z"`, `"2000-01-01T00:00:00Z"`},
		"local": {`"2024-02-29T01:02:03.004"`, `"2024-02-29T01:02:03.004"`, `"2024-02-29T01:02:03.004"`, `"2024-02-29T01:02:03.004"`,
			`"2024-02-29T01:02:03.004"`},
		"kind":  {`"a"`, `"b"`, `"a"`, `"b"`, `"a"`},
		"point": {`{"x":1,"y":2}`, `{"x":1,"y":2}`, `{"x":1,"y":2}`, `{"x":1,"y":2}`, `{"x":1,"y":2}`},
		"deep":  {`[["a"]]`, `[["a"]]`, `[["a"]]`, `[["a"]]`, `[["a"]]`},
	} {
		got, err := linesOf(t, recorded, name)
		require.NoError(t, err, name)
		for i := range want {
			want[i] = fmt.Sprintf("{%q:%s}\n", name, want[i])
		}
		require.Equal(t, strings.Join(want, ""), got, name)
	}
	got, err := linesOf(t, recorded, "uid", "labels", "ok")
	require.NoError(t, err)
	require.True(t, strings.HasPrefix(got, `{"uid":"u0","labels":["a","b"],"ok":true}`+"\n"), got)
	for name, want := range map[string]string{
		"price": `column "price" has the type DECIMAL(9,2), which is not read: write it as a string`,
		"none":  `no column "none" (its columns: uid, text,`,
	} {
		_, err := linesOf(t, recorded, name)
		require.ErrorContains(t, err, want)
	}
	f, err := Open(recorded)
	require.NoError(t, err)
	defer f.Close()
	require.EqualValues(t, 5, f.Rows())
	require.Equal(t, "uid text label labels small score half ok day at local price point deep kind", strings.Join(f.Columns(), " "))
}

// TestNested checks structures and lists in each other. PyArrow 26 wrote the file, see testdata/record_nested.py.
func TestNested(t *testing.T) {
	for name, want := range map[string][]string{
		"answers": {`{"text":["Bonn","in Bonn"],"answer_start":[13,10]}`, `{"text":["b"],"answer_start":[2]}`, `{"text":[],"answer_start":[]}`, `null`},
		"parts":   {`[{"label":"a","at":[1,2]},{"label":null,"at":[]},null]`, `[]`, `null`, `[{"label":"b","at":null}]`},
		"grid":    {`[["a"],[],null,["b",null]]`, `[null]`, `[]`, `null`},
		"one":     {`{"x":1}`, `{"x":null}`, `null`, `{"x":2}`},
		"map":     {`[{"key":"a","value":1},{"key":"b","value":2}]`, `[]`, `null`, `[{"key":"c","value":null}]`},
	} {
		got, err := linesOf(t, "testdata/nested.parquet", name)
		require.NoError(t, err, name)
		for i := range want {
			want[i] = fmt.Sprintf("{%q:%s}\n", name, want[i])
		}
		require.Equal(t, strings.Join(want, ""), got, name)
	}
}

// TestDamage checks that a damaged file neither ends the process nor makes it run for ever, and that truncated files are refused.
func TestDamage(t *testing.T) {
	for file, columns := range map[string][]string{recorded: {"text", "labels", "kind", "at"}, "testdata/nested.parquet": {"answers", "parts", "grid", "map"}} {
		t.Run(filepath.Base(file), func(t *testing.T) { damage(t, file, columns) })
	}
}

// damage damages a file in many ways and reads columns of it.
func damage(t *testing.T, file string, columns []string) {
	whole, err := os.ReadFile(file)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "a.parquet")
	read := func() error {
		f, err := Open(path)
		if err != nil {
			return err
		}
		defer f.Close()
		r, err := f.Lines(columns)
		if err != nil {
			return err
		}
		n, err := io.Copy(io.Discard, io.LimitReader(r, 1<<20))
		require.Less(t, n, int64(1<<20))
		return err
	}
	for _, n := range []int{0, 3, 100, len(whole) / 2, len(whole) - 1} {
		require.NoError(t, os.WriteFile(path, whole[:n], 0o600))
		require.Error(t, read(), n)
	}
	for at := 4; at < len(whole); at += 7 {
		bad := append([]byte(nil), whole...)
		bad[at] ^= 0xff
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		_ = read() // an error or other content, but no panic
	}
}

// TestCompressions checks that each compression that can be written is read, or is refused with its name.
func TestCompressions(t *testing.T) {
	type row struct {
		Text string `parquet:"text"`
	}
	for codec, want := range map[compress.Codec]string{
		&parquet.Uncompressed: "", &parquet.Snappy: "", &parquet.Gzip: "", &parquet.Brotli: "", &parquet.Zstd: "",
		&parquet.Lz4Raw: `column "text" is compressed with LZ4_RAW, which is not read (`,
	} {
		path := filepath.Join(t.TempDir(), "a.parquet")
		require.NoError(t, parquet.WriteFile(path, []row{{"one"}, {"two"}}, parquet.Compression(codec)))
		got, err := linesOf(t, path, "text")
		if want != "" {
			require.ErrorContains(t, err, want)
			continue
		}
		require.NoError(t, err, codec)
		require.Equal(t, "{\"text\":\"one\"}\n{\"text\":\"two\"}\n", got)
	}
}

// TestMemory checks that a file with many rows is read in parts.
func TestMemory(t *testing.T) {
	type row struct {
		Text string `parquet:"text,zstd"`
	}
	path := filepath.Join(t.TempDir(), "a.parquet")
	f, err := os.Create(path)
	require.NoError(t, err)
	w := parquet.NewGenericWriter[row](f, parquet.PageBufferSize(1<<16))
	const rows = 100000
	for i := range rows {
		_, err := w.Write([]row{{fmt.Sprint(i, strings.Repeat(" some words", 50))}})
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	require.NoError(t, f.Close())
	p, err := Open(path)
	require.NoError(t, err)
	defer p.Close()
	r, err := p.Lines([]string{"text"})
	require.NoError(t, err)
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	s := bufio.NewScanner(r)
	n, most := 0, uint64(0)
	for s.Scan() {
		if n%20000 == 0 {
			var o struct{ Text string }
			require.NoError(t, json.Unmarshal(s.Bytes(), &o))
			require.True(t, strings.HasPrefix(o.Text, fmt.Sprint(n, " ")), o.Text)
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
		n++
	}
	require.NoError(t, s.Err())
	require.Equal(t, rows, n)
	require.Less(t, most, before.HeapAlloc+16<<20, "of 55 MB")
}

// FuzzLines reads any bytes as a Parquet file. The result must be lines of JSON or an error, never a panic, nor more lines than a small file can have.
func FuzzLines(f *testing.F) {
	whole, err := os.ReadFile(recorded)
	require.NoError(f, err)
	f.Add(whole)
	f.Add(whole[:len(whole)/2])
	f.Add([]byte("PAR1PAR1"))
	path := filepath.Join(f.TempDir(), "a.parquet")
	f.Fuzz(func(t *testing.T, data []byte) {
		require.NoError(t, os.WriteFile(path, data, 0o600))
		p, err := Open(path)
		if err != nil {
			return
		}
		defer p.Close()
		for _, name := range p.Columns() {
			r, err := p.Lines([]string{name})
			if err != nil {
				continue
			}
			s := bufio.NewScanner(io.LimitReader(r, 1<<20))
			for s.Scan() {
			}
		}
	})
}

// TestFooterLengths checks that a list that claims more elements than the file has bytes is refused before memory is allocated for it.
func TestFooterLengths(t *testing.T) {
	whole, err := os.ReadFile(recorded)
	require.NoError(t, err)
	require.NoError(t, checkFooter(bytes.NewReader(whole), int64(len(whole))))
	footer := func(text ...byte) error {
		file := append([]byte("PAR1"), text...)
		file = binary.LittleEndian.AppendUint32(file, uint32(len(text)))
		file = append(file, "PAR1"...)
		return checkFooter(bytes.NewReader(file), int64(len(file)))
	}
	require.NoError(t, footer(0x15, 2, 0))
	require.ErrorContains(t, footer(0x19, 0xfc, 0xff, 0xff, 0xff, 0x0f), "a list of 33554431 elements has 0 bytes")
	require.ErrorContains(t, footer(0x1b, 0xff, 0xff, 0x0f, 0x55, 0), "a list of 262143 elements has 1 bytes")
	require.ErrorContains(t, footer(0x18, 100, 0), "it ends inside a value")
	require.ErrorContains(t, footer(0x1e, 0), "there is no type 14")
	require.ErrorContains(t, footer(bytes.Repeat([]byte{0x1c}, 100)...), "more than 32 deep")
	require.ErrorContains(t, footer(bytes.Repeat([]byte{0x19, 0x19}, 100)...), "deep")
}
