package kernels

import (
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/debertac/debertac/codegen/kernel"
)

// updateFloats is the size of a tensor in BenchmarkUpdate, far above all caches.
const updateFloats = 64 << 20

// updateThreads is the number of threads in BenchmarkUpdate.
const updateThreads = 2

// chunkFloats is the number of floats of each tensor in one call, as generated packages use it.
const chunkFloats = 1 << 14

// inChunks calls f for every chunk of the tensors, from several threads, and returns the least CPU time per thread of some runs. On a machine with other work
// this is nearer to the time of the work than that of the clock.
func inChunks(f func(at int)) time.Duration {
	best := time.Duration(1 << 62)
	for range 5 {
		var wg sync.WaitGroup
		var took [updateThreads]time.Duration
		for w := range updateThreads {
			wg.Go(func() {
				runtime.LockOSThread()
				defer runtime.UnlockOSThread()
				begin := threadTime()
				for at := w * chunkFloats; at < updateFloats; at += updateThreads * chunkFloats {
					f(at)
				}
				took[w] = threadTime() - begin
			})
		}
		wg.Wait()
		best = min(best, slices.Max(took[:]))
	}
	return best
}

// BenchmarkUpdate measures the steps of optimizers on tensors that do not fit into caches, with two threads. The metrics are the bytes that a step must read
// and write per nanosecond, and their share of what copying a tensor reaches in the same run.
func BenchmarkUpdate(b *testing.B) {
	tensors := map[string][]float32{}
	for i, name := range []string{"p", "grad", "first", "second"} {
		all := make([]float32, updateFloats+16)
		for uintptr(unsafe.Pointer(&all[0]))%64 != 0 {
			all = all[1:]
		}
		tensors[name] = all[:updateFloats]
		fill(tensors[name], func(k int) float32 { return 1e-3 * float32(1+(k*7+i)%13) })
	}
	tensors["x"], tensors["sum"], tensors["slow"] = tensors["grad"], tensors["first"], tensors["second"]
	const large = 64 * chunkFloats // Go copies such pieces without reading what it overwrites
	copied := 8 * updateFloats / float64(inChunks(func(at int) {
		if at /= chunkFloats; at < updateFloats/large {
			copy(tensors["first"][at*large:][:large], tensors["grad"][at*large:][:large])
		}
	}).Nanoseconds())
	numbers := map[string]*float32{}
	for name, size := range updateNumbers {
		list := make([]float32, size)
		fill(list, func(int) float32 { return 1e-3 })
		numbers[name] = &list[0]
	}
	for _, isa := range isasOf("update") {
		for _, s := range []struct {
			p     kernel.UpdateParams
			bytes float64 // per float
		}{
			{kernel.UpdateParams{Rule: "adamw", Beta1: 0.9, Beta2: 0.999, Decay: 0.01}, 28},
			{kernel.UpdateParams{Rule: "sgd", Momentum: 0.9, Decay: 0.01}, 20},
			{kernel.UpdateParams{Rule: "lamb_moments", Beta1: 0.9, Beta2: 0.999, Decay: 0.01}, 24},
			{kernel.UpdateParams{Rule: "lamb", Decay: 0.01}, 16},
			{kernel.UpdateParams{Rule: "lookahead", Mix: 0.5}, 16},
			{kernel.UpdateParams{Rule: "accumulate"}, 12},
			{kernel.UpdateParams{Rule: "square_sum"}, 4},
		} {
			name, args := updateKernel(s.p, isa)
			b.Run(isa.Name+"/"+s.p.Rule, func(b *testing.B) {
				needs(b, isa)
				call := updateCall(b, name, len(args))
				took := inChunks(func(at int) {
					var a [7]*float32
					var y [2]float32
					for i, arg := range args {
						switch {
						case arg == "y":
							a[i] = &y[0]
						case numbers[arg] != nil:
							a[i] = numbers[arg]
						default:
							a[i] = &tensors[arg][at]
						}
					}
					call(a, chunkFloats)
				})
				rate := s.bytes * updateFloats / float64(took.Nanoseconds())
				b.ReportMetric(rate, "bytes/ns")
				b.ReportMetric(copied, "copy-bytes/ns")
				b.ReportMetric(100*rate/copied, "%copy")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
