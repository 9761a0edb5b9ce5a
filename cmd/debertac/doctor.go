package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/cache"
	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/runtime"
)

type doctorVerb struct {
	Model   string `arg:"" optional:"" help:"Spec or model folder: also build it, compare its weights with their hashes and run its self-test."`
	Weights string `placeholder:"FILE" help:"Packed weights, needed for a spec."`
	wishes
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
	Debertac buildInfo      `json:"debertac"`
	CPU      runtime.CPU    `json:"cpu"`
	Kernels  []kernelReport `json:"kernels"`
	Go       goReport       `json:"go"`
	Cache    cacheReport    `json:"cache"`
}

// kernelReport is one instruction set.
type kernelReport struct {
	ISA      string   `json:"isa"`
	Families []string `json:"families"` // kinds of kernels that exist for it
	Usable   bool     `json:"usable"`   // on this machine
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
func (v *doctorVerb) Run(a *app) error {
	if v.Model == "" && (v.Weights != "" || v.wishes.given()) {
		return usage("debertac doctor SPEC --weights FILE", "--weights, --head and the other flags of a model belong to one: name its spec or its folder")
	}
	if err := v.check(); err != nil {
		return err
	}
	r := report{Debertac: readBuildInfo(), CPU: runtime.DescribeCPU(), Kernels: kernelReports(), Go: a.goToolchain(), Cache: a.cacheState()}
	if v.JSON {
		if err := json.NewEncoder(a.out).Encode(r); err != nil {
			return err
		}
	} else if err := r.print(a); err != nil {
		return err
	}
	if v.Model == "" {
		return nil
	}
	p, err := a.program(v.Model, programOptions{weights: v.Weights, wishes: v.wishes})
	if err != nil {
		return err
	}
	return p.exec(a, "doctor", flags(p.weightsFlag(), boolFlag("--json", v.JSON)))
}

// kernelReports lists the instruction sets, best first, the portable form last.
func kernelReports() []kernelReport {
	var out []kernelReport
	for _, i := range kernel.ISAs() {
		k := kernelReport{ISA: i.Name}
		for _, f := range kernel.Families() {
			if slices.Contains(f.ISAs, i.Name) {
				k.Families = append(k.Families, f.Name)
			}
		}
		if isa, err := runtime.ParseISA(i.Name); err == nil {
			k.Usable = isa.Supported()
		}
		out = append(out, k)
	}
	slices.Reverse(out)
	return append(out, kernelReport{ISA: runtime.ISAGo.String(), Families: []string{"everything, in portable Go"}, Usable: true})
}

// checkISA refuses an instruction set that no program could use here. "auto" and none are the best that there is.
func checkISA(name string) error {
	if name == "" || name == "auto" {
		return nil
	}
	isa, err := runtime.ParseISA(name)
	if err != nil {
		return usage("debertac doctor", "--isa: %v", err)
	}
	var names []string
	for _, k := range kernelReports() {
		names = append(names, k.ISA)
	}
	switch {
	case !slices.Contains(names, name):
		return usage("debertac doctor", "--isa %s: this version has no kernels for it; it has some for %s", name, list(names))
	case !isa.Supported():
		return usage("debertac doctor", "--isa %s: this machine does not have it", name)
	}
	return nil
}

// goToolchain finds the Go toolchain.
func (a *app) goToolchain() goReport {
	g, err := build.FindGo(a.ctx)
	if err != nil {
		return goReport{Fault: err.Error()}
	}
	return goReport{Path: g.Path, Version: g.Version}
}

// cacheState describes the cache.
func (a *app) cacheState() cacheReport {
	c, err := a.store()
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
func (r *report) print(a *app) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-12s "+format+"\n", append([]any{name}, args...)...)
	}
	line("debertac", "%s, %s", r.Debertac.Version, r.Debertac.Go)
	line("processor", "%s, %s, %s, %s by default", known(r.CPU.Model), r.CPU.Arch,
		counted(r.CPU.Logical, "logical processor", "logical processors"), counted(r.CPU.Threads, "thread", "threads"))
	line("features", "%s", known(strings.Join(r.CPU.Features, " ")))
	var caches []string
	for _, c := range r.CPU.Caches {
		if c.Kind != "Instruction" {
			caches = append(caches, fmt.Sprintf("L%d %s", c.Level, size(c.Bytes)))
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
			limit = "of at most " + size(*r.Cache.Limit)
		}
		line("cache", "%s, %s, %s %s (debertac cache limit sets it, %s moves the cache)", r.Cache.Path, counted(r.Cache.Entries, "entry", "entries"), size(r.Cache.Bytes), limit, cache.Env)
	}
	_, err := fmt.Fprint(a.out, b.String())
	return err
}

func known(s string) string {
	if s == "" {
		return "not known"
	}
	return s
}

// size writes a number of bytes in the unit that suits it.
func size(n int64) string {
	switch {
	case n >= 1<<30:
		return fmt.Sprintf("%.2f GiB", float64(n)/(1<<30))
	case n >= 1<<20:
		return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20))
	case n >= 1<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d B", n)
}
