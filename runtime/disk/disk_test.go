//go:build unix

package disk

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// kinds makes, in a new folder, one file of each kind that is not regular, and links to them.
func kinds(t *testing.T) map[string]string {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.Mkdir(at("folder"), 0o777))
	require.NoError(t, unix.Mkfifo(at("fifo"), 0o666))
	l, err := net.Listen("unix", at("socket"))
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	found := map[string]string{"a folder": at("folder"), "a FIFO": at("fifo"), "a socket": at("socket")}
	if err := unix.Mknod(at("device"), unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err == nil { // only the administrator may make devices
		found["a device"] = at("device")
	}
	for kind, path := range maps.Clone(found) {
		link := path + "-link"
		require.NoError(t, os.Symlink(filepath.Base(path), link))
		found[kind+" that a link names"] = link
	}
	return found
}

func list(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestNoRegularFileIsReadOrReplaced(t *testing.T) {
	for kind, path := range kinds(t) {
		t.Run(kind, func(t *testing.T) {
			before, err := os.Lstat(path)
			require.NoError(t, err)
			names := list(t, filepath.Dir(path))
			for what, err := range map[string]error{
				"write":  WriteFile(path, []byte("x"), 0o666),
				"place":  func() error { _, err := Place(path); return err }(),
				"create": func() error { _, err := Create(path, 0o666); return err }(),
				"open":   func() error { _, err := Open(path); return err }(),
				"read":   func() error { _, err := ReadFile(path, 10); return err }(),
			} {
				require.ErrorIs(t, err, ErrKind, what)
				require.ErrorContains(t, err, strings.TrimSuffix(kind, " that a link names"), what)
				var p *fs.PathError
				require.ErrorAs(t, err, &p)
				require.Equal(t, path, p.Path)
			}
			after, err := os.Lstat(path)
			require.NoError(t, err)
			require.Equal(t, before.Mode(), after.Mode())
			require.Equal(t, names, list(t, filepath.Dir(path)))
		})
	}
}

func TestLinksAreFollowed(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.Mkdir(at("a"), 0o777))
	require.NoError(t, os.Mkdir(at("b"), 0o777))
	require.NoError(t, os.Mkdir(at("b/c"), 0o777))
	require.NoError(t, os.Symlink("../b/c", at("a/folder")))
	require.NoError(t, os.Symlink("folder/../file", at("a/link"))) // this is b/file and not a/file
	require.NoError(t, os.Symlink("link", at("a/link2")))
	for range 2 { // first new, then replaced
		require.NoError(t, WriteFile(at("a/link2"), []byte("text"), 0o640))
		text, err := os.ReadFile(at("b/file"))
		require.NoError(t, err)
		require.Equal(t, "text", string(text))
		require.Equal(t, []string{"folder", "link", "link2"}, list(t, at("a")))
		require.Equal(t, []string{"c", "file"}, list(t, at("b")))
	}
	require.NoError(t, os.Symlink("round", at("round")))
	require.ErrorIs(t, WriteFile(at("round"), nil, 0o666), ErrLink)
	require.NoError(t, os.Symlink("nowhere/file", at("lost")))
	require.ErrorContains(t, WriteFile(at("lost"), nil, 0o666), "there is no folder")
}

func TestALinkThatLeadsNowhereIsNotAbsent(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	require.NoError(t, os.Symlink("nowhere", at("link")))
	require.NoError(t, os.Symlink("round", at("round")))
	for _, name := range []string{"link", "link/config.json", "round"} {
		_, err := Exists(at(name))
		require.Error(t, err, name)
		require.NotErrorIs(t, err, fs.ErrNotExist, name)
		_, err = ReadFile(at(name), 100)
		require.Error(t, err, name)
		require.NotErrorIs(t, err, fs.ErrNotExist, name)
	}
	for _, fsys := range []fs.FS{FS(dir, 100), os.DirFS(dir)} {
		_, err := ExistsIn(fsys, "link")
		require.ErrorIs(t, err, ErrLink)
		_, err = ReadFileIn(fsys, "link", 100)
		require.ErrorIs(t, err, ErrLink)
		ok, err := ExistsIn(fsys, "absent")
		require.NoError(t, err)
		require.False(t, ok)
	}
	ok, err := Exists(at("absent/config.json"))
	require.NoError(t, err)
	require.False(t, ok)
	require.NoError(t, os.WriteFile(at("nowhere"), nil, 0o666))
	ok, err = Exists(at("link"))
	require.NoError(t, err)
	require.True(t, ok)
}

func TestLimits(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, make([]byte, 1000), 0o666))
	_, err := ReadFile(path, 999)
	require.ErrorIs(t, err, ErrLimit)
	text, err := ReadFile(path, 1000)
	require.NoError(t, err)
	require.Len(t, text, 1000)
	fsys := fstest.MapFS{"file": {Data: make([]byte, 1000)}, "folder/x": {}}
	_, err = ReadFileIn(fsys, "file", 999)
	require.ErrorIs(t, err, ErrLimit)
	_, err = ReadFileIn(fsys, "folder", 999)
	require.ErrorIs(t, err, ErrKind)
	require.NoError(t, os.Truncate(path, 1<<40))
	_, err = ReadFile(path, 1<<20)
	require.ErrorIs(t, err, ErrLimit)
	_, err = ReadStream(t.Context(), "/dev/zero", 1<<20)
	require.ErrorIs(t, err, ErrKind)
	zero, err := OpenStream(t.Context(), "/dev/zero")
	require.NoError(t, err)
	_, err = ReadAll(t.Context(), zero, "stdin", 1<<20)
	require.ErrorIs(t, err, ErrLimit)
	require.NoError(t, zero.Close())
}

