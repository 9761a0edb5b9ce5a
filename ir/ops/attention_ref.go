package ops

import "github.com/debertac/debertac/ir"

// refAttention computes attention from the references of its terms.
func refAttention(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
	a, dp, rows := n.Int("heads"), n.Int("dp"), in[AttnQKV].Shape[0]
	w, starts := a*dp, in[AttnStarts]
	parts := in[AttnQKV].Shape[1] / w
	part := func(c int) *ir.Array {
		return in[AttnQKV].Rearrange([]int{rows, w}, func(i int) int { return i/w*parts*w + c*w + i%w })
	}
	q, k, v := data(in, AttnQ), part(parts-2), part(parts-1)
	if q == nil {
		q = part(0)
	}
	pos := data(in, AttnPos)
	if pos == nil {
		pos = ir.NewInts(rows)
		for i := range pos.I {
			pos.I[i] = int32(i)
		}
	}
	var score *ir.Array
	term := func(use bool, op string, flip bool, operands ...*ir.Array) error {
		if !use {
			return nil
		}
		node := &ir.Node{Op: op, Attrs: attrs("flip", flip, "heads", a)}
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
	table := func(which int) *ir.Array { return tableRows(n, data(in, AttentionTable(n, which)), w) }
	if n.Flag("bf16") {
		for _, x := range []**ir.Array{&q, &k, &v} {
			*x = &ir.Array{Shape: (*x).Shape, F: rounded((*x).Floats())}
		}
	}
	index, bias := data(in, AttnIndex), data(in, AttnBias)
	var offsets *ir.Array
	if bias != nil {
		offsets = ir.NewInts(bias.Shape[1])
		for i := range offsets.I {
			offsets.I[i] = int32(i)
		}
	}
	err := first(
		term(n.Flag("cc"), "score_cc", false, q, k, starts),
		term(n.Flag("cp"), "score_cp", n.Flag("flip_cp"), q, table(0), index, starts, pos),
		term(n.Flag("pc"), "score_pc", n.Flag("flip_pc"), k, table(1), index, starts, pos),
		term(bias != nil, "score_bias", false, bias, offsets, starts, pos),
	)
	if err != nil {
		return nil, err
	}
	p, err := attentionWeights(n, in, score)
	if err != nil {
		return nil, err
	}
	o, err := ir.Lookup("weigh").Ref(n, []*ir.Array{p, v, starts})
	if err != nil {
		return nil, err
	}
	switch n.Str("rows") {
	case "first":
		return ir.Lookup("take").Ref(n, []*ir.Array{o[0], starts})
	case "picked":
		return ir.Lookup("pick").Ref(n, []*ir.Array{o[0], in[AttnPicked]})
	}
	return o, nil
}

// attentionWeights returns the weights of values from scores: mixed between heads, softmax, mixed again.
func attentionWeights(n *ir.Node, in []*ir.Array, p *ir.Array) (*ir.Array, error) {
	for _, step := range []struct {
		op string
		by *ir.Array
	}{{"mix_heads", data(in, AttnMixScore)}, {"softmax", nil}, {"mix_heads", data(in, AttnMixWeight)}} {
		operands := []*ir.Array{p, step.by}
		if step.op == "softmax" {
			operands = []*ir.Array{p, in[AttnStarts], data(in, AttnPrefix)}
		} else if step.by == nil {
			continue
		}
		out, err := ir.Lookup(step.op).Ref(n, operands)
		if err != nil {
			return nil, err
		}
		p = out[0]
	}
	return p, nil
}

// tableRows returns a relative table in panels, of numbers or with bf16 of pairs, as rows of width w; nil for nil.
func tableRows(n *ir.Node, t *ir.Array, w int) *ir.Array {
	if t == nil {
		return nil
	}
	dp, r, per := n.Int("dp"), t.Shape[1]*16, 1 // numbers in an element of t
	if n.Flag("bf16") {
		per = 2
	}
	place := func(e int) int {
		row, head, d := e/w, e%w/dp, e%dp
		return ((head*t.Shape[1]+row/16)*dp/per+d/per)*16 + row%16
	}
	if per == 1 {
		return t.Rearrange([]int{r, w}, place)
	}
	y := ir.NewArray(r, w)
	for e := range y.F {
		y.F[e] = half(t.I[place(e)], e%2)
	}
	return y
}
