package codegen

import (
	"slices"
	"testing"

	"github.com/dave/jennifer/jen"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
)

// TestLowerings compares the tables with the ops. Each row belongs to an op, or to a family that an op names. Each op that has kernels, or that a class lowers,
// has a lowering and a portable form.
func TestLowerings(t *testing.T) {
	var names []string
	for _, op := range ir.Ops() {
		names = append(append(names, op.Name), op.Kernels...)
		lower := lowerOf(&ir.Node{Op: op.Name})
		if len(op.Kernels) > 0 {
			require.NotNil(t, lower, "op %s has kernels", op.Name)
		}
		if op.Lower != nil {
			require.NotNil(t, lower, "op %s has a loop nest", op.Name)
		}
		for _, family := range op.Kernels {
			_, ok := kernel.FindFamily(family)
			require.True(t, ok, "op %s names the family %s", op.Name, family)
		}
	}
	for name := range lowerings {
		require.True(t, slices.Contains(names, name), "no op or family is called %s", name)
	}
}

// TestRaw checks that the packages that code given as text names are imported, and that fields and methods of the same names do not change.
func TestRaw(t *testing.T) {
	f := jen.NewFile("p")
	f.ImportName(enginePath, "engine")
	f.ImportName(attentionPath, "attention")
	f.Func().Id("f").Params().Block(raw(`e.engine.Do(engine.At(x, attention.Keys), "50")`), raw("e.strconv.%s()", "Itoa"))
	text, err := render(f)
	require.NoError(t, err)
	require.Contains(t, string(text), `e.engine.Do(engine.At(x, attention.Keys), "50")`)
	require.Contains(t, string(text), "e.strconv.Itoa()")
	require.Contains(t, string(text), attentionPath)
	require.NotContains(t, string(text), `"strconv"`)
}
