package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// ErrLocked is matched by errors.Is for errors about a lock that another process, or another Lock of this process, holds.
var ErrLocked = errors.New("in use by another process")

// Lock is an advisory lock on a file. The system releases it when the process ends. If the system or the file system has no such locks, a Lock has no
// effect.
type Lock struct{ file *os.File }

// TryLock locks the file at path without waiting. It makes the file if necessary. An exclusive lock excludes all others, a shared one excludes
// exclusive ones. If another process or Lock holds the lock, the error matches ErrLocked. An existing file can be locked even if its folder cannot be
// written.
func TryLock(path string, exclusive bool) (*Lock, error) {
	for {
		if err := step(OpCreate, path); err != nil {
			return nil, pathError("lock", path, err)
		}
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o666)
		if err != nil {
			var again error
			if f, again = os.Open(path); again != nil {
				return nil, err
			}
		}
		if err := tryLock(f, exclusive); err != nil {
			return nil, errors.Join(pathError("lock", path, err), f.Close())
		}
		// The previous holder of the lock may have removed the file.
		mine, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		now, err := os.Stat(path)
		if err == nil && os.SameFile(mine, now) {
			return &Lock{f}, nil
		}
		f.Close()
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// WaitLock is TryLock that waits until it has the lock or ctx ends. If waits is not nil, it is called once after one second of waiting.
func WaitLock(ctx context.Context, path string, exclusive bool, waits func()) (*Lock, error) {
	for begin := time.Now(); ; {
		l, err := TryLock(path, exclusive)
		if !errors.Is(err, ErrLocked) {
			return l, err
		}
		if waits != nil && time.Since(begin) > time.Second {
			waits()
			waits = nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Share turns an exclusive lock into a shared one. The lock may be free for a moment.
func (l *Lock) Share() error { return tryLock(l.file, false) }

// Unlock releases the lock. The file stays.
func (l *Lock) Unlock() error { return l.file.Close() }
