package engine_test

import (
	"bytes"
	"encoding/binary"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
)

func fakeWant() engine.Want { return fakeProgram(fakeHooks{}).Want }

func checkFakeWeights(t *testing.T, w *engine.Weights) {
	t.Helper()
	for name, want := range fakeTensors() {
		got := w.F32(name)
		require.Equal(t, want, got)
		require.Zero(t, uintptr(unsafe.Pointer(&got[0]))%engine.Alignment)
	}
	require.Equal(t, fakeOrder(), w.I32("order"))
	require.Equal(t, []byte("abc"), w.Bytes(engine.TokenizerTensor))
	require.NoError(t, w.Err())
	require.NoError(t, w.CheckWeights())
	require.Equal(t, fakeMeta(), w.Meta())
	require.Len(t, w.Names(), len(fakeWant().Tensors))
}

// TestWeightsOpenings checks that a file, a part of a file and bytes, aligned or not, are read
// alike.
func TestWeightsOpenings(t *testing.T) {
	path := packFake(t, fakeMeta(), true)
	data, err := os.ReadFile(path)
	require.NoError(t, err)

	w, err := engine.OpenWeights(path, fakeWant())
	require.NoError(t, err)
	checkFakeWeights(t, w)
	require.Equal(t, path, w.Name())
	require.EqualValues(t, len(data), w.Size())
	require.NoError(t, w.Close())

	inside := filepath.Join(t.TempDir(), "program")
	require.NoError(t, os.WriteFile(inside, append(append(make([]byte, 5*64), data...), "tail"...), 0o600))
	w, err = engine.OpenWeightsAt(inside, 5*64, int64(len(data)), fakeWant())
	require.NoError(t, err)
	checkFakeWeights(t, w)
	require.NoError(t, w.Close())

	require.NoError(t, os.WriteFile(inside, append(make([]byte, 33), data...), 0o600))
	_, err = engine.OpenWeightsAt(inside, 33, -1, fakeWant())
	require.ErrorContains(t, err, "does not start at a multiple of 64 bytes")
	_, err = engine.OpenWeightsAt(inside, 33, int64(len(data))+1, fakeWant())
	require.ErrorContains(t, err, "the file has")
	_, err = engine.OpenWeightsAt(inside, -1, -1, fakeWant())
	require.ErrorContains(t, err, "the file has")

	for skip := range 3 {
		shifted := append(make([]byte, skip, skip+len(data)), data...)[skip:]
		w, err = engine.WeightsFromBytes("embedded", shifted, fakeWant())
		require.NoError(t, err)
		checkFakeWeights(t, w)
		require.NoError(t, w.Close())
	}
	// The packed file is an ordinary safetensors file.
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, f.Check("order", fakeHidden))
	require.NoError(t, f.Check(engine.TokenizerTensor, 64))
}

func TestWeightsMismatch(t *testing.T) {
	path := packFake(t, fakeMeta(), true)
	change := func(f func(w *engine.Want)) engine.Want {
		w := fakeWant()
		w.Tensors = append([]engine.TensorWant(nil), w.Tensors...)
		f(&w)
		return w
	}
	for name, c := range map[string]struct {
		want engine.Want
		text []string
	}{
		"spec":     {change(func(w *engine.Want) { w.SpecHash = strings.Repeat("b", 64) }), []string{"another spec", "pack again"}},
		"layout":   {change(func(w *engine.Want) { w.Layout = "2" }), []string{`layout "1"`, `reads "2"`, "pack again"}},
		"missing":  {change(func(w *engine.Want) { w.Tensors[2].Name = "new" }), []string{`tensor "new": missing`, "pack again"}},
		"extra":    {change(func(w *engine.Want) { w.Tensors = w.Tensors[1:] }), []string{`tensor "embed": this package does not know it`, "pack again"}},
		"length":   {change(func(w *engine.Want) { w.Tensors[4].Len++ }), []string{`tensor "head": it has 48 elements, this package reads 49`, "pack again"}},
		"dtype":    {change(func(w *engine.Want) { w.Tensors[6].DType = safetensors.F32 }), []string{`tensor "order": it holds I32, this package reads F32`}},
		"optional": {change(func(w *engine.Want) { w.Tensors[7].Optional = false }), nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, err := engine.OpenWeights(path, c.want)
			if c.text == nil {
				require.NoError(t, err)
				require.NoError(t, w.Close())
				return
			}
			require.Nil(t, w)
			var e *runtime.WeightsError
			require.ErrorAs(t, err, &e)
			require.Equal(t, path, e.File)
			for _, text := range c.text {
				require.ErrorContains(t, err, text)
			}
		})
	}
	w, err := engine.OpenWeights(packFake(t, fakeMeta(), false), fakeWant())
	require.NoError(t, err, "the tokenizer may be missing")
	require.False(t, w.Has(engine.TokenizerTensor))
	require.NoError(t, w.Close())
}

