package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/machine"
	"github.com/debertac/debertac/cmd/debertac/model"
	"github.com/debertac/debertac/cmd/debertac/version"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/runtime"
)

type doctorVerb struct {
	Model   string `arg:"" optional:"" help:"Spec or model folder: also build it, compare its weights with their hashes and run its self-test."`
	Weights string `placeholder:"FILE" help:"Packed weights, needed for a spec."`
	folder.Wishes
	JSON bool `name:"json" help:"Print a JSON object; with a model, a second one for the model."`
}

// Help is the long help.
func (doctorVerb) Help() string {
	return `Describes this machine: the processor and its caches, the instruction sets that debertac has kernels for, the Go toolchain that
builds need, and the cache. With a model, it also builds the model, compares the weights with their hashes, and runs a self-test.

Examples:
  debertac doctor
  debertac doctor path/to/model_folder`
}

// report is what doctor prints.
type report struct {
	Debertac version.Info        `json:"debertac"`
	CPU      runtime.CPU         `json:"cpu"`
	Kernels  []machine.KernelSet `json:"kernels"`
	Go       goReport            `json:"go"`
	Cache    cacheReport         `json:"cache"`
}

type goReport struct {
	Path    string `json:"path,omitempty"`
	Version string `json:"version,omitempty"`
	Fault   string `json:"fault,omitempty"` // why it cannot be used
}

type cacheReport struct {
	Path    string `json:"path,omitempty"`
	Bytes   int64  `json:"bytes"`
	Entries int    `json:"entries"`
	Limit   *int64 `json:"limit,omitempty"` // in bytes; absent: none
	Fault   string `json:"fault,omitempty"`
}

// Run prints the report.
func (v *doctorVerb) Run(m *built.Maker) error {
	if v.Model == "" && (v.Weights != "" || v.Wishes.Given()) {
		return fault.Usage("debertac doctor SPEC --weights FILE", "--weights, --head and the other flags of a model belong to one: name its spec or its folder")
	}
	if err := v.Check(); err != nil {
		return err
	}
	r := report{Debertac: version.Read(), CPU: runtime.DescribeCPU(), Kernels: machine.KernelSets(), Go: goToolchain(m.Console), Cache: cacheState(m)}
	if v.JSON {
		if err := json.NewEncoder(m.Out).Encode(r); err != nil {
			return err
		}
	} else if err := r.print(m); err != nil {
		return err
	}
	if v.Model == "" {
		return nil
	}
	p, err := m.Make(v.Model, model.Options{Weights: v.Weights, Wishes: v.Wishes})
	if err != nil {
		return err
	}
	return p.Exec(m, "doctor", flags.Args(p.WeightsFlag(), flags.Switch("--json", v.JSON)))
}

// goToolchain finds the Go toolchain.
func goToolchain(c *console.Console) goReport {
	g, err := build.FindGo(c.Context)
	if err != nil {
		return goReport{Fault: err.Error()}
	}
	return goReport{Path: g.Path, Version: g.Version}
}

// cacheState describes the cache.
func cacheState(m *built.Maker) cacheReport {
	c, err := m.Store()
	if err != nil {
		return cacheReport{Fault: err.Error()}
	}
	r := cacheReport{Path: c.Dir()}
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

// print writes the report for people.
func (r *report) print(m *built.Maker) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s "+format+"\n", append([]any{name}, args...)...)
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
		line("kernels", "%-8s %s: %s", k.ISA, state, strings.Join(k.Families, " "))
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
		line("cache", "%s, %s, %s %s (debertac cache limit sets it, %s moves the cache)", r.Cache.Path, wording.Counted(r.Cache.Entries, "entry", "entries"), wording.Size(r.Cache.Bytes), limit, cache.Env)
	}
	_, err := fmt.Fprint(m.Out, b.String())
	return err
}

func known(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}
