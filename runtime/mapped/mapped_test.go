package mapped_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	goruntime "runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/mapped"
)

// open maps a range of a file of n bytes, byte i being i/1000.
func open(t *testing.T, n int, offset, size int64) (string, *mapped.File) {
	t.Helper()
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i / 1000)
	}
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	f, err := os.Open(path)
	require.NoError(t, err)
	m, err := mapped.Open(f, offset, size)
	require.NoError(t, err)
	require.NoError(t, f.Close())
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return path, m
}

// last reads the last byte.
func last(m *mapped.File) (b byte, err error) {
	err = m.Read(func(data []byte) error { b = data[len(data)-1]; return nil })
	return b, err
}

func TestReadAfterCut(t *testing.T) {
	if goruntime.GOOS != "linux" {
		t.Skip("elsewhere the file is read, or cannot be cut while it is mapped")
	}
	path, m := open(t, 100_000, 64, 99_936)
	require.Equal(t, 99_936, m.Len())
	b, err := last(m)
	require.NoError(t, err)
	require.EqualValues(t, 99, b)

	require.NoError(t, os.Truncate(path, 0))
	for range 3 {
		_, err = last(m)
		require.ErrorIs(t, err, mapped.ErrChanged)
	}
	// What is there again can be read again.
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte{7}, 100_000), 0o600))
	b, err = last(m)
	require.NoError(t, err)
	require.EqualValues(t, 7, b)
}

// TestOtherPanics: a fault elsewhere is not the file's, and is not hidden.
func TestOtherPanics(t *testing.T) {
	_, m := open(t, 5000, 0, 5000)
	var nothing *int
	require.Panics(t, func() { _ = m.Read(func([]byte) error { *nothing = 1; return nil }) })
	require.PanicsWithValue(t, "own", func() { _ = m.Read(func([]byte) error { panic("own") }) })
	other := errors.New("other")
	require.ErrorIs(t, m.Read(func([]byte) error { return other }), other)
	require.False(t, m.Faulted(nil))
	require.False(t, m.Faulted("text"))
	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	require.Zero(t, m.Len())
}

func TestOpenFaults(t *testing.T) {
	path, _ := open(t, 10, 0, 10)
	f, err := os.Open(path)
	require.NoError(t, err)
	defer f.Close()
	for _, r := range [][2]int64{{-1, 1}, {0, -1}, {1, 1<<63 - 1}, {0, 1<<63 - 1}} {
		_, err := mapped.Open(f, r[0], r[1])
		require.Error(t, err, r)
	}
	m, err := mapped.Open(f, 10, 0)
	require.NoError(t, err)
	require.Zero(t, m.Len())
}

// TestNotMappable: a file system that cannot map gives the bytes by reading. /proc is one.
func TestNotMappable(t *testing.T) {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		t.Skip("no such file system here")
	}
	defer f.Close()
	m, err := mapped.Open(f, 0, 5)
	require.NoError(t, err)
	require.NoError(t, m.Read(func(data []byte) error { require.Equal(t, "Name:", string(data)); return nil }))
	_, err = mapped.Open(f, 0, 1<<20)
	require.ErrorIs(t, err, mapped.ErrChanged)
}

func TestMemory(t *testing.T) {
	dropped := 0
	m := mapped.Memory([]byte("abc"), func() { dropped++ })
	b, err := last(m)
	require.NoError(t, err)
	require.EqualValues(t, 'c', b)
	require.NoError(t, m.Close())
	require.NoError(t, m.Close())
	require.Equal(t, 1, dropped)
}
