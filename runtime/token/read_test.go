package token

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tokenizer"
)

// smallJSON is a complete tokenizer.json. Tests change parts of it.
const smallJSON = `{
 "version": "1.0", "truncation": null, "padding": null,
 "added_tokens": [{"id": 0, "content": "[UNK]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true, "special": true},
  {"id": 4, "content": "[MASK]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
 "normalizer": {"type": "Sequence", "normalizers": [{"type": "Strip", "strip_left": true, "strip_right": true},
  {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": " "}]},
 "pre_tokenizer": {"type": "Sequence", "pretokenizers": [{"type": "Punctuation", "behavior": "Isolated"},
  {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true}]},
 "post_processor": {"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
  "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
  "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [1], "tokens": ["[CLS]"]}}},
 "decoder": {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": true},
 "model": {"type": "Unigram", "unk_id": 0, "vocab": [["[UNK]", 0.0], ["[CLS]", 0], ["▁a", -1.5], ["b", -2e0]], "byte_fallback": false}
}`

func TestFromJSON(t *testing.T) {
	tok, err := FromJSON([]byte(smallJSON))
	require.NoError(t, err)
	assert.Equal(t, SpecialIDs{CLS: 1, SEP: -1, PAD: -1, MASK: 4, UNK: 0}, tok.Special())
	assert.Equal(t, 5, tok.Size())
	assert.Empty(t, tok.Notes())
	for _, x := range []struct {
		text       []string
		ids, types []int32
	}{
		{[]string{"  ab  x"}, []int32{1, 2, 3, 0}, nil},
		{[]string{"  ab  x", "b"}, []int32{2, 3, 0, 0, 3}, []int32{0, 0, 0, 1, 1}},
	} {
		list, _, err := framed(tok, engine.Sequencer{}, x.text...)
		require.NoError(t, err)
		assert.Equal(t, x.ids, list[0].IDs, "one text and two have frames of their own")
		assert.ElementsMatch(t, x.types, list[0].Types)
	}

	blocks := strings.Replace(smallJSON, `"truncation": null, "padding": null`,
		`"truncation": {"max_length": 2, "strategy": "LongestFirst"}, "padding": {"pad_id": 0}`, 1)
	tok, err = FromJSON([]byte(blocks))
	require.NoError(t, err)
	require.Len(t, tok.Notes(), 2)
	assert.Contains(t, tok.Notes()[0], `truncation block ({"max_length":2,"strategy":"LongestFirst"}); it is not applied`)
	list, _, err := framed(tok, engine.Sequencer{}, "a a a a")
	require.NoError(t, err)
	assert.Len(t, list[0].IDs, 5)

	// The step as it was written before prepend_scheme.
	old := strings.Replace(smallJSON, `"prepend_scheme": "always", "split": true}]}`, `"add_prefix_space": true, "str_rep": "▁"}]}`, 1)
	_, err = FromJSON([]byte(old))
	assert.NoError(t, err)
}

// TestGrowth checks that normalization stops with an error before a file that makes texts grow uses up the memory.
func TestGrowth(t *testing.T) {
	step := `{"type": "Replace", "pattern": {"String": "a"}, "content": "` + strings.Repeat("a", 200) + `"}`
	tok, err := FromJSON([]byte(strings.Replace(smallJSON, `{"type": "Strip", "strip_left": true, "strip_right": true}`, step+","+step+","+step+","+step, 1)))
	require.NoError(t, err)
	var e encoded
	text := strings.Repeat("a", 10_000)
	assert.ErrorIs(t, e.of(tok, text, SpecialText), errGrowth)
	_, _, err = framed(tok, engine.Sequencer{}, "", text)
	assert.ErrorIs(t, err, errGrowth)
	m, err := ForModel(tok)
	require.NoError(t, err)
	_, err = m.(tokenizer.WordTokenizer).AppendWords(nil, []string{text}, false)
	assert.ErrorIs(t, err, errGrowth)
	_, err = tok.AppendIDs(nil, text, SpecialText)
	assert.ErrorIs(t, err, errGrowth)
	_, err = tok.Pieces(text, SpecialText)
	assert.ErrorIs(t, err, errGrowth)
	assert.Empty(t, tok.Normalize(text))
	_, err = tok.AppendIDs(nil, "b", SpecialText)
	assert.NoError(t, err, "the error does not stay")

	// A character map with one entry: "a" becomes 250 bytes. The array is the root (children at 0^'a'), the unit of
	// 'a' (followed by a leaf) and the leaf with the text's offset 0.
	units := make([]byte, 4*256)
	put := func(i int, v uint32) { binary.LittleEndian.PutUint32(units[4*i:], v) }
	put('a', uint32('a')|1<<8|1<<10)
	put('a'^1, 1<<31)
	blob := append(binary.LittleEndian.AppendUint32(nil, uint32(len(units))), units...)
	blob = append(blob, strings.Repeat("b", 250)+"\x00"...)
	spm := wire(nil).bytes(1, piece("<unk>", pieceUnknown)).bytes(1, piece("b", pieceNormal)).bytes(3, wire(nil).bytes(2, blob))
	tok, err = FromSPM(spm, SPMOptions{})
	require.NoError(t, err)
	assert.Equal(t, "▁"+strings.Repeat("b", 250)+"c", tok.Normalize("ac"))
	assert.ErrorIs(t, e.of(tok, text, SpecialText), errGrowth)
}

