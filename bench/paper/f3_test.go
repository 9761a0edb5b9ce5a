package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/picture"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/tokenizer"
	"github.com/debertac/debertac/spec"
)

// TestPatterns measures maps whose shares are known.
func TestPatterns(t *testing.T) {
	const n = 6
	of := func(row func(i int) map[int]float32) pattern {
		p := make([]float32, n*n)
		for i := range n {
			for j, v := range row(i) {
				p[i*n+j] = v
			}
		}
		require.NoError(t, whole(p, n))
		return patternOf(p, n)
	}
	near := func(want, have pattern) {
		t.Helper()
		for k, v := range want.columns() {
			require.InDelta(t, v, have.columns()[k], 1e-6, "%v and %v", want, have)
		}
	}
	near(pattern{self: 1}, of(func(i int) map[int]float32 { return map[int]float32{i: 1} }))
	// All attend to [CLS], which is the left neighbour of token 1.
	near(pattern{first: 1, near: 0.25}, of(func(int) map[int]float32 { return map[int]float32{0: 1} }))
	near(pattern{last: 1, near: 0.25}, of(func(int) map[int]float32 { return map[int]float32{n - 1: 1} }))
	// All attend to token 2. Its own share is that of the diagonal; tokens 1 and 3 are its neighbours.
	near(pattern{self: 0.25, near: 0.5, stripes: 0.75}, of(func(int) map[int]float32 { return map[int]float32{2: 1} }))
	// A third is the limit of a stripe here: token 2 has 0.5 · 3/4 from the others, and token 3 has 0.4 · 3/4.
	near(pattern{self: (0.5 + 0.4) / 4, near: (0.5*2 + 0.4*2 + 0.1) / 4, first: 0.1, stripes: 0.375}, of(func(int) map[int]float32 {
		return map[int]float32{0: 0.1, 2: 0.5, 3: 0.4}
	}))
	// The rows of the special tokens do not count.
	near(pattern{self: 1}, of(func(i int) map[int]float32 {
		if i == 0 || i == n-1 {
			return map[int]float32{2: 1}
		}
		return map[int]float32{i: 1}
	}))
	require.ErrorContains(t, whole(make([]float32, n*n), n), "the attention of token 0 adds up to 0")
}

// TestFillers checks that the spec of each model resolves, and that its last layer is where the paper's is.
func TestFillers(t *testing.T) {
	for i := range fillers {
		f := &fillers[i]
		j := f.job(&data{tokens: []string{"a"}}, 1, 100)
		s, faults := spec.ParseAndResolve("f3.dspec", []byte(j.spec))
		require.NotNil(t, s, "%v\n%s", faults, j.spec)
		require.NotNil(t, s.Train("t"))
		m := s.Model("m")
		require.Equal(t, mapLayers, m.Encoder.Layers)
		require.Equal(t, f.emd, s.Head(j.head).Decoder != nil, f.name)
		require.Equal(t, f.name == "RoBERTa", m.Embed.Absolute != nil, f.name)
		require.Equal(t, f.name == "RoBERTa" || f.name == "−C2P", m.Encoder.Attention.Proj("kr") == nil, f.name)
		require.Equal(t, f.name == "RoBERTa" || f.name == "−P2C", m.Encoder.Attention.Proj("qr") == nil, f.name)
		if f.emd {
			require.Equal(t, 2, s.Head(j.head).Decoder.Repeat) // decoder.attentions.1 is its last step
		}
	}
}

// letterTokens is a tokenizer with one token per byte.
type letterTokens struct{}

func (letterTokens) AppendIDs(dst []int32, text string, _ bool) ([]int32, error) {
	for i := range len(text) {
		dst = append(dst, int32(text[i]))
	}
	return dst, nil
}

func (letterTokens) Frame() tokenizer.Frame {
	return tokenizer.Frame{Open: []int32{1}, Close: []int32{2}}
}

// TestMails reads texts and cuts excerpts from those that are long enough.
func TestMails(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.Mkdir(filepath.Join(dir, "mails"), 0o777))
	for _, name := range []string{"train", "dev"} {
		var b bytes.Buffer
		z := gzip.NewWriter(&b)
		_, err := io.WriteString(z, `{"text": "abc", "label": "ham"}`+"\n"+`{"text": "a", "label": "spam"}`+"\n"+`{"text": "defg`+name+`"}`+"\n")
		require.NoError(t, err)
		require.NoError(t, z.Close())
		require.NoError(t, os.WriteFile(filepath.Join(dir, "mails", name+".jsonl.gz"), b.Bytes(), 0o666))
	}
	d, err := mails(dir, 5)
	require.NoError(t, err)
	require.Len(t, d.train, 3)
	require.Equal(t, "defgdev", d.test[2].Text)
	for _, e := range append(d.train, d.test...) {
		require.Empty(t, e.Label)
	}
	require.Subset(t, d.tokens, []string{"a", "##a", "9", "##9", "!", "~"})
	require.NotContains(t, d.tokens, "A")
	require.NotContains(t, d.tokens, "##!")
	require.Equal(t, len(special)+len(d.tokens), d.vocabulary())
	list, err := excerpts(letterTokens{}, d.test, 5, 2)
	require.NoError(t, err)
	require.Equal(t, [][]int32{{1, 'a', 'b', 'c', 2}, {1, 'd', 'e', 'f', 2}}, list)
	_, err = excerpts(letterTokens{}, d.test, 5, 3)
	require.EqualError(t, err, "2 texts have at least 3 tokens, want 3")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "mails", "dev.jsonl.gz"), []byte("text"), 0o666))
	_, err = mails(dir, 5)
	require.ErrorContains(t, err, "dev.jsonl.gz")
}

// TestBatch writes integers and reads them back.
func TestBatch(t *testing.T) {
	path := filepath.Join(t.TempDir(), "b.safetensors")
	require.NoError(t, integers(path, map[string][]int32{"ids": {3, 1, 2}, "starts": {0, 3}, "rows": {0}}))
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	defer f.Close()
	require.ElementsMatch(t, []string{"ids", "starts", "rows"}, f.Names())
	b, err := f.Bytes("ids")
	require.NoError(t, err)
	require.Equal(t, []byte{3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0}, b)
}

// TestPictures writes the pictures of a result in both formats, or nothing.
func TestPictures(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "pictures")
	r := &result{}
	r.draw("f3", map[string]picture.Map{"a": {Title: "a", Rows: [][]float64{{1}}}, "b": {Title: "b", Rows: [][]float64{{0}}}}, "b", "a")
	require.Equal(t, "b", r.pictures["f3"].Maps[0].Title)
	require.NoError(t, r.write(""))
	require.NoError(t, r.write(dir))
	for name, begin := range map[string]string{"f3.png": "\x89PNG", "f3.svg": "<?xml"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		require.True(t, bytes.HasPrefix(b, []byte(begin)), name)
	}
}
