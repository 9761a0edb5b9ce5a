package token

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/growthtest"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// TestTruncation checks truncation for all lengths: no more tokens than the limit, as many as fit, and windows that share stride
// tokens and together hold every token.
func TestTruncation(t *testing.T) {
	tok := loadGolden(t, "spm_v3", "json")
	rapid.Check(t, func(t *rapid.T) {
		text := []string{strings.Repeat("a b ", rapid.IntRange(0, 20).Draw(t, "a")), strings.Repeat("c d ", rapid.IntRange(0, 20).Draw(t, "b"))}
		text = text[:rapid.IntRange(1, 2).Draw(t, "texts")]
		stride, extra := rapid.IntRange(0, 5).Draw(t, "stride"), 1+len(text)
		q := engine.Sequencer{
			Cutting:   engine.Cutting(rapid.IntRange(0, 2).Draw(t, "cutting")),
			MaxTokens: rapid.IntRange(1, 60).Draw(t, "max"), Long: runtime.Truncate,
		}
		if windows := rapid.Bool().Draw(t, "windows"); windows {
			q.Long = runtime.Windows(stride)
		}
		uncut, _, err := framed(tok, engine.Sequencer{}, text...)
		require.NoError(t, err)
		whole := uncut[0].IDs
		list, seen, err := framed(tok, q, text...)
		if err != nil {
			var one encoded
			require.NoError(t, one.of(tok, text[0], SpecialText))
			room, a, b := q.MaxTokens-extra, len(one.tokens), 0
			if len(text) > 1 {
				require.NoError(t, one.of(tok, text[1], SpecialText))
				b = len(one.tokens)
			}
			other := map[engine.Cutting]int{engine.CutLonger: min(a, b), engine.CutFirst: b, engine.CutSecond: a}[q.Cutting]
			if q.Long == runtime.Truncate {
				require.True(t, room < 0 || len(text) > 1 && q.Cutting != engine.CutLonger && other >= room, err.Error())
			} else {
				require.True(t, room <= 0 || len(text) == 1 && stride >= room || len(text) > 1 && room-other <= stride, err.Error())
			}
			return
		}
		require.Len(t, list[0].IDs, min(len(whole), q.MaxTokens))
		if q.Long == runtime.Truncate {
			require.Equal(t, len(whole)-len(list[0].IDs), seen.Truncated)
			return
		}
		require.Zero(t, seen.Truncated)
		got := list[0].IDs[:len(list[0].IDs)-1]
		for _, s := range list[1:] {
			require.LessOrEqual(t, len(s.IDs), q.MaxTokens)
			if len(text) == 1 {
				more := s.IDs[1 : len(s.IDs)-1]
				require.Equal(t, got[len(got)-stride:], more[:stride])
				got = append(got, more[stride:]...)
			}
		}
		if len(text) == 1 {
			require.Equal(t, whole[:len(whole)-1], got)
		}
	})
}

func TestTextErrors(t *testing.T) {
	tok := loadGolden(t, "spm_v3", "json")
	var e encoded
	big := strings.Repeat("x", MaxTextBytes+1)
	assert.ErrorContains(t, e.of(tok, big, SpecialText), "at most")
	assert.ErrorIs(t, e.of(tok, big, SpecialText), runtime.ErrTooLong)
	_, err := tok.AppendIDs(nil, big, SpecialText)
	assert.ErrorContains(t, err, "at most")
	_, err = tok.Decode([]int32{1, 9999}, false)
	assert.ErrorContains(t, err, "id 9999 at 1")
	_, err = tok.Decode([]int32{-1}, false)
	assert.Error(t, err)
}

// TestAppendWords checks that each word is encoded by itself with offsets inside the word, as entity models need it.
func TestAppendWords(t *testing.T) {
	tok := loadGolden(t, "spm_v3", "json")
	words := []string{"Hello", "", "wörld!", "[SEP]"}
	m, err := ForModel(tok)
	require.NoError(t, err)
	got, err := m.(tokenizer.WordTokenizer).AppendWords(nil, words, true)
	require.NoError(t, err)
	var want []tokenizer.Span
	for w, text := range words {
		one, err := tok.AppendSpans(nil, text, SpecialTokens)
		require.NoError(t, err)
		for _, x := range one {
			x.Word = int32(w)
			want = append(want, x)
		}
	}
	assert.Equal(t, want, got)
	assert.True(t, slices.ContainsFunc(got, func(x tokenizer.Span) bool { return x.ID == tok.Special().SEP }))
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
		var e encoded
		require.NoError(t, e.of(tok, text, mode))
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

// TestAllocations checks that steady state allocates nothing.
func TestAllocations(t *testing.T) {
	if raced {
		t.Skip("under the race detector a sync.Pool drops items at random")
	}
	for _, g := range goldens {
		tok := loadGolden(t, g[0], g[1])
		text := strings.Repeat("Hello, wörld 中文 \U0001f600 [SEP] naïve e\u0301! ", 20) + strings.Repeat("ab", 60)
		var ids []int32
		var spans []tokenizer.Span
		run := func() {
			ids, _ = tok.AppendIDs(ids[:0], text, SpecialText)
			spans, _ = tok.AppendSpans(spans[:0], text, SpecialTokens)
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
	n := 1 << 17
	if testing.Short() {
		n /= 4
	}
	for name, text := range map[string]string{
		"one word": strings.Repeat("a", n), "alternating": strings.Repeat("ab", n/2), "spaces": strings.Repeat(" ", n),
		"marks": "a" + strings.Repeat("\u0301\u0323", n/4), "flags": strings.Repeat("\U0001f1e9", n/4), "joiners": strings.Repeat("\U0001f468\u200d", n/8),
		"brackets": strings.Repeat("[", n), "names": strings.Repeat("[SEP]", n/5), "almost names": strings.Repeat("[SEP", n/4),
		"invalid": strings.Repeat("\xe2\x96", n/2), "conjuncts": strings.Repeat("\u0915\u094d", n/6), "NUL": strings.Repeat("\x00",
			n), "ligatures": strings.Repeat("\ufdfa", n/3),
		"ideographs": strings.Repeat("\u4e2d", n/3), "emoji": strings.Repeat("\U0001f600", n/4), "apostrophes": strings.Repeat("'",
			n), "digits": strings.Repeat("7", n),
		"spaces before a mask": strings.Repeat(" ", n) + "[MASK]<mask>", "syllables": strings.Repeat("\ud55c", n/3), "a megabyte": strings.Repeat("the", 4*n/3),
	} {
		for i, g := range [][2]string{
			{"spm_v3", "spm"}, {"bpe_roberta", "json"}, {"wordpiece_uncased", "json"}, {"spm_bytes", "json"}, {"spm_v3", "lower_punct"},
		} {
			if testing.Short() && i > 2 {
				break // one of each algorithm
			}
			tok := loadGolden(t, g[0], g[1])
			var e encoded
			encode := func(text string) func() { return func() { require.NoError(t, e.of(tok, text, SpecialTokens)) } }
			growthtest.Check(t, fmt.Sprintf("%v, %s", g, name), 36, encode(text[:len(text)/8]), encode(text)) // quadratic work takes 64 times as long
		}
	}
}