func TestFromJSONErrors(t *testing.T) {
	for _, x := range []struct{ old, new, want string }{
		{`"version"`, `"verzion"`, "verzion: unknown (supported here: version, truncation"},
		{`"1.0"`, `"2.0"`, `version: "2.0" is not supported (supported: 1.0)`},
		{`"type": "Unigram"`, `"type": "WordLevel"`, `model.type: "WordLevel" is not supported (supported: Unigram, BPE, WordPiece)`},
		{`"unk_id": 0`, `"unk_id": null`, "model.unk_id: want a whole number from 0 to 3"},
		{`"unk_id": 0`, `"unk_id": 4`, "model.unk_id: want a whole number"},
		{`["b", -2e0]`, `["b"]`, "model.vocab: want an array of [piece, score]"},
		{`["b", -2e0]`, `["b", null]`, "model.vocab: want an array of [piece, score]"},
		{`["b", -2e0]`, `["", -2]`, "model.vocab[3]: a piece of 0 bytes"},
		{`["b", -2e0]`, `["b", 1e99]`, "model.vocab[3]"},
		{`["b", -2e0]`, `["` + strings.Repeat("b", MaxPieceBytes+1) + `", 0]`, "model.vocab[3]"},
		{`"byte_fallback": false`, `"byte_fallback": 1`, "model.byte_fallback: want true or false"},
		{`"byte_fallback": false`, `"dropout": 0.1`, "model.dropout: unknown"},
		{`"type": "Strip"`, `"type": "Nmt"`, `normalizer.normalizers[0].type: normalizer "Nmt" is not supported (supported: Sequence`},
		{`"strip_left": true`, `"strip_left": "yes"`, "normalizer.normalizers[0].strip_left"},
		{`"strip_left": true`, `"strip_both": true`, "normalizer.normalizers[0].strip_both: unknown"},
		{`{"Regex": " {2,}"}`, `{"Regex": "(a|b)c"}`, "normalizer.normalizers[1].pattern.Regex: the regular expression"},
		{`{"Regex": " {2,}"}`, `{}`, "normalizer.normalizers[1].pattern: want one of String, Regex"},
		{`{"Regex": " {2,}"}`, `{"String": ""}`, "normalizer.normalizers[1].pattern.String"},
		{`"content": " "}]}`, `"content": "` + strings.Repeat("x", maxReplacement+1) + `"}]}`,
			"normalizer.normalizers[1].content: 256 bytes are not supported"},
		{`"type": "Punctuation"`, `"type": "Digits"`, `pre_tokenizer.pretokenizers[0].type: pre-tokenizer "Digits"`},
		{`"Isolated"`, `"Glued"`, `pre_tokenizer.pretokenizers[0].behavior: "Glued" is not supported`},
		{`"replacement": "▁", "prepend_scheme": "always", "split": true}]}`, `"replacement": "__"}]}`,
			"pre_tokenizer.pretokenizers[1].replacement: want one character"},
		{`"prepend_scheme": "always", "split": true}]}`, `"prepend_scheme": "always", "add_prefix_space": false}]}`,
			"pre_tokenizer.pretokenizers[1].add_prefix_space"},
		{`"prepend_scheme": "always", "split": true}]}`, `"prepend_scheme": "sometimes"}]}`, "pre_tokenizer.pretokenizers[1].prepend_scheme"},
		{`"TemplateProcessing"`, `"GlueProcessing"`, `post_processor.type: "GlueProcessing" is not supported (supported: TemplateProcessing, ` +
			`BertProcessing, RobertaProcessing`},
		{`"ids": [1]`, `"ids": [77]`, "post_processor.special_tokens.[CLS].ids[0]: want a whole number from 0 to 4"},
		{`{"SpecialToken": {"id": "[CLS]"`, `{"SpecialToken": {"id": "[ABC]"`, `post_processor.single[0].SpecialToken.id: "[ABC]" is not among special_tokens`},
		{`{"Sequence": {"id": "B", "type_id": 1}}`, `{"Sequence": {"id": "A", "type_id": 1}}`, "post_processor.pair[1].Sequence.id"},
		{`, {"Sequence": {"id": "B", "type_id": 1}}`, ``, "post_processor.pair: want each of [A B] once"},
		{`"decoder": {"type": "Metaspace"`, `"decoder": {"type": "CTC"`, `decoder.type: decoder "CTC" is not supported`},
		{`"content": "[MASK]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false`,
			`"content": "\n", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true`,
			`added token "\n" (id 4) becomes the empty text when it is normalized`},
		{`"content": "[MASK]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false`,
			`"content": " [UNK]", "single_word": false, "lstrip": false, "rstrip": false, "normalized": true`,
			`are looked for as the same text "[UNK]", and the reference library takes one of them at random`},
		{`"id": 4, "content": "[MASK]"`, `"id": 4, "content": "[UNK]"`, `added token "[UNK]" is given twice`},
		{`"id": 4, "content"`, `"id": 4.5, "content"`, "added_tokens[1].id: want a whole number"},
		{`"id": 4, "content": "[MASK]"`, `"id": 4, "content": ""`, "0 bytes"},
		{`"content": "[MASK]", "single_word": false`, `"content": "[MASK]"`, "added_tokens[1].single_word: want true or false"},
		{`"padding": null`, `"version": "1.0"`, "version: given twice"},
		{`"[MASK]"`, `"\ud800"`, "half of a surrogate pair"},
		{`"[MASK]"`, "\"\xff\"", "not valid UTF-8"},
		{`"1.0"`, `"1.0`, "tokenizer.json"},
	} {
		text := strings.Replace(smallJSON, x.old, x.new, 1)
		require.NotEqual(t, smallJSON, text, x.old)
		_, err := FromJSON([]byte(text))
		assert.ErrorContains(t, err, x.want, "%s -> %s", x.old, x.new)
	}
	for _, text := range []string{"", "{", "[]", "null", `"x"`, smallJSON + "x", smallJSON[:len(smallJSON)-2], strings.Repeat("[", 100), `{"model":` +
		strings.Repeat("[", 1_000_000)} {
		_, err := FromJSON([]byte(text))
		assert.Error(t, err)
	}
	_, err := FromJSON([]byte(strings.Replace(smallJSON, `"[MASK]"`, `"\ud83d\uDE00"`, 1)))
	assert.NoError(t, err, "a whole surrogate pair is a character")
}

