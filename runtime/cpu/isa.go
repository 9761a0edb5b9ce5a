package cpu

import (
	"fmt"
	"slices"
	"strings"
)

// ISA is an instruction set that kernels can be written for. Higher values are preferred; the
// lowest is portable Go.
type ISA uint8

// The instruction sets, in rising order of preference.
const (
	ISAGo         ISA = iota // portable Go, always available
	ISAAVX2                  // AVX2 and FMA
	ISAAVXVNNI               // ISAAVX2 and AVX-VNNI, for int8 products
	ISAAVX512                // AVX-512 F, BW, DQ, VL (and AVX2, FMA)
	ISAAVX512VNNI            // ISAAVX512 and VNNI, for int8 products
	ISAAVX512BF16            // ISAAVX512 and BF16, for bfloat16 products
)

// isaTable holds what the package knows about each instruction set, in the order of the constants.
// has reports whether this CPU and operating system support what the set adds to the one that it
// implies.
var isaTable = []struct {
	isa     ISA
	name    string
	implies ISA
	has     func() bool
	kernels bool // this version has kernels for it
}{
	{ISAGo, "go", ISAGo, func() bool { return true }, true},
	{ISAAVX2, "avx2", ISAGo, hasAVX2, true},
	{ISAAVXVNNI, "avxvnni", ISAAVX2, hasAVXVNNI, false},
	{ISAAVX512, "avx512", ISAAVX2, hasAVX512, true},
	{ISAAVX512VNNI, "avx512vnni", ISAAVX512, hasAVX512VNNI, false},
	{ISAAVX512BF16, "avx512bf16", ISAAVX512, hasAVX512BF16, true},
}

// EnvISA names the environment variable that forces an instruction set.
const EnvISA = "DEBERTAC_ISA"

// String returns the name that specs, options and kernel names use: go, avx2, …
func (i ISA) String() string {
	if int(i) < len(isaTable) {
		return isaTable[i].name
	}
	return fmt.Sprintf("ISA(%d)", uint8(i))
}

// Supported reports whether this CPU and operating system can run the instruction set.
func (i ISA) Supported() bool {
	if int(i) >= len(isaTable) {
		return false
	}
	row := isaTable[i]
	return row.has() && (row.implies == i || row.implies.Supported())
}

// ParseISA returns the instruction set with this name. The error for an unknown name lists the sets
// that have kernels.
func ParseISA(name string) (ISA, error) {
	var known []string
	for _, row := range isaTable {
		if row.name == name {
			return row.isa, nil
		}
		if row.kernels {
			known = append(known, row.name)
		}
	}
	return 0, fmt.Errorf("unknown instruction set %q (there are: %s)", name, strings.Join(known, " "))
}

// SupportedISAs returns the sets that this CPU and operating system can run, best last.
func SupportedISAs() []ISA {
	var list []ISA
	for _, row := range isaTable {
		if row.isa.Supported() {
			list = append(list, row.isa)
		}
	}
	return list
}

// PickISA chooses one of the sets that a package was compiled for. If option names a set, it takes
// this one; else the one that env names (the value of DEBERTAC_ISA); else the best that the CPU can
// run. An empty name or "auto" forces nothing. It is an error to force a set that is unknown, or
// that the package or the CPU lacks; the error lists the usable sets.
func PickISA(env, option string, compiled []ISA) (ISA, error) {
	return pickISA(env, option, compiled, ISA.Supported)
}

func pickISA(env, option string, compiled []ISA, supported func(ISA) bool) (ISA, error) {
	forced, by := option, "the option"
	if forced == "" {
		forced, by = env, EnvISA
	}
	var usable []ISA
	for _, i := range compiled {
		if supported(i) {
			usable = append(usable, i)
		}
	}
	slices.Sort(usable)
	if forced != "" && forced != "auto" {
		i, err := ParseISA(forced)
		switch {
		case err != nil:
			return 0, fmt.Errorf("%s asks for an %w", by, err)
		case !slices.Contains(compiled, i):
			return 0, fmt.Errorf("%s asks for %s, this package has no kernels for it (usable here: %s)", by, i, isaNames(usable))
		case !supported(i):
			return 0, fmt.Errorf("%s asks for %s, this CPU or operating system lacks it (usable here: %s)", by, i, isaNames(usable))
		}
		return i, nil
	}
	if len(usable) == 0 {
		return 0, fmt.Errorf("this CPU can run none of the instruction sets of this package (%s): add \"go\" to the target's isa line", isaNames(compiled))
	}
	return usable[len(usable)-1], nil
}

func isaNames(list []ISA) string {
	if len(list) == 0 {
		return "none"
	}
	var names []string
	for _, i := range list {
		names = append(names, i.String())
	}
	return strings.Join(names, " ")
}
