package token

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// plainMerge is byte-pair encoding by its definition: it merges the leftmost pair of the lowest rank until no pair can be merged.
func plainMerge(ranks map[[2]string]int, parts []string) []string {
	for {
		best, at := 1<<30, -1
		for i := 0; i+1 < len(parts); i++ {
			if r, ok := ranks[[2]string{parts[i], parts[i+1]}]; ok && r < best {
				best, at = r, i
			}
		}
		if at < 0 {
			return parts
		}
		parts = append(append(slices.Clone(parts[:at]), parts[at]+parts[at+1]), parts[at+2:]...)
	}
}

// drawBPE draws merges over the letters a to d and builds the model of them.
func drawBPE(t *rapid.T) (*bpe, []string, map[[2]string]int) {
	texts := []string{"a", "b", "c", "d"}
	p := &bpeParts{unknown: -1, byText: map[string]int32{}}
	ranks := map[[2]string]int{}
	var pairs [][2]string
	for range rapid.IntRange(0, 30).Draw(t, "merges") {
		x := [2]string{rapid.SampledFrom(texts).Draw(t, "left"), rapid.SampledFrom(texts).Draw(t, "right")}
		if len(x[0]+x[1]) > 12 {
			continue
		}
		if !slices.Contains(texts, x[0]+x[1]) {
			texts = append(texts, x[0]+x[1])
		}
		ranks[x] = len(pairs) // if pairs are equal, the last one counts
		pairs = append(pairs, x)
	}
	p.texts = texts
	for i, s := range texts {
		p.byText[s] = int32(i)
	}
	require.NoError(t, p.setMerges(pairs, func(i int) string { return fmt.Sprint(i) }))
	m, err := p.make(func(int32) bool { return false })
	require.NoError(t, err)
	require.NoError(t, m.check(len(texts)))
	return m.(*bpe), texts, ranks
}

// TestMerge checks that both ways of merging, and the table of whole words, agree with the definition.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, texts, ranks := drawBPE(t)
		word := rapid.StringMatching(`[abcd]{1,80}`).Draw(t, "word")
		want := plainMerge(ranks, strings.Split(word, ""))
		var y symbols
		for _, merge := range []func(y *symbols, literal bool){m.scan, m.sift} {
			m.start(&y, []byte(word))
			merge(&y, true)
			var got []string
			at := int32(0)
			for i, id := range y.ids {
				got = append(got, texts[id])
				require.Equal(t, at, y.from[i])
				at = y.to[i]
				require.Equal(t, texts[id], word[y.from[i]:at])
			}
			require.Equal(t, want, got)
		}
		for _, s := range texts {
			id, _ := m.whole.find([]byte(s))
			if whole := plainMerge(ranks, strings.Split(s, "")); len(whole) == 1 {
				require.Equal(t, s, texts[id])
			} else {
				require.Equal(t, int32(-1), id, s)
			}
		}
	})
}

// The pattern as it is written, one alternative at a time. Go's expressions have no look-ahead, so this is written by
// hand.
var alternatives = func() (out []*regexp.Regexp) {
	for _, s := range []string{`'s`, `'t`, `'re`, `'ve`, `'m`, `'ll`, `'d`, ` ?\p{L}+`, ` ?\p{N}+`, ` ?[^\sX\p{L}\p{N}]+`, `[\sX]+`} {
		s = strings.ReplaceAll(s, "X", `\v\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}`)
		out = append(out, regexp.MustCompile(`^(?:`+s+`)`))
	}
	return out
}()

func plainWord(text string) string {
	for i, r := range alternatives {
		s := r.FindString(text)
		if s == "" {
			continue
		}
		if i == len(alternatives)-1 && len(s) < len(text) {
			if _, n := utf8.DecodeLastRuneInString(s); n < len(s) {
				return s[:len(s)-n]
			}
		}
		return s
	}
	return ""
}

func TestWords(t *testing.T) {
	table := classes()
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.RuneFrom([]rune("aZé中١½ \u00a0\n\t\u3000\v\u0085'stmdrvel!—\U0001f600\u0301")), rapid.Rune())).Draw(t, "text")
		for text != "" {
			if unicode.Is(lateLetters, []rune(text)[0]) || strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, lateLetters, lateNumbers) }) {
				return // the standard library does not know them yet
			}
			want := plainWord(text)
			require.NotEmpty(t, want)
			require.Equal(t, want, text[:nextWord([]byte(text), table)])
			text = text[len(want):]
		}
	})
}

