package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
)

// write makes an entry's content.
func write(text string) func(string) error {
	return func(temp string) error { return os.WriteFile(temp, []byte(text), 0o666) }
}

func TestCachedMakesAnEntryOnce(t *testing.T) {
	path := filepath.Join(t.TempDir(), "folder", "entry")
	require.NoError(t, cached(path, write("first")))
	require.NoError(t, cached(path, write("second")))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "first", string(text))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing else is left")
}

func TestCachedLeavesNothingOfAFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "entry")
	broken := errors.New("broken")
	require.ErrorIs(t, cached(path, func(temp string) error {
		return errors.Join(write("half")(temp), broken)
	}), broken)
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Empty(t, entries)
}

func TestEntriesOutOfUseAreRemoved(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"old", "used"} {
		path := filepath.Join(dir, name)
		require.NoError(t, cached(path, write(name)))
		long := time.Now().Add(-2 * unusedFor)
		require.NoError(t, os.Chtimes(path, long, long))
	}
	require.NoError(t, cached(filepath.Join(dir, "used"), write("never")))
	require.NoError(t, cached(filepath.Join(dir, "new"), write("new")))
	require.NoFileExists(t, filepath.Join(dir, "old"))
	require.FileExists(t, filepath.Join(dir, "used"))
	require.FileExists(t, filepath.Join(dir, "new"))
}

// A program is found again by what it is, and not by where parts of its description lie in memory.
func TestUnitsAreDescribedByTheirContent(t *testing.T) {
	describe := func(mark string) string {
		var b bytes.Buffer
		u := &compiler.Unit{Program: &ir.Program{Name: "m", Meta: ir.Meta{Prompt: &ir.Prompt{Mark: mark}}}}
		require.NoError(t, describeUnits(&b, []*compiler.Unit{u}))
		return b.String()
	}
	require.Equal(t, describe("<<ENT>>"), describe("<<ENT>>"))
	require.NotEqual(t, describe("<<ENT>>"), describe("[E]"))
}
