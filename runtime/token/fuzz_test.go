package token

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

const fuzzText = "Hello,  wörld ab [SEP] <unk> \U0001f600中 \xff e\u0301 <0x41>\x00"

func FuzzSPM(f *testing.F) {
	unk := wire(nil).bytes(1, piece("<unk>", pieceUnknown))
	f.Add([]byte(unk.bytes(1, piece("a", pieceNormal)).bytes(1, piece("▁H", pieceUserDefined)).bytes(2, wire(nil).varint(24, 1)).bytes(3,
		wire(nil).varint(4, 0))), false)
	f.Add([]byte(unk.bytes(1, piece("b", pieceNormal)).bytes(3, wire(nil).bytes(2, []byte{4, 0, 0, 0, 0, 0, 0, 0, 'a', 0}))), true)
	all := unk.bytes(1, piece("a", pieceNormal)).bytes(2, wire(nil).varint(35, 1))
	for b := range 256 {
		all = all.bytes(1, piece("<0x"+strings.ToUpper(string("0123456789abcdef"[b>>4])+string("0123456789abcdef"[b&15]))+">", pieceByte))
	}
	f.Add([]byte(all), false)
	f.Fuzz(func(t *testing.T, b []byte, punct bool) {
		if tok, err := FromSPM(b, SPMOptions{SplitPunct: punct, Lower: punct}); err == nil {
			tryOut(t, tok, fuzzText)
			tryMarshal(t, tok)
		}
	})
}

func FuzzBPE(f *testing.F) {
	f.Add([]byte(smallVocab), []byte("#version: 0.2\na b\nĠ ab\n"), false)
	f.Add([]byte(`{"<s>": 0, "</s>": 1, "<mask>": 2, "Ġ": 3, "H": 4, "ĠH": 9}`), []byte("Ġ H"), true)
	f.Fuzz(func(t *testing.T, vocab, merges []byte, roberta bool) {
		if tok, err := FromBPE(vocab, merges, BPEOptions{Roberta: roberta, PrefixSpace: len(merges)%2 == 0}); err == nil {
			tryOut(t, tok, fuzzText)
			tryMarshal(t, tok)
		}
	})
}

const smallVocab = `{"[PAD]": 0, "[CLS]": 1, "[SEP]": 2, "[UNK]": 3, "a": 4, "b": 5, "ab": 6, "Ġ": 7, "Ġab": 8, "[MASK]": 9}`

func FuzzVocabulary(f *testing.F) {
	f.Add([]byte("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhello\n##ö\n"), true)
	f.Add([]byte("[UNK]\r\n\r\n中\n##中\n##\n"), false)
	f.Fuzz(func(t *testing.T, vocab []byte, lower bool) {
		if tok, err := FromWordPiece(vocab, WordPieceOptions{Lower: lower, JoinIdeographs: !lower}); err == nil {
			tryOut(t, tok, fuzzText)
			tryMarshal(t, tok)
		}
	})
}

// smallBPE and smallWordPiece are tokenizer.json files of the other kinds, with most of the members that such files can have.
const (
	smallBPE = `{"added_tokens": [{"id": 9, "content": "[MASK]", "single_word": false, "lstrip": true, "rstrip": false, "normalized": true, "special": true}],
		"normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"}, {"type": "StripAccents"}]},
		"pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"},
			{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true, "use_regex": true}]},
		"post_processor": {"type": "Sequence", "processors": [{"type": "ByteLevel", "add_prefix_space": true, "trim_offsets": true},
			{"type": "RobertaProcessing", "sep": ["[SEP]", 2], "cls": ["[CLS]", 1], "trim_offsets": false, "add_prefix_space": true}]},
		"decoder": {"type": "ByteLevel"},
		"model": {"type": "BPE", "unk_token": "[UNK]", "fuse_unk": true, "ignore_merges": true, "vocab": ` + smallVocab + `, "merges": ["a b", ["Ġ", "ab"]]}}`
	smallWordPiece = `{"normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
		"pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 1], "cls": ["[CLS]", 2]},
		"decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
		"model": {"type": "WordPiece", "max_input_chars_per_word": 9, "vocab": {"[UNK]": 0, "[SEP]": 1, "[CLS]": 2, "h": 3, "##ello": 4, "a": 5, "##b": 7}}}`
)

