package torchfile_test

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/torchfile"
)

// equal compares a file with the same tensors in the other format, bit by bit.
func equal(t *testing.T, want *safetensors.File, got *torchfile.File) {
	t.Helper()
	require.ElementsMatch(t, want.Names(), got.Names())
	for _, name := range want.Names() {
		w, err := want.Info(name)
		require.NoError(t, err)
		g, err := got.Info(name)
		require.NoError(t, err)
		require.Equal(t, w.DType, g.DType, name)
		require.Equal(t, append([]int{}, w.Shape...), append([]int{}, g.Shape...), name)
		require.Equal(t, w.Size, g.Size, name)
		require.NoError(t, got.Check(name, w.Shape...))
		require.ErrorContains(t, got.Check(name, append(w.Shape, 2)...), "its shape is")
		a, b := make([]float32, w.Elements()), make([]float32, w.Elements())
		if w.DType == safetensors.I64 {
			require.ErrorContains(t, got.Floats(name, b), "it holds I64")
			continue
		}
		require.NoError(t, want.Floats(name, a))
		require.NoError(t, got.Floats(name, b))
		for i := range a {
			require.Equal(t, math.Float32bits(a[i]), math.Float32bits(b[i]), "%s, element %d", name, i)
		}
		require.ErrorContains(t, got.Floats(name, make([]float32, w.Elements()+1)), "the destination")
	}
}

// TestValues checks that every element type, all kinds of views, tied weights and parameters are read as torch itself reads them, from both containers.
func TestValues(t *testing.T) {
	for file, reference := range map[string]string{"all.bin": "all", "old.bin": "all", "protocol4.bin": "all", "module.bin": "module", "sharded": "module"} {
		t.Run(file, func(t *testing.T) {
			want, err := safetensors.Open("testdata/" + reference + ".safetensors")
			require.NoError(t, err)
			defer want.Close()
			open := torchfile.Open
			if file == "sharded" {
				open = torchfile.OpenDir
			}
			got, err := open("testdata/" + file)
			require.NoError(t, err)
			equal(t, want, got)
			require.Equal(t, "testdata/"+file, got.Name())
			require.NoError(t, got.Close())
			require.NoError(t, got.Close())
			require.Empty(t, got.Names())
			require.ErrorContains(t, got.Floats("f32", nil), "closed")
			if file == "sharded" {
				return
			}
			text, err := os.ReadFile("testdata/" + file)
			require.NoError(t, err)
			got, err = torchfile.OpenBytes("memory", text)
			require.NoError(t, err)
			equal(t, want, got)
			_, err = got.Info("nothing")
			require.ErrorContains(t, err, `memory: tensor "nothing": no such tensor`)
			require.NoError(t, got.Close())
		})
	}
}

// TestOtherFiles checks that the error for a file that is not a file of weights tells what the file is.
func TestOtherFiles(t *testing.T) {
	tar := make([]byte, 512)
	copy(tar[257:], "ustar")
	for text, want := range map[string]string{
		"": "the file is empty",
		"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n": "Git LFS pointer",
		"<!DOCTYPE html><html>":              "a page of HTML",
		"\x10\x00\x00\x00\x00\x00\x00\x00{}": "looks like a safetensors file",
		string(tar):                          "a tar archive",
		"\x80\x04N.":                         "a pickle that torch.save did not write",
		"hello world":                        "not a file that torch.save wrote",
		"PK\x03\x04":                         "not a whole zip archive",
	} {
		_, err := torchfile.OpenBytes("x.bin", []byte(text))
		var fault *safetensors.Error
		require.ErrorAs(t, err, &fault)
		require.ErrorContains(t, err, want)
		require.Equal(t, "x.bin", fault.File)
	}
	_, err := torchfile.Open("testdata/whole.bin")
	require.ErrorContains(t, err, "torch.nn.modules.container.Sequential")
	_, err = torchfile.Open("testdata/checkpoint.bin")
	require.ErrorContains(t, err, `tensor "epoch": this is a number, not a tensor`)
	_, err = torchfile.Open("testdata/missing.bin")
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = torchfile.Open("testdata")
	require.ErrorContains(t, err, "not a regular file")
}

