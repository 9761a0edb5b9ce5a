package safetensors

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// image returns a file with the given header text and number of data bytes.
func image(header string, data int) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(b, header...), make([]byte, data)...)
}

func TestGoodHeaders(t *testing.T) {
	for name, c := range map[string]struct {
		header string
		data   int
		names  []string
	}{
		"empty":           {`{}`, 0, nil},
		"trailing spaces": {`{}     `, 0, nil},
		"scalar":          {`{"s":{"dtype":"F32","shape":[],"data_offsets":[0,4]}}`, 4, []string{"s"}},
		"no elements":     {`{"z":{"dtype":"F32","shape":[3,0],"data_offsets":[0,0]}}`, 0, []string{"z"}},
		"other order": {`{"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}`,
			3, []string{"a", "b"}},
		"metadata":      {`{"__metadata__":{"format":"pt"},"a":{"shape":[1],"data_offsets":[0,8],"dtype":"I64"}}`, 8, []string{"a"}},
		"spaces inside": {"{ \"a\" : { \"dtype\" : \"I8\", \"shape\" : [ 1 ] , \"data_offsets\" : [ 0 , 1 ] } }", 1, []string{"a"}},
		"empty in between": {`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"z":{"dtype":"U8","shape":[0],"data_offsets":[1,1]},` +
			`"b":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 2, []string{"a", "z", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := OpenBytes("good", image(c.header, c.data))
			require.NoError(t, err)
			require.Equal(t, c.names, f.Names())
		})
	}
}

// TestBadHeaders checks that each fault is an *Error that names the file, the tensor if there is
// one, and the reason.
func TestBadHeaders(t *testing.T) {
	one := func(fields string) string { return `{"w":{` + fields + `}}` }
	for name, c := range map[string]struct {
		header string
		data   int
		tensor string
		want   string
	}{
		"not JSON":         {`{"w":`, 0, "w", "ends too early"},
		"broken JSON":      {`{"w":}`, 0, "w", "not valid JSON"},
		"array":            {`[]`, 0, "", "not a JSON object"},
		"leading space":    {` {}`, 0, "", "not a JSON object"},
		"two objects":      {`{}{}`, 0, "", "followed by"},
		"trailing newline": {"{}\n", 0, "", "followed by"},
		"bad UTF-8":        {"{\"\xff\":{}}", 0, "", "UTF-8"},
		"duplicate tensor": {`{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, "w", "twice"},
		"escaped duplicate": {`{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\u0077":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`,
			1, "w", "twice"},
		"duplicate metadata": {`{"__metadata__":{},"__metadata__":{}}`, 0, "__metadata__", "twice"},
		"duplicate key":      {`{"__metadata__":{"a":"1","a":"2"}}`, 0, "__metadata__", "twice"},
		"metadata number":    {`{"__metadata__":{"a":1}}`, 0, "__metadata__", "must be a string"},
		"metadata null":      {`{"__metadata__":null}`, 0, "__metadata__", "expected a JSON object"},
		"duplicate field":    {one(`"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]`), 1, "w", "twice"},
		"unknown field":      {one(`"dtype":"U8","shape":[1],"data_offsets":[0,1],"x":1`), 1, "w", `unknown field "x"`},
		"no dtype":           {one(`"shape":[1],"data_offsets":[0,1]`), 1, "w", `"dtype" is missing`},
		"no shape":           {one(`"dtype":"U8","data_offsets":[0,1]`), 1, "w", `"shape" is missing`},
		"no offsets":         {one(`"dtype":"U8","shape":[1]`), 1, "w", `"data_offsets" is missing`},
		"unknown dtype":      {one(`"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]`), 1, "w", "unknown dtype"},
		"dtype number":       {one(`"dtype":5,"shape":[1],"data_offsets":[0,1]`), 1, "w", "must be a string"},
		"tensor is a list":   {`{"w":[]}`, 0, "w", "expected a JSON object"},
		"shape is a number":  {one(`"dtype":"U8","shape":1,"data_offsets":[0,1]`), 1, "w", "array of integers"},
		"shape of strings":   {one(`"dtype":"U8","shape":["1"],"data_offsets":[0,1]`), 1, "w", "must hold integers"},
		"nested shape":       {one(`"dtype":"U8","shape":[[1]],"data_offsets":[0,1]`), 1, "w", "must hold integers"},
		"negative shape":     {one(`"dtype":"U8","shape":[-1],"data_offsets":[0,1]`), 1, "w", "holds -1"},
		"minus zero":         {one(`"dtype":"U8","shape":[-0],"data_offsets":[0,0]`), 0, "w", "holds -0"},
		"fraction":           {one(`"dtype":"U8","shape":[1.0],"data_offsets":[0,1]`), 1, "w", "holds 1.0"},
		"exponent":           {one(`"dtype":"U8","shape":[1e0],"data_offsets":[0,1]`), 1, "w", "holds 1e0"},
		"huge dimension":     {one(`"dtype":"U8","shape":[9223372036854775808],"data_offsets":[0,1]`), 1, "w", "holds 9223372036854775808"},
		"shape overflow":     {one(`"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]`), 0, "w", "overflows"},
		"one offset":         {one(`"dtype":"U8","shape":[1],"data_offsets":[0]`), 1, "w", "needs 2"},
		"three offsets":      {one(`"dtype":"U8","shape":[1],"data_offsets":[0,1,2]`), 1, "w", "needs 2"},
		"offsets reversed":   {one(`"dtype":"U8","shape":[1],"data_offsets":[1,0]`), 1, "w", "out of order"},
		"negative offset":    {one(`"dtype":"U8","shape":[1],"data_offsets":[-1,0]`), 1, "w", "holds -1"},
		"wrong size":         {one(`"dtype":"F32","shape":[2],"data_offsets":[0,4]`), 4, "w", "takes 8 bytes"},
		"hole at the start":  {one(`"dtype":"U8","shape":[1],"data_offsets":[1,2]`), 2, "w", "hole"},
		"hole": {`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`,
			3, "w", "hole of 1"},
		"overlap":        {`{"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"w":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 3, "w", "overlap"},
		"same place":     {`{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, "w", "overlap"},
		"trailing bytes": {one(`"dtype":"U8","shape":[1],"data_offsets":[0,1]`), 2, "", "1 bytes after"},
		"truncated data": {one(`"dtype":"U8","shape":[2],"data_offsets":[0,2]`), 1, "w", "truncated"},
		"far offsets":    {one(`"dtype":"U8","shape":[9223372036854775807],"data_offsets":[0,9223372036854775807]`), 1, "w", "truncated"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := OpenBytes("bad.safetensors", image(c.header, c.data))
			var e *Error
			require.ErrorAs(t, err, &e)
			require.Equal(t, "bad.safetensors", e.File)
			require.Equal(t, c.tensor, e.Tensor)
			require.Contains(t, err.Error(), c.want)
			require.Contains(t, err.Error(), "bad.safetensors")
		})
	}
}

func TestBadLengths(t *testing.T) {
	length := func(n uint64, rest int) []byte {
		return append(binary.LittleEndian.AppendUint64(nil, n), make([]byte, rest)...)
	}
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "no room"},
		{[]byte{1, 2, 3}, "no room"},
		{length(0, 10), "shortest"},
		{length(1, 10), "shortest"},
		{length(11, 10), "truncated"},
		{length(MaxHeader+1, 10), "limit"},
		{length(1<<63, 10), "limit"},
		{length(1<<64-1, 10), "limit"},
	} {
		_, err := OpenBytes("x", c.data)
		require.ErrorContains(t, err, c.want)
		path := filepath.Join(t.TempDir(), "x.safetensors")
		require.NoError(t, os.WriteFile(path, c.data, 0o600))
		_, err = Open(path)
		require.ErrorContains(t, err, c.want)
		require.ErrorContains(t, err, path)
	}
}

