package cpu

import (
	"math"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func tree(files map[string]string) fstest.MapFS {
	fs := fstest.MapFS{}
	for name, text := range files {
		fs[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fs
}

func TestPhysicalCores(t *testing.T) {
	// Two cores with two hardware threads each, in the two ways in which the system numbers them.
	smt := tree(map[string]string{
		"sys/devices/system/cpu/cpu0/topology/thread_siblings_list": "0,2\n",
		"sys/devices/system/cpu/cpu1/topology/thread_siblings_list": "1,3\n",
		"sys/devices/system/cpu/cpu2/topology/thread_siblings_list": "0,2\n",
		"sys/devices/system/cpu/cpu3/topology/thread_siblings_list": "1,3\n",
	})
	require.Equal(t, 2, physicalCores(smt, []int{0, 1, 2, 3}))
	require.Equal(t, 1, physicalCores(smt, []int{0, 2}), "affinity to both threads of one core")
	require.Equal(t, 2, physicalCores(smt, []int{2, 3}))
	require.Equal(t, []int{1}, spareCores(smt, []int{0, 1, 2, 3}))
	require.Equal(t, []int{3}, spareCores(smt, []int{0, 2, 3}))
	require.Empty(t, spareCores(smt, []int{0, 2}))
	require.Empty(t, spareCores(smt, nil))
	require.Equal(t, 3, physicalCores(tree(nil), []int{4, 5, 6}), "no topology: each a core")
}

func TestCgroupCPUs(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  int
	}{
		"none":         {nil, math.MaxInt},
		"v2 unlimited": {map[string]string{"proc/self/cgroup": "0::/a\n", "sys/fs/cgroup/a/cpu.max": "max 100000\n"}, math.MaxInt},
		"v2 own":       {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "300000 100000\n"}, 3},
		"v2 parent binds": {map[string]string{"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/cpu.max": "max 100000",
			"sys/fs/cgroup/a/cpu.max": "200000 100000"}, 2},
		"v2 container": {map[string]string{"proc/self/cgroup": "0::/not/visible\n", "sys/fs/cgroup/cpu.max": "400000 100000"}, 4},
		"v2 fraction":  {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "150000 100000"}, 1},
		"v2 below one": {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "50000 100000"}, 1},
		"v1": {map[string]string{"proc/self/cgroup": "3:cpu,cpuacct:/x\n0::/\n",
			"sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "500000", "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000"}, 5},
		"v1 unlimited": {map[string]string{"proc/self/cgroup": "3:cpu:/x\n",
			"sys/fs/cgroup/cpu/x/cpu.cfs_quota_us": "-1", "sys/fs/cgroup/cpu/x/cpu.cfs_period_us": "100000"}, math.MaxInt},
		"other controller": {map[string]string{"proc/self/cgroup": "4:memory:/x\n2:cpuacct:/y\nbroken\n"}, math.MaxInt},
		"nonsense":         {map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "-5 0"}, math.MaxInt},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, cgroupCPUs(tree(c.files))) })
	}
}

func TestDefaultThreads(t *testing.T) {
	n := DefaultThreads()
	require.GreaterOrEqual(t, n, 1)
	require.LessOrEqual(t, n, runtime.NumCPU())
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	require.Equal(t, 1, DefaultThreads())
}

func TestDescribe(t *testing.T) {
	root := tree(map[string]string{
		"proc/cpuinfo": "processor\t: 0\nmodel name\t: Some CPU 9000\n",
		"sys/devices/system/cpu/cpu0/cache/index0/level":           "1\n",
		"sys/devices/system/cpu/cpu0/cache/index0/type":            "Data\n",
		"sys/devices/system/cpu/cpu0/cache/index0/size":            "48K\n",
		"sys/devices/system/cpu/cpu0/cache/index0/shared_cpu_list": "0,4-5\n",
		"sys/devices/system/cpu/cpu0/cache/index1/level":           "3\n",
		"sys/devices/system/cpu/cpu0/cache/index1/type":            "Unified\n",
		"sys/devices/system/cpu/cpu0/cache/index1/size":            "32M\n",
		"sys/devices/system/cpu/cpu0/cache/index1/shared_cpu_list": "0-7\n",
		"sys/devices/system/cpu/cpu0/cache/uevent":                 "",
	})
	require.Equal(t, "Some CPU 9000", cpuModel(root))
	require.Equal(t, []Cache{{1, "Data", 48 << 10, 3}, {3, "Unified", 32 << 20, 8}}, cpuCaches(root))
	require.Empty(t, cpuModel(tree(nil)))
	require.Empty(t, cpuCaches(tree(nil)))
	require.Empty(t, parseCPUList("x,1-y"))
	c := Describe()
	require.Equal(t, runtime.GOARCH, c.Arch)
	require.Contains(t, c.ISAs, "go")
	require.Positive(t, c.Threads)
}
