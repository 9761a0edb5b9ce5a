package kernels

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/runtime/bf16"
)

// features holds the CPU features that kernels name, and whether the processor has them.
var features = map[string]bool{
	"AVX":      cpu.X86.HasAVX && cpu.X86.HasOSXSAVE,
	"AVX2":     cpu.X86.HasAVX2,
	"FMA3":     cpu.X86.HasFMA,
	"AVX512F":  cpu.X86.HasAVX512F,
	"AVX512BW": cpu.X86.HasAVX512BW,
	"AVX512DQ": cpu.X86.HasAVX512DQ,
	"AVX512VL": cpu.X86.HasAVX512VL,

	"AVX512_BF16": cpu.X86.HasAVX512BF16,
}

// eachISA runs f as a subtest for every instruction set of the family. It skips those that this build or CPU lacks.
func eachISA(t *testing.T, family string, f func(t *testing.T, isa kernel.ISA)) {
	t.Helper()
	fam, ok := kernel.FindFamily(family)
	if !ok {
		t.Fatalf("there is no family %s", family)
	}
	for _, name := range fam.ISAs {
		isa, ok := kernel.FindISA(name)
		if !ok {
			t.Fatalf("family %s names the unknown instruction set %s", family, name)
		}
		t.Run(name, func(t *testing.T) {
			needs(t, isa)
			f(t, isa)
		})
	}
}

// isasOf returns the instruction sets that a family has kernels for.
func isasOf(family string) []kernel.ISA {
	fam, _ := kernel.FindFamily(family)
	return slices.DeleteFunc(kernel.ISAs(), func(isa kernel.ISA) bool { return !slices.Contains(fam.ISAs, isa.Name) })
}

// needs skips the test if the instruction set cannot run.
func needs(t testing.TB, isa kernel.ISA) {
	t.Helper()
	if len(assembly) == 0 {
		t.Skip("this build has no assembly")
	}
	for _, f := range isa.Features {
		if !features[f] {
			t.Skipf("this CPU has no %s, which %s needs", f, isa.Name)
		}
	}
}

// function returns the kernel of a name as a function of type F.
func function[F any](t testing.TB, name string) F {
	t.Helper()
	f, ok := assembly[name].(F)
	if !ok {
		t.Fatalf("kernel %s: have %T, want %T", name, assembly[name], *new(F))
	}
	return f
}

// guard is the number of floats before and after a buffer. blank is their content, a NaN that no computation makes.
const guard = 96

var blank = math.Float32frombits(0xffc0beef)

// buffer is n floats between guards. All floats are blank at first.
type buffer struct{ all, data []float32 }

// newBuffer returns a buffer of n > 0 floats that starts shift floats after a multiple of 64 bytes.
func newBuffer(n, shift int) *buffer {
	all := make([]float32, n+2*guard+16)
	for uintptr(unsafe.Pointer(&all[0]))%64 != 0 {
		all = all[1:]
	}
	for i := range all {
		all[i] = blank
	}
	start := guard + shift
	return &buffer{all, all[start : start+n : start+n]}
}

// p returns a pointer to element i.
func (b *buffer) p(i int) *float32 { return &b.data[i] }

// isBlank reports whether x has not been written.
func isBlank(x float32) bool { return math.Float32bits(x) == math.Float32bits(blank) }

// checkGuards fails if anything but the first width floats of the first m rows
// (ld floats apart) was written.
func (b *buffer) checkGuards(t *testing.T, m, width, ld int) {
	t.Helper()
	start := 0
	for &b.all[start] != &b.data[0] {
		start++
	}
	for i, x := range b.all {
		row, col := (i-start)/ld, (i-start)%ld
		if i >= start && row < m && col < width {
			continue
		}
		if !isBlank(x) {
			t.Fatalf("wrote outside the rows: float %d from the start (m = %d rows of %d, %d apart)", i-start, m, width, ld)
		}
	}
}

// pairsAt returns a pointer to the pairs of bfloat16 that floats of a buffer hold.
func pairsAt(p *float32) *int32 { return (*int32)(unsafe.Pointer(p)) }

// pairOf returns the float that holds a pair.
func pairOf(lower, upper float32) float32 {
	return math.Float32frombits(uint32(bf16.Pair(lower, upper)))
}

// terms returns the products of two factors: floats, or floats that hold pairs.
func terms(pairs bool, a, b float32) []float64 {
	if !pairs {
		return []float64{float64(a) * float64(b)}
	}
	x, y := int32(math.Float32bits(a)), int32(math.Float32bits(b))
	return []float64{float64(bf16.Lower(x)) * float64(bf16.Lower(y)), float64(bf16.Upper(x)) * float64(bf16.Upper(y))}
}

// fill sets every element to the result of f.
func fill(xs []float32, f func(i int) float32) {
	for i := range xs {
		xs[i] = f(i)
	}
}

// random returns a source with a fixed seed.
func random(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 7)) }

// ulp returns the distance from |x|, rounded to float32, to the next larger float32.
func ulp(x float64) float64 {
	f := float32(math.Abs(x))
	if math.IsInf(float64(f), 0) || math.IsNaN(x) {
		return math.Inf(1)
	}
	next := math.Nextafter32(f, float32(math.Inf(1)))
	if math.IsInf(float64(next), 0) {
		return math.Ldexp(1, 104)
	}
	return float64(next) - float64(f)
}
