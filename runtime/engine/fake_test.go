package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// This file is a tiny generated package, written by hand: token and type embeddings, two layers y =
// tanh(W x), one head on the mean of each sequence and one on each token.

const (
	fakeVocab  = 50
	fakeHidden = 16
	fakeTypes  = 2
	fakeLabels = 3
	fakeTags   = 2
	fakeLayers = 2
	fakeSpec   = "00000000000000000000000000000000000000000000000000000000000000aa"
	fakeBlock  = 4 // rows per unit
)

type fakeHooks struct {
	layer  func(x *engine.Exec, l int) // called before layer l
	row    func(row int)               // called in a task
	panics any                         // what Bind panics with
}

func fakeProgram(h fakeHooks) *engine.Program {
	f32 := func(name string, n int64) engine.TensorWant {
		return engine.TensorWant{Name: name, DType: safetensors.F32, Len: n}
	}
	return &engine.Program{
		Name: "fake",
		Want: engine.Want{SpecHash: fakeSpec, Layout: "1", Tensors: []engine.TensorWant{
			f32("embed", fakeVocab*fakeHidden), f32("types", fakeTypes*fakeHidden),
			f32("layer.0", fakeHidden*fakeHidden), f32("layer.1", fakeHidden*fakeHidden),
			f32("head", fakeLabels*fakeHidden), f32("tags", fakeTags*fakeHidden),
			{Name: "order", DType: safetensors.I32, Len: fakeHidden},
			{Name: engine.TokenizerTensor, DType: safetensors.U8, Len: -1, Optional: true},
		}},
		ISAs:   []cpu.ISA{cpu.ISAGo, cpu.ISAAVX2},
		Limits: engine.Limits{Vocab: fakeVocab, Types: fakeTypes, SequenceTokens: 64, BatchSequences: 8, BatchTokens: 256},
		Heads: []engine.Head{
			{Name: "kind", Task: tasktable.Labels, Rows: engine.PerSequence, C: fakeLabels, Labels: []string{"a", "b", "c"}},
			{Name: "tags", Task: tasktable.Tags, Rows: engine.PerToken, C: fakeTags},
			{Name: "topics", Task: tasktable.Labels, Rows: engine.PerSequence, C: fakeLabels, Independent: true},
		},
		Arena: func(s engine.Sizes) int64 { return int64(2*s.T+s.B) * fakeHidden * 4 },
		Bind: func(w *engine.Weights, isa cpu.ISA) (engine.NewForward, error) {
			if h.panics != nil {
				panic(h.panics)
			}
			m := &fakeModel{
				hooks: h, embed: w.F32("embed"), types: w.F32("types"), layers: [][]float32{w.F32("layer.0"), w.F32("layer.1")},
				head: w.F32("head"), tags: w.F32("tags"), order: w.I32("order"),
			}
			return m.newForward, nil
		},
		Tokenizer: func(kind string, data []byte) (tokenizer.Tokenizer, error) {
			if kind != "letters" || string(data) != "abc" {
				return nil, fmt.Errorf("unknown tokenizer %q", kind)
			}
			return letters{}, nil
		},
	}
}

type fakeModel struct {
	hooks              fakeHooks
	embed, types, head []float32
	tags               []float32
	layers             [][]float32
	order              []int32 // a permutation of the columns, so that there is an integer tensor
}

type fakeExec struct {
	*engine.Exec
	m      *fakeModel
	layer  int
	x, y   []float32 // [T, 16]
	pooled []float32 // [B, 16]
}

func (m *fakeModel) newForward(x *engine.Exec) (engine.Forward, error) {
	e := &fakeExec{Exec: x, m: m}
	embed, layer, pool := e.embedUnit, e.layerUnit, e.poolUnit
	return func() error {
		rows := int64(e.T * fakeHidden * 4)
		e.x = unsafe.Slice(e.F32(0), e.T*fakeHidden)
		e.y = unsafe.Slice(e.F32(rows), e.T*fakeHidden)
		e.pooled = unsafe.Slice(e.F32(2*rows), e.B*fakeHidden)
		blocks := (e.T + fakeBlock - 1) / fakeBlock
		e.Run(blocks, embed)
		for e.layer = range fakeLayers {
			if m.hooks.layer != nil {
				m.hooks.layer(x, e.layer)
			}
			if err := e.Layer(layerNames[e.layer]); err != nil {
				return err
			}
			e.Run(blocks, layer)
			e.x, e.y = e.y, e.x
			if e.Tracing() {
				e.TraceRows(layerNames[e.layer], &e.x[0], e.T, fakeHidden, fakeHidden)
			}
		}
		if e.Head == 1 {
			e.rows(e.x, m.tags, fakeTags)
			return nil
		}
		e.Run(e.B, pool)
		e.rows(e.pooled, m.head, fakeLabels)
		e.Trace("logits", e.Out, e.B, fakeLabels)
		return nil
	}, nil
}

