package token

import (
	"encoding/binary"
	"hash/crc32"
	"math/rand"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

func TestMarshalRoundTrip(t *testing.T) {
	for _, g := range goldens {
		tok := loadGolden(t, g[0], g[1])
		flat, err := tok.Marshal()
		require.NoError(t, err)
		back, err := Unmarshal(flat)
		require.NoError(t, err)
		again, err := back.Marshal()
		require.NoError(t, err)
		require.Equal(t, flat, again)
		assert.Equal(t, tok.Special(), back.Special())
		assert.Equal(t, tok.Added(), back.Added())
		assert.Equal(t, tok.Size(), back.Size())
		assert.Equal(t, tok.Form(), back.Form())
		assert.Equal(t, tok.String(), back.String())
		// Unaligned, as a tensor in a file may be: the arrays are then copied.
		odd := make([]byte, len(flat)+1)
		copy(odd[1:], flat)
		moved, err := Unmarshal(odd[1:])
		require.NoError(t, err)
		var a, b, c encoded
		for _, r := range readRecords(t, g[0], "encodings.jsonl.gz") {
			for _, mode := range []Special{SpecialText, SpecialTokens} {
				require.NoError(t, a.of(tok, r.Text, mode))
				require.NoError(t, b.of(back, r.Text, mode))
				require.NoError(t, c.of(moved, r.Text, mode))
				require.Equal(t, a, b)
				require.Equal(t, a, c)
				x, err := tok.Decode(a.IDs, true)
				require.NoError(t, err)
				y, err := back.Decode(a.IDs, true)
				require.NoError(t, err)
				require.Equal(t, x, y)
			}
		}
	}
}

// TestUnmarshalInPlace checks that the arrays are used where they lie, and that opening makes no allocation per
// piece.
func TestUnmarshalInPlace(t *testing.T) {
	needTestdata(t)
	tok := bigTokenizer(t, 20_000)
	flat, err := tok.Marshal()
	require.NoError(t, err)
	back, err := Unmarshal(flat)
	require.NoError(t, err)
	lo := uintptr(unsafe.Pointer(unsafe.SliceData(flat)))
	for _, p := range []unsafe.Pointer{
		unsafe.Pointer(unsafe.SliceData(back.model.(*unigram).pieces)), unsafe.Pointer(unsafe.SliceData(back.vocab.ends)),
		unsafe.Pointer(unsafe.StringData(back.vocab.blob)), unsafe.Pointer(unsafe.SliceData(back.model.(*unigram).scores)),
	} {
		assert.True(t, uintptr(p) >= lo && uintptr(p) < lo+uintptr(len(flat)))
	}
	n := testing.AllocsPerRun(3, func() { _, _ = Unmarshal(flat) })
	assert.Less(t, n, 3000.0)

	for folder, arrays := range map[string]func(m wordModel) [2][]uint64{
		"bpe_roberta":     func(m wordModel) [2][]uint64 { return [2][]uint64{m.(*bpe).whole, m.(*bpe).merges} },
		"wordpiece_cased": func(m wordModel) [2][]uint64 { return [2][]uint64{m.(*wordPiece).first, m.(*wordPiece).rest} },
	} {
		flat, err := loadGolden(t, folder, "json").Marshal()
		require.NoError(t, err)
		back, err := Unmarshal(flat)
		require.NoError(t, err)
		lo := uintptr(unsafe.Pointer(unsafe.SliceData(flat)))
		for _, a := range arrays(back.model) {
			p := uintptr(unsafe.Pointer(unsafe.SliceData(a)))
			assert.True(t, p >= lo && p < lo+uintptr(len(flat)))
		}
	}
}

func fixSum(b []byte) []byte {
	if len(b) >= 16 {
		binary.LittleEndian.PutUint32(b[8:], crc32.Checksum(b[16:], castagnoli))
	}
	return b
}

// TestUnmarshalDamage checks that the checksum finds any single damaged byte. With a corrected checksum, as an
// attacker would write it, a block is refused or works without harm.
func TestUnmarshalDamage(t *testing.T) {
	for _, g := range append(slices.Clone(goldens[1:4]), [2]string{"bpe_roberta", "json"}, [2]string{"wordpiece_uncased", "older"}) {
		flat, err := loadGolden(t, g[0], g[1]).Marshal()
		require.NoError(t, err)
		for _, n := range []int{0, 7, 8, 15, 16, 40, 200, len(flat) / 2, len(flat) - 1} {
			_, err := Unmarshal(flat[:n])
			assert.Error(t, err, n)
			_, err = Unmarshal(fixSum(append([]byte{}, flat[:n]...)))
			assert.Error(t, err, n)
		}
		_, err = Unmarshal(append(append([]byte{}, flat...), make([]byte, 16)...))
		assert.Error(t, err)
		r := rand.New(rand.NewSource(4))
		changes := 600
		if testing.Short() {
			changes = 60
		}
		for i := range changes {
			b := append([]byte{}, flat...)
			at := r.Intn(len(b))
			if i%3 == 0 {
				at = r.Intn(2000)
			}
			b[at] ^= byte(1 + r.Intn(255))
			_, err := Unmarshal(b)
			require.Error(t, err, at)
			if tok, err := Unmarshal(fixSum(b)); err == nil {
				tryOut(t, tok, "Hello, wörld [SEP] \U0001f600 中文 \xff e\u0301 <0x41>")
			}
		}
	}
}

// tryOut uses a tokenizer in every way. Nothing may panic, and all results must be in range.
func tryOut(t require.TestingT, tok *Tokenizer, text string) {
	var e encoded
	for _, q := range []engine.Sequencer{{}, {Special: runtime.SpecialAsTokens}, {Long: runtime.Windows(1), MaxTokens: 9},
		{Long: runtime.Truncate, MaxTokens: 9}} {
		list, _, err := framed(tok, q, text, "b")
		if err != nil {
			continue
		}
		for _, s := range list {
			for _, id := range s.IDs {
				require.True(t, id >= 0 && int(id) < tok.Size(), "id %d of %d", id, tok.Size())
			}
		}
	}
	for _, mode := range []Special{SpecialText, SpecialTokens} {
		if err := e.of(tok, text, mode); err != nil {
			continue
		}
		for i, id := range e.IDs {
			require.True(t, id >= 0 && int(id) < tok.Size(), "id %d of %d", id, tok.Size())
			_, ok := tok.Piece(id)
			_ = ok // ids between the vocabulary and a later added token have no piece
			at := e.Offsets[i]
			require.True(t, 0 <= at.Start && at.Start <= at.End && int(at.End) <= len(text), "%v of %d", at, len(text))
		}
		_, _ = tok.Decode(e.IDs, true)
		_, _ = tok.Decode(e.IDs, false)
	}
	tok.Normalize(text)
	_, _ = tok.Pieces(text, SpecialTokens)
	_, err := modelTokenizer{Tokenizer: tok}.AppendWords(nil, []string{text, "", "x"}, false)
	require.NoError(t, err)
}

func TestUnmarshalRecipe(t *testing.T) {
	flat, err := loadGolden(t, "spm_v3", "json").Marshal()
	require.NoError(t, err)
	kinds, data, err := sections(flat)
	require.NoError(t, err)
	require.EqualValues(t, sectionRecipe, kinds[0])
	for old, new := range map[string]string{
		`"Unknown":3`: `"Unknown":9`, // still a piece: accepted, but with another meaning
		`"MASK":2000`: `"MASK":2001`,
		`"CLS":1`:     `"CLS":-2`,
		`"@0"`:        `"@1"`,
		`"Strip"`:     `"Strap"`,
	} {
		text := string(data[0])
		require.Contains(t, text, old)
		i := strings.Index(text, old)
		b := append([]byte{}, flat...)
		at := int(binary.LittleEndian.Uint64(flat[24:]))
		copy(b[at+i:], new)
		_, err := Unmarshal(fixSum(b))
		if old == `"Unknown":3` {
			assert.NoError(t, err)
		} else {
			assert.Error(t, err, new)
		}
	}
}

// TestUnmarshalSections checks that a model must have all of its own sections and no others.
func TestUnmarshalSections(t *testing.T) {
	for _, g := range [][2]string{{"spm_v3", "json"}, {"bpe_deberta", "json"}, {"wordpiece_cased", "older"}} {
		flat, err := loadGolden(t, g[0], g[1]).Marshal()
		require.NoError(t, err)
		kinds, _, err := sections(flat)
		require.NoError(t, err)
		swapped := 0
		for i, k := range kinds {
			for _, other := range []uint32{sectionScores, sectionMerges, sectionRest, sectionKinds} {
				if k != sectionScores && k != sectionMerges && k != sectionRest || other == k {
					continue
				}
				b := slices.Clone(flat)
				binary.LittleEndian.PutUint32(b[16+flatRow*i:], other)
				_, err := Unmarshal(fixSum(b))
				require.ErrorContains(t, err, "a section of kind", "%v: %d as %d", g, k, other)
				swapped++
			}
		}
		require.Equal(t, 3, swapped)
	}
}
