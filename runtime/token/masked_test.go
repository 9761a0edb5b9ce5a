package token

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/tokenizer"
)

// TestAppendMasked checks texts with masks: the mask token's name becomes this token, as if all names were read as tokens;
// every other name stays characters, as if none were.
func TestAppendMasked(t *testing.T) {
	for _, g := range goldens {
		t.Run(g[0]+"/"+g[1], func(t *testing.T) {
			plain := loadGolden(t, g[0], g[1])
			made, err := ForModel(plain)
			require.NoError(t, err)
			tok := made.(tokenizer.MaskTokenizer)
			mask := tok.Specials().MASK
			if mask < 0 {
				_, err := tok.AppendMasked(nil, "a")
				require.ErrorContains(t, err, "no mask token")
				return
			}
			name, ok := tok.Piece(mask)
			require.True(t, ok)
			for _, text := range []string{"", "plain text", "the X of X.", "X", "XX", "unXable", " X ", "ein Ümlaut X\nX", "X," + strings.Repeat(" X", 40)} {
				text = strings.ReplaceAll(text, "X", name)
				got, err := tok.AppendMasked(nil, text)
				require.NoError(t, err)
				want, err := tok.AppendSpans(nil, text, true)
				require.NoError(t, err)
				require.Equal(t, want, got, text)
				masks := 0
				for _, s := range got {
					if s.ID == mask {
						masks++
						require.Equal(t, name, strings.TrimSpace(text[s.Start:s.End]))
					}
				}
				require.Equal(t, strings.Count(text, name), masks, text)
			}
			for _, text := range []string{"a [CLS] b", "[SEP][PAD]", "[UNK]"} {
				got, err := tok.AppendMasked(nil, text)
				require.NoError(t, err)
				want, err := tok.AppendSpans(nil, text, false)
				require.NoError(t, err)
				require.Equal(t, want, got, text)
			}
			both, err := tok.AppendMasked(nil, "[SEP] "+name+" [CLS]")
			require.NoError(t, err)
			special := 0
			for _, s := range both {
				if tok.IsSpecial(s.ID) && s.ID != tok.Specials().UNK {
					special++
					require.Equal(t, mask, s.ID)
				}
			}
			require.Equal(t, 1, special)
		})
	}
}