// TestScores checks numbers as the reference reads them: with 17 or more digits, the result can differ from the nearest float64 in the last bit.
func TestScores(t *testing.T) {
	for text, want := range map[string]float64{
		"-13.393726348876953": -13.393726348876951, "-9.577546119689941": -9.57754611968994, "-7.0479016304016113": -7.047901630401611,
		"0": 0, "1": 1, "-2e0": -2, "1.5E+2": 150, "12345678901234567890123": 1.2345678901234568e+22, "-8.123456789012345678901234567": -8.123456789012346,
		"0.1": 0.1, "1e-7": 1e-7, "2.5e-310": 2.5e-310, "18446744073709551615.7": 1.8446744073709552e+19, "18446744073709551616.5": 1.8446744073709552e+19,
		"184467440737095516199e-11": 1844674407.3709552, "0.30000000000000004": 0.30000000000000004, "-0.000123456789123456789": -0.0001234567891234568,
		"1e-99999999999999999999": 0, "0e99999999999999999999": 0,
	} {
		assert.Equal(t, want, readScore([]byte(text)), text)
	}
}

// wire builds protocol buffer messages for the tests.
type wire []byte

func (w wire) varint(n int, v uint64) wire {
	return appendVarint(appendVarint(slices.Clone(w), uint64(n)<<3), v)
}

func (w wire) bytes(n int, b []byte) wire {
	return append(appendVarint(appendVarint(slices.Clone(w), uint64(n)<<3|wireBytes), uint64(len(b))), b...)
}

func appendVarint(b []byte, v uint64) []byte {
	for v >= 0x80 {
		b, v = append(b, byte(v)|0x80), v>>7
	}
	return append(b, byte(v))
}

func piece(text string, kind uint64) []byte {
	w := wire(nil).bytes(1, []byte(text))
	w = append(w, 2<<3|wire32, 0, 0, 0x80, 0xbf) // -1
	return w.varint(3, kind)
}

