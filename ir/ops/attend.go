package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
)

// The operands of the op attend, by index. The op attend_grad has the gradient of the result before them.
const (
	AttendQ = iota
	AttendK
	AttendV
	AttendKR
	AttendQR
	AttendBias
	AttendIndex
	AttendStarts
	AttendPos
	AttendPrefix
	AttendMixScore
	AttendMixWeight
	AttendPicked
	AttendKey
	attendOperands // the number of operands
)

// attendIn are the operands of attend.
var attendIn = []ir.Operand{
	optional("q", "[R, A·D] queries of the rows that are computed; missing: the score has neither cc nor cp"),
	optional("k", "[T, A·D] keys; missing: the score has neither cc nor pc"),
	float("v", "[T, A·E] values"),
	optional("kr", "[rows, A·D] position keys"),
	optional("qr", "[rows, A·D] position queries"),
	optional("bias", "[A, 2·length-1] by offset, as index"),
	{Name: "index", DType: ir.I32, Optional: true, Doc: indexIn.Doc},
	startsIn,
	{Name: "pos", DType: ir.I32, Optional: true, Doc: posIn.Doc + "; missing: all rows are neighbours"},
	prefixIn,
	optional("mix_score", "[A, A], see mix_heads"),
	optional("mix_weight", "[A, A]"),
	{Name: "picked", DType: ir.I32, Optional: true, Doc: "[M] the rows that are computed, rising; with rows = picked"},
	{Name: "key", DType: ir.I32, Optional: true, Doc: "[2] the key of the dropout of probabilities, see drop_pairs; with rate"},
}

// attendAttrs are the attributes of attend and attend_grad.
var attendAttrs = []ir.AttrDef{
	headsAttr,
	{Name: "scale", Type: ir.AttrFloat, Required: true, Doc: "the factor of the terms cc, cp and pc"},
	{Name: "cc", Type: ir.AttrBool, Doc: "the term q_i·k_j"},
	{Name: "cp", Type: ir.AttrBool, Doc: "the term q_i·kr[index], with operand kr"},
	{Name: "pc", Type: ir.AttrBool, Doc: "the term k_j·qr[index], with operand qr"},
	{Name: "flip_cp", Type: ir.AttrBool, Doc: "cp looks up j-i instead of i-j"},
	{Name: "flip_pc", Type: ir.AttrBool, Doc: "pc looks up j-i"},
	maskAttr,
	{Name: "rate", Type: ir.AttrFloat, Doc: "of the dropout of probabilities; absent: none is dropped"},
	{Name: "rows", Type: ir.AttrString, Words: []string{"each", "first", "picked"},
		Doc: "the rows that are computed: each (the default, R = T), the first of each sequence (R = B), or those in picked (R = M)"},
}

var _ = ir.Define(ir.Op{
	Name: "attend", Class: ir.Attention,
	Doc: "Disentangled attention of every head in a training program: the op attention with its operands apart and as they are, with heads of any size. " +
		"score[i, j] = scale·(cc: q_i·k_j + cp: q_i·kr[index] + pc: k_j·qr[index]) + bias[i-j]; p = softmax over the keys j that query i may see " +
		"(see mask); o_i = Σ p_ij·v_j; → [R, A·E]. mix_score mixes the scores of all heads before the mask, mix_weight the probabilities.",
	In:    attendIn,
	Attrs: attendAttrs,
	Shape: func(n *ir.Node) ([]ir.Type, error) { return attendShape(n, 0) },
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		a, err := newAttend(n, in)
		if err != nil {
			return nil, err
		}
		o, err := a.rule("weigh", a.weights, in[AttendV], a.starts)
		if err != nil {
			return nil, err
		}
		return []*ir.Array{a.computed(o)}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		d := b.Node("attend_grad", n.Pos, n.Note, n.Attrs, append([]*ir.Value{dy[0]}, n.In...)...)
		if b.Err() != nil {
			return nil, b.Err()
		}
		out := make([]*ir.Value, len(n.In))
		for k, i := range AttendDifferentiable(n.In) {
			out[i] = d[k]
		}
		return out, nil
	},
	Cost:    func(n *ir.Node, s ir.Sizes) ir.Cost { return attendCost(n, s, 0) },
	NoLower: inRuntime,
	Sample:  func() []ir.Sample { return attendSamples(nil) },
})

// inRuntime is why an attention of a training program has no loop nest.
const inRuntime = "package runtime/attention computes it"

