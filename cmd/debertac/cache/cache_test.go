package cache

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/disk"
)

// name is a name of an entry.
func name(i int) string { return fmt.Sprintf("%032x", i) }

// writes returns a function that writes an entry's content and counts its calls.
func writes(text string, count *int) func(string) error {
	return func(temp string) error {
		*count++
		return os.WriteFile(temp, []byte(text), 0o777)
	}
}

// get asks a new cache, as a new process would.
func get(t *testing.T, dir string, i int, text string) (made int) {
	t.Helper()
	c := New(dir, nil)
	path, err := c.Get(t.Context(), Built, name(i), "a test", writes(text, &made))
	require.NoError(t, err)
	require.NoError(t, c.Close())
	have, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, text, string(have))
	return made
}

// age sets the last use of an entry to some time ago.
func age(t *testing.T, path string, by time.Duration) {
	t.Helper()
	then := time.Now().Add(-by)
	require.NoError(t, os.Chtimes(path, then, then))
}

func TestAnEntryIsMadeOnce(t *testing.T) {
	dir := t.TempDir()
	require.Equal(t, 1, get(t, dir, 1, "text"))
	require.Equal(t, 0, get(t, dir, 1, "text"))
	entries, err := os.ReadDir(filepath.Join(dir, "built"))
	require.NoError(t, err)
	require.Len(t, entries, 3, "the entry, its sum and its lock")
}

func TestAFailureLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	c := New(dir, nil)
	broken := errors.New("broken")
	_, err := c.Get(t.Context(), Built, name(1), "", func(temp string) error {
		return errors.Join(os.WriteFile(temp, []byte("half"), 0o666), broken)
	})
	require.ErrorIs(t, err, broken)
	entries, err := c.Entries()
	require.NoError(t, err)
	require.Empty(t, entries)
	require.Equal(t, 1, get(t, dir, 1, "text"))
}

// TestDamageIsMended damages an entry in each way that a disk or a power failure can.
func TestDamageIsMended(t *testing.T) {
	for what, damage := range map[string]func(path string) error{
		"emptied":        func(p string) error { return os.Truncate(p, 0) },
		"cut":            func(p string) error { return os.Truncate(p, 3) },
		"longer":         func(p string) error { return os.Truncate(p, 1<<20) },
		"other bytes":    func(p string) error { return os.WriteFile(p, []byte("tixt"), 0o777) },
		"gone":           os.Remove,
		"no sum":         func(p string) error { return os.Remove(sumPath(p)) },
		"empty sum":      func(p string) error { return os.Truncate(sumPath(p), 0) },
		"other sum":      func(p string) error { return os.WriteFile(sumPath(p), []byte(`{"size": 4}`), 0o666) },
		"endless sum":    func(p string) error { return errors.Join(os.Remove(sumPath(p)), os.Symlink("/dev/zero", sumPath(p))) },
		"a folder":       func(p string) error { return errors.Join(os.Remove(p), os.MkdirAll(p+"/x", 0o777)) },
		"a FIFO":         func(p string) error { return errors.Join(os.Remove(p), syscall.Mkfifo(p, 0o666)) },
		"a lost link":    func(p string) error { return errors.Join(os.Remove(p), os.Symlink("nowhere", p)) },
		"not executable": func(p string) error { return os.Chmod(p, 0o600) },
		"a half rename":  func(p string) error { return os.Rename(p, filepath.Join(filepath.Dir(p), making+name(1)+"-9")) },
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			require.Equal(t, 1, get(t, dir, 1, "text"))
			require.NoError(t, damage(filepath.Join(dir, "built", name(1))))
			require.Equal(t, 1, get(t, dir, 1, "text"))
			require.Equal(t, 0, get(t, dir, 1, "text"))
			entries, err := os.ReadDir(filepath.Join(dir, "built"))
			require.NoError(t, err)
			require.Len(t, entries, 3)
		})
	}
}

// TestBytesAreComparedAfterAStart checks that bytes that changed, with the same length and time, are found after a restart of the system.
func TestBytesAreComparedAfterAStart(t *testing.T) {
	dir := t.TempDir()
	require.Equal(t, 1, get(t, dir, 1, "text"))
	path := filepath.Join(dir, "built", name(1))
	st, err := os.Stat(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte("tixt"), 0o777))
	require.NoError(t, os.Chtimes(path, st.ModTime(), st.ModTime()))
	s, err := readSum(path)
	require.NoError(t, err)
	s.Boot = "an earlier one"
	require.NoError(t, s.write(path))
	require.Equal(t, 1, get(t, dir, 1, "text"))
}

