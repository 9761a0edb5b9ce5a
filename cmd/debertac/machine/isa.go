package machine

import (
	"slices"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/wording"
	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/runtime/cpu"
)

// IsaNames returns the instruction sets that --isa takes.
func IsaNames() []string {
	var names []string
	for _, k := range KernelSets() {
		names = append(names, k.ISA)
	}
	return names
}

// KernelSet is one instruction set.
type KernelSet struct {
	ISA      string   `json:"isa"`
	Families []string `json:"families"`          // kinds of kernels that exist for it
	Extends  string   `json:"extends,omitempty"` // the set whose kernels it uses for all other families
	Usable   bool     `json:"usable"`            // on this machine
}

// KernelSets lists the instruction sets, best first, the portable form last.
func KernelSets() []KernelSet {
	var out []KernelSet
	for _, i := range kernel.ISAs() {
		k := KernelSet{ISA: i.Name, Extends: i.Extends}
		for _, f := range kernel.Families() {
			if slices.Contains(f.ISAs, i.Name) {
				k.Families = append(k.Families, f.Name)
			}
		}
		if isa, err := cpu.ParseISA(i.Name); err == nil {
			k.Usable = isa.Supported()
		}
		out = append(out, k)
	}
	slices.Reverse(out)
	return append(out, KernelSet{ISA: cpu.ISAGo.String(), Families: []string{"everything, in portable Go"}, Usable: true})
}

// CheckISA refuses an instruction set that no program could use here. "auto" and "" stand for the best one of this machine.
func CheckISA(name string) error {
	if name == "" || name == "auto" {
		return nil
	}
	isa, err := cpu.ParseISA(name)
	if err != nil {
		return fault.Usage("debertac doctor", "--isa: %v", err)
	}
	var names []string
	for _, k := range KernelSets() {
		names = append(names, k.ISA)
	}
	switch {
	case !slices.Contains(names, name):
		return fault.Usage("debertac doctor", "--isa %s: this version has no kernels for it; it has some for %s", name, wording.List(names))
	case !isa.Supported():
		return fault.Usage("debertac doctor", "--isa %s: this machine does not have it", name)
	}
	return nil
}
