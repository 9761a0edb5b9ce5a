package safetensors

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// TestRoundTrip checks, for random files, that what is written is what is read.
func TestRoundTrip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.safetensors")
	rapid.Check(t, func(t *rapid.T) {
		var tensors []Tensor
		names := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-zéß<>&"\\ ./]{0,12}`), 0, 8, rapid.ID[string]).Draw(t, "names")
		data := map[string][]byte{}
		shapes := map[string][]int{}
		for _, name := range names {
			d := DType(rapid.IntRange(int(F64), int(Bool)).Draw(t, "dtype"))
			shape := rapid.SliceOfN(rapid.IntRange(0, 7), 0, 3).Draw(t, "shape")
			size, ok := sizeOf(d, shape)
			require.True(t, ok)
			tensors = append(tensors, Tensor{name, d, shape})
			data[name] = rapid.SliceOfN(rapid.Byte(), int(size), int(size)).Draw(t, "data")
			shapes[name] = shape
		}
		meta := rapid.MapOfN(rapid.String(), rapid.String(), 0, 3).Draw(t, "metadata")
		var b bytes.Buffer
		w, err := NewWriter(&b, meta, tensors)
		require.NoError(t, err)
		for _, name := range w.Order() {
			cut := rapid.IntRange(0, len(data[name])).Draw(t, "cut")
			require.NoError(t, w.Write(name, data[name][:cut]))
			require.NoError(t, w.Write(name, data[name][cut:]))
		}
		require.NoError(t, w.Close())
		require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
		mapped, err := Open(path)
		require.NoError(t, err)
		defer mapped.Close()
		inMemory, err := OpenBytes("x", b.Bytes())
		require.NoError(t, err)
		for _, f := range []*File{mapped, inMemory} {
			require.ElementsMatch(t, names, f.Names())
			require.Equal(t, meta, f.Metadata())
			for _, tensor := range tensors {
				got, err := f.Bytes(tensor.Name)
				require.NoError(t, err)
				require.True(t, bytes.Equal(data[tensor.Name], got))
				require.NoError(t, f.Check(tensor.Name, shapes[tensor.Name]...))
				info, err := f.Info(tensor.Name)
				require.NoError(t, err)
				require.Equal(t, tensor.DType, info.DType)
				// Alignment as the package comment promises.
				unit := int64(tensor.DType.Size())
				if info.Size%Alignment == 0 {
					unit = Alignment
				}
				require.Zero(t, (int64(b.Len())-dataBytes(f)+info.Offset)%unit)
			}
		}
	})
}

func dataBytes(f *File) int64 {
	n := int64(0)
	for _, name := range f.Names() {
		n += f.tensors[name].info.Size
	}
	return n
}

func TestWriterIsDeterministic(t *testing.T) {
	write := func() []byte {
		var b bytes.Buffer
		w, err := NewWriter(&b, map[string]string{"z": "1", "a": "2", "m": "3"},
			[]Tensor{{"odd", F16, []int{3}}, {"even", F32, []int{16}}, {"e2", U8, []int{64}}})
		require.NoError(t, err)
		require.Equal(t, []string{"even", "e2", "odd"}, w.Order())
		require.NoError(t, w.WriteFloats("even", make([]float32, 16)))
		require.NoError(t, w.Write("e2", make([]byte, 64)))
		require.NoError(t, w.Write("odd", make([]byte, 6)))
		require.NoError(t, w.Close())
		return b.Bytes()
	}
	first := write()
	for range 10 {
		require.Equal(t, first, write())
	}
}

func TestWriterFaults(t *testing.T) {
	for name, c := range map[string]struct {
		tensors []Tensor
		meta    map[string]string
		want    string
	}{
		"twice":        {[]Tensor{{"a", F32, nil}, {"a", F32, nil}}, nil, "twice"},
		"reserved":     {[]Tensor{{"__metadata__", F32, nil}}, nil, "reserved"},
		"dtype":        {[]Tensor{{"a", 0, nil}}, nil, "dtype"},
		"negative":     {[]Tensor{{"a", F32, []int{-1}}}, nil, "negative"},
		"overflow":     {[]Tensor{{"a", F32, []int{math.MaxInt, 2}}}, nil, "overflows"},
		"sum overflow": {[]Tensor{{"a", U8, []int{math.MaxInt}}, {"b", U8, []int{1}}}, nil, "2⁶³"},
		"name":         {[]Tensor{{"\xff", F32, nil}}, nil, "UTF-8"},
		"metadata":     {nil, map[string]string{"a": "\xff"}, "UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := NewWriter(&bytes.Buffer{}, c.meta, c.tensors)
			require.ErrorContains(t, err, c.want)
		})
	}
	writer := func() *Writer {
		w, err := NewWriter(&bytes.Buffer{}, nil, []Tensor{{"a", U8, []int{2}}, {"b", U8, []int{2}}})
		require.NoError(t, err)
		return w
	}
	w := writer()
	require.ErrorContains(t, w.Write("b", []byte{1}), `the next tensor is "a"`)
	require.Error(t, w.Write("a", []byte{1, 2}), "an error is final")
	require.Error(t, w.Close())
	require.ErrorContains(t, writer().Write("a", []byte{1, 2, 3}), "too many")
	w = writer()
	require.NoError(t, w.Write("a", []byte{1, 2}))
	require.NoError(t, w.Write("b", []byte{1}))
	require.ErrorContains(t, w.Close(), `"b": only 1 of 2`)
	w = writer()
	require.NoError(t, w.Write("a", []byte{1, 2}))
	require.NoError(t, w.Write("b", []byte{1, 2}))
	require.ErrorContains(t, w.Write("c", []byte{1}), "all declared")
}