func TestByteAlphabet(t *testing.T) {
	seen := map[rune]bool{}
	for b, r := range byteChars {
		assert.False(t, seen[r])
		seen[r] = true
		assert.True(t, unicode.IsPrint(r), "%U", r)
		back, ok := fromByteChars(nil, string(r))
		require.True(t, ok)
		require.Equal(t, []byte{byte(b)}, back)
	}
	assert.Equal(t, "ĠĊĉ", string([]rune{byteChars[' '], byteChars['\n'], byteChars['\t']}))
	for _, s := range []string{" ", "\n", "\u00ad", "\u0144", "中"} {
		_, ok := fromByteChars(nil, s)
		assert.False(t, ok, s)
	}
}

// TestReplaceInvalid checks that each maximal part of an ill-formed sequence becomes one U+FFFD (examples of the Unicode
// standard, tables 3-8 to 3-11).
func TestReplaceInvalid(t *testing.T) {
	const x = "\ufffd"
	for in, want := range map[string]string{
		"ok é":                              "ok é",
		"\xc0\xaf\xe0\x80\xbf\xf0\x81\x82A": x + x + x + x + x + x + x + x + "A",
		"\xed\xa0\x80\xed\xbf\xbf\xed\xafA": x + x + x + x + x + x + x + x + "A",
		"\xf4\x91\x92\x93\xffA\x80\xbfB":    x + x + x + x + x + "A" + x + x + "B",
		"\xe1\x80\xe2\xf0\x91\x92\xf1\xbfA": x + x + x + x + "A",
		"\xf0\x9f\x98":                      x,
		"\xf0\x9f\x98\U0001f600\xe4\xb8":    x + "\U0001f600" + x,
	} {
		assert.Equal(t, want, replaceInvalid([]byte(in)), "%q", in)
		assert.Equal(t, want, strings.ToValidUTF8(want, "?"))
	}
}

func TestTrimmedEdges(t *testing.T) {
	table := classes()
	assert.Equal(t, edge{2, 2}, edgesOf([]byte("  ")))
	assert.Equal(t, edge{1, 0}, edgesOf([]byte(" a\n")))
	assert.Equal(t, edge{2, 1}, edgesOfAdded([]byte("\u3000 <mask>\n"), table))
	assert.Equal(t, edge{1, 1}, edgesOfAdded([]byte("Ġ"), table))
	text := "é\u3000ab  "
	n := int32(len(text))
	for _, x := range []struct {
		e             edge
		at, want      Span
		first, prefix bool
	}{
		{edge{1, 0}, Span{2, 7}, Span{5, 7}, false, false},
		{edge{1, 0}, Span{2, 7}, Span{2, 7}, true, true},
		{edge{1, 0}, Span{2, 7}, Span{5, 7}, false, true},
		{edge{1, 0}, Span{0, 2}, Span{0, 2}, false, true},
		{edge{2, 0}, Span{0, 7}, Span{5, 7}, true, true},
		{edge{0, 2}, Span{5, n}, Span{5, 7}, false, false},
		{edge{2, 2}, Span{7, n}, Span{n, n}, false, false},
		{edge{0, 9}, Span{5, n}, Span{5, n}, false, false}, // more than the text has: unchanged
		{edge{9, 0}, Span{5, n}, Span{n, n}, false, false},
	} {
		assert.Equal(t, x.want, x.e.trim(text, x.at, x.first, x.prefix), "%+v", x)
	}
}

// variant is bpe_deberta's tokenizer.json with changes, which are applied to its compact form.
func variant(t *testing.T, folder string, change func(doc map[string]any)) ([]byte, *Tokenizer, error) {
	var doc map[string]any
	require.NoError(t, json.Unmarshal(readGolden(t, folder, "tokenizer.json"), &doc))
	change(doc)
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	tok, err := FromJSON(b)
	return b, tok, err
}

