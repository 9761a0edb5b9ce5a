//go:build unix

package disk

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestALogGrows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log")
	for i, add := range []string{"one\n", "two\n"} {
		l, err := OpenLog(path, 0o666)
		require.NoError(t, err)
		require.Equal(t, int64(4*i), l.Size())
		_, err = l.Write([]byte(add))
		require.NoError(t, err)
		require.NoError(t, l.Sync())
		require.NoError(t, l.Close())
	}
	l, err := OpenLog(path, 0o666)
	require.NoError(t, err)
	all, err := io.ReadAll(l.Reader())
	require.NoError(t, err)
	require.Equal(t, "one\ntwo\n", string(all))
	require.NoError(t, l.Truncate(6))
	require.Error(t, l.Truncate(7))
	require.Error(t, l.Truncate(-1))
	_, err = l.Write([]byte("x"))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	all, err = os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "one\ntwx", string(all))
}

func TestALogIsARegularFile(t *testing.T) {
	for kind, path := range kinds(t) {
		_, err := OpenLog(path, 0o666)
		require.ErrorIs(t, err, ErrKind, kind)
	}
}

// TestAFaultOfALogLeavesItsRecords fails each operation once: what was written before stays, and a part of a write is cut off.
func TestAFaultOfALogLeavesItsRecords(t *testing.T) {
	broken := errors.New("broken")
	for _, op := range []Op{OpStat, OpOpen, OpWrite, OpSync} {
		path := filepath.Join(t.TempDir(), "log")
		require.NoError(t, os.WriteFile(path, []byte("one\n"), 0o666))
		restore := Inject(func(o Op, _ string) error {
			if o == op {
				return &Short{Err: broken}
			}
			return nil
		})
		l, err := OpenLog(path, 0o666)
		if err == nil {
			if _, err = l.Write([]byte("two\n")); err == nil {
				err = l.Sync()
			}
			require.NoError(t, l.Close())
		}
		restore()
		require.ErrorIs(t, err, broken, op)
		all, err := os.ReadFile(path)
		require.NoError(t, err)
		if op == OpSync {
			require.Equal(t, "one\ntwo\n", string(all), op)
		} else {
			require.Equal(t, "one\n", string(all), op)
		}
	}
}
