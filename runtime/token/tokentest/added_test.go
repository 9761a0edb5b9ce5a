package tokentest

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/token"
)

// TestAddedTokens compares random added tokens, over each kind of model, with what the reference does with them, as
// recorded by testdata/added.py. Some include white space and overlap there. Some are normalized to what a word is, to a
// prefix of one another or to white space. Some are in the vocabulary, and some have wrong ids in the file.
func TestAddedTokens(t *testing.T) {
	needTestdata(t)
	f, err := os.Open("../testdata/added.jsonl.gz")
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	s := bufio.NewScanner(z)
	s.Buffer(nil, 1<<24)
	tokenizers, encodings, faults, renumbered := 0, 0, 0, 0
	for n := 0; s.Scan(); n++ {
		if testing.Short() && n%6 != 0 {
			continue
		}
		var line struct {
			Folder    string
			Added     json.RawMessage `json:"added_tokens"`
			Encodings []Record
		}
		require.NoError(t, json.Unmarshal(s.Bytes(), &line))
		tok := withAdded(t, line.Folder, line.Added)
		tokenizers++
		if len(tok.Notes()) > 0 {
			renumbered++
		}
		c, err := newComparer(tok)
		require.NoError(t, err)
		for _, r := range line.Encodings {
			encodings++
			if r.Error != "" {
				faults++
			}
			assert.NoError(t, c.check(&r), "%s with %s: %q", line.Folder, line.Added, r.Text)
		}
	}
	require.NoError(t, s.Err())
	if testing.Short() {
		assert.Equal(t, 20, tokenizers)
		return
	}
	assert.Equal(t, 120, tokenizers)
	assert.Equal(t, 1200, encodings)
	assert.NotZero(t, faults, "a text on which the reference fails")
	assert.Greater(t, renumbered, 20)
}

// withAdded opens a recorded tokenizer with other added tokens.
func withAdded(t *testing.T, folder string, added json.RawMessage) *token.Tokenizer {
	around, ok := withoutAdded[folder]
	if !ok {
		b, err := os.ReadFile("../testdata/" + folder + "/tokenizer.json")
		require.NoError(t, err)
		var doc map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(b, &doc))
		doc["added_tokens"] = json.RawMessage(`"here"`)
		b, err = json.Marshal(doc)
		require.NoError(t, err)
		around[0], around[1], ok = bytes.Cut(b, []byte(`"added_tokens":"here"`))
		require.True(t, ok)
		withoutAdded[folder] = around
	}
	tok, err := token.FromJSON(slices.Concat(around[0], []byte(`"added_tokens":`), added, around[1]))
	require.NoError(t, err)
	return tok
}

// withoutAdded holds what stands before and after the added tokens in a tokenizer.json, by folder.
var withoutAdded = map[string][2][]byte{}
