package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
)

// The operands of the op attention, by index:
const (
	AttnQKV = iota // rows q|k|v, or rows k|v if q is an operand of its own
	AttnKR
	AttnQR
	AttnBias
	AttnIndex
	AttnStarts
	AttnPos
	AttnQ
	AttnPrefix
	AttnMixScore
	AttnMixWeight
	AttnPicked
	AttnKRPairs
	AttnQRPairs
)

var _ = ir.Define(ir.Op{
	Name: "attention", Class: ir.Attention,
	Doc: "Disentangled attention of every head. Rows hold q|k|v, with heads padded to DP. score[i, j] = cc: q_i·k_j + cp: q_i·kr[index] " +
		"+ pc: k_j·qr[index] + bias[i-j]; p = softmax over the keys j that query i may see (see mask); " +
		"o_i = Σ p_ij·v_j; [T, 3·A·DP] → [T, A·DP]. The weights " +
		"include the scales. mix_score mixes the scores of all heads before the mask, mix_weight the probabilities. With bf16, q, k, v and the tables are " +
		"rounded to bfloat16, and kernels may round exp(score - greatest score) too.",
	In: []ir.Operand{float("qkv", "[T, 3·A·DP]: q of head a at column a·DP, k at A·DP + a·DP, v at 2·A·DP + a·DP; with an operand q [T, 2·A·DP]: k, v"),
		optional("kr", "[A, ⌈R/16⌉, DP, 16] position keys, see head_panels"), optional("qr", "[A, ⌈R/16⌉, DP, 16] position queries"),
		optional("bias", "[A, 2·length-1] by offset, as index"),
		{Name: "index", DType: ir.I32, Optional: true, Doc: indexIn.Doc}, startsIn,
		{Name: "pos", DType: ir.I32, Optional: true, Doc: posIn.Doc + "; missing: all rows are neighbours"},
		optional("q", "[T, A·DP] queries, if they come from other rows than the keys"), prefixIn,
		optional("mix_score", "[A, A], see mix_heads"), optional("mix_weight", "[A, A]"),
		{Name: "picked", DType: ir.I32, Optional: true, Doc: "[M] the rows that are computed, rising; with rows = picked"},
		{Name: "kr_pairs", DType: ir.I32, Optional: true, Doc: "kr with bf16, [A, ⌈R/16⌉, DP/2, 16] pairs, see head_panels_bf16"},
		{Name: "qr_pairs", DType: ir.I32, Optional: true, Doc: "qr with bf16"}},
	Attrs: []ir.AttrDef{headsAttr,
		{Name: "d", Type: ir.AttrInt, Required: true, Doc: "D, the head size before padding"},
		{Name: "dp", Type: ir.AttrInt, Required: true, Doc: "DP, the head size as it lies in memory, a multiple of 16"},
		{Name: "cc", Type: ir.AttrBool, Doc: "the term q_i·k_j"},
		{Name: "cp", Type: ir.AttrBool, Doc: "the term q_i·kr[index], with operand kr"},
		{Name: "pc", Type: ir.AttrBool, Doc: "the term k_j·qr[index], with operand qr"},
		{Name: "flip_cp", Type: ir.AttrBool, Doc: "cp looks up j-i instead of i-j"},
		{Name: "flip_pc", Type: ir.AttrBool, Doc: "pc looks up j-i"},
		maskAttr,
		{Name: "bf16", Type: ir.AttrBool, Doc: "products of rounded numbers; heads are not mixed then"},
		{Name: "rows", Type: ir.AttrString, Words: []string{"each", "first", "picked"},
			Doc: "queries: each row (the default); the first of each sequence, result [B, A·DP]; or those in picked, result [M, A·DP]"},
	},
	Shape:    shapeAttention,
	Ref:      refAttention,
	NoGrad:   afterGrad,
	Cost:     costAttention,
	Lower:    lowerAttention,
	Launches: attentionLaunches,
	Kernels:  []string{"attn", "pair_attn"},
	Sample: samples(
		attentionSample(0, true, true, true, false),
		attentionSample(0, true, true, true, true, "flip_pc", true),
		attentionSample(0, false, true, false, true, "flip_cp", true),
		attentionSample(0, true, false, true, false, "rows", "first"),
		attentionSample(0, false, false, false, true),
		holes(attentionSample(0, true, true, true, true)),
		lens(sample(attrs("heads", 2, "d", 16, "dp", 16, "cc", true), normal(ir.T, ir.N(96)), missing(), missing(), missing(), missing(), starts()), 1, 5),
		attentionSample(0, true, true, true, true, "mask", "causal"),
		holes(attentionSample(0, true, true, true, true, "mask", "prefix")),
		attentionSample(0, true, false, true, false, "mask", "prefix", "rows", "first"),
		attentionSample(1<<AttnQ, true, true, true, false),
		holes(attentionSample(1<<AttnQ, true, true, false, true, "mask", "causal", "rows", "picked")),
		attentionSample(1<<AttnMixScore|1<<AttnMixWeight, true, true, true, true),
		holes(attentionSample(1<<AttnMixScore, true, true, true, false, "mask", "prefix")),
		attentionSample(1<<AttnMixWeight|1<<AttnQ, true, true, false, false, "rows", "first"),
		attentionSample(0, true, true, true, true, "bf16", true),
		attentionSample(0, true, true, false, false, "flip_cp", true, "bf16", true, "mask", "prefix"),
		attentionSample(0, false, false, true, true, "flip_pc", true, "bf16", true, "rows", "first"),
		holes(attentionSample(1<<AttnQ, true, true, true, false, "bf16", true, "mask", "causal", "rows", "picked")),
		lens(sample(attrs("heads", 2, "d", 16, "dp", 16, "cc", true, "bf16", true), normal(ir.T, ir.N(96)), missing(), missing(), missing(), missing(),
			starts()), 1, 5),
	),
})

