package main

import (
	"os"
	"path/filepath"
	"strings"
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
	for spec, precision := range map[string]string{half: "bf16", plain: "f32"} {
		_, errs, code := interpreted([]string{"import", exampleOf("classify"), "--name", "m", "--precision", precision, "-o", spec})
		require.Equal(t, fault.ExitDone, code, errs)
		text, err := os.ReadFile(spec)
		require.NoError(t, err)
		require.Equal(t, precision == "bf16", strings.Contains(string(text), "weights bf16"))
	}
	for _, spec := range []string{half, plain} {
		_, errs, code := interpreted([]string{"pack", exampleOf("classify"), "--spec", spec, "-o", spec + ".weights"})
		require.Equal(t, fault.ExitDone, code, errs)
	}
	for spec, other := range map[string]string{half: plain, plain: half} {
		_, errs, code := interpreted([]string{"build", spec, "--embed", "--weights", other + ".weights", "-o", filepath.Join(dir, "program")})
		require.Equal(t, fault.ExitInput, code, errs)
		require.Contains(t, errs, "the weights are packed in another number format")
	}
	// Of a folder, the flag is the same as a target.
	for spec, precision := range map[string]string{half: "bf16", plain: "f32"} {
		weights := spec + ".folder"
		_, errs, code := interpreted([]string{"pack", exampleOf("classify"), "--precision", precision, "-o", weights})
		require.Equal(t, fault.ExitDone, code, errs)
		_, errs, code = interpreted([]string{"run", exampleOf("classify"), "--precision", precision, "--weights", weights, "Rain all day."})
		require.Equal(t, fault.ExitDone, code, errs)
		other := map[string]string{"bf16": "f32", "f32": "bf16"}[precision]
		_, errs, code = interpreted([]string{"run", exampleOf("classify"), "--precision", other, "--weights", weights, "Rain all day."})
		require.Equal(t, fault.ExitInput, code, errs)
		require.Contains(t, errs, "another number format, "+precision+", and this package reads "+other)
	}
	_, errs, code := interpreted([]string{"run", plain, "--precision", "f32", "--random-weights", "1", "Rain."})
	require.Equal(t, fault.ExitUsage, code)
	require.Contains(t, errs, "--precision belongs to a model folder")
}
