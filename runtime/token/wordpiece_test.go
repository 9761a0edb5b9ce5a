package token

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/runtime/tokenizer"
)

// plainPieces cuts a word greedily by definition; nil: the word is unknown.
func plainPieces(vocab []string, word string, limit int) (parts []string) {
	if utf8.RuneCountInString(word) > limit {
		return nil
	}
	for from := 0; from < len(word); {
		to := len(word)
		for ; to > from; to-- {
			s := word[from:to]
			if from > 0 {
				s = "##" + s
			}
			if slices.Contains(vocab, s) {
				parts = append(parts, s)
				break
			}
		}
		if to == from {
			return nil
		}
		from = to
	}
	return parts
}

func TestWordPieces(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vocab := append([]string{"[UNK]"}, rapid.SliceOfNDistinct(rapid.StringMatching(`(##)?[aé中]{1,4}`), 1, 30, rapid.ID[string]).Draw(t, "vocab")...)
		v := newVocabulary(vocab)
		m, err := newWordPiece(&v, "##", func(id int32) bool { return id == 0 })
		require.NoError(t, err)
		m.limit = int32(rapid.IntRange(1, 12).Draw(t, "limit"))
		require.NoError(t, m.check(len(vocab)))
		word := rapid.StringMatching(`[aé中]{1,14}`).Draw(t, "word")
		s := &scratch{out: &tokenRun{}}
		m.word(s, chunk{text: []byte(word)}, true)
		var got []string
		for _, id := range s.out.ids {
			got = append(got, vocab[id])
		}
		want := plainPieces(vocab, word, int(m.limit))
		if want == nil {
			want = []string{"[UNK]"}
		}
		require.Equal(t, want, got)
	})
}

// TestWordPieceLiteral checks that a special token's name is not read as a token in literal text, even as a word of its
// own and even if nothing else could stand for it.
func TestWordPieceLiteral(t *testing.T) {
	tok, err := FromJSON([]byte(`{"added_tokens": [{"id": 1, "content": "end", "single_word": false, "lstrip": false, "rstrip": false,
		"normalized": false, "special": true}],
		"pre_tokenizer": {"type": "BertPreTokenizer"},
		"model": {"type": "WordPiece", "vocab": {"[UNK]": 0, "end": 1, "e": 2, "##n": 3, "##d": 4, "##end": 6}}}`))
	require.NoError(t, err)
	assert.Equal(t, "WordPiece in the form of tokenizer.json, 7 ids, 1 added tokens", tok.String())
	for mode, want := range map[Special][]int32{SpecialText: {2, 3, 4, 2, 6, 0}, SpecialTokens: {1, 2, 1, 0}} {
		ids, err := tok.AppendIDs(nil, "end eend x", mode)
		require.NoError(t, err)
		assert.Equal(t, want, ids)
	}
	_, ok := tok.Piece(5)
	assert.False(t, ok, "an id that no piece has")
	_, err = tok.Decode([]int32{5}, false)
	assert.ErrorContains(t, err, "id 5 at 0")
	flat, err := tok.Marshal()
	require.NoError(t, err)
	back, err := Unmarshal(flat)
	require.NoError(t, err)
	assert.Equal(t, tok.String(), back.String())
}

