package main

import (
	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/cachelist"
	"github.com/debertac/debertac/cmd/debertac/fault"
)

type cacheVerb struct {
	Action string   `arg:"" enum:"list,clean,limit" help:"list, clean or limit."`
	Values []string `arg:"" optional:"" name:"value" help:"For clean: names of entries; default all. For limit: a size, such as 20GB, or none."`
	JSON   bool     `name:"json" help:"For list: print one JSON object per entry."`
}

// Help is the long help.
func (cacheVerb) Help() string {
	return `Built programs and packed weights are kept between runs, in the user's cache folder or the one that DEBERTAC_CACHE names.
Everything there can be made again. The cache has a limit, 10 GB unless another one is set. Whenever something is added, the
least recently used entries beyond the limit are removed, and so is every entry that was not used for 30 days. An entry that a
running program uses is never removed.

list prints what is there, clean removes it, limit prints or sets the limit.

Examples:
  debertac cache list
  debertac cache clean
  debertac cache limit 20GB`
}

// Run lists or cleans the cache, or limits its size.
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
		return cachelist.List(m.Console, c, v.JSON)
	case "clean":
		return cachelist.Clean(m.Console, c, v.Values)
	}
	return cachelist.Limit(m.Console, c, v.Values)
}
