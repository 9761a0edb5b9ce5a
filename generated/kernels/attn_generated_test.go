package kernels

import (
	"bytes"
	"os"
	"testing"

	"github.com/debertac/debertac/codegen"
)

//go:generate go run ../../codegen/attentionset .

// TestAttentionGenerated makes the attention's Go files again, in memory, and
// finds files that are stale or missing.
func TestAttentionGenerated(t *testing.T) {
	for range 2 { // every generation must give the same text
		files, err := codegen.AttentionSamplePackage()
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range files {
			got, err := os.ReadFile(name)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s is stale or missing (%v); run: go generate ./generated/kernels", name, err)
			}
		}
	}
}
