package mapped_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/mapped"
)

// open maps a range of a file of n bytes. Byte i is i/1000.
func open(t *testing.T, n int, offset, size int64) (string, *mapped.File) {
	t.Helper()
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i / 1000)
	}
	path := filepath.Join(t.TempDir(), "f")
	require.NoError(t, os.WriteFile(path, data, 0o600))
	f, err := disk.Open(path)
	require.NoError(t, err)
	m, err := mapped.Open(f, offset, size)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return path, m
}

// last reads the last byte.
func last(m *mapped.File) (b byte, err error) {
	err = m.Read(func(data []byte) error { b = data[len(data)-1]; return nil })
	return b, err
}

func TestReadAfterCut(t *testing.T) {
	if runtime.GOOS != "linux" {
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
	// When the bytes are there again, they can be read again.
	require.NoError(t, os.WriteFile(path, bytes.Repeat([]byte{7}, 100_000), 0o600))
	b, err = last(m)
	require.NoError(t, err)
	require.EqualValues(t, 7, b)
}

// TestCutWithinAPage checks a file that ends within a page: the rest of the page reads as zeros without a fault.
func TestCutWithinAPage(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("elsewhere the file is read, or cannot be cut while it is mapped")
	}
	path, m := open(t, 100_000, 64, 99_936)
	require.True(t, m.Whole())
	require.NoError(t, os.Truncate(path, 99_999))
	require.False(t, m.Whole())
	_, err := last(m)
	require.ErrorIs(t, err, mapped.ErrChanged)
	p := make([]byte, 10)
	_, err = m.ReadAt(p, 99_930)
	require.ErrorIs(t, err, mapped.ErrChanged)
	_, err = m.ReadAt(p, 99_920)
	require.NoError(t, err)
	require.Zero(t, testing.AllocsPerRun(10, func() { m.Whole() }))
	require.NoError(t, os.Truncate(path, 200_000))
	require.True(t, m.Whole(), "the bytes after the range do not count")
}

func TestReadAt(t *testing.T) {
	_, mapping := open(t, 5000, 1000, 3000)
	memory := mapped.Memory(bytes.Repeat([]byte{1}, 3000), nil)
	for _, m := range []*mapped.File{mapping, memory} {
		p := make([]byte, 100)
		n, err := m.ReadAt(p, 0)
		require.NoError(t, err)
		require.Equal(t, 100, n)
		require.EqualValues(t, 1, p[99])
		n, err = m.ReadAt(p, 2950)
		require.Equal(t, io.EOF, err, "the bytes after the range are not read")
		require.Equal(t, 50, n)
		_, err = m.ReadAt(p, 3000)
		require.Equal(t, io.EOF, err)
		_, err = m.ReadAt(p, -1)
		require.Error(t, err)
	}
}

// TestOtherPanics checks that a fault at another address is not taken for the file's, and is not hidden.
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
	for _, r := range [][2]int64{{-1, 1}, {0, -1}, {1, 1<<63 - 1}, {0, 1<<63 - 1}, {10, 0}} {
		f, err := disk.Open(path)
		require.NoError(t, err)
		m, err := mapped.Open(f, r[0], r[1])
		require.ErrorIs(t, f.Close(), os.ErrClosed, "%v", r)
		if r[1] == 0 {
			require.NoError(t, err)
			require.Zero(t, m.Len())
			continue
		}
		require.Error(t, err, "%v", r)
	}
}

// TestNotMappable checks that bytes are read if the file system, such as /proc, cannot map.
func TestNotMappable(t *testing.T) {
	f, err := disk.Open("/proc/self/status")
	if err != nil {
		t.Skip("no such file system here")
	}
	m, err := mapped.Open(f, 0, 5)
	require.NoError(t, err)
	require.ErrorIs(t, f.Close(), os.ErrClosed, "all is in memory")
	require.NoError(t, m.Read(func(data []byte) error { require.Equal(t, "Name:", string(data)); return nil }))
	f, err = disk.Open("/proc/self/status")
	require.NoError(t, err)
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

// TestFaultsOnPurpose checks that a file that cannot be mapped is read, and that a failing read of a mapping is ErrChanged, or the error of the
// system.
func TestFaultsOnPurpose(t *testing.T) {
	path, m := open(t, 5000, 1000, 3000)
	reads, failed := 0, disk.OpRead
	restore := disk.Inject(func(op disk.Op, p string) error {
		if p != path || op != failed {
			return nil
		}
		reads++
		return io.ErrNoProgress
	})
	defer restore()
	_, err := last(m)
	require.ErrorIs(t, err, mapped.ErrChanged)
	require.False(t, m.Whole())
	_, err = m.ReadAt(make([]byte, 10), 0)
	require.ErrorIs(t, err, io.ErrNoProgress)
	require.Equal(t, 3, reads)

	failed = disk.OpMap
	f, err := disk.Open(path)
	require.NoError(t, err)
	in, err := mapped.Open(f, 1000, 3000)
	require.NoError(t, err)
	require.Equal(t, 4, reads)
	require.ErrorIs(t, f.Close(), os.ErrClosed, "all is in memory")
	b, err := last(in)
	require.NoError(t, err)
	require.EqualValues(t, 3, b)
	require.NoError(t, in.Close())
}
