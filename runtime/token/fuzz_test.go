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
	f.Add([]byte(unk.bytes(1, piece("a", pieceNormal)).bytes(1, piece("▁H", pieceUserDefined)).bytes(2, wire(nil).varint(24, 1)).bytes(3, wire(nil).varint(4, 0))), false)
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
	f.Add([]byte(strings.Replace(smallJSON, `"type": "Strip", "strip_left": true, "strip_right": true`, `"type": "NFKC"`, 1)))
	f.Add([]byte(strings.Replace(smallJSON, `"type": "Strip", "strip_left": true, "strip_right": true`, `"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAABhAA=="`, 1)))
	f.Add([]byte(strings.Replace(smallJSON, `"type": "Strip", "strip_left": true, "strip_right": true`, `"type": "Prepend", "prepend": "BAAAAAAAAABhAA=="}, {"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAABhAA=="`, 1)))
	f.Add([]byte(strings.Replace(smallJSON, `"byte_fallback": false`, `"byte_fallback": true`, 1)))
	f.Fuzz(func(t *testing.T, b []byte) {
		if tok, err := FromJSON(b); err == nil {
			tryOut(t, tok, fuzzText)
			tryMarshal(t, tok)
		}
	})
}

// The checksum is made to fit, so that the fuzzer gets past it.
func FuzzUnmarshal(f *testing.F) {
	for _, text := range []string{smallJSON, strings.Replace(smallJSON, `"type": "Strip", "strip_left": true, "strip_right": true`, `"type": "Precompiled", "precompiled_charsmap": "BAAAAAAAAABhAA=="`, 1)} {
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
		var e Encoding
		for _, mode := range []Special{SpecialText, SpecialTokens} {
			require.NoError(t, tok.Encode(&e, text, Options{Special: mode}))
			ids, err := tok.AppendIDs(nil, text, mode)
			require.NoError(t, err)
			require.True(t, slices.Equal(ids, e.IDs[1:len(e.IDs)-1]), "AppendIDs and Encode differ")
			last := Span{}
			word := int32(0)
			for i, o := range e.Offsets {
				if e.Sources[i] < 0 {
					continue
				}
				require.True(t, 0 <= o.Start && o.Start <= o.End && int(o.End) <= len(text), "offsets %v of %d", o, len(text))
				require.True(t, o.Start >= last.Start, "offsets %v behind %v", o, last)
				require.True(t, e.Words[i] >= word, "word %d behind %d", e.Words[i], word)
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
			// Each byte of the text becomes at most a replacement of the character map, and each byte of that a token.
			require.LessOrEqual(t, len(ids), 16+64*len(text))
		}
	})
}