// AttendDifferentiable returns the operands of an attend that have a gradient, in the order of the results of attend_grad.
func AttendDifferentiable(in []*ir.Value) []int {
	var out []int
	for i, v := range in {
		if v != nil && attendIn[i].DType == ir.F32 {
			out = append(out, i)
		}
	}
	return out
}

// attendRows returns the rows that a node computes.
func attendRows(n *ir.Node) ir.Dim {
	switch n.Str("rows") {
	case "first":
		return ir.B
	case "picked":
		return ir.M
	}
	return ir.T
}

// attendShape checks the operands of attend, which begin at operand at, and returns the type of its result.
func attendShape(n *ir.Node, at int) ([]ir.Type, error) {
	w, err := tokenRows(n, at+AttendV)
	if err != nil {
		return nil, err
	}
	a, err := heads(n, w)
	if err != nil {
		return nil, err
	}
	if err := attendTerms(n, at, a); err != nil {
		return nil, err
	}
	if (n.Str("rows") == "picked") != (in(n, at+AttendPicked) != nil) {
		return nil, fmt.Errorf("picked rows and the operand %s go together", operand(n, at+AttendPicked))
	}
	if (n.Float("rate") != 0) != (in(n, at+AttendKey) != nil) {
		return nil, fmt.Errorf("a rate and the operand %s go together", operand(n, at+AttendKey))
	}
	return []ir.Type{f32(attendRows(n), ir.N(w))}, first(shaped(n, at+AttendKey, ir.N(2)), shaped(n, at+AttendStarts, ir.Bound), shaped(n, at+AttendPos, ir.T),
		maskShape(n, at+AttendPrefix), shaped(n, at+AttendMixScore, ir.N(a), ir.N(a)), shaped(n, at+AttendMixWeight, ir.N(a), ir.N(a)),
		shaped(n, at+AttendPicked, ir.M))
}

// attendTerms checks that each term of a score of a heads has its operands, and that each of these operands has a term.
func attendTerms(n *ir.Node, at, a int) error {
	cc, cp, pc := n.Flag("cc"), n.Flag("cp"), n.Flag("pc")
	for _, t := range []struct {
		use   bool
		terms string
		i     int
	}{{cc || cp, "cc or cp", AttendQ}, {cc || pc, "cc or pc", AttendK}, {cp, "cp", AttendKR}, {pc, "pc", AttendQR}} {
		if t.use != (in(n, at+t.i) != nil) {
			return fmt.Errorf("the term %s and the operand %s go together", t.terms, operand(n, at+t.i))
		}
	}
	bias := in(n, at+AttendBias)
	if !cc && !cp && !pc && bias == nil {
		return fmt.Errorf("the score has no term")
	}
	columns, table := 0, ir.Dim{} // of all matrices of a score, and the rows of its tables
	for _, i := range []int{AttendQ, AttendK, AttendKR, AttendQR} {
		if in(n, at+i) == nil {
			continue
		}
		rows, w, err := matrix(n, at+i)
		if err != nil {
			return err
		}
		want := map[int]ir.Dim{AttendQ: attendRows(n), AttendK: ir.T, AttendKR: rows, AttendQR: table}[i]
		if i >= AttendKR && want == (ir.Dim{}) {
			want = rows
		}
		if i >= AttendKR {
			table = rows
		}
		if columns == 0 {
			columns = w
		}
		if rows != want || w != columns || i >= AttendKR && !rows.Const() {
			return fmt.Errorf("%s is %s, want [%s, %d]", operand(n, at+i), n.In[at+i].Type, want, columns)
		}
	}
	if columns%a != 0 {
		return fmt.Errorf("%d heads do not divide %d columns", a, columns)
	}
	if bias != nil {
		if s := bias.Type.Shape; len(s) != 2 || s[0] != ir.N(a) || !s[1].Const() || s[1].N%2 == 0 {
			return fmt.Errorf("bias is %s, not a row of an odd number of offsets for each of %d heads", bias.Type, a)
		}
	}
	index := in(n, at+AttendIndex)
	if index == nil {
		if cp || pc {
			return fmt.Errorf("terms with offsets need the operand index")
		}
		return nil
	}
	if s := index.Type.Shape; len(s) != 1 || !s[0].Const() || s[0].N%2 == 0 {
		return fmt.Errorf("index is %s, not an odd number of rows", index.Type)
	}
	return nil
}

