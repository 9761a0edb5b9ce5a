package kernel

import (
	"fmt"
	"strings"
)

// Sign is the sign with which an offset enters a relative term of a score.
type Sign int

// The signs of a term.
const (
	Absent  Sign = 0  // the score has no such term
	Forward Sign = 1  // row index[i-j], query position minus key position
	Reverse Sign = -1 // row index[j-i]
)

// AttentionTerms holds the terms of a score; at least one must be set:
//
//	score[i, j] = q_i·k_j + q_i·KR[index[±(i-j)]] + k_j·QR[index[±(i-j)]] + bias[i-j]
type AttentionTerms struct {
	Content       bool // q_i·k_j
	KeyPosition   Sign // q_i·KR[…], content to position
	QueryPosition Sign // k_j·QR[…], position to content
	Bias          bool // bias[…], one number per offset
}

// name returns the terms for a kernel's name; a trailing r means j-i. Without signs, the name is the same for all signs.
func (t AttentionTerms) name(signs bool) string {
	var parts []string
	if t.Content {
		parts = append(parts, "cc")
	}
	for _, x := range []struct {
		sign Sign
		name string
	}{{t.KeyPosition, "cp"}, {t.QueryPosition, "pc"}} {
		if x.sign == Absent {
			continue
		}
		if x.sign == Reverse && signs {
			x.name += "r"
		}
		parts = append(parts, x.name)
	}
	if t.Bias {
		parts = append(parts, "bias")
	}
	return strings.Join(parts, "_")
}

// Relative reports whether a term depends on the offset.
func (t AttentionTerms) Relative() bool { return t.Indexed() || t.Bias }

// Indexed reports whether a term reads the relative table through the index.
func (t AttentionTerms) Indexed() bool { return t.KeyPosition != Absent || t.QueryPosition != Absent }

// AttentionParams holds the constants of the attention of one head
//
//	o_i = Σ_j softmax_j(score[i, j])·v_j
//
// for one sequence. j goes over all keys or, with a mask, over the keys with j ≤ i or j < prefix, where prefix is an argument. q, k, v and o have D columns of
// data, and zeros up to DP. KR and QR are panels [R/16][DP][16], with R rounded up.
type AttentionParams struct {
	D, DP    int // head size, and the same rounded up to 16
	LDQ, LDO int // floats from one row of q to the next, and of o
	LDK      int // the same for k and v: LDQ where they lie beside q
	R        int // rows of the relative table; 0 if no term reads it
	Terms    AttentionTerms
	Masked   bool
}

// Blocks of an attention. Scores are computed for a strip of queries and a block of keys at a time, so that they stay in the nearest caches; the softmax is
// carried from one block of keys to the next. Block boundaries count from the sequence's first key, so the order of every sum depends on nothing else. The
// queries of a range share the products of keys and relative rows.
const (
	AttentionKeys    = 256 // keys in a block
	AttentionStrip   = 48  // queries in a strip, a multiple of 16
	AttentionQueries = 560 // queries that share products of keys with relative rows
)

// The largest attentions for which there are kernels. The distances fit into displacements of 32 bits.
const (
	AttentionMaxHead   = 256     // columns of a head, rounded up to 16
	AttentionMaxStride = 1 << 22 // floats from one row of q, k and v to the next
	AttentionMaxRows   = 1 << 20 // rows of the relative table
)

// attnLDS is the distance between rows of a strip of scores.
const attnLDS = AttentionKeys + PanelWidth

