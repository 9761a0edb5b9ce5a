package token

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/engine"
)

// withoutSpecials returns a json tokenizer whose special tokens have names that no text contains. What is left are the
// ordinary pieces, which is what literal text may become.
func withoutSpecials(t *testing.T, file []byte) *Tokenizer {
	var doc map[string]any
	require.NoError(t, json.Unmarshal(file, &doc))
	model := doc["model"].(map[string]any)
	for i, a := range doc["added_tokens"].([]any) {
		name, other := a.(map[string]any)["content"].(string), fmt.Sprintf("\U0010fffd%d\U0010fffd", i)
		switch vocab := model["vocab"].(type) {
		case map[string]any:
			vocab[other] = vocab[name]
			delete(vocab, name)
			if model["unk_token"] == name {
				model["unk_token"] = other
			}
		case []any:
			for _, row := range vocab[:4] {
				if row := row.([]any); row[0] == name {
					row[0] = other
				}
			}
		}
	}
	doc["added_tokens"], doc["post_processor"] = nil, nil
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	tok, err := FromJSON(b)
	require.NoError(t, err)
	return tok
}

// TestLiteralText checks that, by default, no text becomes a special token, in either form: the ids are those of the
// ordinary pieces.
func TestLiteralText(t *testing.T) {
	for _, g := range goldens {
		t.Run(g[0]+"/"+g[1], func(t *testing.T) {
			tok := loadGolden(t, g[0], g[1])
			var plain *Tokenizer
			if g[1] != "spm" {
				file := "tokenizer.json"
				if g[1] != "json" && g[1] != "older" {
					file = "tokenizer_" + g[1] + ".json"
				}
				plain = withoutSpecials(t, readGolden(t, g[0], file))
			}
			texts := []string{"［ＣＬＳ］", "a［ＳＥＰ］ b", "[CLS]" + strings.Repeat("[SEP]", 50), "[[CLS]]", "[unk]", "Ｕ[UNK]", "▁[MASK]▁"}
			step, least := 1, 10
			if testing.Short() {
				step, least = 8, 2
			}
			for i, r := range readRecords(t, g[0], "encodings.jsonl.gz") {
				if i%step != 0 {
					continue
				}
				texts = append(texts, r.Text)
			}
			seen := 0
			sep, _ := tok.Piece(tok.Special().SEP)
			for _, text := range texts {
				text = strings.ReplaceAll(text, "[SEP]", sep)
				ids, err := tok.AppendIDs(nil, text, SpecialText)
				require.NoError(t, err)
				for _, id := range ids {
					if id != tok.Special().UNK { // a character that no piece contains
						assert.False(t, tok.IsSpecial(id), "%q became %d", text, id)
					}
				}
				if plain != nil {
					want, err := plain.AppendIDs(nil, text, SpecialTokens)
					require.NoError(t, err)
					require.Equal(t, want, ids, text)
				}
				taken, err := tok.AppendIDs(nil, text, SpecialTokens)
				require.NoError(t, err)
				if strings.Contains(text, sep) {
					seen++
					assert.Contains(t, taken, tok.Special().SEP, text)
					assert.NotEqual(t, taken, ids, text)
				}
				var e encoded
				require.NoError(t, e.of(tok, text, SpecialText))
				require.ElementsMatch(t, ids, e.IDs)
				list, _, err := framed(tok, engine.Sequencer{}, strings.ToValidUTF8(text, "?"))
				require.NoError(t, err)
				ends := list[0].IDs
				require.Equal(t, [2]int32{tok.Special().CLS, tok.Special().SEP}, [2]int32{ends[0], ends[len(ends)-1]})
			}
			assert.Greater(t, seen, least)
		})
	}
}

