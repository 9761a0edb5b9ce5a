package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
)

// Faults of --isa list just the instruction sets that there are kernels for.
func TestISAsThatAreListedHaveKernels(t *testing.T) {
	_, err := runtime.ParseISA("nonsense")
	_, listed, found := strings.Cut(err.Error(), "there are: ")
	require.True(t, found, err)
	var have []string
	for _, k := range kernelReports() {
		have = append(have, k.ISA)
	}
	require.ElementsMatch(t, have, strings.Fields(strings.Trim(listed, "()")))
	require.NoError(t, checkISA(""))
	require.NoError(t, checkISA("go"))
	require.ErrorContains(t, checkISA("nonsense"), "unknown instruction set")
	require.ErrorContains(t, checkISA("avx512bf16"), "this version has no kernels for it")
}
