//go:build !unix

package disk

import (
	"io/fs"
	"os"
	"syscall"
)

// errOtherDisk is the system's error for a rename to another file system, ERROR_NOT_SAME_DEVICE.
const errOtherDisk = syscall.Errno(17)

// keep does nothing: permissions belong to the folder here.
func keep(*os.File, string, fs.FileMode) error { return nil }

// writable does nothing: here the rename fails for read-only files.
func writable(string) error { return nil }

// flushDir does nothing: folders cannot be synced here.
func flushDir(string) error { return nil }

// tryLock does nothing: this package uses no locks here.
func tryLock(*os.File, bool) error { return nil }

// abandoned returns false: open files cannot be removed here, and other files may be in use.
func abandoned(string) bool { return false }