func TestEntriesAndTrim(t *testing.T) {
	dir := t.TempDir()
	for i := range 4 {
		get(t, dir, i, strings.Repeat("x", 1000))
		age(t, sumPath(filepath.Join(dir, "built", name(i))), time.Duration(i)*time.Hour)
	}
	theirs := filepath.Join(dir, "built", "notes.txt")
	require.NoError(t, os.WriteFile(theirs, []byte("mine"), 0o666))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "built", making+name(9)+"-123"), 0o777))
	c := New(dir, nil)
	entries, err := c.Entries()
	require.NoError(t, err)
	require.Len(t, entries, 5)
	whole := 0
	for _, e := range entries {
		if e.Whole {
			require.Equal(t, name(whole), e.Name)
			require.Equal(t, "a test", e.About)
			require.Greater(t, e.Size, int64(1000))
			whole++
		}
	}
	require.Equal(t, 4, whole)

	user := New(dir, nil) // uses the oldest entry
	_, err = user.Get(t.Context(), Built, name(3), "", nil)
	require.NoError(t, err)
	defer user.Close()
	age(t, sumPath(filepath.Join(dir, "built", name(3))), 3*time.Hour)
	removed, err := c.Trim(3000)
	require.NoError(t, err)
	require.Len(t, removed, 2)
	for i, there := range []bool{true, false, false, true} {
		require.Equal(t, 1-map[bool]int{true: 1}[there], get(t, dir, i, strings.Repeat("x", 1000)), i)
	}
	require.FileExists(t, theirs)
	for _, e := range entries {
		if err := c.Remove(e); e.Name == name(3) {
			require.ErrorIs(t, err, disk.ErrLocked)
		}
	}
	left, err := c.Entries()
	require.NoError(t, err)
	require.Len(t, left, 1, "one is in use")
}

func TestEntriesOutOfUseAreRemoved(t *testing.T) {
	dir := t.TempDir()
	get(t, dir, 1, "old")
	get(t, dir, 2, "used")
	old, half := filepath.Join(dir, "built", name(1)), filepath.Join(dir, "built", making+name(7)+"-5")
	age(t, sumPath(old), 2*unusedFor)
	require.NoError(t, os.WriteFile(half, nil, 0o666))
	age(t, half, 25*time.Hour)

	get(t, dir, 3, "new")
	require.NoFileExists(t, old)
	require.NoFileExists(t, half)
	require.FileExists(t, filepath.Join(dir, "built", name(2)))
}

// TestTwoProcesses checks that one of many processes that ask at once makes the entry, and the others wait for it.
func TestTwoProcesses(t *testing.T) {
	if dir := os.Getenv("CACHE_TEST_DIR"); dir != "" { // a child of this test
		_, err := New(dir, nil).Get(t.Context(), Built, name(1), "", func(temp string) error {
			fmt.Println("making")
			time.Sleep(50 * time.Millisecond)
			return os.WriteFile(temp, []byte("text"), 0o777)
		})
		require.NoError(t, err)
		return
	}
	dir := t.TempDir()
	var wg sync.WaitGroup
	made := make(chan string, 100)
	for range 5 {
		wg.Go(func() {
			cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestTwoProcesses$")
			cmd.Env = append(os.Environ(), "CACHE_TEST_DIR="+dir)
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v: %s", err, out)
			}
			for s := bufio.NewScanner(strings.NewReader(string(out))); s.Scan(); {
				if s.Text() == "making" {
					made <- ""
				}
			}
		})
	}
	wg.Wait()
	require.Len(t, made, 1)
}

// TestAnEntryThatAnotherMadeIsShared checks that a process which waited for an entry uses it while the one that made it does too.
func TestAnEntryThatAnotherMadeIsShared(t *testing.T) {
	dir := t.TempDir()
	first, second := New(dir, nil), New(dir, nil)
	made := make(chan error)
	begun := make(chan struct{})
	go func() {
		_, err := first.Get(t.Context(), Built, name(1), "a test", func(temp string) error {
			close(begun)
			time.Sleep(200 * time.Millisecond) // the second one waits now
			return os.WriteFile(temp, []byte("text"), 0o777)
		})
		made <- err
	}()
	<-begun
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	count := 0
	_, err := second.Get(ctx, Built, name(1), "a test", writes("other", &count))
	require.NoError(t, err)
	require.NoError(t, <-made)
	require.Zero(t, count, "it was made twice")
	require.NoError(t, first.Close())
	require.ErrorIs(t, first.Remove(Entry{Kind: Built, Name: name(1), Path: first.Path(Built, name(1))}), disk.ErrLocked, "the second one uses it")
	require.NoError(t, second.Close())
}

func TestWaitingEndsWithTheContext(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.MkdirAll(filepath.Join(dir, "built"), 0o777))
	lock, err := disk.TryLock(lockPath(filepath.Join(dir, "built", name(1))), true)
	require.NoError(t, err)
	defer lock.Unlock()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err = New(dir, nil).Get(ctx, Built, name(1), "", nil)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestACacheThatCannotBeMade(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(file, nil, 0o666))
	_, err := New(file, nil).Get(t.Context(), Built, name(1), "", nil)
	var system *fs.PathError
	require.ErrorAs(t, err, &system)
}
