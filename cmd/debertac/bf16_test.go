package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/fault"
)

// TestWeightsOfAnotherFormat checks the messages for float32 weights that a program of bfloat16 opens, and for the reverse.
func TestWeightsOfAnotherFormat(t *testing.T) {
	t.Setenv(cache.Env, t.TempDir())
	dir := t.TempDir()
	half, plain := filepath.Join(dir, "half.dspec"), filepath.Join(dir, "plain.dspec")
	for _, spec := range []string{half, plain} {
		_, errs, code := interpreted([]string{"import", exampleOf("classify"), "--name", "m", "-o", spec})
		require.Equal(t, fault.ExitDone, code, errs)
	}
	text, err := os.ReadFile(half)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(half, append(text, "\ntarget half {\n    weights bf16\n}\n"...), 0o666))
	for _, spec := range []string{half, plain} {
		_, errs, code := interpreted([]string{"pack", exampleOf("classify"), "--spec", spec, "-o", spec + ".weights"})
		require.Equal(t, fault.ExitDone, code, errs)
	}
	for spec, other := range map[string]string{half: plain, plain: half} {
		_, errs, code := interpreted([]string{"build", spec, "--embed", "--weights", other + ".weights", "-o", filepath.Join(dir, "program")})
		require.Equal(t, fault.ExitInput, code, errs)
		require.Contains(t, errs, "the weights are packed in another number format")
	}
}
