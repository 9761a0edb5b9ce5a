package spec_test

import (
	"os"
	"testing"

	"github.com/debertac/debertac/spec"
)

// BenchmarkCheck measures the cost of `debertac check` on the description's examples.
func BenchmarkCheck(b *testing.B) {
	text, err := os.ReadFile("testdata/language.dspec")
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if s, faults := spec.ParseAndResolve("language.dspec", text); s == nil {
			b.Fatal(faults.Err())
		}
	}
}