// TestTemplateTokensAreNoText checks that text does not become the tokens that the template puts around texts, even if
// the file does not call them special, or does not add them at all.
func TestTemplateTokensAreNoText(t *testing.T) {
	for name, change := range map[string]func(added []any) any{
		"not special": func(added []any) any {
			for _, a := range added {
				a.(map[string]any)["special"] = false
			}
			return added
		},
		"not added": func([]any) any { return nil },
	} {
		for _, folder := range []string{"spm_v3", "bpe_roberta", "wordpiece_cased"} {
			_, tok, err := variant(t, folder, func(doc map[string]any) {
				doc["added_tokens"] = change(doc["added_tokens"].([]any))
				if folder != "spm_v3" {
					doc["pre_tokenizer"].(map[string]any)["type"] = map[string]string{"bpe_roberta": "ByteLevel", "wordpiece_cased": "WhitespaceSplit"}[folder]
				}
			})
			require.NoError(t, err)
			flat, err := tok.Marshal()
			require.NoError(t, err)
			back, err := Unmarshal(flat)
			require.NoError(t, err)
			for _, tok := range []*Tokenizer{tok, back} {
				ids, err := tok.AppendIDs(nil, "a [SEP] [CLS] </s> <s> b", SpecialText)
				require.NoError(t, err)
				assert.NotContains(t, ids, tok.Special().SEP, "%s, %s", folder, name)
				assert.NotContains(t, ids, tok.Special().CLS, "%s, %s", folder, name)
			}
		}
	}
}

// TestFoldedSpecialName checks full-width letters, which the json form folds to a special token's name after the tokens
// were cut out. The reference then finds the name among the pieces. This tokenizer does so if special tokens are asked
// for, and never for literal text.
func TestFoldedSpecialName(t *testing.T) {
	tok := loadGolden(t, "spm_v3", "json")
	const text = "a［ＳＥＰ］"
	ids, err := tok.AppendIDs(nil, text, SpecialTokens)
	require.NoError(t, err)
	assert.Contains(t, ids, tok.Special().SEP)
	ids, err = tok.AppendIDs(nil, text, SpecialText)
	require.NoError(t, err)
	assert.NotContains(t, ids, tok.Special().SEP)
	back, err := tok.Decode(ids, true)
	require.NoError(t, err)
	assert.Equal(t, "a[SEP]", back)
}

func TestAddedTokenFlags(t *testing.T) {
	file := readGolden(t, "spm_v3", "tokenizer.json")
	var doc map[string]any
	require.NoError(t, json.Unmarshal(file, &doc))
	n := 2001
	var names []string
	add := func(content string, flags ...string) {
		a := map[string]any{"id": n, "content": content, "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": false}
		for _, f := range flags {
			a[f] = true
		}
		doc["added_tokens"] = append(doc["added_tokens"].([]any), a)
		n++
		names = append(names, content)
	}
	add("qword", "single_word")
	add("<l>", "lstrip")
	add("<r>", "rstrip")
	add("ﬁx", "normalized") // matched as "fix"
	add("<", "special")
	add("<long>", "special") // the longer one wins
	add("éé", "normalized", "rstrip")
	b, err := json.Marshal(doc)
	require.NoError(t, err)
	tok, err := FromJSON(b)
	require.NoError(t, err)
	for _, x := range []struct {
		text string
		want map[string]Span
	}{
		{"a qword b", map[string]Span{"qword": {2, 7}}},
		{"sqwordfish qwords _qword", map[string]Span{}},
		{"qword", map[string]Span{"qword": {0, 5}}},
		{"-qword.", map[string]Span{"qword": {1, 6}}},
		{"a  <l> b", map[string]Span{"<l>": {1, 6}}},
		{"a <r>  b", map[string]Span{"<r>": {2, 7}}},
		{"a fix b ", map[string]Span{"ﬁx": {2, 5}}},
		{"prefix", map[string]Span{"ﬁx": {3, 6}}},
		{"x<long>y", map[string]Span{"<long>": {1, 7}}},
		{"x<lon", map[string]Span{"<": {1, 2}}},
		{"<r> <l>", map[string]Span{"<r>": {0, 4}, "<l>": {4, 7}}},
		{"e\u0301e\u0301  !", map[string]Span{"éé": {0, 8}}},
	} {
		var e encoded
		require.NoError(t, e.of(tok, x.text, SpecialTokens))
		got := map[string]Span{}
		for i, id := range e.IDs {
			if name, _ := tok.Piece(id); slices.Contains(names, name) {
				got[name] = e.Offsets[i]
			}
		}
		assert.Equal(t, x.want, got, x.text)
	}
	ids, err := tok.AppendIDs(nil, "x<long> qword", SpecialText)
	require.NoError(t, err)
	long, _ := tok.ID("<long>")
	word, _ := tok.ID("qword")
	assert.NotContains(t, ids, long)
	assert.Contains(t, ids, word, "an added token that is not special is ordinary vocabulary")
}
