// Package cache keeps built programs and packed weights between runs. Everything in it can be made again.
//
// The folder of the cache has one folder per kind. An entry NAME is up to three files there:
//
//	NAME         the program or the weights
//	NAME.sum     its length, its hash and when it was last used (the time of the file's last change)
//	.NAME.lock   locked shared by every process that uses the entry, and exclusive by the one that makes or removes it
//
// The file limit holds the limit on the total size, if it is not the default. An entry takes its name when it is complete. An entry that differs from
// its sum, or has no sum, is made again.
package cache

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/debertac/debertac/runtime/disk"
)

// Env names the environment variable that moves the cache.
const Env = "DEBERTAC_CACHE"

// Kind is a kind of entries.
type Kind string

// The kinds of entries, which are the names of their folders.
const (
	Built    Kind = "built"    // programs
	Packed   Kind = "packed"   // weights
	Prepared Kind = "prepared" // data for trainings
)

var kinds = []Kind{Built, Packed, Prepared}

// Cache is the cache of one folder. It is safe for concurrent use, by several processes too.
type Cache struct {
	dir  string
	note func(format string, args ...any)

	mu   sync.Mutex
	held map[string]*disk.Lock // shared locks of the entries in use, by their path
}

// Default returns the folder of the cache: the value of DEBERTAC_CACHE, or else a folder in the user's own cache.
func Default() (string, error) {
	if dir := os.Getenv(Env); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	return filepath.Join(dir, "debertac"), nil
}

// New returns the cache in a folder. The folder is made with the first entry. note is called with messages for people, such as that an entry was
// damaged; it may be nil.
func New(dir string, note func(format string, args ...any)) *Cache {
	if note == nil {
		note = func(string, ...any) {}
	}
	return &Cache{dir: dir, note: note, held: map[string]*disk.Lock{}}
}

// Close releases the entries in use: from then on others may remove them. The end of the process does the same.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []error
	for _, l := range c.held {
		all = append(all, l.Unlock())
	}
	clear(c.held)
	return errors.Join(all...)
}

// Dir returns the folder of the cache.
func (c *Cache) Dir() string { return c.dir }

// Path returns the path of an entry, whether it exists or not.
func (c *Cache) Path(kind Kind, name string) string { return filepath.Join(c.dir, string(kind), name) }

// Has reports whether an entry is there and whole.
func (c *Cache) Has(kind Kind, name string) bool {
	fine, _ := check(c.Path(kind, name))
	return fine
}

// ours matches the names of entries. Other files in the folder of a kind are not the cache's, and are left alone.
var ours = regexp.MustCompile(`^([a-z]+-)?[0-9a-f]{32}(\.[a-z]+)?$`)

func sumPath(path string) string { return path + ".sum" }

func lockPath(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".lock")
}

// Get returns the path of an entry. If the entry is missing or damaged, Get makes it: create writes it to the path temp, in a folder of its own.
// about describes the entry for people. If another process is making the same entry, Get waits for it. The entry is in use, and other processes do
// not remove it, until Close or the end of this process.
func (c *Cache) Get(ctx context.Context, kind Kind, name, about string, create func(temp string) error) (string, error) {
	if !ours.MatchString(name) || !slices.Contains(kinds, kind) {
		return "", fmt.Errorf("cache: %q is not the name of an entry", name)
	}
	path := c.Path(kind, name)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.use(path) {
		return path, nil
	}
	if err := disk.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return "", err
	}
	lock, err := c.lock(ctx, path)
	if err != nil {
		return "", err
	}
	if lock == nil {
		return path, nil
	}
	made := false
	defer func() {
		if !made {
			lock.Unlock() // the error is the one to report
		}
	}()
	fine, damage := check(path) // another process may have made it meanwhile
	if !fine {
		if damage != "" {
			c.note("%s: note: this entry of the cache is damaged (%s): it is made again", path, damage)
		}
		if err := c.make(path, about, create); err != nil {
			return "", err
		}
	}
	made = true
	c.held[path] = lock
	if err := c.prune(); err != nil {
		c.note("%s: note: old entries of the cache cannot be removed: %v", c.dir, err)
	}
	return path, lock.Share()
}

// lock waits for the lock under which an entry is made. It returns nil if another process has made the entry meanwhile: that process may use it for
// hours, and this one uses it too.
func (c *Cache) lock(ctx context.Context, path string) (*disk.Lock, error) {
	said := false
	for begin := time.Now(); ; {
		if old := c.held[path]; old != nil { // the entry is damaged
			delete(c.held, path)
			if err := old.Unlock(); err != nil {
				return nil, err
			}
		}
		lock, err := disk.TryLock(lockPath(path), true)
		if !errors.Is(err, disk.ErrLocked) {
			return lock, err
		}
		if c.use(path) {
			return nil, nil
		}
		if !said && time.Since(begin) > time.Second {
			c.note("waiting for another process that makes %s", path)
			said = true
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// use reports whether the entry is there and whole. If so, the entry is locked until Close.
func (c *Cache) use(path string) bool {
	if ok, err := disk.Exists(path); !ok || err != nil {
		return false // an entry that cannot be read cannot be replaced either: making it reports the error
	}
	if c.held[path] == nil {
		lock, err := disk.TryLock(lockPath(path), false)
		switch {
		case errors.Is(err, disk.ErrLocked):
			return false
		case err == nil:
			c.held[path] = lock
		}
		// An entry can be used without a lock too, as in a cache that cannot be written.
	}
	fine, _ := check(path)
	if fine {
		_ = disk.Touch(sumPath(path)) // fails too in a cache that cannot be written
	}
	return fine
}

// making is the prefix of the name of the folder in which an entry is made.
const making = ".making-"

// make makes an entry. The caller has its lock.
func (c *Cache) make(path, about string, create func(temp string) error) (err error) {
	dir, name := filepath.Split(path)
	if err := wipe(path); err != nil {
		return err
	}
	temp, err := disk.TempDir(dir, making+name+"-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, disk.RemoveAll(temp)) }()
	made := filepath.Join(temp, name)
	if err := create(made); err != nil {
		return err
	}
	s, err := sumOf(made, about)
	if err != nil {
		return err
	}
	if err := disk.Install(made, path); err != nil {
		return err
	}
	return s.write(path)
}

// wipe removes the files of an entry, and those that a killed process left while it was making the entry.
func wipe(path string) error {
	dir, name := filepath.Split(path)
	entries, err := disk.ReadDir(dir)
	if err != nil {
		return err
	}
	var all []error
	for _, e := range entries {
		if e.Name() == name || e.Name() == filepath.Base(sumPath(path)) || strings.HasPrefix(e.Name(), making+name+"-") {
			all = append(all, disk.RemoveAll(filepath.Join(dir, e.Name())))
		}
	}
	return errors.Join(all...)
}

// check reports whether the entry matches its sum. If not, damage is the reason; it is empty for an entry that is not there.
func check(path string) (fine bool, damage string) {
	st, err := disk.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, ""
	}
	if err != nil {
		return false, err.Error()
	}
	if !st.Mode().IsRegular() {
		return false, "it is not a regular file"
	}
	s, err := readSum(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, "it has no sum"
	}
	if err != nil {
		return false, fmt.Sprintf("its sum cannot be read: %v", err)
	}
	if err := s.holds(path, st); err != nil {
		return false, err.Error()
	}
	return true, ""
}
