package token

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/tokenizer"
)

// TestLowerCase compares the lower case with that of Python 3.11's str.lower.
func TestLowerCase(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "",
		"plain":                                  "plain",
		"The QUICK brown":                        "the quick brown",
		"\u0391\u03a3":                           "\u03b1\u03c2",
		"\u03a3\u0391\u03a3 \u03a3\u03a3 \u03a3": "\u03c3\u03b1\u03c2 \u03c3\u03c2 \u03c3",
		"\u0391\u03a3.":                          "\u03b1\u03c2.",
		"\u0391\u03a3.\u0391":                    "\u03b1\u03c3.\u03b1",
		"\u0391.\u03a3":                          "\u03b1.\u03c2",
		"\u0130stanbul":                          "i\u0307stanbul",
		"\u01c5ungla \u01c8":                     "\u01c6ungla \u01c9",
		"\u1e9e STRA\u1e9eE":                     "\u00df stra\u00dfe",
		"\u212a\u212b":                           "k\u00e5",
		"\u023a \u023e \u2c65":                   "\u2c65 \u2c66 \u2c65",
		"\u0391\u0301\u03a3\u0301":               "\u03b1\u0301\u03c2\u0301",
		"\u0391\u03a3'\u03a3":                    "\u03b1\u03c3'\u03c2",
		"\U00010400\U0001e900":                   "\U00010428\U0001e922",
		"\u00aa\u03a3":                           "\u00aa\u03c2",
		"1\u03a3":                                "1\u03c3",
		"\u0391\u03a3\u00ad":                     "\u03b1\u03c2\u00ad",
		"A\xffB\xe2\x82":                         "a\xffb\xe2\x82", // bytes that are not UTF-8 stay as they are
		strings.Repeat("\u0130", 40):             strings.Repeat("i\u0307", 40),
	} {
		got, stretches := lowerCase(text)
		require.Equal(t, want, got, "%q", text)
		from, to := back(stretches, 0, int32(len(got)))
		require.Equal(t, []int32{0, int32(len(text))}, []int32{from, to}, "%q", text)
	}
}

// TestLowerCasePlaces checks that places in the lower-cased text become places in the original text: whole characters, in order, without gaps.
func TestLowerCasePlaces(t *testing.T) {
	const text = "aİb\u212a\u023aΣ c"
	low, stretches := lowerCase(text)
	require.Equal(t, "ai\u0307bk\u2c65\u03c2 c", low)
	before := int32(0)
	for i, r := range low {
		from, to := back(stretches, int32(i), int32(i+len(string(r))))
		if r == '\u0307' { // the second half of İ stands for all of it
			require.Equal(t, "İ", text[from:to])
			continue
		}
		require.Equal(t, before, from)
		require.Contains(t, []string{string(r), "İ", "\u212a", "\u023a", "Σ"}, text[from:to])
		before = to
	}
	require.Equal(t, int32(len(text)), before)
}

// TestLowerTexts checks a model's tokenizer that lower-cases texts: it returns the tokens of the lower-cased text with places in the original
// text. The setting is packed with it, and the tokenizer itself does not change.
func TestLowerTexts(t *testing.T) {
	const vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nthe\nquick\nThe\n##s\nista\n"
	load := func(lower bool) *Tokenizer {
		tok, err := Load(fstest.MapFS{"vocab.txt": {Data: []byte(vocab)}, "tokenizer_config.json": {Data: []byte(`{"do_lower_case": false}`)}})
		require.NoError(t, err)
		if lower {
			tok.LowerTexts()
		}
		return tok
	}
	plain, err := ForModel(load(false))
	require.NoError(t, err)
	packed, err := load(true).Marshal()
	require.NoError(t, err)
	again, err := Unmarshal(packed)
	require.NoError(t, err)
	repacked, err := again.Marshal()
	require.NoError(t, err)
	require.Equal(t, packed, repacked)
	lower, err := ForModel(again)
	require.NoError(t, err)
	for _, special := range []bool{false, true} {
		want, err := plain.AppendIDs(nil, "the quick [sep] \u017d the", special)
		require.NoError(t, err)
		got, err := lower.AppendIDs(nil, "The QUICK [SEP] \u017d tHE", special)
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	ids, err := plain.AppendIDs(nil, "The", false)
	require.NoError(t, err)
	require.Equal(t, []int32{7}, ids)
	const text = "THE \u212aS İ the"
	spans, err := lower.(tokenizer.SpanTokenizer).AppendSpans(nil, text, false)
	require.NoError(t, err)
	var words []string
	for _, s := range spans {
		words = append(words, text[s.Start:s.End])
	}
	require.Equal(t, []string{"THE", "\u212aS", "İ", "the"}, words)
	var e encoded
	require.NoError(t, e.of(again, "The", SpecialText))
	require.Equal(t, []int32{7}, e.IDs)
}

// TestTokenTypes checks that second texts have type 0 if token_type_ids is not among the model's inputs. Without model_input_names, the class
// decides.
func TestTokenTypes(t *testing.T) {
	const vocab = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n"
	for config, want := range map[string]int32{
		`{}`: 1,
		`{"model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}`:                                         1,
		`{"model_input_names": ["input_ids", "attention_mask"]}`:                                                           0,
		`{"model_input_names": ["input_ids", "attention_mask"], "tokenizer_class": "BertTokenizer"}`:                       0,
		`{"tokenizer_class": "BertTokenizerFast"}`:                                                                         1,
		`{"tokenizer_class": "DistilBertTokenizer"}`:                                                                       0,
		`{"tokenizer_class": "TokenizersBackend"}`:                                                                         0,
		`{"tokenizer_class": "PreTrainedTokenizerFast"}`:                                                                   1,
		`{"tokenizer_class": "TokenizersBackend", "model_input_names": ["input_ids", "token_type_ids", "attention_mask"]}`: 1,
	} {
		tok, err := Load(fstest.MapFS{"vocab.txt": {Data: []byte(vocab)}, "tokenizer_config.json": {Data: []byte(config)}})
		require.NoError(t, err, config)
		packed, err := tok.Marshal()
		require.NoError(t, err)
		m, err := Open(PackedKind, packed)
		require.NoError(t, err)
		require.Equal(t, want, m.Frame().SecondType, config)
	}
	_, err := Load(fstest.MapFS{"vocab.txt": {Data: []byte(vocab)}, "tokenizer_config.json": {Data: []byte(`{"model_input_names": [1]}`)}})
	require.ErrorContains(t, err, "model_input_names")
}
