package token

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"pgregory.net/rapid"
)

// TestTruncation checks truncation for all lengths: no more tokens than the limit, as many as fit, and windows that share stride
// tokens and together hold every token.
func TestTruncation(t *testing.T) {
	tok := loadGolden(t, "spm_v3", "json")
	var e, whole Encoding
	rapid.Check(t, func(t *rapid.T) {
		text := strings.Repeat("a b ", rapid.IntRange(0, 20).Draw(t, "a"))
		pair := strings.Repeat("c d ", rapid.IntRange(0, 20).Draw(t, "b"))
		two := rapid.Bool().Draw(t, "two")
		o := Options{
			Truncation: Truncation(rapid.IntRange(1, 3).Draw(t, "truncation")), MaxLength: rapid.IntRange(0, 60).Draw(t, "max"),
			Stride: rapid.IntRange(0, 5).Draw(t, "stride"), Overflow: true, NoTemplate: rapid.Bool().Draw(t, "bare"),
		}
		encode := func(e *Encoding, o Options) error {
			if two {
				return tok.EncodePair(e, text, pair, o)
			}
			return tok.Encode(e, text, o)
		}
		require.NoError(t, encode(&whole, Options{NoTemplate: o.NoTemplate}))
		n := len(whole.IDs)
		if err := encode(&e, o); err != nil {
			extra := 0
			if !o.NoTemplate {
				extra = 2
				if two {
					extra = 3
				}
			}
			room := o.MaxLength - extra
			require.True(t, room < 0 || o.Truncation != LongestFirst || o.Stride >= room/2, err.Error())
			return
		}
		require.LessOrEqual(t, len(e.IDs), max(o.MaxLength, 0))
		require.Equal(t, min(n, o.MaxLength), len(e.IDs))
		require.Equal(t, n-len(e.IDs), e.Truncated)
		require.Equal(t, len(e.IDs), e.Live)
		for _, list := range [][]int32{e.Types, e.Words} {
			require.Len(t, list, len(e.IDs))
		}
		require.Len(t, e.Offsets, len(e.IDs))
		require.Len(t, e.Sources, len(e.IDs))
		if o.Truncation == OnlyFirst && !two && len(e.Overflowing) > 0 && o.MaxLength > 2 {
			got := texts(&e)
			for i := range e.Overflowing {
				more := texts(&e.Overflowing[i])
				require.Equal(t, got[len(got)-o.Stride:], more[:o.Stride])
				got = append(got, more[o.Stride:]...)
			}
			require.Equal(t, texts(&whole), got)
		}
	})
}

// texts returns the ids that come from a text.
func texts(e *Encoding) (ids []int32) {
	for i, id := range e.IDs {
		if e.Sources[i] >= 0 {
			ids = append(ids, id)
		}
	}
	return ids
}

func TestOptionErrors(t *testing.T) {
	tok := loadGolden(t, "spm_v3", "json")
	var e Encoding
	long := strings.Repeat("word ", 40)
	for name, o := range map[string]Options{
		"template does not fit": {Truncation: LongestFirst, MaxLength: 1},
		"no second text":        {Truncation: OnlySecond, MaxLength: 8},
		"stride":                {Truncation: LongestFirst, MaxLength: 8, Stride: 6},
		"negative stride":       {Truncation: LongestFirst, MaxLength: 8, Stride: -1},
		"unknown truncation":    {Truncation: 9, MaxLength: 8},
		"negative padding":      {PadTo: -1},
		"huge padding":          {PadTo: 1 << 30},
	} {
		assert.Error(t, tok.Encode(&e, long, o), name)
	}
	assert.ErrorIs(t, tok.EncodePair(&e, long, "short", Options{Truncation: OnlySecond, MaxLength: 8}), ErrTooShort)
	big := strings.Repeat("x", MaxTextBytes+1)
	assert.ErrorContains(t, tok.Encode(&e, big, Options{}), "at most")
	assert.ErrorIs(t, tok.Encode(&e, big, Options{}), runtime.ErrTooLong)
	_, err := tok.AppendIDs(nil, big, SpecialText)
	assert.ErrorContains(t, err, "at most")
	_, err = tok.Decode([]int32{1, 9999}, false)
	assert.ErrorContains(t, err, "id 9999 at 1")
	_, err = tok.Decode([]int32{-1}, false)
	assert.Error(t, err)
}

