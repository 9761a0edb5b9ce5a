package token

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// TestMain makes garbage collection rare: the tests allocate much and keep little, and collection took a third of their processor time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}

// record is the part of a recorded line that the tests here need. Package tokentest compares all of it.
type record struct {
	Text    string
	Pair    *string
	Options map[string]any
	IDs     []int32
}

// encoded is a text as tokens, in lists with one entry per token.
type encoded struct {
	IDs     []int32
	Offsets []Span
	Words   []int32
	tokens  []tokenizer.Span
}

// of encodes a text into e, whose memory is reused.
func (e *encoded) of(t *Tokenizer, text string, mode Special) (err error) {
	e.IDs, e.Offsets, e.Words = e.IDs[:0], e.Offsets[:0], e.Words[:0]
	e.tokens, err = t.AppendSpans(e.tokens[:0], text, mode)
	for _, x := range e.tokens {
		e.IDs, e.Offsets, e.Words = append(e.IDs, x.ID), append(e.Offsets, Span{x.Start, x.End}), append(e.Words, x.Word)
	}
	return err
}

// framed encodes a text, or a text and its pair, as users' texts are: with special tokens, cut by the policy. It returns the
// sequence of each window.
func framed(tok *Tokenizer, q engine.Sequencer, text ...string) (list []engine.Sequence, seen runtime.Seen, err error) {
	m, err := ForModel(tok)
	if err != nil {
		return nil, seen, err
	}
	q.Tokenizer, q.Spans, q.Frame = m, m.(tokenizer.SpanTokenizer), m.Frame()
	if q.MaxTokens == 0 {
		q.MaxTokens = 1 << 30
	}
	t := runtime.Text{First: text[0]}
	if len(text) > 1 {
		t.Second, t.Pair = text[1], true
	}
	var e engine.Encoded
	if err := q.Encode(&e, 0, t); err != nil {
		return nil, seen, err
	}
	windows, seen, err := q.Cut(nil, 0, &e)
	list = make([]engine.Sequence, len(windows))
	for i := range windows {
		q.Sequence(&list[i], &windows[i], &e)
	}
	return list, seen, err
}

// needTestdata skips a test if the module was downloaded: the recorded encodings are a nested module, which a download leaves out.
func needTestdata(tb testing.TB) {
	if _, err := os.Stat("testdata/go.mod"); errors.Is(err, fs.ErrNotExist) {
		tb.Skip("the recorded encodings are only in the repository")
	}
}

func readRecords(tb testing.TB, folder, file string) []record {
	needTestdata(tb)
	f, err := os.Open("testdata/" + folder + "/" + file)
	require.NoError(tb, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(tb, err)
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<24)
	var out []record
	for s.Scan() {
		var r record
		require.NoError(tb, json.Unmarshal(s.Bytes(), &r))
		out = append(out, r)
	}
	require.NoError(tb, s.Err())
	require.NotEmpty(tb, out)
	return out
}

func readGolden(tb testing.TB, folder, file string) []byte {
	needTestdata(tb)
	b, err := os.ReadFile("testdata/" + folder + "/" + file)
	require.NoError(tb, err)
	return b
}

// loadGolden opens a recorded tokenizer in one of its forms: spm, json, older, or the tag of another json file. Tests share it.
func loadGolden(tb testing.TB, folder, form string) *Tokenizer {
	needTestdata(tb)
	once, _ := opened.LoadOrStore([2]string{folder, form}, sync.OnceValues(func() (*Tokenizer, error) { return openGolden(tb, folder, form) }))
	t, err := once.(func() (*Tokenizer, error))()
	require.NoError(tb, err)
	return t
}

// opened holds a function for each recorded tokenizer that opens it once.
var opened sync.Map

func openGolden(tb testing.TB, folder, form string) (*Tokenizer, error) {
	switch form {
	case "spm":
		return FromSPM(readGolden(tb, folder, "spm.model"), SPMOptions{})
	case "older":
		if strings.HasPrefix(folder, "wordpiece") {
			return FromWordPiece(readGolden(tb, folder, "vocab.txt"), WordPieceOptions{Lower: folder == "wordpiece_uncased"})
		}
		return FromBPE(readGolden(tb, folder, "vocab.json"), readGolden(tb, folder, "merges.txt"), BPEOptions{Roberta: folder == "bpe_roberta"})
	case "json":
		return FromJSON(readGolden(tb, folder, "tokenizer.json"))
	}
	return FromJSON(readGolden(tb, folder, "tokenizer_"+form+".json"))
}

// goldens holds each recorded tokenizer by folder and form.
var goldens = [][2]string{{"spm_v3", "spm"}, {"spm_bytes", "spm"}, {"spm_v3", "json"}, {"spm_bytes", "json"}, {"spm_v3", "punct"}, {"spm_v3", "lower_punct"},
	{"bpe_deberta", "json"}, {"bpe_roberta", "json"}, {"wordpiece_cased", "json"}, {"wordpiece_uncased", "json"},
	{"bpe_deberta", "older"}, {"bpe_roberta", "older"}, {"wordpiece_cased", "older"}, {"wordpiece_uncased", "older"}}

// bigTokenizer returns a tokenizer with n pieces of random letters, as many as a published model has.
func bigTokenizer(tb testing.TB, n int) *Tokenizer {
	r := rand.New(rand.NewSource(1))
	rows := [][]any{{"[PAD]", 0}, {"[CLS]", 0}, {"[SEP]", 0}, {"[UNK]", 0}}
	for len(rows) < n {
		s := "\u2581"
		if r.Intn(2) == 0 {
			s = ""
		}
		for range 2 + r.Intn(8) {
			s += string(rune('a' + r.Intn(26)))
		}
		rows = append(rows, []any{s + fmt.Sprint(len(rows)%10), -r.Float64() * 12})
	}
	doc := map[string]any{}
	if b, err := os.ReadFile("testdata/spm_v3/tokenizer.json"); err == nil {
		require.NoError(tb, json.Unmarshal(b, &doc))
	}
	doc["added_tokens"] = nil
	doc["model"] = map[string]any{"type": "Unigram", "unk_id": 3, "vocab": rows}
	b, err := json.Marshal(doc)
	require.NoError(tb, err)
	t, err := FromJSON(b)
	require.NoError(tb, err)
	return t
}