var layerNames = []string{"layer 0", "layer 1"}

func (e *fakeExec) embedUnit(_, unit int) {
	for r := unit * fakeBlock; r < min(e.T, (unit+1)*fakeBlock); r++ {
		for j := range fakeHidden {
			o := int(e.m.order[j])
			e.x[r*fakeHidden+j] = e.m.embed[int(e.IDs[r])*fakeHidden+o] + e.m.types[int(e.Types[r])*fakeHidden+o]
		}
	}
}

func (e *fakeExec) layerUnit(_, unit int) {
	w := e.m.layers[e.layer]
	for r := unit * fakeBlock; r < min(e.T, (unit+1)*fakeBlock); r++ {
		if e.m.hooks.row != nil {
			e.m.hooks.row(r)
		}
		x := e.x[r*fakeHidden : (r+1)*fakeHidden]
		for i := range fakeHidden {
			sum := float32(0)
			for j, v := range x {
				sum += w[i*fakeHidden+j] * v
			}
			e.y[r*fakeHidden+i] = float32(math.Tanh(float64(sum)))
		}
	}
}

func (e *fakeExec) poolUnit(_, s int) {
	lo, hi := int(e.Starts[s]), int(e.Starts[s+1])
	for j := range fakeHidden {
		sum := float32(0)
		for r := lo; r < hi; r++ {
			sum += e.x[r*fakeHidden+j]
		}
		e.pooled[s*fakeHidden+j] = sum / float32(hi-lo)
	}
}

func (e *fakeExec) rows(x, w []float32, c int) {
	for i := range e.Out {
		sum := float32(0)
		for j := range fakeHidden {
			sum += w[i%c*fakeHidden+j] * x[i/c*fakeHidden+j]
		}
		e.Out[i] = sum
	}
}

// letters is a tokenizer with one id per byte.
type letters struct{}

func (letters) AppendIDs(dst []int32, text string, specials bool) ([]int32, error) {
	for len(text) > 0 {
		if rest, ok := strings.CutPrefix(text, "[SEP]"); ok && specials {
			dst, text = append(dst, 2), rest
			continue
		}
		if text[0] == '!' {
			return dst, errors.New("an exclamation mark")
		}
		dst, text = append(dst, 4+int32(text[0])%(fakeVocab-4)), text[1:]
	}
	return dst, nil
}

func (letters) Frame() tokenizer.Frame {
	return tokenizer.Frame{Open: []int32{1}, Middle: []int32{2}, Close: []int32{2}, SecondType: 1}
}

// fakeTensors returns random weights.
func fakeTensors() map[string][]float32 {
	r := rand.New(rand.NewPCG(1, 2))
	draw := func(n int, scale float64) []float32 {
		v := make([]float32, n)
		for i := range v {
			v[i] = float32(scale * r.NormFloat64())
		}
		return v
	}
	return map[string][]float32{
		"embed": draw(fakeVocab*fakeHidden, 1), "types": draw(fakeTypes*fakeHidden, 0.5),
		"layer.0": draw(fakeHidden*fakeHidden, 0.4), "layer.1": draw(fakeHidden*fakeHidden, 0.4),
		"head": draw(fakeLabels*fakeHidden, 1), "tags": draw(fakeTags*fakeHidden, 1),
	}
}

func fakeOrder() []int32 {
	var v []int32
	for i := range fakeHidden {
		v = append(v, int32(i*5%fakeHidden))
	}
	return v
}

// fakeReference returns the logits of head kind for one sequence, computed in float64.
func fakeReference(t map[string][]float32, ids, types []int32) []float64 {
	order := fakeOrder()
	mean := make([]float64, fakeHidden)
	for i, id := range ids {
		x := make([]float64, fakeHidden)
		for j := range x {
			x[j] = float64(t["embed"][int(id)*fakeHidden+int(order[j])])
			ty := int32(0)
			if types != nil {
				ty = types[i]
			}
			x[j] += float64(t["types"][int(ty)*fakeHidden+int(order[j])])
		}
		for l := range fakeLayers {
			y := make([]float64, fakeHidden)
			for a := range y {
				for b, v := range x {
					y[a] += float64(t[layerKeys[l]][a*fakeHidden+b]) * v
				}
				y[a] = math.Tanh(y[a])
			}
			x = y
		}
		for j, v := range x {
			mean[j] += v / float64(len(ids))
		}
	}
	logits := make([]float64, fakeLabels)
	for c := range logits {
		for j, v := range mean {
			logits[c] += float64(t["head"][c*fakeHidden+j]) * v
		}
	}
	return logits
}

