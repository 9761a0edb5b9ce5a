// Package machine measures the limits of a machine, for comparison with benchmarks: the highest rate of multiply-adds of an instruction
// set, and the rate at which memory is read. It builds a small program around the peak kernels, with the Go toolchain alone.
package machine

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/disk"
)

//go:embed source
var source embed.FS

// Limits holds the rates that the machine reaches with a number of threads.
type Limits struct {
	ISA    string  `json:"isa"`
	GFLOPS float64 `json:"gflops"`       // of the set: float32, or bfloat16 for a set with its products; a multiply-add counts as two
	GBps   float64 `json:"gbytes_per_s"` // reading memory, 1 GB = 10⁹ bytes
	BF16   float64 `json:"-"`            // GFLOP/s of bfloat16 of a program with such products; 0: it computes them in float32
}

// Roof returns the shortest time, in seconds, in which the machine can do the operations and read the bytes: the larger of the two times. bf16 is how many of
// the operations are those of products of bfloat16.
func (l Limits) Roof(flops, bf16, bytes float64) float64 {
	compute := flops / l.GFLOPS
	if l.BF16 > 0 {
		compute = (flops-bf16)/l.GFLOPS + bf16/l.BF16
	}
	return max(compute/1e9, bytes/(l.GBps*1e9))
}

// BestISA returns the name of the best instruction set for float32 that this machine can run, or "".
func BestISA() string {
	name := ""
	for _, i := range kernel.ISAs() { // best last
		if isa, err := cpu.ParseISA(i.Name); err == nil && isa.Supported() && i.Extends == "" {
			name = i.Name
		}
	}
	return name
}

// Files returns the sources of the measuring program, by name. They depend only on this package.
func Files() (map[string][]byte, error) {
	var peaks []kernel.Kernel
	for _, i := range kernel.ISAs() {
		peaks = append(peaks, kernel.Peak(i))
	}
	files, err := kernel.Package("debertac", "main", peaks)
	if err != nil {
		return nil, err
	}
	if files["main.go"], err = source.ReadFile("source/main.go.txt"); err != nil {
		return nil, err
	}
	files["go.mod"] = []byte("module peak\n\ngo 1.26\n")
	return files, nil
}

// Build writes the measuring program to the path binary, with the go command at goPath and dir as a folder for its sources.
func Build(ctx context.Context, goPath, dir, binary string) error {
	files, err := Files()
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := disk.WriteThrowaway(filepath.Join(dir, name), text, 0o666); err != nil {
			return err
		}
	}
	absolute, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, goPath, "build", "-trimpath", "-buildvcs=false", "-o", absolute, ".")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOPROXY=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return fmt.Errorf("building the program that measures this machine: %w", build.Fault(dir, string(out), err))
	}
	return nil
}

// Measure runs the program that Build made, for about a second, on that number of threads.
func Measure(ctx context.Context, binary, isa string, threads int) (Limits, error) {
	set, ok := kernel.FindISA(isa)
	if !ok {
		return Limits{}, fmt.Errorf("no peak kernel for %q", isa)
	}
	cmd := exec.CommandContext(ctx, binary, kernel.Peak(set).Name, strconv.Itoa(kernel.PeakFlopsPerTurn(set)), strconv.Itoa(threads))
	var faults bytes.Buffer
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		return Limits{}, fmt.Errorf("measuring this machine: %w\n%s", err, strings.TrimSpace(faults.String()))
	}
	l := Limits{ISA: isa}
	if err := json.Unmarshal(out, &l); err != nil {
		return Limits{}, fmt.Errorf("measuring this machine: %w", err)
	}
	return l, nil
}
