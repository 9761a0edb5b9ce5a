package kernels

import (
	"bytes"
	"os"
	"testing"

	"github.com/debertac/debertac/codegen"
)

//go:generate go run ../../codegen/attentionset .

// TestAttentionGenerated makes the portable forms of the attentions again, in memory, and compares them with the checked-in file.
func TestAttentionGenerated(t *testing.T) {
	for range 2 { // every generation must give the same text
		want, err := codegen.AttentionSampleFile()
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile("attn_generic.go")
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("attn_generic.go is stale or missing (%v); run: go generate ./generated/kernels", err)
		}
	}
}
