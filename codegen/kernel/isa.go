package kernel

import "slices"

// ISA is one instruction set: a row of the table that [ISAs] returns. A new instruction set is one more row, and its name in the families that profit from it.
type ISA struct {
	Name string // last part of a kernel's name
	Doc  string // one line, for listings

	// Extends is the set that this one adds instructions for another number format to, or "". A family without kernels for this set uses those of that one.
	Extends string

	// Features are the CPU features that every kernel of the set may use, in
	// the spelling of the kernels' "Requires:" comments. The operating system
	// must keep the registers of the set (YMM, ZMM and masks).
	Features []string

	VectorBytes int // width of a vector register, bytes
	Vectors     int // number of vector registers

	// TileRows is the greatest height of a matrix product's tile. With that height and all columns, the accumulators of the tile fill the registers.
	TileRows int
	// TilePanels is the width of that tile in panels of 16 columns.
	TilePanels int
	// UnrollK is the greatest number of steps of k in one turn of a product's loop.
	UnrollK int
	// Rate is a low estimate of the multiply-adds per nanosecond of one core. It only bounds how long one call may take (see [MaxRows]).
	Rate float64
}

// Lanes returns the number of float32 values in a vector register.
func (i ISA) Lanes() int { return i.VectorBytes / 4 }

// Wide reports whether the set has 512-bit registers and mask registers.
func (i ISA) Wide() bool { return i.VectorBytes == 64 }

// BF16 reports whether the set has products of bfloat16.
func (i ISA) BF16() bool { return slices.Contains(i.Features, featureBF16) }

// featureBF16 is the feature of VDPBF16PS.
const featureBF16 = "AVX512_BF16"

// unroll returns the number of steps of k in one turn of a product's loop, by the number of multiply-adds of a step. If a step has many multiply-adds, the rest
// of a turn costs little beside them, and a second copy of the step would only fill the instruction caches.
func (i ISA) unroll(products int) int {
	if products >= 8 {
		return 1
	}
	return i.UnrollK
}

// Names of the instruction sets. Generic is the portable Go form, which has no assembly and is not in the table.
const (
	Generic    = "generic"
	AVX2       = "avx2"
	AVX512     = "avx512"
	AVX512BF16 = "avx512bf16"
)

// The table of instruction sets, best last. Rates assume 16 multiply-adds per cycle at 3.1 GHz; many cores reach twice that with AVX-512.
var isas = []ISA{
	{
		Name:        AVX2,
		Doc:         "AVX2 with FMA, 256-bit registers",
		Features:    []string{"AVX", "AVX2", "FMA3"},
		VectorBytes: 32,
		Vectors:     16,
		TileRows:    6,
		TilePanels:  1,
		UnrollK:     2,
		Rate:        50,
	},
	{
		Name:        AVX512,
		Doc:         "AVX-512 F, BW, DQ and VL, 512-bit registers",
		Features:    []string{"AVX", "AVX2", "FMA3", "AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL"},
		VectorBytes: 64,
		Vectors:     32,
		TileRows:    14,
		TilePanels:  2,
		UnrollK:     2,
		Rate:        50,
	},
	{
		Name:        AVX512BF16,
		Doc:         "AVX-512 with BF16, for products of bfloat16",
		Extends:     AVX512,
		Features:    []string{"AVX", "AVX2", "FMA3", "AVX512F", "AVX512BW", "AVX512DQ", "AVX512VL", featureBF16},
		VectorBytes: 64,
		Vectors:     32,
		TileRows:    14,
		TilePanels:  2,
		UnrollK:     2,
		Rate:        50,
	},
}

// ISAs returns the instruction sets that have kernels, best last.
func ISAs() []ISA { return append([]ISA(nil), isas...) }

// FindISA returns the row of the table with the given name.
func FindISA(name string) (ISA, bool) {
	for _, i := range isas {
		if i.Name == name {
			return i, true
		}
	}
	return ISA{}, false
}
