package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/disk"
)

type cacheVerb struct {
	Action string   `arg:"" enum:"list,clean,limit" help:"list, clean or limit."`
	Values []string `arg:"" optional:"" name:"value" help:"Of clean: names of entries; default all. Of limit: a size, such as 20GB, or none."`
	JSON   bool     `name:"json" help:"Of list: one JSON object per entry."`
}

// Help is the long help.
func (cacheVerb) Help() string {
	return `Built programs and packed weights are kept between runs, in the user's cache folder or the one that DEBERTAC_CACHE names.
Everything there can be made again. The cache has a limit, 10 GB unless another one is set: whenever something is added, the
entries go that were out of use for the longest time, and so does every entry after 30 days without use. An entry that a
running program uses is never removed.

list says what is there, clean removes it, limit says or sets the limit.

Examples:
  debertac cache list
  debertac cache clean
  debertac cache limit 20GB`
}

// Run does what is asked.
func (v *cacheVerb) Run(m *built.Maker) error {
	c, err := m.Store()
	if err != nil {
		return err
	}
	if v.JSON && v.Action != "list" {
		return fault.Usage("debertac cache list --json", "--json belongs to cache list")
	}
	switch v.Action {
	case "list":
		if len(v.Values) > 0 {
			return fault.Usage("debertac cache list", "cache list takes no values: %q", v.Values[0])
		}
		return v.list(m, c)
	case "clean":
		return v.clean(m, c)
	}
	return v.limit(m, c)
}

// cacheEntry is a line of cache list --json.
type cacheEntry struct {
	Kind  cache.Kind `json:"kind"`
	Name  string     `json:"name"`
	About string     `json:"about"`
	Path  string     `json:"path"`
	Bytes int64      `json:"bytes"`
	Used  time.Time  `json:"used"`
	Whole bool       `json:"whole"`
}

func (v *cacheVerb) list(m *built.Maker, c *cache.Cache) error {
	entries, err := c.Entries()
	if err != nil {
		return err
	}
	limit, err := c.Limit()
	if err != nil {
		return fault.Input("", "%v", err).Hint("debertac cache limit 10GB")
	}
	total := int64(0)
	for _, e := range entries {
		total += e.Size
		if v.JSON {
			text, err := json.Marshal(cacheEntry{e.Kind, e.Name, e.About, e.Path, e.Size, e.Used, e.Whole})
			if err != nil {
				return fault.Ours(err)
			}
			if _, err := fmt.Fprintf(m.Out, "%s\n", text); err != nil {
				return err
			}
			continue
		}
		about := e.About
		if !e.Whole {
			about = "left by a process that was killed"
		}
		if _, err := fmt.Fprintf(m.Out, "%-8s %10s  %s  %s  %s\n", e.Kind, wording.Size(e.Size), e.Used.Format("2006-01-02 15:04"), e.Name, about); err != nil {
			return err
		}
	}
	m.Note("%s: %s, %s; the limit is %s", c.Dir(), wording.Counted(len(entries), "entry", "entries"), wording.Size(total), limitText(limit))
	return nil
}

// clean removes the named entries, or all.
func (v *cacheVerb) clean(m *built.Maker, c *cache.Cache) error {
	entries, err := c.Entries()
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, name := range v.Values {
		wanted[name] = true
	}
	removed, used, bytes := 0, 0, int64(0)
	for _, e := range entries {
		if len(v.Values) > 0 && !wanted[e.Name] {
			continue
		}
		delete(wanted, e.Name)
		err := c.Remove(e)
		switch {
		case errors.Is(err, disk.ErrLocked):
			used++
			m.Note("%s: note: a running program uses it, it stays", e.Path)
		case err != nil:
			return err
		default:
			removed++
			bytes += e.Size
		}
	}
	m.Note("%s: %s removed, %s", c.Dir(), wording.Counted(removed, "entry", "entries"), wording.Size(bytes))
	for name := range wanted {
		return fault.Input(c.Dir(), "there is no entry %s", name).Hint("debertac cache list")
	}
	if used > 0 && len(v.Values) > 0 {
		return fault.Input(c.Dir(), "%d of the named entries are in use and stay", used)
	}
	return nil
}

// limit says what the limit is, or sets it.
func (v *cacheVerb) limit(m *built.Maker, c *cache.Cache) error {
	switch len(v.Values) {
	case 0:
		limit, err := c.Limit()
		if err != nil {
			return fault.Input("", "%v", err).Hint("debertac cache limit 10GB")
		}
		_, err = fmt.Fprintln(m.Out, limitText(limit))
		return err
	case 1:
	default:
		return fault.Usage("debertac cache limit 20GB", "cache limit takes one size: %q", v.Values[1])
	}
	limit, err := parseSize(v.Values[0])
	if err != nil {
		return fault.Usage("debertac cache limit 20GB", "%v", err)
	}
	if err := c.SetLimit(limit); err != nil {
		return err
	}
	removed, err := c.Trim(limit)
	if err != nil {
		return err
	}
	bytes := int64(0)
	for _, e := range removed {
		bytes += e.Size
	}
	m.Note("%s: the limit is %s; %s removed, %s", c.Dir(), limitText(limit), wording.Counted(len(removed), "entry", "entries"), wording.Size(bytes))
	return nil
}

func limitText(limit int64) string {
	if limit == cache.NoLimit {
		return "none"
	}
	return wording.Size(limit)
}

// sizeUnits are those of sizes: powers of 1024, as size prints them.
var sizeUnits = []struct {
	name  string
	bytes float64
}{{"tb", 1 << 40}, {"tib", 1 << 40}, {"gb", 1 << 30}, {"gib", 1 << 30}, {"mb", 1 << 20}, {"mib", 1 << 20}, {"kb", 1 << 10}, {"kib", 1 << 10}, {"b", 1}}

// parseSize reads a size such as 20GB, 500 MiB or none.
func parseSize(text string) (int64, error) {
	lower := strings.ToLower(strings.TrimSpace(text))
	if lower == "none" {
		return cache.NoLimit, nil
	}
	for _, u := range sizeUnits {
		number, ok := strings.CutSuffix(lower, u.name)
		if !ok {
			continue
		}
		x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil {
			continue // "gib" ends in "b" as well
		}
		if !(x >= 0) || x*u.bytes >= math.MaxInt64 {
			return 0, fmt.Errorf("a size of %s is out of range", text)
		}
		return int64(x * u.bytes), nil
	}
	return 0, fmt.Errorf("%q is not a size: give a number with a unit, such as 20GB or 500MB, or none", text)
}
