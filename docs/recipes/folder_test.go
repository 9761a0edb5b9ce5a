package recipes_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"math"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/safetensors"
)

// made describes what folders/NAME does not hold of a model folder: the tokenizer's large files, and the weights.
type made struct {
	Name      string   `json:"name"`
	Tokenizer string   `json:"tokenizer"` // a folder of tokenizers
	Files     []string `json:"files"`     // of the tokenizer
	Weights   string   `json:"weights"`   // the name of the file; "" is a folder without weights
	Tensors   []tensor `json:"tensors"`
}

// tensor is a tensor whose numbers follow from the names of the folder and of the tensor.
type tensor struct {
	Name        string
	DType       string
	Shape       []int
	Mean, Width float64
}

// folder writes a model folder as make.py does.
func folder(t *testing.T, name, to string) {
	t.Helper()
	from := filepath.Join("folders", name)
	text, err := os.ReadFile(filepath.Join(from, "made.json"))
	require.NoError(t, err)
	var m made
	require.NoError(t, json.Unmarshal(text, &m))
	require.NoError(t, os.CopyFS(to, os.DirFS(from)))
	require.NoError(t, os.Remove(filepath.Join(to, "made.json")))
	for _, f := range m.Files {
		text, err := os.ReadFile(filepath.Join("tokenizers", m.Tokenizer, f))
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(filepath.Join(to, f), text, 0o666))
	}
	if m.Weights == "" {
		return
	}
	data := make([][]byte, len(m.Tensors))
	for i, one := range m.Tensors {
		data[i] = one.bytes(t, m.Name)
	}
	write := writeTorch
	if filepath.Ext(m.Weights) == ".safetensors" {
		write = writeSafetensors
	}
	f, err := os.Create(filepath.Join(to, m.Weights))
	require.NoError(t, err)
	write(t, f, m.Tensors, data)
	require.NoError(t, f.Close())
}

// draw returns the numbers of a text, from -0.5 to 0.5: splitmix64, begun with FNV-1a of the text.
func draw(text string) func() float64 {
	seed := uint64(0xcbf29ce484222325)
	for i := range len(text) {
		seed = (seed ^ uint64(text[i])) * 0x100000001b3
	}
	return func() float64 {
		seed += 0x9e3779b97f4a7c15
		z := (seed ^ seed>>30) * 0xbf58476d1ce4e5b9
		z = (z ^ z>>27) * 0x94d049bb133111eb
		z ^= z >> 31
		return float64(z>>40)/(1<<24) - 0.5
	}
}

// bytes returns the tensor's numbers as files hold them.
func (x *tensor) bytes(t *testing.T, folder string) (b []byte) {
	t.Helper()
	n := 1
	for _, d := range x.Shape {
		n *= d
	}
	draw := draw(folder + " " + x.Name)
	next := func() float32 { return float32(x.Mean + float64(draw()*x.Width)) } // rounded after the product, on every machine
	for i := range n {
		switch x.DType {
		case "I64":
			b = binary.LittleEndian.AppendUint64(b, uint64(i))
		case "F32":
			b = binary.LittleEndian.AppendUint32(b, math.Float32bits(next()))
		case "F16":
			b = binary.LittleEndian.AppendUint16(b, half(next()))
		default:
			t.Fatalf("%s: %s is not written", x.Name, x.DType)
		}
	}
	return b
}

// half rounds a number to the nearest binary16, ties to the even one. |v| is less than 65504.
func half(v float32) uint16 {
	a := math.Abs(float64(v))
	value := func(i int) float64 { return float64(safetensors.FromF16(uint16(i))) }
	h := sort.Search(0x7bff, func(i int) bool { return value(i) >= a }) // the first that is not smaller
	if h > 0 {
		below, above := a-value(h-1), value(h)-a
		if below < above || below == above && h%2 == 1 {
			h--
		}
	}
	return uint16(h) | uint16(math.Float32bits(v)>>31)<<15
}

func writeSafetensors(t *testing.T, w io.Writer, list []tensor, data [][]byte) {
	t.Helper()
	var infos []safetensors.Tensor
	at := map[string][]byte{}
	for i, x := range list {
		d, ok := safetensors.ParseDType(x.DType)
		require.True(t, ok, x.DType)
		infos = append(infos, safetensors.Tensor{Name: x.Name, DType: d, Shape: x.Shape})
		at[x.Name] = data[i]
	}
	header, placed, err := safetensors.Header(map[string]string{"format": "pt"}, infos)
	require.NoError(t, err)
	_, err = w.Write(header)
	require.NoError(t, err)
	for _, p := range placed {
		_, err = w.Write(at[p.Name])
		require.NoError(t, err)
	}
}

// writeTorch writes an archive as torch.save does: a pickle of a dictionary, and a file for the storage of each tensor.
func writeTorch(t *testing.T, w io.Writer, list []tensor, data [][]byte) {
	t.Helper()
	class := map[string]string{"F32": "FloatStorage", "F16": "HalfStorage", "I64": "LongStorage"}
	text := func(s string) string { return "X" + string(binary.LittleEndian.AppendUint32(nil, uint32(len(s)))) + s }
	number := func(n int) string { return "J" + string(binary.LittleEndian.AppendUint32(nil, uint32(n))) }
	var pickle bytes.Buffer
	pickle.WriteString("\x80\x02}(")
	for i, x := range list {
		shape, stride, n := "", "", 1
		for _, d := range x.Shape {
			shape += number(d)
		}
		for j := len(x.Shape) - 1; j >= 0; j-- {
			stride, n = number(n)+stride, n*x.Shape[j]
		}
		pickle.WriteString(text(x.Name) + "ctorch._utils\n_rebuild_tensor_v2\n((" + text("storage") + "ctorch\n" + class[x.DType] + "\n" +
			text(strconv.Itoa(i)) + text("cpu") + number(n) + "tQ" + number(0) + "(" + shape + "t(" + stride + "t\x89ccollections\nOrderedDict\n)RtR")
	}
	pickle.WriteString("u.")
	z := zip.NewWriter(w)
	add := func(name string, data []byte) {
		f, err := z.CreateHeader(&zip.FileHeader{Name: "archive/" + name, Method: zip.Store})
		require.NoError(t, err)
		_, err = f.Write(data)
		require.NoError(t, err)
	}
	add("data.pkl", pickle.Bytes())
	for i, d := range data {
		add("data/"+strconv.Itoa(i), d)
	}
	add("version", []byte("3\n"))
	require.NoError(t, z.Close())
}

// TestHalf compares rounding with the numbers around every third binary16.
func TestHalf(t *testing.T) {
	for h := uint16(0); h < 0x7bff; h += 3 {
		low, high := safetensors.FromF16(h), safetensors.FromF16(h+1)
		middle := (low + high) / 2
		even := h + h%2
		require.Equal(t, h, half(low))
		require.Equal(t, h|1<<15, half(-low)|1<<15)
		require.Equal(t, even, half(middle))
		require.Equal(t, h, half(math.Nextafter32(middle, 0)))
		require.Equal(t, h+1, half(math.Nextafter32(middle, 1e6)))
	}
}

// TestDraw compares the first numbers with those of make.py.
func TestDraw(t *testing.T) {
	next := draw("a/b c")
	for _, want := range []float64{0.39113187789916992, 0.095804750919342041, -0.26487547159194946, 0.20516252517700195} {
		require.Equal(t, want, next())
	}
}
