package task

import (
	"context"
	"errors"
	"hash/fnv"
	"io"
	"strings"
	"testing"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// This file has a model whose outputs are a function written in Go, and a tokenizer of pieces, so
// that tests can compute what a result must be.

const (
	fakeVocab = 1000
	fakeSpec  = "00000000000000000000000000000000000000000000000000000000000000bb"
	fakeCLS   = 1
	fakeSEP   = 2
)

// fake describes a model.
type fake struct {
	heads   []engine.Head
	limits  func(*engine.Limits)
	forward func(x *engine.Exec)
	past    engine.PastShape
	tensors map[string][]float32
	labels  map[string][]string // labels in the weight file
	extra   map[string]string   // Meta.Extra in the weight file
	token   tokenizer.Tokenizer // nil: pieces{}
}

// open opens the model, which is closed when the test ends.
func (f fake) open(t testing.TB, opts ...runtime.Option) *engine.Core {
	t.Helper()
	p := &engine.Program{
		Name: "fake", Want: engine.Want{SpecHash: fakeSpec, Layout: "1"}, ISAs: []cpu.ISA{cpu.ISAGo},
		Limits: engine.Limits{Vocab: fakeVocab, Types: 2, SequenceTokens: 64, BatchSequences: 4, BatchTokens: 128},
		Heads:  f.heads,
		Past:   f.past,
		Arena:  func(engine.Sizes) int64 { return 64 },
		Bind: func(*engine.Weights, cpu.ISA) (engine.NewForward, error) {
			return func(x *engine.Exec) (engine.Forward, error) {
				return func() error {
					if err := x.Layer("layer 0"); err != nil {
						return err
					}
					f.forward(x)
					return nil
				}, nil
			}, nil
		},
	}
	if f.limits != nil {
		f.limits(&p.Limits)
	}
	var decls []engine.TensorDecl
	f.tensor(func(name string, v []float32) {
		p.Want.Tensors = append(p.Want.Tensors, engine.TensorWant{Name: name, DType: safetensors.F32, Len: int64(len(v))})
		decls = append(decls, engine.TensorDecl{Name: name, DType: safetensors.F32, Len: int64(len(v))})
	})
	var file memory
	w, err := engine.NewWeightsWriter(&file, engine.Meta{Layout: "1", SpecHash: fakeSpec, Model: "fake", Labels: f.labels, Extra: f.extra}, decls)
	require.NoError(t, err)
	f.tensor(func(name string, v []float32) { require.NoError(t, w.WriteF32(name, v)) })
	require.NoError(t, w.Close())
	if f.token == nil {
		f.token = pieces{}
	}
	c, err := engine.OpenBytes(p, "fake", file.data, append([]runtime.Option{runtime.UseTokenizer(f.token), runtime.Threads(1)}, opts...)...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// tensor calls f for each tensor; there is always one.
func (f fake) tensor(call func(name string, v []float32)) {
	call("weight", []float32{1})
	for _, name := range []string{engine.CRFTransitions, engine.CRFStart, engine.CRFEnd} {
		if v := f.tensors[name]; v != nil {
			call(name, v)
		}
	}
}

// memory is a file in memory.
type memory struct {
	data []byte
	at   int
}

func (m *memory) Write(p []byte) (int, error) {
	if grow := m.at + len(p) - len(m.data); grow > 0 {
		m.data = append(m.data, make([]byte, grow)...)
	}
	m.at += copy(m.data[m.at:], p)
	return len(p), nil
}

func (m *memory) Seek(off int64, whence int) (int64, error) {
	switch whence {
	case io.SeekStart:
		m.at = int(off)
	case io.SeekCurrent:
		m.at += int(off)
	case io.SeekEnd:
		m.at = len(m.data) + int(off)
	}
	return int64(m.at), nil
}

// pieces is a tokenizer. Words are runs without white space; tokens are up to three code points of
// a word. The span of a word's first token includes the white space before it. White space at the
// end of a text is a token of its own. A text with "\x00" is an error.
type pieces struct{}

func (pieces) AppendSpans(dst []tokenizer.Span, text string, specials bool) ([]tokenizer.Span, error) {
	if strings.Contains(text, "\x00") {
		return dst, errors.New("a zero byte")
	}
	word := int32(-1)
	for at := 0; at < len(text); {
		start := at
		for at < len(text) {
			r, n := utf8.DecodeRuneInString(text[at:])
			if !unicode.IsSpace(r) {
				break
			}
			at += n
		}
		if at > start || start == 0 {
			word++
		}
		for n := 0; n < 3 && at < len(text); n++ {
			r, size := utf8.DecodeRuneInString(text[at:])
			if unicode.IsSpace(r) {
				break
			}
			at += size
		}
		dst = append(dst, tokenizer.Span{ID: pieceID(strings.TrimSpace(text[start:at])), Start: int32(start), End: int32(at), Word: word})
	}
	return dst, nil
}

// pieceID returns an id of 10 or more.
func pieceID(piece string) int32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(piece))
	return 10 + int32(h.Sum32()%(fakeVocab-10))
}

func (p pieces) AppendIDs(dst []int32, text string, specials bool) ([]int32, error) {
	spans, err := p.AppendSpans(nil, text, specials)
	for _, s := range spans {
		dst = append(dst, s.ID)
	}
	return dst, err
}

func (pieces) Frame() tokenizer.Frame {
	return tokenizer.Frame{Open: []int32{fakeCLS}, Middle: []int32{fakeSEP}, Close: []int32{fakeSEP}, SecondType: 1}
}

func (pieces) Decode(ids []int32, skipSpecial bool) (string, error) {
	return "", errors.New("pieces have no way back")
}
func (pieces) Piece(id int32) (string, bool) { return "", false }
func (pieces) ID(piece string) (int32, bool) { return pieceID(piece), true }
func (pieces) IsSpecial(id int32) bool       { return id < 10 }
func (pieces) Specials() tokenizer.SpecialIDs {
	return tokenizer.SpecialIDs{CLS: fakeCLS, SEP: fakeSEP, PAD: 0, MASK: 4, UNK: 3}
}

var _ tokenizer.SpanTokenizer = pieces{}

// spansOf returns the tokens of a text.
func spansOf(t require.TestingT, text string) []tokenizer.Span {
	spans, err := pieces{}.AppendSpans(nil, text, false)
	require.NoError(t, err)
	return spans
}

// noise returns a number from -1 to 1 that changes with each argument.
func noise(args ...int) float64 {
	h := uint64(14695981039346656037)
	for _, a := range args {
		h = (h ^ uint64(a)) * 1099511628211
		h ^= h >> 29
	}
	return float64(h%20001)/10000 - 1
}

// perRow returns a forward pass for a head with one row per token. f computes an output from the
// sequence's ids, the row in the sequence and the column.
func perRow(c int, f func(ids []int32, row, column int) float64) func(x *engine.Exec) {
	return func(x *engine.Exec) {
		for s := range x.B {
			lo, hi := int(x.Starts[s]), int(x.Starts[s+1])
			for r := lo; r < hi; r++ {
				for j := range c {
					x.Out[r*c+j] = float32(f(x.IDs[lo:hi], r-lo, j))
				}
			}
		}
	}
}

// perSequence returns a forward pass for a head with one row per sequence.
func perSequence(c int, f func(ids []int32, column int) float64) func(x *engine.Exec) {
	return func(x *engine.Exec) {
		for s := range x.B {
			for j := range c {
				x.Out[s*c+j] = float32(f(x.IDs[x.Starts[s]:x.Starts[s+1]], j))
			}
		}
	}
}

// checkPart compares a part with the text that it comes from.
func checkPart(t require.TestingT, text string, p Part) {
	require.True(t, 0 <= p.Start && p.Start <= p.End && p.End <= len(text), "%+v of %d bytes", p, len(text))
	require.Equal(t, text[p.Start:p.End], p.Text)
	require.Equal(t, strings.TrimSpace(p.Text), p.Text)
	require.Equal(t, utf8.RuneCountInString(text[:p.Start]), p.RuneStart)
	require.Equal(t, utf8.RuneCountInString(text[:p.End]), p.RuneEnd)
	require.Equal(t, len(utf16.Encode([]rune(text[:p.Start]))), p.UTF16Start)
	require.Equal(t, len(utf16.Encode([]rune(text[:p.End]))), p.UTF16End)
	// No code point is cut: the code points of the three pieces are those of the text.
	require.Equal(t, []rune(text), append(append([]rune(text[:p.Start]), []rune(p.Text)...), []rune(text[p.End:])...))
}

var background = context.Background()