func TestPipesAreStreams(t *testing.T) {
	path := filepath.Join(t.TempDir(), "fifo")
	require.NoError(t, unix.Mkfifo(path, 0o666))
	go func() {
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err == nil {
			io.WriteString(f, "one\ntwo\n")
			f.Close()
		}
	}()
	text, err := ReadStream(t.Context(), path, 100)
	require.NoError(t, err)
	require.Equal(t, "one\ntwo\n", string(text))

	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = ReadStream(ctx, path, 100) // nobody writes to it
	require.ErrorIs(t, err, context.DeadlineExceeded)

	r, w, err := os.Pipe() // another process has it open and writes nothing
	require.NoError(t, err)
	defer w.Close()
	ctx, cancel = context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err = ReadAll(ctx, r, "stdin", 100)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestPlacesOfTheSystemAreRefused(t *testing.T) {
	for _, path := range []string{"/debertac-test-file", "/dev/debertac-test-file", "/proc/self/fd/1", "/dev/stdout", "/sys/debertac-test-file", "", "/tmp/"} {
		_, err := Place(path)
		require.ErrorIs(t, err, ErrKind, path)
	}
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink("/debertac-test-file", link))
	_, err := Place(link)
	require.ErrorIs(t, err, ErrKind)
}

func TestPermissionsAreKept(t *testing.T) {
	dir := t.TempDir()
	old, fresh := filepath.Join(dir, "old"), filepath.Join(dir, "fresh")
	require.NoError(t, os.WriteFile(old, nil, 0o600))
	require.NoError(t, os.Chmod(old, 0o751))
	require.NoError(t, WriteFile(old, []byte("x"), 0o666))
	require.NoError(t, WriteFile(fresh, []byte("x"), 0o600))
	for path, want := range map[string]fs.FileMode{old: 0o751, fresh: 0o600} {
		st, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, want, st.Mode().Perm())
	}
	made := filepath.Join(dir, "made")
	require.NoError(t, os.WriteFile(made, []byte("y"), 0o600))
	require.NoError(t, Install(made, old))
	st, err := os.Stat(old)
	require.NoError(t, err)
	require.Equal(t, fs.FileMode(0o751), st.Mode().Perm())
	require.Equal(t, []string{"fresh", "old"}, list(t, dir))
	if os.Getuid() != 0 {
		require.NoError(t, os.Chmod(old, 0o444))
		require.ErrorIs(t, WriteFile(old, nil, 0o666), fs.ErrPermission)
	}
}

func TestLongNames(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("x", 255))
	require.NoError(t, WriteFile(path, []byte("x"), 0o666))
	require.NoError(t, WriteFile(path, []byte("y"), 0o666))
}

// TestLeftovers checks that temporary files of a killed process are removed by the next write of the file, and that
// those of a running process stay.
func TestLeftovers(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	dead, theirs := filepath.Join(dir, tempName("file")), filepath.Join(dir, ".file.partial-notours!")
	for _, p := range []string{dead, theirs} {
		require.NoError(t, os.WriteFile(p, nil, 0o666))
		long := time.Now().Add(-time.Hour)
		require.NoError(t, os.Chtimes(p, long, long))
	}
	open, err := Create(path, 0o666)
	require.NoError(t, err)
	long := time.Now().Add(-time.Hour)
	require.NoError(t, os.Chtimes(open.temp, long, long))
	require.NoError(t, WriteFile(path, []byte("x"), 0o666))
	require.ElementsMatch(t, []string{"file", filepath.Base(open.temp), filepath.Base(theirs)}, list(t, dir))
	open.Discard()
	require.ElementsMatch(t, []string{"file", filepath.Base(theirs)}, list(t, dir))
}

// TestEveryFaultLeavesAWholeFile makes each operation of a write and of an install fail in turn.
func TestEveryFaultLeavesAWholeFile(t *testing.T) {
	dir := t.TempDir()
	path, made := filepath.Join(dir, "file"), filepath.Join(dir, "made")
	writers := map[string]func() error{
		"write": func() error { return WriteFile(path, []byte("new text"), 0o666) },
		"install": func() error {
			require.NoError(t, os.WriteFile(made, []byte("new text"), 0o666))
			return Install(made, path)
		},
	}
	for name, run := range writers {
		for _, fault := range []error{unix.ENOSPC, unix.EIO, &Short{Err: unix.ENOSPC}} {
			for k := 0; ; k++ {
				require.NoError(t, os.WriteFile(path, []byte("old"), 0o666))
				n, failed := 0, Op("")
				restore := Inject(func(op Op, _ string) error {
					if n++; n-1 == k {
						failed = op
						return fault
					}
					return nil
				})
				err := run()
				restore()
				text, rerr := os.ReadFile(path)
				require.NoError(t, rerr)
				if failed == "" {
					require.NoError(t, err)
					require.GreaterOrEqual(t, k, 5, name)
					break
				}
				require.ErrorIs(t, err, errors.Unwrap(pathError("", "", fault)), "%s: %s", name, failed)
				want := "old"
				if failed == OpSyncDir {
					want = "new text"
				}
				require.Equal(t, want, string(text), "%s: %s", name, failed)
				os.Remove(made)
				require.Equal(t, []string{"file"}, list(t, dir), "%s: %s", name, failed)
			}
		}
	}
}

func TestReadFaults(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(path, []byte("text"), 0o666))
	for _, at := range []Op{OpStat, OpOpen, OpRead} {
		restore := Inject(func(op Op, _ string) error {
			if op == at {
				return unix.EIO
			}
			return nil
		})
		_, err := ReadFile(path, 100)
		require.ErrorIs(t, err, unix.EIO, string(at))
		_, err = ReadStream(t.Context(), path, 100)
		require.ErrorIs(t, err, unix.EIO, string(at))
		restore()
	}
}
