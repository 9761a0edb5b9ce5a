package compiler_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec/diag"
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

// TestTrainingIsNotYet checks that words of training that are not compiled are reported at their lines if a target emits the training, and that other targets
// compile as if the training were not there.
func TestTrainingIsNotYet(t *testing.T) {
	for _, c := range []struct{ head, words, want string }{
		{"rtd", "replace from m.mlm share embed.token; updates apart", "16:40: warning: embed.token has gradients of both models"},
	} {
		text := strings.NewReplacer("HEAD", c.head, "WORDS", c.words).Replace(trainings)
		inference := "target i { emit infer m." + c.head + " }\n"
		require.Empty(t, compiler.NotYet(resolved(t, text+inference)), c.words)
		_, faults, err := compiler.Compile(resolved(t, text+inference), compiler.Options{After: "build"})
		require.NoError(t, err)
		require.Empty(t, faults, c.words)

		var got []string
		for _, d := range compiler.NotYet(resolved(t, text+"target t { emit train t }\n")) {
			require.Equal(t, diag.Code("not-yet"), d.Code)
			require.Equal(t, diag.Warning, d.Severity)
			got = append(got, d.String())
		}
		require.Contains(t, strings.Join(got, "\n"), "test.dspec:"+c.want, c.words)
	}
}
