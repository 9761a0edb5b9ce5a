package appended

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func write1(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	require.NoError(t, os.WriteFile(path, data, 0o777))
	return path
}

func TestAppendAndFind(t *testing.T) {
	for _, size := range []int{0, 1, 63, 64, 65, 5000} {
		exe := write1(t, "exe", bytes.Repeat([]byte{7}, size))
		a, b := bytes.Repeat([]byte{1}, 100), bytes.Repeat([]byte{2}, 128)
		require.NoError(t, Append(exe, []Source{{"a", write1(t, "a", a)}, {"b", write1(t, "b", b)}}))
		entries, err := Find(exe)
		require.NoError(t, err)
		require.Len(t, entries, 2)
		text, err := os.ReadFile(exe)
		require.NoError(t, err)
		require.Equal(t, bytes.Repeat([]byte{7}, size), text[:size], "the executable itself is unchanged")
		for i, want := range [][]byte{a, b} {
			e := entries[i]
			require.Equal(t, string("ab"[i]), e.Name)
			require.Zero(t, e.Offset%Alignment)
			require.Equal(t, want, text[e.Offset:e.Offset+e.Size])
		}
		require.ErrorContains(t, Append(exe, nil), "already")
	}
}

func TestFindNothing(t *testing.T) {
	for _, size := range []int{0, 10, trailerSize, 5000} {
		entries, err := Find(write1(t, "exe", make([]byte, size)))
		require.NoError(t, err)
		require.Nil(t, entries)
	}
}

func TestAppendFailureRestores(t *testing.T) {
	exe := write1(t, "exe", []byte("program"))
	good := write1(t, "a", make([]byte, 1000))
	require.Error(t, Append(exe, []Source{{"a", good}, {"b", good + "-missing"}}))
	require.ErrorContains(t, Append(exe, []Source{{"a", good}, {"a", good}}), "the name")
	text, err := os.ReadFile(exe)
	require.NoError(t, err)
	require.Equal(t, "program", string(text))
}

// TestDamage flips every byte of index and trailer. Find must return nothing or an error, but never a wrong
// place.
func TestDamage(t *testing.T) {
	exe := write1(t, "exe", []byte("program"))
	require.NoError(t, Append(exe, []Source{{"a", write1(t, "a", make([]byte, 100))}}))
	good, err := Find(exe)
	require.NoError(t, err)
	text, err := os.ReadFile(exe)
	require.NoError(t, err)
	from := int(good[0].Offset + good[0].Size)
	faults := 0
	for i := from; i < len(text); i++ {
		bad := bytes.Clone(text)
		bad[i] ^= 1
		require.NoError(t, os.WriteFile(exe, bad, 0o777))
		entries, err := Find(exe)
		require.Nil(t, entries, "byte %d", i)
		if err != nil {
			require.True(t, strings.Contains(err.Error(), "damaged"), err)
			faults++
		}
	}
	require.Equal(t, len(text)-from-len(magic), faults, "only a changed magic looks like a plain executable")
}
