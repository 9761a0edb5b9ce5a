package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

var _ = ir.Define(ir.Op{
	Name: "attention", Class: ir.Attention,
	Doc: "Disentangled self-attention of every head over joined rows q|k|v whose heads are padded to DP: score[i, j] = cc: q_i·k_j + cp: q_i·kr[index] " +
		"+ pc: k_j·qr[index] + bias[index], softmax over j, o_i = Σ p_ij·v_j, [T, 3·A·DP] → [T, A·DP]. Scales are in the weights already.",
	In: []ir.Operand{float("qkv", "[T, 3·A·DP]: q of head a at column a·DP, k at A·DP + a·DP, v at 2·A·DP + a·DP"),
		optional("kr", "[A, ⌈R/16⌉, DP, 16] position keys, see head_panels"), optional("qr", "[A, ⌈R/16⌉, DP, 16] position queries"),
		optional("bias", "[A, R]"),
		{Name: "index", DType: ir.I32, Optional: true, Doc: indexIn.Doc}, startsIn,
		{Name: "pos", DType: ir.I32, Optional: true, Doc: posIn.Doc + "; missing: all rows are neighbours"}},
	Attrs: []ir.AttrDef{headsAttr,
		{Name: "d", Type: ir.AttrInt, Required: true, Doc: "D, the head size before padding"},
		{Name: "dp", Type: ir.AttrInt, Required: true, Doc: "DP, the head size as it lies in memory, a multiple of 16"},
		{Name: "cc", Type: ir.AttrBool, Doc: "the term q_i·k_j"},
		{Name: "cp", Type: ir.AttrBool, Doc: "the term q_i·kr[index], with operand kr"},
		{Name: "pc", Type: ir.AttrBool, Doc: "the term k_j·qr[index], with operand qr"},
		{Name: "flip_cp", Type: ir.AttrBool, Doc: "cp looks up j-i instead of i-j"},
		{Name: "flip_pc", Type: ir.AttrBool, Doc: "pc looks up j-i"},
		{Name: "flip_bias", Type: ir.AttrBool, Doc: "bias looks up j-i"},
		{Name: "rows", Type: ir.AttrString, Words: []string{"each", "first"}, Doc: "queries: each row (the default), or the first of each sequence, giving [B, A·DP]"},
	},
	Shape:    shapeAttention,
	Ref:      refAttention,
	NoGrad:   behindGrad,
	Cost:     costAttention,
	Lower:    lowerAttention,
	Launches: attentionLaunches,
	Kernels:  []string{"attn"},
	Sample: samples(
		attentionSample(true, true, true, false, attrs()...),
		attentionSample(true, true, true, true, attrs("flip_pc", true)...),
		attentionSample(false, true, false, true, attrs("flip_cp", true, "flip_bias", true)...),
		attentionSample(true, false, true, false, attrs("rows", "first")...),
		attentionSample(false, false, false, true, attrs()...),
		holes(attentionSample(true, true, true, true, attrs()...)),
		lens(sample(attrs("heads", 2, "d", 16, "dp", 16, "cc", true), normal(ir.T, ir.N(96)), missing(), missing(), missing(), missing(), starts()), 1, 5),
	),
})

// attentionSample is a sample of two heads with the given terms.
func attentionSample(cc, cp, pc, bias bool, more ...ir.Attr) ir.Sample {
	const rows = 21
	tables := func(use bool) ir.Arg {
		if !use {
			return missing()
		}
		return normal(ir.N(2), ir.N(round16(rows)/16), ir.N(16), ir.N(16))
	}
	b := missing()
	if bias {
		b = normal(ir.N(2), ir.N(rows))
	}
	a := append(attrs("heads", 2, "d", 11, "dp", 16, "cc", cc, "cp", cp, "pc", pc), more...)
	return sample(a, normal(ir.T, ir.N(96)), tables(cp), tables(pc), b, index(rows), starts(), positions())
}

