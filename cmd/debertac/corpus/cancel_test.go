package corpus_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/corpus"
	"github.com/debertac/debertac/runtime/example"
)

// TestCanceled checks that data whose preparation is stopped at any moment end with the error of the context, and leave nothing.
func TestCanceled(t *testing.T) {
	tr := training(t, "", `take first; linear hidden; act; linear 2 as labels("a", "b"); loss cross_entropy`, "")
	e, err := corpus.NewEncoder(tr, tok(t), corpus.Settings{})
	require.NoError(t, err)
	for at := 1; at <= 100; at++ {
		ctx, cancel := context.WithCancel(t.Context())
		dir, n := t.TempDir(), 0
		_, err := corpus.Prepare(ctx, func() (*example.Example, error) {
			if n++; n == at*23 {
				cancel()
			}
			return &example.Example{At: int64(n), Text: "x", Label: "a"}, nil
		}, e, corpus.Options{Path: filepath.Join(dir, "data"), Workers: 2})
		cancel()
		require.ErrorIs(t, err, context.Canceled)
		list, err := filepath.Glob(filepath.Join(dir, "*"))
		require.NoError(t, err)
		require.Empty(t, list)
	}
}