// TestEveryHeaderByte flips bits of each byte of the header and expects an error each time.
func TestEveryHeaderByte(t *testing.T) {
	data := packFakeBytes(t, fakeMeta())
	head := 8 + int(binary.LittleEndian.Uint64(data))
	for i := range head {
		for _, bits := range []byte{0x01, 0x20, 0x80, 0xff} {
			bad := bytes.Clone(data)
			bad[i] ^= bits
			w, err := engine.WeightsFromBytes("flipped", bad, fakeWant())
			require.Error(t, err, "byte %d of %d, bits %#x", i, head, bits)
			require.Nil(t, w)
		}
	}
}

func TestTruncatedWeights(t *testing.T) {
	data := packFakeBytes(t, fakeMeta())
	path := filepath.Join(t.TempDir(), "cut")
	for n := 0; n < len(data); n += 1 + n/3 {
		require.NoError(t, os.WriteFile(path, data[:n], 0o600))
		_, err := engine.OpenWeights(path, fakeWant())
		require.ErrorContains(t, err, "cut")
		require.ErrorContains(t, err, "pack again")
	}
	require.NoError(t, os.WriteFile(path, append(bytes.Clone(data), 0), 0o600))
	_, err := engine.OpenWeights(path, fakeWant())
	require.ErrorContains(t, err, "after the last tensor")
	_, err = engine.OpenWeights(filepath.Join(t.TempDir(), "absent"), fakeWant())
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = engine.OpenWeights(t.TempDir(), fakeWant())
	require.ErrorContains(t, err, "not a regular file")
}

// TestOtherSafetensors checks that a checkpoint is refused as a packed file.
func TestOtherSafetensors(t *testing.T) {
	var b bytes.Buffer
	w, err := safetensors.NewWriter(&b, map[string]string{"format": "pt"}, nil)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = engine.WeightsFromBytes("checkpoint", b.Bytes(), fakeWant())
	require.ErrorContains(t, err, "make one with debertac pack")
}

// TestCheckWeights changes one byte of each tensor and checks that the error names the tensor.
func TestCheckWeights(t *testing.T) {
	path := packFake(t, fakeMeta(), true)
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	head := 8 + int64(binary.LittleEndian.Uint64(data))
	for _, name := range f.Names() {
		info, err := f.Info(name)
		require.NoError(t, err)
		bad := bytes.Clone(data)
		bad[head+info.Offset+info.Size-1] ^= 1 // for some tensors this is padding
		require.NoError(t, os.WriteFile(path, bad, 0o600))
		w, err := engine.OpenWeights(path, fakeWant())
		if info.DType == safetensors.I32 { // kernels use these integers as indices
			require.ErrorContains(t, err, `tensor "`+name+`": its values are not those that were packed`)
			continue
		}
		require.NoError(t, err)
		require.ErrorContains(t, w.CheckWeights(), `tensor "`+name+`"`)
		require.NoError(t, w.Close())
		w, err = engine.WeightsFromBytes("bytes", bad, fakeWant())
		require.NoError(t, err)
		require.ErrorContains(t, w.CheckWeights(), `tensor "`+name+`"`)
		require.NoError(t, w.Close())
	}
	require.NoError(t, f.Close())
}

func TestWeightsAfterClose(t *testing.T) {
	w, err := engine.OpenWeights(packFake(t, fakeMeta(), true), fakeWant())
	require.NoError(t, err)
	require.NoError(t, w.Acquire())
	kept := w.F32("head")
	require.NoError(t, w.Close())
	require.NoError(t, w.Close())
	require.Equal(t, fakeTensors()["head"], kept, "an acquired file stays mapped")
	require.Nil(t, w.F32("head"))
	require.ErrorIs(t, w.Err(), runtime.ErrClosed)
	require.ErrorIs(t, w.Acquire(), runtime.ErrClosed)
	require.ErrorIs(t, w.CheckWeights(), runtime.ErrClosed)
	w.Release()
	require.ErrorIs(t, w.Acquire(), runtime.ErrClosed)
}

