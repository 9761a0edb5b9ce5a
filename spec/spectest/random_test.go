package spectest

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/debertac/debertac/spec"
)

// TestRandom draws specs until every kind of term has occurred with either sign. All specs must resolve without a fault.
func TestRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	seen := map[string]int{}
	for i := range 300 {
		text, name := Random(r)
		f, faults := spec.Parse("random.dspec", []byte(text))
		if len(faults) == 0 {
			var s *spec.Spec
			s, faults = spec.Resolve(f)
			if len(faults) == 0 && s.Target("t").Emit == nil {
				t.Fatalf("draw %d: nothing is emitted", i)
			}
		}
		if len(faults) > 0 {
			t.Fatalf("draw %d (%s): %v\n%s", i, name, faults, text)
		}
		for _, term := range []string{"q[i]·k[j]", "q[i]·kr[i-j]", "q[i]·kr[j-i]", "qr[i-j]·k[j]", "qr[j-i]·k[j]", "qr[i-j]·kr[i-j]", "qr[j-i]·kr[j-i]",
			"b[i-j]", "b[j-i]", "kr = k(rel)", "bias: no", "width", "bucket log",
			"conv", "from 2", "decoder emd", "take first", "take each;", "take each + first", "take masked", "take mean", "tied", "as span", "as score",
			"take words", "lstm", "both", "prompt labels", "labels after", "spans <=", "tokens start",
			"p[i]", "p[j]", "qr[i-j]·kr[j-i]", "sr[", "c[", "mask j <= i\n", "prefix[j]", "mix score", "mix weight"} {
			if strings.Contains(text, term) {
				seen[term]++
			}
		}
	}
	for term, n := range seen {
		if n < 5 {
			t.Errorf("%s occurs in %d of 300 draws only", term, n)
		}
	}
	if len(seen) != 40 {
		t.Errorf("only these occur at all: %v", seen)
	}
}