// attentionSample returns a sample with two heads and the given terms; with is a set of the operands q, mix_score and mix_weight.
func attentionSample(with int, cc, cp, pc, bias bool, more ...any) ir.Sample {
	const rows = 21
	when := func(use bool, a ir.Arg) ir.Arg {
		if !use {
			return missing()
		}
		return a
	}
	table, tablePairs := normal(ir.N(2), ir.N(round16(rows)/16), ir.N(16), ir.N(16)), paired(ir.N(2), ir.N(round16(rows)/16), ir.N(8), ir.N(16))
	a := append([]any{"heads", 2, "d", 11, "dp", 16, "cc", cc, "cp", cp, "pc", pc}, more...)
	node := &ir.Node{Attrs: attrs(a...)}
	apart := with>>AttnQ&1 == 1
	joined := 96
	if apart {
		joined = 64
	}
	mix, half := normal(ir.N(2), ir.N(2)), node.Flag("bf16")
	return sample(node.Attrs, normal(ir.T, ir.N(joined)), when(cp && !half, table), when(pc && !half, table),
		when(bias, normal(ir.N(2), ir.N(2*sampleLength-1))), index(rows),
		starts(), positions(), when(apart, normal(ir.T, ir.N(32))), when(node.Str("mask") == "prefix", prefixes()),
		when(with>>AttnMixScore&1 == 1, mix), when(with>>AttnMixWeight&1 == 1, mix), when(node.Str("rows") == "picked", ir.PartArg(ragged.Rows)),
		when(cp && half, tablePairs), when(pc && half, tablePairs))
}

// AttentionTable returns the place of a relative table among the operands: that of position keys for 0, of position queries for 1.
func AttentionTable(n *ir.Node, which int) int {
	if n.Flag("bf16") {
		return AttnKRPairs + which
	}
	return AttnKR + which
}

// shapeAttention checks that each term has its operands.
func shapeAttention(n *ir.Node) ([]ir.Type, error) {
	w, err := tokenRows(n, AttnQKV)
	if err != nil {
		return nil, err
	}
	a, d, dp := n.Int("heads"), n.Int("d"), n.Int("dp")
	parts := 3
	if in(n, AttnQ) != nil {
		parts = 2
	}
	if a < 1 || d < 1 || dp < d || dp%16 != 0 || w != parts*a*dp {
		return nil, fmt.Errorf("qkv is %s for %d heads of %d padded to %d", n.In[0].Type, a, d, dp)
	}
	if err := attentionTables(n, a, dp); err != nil {
		return nil, err
	}
	out := f32(ir.T, ir.N(a*dp))
	switch n.Str("rows") {
	case "first":
		out.Shape[0] = ir.B
	case "picked":
		out.Shape[0] = ir.M
	}
	if (n.Str("rows") == "picked") != (in(n, AttnPicked) != nil) {
		return nil, fmt.Errorf("picked rows and the operand %s go together", operand(n, AttnPicked))
	}
	return []ir.Type{out}, first(shaped(n, AttnStarts, ir.Bound), shaped(n, AttnPos, ir.T), shaped(n, AttnQ, ir.T, ir.N(a*dp)),
		maskShape(n, AttnPrefix), shaped(n, AttnMixScore, ir.N(a), ir.N(a)), shaped(n, AttnMixWeight, ir.N(a), ir.N(a)), shaped(n, AttnPicked, ir.M))
}