func TestWeightsMisuse(t *testing.T) {
	open := func() *engine.Weights {
		w, err := engine.OpenWeights(packFake(t, fakeMeta(), true), fakeWant())
		require.NoError(t, err)
		t.Cleanup(func() { w.Close() })
		return w
	}
	w := open()
	require.Nil(t, w.F32("nothing"))
	require.ErrorContains(t, w.Err(), `tensor "nothing": the weights have no tensor of this name`)
	w = open()
	require.Nil(t, w.I32("head"))
	require.Nil(t, w.F32("nothing"))
	require.ErrorContains(t, w.Err(), `tensor "head": it holds F32, but was read as I32`)
}

func TestWeightsWriterFaults(t *testing.T) {
	decls := []engine.TensorDecl{{Name: "a", DType: safetensors.U8, Len: 2}, {Name: "empty", DType: safetensors.F32},
		{Name: "b", DType: safetensors.I32, Len: 1}}
	start := func() *engine.WeightsWriter {
		w, err := engine.NewWeightsWriter(&seekBuffer{}, fakeMeta(), decls)
		require.NoError(t, err)
		return w
	}
	w := start()
	require.ErrorContains(t, w.WriteI32("b", []int32{1}), `the next tensor is "a", of which 0 of 2`)
	require.Error(t, w.Write("a", []byte{1, 2}), "an error is final")
	require.Error(t, w.Close())
	require.ErrorContains(t, start().Write("a", []byte{1, 2, 3}), "too many")
	w = start()
	require.NoError(t, w.Write("a", []byte{1, 2}))
	require.ErrorContains(t, w.Close(), `"b": only 0 of 4 bytes`)
	w = start()
	require.NoError(t, w.Write("a", []byte{1, 2}))
	require.NoError(t, w.WriteI32("b", []int32{1}))
	require.ErrorContains(t, w.Write("c", nil), "all declared")
	w = start()
	require.NoError(t, w.Write("a", []byte{1, 2}))
	require.NoError(t, w.WriteI32("b", []int32{7}))
	require.NoError(t, w.Close())
	require.ErrorContains(t, w.Write("a", nil), "closed")
	meta := fakeMeta()
	meta.Extra = map[string]string{"key": "value"}
	w, err := engine.NewWeightsWriter(&seekBuffer{}, meta, decls)
	require.NoError(t, err)
	require.NoError(t, w.Write("a", []byte{1, 2}))
	require.NoError(t, w.WriteI32("b", []int32{7}))
	meta.Extra["key"] = strings.Repeat("longer", 40)
	require.ErrorContains(t, w.Close(), "the header's length has changed since the file was begun")

	for _, bad := range [][]engine.TensorDecl{
		{{Name: "a", DType: 0, Len: 1}}, {{Name: "a", DType: safetensors.F32, Len: -1}},
		{{Name: "a", DType: safetensors.F32, Len: 1 << 60}}, {decls[0], decls[0]},
	} {
		_, err := engine.NewWeightsWriter(&seekBuffer{}, fakeMeta(), bad)
		require.ErrorContains(t, err, `tensor "a"`)
	}

	dir := t.TempDir()
	w, err = engine.CreateWeights(filepath.Join(dir, "w"), fakeMeta(), decls)
	require.NoError(t, err)
	w.Abort()
	w.Abort()
	require.Error(t, w.Close())
	w, err = engine.CreateWeights(filepath.Join(dir, "w"), fakeMeta(), decls)
	require.NoError(t, err)
	require.Error(t, w.Close(), "incomplete")
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left, "no unfinished file is left")
	_, err = engine.CreateWeights(filepath.Join(dir, "no", "w"), fakeMeta(), decls)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func FuzzWeights(f *testing.F) {
	f.Add(packFakeBytes(f, fakeMeta()))
	f.Add([]byte{2, 0, 0, 0, 0, 0, 0, 0, '{', '}'})
	f.Fuzz(func(t *testing.T, data []byte) {
		w, err := engine.WeightsFromBytes("fuzz", data, fakeWant())
		if err != nil {
			return
		}
		checkFake := w.F32("embed")
		if len(checkFake) != fakeVocab*fakeHidden || w.Err() != nil {
			t.Fatal(len(checkFake), w.Err())
		}
		_ = w.CheckWeights()
		_ = w.Close()
	})
}