// attendCost counts the products of the terms, the softmax and the weighted sum for each pair of a query and a key. The gradient, whose operands begin at 1,
// computes the scores again and has two more products for each of these products.
func attendCost(n *ir.Node, s ir.Sizes, at int) ir.Cost {
	a := float64(n.Int("heads"))
	pairs := float64(s.P)
	switch n.Str("rows") {
	case "first":
		pairs = float64(s.T)
	case "picked":
		pairs *= float64(s.M) / float64(max(s.T, 1))
	}
	width := func(i int) float64 { return float64(n.In[at+i].Type.Shape[1].N) / a }
	score, other := 0.0, 14.0
	for _, t := range []string{"cc", "cp", "pc"} {
		if n.Flag(t) {
			score += 2 * width(map[string]int{"cc": AttendQ, "cp": AttendQ, "pc": AttendK}[t])
		}
	}
	for _, i := range []int{AttendMixScore, AttendMixWeight} {
		if in(n, at+i) != nil {
			other += 2 * a
		}
	}
	if in(n, at+AttendBias) != nil {
		other++
	}
	each := score + 2*width(AttendV) + other
	if at > 0 {
		each = 3*score + 4*width(AttendV) + 2*other
	}
	if masked(n) { // half the square; a prefix adds to it
		each /= 2
	}
	return ir.Cost{FLOPs: a * pairs * each}
}

// attendSamples returns samples of attend; before holds the operands that precede those of attend, by the rows that are computed.
func attendSamples(before func(rows ir.Dim) []ir.Arg) []ir.Sample {
	one := func(with int, cc, cp, pc, bias bool, more ...any) ir.Sample {
		const rows = 21
		when := func(use bool, a ir.Arg) ir.Arg {
			if !use {
				return missing()
			}
			return a
		}
		s := ir.Sample{Attrs: attrs(append([]any{"heads", 2, "scale", 0.375, "cc", cc, "cp", cp, "pc", pc}, more...)...)}
		node := &ir.Node{Attrs: s.Attrs}
		if before != nil {
			s.In = before(attendRows(node))
		}
		table, mix := normal(ir.N(rows), ir.N(10)), normal(ir.N(2), ir.N(2))
		s.In = append(s.In, when(cc || cp, normal(attendRows(node), ir.N(10))), when(cc || pc, normal(ir.T, ir.N(10))), normal(ir.T, ir.N(6)),
			when(cp, table), when(pc, table), when(bias, normal(ir.N(2), ir.N(2*sampleLength-1))), when(cp || pc, index(rows)), starts(), positions(),
			when(node.Str("mask") == "prefix", prefixes()), when(with&mixesScore != 0, mix), when(with&mixesWeight != 0, mix),
			when(node.Str("rows") == "picked", ir.PartArg(ragged.Rows)), when(node.Float("rate") != 0, below(100, ir.N(2))))
		return s
	}
	plain := one(0, true, false, false, false)
	plain.In = plain.In[:len(plain.In)-attendOperands+AttendStarts+1]
	return []ir.Sample{
		one(0, true, true, true, false),
		one(0, true, true, true, true, "flip_pc", true),
		one(0, false, true, false, true, "flip_cp", true),
		one(0, true, false, true, false, "rows", "first"),
		one(0, false, false, true, false, "flip_pc", true, "rows", "first"),
		one(0, false, false, false, true),
		holes(one(0, true, true, true, true)),
		lens(plain, 1, 5),
		one(0, true, true, true, true, "mask", "causal"),
		holes(one(0, true, true, true, true, "mask", "prefix")),
		one(0, true, false, true, false, "mask", "prefix", "rows", "first"),
		holes(one(0, true, true, false, true, "mask", "causal", "rows", "picked")),
		one(0, true, true, true, false, "rows", "picked"),
		one(mixesScore|mixesWeight, true, true, true, true),
		holes(one(mixesScore, true, true, true, false, "mask", "prefix")),
		one(mixesWeight, true, true, false, false, "rows", "first"),
		one(0, true, true, true, false, "rate", 0.25),
		holes(one(mixesScore|mixesWeight, true, true, true, true, "rate", 0.5, "mask", "causal")),
		one(0, true, false, true, true, "rate", 0.25, "rows", "picked"),
	}
}

// The sets of mixing operands in samples.
const (
	mixesScore = 1 << iota
	mixesWeight
)
