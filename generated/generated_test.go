package generated_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/spec"
)

// TestGenerated compiles the specs again, in memory, and reports stale, missing and orphan files of the example packages.
func TestGenerated(t *testing.T) {
	for path, dir := range map[string]string{"../examples/spam/spam.dspec": "spam", "nli.dspec": "nli"} {
		text, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			t.Skip("the examples are a module of their own and not here")
		}
		require.NoError(t, err)
		f, faults := spec.Parse(filepath.Base(path), text)
		require.Empty(t, faults)
		s, faults := spec.Resolve(f)
		require.Empty(t, faults)
		units, faults, err := compiler.Compile(s, compiler.Options{})
		require.NoError(t, err)
		require.Empty(t, faults)
		require.Len(t, units, 1)
		p, err := codegen.Emit(units[0].Program)
		require.NoError(t, err)
		changes, err := p.Diff(dir)
		require.NoError(t, err)
		for _, c := range changes {
			t.Errorf("%s/%s: run go generate ./generated", dir, c)
		}
	}
}
