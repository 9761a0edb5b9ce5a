package kernel

import (
	"github.com/mmcloughlin/avo/operand"
)

// PeakFlopsPerTurn returns the number of operations in one turn of a peak kernel with the given instruction set. A multiply-add counts as two. A lane of a
// product of bfloat16 has two of them.
func PeakFlopsPerTurn(isa ISA) int {
	if isa.BF16() {
		return 4 * peakChains * isa.Lanes()
	}
	return 2 * peakChains * isa.Lanes()
}

// peakChains is the number of independent accumulators. It is greater than latency times multiply-adds per cycle on any core (4 × 2).
const peakChains = 12

// Peak returns the kernel that measures the highest rate of multiply-adds of float32, or of bfloat16 if the set has them: m turns of independent multiply-adds
// on registers. Benchmarks state their results as a share of this rate, measured in the same run.
func Peak(isa ISA) Kernel {
	format := "f32"
	if isa.BF16() {
		format = "bf16"
	}
	return Kernel{
		Name:   "peak_" + format + "_12_" + isa.Name,
		Family: "peak",
		ISA:    isa,
		Params: append(params("y", F32), params("m", Int)...),
		Doc:    "does m turns (m ≥ 1) of 12 independent vector multiply-adds and stores\none vector of sums at y [16].",
		emit:   emitPeak,
	}
}

func emitPeak(a *asm) {
	y, m := a.arg("y"), a.arg("m")
	x := a.vec()
	a.zero(x)
	var acc [peakChains]operand.Op
	for i := range acc {
		r := a.vec()
		a.zero(r)
		acc[i] = r
	}
	top := a.label("turn")
	a.Label(top)
	for _, r := range acc {
		if a.ISA.BF16() {
			a.encoded("VDPBF16PS", x, x, r)
			continue
		}
		a.VFMADD231PS(x, x, r)
	}
	a.DECQ(m)
	a.JNZ(operand.LabelRef(top))
	for _, r := range acc[1:] {
		a.VADDPS(r, acc[0], acc[0])
	}
	a.VMOVUPS(acc[0], at(y, 0))
	a.ret()
}

var peakFamily = Family{
	Name:    "peak",
	Doc:     "highest rate of multiply-adds, the yardstick of benchmarks",
	ISAs:    []string{AVX2, AVX512, AVX512BF16},
	Samples: func(isa ISA) []Kernel { return []Kernel{Peak(isa)} },
}
