package disk

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"
)

// ErrLocked is what errors.Is finds in the errors for a lock that another process, or another Lock of this one, holds.
var ErrLocked = errors.New("in use by another process")

// Lock is an advisory lock on a file, which the system releases when the process ends. Where the system or the file system has no such locks, a Lock
// holds nothing and keeps nobody out.
type Lock struct{ file *os.File }

// TryLock locks the file at path, which is made if need be, and does not wait. An exclusive lock keeps out all others, a shared one the exclusive ones.
// If another holds the lock, the error is found as ErrLocked. In a folder that cannot be written a file that is there is locked all the same.
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
		// Whoever held the lock may have removed the file.
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

// WaitLock is TryLock that waits until it has the lock or ctx ends. waits, if not nil, is called once when it has waited for a second.
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

// Share makes an exclusive lock a shared one. For a moment the lock may be free.
func (l *Lock) Share() error { return tryLock(l.file, false) }

// Unlock releases the lock. The file stays.
func (l *Lock) Unlock() error { return l.file.Close() }
