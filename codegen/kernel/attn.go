package kernel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/attention"
)

// termsName returns the terms of a score for a kernel's name; a trailing r means j-i. Without signs, the name is the same for all signs.
func termsName(t attention.Terms, signs bool) string {
	var parts []string
	if t.Content {
		parts = append(parts, "cc")
	}
	for _, x := range []struct {
		sign attention.Sign
		name string
	}{{t.KeyPosition, "cp"}, {t.QueryPosition, "pc"}} {
		if x.sign == attention.Absent {
			continue
		}
		if x.sign == attention.Reverse && signs {
			x.name += "r"
		}
		parts = append(parts, x.name)
	}
	if t.Bias {
		parts = append(parts, "bias")
	}
	return strings.Join(parts, "_")
}

// AttentionParams holds the constants of the attention of one head. Package runtime/attention computes it around the kernels of this family. q, k, v and o have
// D columns of data, and zeros up to DP.
type AttentionParams struct {
	D int // head size
	attention.Shape
}

// The largest attentions for which there are kernels.
const (
	AttentionMaxHead   = attention.MaxHead
	AttentionMaxStride = attention.MaxStride
	AttentionMaxRows   = attention.MaxRows
)

// Check returns an error for parameters that have no kernel.
func (p AttentionParams) Check() error {
	rel := p.Terms.Indexed()
	for _, s := range []attention.Sign{p.Terms.KeyPosition, p.Terms.QueryPosition} {
		if s < attention.Reverse || s > attention.Forward {
			return fmt.Errorf("attention: %d is not a sign", s)
		}
	}
	switch {
	case p.D < 1 || p.DP < p.D || p.DP%PanelWidth != 0:
		return fmt.Errorf("attention: DP = %d must be a multiple of %d and at least D = %d", p.DP, PanelWidth, p.D)
	case p.DP > AttentionMaxHead:
		return fmt.Errorf("attention: DP = %d, must be at most %d", p.DP, AttentionMaxHead)
	case min(p.LDQ, p.LDK, p.LDO) < p.DP:
		return fmt.Errorf("attention: LDQ = %d, LDK = %d or LDO = %d is less than DP = %d", p.LDQ, p.LDK, p.LDO, p.DP)
	case max(p.LDQ, p.LDK, p.LDO) > AttentionMaxStride:
		return fmt.Errorf("attention: LDQ = %d, LDK = %d or LDO = %d does not fit 32-bit displacements", p.LDQ, p.LDK, p.LDO)
	case !p.Terms.Content && !p.Terms.Relative():
		return fmt.Errorf("attention: the score has no terms")
	case rel && p.R < 1:
		return fmt.Errorf("attention: relative terms need a table, R = %d", p.R)
	case p.R > AttentionMaxRows:
		return fmt.Errorf("attention: R = %d does not fit 32-bit displacements", p.R)
	}
	return nil
}

// AttentionName returns the name of the Go function for an instruction set, or
// for [Generic].
func AttentionName(p AttentionParams, isa string) string {
	more := ""
	if p.LDK != p.LDQ {
		more = fmt.Sprintf("_ldk%d", p.LDK)
	}
	if p.Masked {
		more += "_masked"
	}
	format := "f32"
	if p.Pairs {
		format = "bf16"
	}
	return fmt.Sprintf("attention_%s_%d_ldq%d_ldo%d_r%d_%s%s_%s", format, p.DP, p.LDQ, p.LDO, p.R, termsName(p.Terms, true), more, isa)
}

// AttentionJob is a kernel and the field of [attention.Kernels] that it fills.
type AttentionJob struct {
	Field string
	Kernel
}

// AttentionJobs returns the kernels of an attention for an instruction set. One kernel may have two jobs. Attentions with other parameters share some of the
// kernels: kernels with equal names are equal.
func AttentionJobs(p AttentionParams, isa ISA) []AttentionJob {
	var jobs []AttentionJob
	add := func(field string, k Kernel) { jobs = append(jobs, AttentionJob{field, k}) }
	if p.Pairs {
		return pairJobs(p, isa)
	}
	if p.Terms.Content {
		add("Keys", attnKeys(p, isa))
	}
	if p.Terms.Content || p.Terms.KeyPosition != attention.Absent {
		add("Product", attnProduct(p, isa, p.LDQ))
	}
	if p.Terms.QueryPosition != attention.Absent {
		add("KeyProduct", attnProduct(p, isa, p.LDK))
	}
	if p.Terms.Relative() {
		add("Join", attnJoin(p, isa))
	}
	add("Softmax", attnSoftmax(isa))
	add("Values", attnValues(p, isa))
	add("Weigh", attnWeigh(p, isa))
	return jobs
}

// pairAttn is the family of the kernels for pairs of bfloat16.
const pairAttn = "pair_attn"

// pairJobs returns the kernels of an attention with pairs.
func pairJobs(p AttentionParams, isa ISA) []AttentionJob {
	single := isa // for what is computed in float32
	if set, ok := FindISA(isa.Extends); ok {
		single = set
	}
	jobs := []AttentionJob{{"Rows", Pairs(PairRows, isa)}, {"Columns", Pairs(PairColumns, isa)}, {"Softmax", attnSoftmax(single)},
		{"PairWeigh", attnPairWeigh(p, isa)}}
	if p.Terms.Content {
		jobs = append(jobs, AttentionJob{"Panel", Pairs(PairPanel, isa)})
	}
	if p.Terms.Content || p.Terms.Indexed() {
		jobs = append(jobs, AttentionJob{"PairProduct", attnPairProduct(p, isa)})
	}
	if p.Terms.Relative() {
		jobs = append(jobs, AttentionJob{"Join", attnJoin(p, single)})
	}
	return jobs
}

// AttentionTableRows returns how many queries or keys are multiplied with the same rows of a relative table. A small number is better, because then fewer of
// these rows are needed by only some of the queries or keys; but the number should fill a tile.
func AttentionTableRows(isa ISA) int { return isa.TileRows * ((12 + isa.TileRows - 1) / isa.TileRows) }

// AttentionTablePanels returns how many panels of a relative table one call of a product may have: it takes about 100 µs on a slow core.
func AttentionTablePanels(p AttentionParams, isa ISA) int {
	return max(2, 4<<20/(AttentionTableRows(isa)*p.DP*PanelWidth))
}

// AttentionKernels returns the kernels of [AttentionJobs], each once.
func AttentionKernels(p AttentionParams, isa ISA) []Kernel {
	var ks []Kernel
	for _, j := range AttentionJobs(p, isa) {
		if !slices.ContainsFunc(ks, func(k Kernel) bool { return k.Name == j.Name }) {
			ks = append(ks, j.Kernel)
		}
	}
	return ks
}