// shapeAttention checks that each term has its operands.
func shapeAttention(n *ir.Node) ([]ir.Type, error) {
	w, err := tokenRows(n, 0)
	if err != nil {
		return nil, err
	}
	a, d, dp := n.Int("heads"), n.Int("d"), n.Int("dp")
	if a < 1 || d < 1 || dp < d || dp%16 != 0 || w != 3*a*dp {
		return nil, fmt.Errorf("qkv is %s for %d heads of %d padded to %d", n.In[0].Type, a, d, dp)
	}
	panels := ir.Dim{}
	for k, term := range []string{"cp", "pc"} {
		i := k + 1
		if n.Flag(term) != (in(n, i) != nil) {
			return nil, fmt.Errorf("the term %s and the operand %s go together", term, operand(n, i))
		}
	}
	for i := 1; i <= 2; i++ {
		v := in(n, i)
		if v == nil {
			continue
		}
		if len(v.Type.Shape) != 4 || panels != (ir.Dim{}) && panels != v.Type.Shape[1] {
			return nil, fmt.Errorf("%s is %s, not [%d, panels, %d, 16]", operand(n, i), v.Type, a, dp)
		}
		panels = v.Type.Shape[1]
		if err := shaped(n, i, ir.N(a), panels, ir.N(dp), ir.N(16)); err != nil || !panels.Const() {
			return nil, fmt.Errorf("%s is %s, not [%d, panels, %d, 16]", operand(n, i), v.Type, a, dp)
		}
	}
	table := in(n, 3)
	if table != nil {
		if s := table.Type.Shape; len(s) != 2 || s[0] != ir.N(a) || !s[1].Const() {
			return nil, fmt.Errorf("bias is %s, not a row for each of %d heads", table.Type, a)
		}
	}
	if !n.Flag("cc") && !n.Flag("cp") && !n.Flag("pc") && table == nil {
		return nil, fmt.Errorf("the score has no term")
	}
	if index := in(n, 4); index != nil {
		if s := index.Type.Shape; len(s) != 1 || !s[0].Const() || s[0].N%2 == 0 {
			return nil, fmt.Errorf("index is %s, not an odd number of rows", index.Type)
		}
	} else if n.Flag("cp") || n.Flag("pc") || table != nil {
		return nil, fmt.Errorf("terms with offsets need the operand index")
	}
	out := f32(ir.T, ir.N(a*dp))
	if n.Str("rows") == "first" {
		out.Shape[0] = ir.B
	}
	return []ir.Type{out}, first(shaped(n, 5, ir.Bound), shaped(n, 6, ir.T))
}

// refAttention composes the terms' own references.
func refAttention(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
	a, dp, rows := n.Int("heads"), n.Int("dp"), in[0].Shape[0]
	w, starts := a*dp, in[5]
	part := func(c int) *ir.Array {
		return in[0].Rearrange([]int{rows, w}, func(i int) int { return i/w*3*w + c*w + i%w })
	}
	q, k, v := part(0), part(1), part(2)
	pos := data(in, 6)
	if pos == nil {
		pos = ir.NewInts(rows)
		for i := range pos.I {
			pos.I[i] = int32(i)
		}
	}
	var score *ir.Array
	term := func(use bool, op, flip string, operands ...*ir.Array) error {
		if !use {
			return nil
		}
		node := &ir.Node{Op: op, Attrs: attrs("flip", n.Flag(flip), "heads", a)}
		out, err := ir.Lookup(op).Ref(node, operands)
		if err != nil {
			return err
		}
		if score == nil {
			score = out[0]
			return nil
		}
		for i, x := range out[0].F {
			score.F[i] += x
		}
		return nil
	}
	table := func(i int) *ir.Array {
		if data(in, i) == nil {
			return nil
		}
		r := in[i].Shape[1] * 16
		return in[i].Rearrange([]int{r, w}, func(e int) int {
			row, head, d := e/w, e%w/dp, e%dp
			return ((head*in[i].Shape[1]+row/16)*dp+d)*16 + row%16
		})
	}
	err := first(
		term(n.Flag("cc"), "score_cc", "", q, k, starts),
		term(n.Flag("cp"), "score_cp", "flip_cp", q, table(1), in[4], starts, pos),
		term(n.Flag("pc"), "score_pc", "flip_pc", k, table(2), in[4], starts, pos),
		term(data(in, 3) != nil, "score_bias", "flip_bias", data(in, 3), data(in, 4), starts, pos),
	)
	if err != nil {
		return nil, err
	}
	p, err := ir.Lookup("softmax").Ref(n, []*ir.Array{score, starts})
	if err != nil {
		return nil, err
	}
	o, err := ir.Lookup("weigh").Ref(n, []*ir.Array{p[0], v, starts})
	if err != nil || n.Str("rows") != "first" {
		return o, err
	}
	return ir.Lookup("take").Ref(n, []*ir.Array{o[0], starts})
}

// costAttention counts, for each pair of a query and a key, the products of the terms, the softmax and the weighted sum.
func costAttention(n *ir.Node, s ir.Sizes) ir.Cost {
	a, dp := float64(n.Int("heads")), float64(n.Int("dp"))
	pairs := float64(s.P)
	if n.Str("rows") == "first" {
		pairs = float64(s.T)
	}
	each := 2*dp + 14
	for _, t := range []string{"cc", "cp", "pc"} {
		if n.Flag(t) {
			each += 2 * dp
		}
	}
	if in(n, 3) != nil {
		each++
	}
	return ir.Cost{FLOPs: a * pairs * each}
}
