package token

import (
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
		{unigram, `{"tokenizer_class": "T5Tokenizer"}`, "tokenizer_class is T5Tokenizer"},
		{unigram, `{"tokenizer_class": "BertTokenizer"}`, "tokenizer_class is BertTokenizer, a WordPiece tokenizer"},
		{unigram, `{"split_special_tokens": true}`, "split_special_tokens: want false"},
		{unigram, `{"add_special_tokens": false}`, "add_special_tokens: want true"},
		{unigram, `{"added_tokens_decoder": {"60": {"content": "qwertz"}}}`, `added_tokens_decoder has the token "qwertz" with the id 60, which the tokenizer does not have`},
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
	require.True(t, strings.HasPrefix(err.Error(), `added_tokens.json has the token "[MASK]" with the id 5, the tokenizer has it with the id `), err.Error())
}