func TestPadding(t *testing.T) {
	tok := loadGolden(t, "spm_v3", "json")
	var e Encoding
	require.NoError(t, tok.Encode(&e, "a", Options{PadTo: 6}))
	assert.Equal(t, 3, e.Live)
	assert.Equal(t, []int32{0, 0, 0}, e.IDs[3:])
	assert.Equal(t, []int8{-1, 0, -1, -1, -1, -1}, e.Sources)
}

// TestEncodeWords checks that each word is encoded by itself with offsets inside the word, as entity models need it.
func TestEncodeWords(t *testing.T) {
	tok := loadGolden(t, "spm_v3", "json")
	words := []string{"Hello", "", "wörld!", "[SEP]"}
	var e, one Encoding
	require.NoError(t, tok.EncodeWords(&e, words, Options{Special: SpecialTokens}))
	i := 1
	for w, text := range words {
		require.NoError(t, tok.Encode(&one, text, Options{NoTemplate: true, Special: SpecialTokens}))
		n := len(one.IDs)
		assert.Equal(t, one.IDs[:n], e.IDs[i:i+n])
		assert.Equal(t, one.Offsets[:n], e.Offsets[i:i+n])
		for _, x := range e.Words[i : i+n] {
			assert.Equal(t, int32(w), x)
		}
		i += n
	}
	assert.Equal(t, len(e.IDs), i+1)
	assert.Contains(t, e.IDs[1:i], tok.Special().SEP)
}

func TestSPMOptions(t *testing.T) {
	b := readGolden(t, "spm_v3", "spm.model")
	plain := loadGolden(t, "spm_v3", "spm")
	tok, err := FromSPM(b, SPMOptions{Lower: true, SplitPunct: true, Added: []AddedToken{{ID: -1, Content: "ENTITYX", Special: true}}})
	require.NoError(t, err)
	assert.Equal(t, 2002, tok.Size())
	ent, ok := tok.ID("ENTITYX")
	require.True(t, ok)
	const text = "\u0130A Café(X) ENTITYX b\xffÉ"
	for _, mode := range []Special{SpecialText, SpecialTokens} {
		var e Encoding
		require.NoError(t, tok.Encode(&e, text, Options{Special: mode, NoTemplate: true}))
		var want []int32
		parts := []string{"i\u0307a café", "(", "x", ")", " entityx b\xffé"}
		if mode == SpecialTokens {
			parts = []string{"i\u0307a café", "(", "x", ")", " ", "ENTITYX", " b\xffé"}
			assert.Contains(t, e.IDs, ent)
		} else {
			assert.NotContains(t, e.IDs, ent)
		}
		for _, p := range parts {
			if p == "ENTITYX" {
				want = append(want, ent)
				continue
			}
			ids, err := plain.AppendIDs(nil, p, SpecialText)
			require.NoError(t, err)
			want = append(want, ids...)
		}
		assert.Equal(t, want, e.IDs)
		last := int32(0)
		for i, o := range e.Offsets {
			require.True(t, last <= o.Start && o.Start <= o.End && int(o.End) <= len(text), "%d: %v", i, o)
			last = o.Start
		}
		assert.Equal(t, int32(len(text)), e.Offsets[len(e.Offsets)-1].End)
	}
}

func TestRuneOffsets(t *testing.T) {
	tok := loadGolden(t, "spm_bytes", "json")
	var e Encoding
	text, pair := "é\U0001f600 中\xff文 [SEP]x", "ab\U0001f600"
	require.NoError(t, tok.EncodePair(&e, text, pair, Options{Special: SpecialTokens}))
	got := e.RuneOffsets(nil, text, pair)
	for i, o := range e.Offsets {
		src := []string{text, pair}[max(e.Sources[i], 0)]
		if e.Sources[i] < 0 {
			require.Equal(t, Span{}, got[i])
			continue
		}
		require.Equal(t, int32(utf8.RuneCountInString(src[:o.Start])), got[i].Start)
		require.Equal(t, int32(utf8.RuneCountInString(src[:o.End])), got[i].End)
	}
}