// attentionTables checks the tables of a heads padded to dp. It also checks that each table has the term that reads it.
func attentionTables(n *ir.Node, a, dp int) error {
	panels := ir.Dim{}
	if n.Flag("bf16") && mixes(n) {
		return fmt.Errorf("heads that are mixed are not rounded")
	}
	terms := dp // numbers or pairs in a column of a panel
	if n.Flag("bf16") {
		terms = dp / 2
	}
	for k, term := range []string{"cp", "pc"} {
		i, other := AttentionTable(n, k), AttnKRPairs+k
		if n.Flag("bf16") {
			other = AttnKR + k
		}
		if in(n, other) != nil {
			return fmt.Errorf("the operand %s does not fit the attribute bf16", operand(n, other))
		}
		if n.Flag(term) != (in(n, i) != nil) {
			return fmt.Errorf("the term %s and the operand %s go together", term, operand(n, i))
		}
		v := in(n, i)
		if v == nil {
			continue
		}
		if len(v.Type.Shape) != 4 || panels != (ir.Dim{}) && panels != v.Type.Shape[1] {
			return fmt.Errorf("%s is %s, not [%d, panels, %d, 16]", operand(n, i), v.Type, a, terms)
		}
		panels = v.Type.Shape[1]
		if err := shaped(n, i, ir.N(a), panels, ir.N(terms), ir.N(16)); err != nil || !panels.Const() {
			return fmt.Errorf("%s is %s, not [%d, panels, %d, 16]", operand(n, i), v.Type, a, terms)
		}
	}
	table := in(n, AttnBias)
	if table != nil {
		if s := table.Type.Shape; len(s) != 2 || s[0] != ir.N(a) || !s[1].Const() || s[1].N%2 == 0 {
			return fmt.Errorf("bias is %s, not a row of an odd number of offsets for each of %d heads", table.Type, a)
		}
	}
	if !n.Flag("cc") && !n.Flag("cp") && !n.Flag("pc") && table == nil {
		return fmt.Errorf("the score has no term")
	}
	if index := in(n, AttnIndex); index != nil {
		if s := index.Type.Shape; len(s) != 1 || !s[0].Const() || s[0].N%2 == 0 {
			return fmt.Errorf("index is %s, not an odd number of rows", index.Type)
		}
	} else if n.Flag("cp") || n.Flag("pc") {
		return fmt.Errorf("terms with offsets need the operand index")
	}
	return nil
}

// costAttention counts the products of the terms, the softmax and the weighted sum for each pair of a query and a key.
func costAttention(n *ir.Node, s ir.Sizes) ir.Cost {
	a, dp := float64(n.Int("heads")), float64(n.Int("dp"))
	pairs := float64(s.P)
	switch n.Str("rows") {
	case "first":
		pairs = float64(s.T)
	case "picked":
		pairs *= float64(s.M) / float64(max(s.T, 1))
	}
	products := 2 * dp
	for _, t := range []string{"cc", "cp", "pc"} {
		if n.Flag(t) {
			products += 2 * dp
		}
	}
	each := products + 14
	for _, i := range []int{AttnMixScore, AttnMixWeight} {
		if in(n, i) != nil {
			each += 2 * a
		}
	}
	if in(n, AttnBias) != nil {
		each++
	}
	if masked(n) { // half the square; a prefix adds to it
		each, products = each/2, products/2
	}
	c := ir.Cost{FLOPs: a * pairs * each}
	if n.Flag("bf16") {
		c.BF16 = a * pairs * products
	}
	return c
}

// AttentionJumps reports whether an attention's rows of the relative table rise by more than one from an offset to the next. Kernels read windows of
// neighbouring rows, so such a table needs the portable form. Log buckets jump if the reach is less than about three times the exact part.
func AttentionJumps(p *ir.Program, n *ir.Node) (bool, error) {
	v := in(n, AttnIndex)
	if v == nil {
		return false, nil
	}
	maker := v.Def
	if maker == nil {
		maker = p.Maker(v.Name)
	}
	if maker == nil || len(maker.In) > 0 {
		return false, fmt.Errorf("%s does not depend on the spec alone", v.Name)
	}
	rows, err := ir.Lookup(maker.Op).Ref(maker, nil)
	if err != nil {
		return false, err
	}
	for i, row := range rows[0].I[1:] {
		if row-rows[0].I[i] > 1 {
			return true, nil
		}
	}
	return false, nil
}
