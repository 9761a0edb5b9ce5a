package token

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// TestAgree checks fields of tokenizer_config.json that contradict tokenizer.json. If transformers would follow them, they are
// errors that name the fields.
func TestAgree(t *testing.T) {
	const uncased, cased, roberta, unigram = "wordpiece_uncased", "wordpiece_cased", "bpe_roberta", "spm_v3"
	for _, x := range []struct {
		of, config string
		want       string // part of the error; "": no error
	}{
		{uncased, `{}`, ""},
		{uncased, `{"do_lower_case": true, "tokenizer_class": "BertTokenizer"}`, ""},
		{uncased, `{"do_lower_case": false}`, "do_lower_case is false, but tokenizer.json differs, and tokenizer_class BertTokenizer"},
		{uncased, `{"do_lower_case": false, "tokenizer_class": "PreTrainedTokenizerFast"}`, ""},
		{uncased, `{"strip_accents": false, "tokenizer_class": "BertTokenizerFast"}`, "strip_accents is false"},
		{uncased, `{"strip_accents": false}`, "strip_accents is false"},
		{uncased, `{"tokenize_chinese_chars": false}`, "tokenize_chinese_chars is false"},
		{cased, `{}`, "has no do_lower_case, which means true with tokenizer_class BertTokenizer"},
		{cased, `{"do_lower_case": false}`, ""},
		{cased, `{"tokenizer_class": "TokenizersBackend"}`, ""},
		{roberta, `{"add_prefix_space": true}`, "add_prefix_space is true"},
		{roberta, `{"tokenizer_class": "RobertaTokenizer", "add_prefix_space": false}`, ""},
		{roberta, `{"tokenizer_class": "GPT2Tokenizer"}`, "tokenizer_class is GPT2Tokenizer"},
		{unigram, `{"tokenizer_class": "DebertaV2Tokenizer", "do_lower_case": false, "split_by_punct": false}`, ""},
		{unigram, `{"tokenizer_class": "DebertaV2TokenizerFast", "do_lower_case": true}`, "do_lower_case is true"},
		{unigram, `{"split_by_punct": true}`, "split_by_punct is true"},
		{unigram, `{"unk_id": 0}`, "unk_id is 0, in tokenizer.json it is "},
		{unigram, `{"unk_id": -1}`, "want a whole number from 0"},
		{unigram, `{"unk_id": 0, "tokenizer_class": "PreTrainedTokenizerFast"}`, ""},
		{unigram, `{"tokenizer_class": "T5Tokenizer"}`, "tokenizer_class is T5Tokenizer"},
		{unigram, `{"tokenizer_class": "BertTokenizer"}`, "tokenizer_class is BertTokenizer, a class for WordPiece tokenizers, but the tokenizer in " +
			"tokenizer.json is of the kind unigram (classes for it: "},
		{unigram, `{"split_special_tokens": true}`, "tokenizer_config.json: split_special_tokens must be false"},
		{unigram, `{"add_special_tokens": false}`, "tokenizer_config.json: add_special_tokens must be true"},
		{unigram, `{"added_tokens_decoder": {"60": {"content": "qwertz"}}}`,
			`tokenizer_config.json: added_tokens_decoder.60 is the token "qwertz" with the id 60, which the tokenizer does not have`},
	} {
		_, err := Load(fstest.MapFS{"tokenizer.json": {Data: readGolden(t, x.of, "tokenizer.json")}, "tokenizer_config.json": {Data: []byte(x.config)}})
		if x.want == "" {
			require.NoError(t, err, "%s %s", x.of, x.config)
			continue
		}
		assert.ErrorContains(t, err, x.want, "%s %s", x.of, x.config)
	}
	_, err := Load(fstest.MapFS{"tokenizer.json": {Data: readGolden(t, unigram, "tokenizer.json")}, "added_tokens.json": {Data: []byte(`{"[MASK]": 5}`)}})
	require.Error(t, err)
	require.True(t, strings.HasPrefix(err.Error(), `added_tokens.json: [MASK] is the token "[MASK]" with the id 5, the tokenizer has it with the id `),
		err.Error())
}