// TestAllocations checks that steady state allocates nothing.
func TestAllocations(t *testing.T) {
	if raced {
		t.Skip("under the race detector a sync.Pool drops items at random")
	}
	for _, g := range goldens {
		tok := loadGolden(t, g[0], g[1])
		text := strings.Repeat("Hello, wörld 中文 \U0001f600 [SEP] naïve e\u0301! ", 20) + strings.Repeat("ab", 60)
		var ids []int32
		var e Encoding
		run := func() {
			ids, _ = tok.AppendIDs(ids[:0], text, SpecialText)
			if err := tok.EncodePair(&e, text, text, Options{Special: SpecialTokens, Truncation: LongestFirst, MaxLength: 64, Stride: 4, Overflow: true, PadTo: 64}); err != nil {
				t.Fatal(err)
			}
		}
		run()
		if n := testing.AllocsPerRun(50, run); n >= 1 { // below 1, because a collection may empty the pool
			t.Errorf("%v: %v allocations", g, n)
		}
	}
}

func TestConcurrentUse(t *testing.T) {
	for _, g := range goldens {
		tok := loadGolden(t, g[0], g[1])
		records := readRecords(t, g[0], "encodings.jsonl.gz")
		want := make([][]int32, len(records))
		for i, r := range records {
			want[i], _ = tok.AppendIDs(nil, r.Text, SpecialText)
		}
		var wg sync.WaitGroup
		for k := range 4 {
			wg.Go(func() {
				var ids []int32
				for i := range records {
					i = (i*7 + k) % len(records)
					ids, _ = tok.AppendIDs(ids[:0], records[i].Text, SpecialText)
					if !slices.Equal(want[i], ids) {
						t.Errorf("%v: text %d differs", g, i)
					}
				}
			})
		}
		wg.Wait()
	}
}

// TestLinear checks that hostile texts take time in proportion to their length.
func TestLinear(t *testing.T) {
	const n = 1 << 18
	for name, text := range map[string]string{
		"one word": strings.Repeat("a", n), "alternating": strings.Repeat("ab", n/2), "spaces": strings.Repeat(" ", n),
		"marks": "a" + strings.Repeat("\u0301\u0323", n/4), "flags": strings.Repeat("\U0001f1e9", n/4), "joiners": strings.Repeat("\U0001f468\u200d", n/8),
		"brackets": strings.Repeat("[", n), "names": strings.Repeat("[SEP]", n/5), "almost names": strings.Repeat("[SEP", n/4),
		"invalid": strings.Repeat("\xe2\x96", n/2), "conjuncts": strings.Repeat("\u0915\u094d", n/6), "NUL": strings.Repeat("\x00", n), "ligatures": strings.Repeat("\ufdfa", n/3),
		"ideographs": strings.Repeat("\u4e2d", n/3), "emoji": strings.Repeat("\U0001f600", n/4), "apostrophes": strings.Repeat("'", n), "digits": strings.Repeat("7", n),
		"spaces before a mask": strings.Repeat(" ", n) + "[MASK]<mask>", "syllables": strings.Repeat("\ud55c", n/3), "a megabyte": strings.Repeat("the", 1<<20/3),
	} {
		for i, g := range [][2]string{
			{"spm_v3", "spm"}, {"bpe_roberta", "json"}, {"wordpiece_uncased", "json"}, {"spm_bytes", "json"}, {"spm_v3", "lower_punct"},
		} {
			if testing.Short() && i > 2 {
				break // one of each algorithm
			}
			tok := loadGolden(t, g[0], g[1])
			var e Encoding
			start := time.Now()
			require.NoError(t, tok.Encode(&e, text, Options{Special: SpecialTokens}))
			// Quadratic work on a quarter of a million bytes takes minutes. A busy machine does not make linear work that slow.
			if d := time.Since(start); d > 10*time.Second {
				t.Errorf("%v, %s: %v", g, name, d)
			}
		}
	}
}
