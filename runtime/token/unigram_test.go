package token

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestTrie(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		keys := rapid.SliceOfDistinct(rapid.StringMatching(`[ab\x00-\x03\x{2581}é]{1,6}`), rapid.ID[string]).Draw(t, "keys")
		slices.Sort(keys)
		if len(keys) == 0 {
			return
		}
		values := make([]int32, len(keys))
		for i := range values {
			values[i] = int32(i)
		}
		tr, err := buildTrie(keys, values, func(v int32) bool { return v%3 == 0 })
		require.NoError(t, err)
		require.NoError(t, tr.check(len(keys)))
		for i, k := range keys {
			v, marked := tr.find([]byte(k))
			require.Equal(t, int32(i), v, k)
			require.Equal(t, i%3 == 0, marked)
		}
		probe := rapid.StringMatching(`[ab\x00-\x03\x{2581}é]{0,8}`).Draw(t, "probe")
		v, _ := tr.find([]byte(probe))
		want, ok := slices.BinarySearch(keys, probe)
		require.Equal(t, ok, v >= 0, probe)
		if ok {
			require.Equal(t, int32(want), v)
		}
		n, v := tr.longest([]byte(probe))
		for i := len(probe); i > 0; i-- {
			if w, ok := slices.BinarySearch(keys, probe[:i]); ok {
				require.Equal(t, i, n)
				require.Equal(t, int32(w), v)
				return
			}
		}
		require.Zero(t, n)
	})
}

func TestTrieOfManyKeys(t *testing.T) {
	r := rand.New(rand.NewSource(2))
	set := map[string]bool{}
	for len(set) < 60_000 {
		var k []byte
		for range 1 + r.Intn(9) {
			k = append(k, byte(r.Intn(256)))
		}
		set[string(k)] = true
	}
	keys := slices.Sorted(maps.Keys(set))
	values := make([]int32, len(keys))
	for i := range values {
		values[i] = int32(i)
	}
	tr, err := buildTrie(keys, values, nil)
	require.NoError(t, err)
	require.NoError(t, tr.check(len(keys)))
	for i, k := range keys {
		v, _ := tr.find([]byte(k))
		require.Equal(t, int32(i), v)
	}
	for range 100_000 {
		k := []byte{byte(r.Intn(256)), byte(r.Intn(256)), byte(r.Intn(256))}
		v, _ := tr.find(k)
		require.Equal(t, set[string(k)], v >= 0)
	}
}

// plainBest returns the best path by definition, without a trie, windows or flat arrays.
func plainBest(pieces map[string]float64, unknown float64, text string) (parts []string, score float64) {
	best := make([]float64, len(text)+1)
	from := make([]int, len(text)+1)
	for i := 1; i <= len(text); i++ {
		best[i] = math.Inf(-1)
	}
	for i := 0; i < len(text); {
		_, w := utf8.DecodeRuneInString(text[i:])
		for j := i + 1; j <= len(text); j++ {
			s, ok := pieces[text[i:j]]
			if !ok && j == i+w {
				s, ok = unknown, true
			}
			if ok && best[i]+s > best[j] {
				best[j], from[j] = best[i]+s, i
			}
		}
		i += w
	}
	for i := len(text); i > 0; i = from[i] {
		parts = append(parts, text[from[i]:i])
	}
	slices.Reverse(parts)
	return parts, best[len(text)]
}

// TestBestPath checks that the path found has the score of the best path and consists of pieces.
func TestBestPath(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		texts := rapid.SliceOfNDistinct(rapid.StringMatching(`[abé中▁]{1,5}`), 1, 30, rapid.ID[string]).Draw(t, "pieces")
		texts = append(texts, "\x00unknown")
		v := newVocabulary(texts)
		scores := make([]float64, len(texts))
		pieces := map[string]float64{}
		worst := rapid.SampledFrom([]int{2, 40}).Draw(t, "worst") // few scores make many ties
		for i, s := range texts {
			// Halves, so that sums are exact, and ties stay ties in any order of addition.
			scores[i] = -float64(rapid.IntRange(0, worst).Draw(t, "score")) / 2
			pieces[s] = scores[i]
		}
		m, err := newUnigram(&v, scores, nil, nil)
		require.NoError(t, err)
		m.unknown, m.penalty = int32(len(texts)-1), -30
		m.single = rapid.Bool().Draw(t, "single")
		require.NoError(t, m.check(len(texts)))
		text := rapid.StringMatching(`[abéx中▁]{1,60}`).Draw(t, "text")
		var l lattice
		m.best(&l, []byte(text), false)
		parts, want := plainBest(pieces, -30, text)
		var chosen []string
		got, from := 0.0, 0
		for _, n := range l.nodes {
			part := text[from:n.end]
			if n.id == m.unknown {
				require.Equal(t, 1, utf8.RuneCountInString(part))
				got -= 30
			} else {
				require.Equal(t, texts[n.id], part)
				got += scores[n.id]
			}
			from = int(n.end)
			chosen = append(chosen, part)
		}
		require.Equal(t, len(text), from)
		require.Equal(t, want, got)
		require.Equal(t, parts, chosen, "of equal paths, the one whose last pieces begin earlier")
	})
	v := newVocabulary([]string{"?", "a", "ab", "b", "bc", "c"})
	m, err := newUnigram(&v, []float64{0, -1, -2, -1, -2, -1}, nil, nil)
	require.NoError(t, err)
	var l lattice
	m.best(&l, []byte("ab"), false)
	require.Equal(t, []node{{2, 2}}, l.nodes, "ab is as good as a and b")
	m.best(&l, []byte("abc"), false)
	require.Equal(t, []node{{1, 1}, {3, 4}}, l.nodes, "a and bc are as good as ab and c")
}

