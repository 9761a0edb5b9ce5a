// Package cpu describes the processor: the instruction sets that kernels are written for, the default number of threads, and a description for reports. The
// option runtime.UseISA forces an instruction set by its name.
package cpu

import (
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// Description describes the processor for reports. A field is empty or 0 if the system does not report it.
type Description struct {
	Model    string   `json:"model"`              // as the system names it
	Arch     string   `json:"arch"`               // GOARCH
	Logical  int      `json:"logical"`            // logical processors that this process may use
	Threads  int      `json:"threads"`            // DefaultThreads
	Caches   []Cache  `json:"caches,omitempty"`   // caches of the first processor
	Features []string `json:"features,omitempty"` // instruction set extensions of interest
	ISAs     []string `json:"isas"`               // can be forced with DEBERTAC_ISA, if compiled in
}

// Cache is one cache of a processor.
type Cache struct {
	Level  int    `json:"level"`
	Kind   string `json:"kind"`   // Data, Instruction, Unified
	Bytes  int64  `json:"bytes"`  // size
	Shared int    `json:"shared"` // logical processors that share it
}

// Describe returns a description of the processor that the process runs on.
func Describe() Description {
	root := os.DirFS("/")
	c := Description{
		Model:    cpuModel(root),
		Arch:     runtime.GOARCH,
		Logical:  runtime.NumCPU(),
		Threads:  DefaultThreads(),
		Caches:   cpuCaches(root),
		Features: cpuFeatures(),
	}
	for _, i := range SupportedISAs() {
		c.ISAs = append(c.ISAs, i.String())
	}
	return c
}

type feature struct {
	name string
	has  bool
}

func features(list []feature) []string {
	var names []string
	for _, f := range list {
		if f.has {
			names = append(names, f.name)
		}
	}
	return names
}

func cpuModel(root fs.FS) string {
	text, _ := fs.ReadFile(root, "proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		if k := strings.TrimSpace(key); k == "model name" || k == "Hardware" {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

func cpuCaches(root fs.FS) []Cache {
	const dir = "sys/devices/system/cpu/cpu0/cache"
	entries, _ := fs.ReadDir(root, dir)
	var list []Cache
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), "index") {
			continue
		}
		read := func(name string) string { return readLine(root, dir+"/"+e.Name()+"/"+name) }
		level, _ := strconv.Atoi(read("level"))
		list = append(list, Cache{
			Level:  level,
			Kind:   read("type"),
			Bytes:  parseBytes(read("size")),
			Shared: len(parseCPUList(read("shared_cpu_list"))),
		})
	}
	return list
}

// readLine returns the text of one of the kernel's one-line files, or "" if it cannot be read.
func readLine(root fs.FS, name string) string {
	text, _ := fs.ReadFile(root, name)
	return strings.TrimSpace(string(text))
}

// parseBytes parses a size as the kernel writes it, such as "512K", and returns the number of bytes, 0 if it is malformed.
func parseBytes(s string) int64 {
	unit := int64(1)
	for suffix, u := range map[string]int64{"K": 1 << 10, "M": 1 << 20, "G": 1 << 30} {
		if rest, ok := strings.CutSuffix(s, suffix); ok {
			s, unit = rest, u
		}
	}
	n, _ := strconv.ParseInt(s, 10, 64)
	return n * unit
}

// parseCPUList parses a list of processors as the kernel writes it, such as "0-3,8,10-11". It leaves
// out malformed parts.
func parseCPUList(s string) []int {
	var list []int
	for part := range strings.SplitSeq(s, ",") {
		first, last, ranged := strings.Cut(part, "-")
		a, err := strconv.Atoi(first)
		if err != nil {
			continue
		}
		b := a
		if ranged {
			if b, err = strconv.Atoi(last); err != nil {
				continue
			}
		}
		for ; a <= b && len(list) < 1<<16; a++ {
			list = append(list, a)
		}
	}
	return list
}
