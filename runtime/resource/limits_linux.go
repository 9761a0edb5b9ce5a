package resource

import (
	"io/fs"
	"math"

	"golang.org/x/sys/unix"
)

// limits returns how many bytes the process's limits on address space and data leave.
func limits(root fs.FS) int64 {
	least := Unknown
	for _, l := range []struct {
		limit int
		use   string
	}{{unix.RLIMIT_AS, "VmSize:"}, {unix.RLIMIT_DATA, "VmData:"}} {
		var r unix.Rlimit
		use, ok := field(root, "proc/self/status", l.use)
		if err := unix.Getrlimit(l.limit, &r); err == nil && ok && r.Cur <= math.MaxInt64 {
			least = min(least, max(int64(r.Cur)-use, 0))
		}
	}
	return least
}

// free returns how many bytes a user other than root can still write.
func free(dir string) int64 {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return Unknown
	}
	block := int64(st.Bsize) // has another type on other processors
	if block <= 0 || st.Bavail > uint64(math.MaxInt64/block) {
		return Unknown
	}
	return int64(st.Bavail) * block
}