// TestUnknownPenalty checks the score of an unknown character in both forms: 10 below the lowest score of the vocabulary. "ax" is a piece with the lowest
// score, and "a" has a score around 10. So "a" and an unknown "x" cost a bit more than "ax", the same, or a bit less. If they cost the same, the path whose
// last piece begins earlier wins.
func TestUnknownPenalty(t *testing.T) {
	const lowest = -2.5
	for a, want := range map[float64][]string{9.5: {"ax"}, 10: {"ax"}, 10.5: {"a", "?"}} {
		open := map[string]func() (*Tokenizer, error){
			"tokenizer.json": func() (*Tokenizer, error) {
				return FromJSON(fmt.Appendf(nil, `{"added_tokens": [], "normalizer": null, "pre_tokenizer": null, "post_processor": null, "decoder": null,
 "model": {"type": "Unigram", "unk_id": 0, "vocab": [["?", 0], ["ax", %g], ["a", %g], ["b", -1]], "byte_fallback": false}}`, lowest, a))
			},
			"spm.model": func() (*Tokenizer, error) {
				model := wire(nil).bytes(1, piece("?", pieceUnknown))
				for text, score := range map[string]float64{"ax": lowest, "a": a, "b": -1} {
					row := append(wire(nil).bytes(1, []byte(text)), 2<<3|wire32)
					model = model.bytes(1, binary.LittleEndian.AppendUint32(row, math.Float32bits(float32(score))))
				}
				return FromSPM(model.bytes(3, wire(nil).varint(3, 0)), SPMOptions{})
			},
		}
		for form, open := range open {
			tok, err := open()
			require.NoError(t, err, form)
			ids, err := tok.AppendIDs(nil, "bax", SpecialText)
			require.NoError(t, err, form)
			var pieces []string
			for _, id := range ids {
				p, ok := tok.Piece(id)
				require.True(t, ok)
				pieces = append(pieces, p)
			}
			require.Equal(t, append([]string{"b"}, want...), pieces, "%s, a has the score %v", form, a)
		}
	}
}

// TestWindow checks that windows grow if pieces overlap without end, and shrink to words if they do not.
func TestWindow(t *testing.T) {
	v := newVocabulary([]string{"?", "ab", "ba", "a", "b"})
	m, err := newUnigram(&v, []float64{0, -1, -1, -5, -5}, nil, nil)
	require.NoError(t, err)
	m.penalty = -20
	text := make([]byte, 10_001)
	for i := range text {
		text[i] = "ab"[i%2]
	}
	var l lattice
	m.best(&l, text, false)
	assert.Len(t, l.nodes, 5001)
	assert.GreaterOrEqual(t, len(l.cells), len(text))
	l = lattice{}
	for i := range text {
		text[i] = 'a'
	}
	m.best(&l, text, false)
	assert.Len(t, l.nodes, len(text))
	assert.LessOrEqual(t, len(l.cells), 4*MaxPieceBytes, "each a is a window")
}

func TestBytePieces(t *testing.T) {
	for b := range 256 {
		got, ok := byteOfPiece(fmt.Sprintf("<0x%02X>", b))
		require.True(t, ok)
		require.Equal(t, byte(b), got)
	}
	for _, s := range []string{"", "<0x0>", "<0x00", "<0xaf>", "<0xGG>", "<0x000>", "0x00>>"} {
		_, ok := byteOfPiece(s)
		assert.False(t, ok, s)
	}
}
