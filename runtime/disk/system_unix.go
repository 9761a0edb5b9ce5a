//go:build unix

package disk

import (
	"errors"
	"io/fs"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// errOtherDisk is the system's error for a rename to another file system.
const errOtherDisk = unix.EXDEV

// keep sets the permissions of a new file to those of the old one and, if this user may do so, its owner too.
func keep(f *os.File, old string, mode fs.FileMode) error {
	if st, err := os.Stat(old); err == nil {
		if s, ok := st.Sys().(*syscall.Stat_t); ok {
			_ = f.Chown(int(s.Uid), int(s.Gid)) // only the administrator may give files away
		}
	}
	return f.Chmod(mode.Perm())
}

// writable returns an error if this user may not write to an existing file or folder. A program that is running may be
// replaced.
func writable(path string) error {
	err := unix.Faccessat(unix.AT_FDCWD, path, unix.W_OK, unix.AT_EACCESS)
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EROFS) {
		return err
	}
	return nil
}

// flushDir syncs a folder.
func flushDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		if errors.Is(err, fs.ErrPermission) {
			return nil // the folder may be written to, but not be listed
		}
		return err
	}
	defer d.Close()
	err = d.Sync()
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) || errors.Is(err, unix.EBADF) {
		return nil // this file system does not sync folders
	}
	return err
}

// tryLock locks f for this process. On file systems without locks it always succeeds.
func tryLock(f *os.File, exclusive bool) error {
	how := unix.LOCK_SH
	if exclusive {
		how = unix.LOCK_EX
	}
	for {
		err := unix.Flock(int(f.Fd()), how|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrLocked
		}
		return nil
	}
}

// abandoned reports whether no process has locked the file.
func abandoned(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil
}
