package disk_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/disk"
)

// TestSpool checks that a temporary file can be read several times, and that nothing of it stays.
func TestSpool(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s, err := disk.NewSpool()
	require.NoError(t, err)
	text := strings.Repeat("line\n", 50_000)
	_, err = io.WriteString(s, text)
	require.NoError(t, err)
	for range 2 {
		f, err := s.Reader()
		require.NoError(t, err)
		again, ok := disk.Again(f)
		require.True(t, ok)
		for range 2 {
			got, err := io.ReadAll(io.NewSectionReader(again, 0, again.Size()))
			require.NoError(t, err)
			require.Equal(t, text, string(got))
		}
		got, err := io.ReadAll(f)
		require.NoError(t, err)
		require.Equal(t, text, string(got))
	}
	require.NoError(t, s.Close())
	list, err := os.ReadDir(os.TempDir())
	require.NoError(t, err)
	require.Empty(t, list)

	full := errors.New("no space left")
	defer disk.Inject(func(op disk.Op, _ string) error {
		if op == disk.OpWrite {
			return full
		}
		return nil
	})()
	s, err = disk.NewSpool()
	require.NoError(t, err)
	_, err = io.WriteString(s, text)
	require.ErrorIs(t, err, full)
	require.ErrorContains(t, err, os.TempDir())
	_, err = s.Reader()
	require.ErrorIs(t, err, full)
	require.NoError(t, s.Close())
}

// TestSpoolKeepsOtherFiles checks that Close does not remove a file that has taken the name of the temporary file after it was removed.
func TestSpoolKeepsOtherFiles(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s, err := disk.NewSpool()
	require.NoError(t, err)
	f, err := s.Reader()
	require.NoError(t, err)
	if _, err := os.Lstat(f.Name()); err == nil {
		t.Skip("an open file cannot be removed here")
	}
	require.NoError(t, os.WriteFile(f.Name(), nil, 0o600))
	require.NoError(t, s.Close())
	require.FileExists(t, f.Name())
}

// TestAgain checks what can be read again: the rest of a regular file.
func TestAgain(t *testing.T) {
	_, ok := disk.Again(strings.NewReader("x"))
	require.False(t, ok)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	_, ok = disk.Again(r)
	require.False(t, ok)
	path := t.TempDir() + "/a"
	require.NoError(t, os.WriteFile(path, []byte("abc"), 0o600))
	f, err := disk.OpenStream(t.Context(), path)
	require.NoError(t, err)
	defer f.Close()
	_, err = f.Read(make([]byte, 1))
	require.NoError(t, err)
	rest, ok := disk.Again(f)
	require.True(t, ok)
	text, err := io.ReadAll(rest)
	require.NoError(t, err)
	require.Equal(t, "bc", string(text))
}
