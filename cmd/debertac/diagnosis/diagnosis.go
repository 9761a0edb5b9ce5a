// Package diagnosis describes a machine: its processor, the kernels that run on it, the Go toolchain, and the cache.
package diagnosis

import (
	"fmt"
	"io"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/cmd/debertac/version"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/runtime/cpu"
)

// Report is what doctor prints.
type Report struct {
	Debertac version.Info        `json:"debertac"`
	CPU      cpu.Description     `json:"cpu"`
	Kernels  []machine.KernelSet `json:"kernels"`
	Go       Go                  `json:"go"`
	Cache    Cache               `json:"cache"`
}

// Go is the Go toolchain that builds programs.
type Go struct {
	Path    string `json:"path,omitempty"`
	Version string `json:"version,omitempty"`
	Fault   string `json:"fault,omitempty"` // why it cannot be used
}

// Cache describes the cache, which is kept between runs.
type Cache struct {
	Path    string `json:"path,omitempty"`
	Bytes   int64  `json:"bytes"`
	Entries int    `json:"entries"`
	Limit   *int64 `json:"limit,omitempty"` // in bytes; absent: there is no limit
	Fault   string `json:"fault,omitempty"`
}

// Of describes the machine that debertac runs on.
func Of(m *built.Maker) Report {
	return Report{Debertac: version.Read(), CPU: cpu.Describe(), Kernels: machine.KernelSets(), Go: goToolchain(m.Console), Cache: cacheState(m)}
}

// goToolchain finds the Go toolchain.
func goToolchain(c *console.Console) Go {
	g, err := build.FindGo(c.Context)
	if err != nil {
		return Go{Fault: err.Error()}
	}
	return Go{Path: g.Path, Version: g.Version}
}

// cacheState describes the cache.
func cacheState(m *built.Maker) Cache {
	c, err := m.Store()
	if err != nil {
		return Cache{Fault: err.Error()}
	}
	r := Cache{Path: c.Dir()}
	entries, err := c.Entries()
	if err != nil {
		r.Fault = err.Error()
	}
	for _, e := range entries {
		r.Bytes += e.Size
		r.Entries++
	}
	limit, err := c.Limit()
	switch {
	case err != nil:
		r.Fault = err.Error()
	case limit != cache.NoLimit:
		r.Limit = &limit
	}
	return r
}

// Print writes the report for people.
func (r *Report) Print(w io.Writer) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-13s "+format+"\n", append([]any{name}, args...)...)
	}
	line("debertac", "%s, %s", r.Debertac.Version, r.Debertac.Go)
	line("processor", "%s, %s, %s, %s by default", known(r.CPU.Model), r.CPU.Arch,
		wording.Counted(r.CPU.Logical, "logical processor", "logical processors"), wording.Counted(r.CPU.Threads, "thread", "threads"))
	line("features", "%s", known(strings.Join(r.CPU.Features, " ")))
	var caches []string
	for _, c := range r.CPU.Caches {
		if c.Kind != "Instruction" {
			caches = append(caches, fmt.Sprintf("L%d %s", c.Level, wording.Size(c.Bytes)))
		}
	}
	line("caches", "%s", known(strings.Join(caches, ", ")))
	for _, k := range r.Kernels {
		state := "usable here"
		if !k.Usable {
			state = "not on this machine"
		}
		families := strings.Join(k.Families, " ")
		if k.Extends != "" {
			families += ", and those of " + k.Extends
		}
		line("kernels", "%-10s %s: %s", k.ISA, state, families)
	}
	if r.Go.Fault != "" {
		line("go", "%s", r.Go.Fault)
	} else {
		line("go", "%s, %s", r.Go.Version, r.Go.Path)
	}
	if r.Cache.Fault != "" {
		line("cache", "%s", r.Cache.Fault)
	} else {
		limit := "without a limit"
		if r.Cache.Limit != nil {
			limit = "of at most " + wording.Size(*r.Cache.Limit)
		}
		line("cache", "%s, %s, %s %s (debertac cache limit sets it, %s moves the cache)", r.Cache.Path,
			wording.Counted(r.Cache.Entries, "entry", "entries"), wording.Size(r.Cache.Bytes), limit, cache.Env)
	}
	_, err := fmt.Fprint(w, b.String())
	return err
}

func known(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}
