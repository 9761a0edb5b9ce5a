// Package cachelist implements the verb cache: it lists the cache for its user, cleans it, and limits its size.
package cachelist

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/runtime/disk"
)

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

// List prints the entries of the cache, one per line.
func List(cons *console.Console, c *cache.Cache, asJSON bool) error {
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
		if asJSON {
			text, err := json.Marshal(cacheEntry{e.Kind, e.Name, e.About, e.Path, e.Size, e.Used, e.Whole})
			if err != nil {
				return fault.Ours(err)
			}
			if _, err := fmt.Fprintf(cons.Out, "%s\n", text); err != nil {
				return err
			}
			continue
		}
		about := e.About
		if !e.Whole {
			about = "left by a process that was killed"
		}
		if _, err := fmt.Fprintf(cons.Out, "%-8s %10s  %s  %s  %s\n", e.Kind, wording.Size(e.Size), e.Used.Format("2006-01-02 15:04"), e.Name,
			about); err != nil {
			return err
		}
	}
	cons.Note("%s: %s, %s; the limit is %s", c.Dir(), wording.Counted(len(entries), "entry", "entries"), wording.Size(total), limitText(limit))
	return nil
}

// Clean removes the named entries, or all.
func Clean(cons *console.Console, c *cache.Cache, names []string) error {
	entries, err := c.Entries()
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, name := range names {
		wanted[name] = true
	}
	removed, used, bytes := 0, 0, int64(0)
	for _, e := range entries {
		if len(names) > 0 && !wanted[e.Name] {
			continue
		}
		delete(wanted, e.Name)
		err := c.Remove(e)
		switch {
		case errors.Is(err, disk.ErrLocked):
			used++
			cons.Note("%s: note: a running program uses it, it stays", e.Path)
		case err != nil:
			return err
		default:
			removed++
			bytes += e.Size
		}
	}
	cons.Note("%s: %s removed, %s", c.Dir(), wording.Counted(removed, "entry", "entries"), wording.Size(bytes))
	for name := range wanted {
		return fault.Input(c.Dir(), "there is no entry %s", name).Hint("debertac cache list")
	}
	if used > 0 && len(names) > 0 {
		return fault.Input(c.Dir(), "%d of the named entries are in use and stay", used)
	}
	return nil
}

// Limit prints the limit, or sets it to the value if there is one.
func Limit(cons *console.Console, c *cache.Cache, values []string) error {
	switch len(values) {
	case 0:
		limit, err := c.Limit()
		if err != nil {
			return fault.Input("", "%v", err).Hint("debertac cache limit 10GB")
		}
		_, err = fmt.Fprintln(cons.Out, limitText(limit))
		return err
	case 1:
	default:
		return fault.Usage("debertac cache limit 20GB", "cache limit takes one size: %q", values[1])
	}
	limit, err := parseSize(values[0])
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
	cons.Note("%s: the limit is %s; %s removed, %s", c.Dir(), limitText(limit), wording.Counted(len(removed), "entry", "entries"), wording.Size(bytes))
	return nil
}

// limitText writes a limit.
func limitText(limit int64) string {
	if limit == cache.NoLimit {
		return "none"
	}
	return wording.Size(limit)
}

// sizeUnits are the units of sizes: powers of 1024, as wording.Size prints them.
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
