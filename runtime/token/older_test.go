package token

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

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

func TestLoadOlder(t *testing.T) {
	file := func(folder, name string) *fstest.MapFile { return &fstest.MapFile{Data: readGolden(t, folder, name)} }
	text := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	deberta, roberta := file("bpe_deberta", "vocab.json"), file("bpe_roberta", "vocab.json")
	merges, cased := file("bpe_deberta", "merges.txt"), file("wordpiece_cased", "vocab.txt")
	type pair struct {
		encoded                  // of the first text
		sequence engine.Sequence // with "b" as second text
	}
	encode := func(tok *Tokenizer, s string) (e pair) {
		list, _, err := framed(tok, engine.Sequencer{Special: runtime.SpecialAsTokens}, s, "b")
		require.NoError(t, err)
		require.NoError(t, e.of(tok, s, SpecialTokens))
		e.sequence = list[0]
		return e
	}
	for _, x := range []struct {
		name string
		fsys fstest.MapFS
		form string
		like [2]string // the recorded tokenizer that it equals
	}{
		{"deberta by its names", fstest.MapFS{"vocab.json": deberta, "merges.txt": merges}, filesBPE, [2]string{"bpe_deberta", "json"}},
		{"roberta by its names", fstest.MapFS{"vocab.json": roberta, "merges.txt": merges}, filesBPE, [2]string{"bpe_roberta", "json"}},
		{"by class", fstest.MapFS{"vocab.json": roberta, "merges.txt": merges, "vocab.txt": cased,
			"tokenizer_config.json": text(`{"tokenizer_class": "RobertaTokenizerFast"}`)}, filesBPE, [2]string{"bpe_roberta", "json"}},
		{"by cls_token", fstest.MapFS{"vocab.json": roberta, "merges.txt": merges,
			"special_tokens_map.json": text(`{"cls_token": {"content": "<s>"}, "mask_token": {"content": "<mask>", "lstrip": true}}`)}, filesBPE,
			[2]string{"bpe_roberta", "json"}},
		{"cased", fstest.MapFS{"vocab.txt": cased, "tokenizer_config.json": text(`{"do_lower_case": false, "tokenizer_class": "BertTokenizer", ` +
			`"unk_token": "[UNK]"}`)}, "vocab.txt", [2]string{"wordpiece_cased", "json"}},
		{"uncased is the default", fstest.MapFS{"vocab.txt": file("wordpiece_uncased", "vocab.txt")}, "vocab.txt", [2]string{"wordpiece_uncased", "json"}},
	} {
		tok, err := Load(x.fsys)
		require.NoError(t, err, x.name)
		assert.Equal(t, x.form, tok.Form())
		assert.Empty(t, tok.Notes())
		want := loadGolden(t, x.like[0], x.like[1])
		assert.Equal(t, want.Special(), tok.Special(), x.name)
		for _, s := range []string{"Hällo,  [MASK] <mask> WORLD", " 中x"} {
			assert.Equal(t, encode(want, s), encode(tok, s), x.name)
		}
	}
	flags, err := Load(fstest.MapFS{"vocab.json": deberta, "merges.txt": merges,
		"tokenizer_config.json": text(`{"mask_token": {"content": "[MASK]", "lstrip": false, "rstrip": true}, "add_prefix_space": true}`)})
	require.NoError(t, err)
	assert.Equal(t, Span{2, 9}, encode(flags, "a [MASK] b").Offsets[2])
	// Ids from one file and flags from another, or no flags at all, which means those of the
	// published form.
	for _, x := range []struct {
		names string
		want  Span
	}{{`{}`, Span{1, 8}}, {`{"mask_token": "[M]"}`, Span{1, 5}}, {`{"mask_token": {"content": "[M]", "rstrip": true}}`, Span{2, 6}}} {
		name := "[MASK]"
		if strings.Contains(x.names, "[M]") {
			name = "[M]"
		}
		tok, err := Load(fstest.MapFS{"vocab.json": text(`{"[CLS]": 0, "[SEP]": 1, "a": 2, "Ġ": 3}`), "merges.txt": text(""),
			"added_tokens.json": text(`{"` + name + `": 9, "x": 7}`), "special_tokens_map.json": text(x.names)})
		require.NoError(t, err)
		e := encode(tok, "a "+name+" a")
		at := slices.Index(e.IDs, 9)
		require.Positive(t, at, x.names)
		assert.Equal(t, x.want, e.Offsets[at], x.names)
		assert.Equal(t, int32(9), tok.Special().MASK)
		assert.True(t, tok.IsSpecial(9) && !tok.IsSpecial(7))
	}
	accents, err := Load(fstest.MapFS{"vocab.txt": cased, "tokenizer_config.json": text(`{"strip_accents": false, "tokenize_chinese_chars": false}`)})
	require.NoError(t, err)
	assert.Equal(t, "é中x", accents.Normalize("É中X"))
}