// TestDamage checks that a file that was cut or changed at any place is refused.
func TestDamage(t *testing.T) {
	for _, file := range []string{"module.bin", "old.bin"} {
		text, err := os.ReadFile("testdata/" + file)
		require.NoError(t, err)
		for n := range text {
			_, err := torchfile.OpenBytes(file, text[:n])
			require.Error(t, err, "%s cut to %d bytes", file, n)
		}
	}
	text, err := os.ReadFile("testdata/module.bin")
	require.NoError(t, err)
	f, err := torchfile.OpenBytes("module.bin", text)
	require.NoError(t, err)
	v := make([]float32, 2)
	require.NoError(t, f.Floats("0.bias", v))
	at := find(text, v)
	text[at] ^= 1
	f, err = torchfile.OpenBytes("module.bin", text)
	require.NoError(t, err)
	require.ErrorContains(t, f.Floats("0.bias", v), `tensor "0.bias": the checksum of module/data/1 is wrong`)
	require.NoError(t, f.Floats("1.bias", v), "the others are whole")
}

// find returns the offset of numbers in a file.
func find(text []byte, v []float32) int {
	want := safetensors.FloatBytes(v)
	for i := range text {
		if len(text)-i >= len(want) && string(text[i:i+len(want)]) == string(want) {
			return i
		}
	}
	return -1
}

// TestShards checks that the index and the shards must agree with each other.
func TestShards(t *testing.T) {
	index, err := os.ReadFile("testdata/sharded/pytorch_model.bin.index.json")
	require.NoError(t, err)
	folder := func(t *testing.T, index string, shards ...int) string {
		dir := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(dir, torchfile.IndexName), []byte(index), 0o600))
		for _, n := range shards {
			name := []string{"", "pytorch_model-00001-of-00002.bin", "pytorch_model-00002-of-00002.bin"}[n]
			text, err := os.ReadFile("testdata/sharded/" + name)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(dir, name), text, 0o600))
		}
		return dir
	}
	const one = `"pytorch_model-00001-of-00002.bin"`
	for name, c := range map[string]struct {
		index  string
		shards []int
		want   string
	}{
		"missing shard": {string(index), []int{1}, "the shard \"pytorch_model-00002-of-00002.bin\" that it lists is missing"},
		"unlisted":      {`{"weight_map": {"0.weight": ` + one + `}}`, []int{1}, "not listed"},
		"elsewhere":     {`{"weight_map": {"0.weight": ` + one + `, "0.bias": "pytorch_model-00002-of-00002.bin"}}`, []int{1, 2}, "lists it in"},
		"absent":        {`{"weight_map": {"0.weight": ` + one + `, "0.bias": ` + one + `, "2.bias": ` + one + `}}`, []int{1}, `tensor "2.bias"`},
		"escape":        {`{"weight_map": {"0.weight": "../x.bin"}}`, nil, "plain .bin file name"},
		"not json":      {`{"weight_map": `, nil, "JSON"},
		"unknown field": {`{"weights": {}}`, nil, `unknown field "weights"`},
		"empty":         {`{}`, nil, "no weight_map"},
		"trailing":      {`{"weight_map": {"a": "a.bin"}} {}`, nil, "followed by"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := torchfile.OpenDir(folder(t, c.index, c.shards...))
			require.ErrorContains(t, err, c.want)
		})
	}
	for dir, want := range map[string]bool{"testdata/sharded": true, "testdata": false} {
		have, err := torchfile.In(dir)
		require.NoError(t, err)
		require.Equal(t, want, have)
	}
	_, err = torchfile.OpenDir("testdata")
	require.ErrorContains(t, err, "neither pytorch_model.bin nor")
}

// TestCutWhileOpen reads from a file that became shorter after it was opened.
func TestCutWhileOpen(t *testing.T) {
	for _, file := range []string{"module.bin", "old.bin"} {
		text, err := os.ReadFile("testdata/" + file)
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), file)
		require.NoError(t, os.WriteFile(path, text, 0o600))
		f, err := torchfile.Open(path)
		require.NoError(t, err)
		require.NoError(t, os.Truncate(path, 40))
		cut := 0
		for _, name := range f.Names() {
			info, err := f.Info(name)
			require.NoError(t, err)
			err = f.Floats(name, make([]float32, info.Elements()))
			if info.Size == 0 || strings.Contains(fmt.Sprint(err), "floating-point numbers were expected") {
				continue
			}
			cut++
			var fault *safetensors.Error
			require.ErrorAs(t, err, &fault, name)
			require.ErrorIs(t, err, safetensors.ErrChanged, name)
			require.ErrorContains(t, err, path+": tensor ")
		}
		require.NotZero(t, cut)
		require.NoError(t, f.Close())
	}
}
