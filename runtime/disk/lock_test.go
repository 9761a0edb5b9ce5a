//go:build unix

package disk

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestLocks(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	one, err := TryLock(path, true)
	require.NoError(t, err)
	for _, exclusive := range []bool{false, true} {
		_, err = TryLock(path, exclusive)
		require.ErrorIs(t, err, ErrLocked)
	}
	require.NoError(t, one.Share())
	two, err := TryLock(path, false)
	require.NoError(t, err)
	_, err = TryLock(path, true)
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, two.Unlock())

	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = WaitLock(ctx, path, true, nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)

	// A caller that waits for a lock whose file is removed gets a lock on the new file.
	time.AfterFunc(50*time.Millisecond, func() {
		os.Remove(path)
		one.Unlock()
	})
	three, err := WaitLock(t.Context(), path, true, nil)
	require.NoError(t, err)
	_, err = TryLock(path, false)
	require.ErrorIs(t, err, ErrLocked)
	require.NoError(t, three.Unlock())
}
