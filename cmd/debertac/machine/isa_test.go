package machine

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/cpu"
)

// TestISAsThatAreListedHaveKernels checks that messages about --isa list exactly the instruction sets that have kernels.
func TestISAsThatAreListedHaveKernels(t *testing.T) {
	_, err := cpu.ParseISA("nonsense")
	_, listed, found := strings.Cut(err.Error(), "there are: ")
	require.True(t, found, err)
	var have []string
	for _, k := range KernelSets() {
		have = append(have, k.ISA)
	}
	require.ElementsMatch(t, have, strings.Fields(strings.Trim(listed, "()")))
	require.NoError(t, CheckISA(""))
	require.NoError(t, CheckISA("go"))
	require.ErrorContains(t, CheckISA("nonsense"), "unknown instruction set")
	require.ErrorContains(t, CheckISA("avx512vnni"), "this version has no kernels for it")
}
