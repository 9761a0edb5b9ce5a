// Package resource tells how much memory and disk space this process can still take, so that work that cannot succeed is refused before it
// begins. Without this check, a Go program that asks for more memory than the system has ends without an error.
package resource

import (
	"io/fs"
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

// Unknown is returned if the system does not report an amount.
const Unknown int64 = math.MaxInt64

// Memory returns how many bytes this process can still take. This is the least of what the system has available, what the process's
// control groups leave, and what its limits on address space and data leave. It returns Unknown if the system reports none of these.
func Memory() int64 {
	root := os.DirFS("/")
	return min(available(root), groups(root), limits(root))
}

// Disk returns how many bytes this user can still write to the file system of the folder dir, or Unknown.
func Disk(dir string) int64 { return free(dir) }

// available returns Linux's estimate of the available memory plus the free swap space.
func available(root fs.FS) int64 {
	n, ok := field(root, "proc/meminfo", "MemAvailable:")
	if !ok {
		return Unknown
	}
	swap, _ := field(root, "proc/meminfo", "SwapFree:")
	return n + swap
}

// field returns the value, in bytes, of a line "name 123 kB" in a file.
func field(root fs.FS, file, name string) (int64, bool) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if len(f) < 2 || f[0] != name {
			continue
		}
		n, err := strconv.ParseInt(f[1], 10, 64)
		if err != nil || n < 0 || n > math.MaxInt64>>10 {
			return 0, false
		}
		if len(f) > 2 && f[2] == "kB" {
			n <<= 10
		}
		return n, true
	}
	return 0, false
}

// number reads a file with one number. "max" means that there is no number.
func number(root fs.FS, file string) (int64, bool) {
	text, err := fs.ReadFile(root, file)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	return n, err == nil && n >= 0
}

// groupFiles holds, for the two versions of control groups, the files for a limit, its use, and the part of the use that is cache and can
// be dropped.
var groupFiles = []struct {
	controller, mount, limit, use, cache string
}{
	{"", "sys/fs/cgroup", "memory.max", "memory.current", "inactive_file"},
	{"memory", "sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"},
}

// groups returns the least that the process's control groups, and those that contain them, leave.
func groups(root fs.FS) int64 {
	least := Unknown
	text, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		for _, g := range groupFiles {
			if g.controller == "" && f[1] != "" || g.controller != "" && !strings.Contains(","+f[1]+",", ","+g.controller+",") {
				continue
			}
			// Inside a container the process's own path may not be visible below the mount; the mount's root is then the container's
			// group.
			for dir := strings.TrimPrefix(path.Clean("/"+f[2]), "/"); ; dir = path.Dir(dir) {
				at := path.Join(g.mount, dir)
				limit, ok := number(root, path.Join(at, g.limit))
				use, known := number(root, path.Join(at, g.use))
				if ok && known {
					cache, _ := field(root, path.Join(at, "memory.stat"), g.cache)
					least = min(least, max(limit-use+cache, 0))
				}
				if dir == "." || dir == "" {
					break
				}
			}
		}
	}
	return least
}

// size formats a number of bytes for people.
func size(n int64) string {
	x, unit := float64(n), "B"
	for _, u := range []string{"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"} {
		if x < 1024 {
			break
		}
		x, unit = x/1024, u
	}
	return strconv.FormatFloat(x, 'f', 1, 64) + " " + unit
}

// Error reports that work needs more than is free.
type Error struct {
	What string // what is needed: "memory", or "disk space in DIR"
	For  string // what needs it
	Need int64  // bytes
	Have int64  // bytes
}

// Error returns "X needs 4.0 TiB of memory, 2.0 GiB are free".
func (e *Error) Error() string {
	return e.For + " needs " + size(e.Need) + " of " + e.What + ", " + size(e.Have) + " are free"
}

// CheckMemory returns an *Error if need, in bytes, is more than Memory. what is the name of the work, written as the start of a sentence.
func CheckMemory(what string, need int64) error {
	if have := Memory(); need > have {
		return &Error{What: "memory", For: what, Need: need, Have: have}
	}
	return nil
}

// CheckDisk returns an *Error if need, in bytes, is more than Disk of the folder dir.
func CheckDisk(what, dir string, need int64) error {
	if have := Disk(dir); need > have {
		return &Error{What: "disk space in " + dir, For: what, Need: need, Have: have}
	}
	return nil
}
