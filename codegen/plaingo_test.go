package codegen_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/spectest"
)

// TestWarningsOfPlainGo checks that the compiler warns of an attention in plain Go if and only if no assembly is generated for it.
func TestWarningsOfPlainGo(t *testing.T) {
	wide := strings.NewReplacer("isa go;", "", "hidden = 16; dim heads = 1", "hidden = 272; dim heads = 1").Replace(tiny) + `"a", "b") }`
	texts := []string{wide, strings.Replace(wide, "hidden = 272", "hidden = 256", 1)}
	r := rand.New(rand.NewPCG(41, 43))
	drawn := 12
	if testing.Short() {
		drawn = 3
	}
	for range drawn {
		text, _ := spectest.Random(r)
		texts = append(texts, text)
	}
	warned, assembled := 0, 0
	for _, text := range texts {
		s, faults := spec.ParseAndResolve("m.dspec", []byte(text))
		require.Empty(t, faults, text)
		var portable diag.List
		for _, d := range compiler.NotYet(s) {
			if d.Code == "portable" {
				portable = append(portable, d)
			}
		}
		units, faults, err := compiler.Compile(s, compiler.Options{})
		require.NoError(t, err, text)
		require.Empty(t, faults, text)
		p, err := codegen.Emit(units[0].Program)
		require.NoError(t, err, text)
		assembly := false
		for _, f := range p.Files {
			assembly = assembly || strings.HasSuffix(f.Name, ".s") && strings.Contains(string(f.Text), "·attn_")
		}
		require.Equal(t, assembly, len(portable) == 0, "%v\n%s", portable, text)
		if assembly {
			assembled++
		} else {
			warned++
		}
	}
	require.Positive(t, warned)
	require.Positive(t, assembled)
}
