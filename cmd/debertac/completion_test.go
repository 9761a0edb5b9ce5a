package main

import (
	"testing"

	"github.com/alecthomas/kong"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/completion"
)

// freePlaceholders are the placeholders of flags whose values cannot be completed: numbers, and words of the user's own.
var freePlaceholders = map[string]bool{
	"N": true, "N,…": true, "K": true, "P": true, "X": true, "T": true, "SEED": true, "NUMBER": true, "PERCENT": true, "TOKENS": true, "SIZE": true,
	"DURATION": true, "RANK": true, "WORDS": true, "TASK=A,B;…": true, "P,R,F1": true,
	"TEXT": true, "QUESTION": true, "SENTENCE": true, "LABEL": true, "A,B": true, "A,B,…": true, "P,LABEL=P,…": true, "N,...": true, "ROUNDS": true,
	"NAME": true, "ROLE=NAME": true, "OLD=NEW": true, "TASK": true, "FIELD": true, "PATH": true, "V": true,
	"MODEL.HEAD=DIR": true, "128": true, "": true,
}

// TestCompletionIsWhole: whatever flag takes a value, that value is completed, or its placeholder is one of those that cannot be.
func TestCompletionIsWhole(t *testing.T) {
	parser, err := kong.New(newGrammar(), helpTexts())
	require.NoError(t, err)
	completed := 0
	for _, n := range parser.Model.Children {
		for _, group := range n.AllFlags(true) {
			for _, f := range group {
				if f.IsBool() {
					continue
				}
				if v := completion.FlagValues(f.Name, f.PlaceHolder, f.Enum); !v.Free() {
					completed++
					continue
				}
				assert.True(t, freePlaceholders[f.PlaceHolder], "%s --%s takes %q: name its values in valuesOfFlags, or count it among those that cannot be "+
					"completed", n.Name, f.Name, f.PlaceHolder)
			}
		}
		for _, w := range completion.ArgValues(n.Name, "", nil).Words {
			assert.NotContains(t, w, " ")
		}
	}
	require.Greater(t, completed, 50)
	for _, name := range []string{"index-kind", "score", "deberta_v3_base"} {
		assert.Contains(t, completion.Explained(), name)
	}
}