func TestFromSPMErrors(t *testing.T) {
	unk := wire(nil).bytes(1, piece("<unk>", pieceUnknown))
	good := unk.bytes(1, piece("a", pieceNormal)).bytes(1, piece("<s>", pieceControl)).bytes(1, piece("</s>", pieceControl))
	tok, err := FromSPM(good, SPMOptions{})
	require.NoError(t, err)
	assert.Equal(t, SpecialIDs{CLS: 2, SEP: 3, PAD: -1, MASK: 4, UNK: 0}, tok.Special())
	for want, b := range map[string][]byte{
		"is empty":                       nil,
		"none of type unknown":           wire(nil).bytes(1, piece("a", pieceNormal)),
		"both of type unknown":           unk.bytes(1, piece("<u>", pieceUnknown)),
		`pieces 1 and 2 are both "a"`:    unk.bytes(1, piece("a", pieceNormal)).bytes(1, piece("a", pieceUserDefined)),
		"its text has 0 bytes":           unk.bytes(1, piece("", pieceNormal)),
		"not valid UTF-8":                unk.bytes(1, piece("\xff", pieceNormal)),
		"its type is 7":                  unk.bytes(1, piece("a", 7)),
		"its score is NaN":               unk.bytes(1, append(piece("a", 1), 2<<3|wire32, 0, 0, 0xc0, 0x7f)),
		"are more than 1e+09":            good.bytes(1, append(piece("b", pieceNormal), 2<<3|wire32, 0, 0, 0, 0x4e)).bytes(1, piece("cc", pieceUserDefined)),
		"no piece is of type normal":     unk.bytes(1, piece("a", pieceUserDefined)),
		"byte_fallback is off":           good.bytes(1, piece("<0x00>", pieceByte)),
		`byte piece 4 is called "x"`:     good.bytes(1, piece("x", pieceByte)),
		"there are 0 byte pieces":        good.bytes(2, wire(nil).varint(35, 1)),
		"model_type is 2":                good.bytes(2, wire(nil).varint(3, 2)),
		"character map for decoded text": good.bytes(5, wire(nil).bytes(2, []byte("x"))),
		"precompiled_charsmap":           good.bytes(3, wire(nil).bytes(2, []byte("xyz"))),
		"field 9 is unknown":             good.varint(9, 1),
		"field 7 is unknown":             good.bytes(3, wire(nil).varint(7, 1)),
		"has wire type 0, want 2":        good.varint(1, 5),
		"wire type 3":                    append(append(wire(nil), good...), 1<<3|3),
		"only 2 are left":                append(append(wire(nil), good...), 1<<3|2, 9, 1, 1),
		"a number that does not end":     append(append(wire(nil), good...), 0xff),
		"field number 0":                 append(append(wire(nil), good...), 0, 0),
	} {
		_, err := FromSPM(b, SPMOptions{})
		assert.ErrorContains(t, err, want)
	}
	_, err = FromSPM(good, SPMOptions{SEP: "[NONE]"})
	assert.ErrorContains(t, err, `sep_token is "[NONE]"`)
	_, err = FromSPM(good, SPMOptions{Added: []AddedToken{{ID: 1, Content: "b"}}})
	assert.ErrorContains(t, err, `the vocabulary calls "a"`)
	_, err = FromSPM(good.bytes(2, wire(nil).varint(99, 1)).varint(300, 1), SPMOptions{})
	assert.NoError(t, err, "what the trainer noted, and extensions, change nothing")
}