func tryMarshal(t *testing.T, tok *Tokenizer) {
	flat, err := tok.Marshal()
	require.NoError(t, err)
	back, err := Unmarshal(flat)
	require.NoError(t, err)
	a, err := tok.AppendIDs(nil, fuzzText, SpecialTokens)
	require.NoError(t, err)
	b, err := back.AppendIDs(nil, fuzzText, SpecialTokens)
	require.NoError(t, err)
	require.Equal(t, a, b)
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(smallJSON))
	f.Add([]byte(smallBPE))
	f.Add([]byte(smallWordPiece))
	f.Add([]byte(strings.Replace(smallJSON, `"type": "Strip", "strip_left": true, "strip_right": true`, `"type": "NFKC"`, 1)))
	f.Add([]byte(strings.Replace(smallJSON, `"type": "Strip", "strip_left": true, "strip_right": true`,
		`"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAABhAA=="`, 1)))
	f.Add([]byte(strings.Replace(smallJSON, `"type": "Strip", "strip_left": true, "strip_right": true`,
		`"type": "Prepend", "prepend": "BAAAAAAAAABhAA=="}, {"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAABhAA=="`, 1)))
	f.Add([]byte(strings.Replace(smallJSON, `"byte_fallback": false`, `"byte_fallback": true`, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if tok, err := FromJSON(b); err == nil {
			tryOut(t, tok, fuzzText)
			tryMarshal(t, tok)
		}
	})
}

// FuzzUnmarshal corrects the checksum, so that fuzzed blocks pass it.
func FuzzUnmarshal(f *testing.F) {
	for _, text := range []string{smallJSON, smallBPE, smallWordPiece, strings.Replace(smallJSON, `"type": "Strip", "strip_left": true, "strip_right": true`,
		`"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAABhAA=="`, 1)} {
		tok, err := FromJSON([]byte(text))
		require.NoError(f, err)
		flat, err := tok.Marshal()
		require.NoError(f, err)
		f.Add(flat)
	}
	spm, err := FromSPM(wire(nil).bytes(1, piece("<unk>", pieceUnknown)).bytes(1, piece("a", pieceNormal)), SPMOptions{})
	require.NoError(f, err)
	flat, err := spm.Marshal()
	require.NoError(f, err)
	f.Add(flat)
	f.Fuzz(func(t *testing.T, b []byte) {
		if tok, err := Unmarshal(fixSum(slices.Clone(b))); err == nil {
			tryOut(t, tok, fuzzText)
		}
	})
}

func FuzzEncode(f *testing.F) {
	var toks []*Tokenizer
	for _, g := range goldens {
		toks = append(toks, loadGolden(f, g[0], g[1]))
	}
	f.Add("Hello [SEP] wörld", uint8(0))
	f.Add("\x01\u0301 a\u200d\U0001f468\u200d\xff\xfe ▁▁ ﬁ\u0301", uint8(5))
	f.Add(fuzzText, uint8(2))
	f.Fuzz(func(t *testing.T, text string, k uint8) {
		tok := toks[int(k)%len(toks)]
		var e encoded
		for _, mode := range []Special{SpecialText, SpecialTokens} {
			require.NoError(t, e.of(tok, text, mode))
			ids, err := tok.AppendIDs(nil, text, mode)
			require.NoError(t, err)
			require.True(t, slices.Equal(ids, e.IDs), "AppendIDs and AppendSpans differ")
			last := Span{}
			word := int32(0)
			for i, o := range e.Offsets {
				require.True(t, 0 <= o.Start && o.Start <= o.End && int(o.End) <= len(text), "offsets %v of %d", o, len(text))
				require.True(t, o.Start >= last.Start, "offsets %v begin before %v", o, last)
				require.True(t, e.Words[i] >= word, "word %d comes after word %d", e.Words[i], word)
				if utf8.ValidString(text) {
					require.True(t, utf8.ValidString(text[o.Start:o.End]), "offsets cut a character")
				}
				last, word = o, e.Words[i]
				if mode == SpecialText && e.IDs[i] != tok.Special().UNK {
					require.False(t, tok.IsSpecial(e.IDs[i]))
				}
			}
			back, err := tok.Decode(e.IDs, true)
			require.NoError(t, err)
			require.True(t, utf8.ValidString(back))
			// Each byte of the text becomes at most one replacement of the character map, and each byte of a replacement at most one token.
			require.LessOrEqual(t, len(ids), 16+64*len(text))
		}
	})
}