// TestLoadOlderFaults checks the messages about folders that cannot be read, and the notes about those that contradict themselves.
func TestLoadOlderFaults(t *testing.T) {
	file := func(folder, name string) *fstest.MapFile { return &fstest.MapFile{Data: readGolden(t, folder, name)} }
	text := func(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }
	deberta, merges, cased := file("bpe_deberta", "vocab.json"), file("bpe_deberta", "merges.txt"), file("wordpiece_cased", "vocab.txt")
	spm := file("spm_v3", "spm.model")
	for want, fsys := range map[string]fstest.MapFS{
		"has vocab.json but no merges.txt":                                           {"vocab.json": deberta},
		"bpe_encoder.bin but neither":                                                {"bpe_encoder.bin": text("x")},
		"vocab.json and vocab.txt, and tokenizer_config.json has no tokenizer_class": {"vocab.json": deberta, "merges.txt": merges, "vocab.txt": cased},
		"tokenizer_class is DebertaV2Tokenizer, a unigram tokenizer, but the folder has vocab.txt, a WordPiece vocabulary": {"vocab.txt": cased,
			"tokenizer_config.json": text(`{"tokenizer_class": "DebertaV2Tokenizer"}`)},
		"tokenizer_class is BertTokenizerFast, a WordPiece tokenizer, but the folder has spm.model": {"spm.model": spm,
			"tokenizer_config.json": text(`{"tokenizer_class": "BertTokenizerFast"}`)},
		"do_basic_tokenize is false, which is not supported": {"vocab.txt": cased,
			"tokenizer_config.json": text(`{"do_basic_tokenize": false}`)},
		`unk_token is "<nope>", which is not in the vocabulary`: {"vocab.txt": cased,
			"special_tokens_map.json": text(`{"unk_token": "<nope>"}`)},
		`special_tokens_map.json: unk_token is "<nope>"`: {"spm.model": spm,
			"special_tokens_map.json": text(`{"unk_token": "<nope>"}`)},
		"and vocab.json has neither of the names": {"vocab.json": text(`{"a": 0}`),
			"merges.txt": text("")},
		"special_tokens_map.json: mask_token cannot be read: mask_token.content: want a string": {"vocab.txt": cased,
			"special_tokens_map.json": text(`{"mask_token": {"content": 1}}`)},
		"special_tokens_map.json: additional_special_tokens cannot be read: additional_special_tokens: want an array": {"vocab.txt": cased,
			"special_tokens_map.json": text(`{"additional_special_tokens": 1}`)},
	} {
		_, err := Load(fsys)
		assert.ErrorContains(t, err, want)
	}
	for want, fsys := range map[string]fstest.MapFS{
		`unk_token is "[CLS]", but the tokenizer writes "[UNK]"`: {"tokenizer.json": file("wordpiece_cased", "tokenizer.json"),
			"tokenizer_config.json": text(`{"do_lower_case": false}`), "special_tokens_map.json": text(`{"unk_token": "[CLS]"}`)},
		`bos_token names "<bos>", which is not in the vocabulary`: {"vocab.txt": cased,
			"special_tokens_map.json": text(`{"bos_token": "<bos>"}`)},
		`additional_special_tokens names "<e1>"`: {"vocab.txt": cased,
			"special_tokens_map.json": text(`{"additional_special_tokens": ["<e1>"]}`)},
		"tokenizer_config.json sets do_lower_case to true, but tokenizer.json differs": {"tokenizer.json": file("wordpiece_cased", "tokenizer.json"),
			"tokenizer_config.json": text(`{"do_lower_case": true, "tokenizer_class": "PreTrainedTokenizerFast"}`)},
		"sets strip_accents to false": {"tokenizer.json": file("wordpiece_uncased", "tokenizer.json"),
			"tokenizer_config.json": text(`{"strip_accents": false, "tokenizer_class": "TokenizersBackend"}`)},
		"tokenizer_config.json sets add_prefix_space to true": {"tokenizer.json": file("bpe_roberta", "tokenizer.json"),
			"tokenizer_config.json": text(`{"add_prefix_space": true, "tokenizer_class": "MyTokenizer"}`)},
	} {
		tok, err := Load(fsys)
		require.NoError(t, err)
		assert.Contains(t, strings.Join(tok.Notes(), "\n"), want)
	}
}
