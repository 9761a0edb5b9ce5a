package cache

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLimit(t *testing.T) {
	dir := t.TempDir()
	var notes []string
	c := New(dir, func(format string, _ ...any) { notes = append(notes, format) })
	limit, err := c.Limit()
	require.NoError(t, err)
	require.EqualValues(t, DefaultLimit, limit)
	require.NoError(t, c.SetLimit(2500))
	limit, err = c.Limit()
	require.NoError(t, err)
	require.EqualValues(t, 2500, limit)

	// Making an entry applies the limit: the least recently used entries are removed, and entries in use stay.
	user := New(dir, nil)
	_, err = user.Get(t.Context(), Built, name(1), "", writes(strings.Repeat("x", 1000), new(int)))
	require.NoError(t, err)
	age(t, sumPath(filepath.Join(dir, "built", name(1))), 9*time.Hour)
	for i := 2; i < 5; i++ {
		get(t, dir, i, strings.Repeat("x", 1000))
		age(t, sumPath(filepath.Join(dir, "built", name(i))), time.Duration(9-i)*time.Hour)
	}
	entries, err := c.Entries()
	require.NoError(t, err)
	var left []string
	for _, e := range entries {
		left = append(left, e.Name)
	}
	require.Equal(t, []string{name(4), name(1)}, left)
	require.NoError(t, user.Close())

	// With a limit below the size of one entry, the process that made the entry keeps it.
	require.NoError(t, c.SetLimit(0))
	one := New(dir, nil)
	path, err := one.Get(t.Context(), Built, name(7), "", writes("text", new(int)))
	require.NoError(t, err)
	require.FileExists(t, path)
	require.NoError(t, one.Close())

	// A limit that is not a number is reported, and the default limit applies.
	require.NoError(t, os.WriteFile(filepath.Join(dir, limitFile), []byte("much"), 0o666))
	_, err = c.Limit()
	require.ErrorContains(t, err, `"much" is not a size in bytes`)
	_, err = c.Get(t.Context(), Built, name(8), "", writes("text", new(int)))
	require.NoError(t, err)
	require.Len(t, notes, 1)
	require.NoError(t, c.SetLimit(NoLimit))
	limit, err = c.Limit()
	require.NoError(t, err)
	require.EqualValues(t, int64(NoLimit), limit)
	require.NoError(t, c.Close())
}
