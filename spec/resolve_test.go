package spec_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// read resolves a file of testdata and fails on any fault.
func read(t *testing.T, name string) *spec.Spec {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	f, faults := spec.Parse(name, text)
	require.Empty(t, diag.Render(faults, f.Sources(), diag.Style{}))
	s, faults := spec.Resolve(f)
	require.Empty(t, diag.Render(faults, f.Sources(), diag.Style{}))
	return s
}

func TestLanguagePage(t *testing.T) {
	s := read(t, "testdata/language.dspec")
	require.Len(t, s.Models, 12)
}