// TestAddedFlags compares ids with those of transformers 4.57 and 5.24 where tokenizer_config.json and tokenizer.json have different flags for an added token.
// The flags of tokenizer_config.json count, and a token that only the vocabulary has becomes an added token.
func TestAddedFlags(t *testing.T) {
	const cased, roberta, unigram = "wordpiece_cased", "bpe_roberta", "spm_v3"
	mask := func(id, name, flags string) string {
		return `{"added_tokens_decoder": {"` + id + `": {"content": "` + name + `", ` + flags + `}}}`
	}
	text := map[string]string{cased: "the  [MASK]  fox x[MASK]y", roberta: "the  <mask>  fox x<mask>y", unigram: "the  [MASK]  fox x[MASK]y"}
	for _, x := range []struct {
		of, config, text string
		want             []int32
		note             string // the start of a note that reports it
	}{
		{roberta, `{}`, "", []int32{385, 1500, 224, 273, 82, 91, 1067, 1500, 92}, ""},
		{roberta, mask("1500", "<mask>", `"lstrip": true, "special": true`), "", []int32{385, 1500, 224, 273, 82, 91, 1067, 1500, 92}, ""},
		{roberta, mask("1500", "<mask>", `"lstrip": false, "special": true`), "", []int32{385, 286, 1500, 224, 273, 82, 91, 1067, 1500, 92},
			"tokenizer_config.json: added_tokens_decoder.1500.lstrip is false"},
		{roberta, mask("1500", "<mask>", `"lstrip": true, "rstrip": true, "special": true`), "", []int32{385, 1500, 1044, 91, 1067, 1500, 92},
			"tokenizer_config.json: added_tokens_decoder.1500.rstrip is true"},
		{roberta, mask("1500", "<mask>", `"lstrip": true, "single_word": true, "special": true`), "",
			[]int32{385, 1500, 224, 273, 82, 91, 1067, 31, 80, 1271, 33, 92}, "tokenizer_config.json: added_tokens_decoder.1500.single_word is true"},
		// flags in the object of mask_token do not count
		{roberta, `{"mask_token": {"__type": "AddedToken", "content": "<mask>", "lstrip": false, "rstrip": true, "normalized": false}}`, "",
			[]int32{385, 1500, 224, 273, 82, 91, 1067, 1500, 92}, ""},
		// a special token stays special
		{roberta, mask("1500", "<mask>", `"lstrip": true, "normalized": false, "special": false`), "", []int32{385, 1500, 224, 273, 82, 91, 1067, 1500, 92},
			""},
		{cased, `{"do_lower_case": false, ` + mask("4", "[MASK]", `"single_word": true, "special": true`)[1:], "",
			[]int32{483, 4, 74, 322, 331, 92, 63, 49, 276, 294, 286, 65, 93}, "tokenizer_config.json: added_tokens_decoder.4.single_word is true"},
		{cased, `{"do_lower_case": false, ` + mask("483", "the", `"normalized": false`)[1:], "other thex the", []int32{83, 483, 86, 483, 92, 483}, ""},
		{cased, `{"do_lower_case": false, ` + mask("483", "the", `"special": false`)[1:], "other thex the", []int32{83, 483, 86, 483, 92, 483}, ""},
		{cased, `{"do_lower_case": false, "additional_special_tokens": ["the"]}`, "other thex the", []int32{83, 483, 86, 483, 92, 483}, ""},
		{unigram, mask("2000", "[MASK]", `"single_word": true, "special": true`), "", []int32{6, 2000, 158, 41, 79, 418, 249, 230, 152, 145, 642, 109, 66},
			"tokenizer_config.json: added_tokens_decoder.2000.single_word is true"},
		{unigram, mask("2000", "[MASK]", `"lstrip": true, "rstrip": true, "special": true`), "", []int32{6, 2000, 158, 41, 79, 418, 2000, 4, 66},
			"tokenizer_config.json: added_tokens_decoder.2000.lstrip is true"},
		// a named token is special, so it is searched in the text before normalization
		{unigram, `{"mask_token": "[MASK]", ` + mask("2000", "[MASK]", `"lstrip": false`)[1:], "", []int32{6, 2000, 158, 41, 79, 418, 2000, 4, 66}, ""},
	} {
		if x.text == "" {
			x.text = text[x.of]
		}
		files := fstest.MapFS{"tokenizer.json": {Data: readGolden(t, x.of, "tokenizer.json")}, "tokenizer_config.json": {Data: []byte(x.config)}}
		tok, err := Load(files)
		require.NoError(t, err, x.config)
		var e encoded
		require.NoError(t, e.of(tok, x.text, SpecialTokens))
		assert.Equal(t, x.want, e.IDs, "%s %s", x.of, x.config)
		said := slices.ContainsFunc(tok.Notes(), func(n string) bool { return x.note != "" && strings.HasPrefix(n, x.note) })
		assert.Equal(t, x.note != "", said, "%s: %q", x.config, tok.Notes())
		// The packed tokenizer returns the same ids.
		packed, err := tok.Marshal()
		require.NoError(t, err)
		again, err := Unmarshal(packed)
		require.NoError(t, err)
		require.NoError(t, e.of(again, x.text, SpecialTokens))
		assert.Equal(t, x.want, e.IDs, "packed: %s %s", x.of, x.config)
	}
	_, err := Load(fstest.MapFS{"tokenizer.json": {Data: readGolden(t, unigram, "tokenizer.json")},
		"tokenizer_config.json": {Data: []byte(mask("2000", "[MASK]", `"normalized": true, "special": true`))}})
	var field *FieldError
	require.ErrorAs(t, err, &field)
	require.Equal(t, "added_tokens_decoder.2000.normalized", field.Field)
	require.True(t, field.CanIgnore)
}

