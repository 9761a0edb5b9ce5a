package token

import (
	"bytes"
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

// plainMerge is byte-pair encoding by its definition: the leftmost pair of the lowest rank, again and again.
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

// drawBPE draws merges over the letters a to d and builds the model that they make.
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
		ranks[x] = len(pairs) // of equal pairs the last counts
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

// Both ways of merging, and the table of whole words, give what the definition gives.
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

// The pattern as it is written, alternative by alternative; the look-ahead, which Go's expressions lack, by hand.
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

// Each maximal part of an ill-formed sequence becomes one U+FFFD (examples of the Unicode standard, tables 3-8 to 3-11).
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
		{edge{0, 9}, Span{5, n}, Span{5, n}, false, false}, // more than the text has: left alone
		{edge{9, 0}, Span{5, n}, Span{n, n}, false, false},
	} {
		assert.Equal(t, x.want, x.e.trim(text, x.at, x.first, x.prefix), "%+v", x)
	}
}

// variant is bpe_deberta's tokenizer.json with changes; texts are replaced in its compact form.
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
		"pre_tokenizer: a step behind ByteLevel": func(d doc) {
			d["pre_tokenizer"] = doc{"type": "Sequence", "pretokenizers": []any{d["pre_tokenizer"], doc{"type": "WhitespaceSplit"}}}
		},
		"pre_tokenizer.trim_offsets: want true or false":           func(d doc) { d["pre_tokenizer"].(doc)["trim_offsets"] = "no" },
		`normalizer.type: normalizer "ByteLevel" is not supported`: func(d doc) { d["normalizer"] = doc{"type": "ByteLevel"} },
		"post_processor.cls: want [name, id]":                      func(d doc) { d["post_processor"] = doc{"type": "BertProcessing", "sep": []any{"[SEP]", 2}} },
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

// Bytes that the vocabulary lacks: with the unknown token, fused or not; without, they go, and a note says so.
func TestMissingBytes(t *testing.T) {
	lacking := func(more string) *Tokenizer {
		tok, err := FromJSON([]byte(`{"pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true}, "model": {"merges": ["a b"], "vocab": {"a": 0, "b": 1, "ab": 2, "?": 3}` + more + `}}`))
		require.NoError(t, err)
		return tok
	}
	for more, want := range map[string][]int32{"": {2, 0}, `, "unk_token": ""`: {2, 0}, `, "unk_token": "?"`: {3, 3, 2, 3, 0}, `, "unk_token": "?", "fuse_unk": true`: {3, 2, 3, 0}} {
		tok := lacking(more)
		var e Encoding
		require.NoError(t, tok.Encode(&e, "éabxa", Options{}))
		assert.Equal(t, want, e.IDs, more)
		assert.Equal(t, len(want) == 2, len(tok.Notes()) > 0, more)
	}
	assert.Contains(t, lacking("").Notes()[0], "lacks pieces for 253 of 256 bytes")
}

func TestOlderErrors(t *testing.T) {
	vocab, merges := readGolden(t, "bpe_deberta", "vocab.json"), readGolden(t, "bpe_deberta", "merges.txt")
	for _, x := range []struct {
		vocab, merges string
		o             BPEOptions
		want          string
	}{
		{"", "", BPEOptions{}, "vocab.json is cut short or empty"},
		{"[]", "", BPEOptions{}, "vocab.json: the document: want an object"},
		{"{}", "", BPEOptions{}, "with at least one"},
		{`{"a": 0, "a": 1}`, "", BPEOptions{}, `piece "a" is given twice`},
		{`{"a": 0, "b": 0}`, "", BPEOptions{}, `pieces "a" and "b" both have id 0`},
		{`{"a": "0"}`, "", BPEOptions{}, `the id of "a" is "0"`},
		{`{"a": 1.5}`, "", BPEOptions{}, `piece "a" has id 1.5`},
		{`{"a": -1}`, "", BPEOptions{}, `piece "a" has id -1`},
		{`{"a": 99999999}`, "", BPEOptions{}, `piece "a" has id 99999999 (want a whole number from 0 to 65537)`},
		{`{"": 0}`, "", BPEOptions{}, "has 0 bytes"},
		{`{"中": 0}`, "", BPEOptions{}, "is this a byte-level BPE?"},
		{string(vocab), "a", BPEOptions{}, `merges.txt:1: "a" is not a pair`},
		{string(vocab), "#version: 0.2\nt h\n\na  b\n", BPEOptions{}, `merges.txt:4: "a  b" is not a pair`},
		{string(vocab), "t h\nq q\n", BPEOptions{}, `merges.txt:2: the merge of "q" and "q" needs "qq"`},
		{string(vocab), "\xff", BPEOptions{}, "merges.txt is not valid UTF-8"},
		{string(vocab), string(merges), BPEOptions{CLS: "<cls>"}, `cls_token is "<cls>", which is not in the vocabulary`},
		{string(vocab), string(merges), BPEOptions{Added: []AddedToken{{ID: -1, Content: "<x>"}}}, `added token "<x>" is not in the vocabulary, and has no id`},
		{string(vocab), string(merges), BPEOptions{Added: []AddedToken{{ID: 4, Content: "<x>"}}}, `which the vocabulary calls "!"`},
	} {
		_, err := FromBPE([]byte(x.vocab), []byte(x.merges), x.o)
		assert.ErrorContains(t, err, x.want)
	}
	tok, err := FromBPE(vocab, bytes.ReplaceAll(merges, []byte("\n"), []byte("\r\n")), BPEOptions{Roberta: true})
	require.NoError(t, err)
	assert.Equal(t, SpecialIDs{-1, -1, -1, -1, -1}, tok.Special())
	require.Len(t, tok.Notes(), 1)
	assert.Contains(t, tok.Notes()[0], "has no <s> and </s>")
}
