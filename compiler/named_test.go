package compiler_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec"
)

// TestNamedFormsHaveNames checks that, for a head whose tensors have no names, the compiler offers a form whose tensors have names, and that the fault is gone
// with that form.
func TestNamedFormsHaveNames(t *testing.T) {
	texts := 0
	for _, base := range []string{"deberta_base", "deberta_v3_base", "bert_base", "roberta_base", "deberta_v3_base { checkpoint hf.gliner }"} {
		for _, steps := range []string{
			`take first; linear 3 as labels("a", "b", "c"); loss cross_entropy`,
			`take mean; linear 1 as score; loss mean_squared_error`,
			`take words(max); lstm 4 both; linear 3 as labels("O", "B-X", "I-X"); crf; decode bio; loss cross_entropy`,
			`take each; norm; linear 2 as span; loss cross_entropy`,
			`take first; linear 1 as choices; loss cross_entropy`,
			`take masked; linear hidden; linear vocab tied embed.token; loss cross_entropy`,
			`take each + first; linear 1; loss binary_cross_entropy`,
			`take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy`,
			`take first; linear hidden; act; norm; linear 2`,
			`take words(mean); linear 4; prompt labels mark "a" end "b"; tokens start end inside`,
			`take words(mean); linear 4; lstm 3; prompt labels mark "a" end "b"; tokens start end inside`,
			`take each; linear 4`,
		} {
			if !strings.Contains(base, "{") {
				base += " { }"
			}
			model := "dspec 1\nmodel m like " + base + "\n"
			s, faults := spec.ParseAndResolve("m.dspec", []byte(model+"head h on m { "+steps+" }\n"))
			if s != nil {
				faults = compiler.NotYet(s)
			}
			for _, d := range faults {
				if d.Code != "checkpoint-scheme" {
					continue
				}
				texts++
				for _, offer := range strings.Split(d.Hint, ", or ") {
					changed := model + "head h on m { " + offer + " }\n"
					if layout, ok := strings.CutPrefix(offer, "checkpoint "); ok {
						at := strings.LastIndex(model, "{")
						changed = model[:at] + "{ checkpoint " + layout + " }\nhead h on m { " + steps + " }\n"
					}
					s, faults := spec.ParseAndResolve("m.dspec", []byte(changed))
					require.NotNil(t, s, "%s, offered for %s: %v", offer, steps, faults)
					for _, d := range compiler.NotYet(s) {
						require.NotEqual(t, "checkpoint-scheme", string(d.Code), "%s, offered for %s on %s: %v", offer, steps, base, d)
					}
				}
			}
		}
	}
	require.Greater(t, texts, 20)
}
