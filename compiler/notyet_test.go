package compiler_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
)

// trainings is a model with heads to train; tests replace HEAD and WORDS.
var trainings = smallModel("m", "checkpoint own") + `model ar like m { encoder.attention.mask j <= i }
head tag on m { take each; linear 2 as labels("a", "b"); loss cross_entropy }
head mlm on m { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head next on ar { take each; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head rtd on m { take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy }
head names on m { take words(first); prompt labels mark "a" end "b"; spans <= 3 markers; loss binary_cross_entropy }
head near on m { take mean; loss contrastive }
train t on m.HEAD {
	batch 8 sequences; epochs 1; rate 1e-3
	WORDS
}
`

// TestEveryWordOfTraining checks that a target can emit a training with each word of the language, without warnings.
func TestEveryWordOfTraining(t *testing.T) {
	for _, c := range []struct{ head, words string }{
		{"names", "negatives 1 from batch"},
		{"names", "smooth 0.1"},
		{"mlm", "mask 15 % of words"},
		{"mlm", "mask 15 % runs <= 2"},
		{"mlm", "also ar.next share all"},
		{"mlm", "precision bf16"},
		{"mlm", "optimizer lamb(decay: 0.1); lookahead 2 steps mix 0.1; freeze embed, encoder[1]"},
		{"rtd", "replace from m.mlm"},
		{"rtd", "replace from m.mlm share embed.token"},
		{"rtd", "replace from m.mlm share embed.token; updates apart"},
		{"rtd", "replace from m.mlm share embed.token stopping gradient; weight 10"},
		{"tag", "sift { }"},
		{"tag", "weigh labels 1 2; lora q, v rank 2"},
		{"near", "clip 1; memory <= 100 MiB"},
	} {
		text := strings.NewReplacer("HEAD", c.head, "WORDS", c.words).Replace(trainings)
		s := resolved(t, text+"target t { emit train t }\n")
		require.Empty(t, compiler.NotYet(s), c.words)
		units, faults, err := compiler.Compile(s, compiler.Options{})
		require.NoError(t, err)
		require.Empty(t, faults, c.words)
		require.NotEmpty(t, units[0].Program.Training.Updates, c.words)
	}
}
