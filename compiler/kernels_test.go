package compiler_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
)

// TestKernelsAndOpsNameEachOther checks that every family that an op names is in the table of kernels, and that every family there is named by an op.
func TestKernelsAndOpsNameEachOther(t *testing.T) {
	named := map[string]bool{}
	for _, op := range ir.Ops() {
		for _, f := range op.Kernels {
			named[f] = true
			_, ok := kernel.FindFamily(f)
			require.True(t, ok, "op %s names the kernel family %s, which is not in the table", op.Name, f)
		}
	}
	for _, f := range kernel.Families() {
		if f.Name != "peak" && f.Name != "dropout" { // the one only measures the machine; the other replaces functions of package runtime/dropout
			require.True(t, named[f.Name], "no op names the kernel family %s", f.Name)
		}
	}
}
