package gopackage

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec/diag"
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

// TestUnitsOfEqualSpecsAreOne checks that equal specs in two folders have one description, so that one program is built for all runs of a training.
func TestUnitsOfEqualSpecsAreOne(t *testing.T) {
	describe := func(file string) string {
		var b bytes.Buffer
		at := diag.Span{File: file, Line: 2, Col: 5, EndCol: 9}
		require.NoError(t, Describe(&b, &ir.Program{Name: "m", File: file, Regions: []*ir.Region{{Name: "r", Pos: at}}}))
		return b.String()
	}
	require.Equal(t, describe("a/model.dspec"), describe("b/model.dspec"))
	require.NotEqual(t, describe("a/model.dspec"), describe("a/other.dspec"))
}
