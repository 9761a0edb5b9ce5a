package compiler

import (
	"slices"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// widens maps an instruction set that has no kernels yet to the one that it extends, whose kernels are used.
var widens = map[string]string{"avx512vnni": "avx512", "avxvnni": "avx2"}

// extended returns the instruction set that a set adds products of another number format to, or "".
func extended(name string) string {
	if isa, ok := kernel.FindISA(name); ok {
		return isa.Extends
	}
	return widens[name]
}

// instructionSets returns the instruction sets of a target for products of float32. A set that adds products of another number format stands for the one that
// it extends. It returns a warning for each set that no line of the target uses.
func instructionSets(t *spec.Target) ([]string, diag.List) {
	var out []string
	var warnings diag.List
	for _, name := range t.ISA {
		use := name
		if base := extended(name); base != "" {
			use = base
			if _, ok := kernel.FindISA(name); !ok {
				warnings = append(warnings, diag.Warnf("isa-missing", t.Pos, "this version has no kernels for %s: those of %s are used", name, base))
			} else if t.Weights.Kind != "bf16" && !slices.ContainsFunc(t.Emit, func(e spec.Emit) bool { return computesBF16(e.Train) }) {
				warnings = append(warnings, diag.Warnf("isa-missing", t.Pos, "no line of this target computes in bf16: for %s, the kernels of %s are used",
					name, base))
			}
		}
		if !slices.Contains(out, use) {
			out = append(out, use)
		}
	}
	return out, warnings
}

// computesBF16 reports whether there is a training whose products have operands of bf16.
func computesBF16(tr *spec.Train) bool { return tr != nil && tr.Precision.Compute == "bf16" }

// setsOf returns the instruction sets of a line, best first. A line that computes in bf16 has the kernels of avx512bf16 if the target lists that set, or lists
// none at all, and those of the set that it extends.
func (t *targetWork) setsOf(w *work) []string {
	listed := t.ISA
	if !t.ListsISA {
		listed = append([]string{kernel.AVX512BF16}, listed...)
	}
	if !computesBF16(w.Train) && (w.Train != nil || t.Weights.Kind != "bf16") || !slices.Contains(listed, kernel.AVX512BF16) {
		return t.isas
	}
	return append([]string{kernel.AVX512BF16}, t.isas...)
}

// bf16Agree is the least difference of gradients between instruction sets that a training allows which computes in bf16, relative to the largest element. Sets
// add in different orders, so a number near the middle of two numbers of bf16 can be rounded to either: they are 2⁻⁸ apart. Such differences add up over
// layers, to 1.3 % in the 12 layers of DeBERTa-v3 base.
const bf16Agree = 0.03

// precision sets what the number format of a line's products decides of its program: instruction sets, and how far these agree.
func (t *targetWork) precision(p *ir.Program, w *work) {
	p.Meta.ISAs = t.setsOf(w)
	if computesBF16(w.Train) {
		p.Meta.Agree = max(p.Meta.Agree, bf16Agree)
	}
}