func TestWordPieceErrors(t *testing.T) {
	type doc = map[string]any
	for want, change := range map[string]func(d doc){
		`model.unk_token: "<none>" is not in the vocabulary`:  func(d doc) { d["model"].(doc)["unk_token"] = "<none>" },
		"model.max_input_chars_per_word: want a whole number": func(d doc) { d["model"].(doc)["max_input_chars_per_word"] = -1 },
		"model.continuing_subword_prefix: want a string":      func(d doc) { d["model"].(doc)["continuing_subword_prefix"] = 1 },
		"model.type: missing, and neither merges nor": func(d doc) {
			delete(d["model"].(doc), "type")
			delete(d["model"].(doc),
				"max_input_chars_per_word")
		},
		"normalizer.strip_accents: want true or false":                     func(d doc) { d["normalizer"].(doc)["strip_accents"] = "auto" },
		"normalizer.accents: unknown":                                      func(d doc) { d["normalizer"].(doc)["accents"] = true },
		"pre_tokenizer.split: unknown":                                     func(d doc) { d["pre_tokenizer"].(doc)["split"] = true },
		"pre_tokenizer: ByteLevel with a WordPiece model is not supported": func(d doc) { d["pre_tokenizer"] = doc{"type": "ByteLevel"} },
		"decoder.cleanup: want true or false":                              func(d doc) { d["decoder"].(doc)["cleanup"] = 1 },
	} {
		_, _, err := variant(t, "wordpiece_cased", change)
		assert.ErrorContains(t, err, want)
	}
	// The type may be missing, as in early files.
	for _, folder := range []string{"wordpiece_cased", "bpe_deberta"} {
		_, tok, err := variant(t, folder, func(d doc) { delete(d["model"].(doc), "type") })
		require.NoError(t, err)
		assert.Equal(t, loadGolden(t, folder, "json").Kind(), tok.Kind())
	}
	for text, want := range map[string]string{
		"": "vocab.txt is empty", "\n\n": "vocab.txt is empty", "\xff\n": "not valid UTF-8", "a\n": `unk_token is "[UNK]", which is not in the vocabulary`,
		strings.Repeat("x", MaxPieceBytes+1): "vocab.txt:1: a piece of 1025 bytes",
	} {
		_, err := FromWordPiece([]byte(text), WordPieceOptions{})
		assert.ErrorContains(t, err, want)
	}
	// Line ends of both kinds, an empty line, a piece that occurs twice.
	tok, err := FromWordPiece([]byte("[UNK]\r\na\n\nb\r\na"), WordPieceOptions{})
	require.NoError(t, err)
	ids, err := tok.AppendIDs(nil, "a b c", SpecialText)
	require.NoError(t, err)
	assert.Equal(t, []int32{4, 3, 0}, ids)
	assert.Equal(t, SpecialIDs{-1, -1, -1, -1, 0}, tok.Special())
}

// TestFrames checks the frames that the runtime sees, for both families of models. The middle of RoBERTa's frame is two tokens.
func TestFrames(t *testing.T) {
	for _, x := range []struct {
		folder string
		want   tokenizer.Frame
	}{
		{"bpe_deberta", tokenizer.Frame{Open: []int32{1}, Middle: []int32{2}, Close: []int32{2}, SecondType: 1}},
		{"bpe_roberta", tokenizer.Frame{Open: []int32{0}, Middle: []int32{2, 2}, Close: []int32{2}}},
		{"wordpiece_cased", tokenizer.Frame{Open: []int32{2}, Middle: []int32{3}, Close: []int32{3}, SecondType: 1}},
	} {
		for _, form := range []string{"json", "older"} {
			tok := loadGolden(t, x.folder, form)
			flat, err := tok.Marshal()
			require.NoError(t, err)
			m, err := Open(PackedKind, flat)
			require.NoError(t, err)
			assert.Equal(t, x.want, m.Frame(), x.folder)
			// AppendSpans returns the same places as the encoding, trimmed or not.
			var e encoded
			const text = "a  word here, <mask> [MASK]"
			require.NoError(t, e.of(tok, text, SpecialTokens))
			spans, err := m.(tokenizer.MaskTokenizer).AppendSpans(nil, text, true)
			require.NoError(t, err)
			require.Len(t, spans, len(e.IDs))
			for i, s := range spans {
				assert.Equal(t, tokenizer.Span{ID: e.IDs[i], Start: e.Offsets[i].Start, End: e.Offsets[i].End, Word: e.Words[i]}, s)
			}
		}
	}
}