var layerKeys = []string{"layer.0", "layer.1"}

func fakeDecls(tokenizer bool) []engine.TensorDecl {
	var decls []engine.TensorDecl
	for _, w := range fakeProgram(fakeHooks{}).Want.Tensors {
		if w.Name == engine.TokenizerTensor {
			if w.Len = 3; !tokenizer {
				continue
			}
		}
		decls = append(decls, engine.TensorDecl{Name: w.Name, DType: w.DType, Len: w.Len})
	}
	return decls
}

func fakeMeta() engine.Meta {
	return engine.Meta{Layout: "1", SpecHash: fakeSpec, Model: "fake", Tokenizer: "letters", MaxTokens: 32}
}

// writeFake writes the tensors with a WeightsWriter.
func writeFake(t testing.TB, w *engine.WeightsWriter, decls []engine.TensorDecl) {
	t.Helper()
	tensors := fakeTensors()
	for _, d := range decls {
		switch d.DType {
		case safetensors.I32:
			require.NoError(t, w.WriteI32(d.Name, fakeOrder()))
		case safetensors.U8:
			require.NoError(t, w.Write(d.Name, []byte("abc")))
		default:
			v := tensors[d.Name]
			require.NoError(t, w.WriteF32(d.Name, v[:len(v)/3]))
			require.NoError(t, w.WriteF32(d.Name, v[len(v)/3:]))
		}
	}
	require.NoError(t, w.Close())
}

// packFake packs the fake model into a new file and returns its path.
func packFake(t testing.TB, meta engine.Meta, tokenizer bool) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fake.weights")
	decls := fakeDecls(tokenizer)
	w, err := engine.CreateWeights(path, meta, decls)
	require.NoError(t, err)
	writeFake(t, w, decls)
	return path
}

// openFake opens a fake model, which is closed when the test ends.
func openFake(t testing.TB, h fakeHooks, opts ...runtime.Option) *engine.Core {
	t.Helper()
	c, err := engine.Open(fakeProgram(h), packFake(t, fakeMeta(), true), opts...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

func openClassifier(t testing.TB, opts ...runtime.Option) *engine.Classifier {
	t.Helper()
	k, err := engine.NewClassifier(openFake(t, fakeHooks{}, opts...), "")
	require.NoError(t, err)
	return k
}

// oneSequence returns a batch of one sequence with n tokens.
func oneSequence(n int) *runtime.Batch {
	b := &runtime.Batch{Starts: []int32{0, int32(n)}}
	for i := range n {
		b.IDs = append(b.IDs, int32(i*7%fakeVocab))
	}
	return b
}

func runKind(ctx context.Context, c *engine.Core, b *runtime.Batch) ([]float32, error) {
	out := make([]float32, b.Sequences()*fakeLabels)
	return out, c.Run(ctx, engine.Call{Batch: b, Out: out})
}

// seekBuffer is a file in memory.
type seekBuffer struct {
	b  []byte
	at int
}

func (s *seekBuffer) Write(p []byte) (int, error) {
	if grow := s.at + len(p) - len(s.b); grow > 0 {
		s.b = append(s.b, make([]byte, grow)...)
	}
	s.at += copy(s.b[s.at:], p)
	return len(p), nil
}

func (s *seekBuffer) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
		s.at = int(off)
	case io.SeekCurrent:
		s.at += int(off)
	case io.SeekEnd:
		s.at = len(s.b) + int(off)
	}
	return int64(s.at), nil
}

func packFakeBytes(t testing.TB, meta engine.Meta) []byte {
	t.Helper()
	var s seekBuffer
	decls := fakeDecls(true)
	w, err := engine.NewWeightsWriter(&s, meta, decls)
	require.NoError(t, err)
	writeFake(t, w, decls)
	return s.b
}

func TestWritersAgree(t *testing.T) {
	fromFile, err := os.ReadFile(packFake(t, fakeMeta(), true))
	require.NoError(t, err)
	require.True(t, bytes.Equal(fromFile, packFakeBytes(t, fakeMeta())))
}