func TestOpenFaults(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "absent"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = Open(t.TempDir())
	require.ErrorContains(t, err, "not a regular file")
}

// TestTruncations cuts a good file at every length and expects an error each time.
func TestTruncations(t *testing.T) {
	good := image(`{"__metadata__":{"a":"b"},"w":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}}`, 6)
	for n := range good {
		_, err := OpenBytes("cut", good[:n])
		require.Error(t, err, "%d of %d bytes", n, len(good))
	}
	_, err := OpenBytes("whole", good)
	require.NoError(t, err)
}

func FuzzSafetensors(f *testing.F) {
	f.Add(image(`{}`, 0))
	f.Add(image(`{"__metadata__":{"a":"b"},"w":{"dtype":"F16","shape":[3],"data_offsets":[0,6]}}`, 6))
	f.Add(image(`{"b":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},"a":{"dtype":"BOOL","shape":[1],"data_offsets":[0,1]}}`, 3))
	f.Add(image(`{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,0]}}`, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := OpenBytes("fuzz", data)
		if err != nil {
			var e *Error
			if !errors.As(err, &e) {
				t.Fatalf("not an *Error: %v", err)
			}
			return
		}
		// An accepted file covers the data exactly and can be read.
		total := int64(0)
		for _, name := range file.Names() {
			info, err := file.Info(name)
			require.NoError(t, err)
			b, err := file.Bytes(name)
			require.NoError(t, err)
			require.Equal(t, info.Size, int64(len(b)))
			require.Equal(t, info.Size, int64(info.Elements()*info.DType.Size()))
			total += info.Size
			ferr := file.Floats(name, make([]float32, info.Elements()))
			ierr := file.Ints(name, make([]int64, info.Elements()))
			require.True(t, (ferr == nil) != (ierr == nil))
		}
		head := int64(binary.LittleEndian.Uint64(data)) + 8
		require.Equal(t, int64(len(data)), head+total)
	})
}

func TestErrorText(t *testing.T) {
	e := &Error{File: "f", Tensor: "w", Reason: "r", Err: errors.New("why")}
	require.Equal(t, `f: tensor "w": r: why`, e.Error())
	require.Equal(t, "safetensors: r", (&Error{Reason: "r"}).Error())
	require.True(t, strings.Contains(fmt.Sprint(fault("f", "", "n %d", 3)), "n 3"))
}