func TestLoad(t *testing.T) {
	spm := readGolden(t, "spm_v3", "spm.model")
	file := readGolden(t, "spm_v3", "tokenizer.json")
	cfg := `{"do_lower_case": true, "split_by_punct": true, "cls_token": {"content": "[CLS]", "__type": "AddedToken"}, "sep_token": "[SEP]", ` +
		`"model_max_length": 512}`
	tok, err := Load(fstest.MapFS{"spm.model": {Data: spm}, "tokenizer_config.json": {Data: []byte(cfg)},
		"added_tokens.json": {Data: []byte(`{"[MASK]": 2000, "<x>": 2005}`)}})
	require.NoError(t, err)
	assert.Equal(t, "spm.model", tok.Form())
	assert.Equal(t, 2006, tok.Size())
	assert.Equal(t, SpecialIDs{CLS: 1, SEP: 2, PAD: 0, MASK: 2000, UNK: 3}, tok.Special())
	a, err := tok.AppendIDs(nil, "A,B", SpecialText)
	require.NoError(t, err)
	b, err := tok.AppendIDs(nil, "a , b", SpecialText)
	require.NoError(t, err)
	assert.Equal(t, a, b)

	tok, err = Load(fstest.MapFS{"spm.model": {Data: spm}, "tokenizer.json": {Data: file},
		"special_tokens_map.json": {Data: []byte(`{"mask_token": "[MASK]"}`)}})
	require.NoError(t, err)
	assert.Equal(t, "tokenizer.json", tok.Form())

	decoder := `{"added_tokens_decoder": {"2000": {"content": "[MASK]", "lstrip": true, "special": true}, "2001": {"content": "<<ENT>>", "special": true}}}`
	tok, err = Load(fstest.MapFS{"spm.model": {Data: spm}, "tokenizer_config.json": {Data: []byte(decoder)}})
	require.NoError(t, err)
	id, ok := tok.ID("<<ENT>>")
	assert.True(t, ok && id == 2001)

	for want, fsys := range map[string]fstest.MapFS{
		"neither tokenizer.json nor spm.model": {},
		"do_lower_case":                        {"spm.model": {Data: spm}, "tokenizer_config.json": {Data: []byte(`{"do_lower_case": 3}`)}},
		"cls_token":                            {"spm.model": {Data: spm}, "tokenizer_config.json": {Data: []byte(`{"cls_token": "[NONE]"}`)}},
		"mask_token":                           {"tokenizer.json": {Data: file}, "tokenizer_config.json": {Data: []byte(`{"mask_token": "[NONE]"}`)}},
		"added_tokens.json":                    {"spm.model": {Data: spm}, "added_tokens.json": {Data: []byte(`{"x": -1}`)}},
		"added_tokens_decoder.x":               {"spm.model": {Data: spm}, "tokenizer_config.json": {Data: []byte(`{"added_tokens_decoder": {"x": {}}}`)}},
		"cut short":                            {"spm.model": {Data: spm}, "tokenizer_config.json": {Data: []byte(`{`)}},
	} {
		_, err := Load(fsys)
		assert.ErrorContains(t, err, want)
	}
}

func TestDecoders(t *testing.T) {
	var doc map[string]any
	require.NoError(t, json.Unmarshal(readGolden(t, "spm_bytes", "tokenizer.json"), &doc))
	doc["decoder"] = json.RawMessage(`{"type":"Sequence","decoders":[{"type":"Replace","pattern":{"String":"▁"},"content":" ` +
		`"},{"type":"ByteFallback"},{"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]}`)
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	tok, err := FromJSON(b)
	require.NoError(t, err)
	ids, err := tok.AppendIDs(nil, "a \U0001f600 b", SpecialText)
	require.NoError(t, err)
	text, err := tok.Decode(ids, true)
	require.NoError(t, err)
	assert.Equal(t, "a \U0001f600 b", text)
	lead, _ := tok.ID("<0xF0>")
	text, err = tok.Decode([]int32{ids[0], lead, lead, ids[0]}, true)
	require.NoError(t, err)
	assert.Equal(t, "a\ufffd\ufffd a", text)

	delete(doc, "decoder")
	b, err = json.Marshal(doc)
	require.NoError(t, err)
	tok, err = FromJSON(b)
	require.NoError(t, err)
	text, err = tok.Decode(ids[:1], true)
	require.NoError(t, err)
	assert.Equal(t, "▁a", text)
}

// TestTemplatesAsFrames checks that a template that the runtime cannot follow is refused, unless the model gets no token types.
func TestTemplatesAsFrames(t *testing.T) {
	for _, x := range []struct{ old, new, want string }{
		{`{"id": "B", "type_id": 1}`, `{"id": "B", "type_id": 0}`, ""},
		{`"pair": [{"Sequence": {"id": "A", "type_id": 0}}`, `"pair": [{"Sequence": {"id": "A", "type_id": 1}}`,
			"the template for two texts: item 0 has token type 1, want 0"},
		{`{"id": "[CLS]", "type_id": 0}`, `{"id": "[CLS]", "type_id": 2}`, "the template for one text: item 0 has token type 2, want 0"},
		{`[{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]`,
			`[{"Sequence": {"id": "B", "type_id": 1}}, {"Sequence": {"id": "A", "type_id": 0}}]`, "its second text stands before the first"},
	} {
		changed := strings.Replace(smallJSON, x.old, x.new, 1)
		require.NotEqual(t, smallJSON, changed)
		tok, err := FromJSON([]byte(changed))
		require.NoError(t, err)
		_, err = ForModel(tok)
		if x.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, x.want)
		tok.noTypes = true
		_, err = ForModel(tok)
		assert.Equal(t, strings.Contains(x.want, "token type"), err == nil)
	}
}