func TestBPEErrors(t *testing.T) {
	type doc = map[string]any
	model := func(key string, value any) func(d doc) {
		return func(d doc) { d["model"].(doc)[key] = value }
	}
	for want, change := range map[string]func(d doc){
		"model.dropout: 0.1 is not supported":                                model("dropout", 0.1),
		`model.continuing_subword_prefix: "##" is not supported`:             model("continuing_subword_prefix", "##"),
		`model.end_of_word_suffix: "</w>" is not supported`:                  model("end_of_word_suffix", "</w>"),
		`model.unk_token: "<none>" is not in the vocabulary`:                 model("unk_token", "<none>"),
		"model.fuse_unk: want true or false":                                 model("fuse_unk", 1),
		"model.vocab: want an object":                                        model("vocab", []any{}),
		`model.merges: want an array`:                                        model("merges", nil),
		`a merge is not a pair: "a b c"`:                                     model("merges", []string{"a b c"}),
		`a merge is not a pair: ["a"]`:                                       model("merges", []any{[]string{"a"}}),
		`model.merges[1]: the merge of "a" and "q" needs "aq", which is not`: model("merges", []any{[]string{"t", "h"}, "a q"}),
		"model.cache: unknown":                                               model("cache", 1),
		"pre_tokenizer: a BPE model without ByteLevel is not supported":      func(d doc) { d["pre_tokenizer"] = nil },
		"pre_tokenizer: a BPE model without ByteLevel as the last step":      func(d doc) { d["pre_tokenizer"] = doc{"type": "WhitespaceSplit"} },
		"pre_tokenizer: a step after ByteLevel": func(d doc) {
			d["pre_tokenizer"] = doc{"type": "Sequence", "pretokenizers": []any{d["pre_tokenizer"], doc{"type": "WhitespaceSplit"}}}
		},
		"pre_tokenizer.trim_offsets: want true or false":           func(d doc) { d["pre_tokenizer"].(doc)["trim_offsets"] = "no" },
		`normalizer.type: normalizer "ByteLevel" is not supported`: func(d doc) { d["normalizer"] = doc{"type": "ByteLevel"} },
		"post_processor.cls: want [name, id]": func(d doc) {
			d["post_processor"] = doc{"type": "BertProcessing",
				"sep": []any{"[SEP]", 2}}
		},
		"post_processor.sep[1]: want a whole number": func(d doc) {
			d["post_processor"] = doc{"type": "RobertaProcessing", "cls": []any{"[CLS]", 1}, "sep": []any{"[SEP]", 9999}}
		},
		`post_processor.processors[0].type: "TemplateProcessing" is not supported here`: func(d doc) {
			d["post_processor"] = doc{"type": "Sequence", "processors": []any{d["post_processor"], d["decoder"]}}
		},
	} {
		_, _, err := variant(t, "bpe_deberta", change)
		assert.ErrorContains(t, err, want)
	}
	_, _, err := variant(t, "bpe_deberta", func(d doc) {
		v := d["model"].(doc)["vocab"].(doc)
		delete(v, "!")
		d["model"].(doc)["byte_fallback"] = true
		for _, m := range d["model"].(doc)["merges"].([]any) {
			if strings.Contains(fmt.Sprint(m), "!") {
				d["model"].(doc)["merges"] = []any{}
			}
		}
	})
	assert.ErrorContains(t, err, "model.byte_fallback: true is not supported where the vocabulary lacks pieces for bytes, here 1")
	_, _, err = variant(t, "bpe_deberta", func(d doc) {
		v := d["model"].(doc)["vocab"].(doc)
		d["added_tokens"].([]any)[0].(doc)["content"], v["[PAD]"], v["!"] = "!", v["!"], v["[PAD]"]
	})
	assert.ErrorContains(t, err, `the special token "!" is also the piece of a single byte`)
}

// TestSplitPattern checks the pattern as a step of its own, before a ByteLevel that does not cut.
func TestSplitPattern(t *testing.T) {
	split := func(pattern, behavior string, invert bool) (*Tokenizer, error) {
		_, tok, err := variant(t, "bpe_deberta", func(d map[string]any) {
			d["pre_tokenizer"] = map[string]any{"type": "Sequence", "pretokenizers": []any{
				map[string]any{"type": "Split", "pattern": map[string]any{"Regex": pattern}, "behavior": behavior, "invert": invert},
				map[string]any{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false},
			}}
		})
		return tok, err
	}
	tok, err := split(wordPattern, "Isolated", false)
	require.NoError(t, err)
	plain := loadGolden(t, "bpe_deberta", "json")
	var got, want encoded
	for _, r := range readRecords(t, "bpe_deberta", "encodings.jsonl.gz") {
		require.NoError(t, got.of(tok, r.Text, SpecialText))
		require.NoError(t, want.of(plain, r.Text, SpecialText))
		require.Equal(t, want, got)
	}
	for want, err := range map[string]error{
		`pre_tokenizer.pretokenizers[0].pattern: {"Regex":"\\d"} is not supported`: second(split(`\d`, "Isolated", false)),
		`pre_tokenizer.pretokenizers[0].behavior: "Removed" is not supported`:      second(split(wordPattern, "Removed", false)),
		`pre_tokenizer.pretokenizers[0].invert: true is not supported`:             second(split(wordPattern, "Isolated", true)),
	} {
		assert.ErrorContains(t, err, want)
	}
}

