package prepare

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestUnchanged checks that data that change while they are read are refused by the name of the file.
func TestUnchanged(t *testing.T) {
	dir := t.TempDir()
	a, sub := filepath.Join(dir, "a.txt"), filepath.Join(dir, "sub")
	require.NoError(t, os.Mkdir(sub, 0o700))
	b := filepath.Join(sub, "b.txt")
	for _, path := range []string{a, b} {
		require.NoError(t, os.WriteFile(path, []byte("x"), 0o600))
	}
	paths := []string{a, sub}
	began, err := stamps(paths)
	require.NoError(t, err)
	require.NoError(t, unchanged(paths, began))
	later := time.Now().Add(time.Hour)
	require.NoError(t, os.Chtimes(b, later, later))
	require.ErrorContains(t, unchanged(paths, began), "b.txt: the file has changed while it was read")
	before, size, err := Sum(t.Context(), paths)
	require.NoError(t, err)
	require.Equal(t, int64(2), size)
	require.NoError(t, os.Symlink("..", filepath.Join(sub, "up"))) // a loop has nothing new in it
	require.NoError(t, os.Symlink(".", filepath.Join(sub, "here")))
	paths = []string{a, dir}
	_, size, err = Sum(t.Context(), paths)
	require.NoError(t, err)
	require.Equal(t, int64(3), size)
	paths = []string{a, sub}
	after, size, err := Sum(t.Context(), paths)
	require.NoError(t, err)
	require.NotEmpty(t, after)
	require.Equal(t, int64(2), size-1, "..: a.txt through the link up")
	require.NotEqual(t, before, after)
	require.NoError(t, os.Remove(filepath.Join(sub, "up")))
	began, err = stamps(paths)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(a, []byte("xy"), 0o600))
	require.ErrorContains(t, unchanged(paths, began), "a.txt: the file has changed")
	began, err = stamps(paths)
	require.NoError(t, err)
	require.NoError(t, os.Remove(b))
	require.ErrorContains(t, unchanged(paths, began), "files in it have been removed")
	require.NoError(t, os.Remove(a))
	require.Error(t, unchanged(paths, began))
}