// TestHiddenFields checks that tokenizer.json decides what a hidden field would have decided, even if an absent field means something else.
func TestHiddenFields(t *testing.T) {
	cased := readGolden(t, "wordpiece_cased", "tokenizer.json")
	for _, x := range []struct{ config, field, without string }{
		{`{"tokenizer_class": "BertTokenizer", "do_lower_case": true}`, "do_lower_case", `{"tokenizer_class": "BertTokenizer"}`},
		{`{"tokenizer_class": "BertTokenizer"}`, "tokenizer_class", `{}`},
		{`{"tokenizer_class": "T5Tokenizer", "do_lower_case": false}`, "tokenizer_class", `{"do_lower_case": false}`},
		{`{}`, "", ""},
		{`{"do_lower_case": "no"}`, "do_lower_case", `{}`},
		{`{"do_lower_case": false, "add_special_tokens": false}`, "add_special_tokens", `{"do_lower_case": false}`},
		{`{"do_lower_case": false, "cls_token": "<cls>"}`, "cls_token", `{"do_lower_case": false}`},
		{`{"do_lower_case": false, "added_tokens_decoder": {"7": {"content": "qwertz"}}}`, "added_tokens_decoder.7",
			`{"do_lower_case": false, "added_tokens_decoder": {}}`},
	} {
		files := fstest.MapFS{"tokenizer.json": {Data: cased}, "tokenizer_config.json": {Data: []byte(x.config)}}
		_, err := Load(files)
		var field *FieldError
		require.ErrorAs(t, err, &field, x.config)
		require.Equal(t, FieldError{"tokenizer_config.json", x.field, field.Reason, true}, *field)
		if delete(files, "tokenizer_config.json"); x.without != "" {
			files["tokenizer_config.json"] = &fstest.MapFile{Data: []byte(x.without)}
		}
		_, err = LoadWithout(files, func(f string) bool { return x.field == "" || f == x.field })
		require.NoError(t, err, x.config)
	}
}

// TestNamesAgree checks names of special tokens that contradict another file or the template. LoadWithout can leave out the field that the error names.
func TestNamesAgree(t *testing.T) {
	data := readGolden(t, "spm_v3", "tokenizer.json")
	const mask, swapped = `{"mask_token": "[MASK]"}`, `{"cls_token":"[SEP]","sep_token":"[CLS]"}`
	for _, x := range []struct{ special, config, file, field, reason string }{
		{`{"mask_token":"[CLS]"}`, mask, specialFile, "mask_token", `is "[CLS]", but tokenizer_config.json has "[MASK]"`},
		{`{"mask_token":"[PAD]"}`, "", specialFile, "mask_token", `is "[PAD]", which is also the tokenizer's pad_token`},
		{`{"pad_token":"[MASK]"}`, mask, specialFile, "pad_token", `is "[MASK]", which is also the tokenizer's mask_token`},
		{`{"bos_token":"[PAD]"}`, `{"bos_token":"[CLS]"}`, specialFile, "bos_token", `is "[PAD]", but tokenizer_config.json has "[CLS]"`},
		{swapped, "", specialFile, "cls_token", `is "[SEP]", but texts begin with "[CLS]" by the tokenizer's own template`},
		{"", `{"sep_token":"[CLS]"}`, configFile, "sep_token", `is "[CLS]", but texts end with "[SEP]"`},
		{"", `{"tokenizer_class":"DebertaV2Tokenizer",` + swapped[1:], configFile, "cls_token", `is "[SEP]", but texts begin with "[CLS]"`},
		{`{"mask_token":{"content":"[MASK]","lstrip":true},"cls_token":"[CLS]","sep_token":"[SEP]","pad_token":"[PAD]","unk_token":"[UNK]"}`, mask, "", "", ""},
		{`{"mask_token":null}`, mask, "", "", ""},
	} {
		files := fstest.MapFS{"tokenizer.json": {Data: data}}
		for name, text := range map[string]string{specialFile: x.special, configFile: x.config} {
			if text != "" {
				files[name] = &fstest.MapFile{Data: []byte(text)}
			}
		}
		_, err := Load(files)
		if x.file == "" {
			require.NoError(t, err)
			continue
		}
		for step := 0; step == 0 || err != nil && step < 3; step++ {
			var field *FieldError
			require.ErrorAs(t, err, &field, "%s %s", x.special, x.config)
			if step == 0 {
				require.Equal(t, FieldError{x.file, x.field, field.Reason, true}, *field)
				require.True(t, strings.HasPrefix(field.Reason, x.reason), field.Reason)
			}
			var all map[string]any
			require.NoError(t, json.Unmarshal(files[field.File].Data, &all))
			delete(all, field.Field)
			files[field.File].Data, err = json.Marshal(all)
			require.NoError(t, err)
			_, err = Load(files)
		}
		require.NoError(t, err, "%s %s", x.special, x.config)
	}
}

