package textinput

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/fault"
)

func TestZstdInputs(t *testing.T) {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	require.NoError(t, err)
	_, err = w.Write([]byte("{\"text\":\"x\"}\n"))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	path := func(name string, text []byte) string {
		p := filepath.Join(t.TempDir(), name)
		require.NoError(t, os.WriteFile(p, text, 0o600))
		return p
	}
	in := Args{Input: path("a.csv.zst", b.Bytes())}
	require.NoError(t, in.Check())
	c, err := in.Convert(t.Context())
	require.NoError(t, err)
	require.Equal(t, "csv", c.Format)
	text, err := io.ReadAll(c)
	require.NoError(t, err)
	require.Equal(t, "{\"text\":\"x\"}\n", string(text))
	require.NoError(t, c.Close())

	for name, damaged := range map[string][]byte{"cut.txt.zst": b.Bytes()[:b.Len()-3], "none.txt.zst": []byte("no zstd at all")} {
		in = Args{Input: path(name, damaged)}
		c, err = in.Convert(t.Context())
		require.NoError(t, err)
		in.Input = "-" // as run sets it
		_, err = io.ReadAll(c)
		require.ErrorContains(t, err, name+": ")
		require.ErrorContains(t, err, "it cannot be decompressed")
		var f *fault.Error
		require.ErrorAs(t, err, &f)
		require.Equal(t, fault.ExitInput, f.Code)
		require.NoError(t, c.Close())
	}
	in = Args{Input: path("empty.txt.zst", nil)}
	_, err = in.Convert(t.Context())
	require.ErrorContains(t, err, "its name ends in .zst, but it is not a zstd file: it is empty")
	in = Args{Input: path("a.eml.zst", b.Bytes())}
	_, err = in.Convert(t.Context())
	require.ErrorContains(t, err, `its extension ".eml" is not known`)
}

func TestParquetInputs(t *testing.T) {
	recorded := filepath.Join("..", "parquetfile", "testdata", "columns.parquet")
	in := Args{Input: recorded, Fields: map[string]string{"id": "uid", "echo": "kind,ok"}}
	c, err := in.Convert(t.Context())
	require.NoError(t, err)
	got, err := io.ReadAll(c)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	require.Contains(t, string(got), `{"kind":"a","label":0,"labels":["a","b"],"ok":true,"text":"good morning","uid":"u0"}`+"\n")
	for want, in := range map[string]Args{
		`no column "body", which --text-field names (its columns: uid, text,`: {Fields: map[string]string{"text-field": "body"}},
		`no column "n", which --echo names (its columns: uid, text,`:          {Fields: map[string]string{"echo": "kind,n"}},
		`column "price" has the type DECIMAL(9,2), which is not read`:         {Fields: map[string]string{"echo": "price"}},
		`--echo a,: a part between its commas is empty`:                       {Fields: map[string]string{"echo": "a,"}},
		`--format csv belongs to files of text`:                               {Format: "csv"},
	} {
		in.Input = recorded
		_, err := in.Convert(t.Context())
		require.ErrorContains(t, err, want)
	}
	in = Args{Input: filepath.Join("..", "parquetfile", "testdata", "untitled.parquet")} // its only column is "q"
	_, err = in.Convert(t.Context())
	require.ErrorContains(t, err, `no column "text", nor "question" (its columns: q)`)
	empty := filepath.Join(t.TempDir(), "empty.parquet")
	require.NoError(t, os.WriteFile(empty, nil, 0o600))
	in = Args{Input: empty}
	_, err = in.Convert(t.Context())
	require.ErrorContains(t, err, "the file is empty: it is not a Parquet file")
}

// TestColumnsOfTasks checks that the fields which only some tasks read are kept.
func TestColumnsOfTasks(t *testing.T) {
	in := Args{}
	names, err := in.columns([]string{"text", "schema", "other", "threshold", "max_length", "nested", "chunk_size"})
	require.NoError(t, err)
	require.Equal(t, []string{"chunk_size", "max_length", "nested", "schema", "text", "threshold"}, names)
}
