package gopackage

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
)

// TestUnitsAreDescribedByTheirContent checks that a program's description depends on its content, and not on addresses in memory.
func TestUnitsAreDescribedByTheirContent(t *testing.T) {
	describe := func(mark string) string {
		var b bytes.Buffer
		u := &ir.Program{Name: "m", Meta: ir.Meta{Prompt: &ir.Prompt{Mark: mark}}}
		require.NoError(t, Describe(&b, u))
		return b.String()
	}
	require.Equal(t, describe("<<ENT>>"), describe("<<ENT>>"))
	require.NotEqual(t, describe("<<ENT>>"), describe("[E]"))
}
