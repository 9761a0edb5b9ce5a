package cache

import (
	"errors"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/debertac/debertac/runtime/disk"
)

// Entry is one entry of the cache.
type Entry struct {
	Kind  Kind
	Name  string
	About string // what it is, for people; "" if that is not known
	Path  string
	Size  int64     // in bytes, with what belongs to it
	Used  time.Time // when it was last used
	Whole bool      // it has a sum; false for files that a killed process left
}

// Entries lists the entries, the most recently used first. A cache that does not exist has no entries.
func (c *Cache) Entries() ([]Entry, error) {
	var all []Entry
	for _, kind := range kinds {
		dir := filepath.Join(c.dir, string(kind))
		names, err := disk.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		have := map[string]bool{}
		for _, n := range names {
			have[n.Name()] = true
		}
		for _, n := range names {
			name := n.Name()
			entry := strings.TrimSuffix(name, ".sum")
			if entry != name && have[entry] || !ours.MatchString(entry) && !ours.MatchString(beingMade(entry)) {
				continue // it belongs to an entry, or not to the cache
			}
			e := Entry{Kind: kind, Name: entry, Path: filepath.Join(dir, entry)}
			if err := e.measure(); errors.Is(err, fs.ErrNotExist) {
				continue // another process has removed it meanwhile
			} else if err != nil {
				return nil, err
			}
			all = append(all, e)
		}
	}
	slices.SortStableFunc(all, func(a, b Entry) int { return b.Used.Compare(a.Used) })
	return all, nil
}

// beingMade returns the name of the entry that was being made in a folder of this name, or "".
func beingMade(folder string) string {
	rest, ok := strings.CutPrefix(folder, making)
	if !ok {
		return ""
	}
	return rest[:max(strings.LastIndexByte(rest, '-'), 0)]
}

// measure fills in the size and the time of the last use.
func (e *Entry) measure() error {
	found := false
	err := filepath.WalkDir(e.Path, func(_ string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		st, err := d.Info()
		if err != nil {
			return err
		}
		if st.Mode().IsRegular() {
			e.Size += st.Size()
		}
		if st.ModTime().After(e.Used) {
			e.Used = st.ModTime()
		}
		found = true
		return nil
	})
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	st, err := disk.Stat(sumPath(e.Path))
	switch {
	case err == nil:
		e.Size += st.Size()
		e.Used = st.ModTime()
		if s, err := readSum(e.Path); err == nil {
			e.About, e.Whole = s.About, found
		}
		return nil
	case errors.Is(err, fs.ErrNotExist) && found:
		return nil
	}
	return err
}

// Remove removes an entry. An entry that another process uses stays, and Remove returns an error that matches disk.ErrLocked.
func (c *Cache) Remove(e Entry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.remove(e)
}

func (c *Cache) remove(e Entry) error {
	path := e.Path
	if name := beingMade(e.Name); name != "" { // the lock is that of the entry
		path = c.Path(e.Kind, name)
	}
	lock, err := disk.TryLock(lockPath(path), true)
	if err != nil {
		return err
	}
	all := []error{disk.RemoveAll(e.Path)}
	if path == e.Path {
		all = append(all, disk.RemoveAll(sumPath(e.Path)))
	}
	return errors.Join(append(all, disk.Remove(lockPath(path)), lock.Unlock())...)
}

// Trim removes entries until the others have at most limit bytes, the least recently used first. It returns the entries that it removed. Entries in use stay.
func (c *Cache) Trim(limit int64) ([]Entry, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.trim(func(_ Entry, total int64) bool { return total > limit })
}

// unusedFor is how long an entry is kept after its last use. Every change of a model, or of debertac, makes new ones.
const unusedFor = 30 * 24 * time.Hour

// prune removes entries that were not used for unusedFor, entries beyond the limit, and, within a day, what killed processes left.
func (c *Cache) prune() error {
	now := time.Now()
	limit, bad := c.Limit()
	if bad != nil {
		limit = DefaultLimit
	}
	_, err := c.trim(func(e Entry, total int64) bool {
		return now.Sub(e.Used) > unusedFor || !e.Whole && now.Sub(e.Used) > 24*time.Hour || total > limit
	})
	return errors.Join(bad, err)
}

// trim goes over the entries, the least recently used first, and removes those for which goes returns true. total is the size of all entries that are left.
func (c *Cache) trim(goes func(e Entry, total int64) bool) ([]Entry, error) {
	entries, err := c.Entries()
	if err != nil {
		return nil, err
	}
	total := int64(0)
	for _, e := range entries {
		total += e.Size
	}
	var removed []Entry
	for _, e := range slices.Backward(entries) {
		if !goes(e, total) {
			continue
		}
		switch err := c.remove(e); {
		case errors.Is(err, disk.ErrLocked):
		case err != nil:
			return removed, err
		default:
			removed = append(removed, e)
			total -= e.Size
		}
	}
	return removed, nil
}