func TestConversions(t *testing.T) {
	var b bytes.Buffer
	w, err := NewWriter(&b, nil, []Tensor{
		{"f64", F64, []int{1}}, {"f32", F32, []int{1, 1}}, {"f16", F16, []int{1}}, {"bf16", BF16, nil},
		{"i64", I64, []int{1}}, {"i32", I32, []int{1}}, {"i8", I8, []int{1}}, {"u8", U8, []int{1}}, {"bool", Bool, []int{1}},
	})
	require.NoError(t, err)
	raw := map[string][]byte{
		"f64": {0, 0, 0, 0, 0, 0, 0xf8, 0xbf}, "f32": {0, 0, 0xc0, 0xbf}, "f16": {0, 0xbe}, "bf16": {0xc0, 0xbf},
		"i64": {0xfe, 255, 255, 255, 255, 255, 255, 255}, "i32": {0xfe, 255, 255, 255}, "i8": {0xfe}, "u8": {0xfe}, "bool": {1},
	}
	for _, name := range w.Order() {
		require.NoError(t, w.Write(name, raw[name]))
	}
	require.NoError(t, w.Close())
	f, err := OpenBytes("conv", b.Bytes())
	require.NoError(t, err)
	dst := make([]float32, 1)
	for _, name := range []string{"f64", "f32", "f16", "bf16"} {
		require.NoError(t, f.Floats(name, dst))
		require.Equal(t, float32(-1.5), dst[0], name)
		require.ErrorContains(t, f.Ints(name, make([]int64, 1)), "integers were expected")
	}
	ints := make([]int64, 1)
	for name, want := range map[string]int64{"i64": -2, "i32": -2, "i8": -2, "u8": 254, "bool": 1} {
		require.NoError(t, f.Ints(name, ints))
		require.Equal(t, want, ints[0], name)
		require.ErrorContains(t, f.Floats(name, dst), "floating-point numbers were expected")
	}
	require.ErrorContains(t, f.Floats("f32", make([]float32, 2)), "1 elements")
	require.ErrorContains(t, f.Ints("i32", make([]int64, 2)), "1 elements")
	require.ErrorContains(t, f.Floats("none", dst), `conv: tensor "none": no such tensor`)
	require.ErrorContains(t, f.Ints("none", ints), "no such tensor")
	require.ErrorContains(t, f.Check("f32", 1), "shape is [1 1], expected [1]")
	require.ErrorContains(t, f.Check("none", 1), "no such tensor")
	require.True(t, f.Has("f32"))
	require.False(t, f.Has("none"))
	require.Equal(t, "conv", f.Name())
	require.NoError(t, f.Close())
	require.NoError(t, f.Close())
	_, err = f.Bytes("f32")
	require.ErrorContains(t, err, "closed")
	_, err = f.Info("f32")
	require.ErrorContains(t, err, "closed")
}

func writeFile(t *testing.T, path string, names ...string) {
	t.Helper()
	var tensors []Tensor
	for _, n := range names {
		tensors = append(tensors, Tensor{n, F32, []int{2}})
	}
	out, err := os.Create(path)
	require.NoError(t, err)
	w, err := NewWriter(out, map[string]string{"format": "pt"}, tensors)
	require.NoError(t, err)
	for i, n := range w.Order() {
		require.NoError(t, w.WriteFloats(n, []float32{float32(i), float32(len(n))}))
	}
	require.NoError(t, w.Close())
	require.NoError(t, out.Close())
}

