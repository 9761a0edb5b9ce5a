package resource

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
)

func file(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }

func TestAvailable(t *testing.T) {
	require.EqualValues(t, 2048<<10, available(fstest.MapFS{"proc/meminfo": file("MemTotal: 9999 kB\nMemAvailable:    2048 kB\n")}))
	require.EqualValues(t, 3000<<10, available(fstest.MapFS{"proc/meminfo": file("MemAvailable: 2000 kB\nSwapFree: 1000 kB\n")}))
	for _, text := range []string{"", "MemTotal: 1 kB\n", "MemAvailable: x kB\n", "MemAvailable: -1 kB\n",
		"MemAvailable: 9223372036854775807 kB\n", "MemAvailable:\n"} {
		require.Equal(t, Unknown, available(fstest.MapFS{"proc/meminfo": file(text)}), text)
	}
	require.Equal(t, Unknown, available(fstest.MapFS{}))
}

func TestGroups(t *testing.T) {
	two := fstest.MapFS{
		"proc/self/cgroup":                 file("0::/a/b\n"),
		"sys/fs/cgroup/a/b/memory.max":     file("max\n"),
		"sys/fs/cgroup/a/b/memory.current": file("10\n"),
		"sys/fs/cgroup/a/memory.max":       file("1000\n"),
		"sys/fs/cgroup/a/memory.current":   file("600\n"),
		"sys/fs/cgroup/a/memory.stat":      file("anon 5\ninactive_file 100\n"),
	}
	require.EqualValues(t, 500, groups(two), "the parent's limit binds; cache can be dropped")
	two["sys/fs/cgroup/a/memory.current"] = file("2000\n")
	require.EqualValues(t, 0, groups(two))
	one := fstest.MapFS{
		"proc/self/cgroup": file("5:cpu,cpuacct:/x\n4:memory:/x\n"),
		"sys/fs/cgroup/memory/x/memory.limit_in_bytes": file("700\n"),
		"sys/fs/cgroup/memory/x/memory.usage_in_bytes": file("300\n"),
	}
	require.EqualValues(t, 400, groups(one))
	require.Equal(t, Unknown, groups(fstest.MapFS{}))
}

func TestHere(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells")
	}
	if os.Getenv("RESOURCE_TEST") != "" { // this is the child, whose address space is limited
		err := CheckMemory("the test", 1<<42)
		var e *Error
		require.ErrorAs(t, err, &e)
		require.Less(t, e.Have, int64(8<<30))
		return
	}
	require.Positive(t, Memory())
	require.NotEqual(t, Unknown, Memory())
	require.NoError(t, CheckMemory("a byte", 1))
	err := CheckMemory("tensor \"w\"", 1<<60)
	require.ErrorContains(t, err, `tensor "w" needs 1.0 EiB of memory, `)
	dir := t.TempDir()
	require.Positive(t, Disk(dir))
	require.NoError(t, CheckDisk("nothing", dir, 0))
	err = CheckDisk("the file", dir, 1<<60)
	var e *Error
	require.True(t, errors.As(err, &e))
	require.ErrorContains(t, err, "the file needs 1.0 EiB of disk space in "+dir)
	require.Equal(t, Unknown, Disk(dir+"/absent"))

	exe, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command("sh", "-c", `ulimit -v 8388608 && exec "$0" -test.run '^TestHere$'`, exe)
	cmd.Env = append(os.Environ(), "RESOURCE_TEST=1")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
}