func second[T any](_ T, err error) error { return err }

// TestMissingBytes checks bytes that the vocabulary lacks. With an unknown token they become it, fused or not. Without
// one they are lost, and a note reports this.
func TestMissingBytes(t *testing.T) {
	lacking := func(more string) *Tokenizer {
		tok, err := FromJSON([]byte(`{"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}, "model": {"merges": ["a ` +
			`b"], "vocab": {"a": 0, "b": 1, "ab": 2, "?": 3}` + more + `}}`))
		require.NoError(t, err)
		return tok
	}
	for more, want := range map[string][]int32{"": {2, 0}, `, "unk_token": ""`: {2, 0}, `, "unk_token": "?"`: {3, 3, 2, 3, 0},
		`, "unk_token": "?", "fuse_unk": true`: {3, 2, 3, 0}} {
		tok := lacking(more)
		var e encoded
		require.NoError(t, e.of(tok, "éabxa", SpecialText))
		assert.Equal(t, want, e.IDs, more)
		assert.Equal(t, len(want) == 2, len(tok.Notes()) > 0, more)
	}
	assert.Contains(t, lacking("").Notes()[0], "lacks pieces for 253 of 256 bytes")
}

// TestMergeIntoSpecial checks that a merge into a special token's text is not applied to literal text, but is if special
// tokens are asked for.
func TestMergeIntoSpecial(t *testing.T) {
	const file = `{"added_tokens": [{"id": 2, "content": "ab", "single_word": true, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
		"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true},
		"model": {"merges": ["a b", "ab a"], "vocab": {"a": 0, "b": 1, "ab": 2, "aba": 3}}}`
	for _, more := range []string{"", `, "ignore_merges": true`} {
		tok, err := FromJSON([]byte(strings.Replace(file, `"aba": 3}`, `"aba": 3}`+more, 1)))
		require.NoError(t, err)
		for mode, want := range map[Special][]int32{SpecialText: {0, 1, 0, 1, 1}, SpecialTokens: {2, 2, 1}} {
			ids, err := tok.AppendIDs(nil, "ab", mode)
			require.NoError(t, err)
			more, err := tok.AppendIDs(nil, "abb", mode)
			require.NoError(t, err)
			assert.Equal(t, want, append(ids, more...))
		}
	}
}

func TestMergeTableDamage(t *testing.T) {
	m := newMergeTable([]mergeRow{{0, 1, 2}, {2, 0, 3}, {0, 1, 2}}, func(id int32) bool { return id == 3 })
	require.NoError(t, m.check(4))
	assert.Equal(t, uint64(2)<<32|2, m.find(0, 1, true), "the last of equal pairs counts")
	assert.Equal(t, mergeNone, m.find(2, 0, true))
	assert.Equal(t, uint64(1)<<32|3, m.find(2, 0, false))
	assert.Equal(t, mergeNone, m.find(1, 1, false))
	assert.Error(t, m.check(3), "a piece out of range")
	assert.Error(t, m[:len(m)-2].check(4), "not a power of two")
	assert.Error(t, m[:8].check(4), "too small")
	full := slices.Clone(m)
	for i := range full {
		full[i] = 0
	}
	assert.ErrorContains(t, full.check(4), "at most half", "or a search would not end")
	b := &bpe{whole: make(trie, 256), merges: m, unknown: 9}
	assert.ErrorContains(t, b.check(4), "unknown id 9")
	b.unknown, b.bytes[7] = -1, 4
	assert.ErrorContains(t, b.check(4), "the piece of byte 7 has id 4")
}

// TestByteDecoder checks that a token with characters outside the alphabet stands for itself, between the bytes of the
// others.
func TestByteDecoder(t *testing.T) {
	_, tok, err := variant(t, "bpe_roberta", func(d map[string]any) {
		d["added_tokens"] = append(d["added_tokens"].([]any), map[string]any{"id": 1501, "content": "中 é", "single_word": false, "lstrip": false,
			"rstrip": false, "normalized": false, "special": false})
	})
	require.NoError(t, err)
	const text = "Ünï 中 é x\U0001f600"
	ids, err := tok.AppendIDs(nil, text, SpecialText)
	require.NoError(t, err)
	assert.Contains(t, ids, int32(1501))
	back, err := tok.Decode(ids, true)
	require.NoError(t, err)
	assert.Equal(t, text, back)
	back, err = tok.Decode(ids[:len(ids)-1], true)
	require.NoError(t, err)
	assert.Equal(t, "Ünï 中 é x\ufffd", back)
}