func TestOpenDir(t *testing.T) {
	dir := t.TempDir()
	_, err := OpenDir(dir)
	require.ErrorContains(t, err, "neither model.safetensors nor model.safetensors.index.json")
	pointer := filepath.Join(dir, "pointer.safetensors")
	require.NoError(t, os.WriteFile(pointer, []byte("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"), 0o600))
	_, err = Open(pointer)
	require.ErrorContains(t, err, "this is a pointer of Git LFS")

	writeFile(t, filepath.Join(dir, "s1.safetensors"), "a", "bb")
	writeFile(t, filepath.Join(dir, "s2.safetensors"), "ccc")
	index := filepath.Join(dir, "model.safetensors.index.json")
	const good = `{"metadata":{"total_size":24,"deep":{"x":[1]}},"weight_map":{"a":"s1.safetensors","bb":"s1.safetensors","ccc":"s2.safetensors"}}`
	require.NoError(t, os.WriteFile(index, []byte(good+"\n"), 0o600))
	f, err := OpenDir(dir)
	require.NoError(t, err)
	require.Equal(t, []string{"a", "bb", "ccc"}, f.Names())
	v := make([]float32, 2)
	require.NoError(t, f.Floats("ccc", v))
	require.Equal(t, []float32{0, 3}, v)
	require.Equal(t, map[string]string{"format": "pt"}, f.Metadata())
	require.NoError(t, f.Close())

	for name, c := range map[string]struct{ index, want string }{
		"missing shard":   {`{"weight_map":{"a":"s1.safetensors","bb":"s1.safetensors","ccc":"s3.safetensors"}}`, `shard "s3.safetensors"`},
		"absent tensor":   {`{"weight_map":{"a":"s1.safetensors","bb":"s1.safetensors","ccc":"s2.safetensors","d":"s2.safetensors"}}`, `tensor "d"`},
		"not listed":      {`{"weight_map":{"a":"s1.safetensors","ccc":"s2.safetensors"}}`, `tensor "bb": it is not listed`},
		"other shard":     {`{"weight_map":{"a":"s1.safetensors","bb":"s2.safetensors","ccc":"s2.safetensors"}}`, `tensor "bb"`},
		"parent":          {`{"weight_map":{"a":"../s1.safetensors"}}`, "plain"},
		"absolute":        {`{"weight_map":{"a":"/s1.safetensors"}}`, "plain"},
		"subfolder":       {`{"weight_map":{"a":"x/s1.safetensors"}}`, "plain"},
		"backslash":       {`{"weight_map":{"a":"..\\s1.safetensors"}}`, "plain"},
		"dots":            {`{"weight_map":{"a":".."}}`, "plain"},
		"empty name":      {`{"weight_map":{"a":""}}`, "plain"},
		"other extension": {`{"weight_map":{"a":"s1.bin"}}`, "plain"},
		"null byte":       {`{"weight_map":{"a":"a\u0000.safetensors"}}`, "plain"},
		"number":          {`{"weight_map":{"a":1}}`, "file name"},
		"duplicate":       {`{"weight_map":{"a":"s1.safetensors","a":"s1.safetensors"}}`, "twice"},
		"duplicate map":   {`{"weight_map":{},"weight_map":{}}`, "twice"},
		"unknown field":   {`{"weights":{}}`, "unknown field"},
		"no map":          {`{"metadata":{}}`, "weight_map"},
		"empty map":       {`{"weight_map":{}}`, "weight_map"},
		"not JSON":        {`{"weight_map":`, "too early"},
		"bad metadata":    {`{"metadata":,}`, "metadata"},
		"trailing":        {`{"weight_map":{"a":"s1.safetensors"}} x`, "followed by"},
		"empty":           {``, "too early"},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(index, []byte(c.index), 0o600))
			_, err := OpenDir(dir)
			require.ErrorContains(t, err, c.want)
			require.ErrorContains(t, err, dir)
		})
	}

	// A single file has priority over an index.
	writeFile(t, filepath.Join(dir, "model.safetensors"), "single")
	f, err = OpenDir(dir)
	require.NoError(t, err)
	defer f.Close()
	require.Equal(t, []string{"single"}, f.Names())
}

func ExampleOpenBytes() {
	var b bytes.Buffer
	w, err := NewWriter(&b, nil, []Tensor{{Name: "w", DType: F32, Shape: []int{2, 2}}})
	if err != nil {
		panic(err)
	}
	if err := w.WriteFloats("w", []float32{1, 2, 3, 4}); err != nil {
		panic(err)
	}
	f, err := OpenBytes("example", b.Bytes())
	if err != nil {
		panic(err)
	}
	v := make([]float32, 4)
	fmt.Println(f.Floats("w", v), v)
	// Output: <nil> [1 2 3 4]
}

// TestCutWhileOpen checks that reading a mapped file that became shorter is an error.
func TestCutWhileOpen(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere the file is read, or cannot be cut while it is mapped")
	}
	path := filepath.Join(t.TempDir(), "x.safetensors")
	out, err := os.Create(path)
	require.NoError(t, err)
	w, err := NewWriter(out, nil, []Tensor{{Name: "f", DType: F32, Shape: []int{1 << 12}}, {Name: "i", DType: I32, Shape: []int{1 << 12}}})
	require.NoError(t, err)
	require.NoError(t, w.Write("f", make([]byte, 1<<14)))
	require.NoError(t, w.Write("i", make([]byte, 1<<14)))
	require.NoError(t, w.Close())
	require.NoError(t, out.Close())
	f, err := Open(path)
	require.NoError(t, err)
	require.NoError(t, os.Truncate(path, 1))
	_, err = f.Bytes("f")
	for _, err := range []error{err, f.Floats("f", make([]float32, 1<<12)), f.Ints("i", make([]int64, 1<<12))} {
		var fault *Error
		require.ErrorAs(t, err, &fault)
		require.ErrorIs(t, err, ErrChanged)
		require.ErrorContains(t, err, path+": tensor ")
		require.ErrorContains(t, err, "changed or became shorter while it was open")
	}
	require.NoError(t, f.Close())
}
