package cpu

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"path"
	"runtime"
	"strconv"
	"strings"
)

// DefaultThreads returns the number of threads that a model uses by default. This is the number of
// physical cores that the process's affinity allows, but at most the processors of the cgroup's
// quota, rounded down, and at most GOMAXPROCS; and at least 1. Physical cores count because two
// hardware threads share the arithmetic units of one core: a second one brings nothing in matrix
// products.
func DefaultThreads() int {
	root := os.DirFS("/")
	n := runtime.NumCPU()
	if cpus := Allowed(); len(cpus) > 0 {
		n = physicalCores(root, cpus)
	}
	return max(1, min(n, cgroupCPUs(root), runtime.GOMAXPROCS(0)))
}

// physicalCores returns the number of physical cores of the given logical processors.
func physicalCores(root fs.FS, cpus []int) int {
	cores := map[string]bool{}
	for _, c := range cpus {
		siblings := readLine(root, fmt.Sprintf("sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", c))
		if siblings == "" { // unknown: counts as a core of its own
			siblings = fmt.Sprint("cpu", c)
		}
		cores[siblings] = true
	}
	return len(cores)
}

// SpareCores returns one logical processor of each physical core except the first, which is left to
// the caller.
func SpareCores() []int { return spareCores(os.DirFS("/"), Allowed()) }

func spareCores(root fs.FS, cpus []int) []int {
	var list []int
	for i := range cpus {
		if n := physicalCores(root, cpus[:i+1]); n > len(list)+1 {
			list = append(list, cpus[i])
		}
	}
	return list
}

// cgroupCPUs returns the processor quota of the process's cgroups in whole processors, or MaxInt if
// there is no quota. A quota of 1.5 counts as 1, because a second thread would be throttled. It
// knows version 2 (cpu.max) and version 1 (cpu.cfs_quota_us).
func cgroupCPUs(root fs.FS) int {
	limit := math.MaxInt
	text, _ := fs.ReadFile(root, "proc/self/cgroup")
	for line := range strings.Lines(string(text)) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		own := strings.TrimPrefix(path.Clean("/"+f[2]), "/")
		var mount string
		read := cpuMax
		switch {
		case f[1] == "":
			mount = "sys/fs/cgroup"
		case strings.Contains(","+f[1]+",", ",cpu,"):
			mount, read = "sys/fs/cgroup/cpu", cfsQuota
		default:
			continue
		}
		// A parent's quota applies too. Inside a container the process's own path may not be
		// visible below the mount; the mount's root is then the container's group.
		for dir := own; ; dir = path.Dir(dir) {
			limit = min(limit, read(root, path.Join(mount, dir)))
			if dir == "." || dir == "" {
				break
			}
		}
	}
	return limit
}

func cpuMax(root fs.FS, dir string) int {
	quota, period, _ := strings.Cut(readLine(root, dir+"/cpu.max"), " ")
	return quotaCPUs(quota, period)
}

func cfsQuota(root fs.FS, dir string) int {
	return quotaCPUs(readLine(root, dir+"/cpu.cfs_quota_us"), readLine(root, dir+"/cpu.cfs_period_us"))
}

func quotaCPUs(quota, period string) int {
	q, err1 := strconv.ParseInt(quota, 10, 64) // "max" and "-1" mean no quota
	p, err2 := strconv.ParseInt(period, 10, 64)
	if err1 != nil || err2 != nil || q <= 0 || p <= 0 {
		return math.MaxInt
	}
	return int(max(1, q/p))
}