// TestFlagHints hides the field that the error for a flag names, and expects a tokenizer with the flags of tokenizer.json.
func TestFlagHints(t *testing.T) {
	data := strings.Replace(string(readGolden(t, "spm_v3", "tokenizer.json")),
		`"content":"[MASK]","single_word":false,"lstrip":false,"rstrip":false,"normalized":false`,
		`"content":"[MASK]","single_word":false,"lstrip":false,"rstrip":false,"normalized":true`, 1)
	require.Contains(t, data, `"normalized":true`)
	const token = `"content": "[MASK]", "special": true`
	for _, x := range []struct{ flags, field, reason, without string }{
		{token + `, "normalized": false`, "added_tokens_decoder.2000.normalized", `is false for the special token "[MASK]", tokenizer.json has true`,
			`{"added_tokens_decoder": {"2000": {` + token + `}}}`},
		{token, "added_tokens_decoder.2000", `has no normalized for the special token "[MASK]", which means false, but tokenizer.json has true`,
			`{"added_tokens_decoder": {}}`},
		{token + `, "normalized": true, "lstripp": true`, "added_tokens_decoder.2000.lstripp",
			"is not known (known for a token: content, single_word, lstrip, rstrip, normalized, special)", `{"added_tokens_decoder": {"2000": {` + token +
				`, "normalized": true}}}`},
		{token + `, "normalized": true, "LStrip": true`, "added_tokens_decoder.2000.LStrip", "is not known", `{"added_tokens_decoder": {"2000": {` + token +
			`, "normalized": true}}}`},
		{token + `, "normalized": true, "Content": "x"`, "added_tokens_decoder.2000.Content", "is not known", `{"added_tokens_decoder": {"2000": {` + token +
			`, "normalized": true}}}`},
	} {
		files := fstest.MapFS{"tokenizer.json": {Data: []byte(data)},
			"tokenizer_config.json": {Data: []byte(`{"added_tokens_decoder": {"2000": {` + x.flags + `}}}`)}}
		_, err := Load(files)
		var field *FieldError
		require.ErrorAs(t, err, &field, x.flags)
		require.Equal(t, FieldError{"tokenizer_config.json", x.field, field.Reason, true}, *field)
		require.True(t, strings.HasPrefix(field.Reason, x.reason), field.Reason)
		files["tokenizer_config.json"] = &fstest.MapFile{Data: []byte(x.without)}
		tok, err := LoadWithout(files, func(f string) bool { return f == x.field })
		require.NoError(t, err, x.flags)
		plain, err := FromJSON([]byte(data))
		require.NoError(t, err)
		require.Equal(t, plain.added, tok.added, x.flags)
		require.Empty(t, tok.Notes(), x.flags)
	}
	// A hidden flag has the value in tokenizer.json, not the default of an absent flag.
	files := fstest.MapFS{"tokenizer.json": {Data: []byte(strings.Replace(data, `"content":"[MASK]","single_word":false,"lstrip":false`,
		`"content":"[MASK]","single_word":false,"lstrip":true`, 1))},
		"tokenizer_config.json": {Data: []byte(`{"added_tokens_decoder": {"2000": {` + token + `, "normalized": true}}}`)}}
	for _, hide := range []bool{false, true} {
		tok, err := LoadWithout(files, func(f string) bool { return hide && f == "added_tokens_decoder.2000.lstrip" })
		require.NoError(t, err)
		i := slices.IndexFunc(tok.added, func(a AddedToken) bool { return a.Content == "[MASK]" })
		require.Equal(t, hide, tok.added[i].LStrip)
	}
	// Objects that name special tokens have the same fields.
	for config, name := range map[string]string{
		`{"mask_token": {"content": "[MASK]", "zzz": 1}}`:                  "mask_token.zzz",
		`{"mask_token": {"content": "[MASK]", "__type": "Other"}}`:         "mask_token",
		`{"additional_special_tokens": [{"content": "[MASK]", "zzz": 1}]}`: "additional_special_tokens",
		`{"extra_special_tokens": {"a": {"content": "[MASK]", "zzz": 1}}}`: "extra_special_tokens.a.zzz",
	} {
		_, err := Load(fstest.MapFS{"tokenizer.json": files["tokenizer.json"], "tokenizer_config.json": {Data: []byte(config)}})
		var field *FieldError
		require.ErrorAs(t, err, &field, config)
		require.Equal(t, FieldError{"tokenizer_config.json", name, field.Reason, true}, *field)
	}
}
