package codegen_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestConstantsFillVectors checks that zeros follow the floats of a constant up to a whole vector, because kernels read whole vectors. What lies after a
// constant of another length can be a NaN.
func TestConstantsFillVectors(t *testing.T) {
	of := strings.NewReplacer("hidden = 16", "hidden = 19", "emit infer m.c", `emit train s as package "s"`).Replace(tiny)
	p := emit(t, "m.dspec", of+`"a", "b"); loss cross_entropy }
train s on m.c { batch 2 sequences; steps 9 steps; rate 1e-3; sift { noise 1e-2; step 1e-3; ascend 1; weight 4 } }
`)
	var ones []string
	for _, f := range p.Files {
		if f.Name != "constants.go" {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name, f.Text, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			list, ok := n.(*ast.CompositeLit)
			if !ok || list.Type.(*ast.ArrayType).Elt.(*ast.Ident).Name != "float32" {
				return true
			}
			require.Zero(t, len(list.Elts)%16, "%d floats", len(list.Elts))
			text := ""
			for _, e := range list.Elts {
				text += e.(*ast.BasicLit).Value + " "
			}
			ones = append(ones, text)
			return false
		})
	}
	require.Contains(t, ones, strings.Repeat("1.0 ", 19)+strings.Repeat("0.0 ", 13), "the gain of the norm in front of the perturbation")
}