// Check returns an error for parameters that have no kernel.
func (p AttentionParams) Check() error {
	rel := p.Terms.Indexed()
	for _, s := range []Sign{p.Terms.KeyPosition, p.Terms.QueryPosition} {
		if s < Reverse || s > Forward {
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

// LDR returns the distance between rows of products with the relative table. A row has room for the table's rows and for a window of 16 that starts at any of
// them.
func (p AttentionParams) LDR() int { return LD((p.R+PanelWidth-1)/PanelWidth*PanelWidth + PanelWidth) }

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
	return fmt.Sprintf("attention_f32_%d_ldq%d_ldo%d_r%d_%s%s_%s", p.DP, p.LDQ, p.LDO, p.R, p.Terms.name(true), more, isa)
}

// AttentionArgs returns the parameters of the Go function, for every instruction set and for [Generic]. The function computes the query rows [i0, i1) of one
// head, for one sequence of n rows. q, k and v point at the sequence's first row and the head's first column, o at the place of row i0, and index and bias at
// the entry of offset 0. For the assembly, the entries of index must rise with the offset by steps of 0 or 1. pos is nil, or, if tokens of the sequence are
// missing, holds the positions of the rows, which rise. With a mask, prefix is the number of leading keys that all rows see.
func AttentionArgs(p AttentionParams) []Param {
	counts := "n i0 i1"
	if p.Masked {
		counts += " prefix"
	}
	ps := append(params("o q k v kr qr bias", F32), params("index pos", I32)...)
	return append(append(ps, params("scratch", F32)...), params(counts, Int)...)
}

// AttentionProducts returns the names of the kernels that multiply queries and keys. It is one kernel if the rows of both are equally far apart.
func AttentionProducts(p AttentionParams, isa ISA) (queries, keys string) {
	return attnProduct(p, isa, p.LDQ).Name, attnProduct(p, isa, p.LDK).Name
}

// AttentionKernels returns the micro kernels that the Go function of an instruction set calls. Attentions with other parameters share some of them: kernels of
// equal names are equal.
func AttentionKernels(p AttentionParams, isa ISA) []Kernel {
	var ks []Kernel
	if p.Terms.Content {
		ks = append(ks, attnKeys(p, isa))
	}
	if p.Terms.Content || p.Terms.KeyPosition != Absent {
		ks = append(ks, attnProduct(p, isa, p.LDQ))
	}
	if p.Terms.QueryPosition != Absent && (len(ks) == 0 || ks[len(ks)-1].Name != attnProduct(p, isa, p.LDK).Name) {
		ks = append(ks, attnProduct(p, isa, p.LDK))
	}
	if join := attnJoin(p, isa); join != nil {
		ks = append(ks, *join)
	}
	return append(ks, attnSoftmax(isa), attnValues(p, isa), attnWeigh(p, isa))
}

// AttentionPart is one array in an attention's scratch memory.
type AttentionPart struct {
	Name string
	Type Type   // F32 or I32, both 4 bytes
	Doc  string // its shape

	// Its length is PerRow·rows + Fixed. rows is n rounded up to 16, and at most Most (0: no limit).
	PerRow, Most, Fixed int
}

// Len returns the part's length for a sequence of n rows, a multiple of 16.
func (a AttentionPart) Len(n int) int {
	rows := (n + PanelWidth - 1) / PanelWidth * PanelWidth
	if a.Most > 0 {
		rows = min(rows, a.Most)
	}
	return a.PerRow*rows + a.Fixed
}

// AttentionLayout returns the arrays that the Go function of an instruction set takes from its scratch memory, one after the other.
func AttentionLayout(p AttentionParams) []AttentionPart {
	t := p.Terms
	var parts []AttentionPart
	part := func(there bool, name string, typ Type, doc string, perRow, most, fixed int) {
		if there {
			parts = append(parts, AttentionPart{name, typ, doc, perRow, most, fixed})
		}
	}
	part(t.Content, "keys", F32, fmt.Sprintf("panels [n/16][%d][16]", p.DP), p.DP, 0, 0)
	part(t.Content, "zero", F32, fmt.Sprintf("a key of zeros [%d]", p.DP), 0, 0, p.DP)
	part(true, "values", F32, fmt.Sprintf("[n][%d]", p.DP), p.DP, 0, 0)
	part(t.KeyPosition != Absent, "along", I32, "row of KR, by j-i", 2, 0, 2*PanelWidth)
	part(t.QueryPosition != Absent, "down", I32, "row of QR, by i-j", 2, 0, 2*PanelWidth)
	part(t.Bias, "offset", F32, "bias, by j-i", 2, 0, 2*PanelWidth)
	part(t.KeyPosition != Absent, "cp", F32, fmt.Sprintf("queries × KR [queries][%d]", p.LDR()), p.LDR(), AttentionQueries, 0)
	part(t.QueryPosition != Absent, "pc", F32, fmt.Sprintf("keys × QR [keys][%d]", p.LDR()), p.LDR(), AttentionKeys, 0)
	part(true, "scores", F32, fmt.Sprintf("[strip][%d]", attnLDS), attnLDS, AttentionStrip, 0)
	part(true, "sum", F32, fmt.Sprintf("weighted values so far [queries][%d]", p.DP), p.DP, AttentionQueries, 0)
	part(true, "ones", F32, "[strip]", 1, AttentionStrip, 0)
	part(true, "stats", F32, fmt.Sprintf("of the softmax [%d][%d]", attnStats, AttentionQueries), 0, 0, attnStats*AttentionQueries)
	return parts
}

// AttentionScratch returns the length of the scratch memory, in floats, that the Go function of an instruction set needs for n rows.
func AttentionScratch(p AttentionParams, n int) int {
	sum := 0
	for _, a := range AttentionLayout(p) {
		sum += a.Len(n)
	}
	return sum
}
