package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// attends joins the terms of every score to an attend, the attention of training programs. If only some rows are read, only their queries are computed.
func attends(p *ir.Program) error {
	attend := []pattern{{name: "attend", at: "weigh", match: matchAttend}}
	for _, r := range p.Regions {
		for again := true; again; {
			var err error
			if again, err = fuseFirst(r, attend, func(pattern) {}); err != nil {
				return fmt.Errorf("region %s: %w", r.Name, err)
			}
		}
		for sink(r) {
			mergeTakes(r)
		}
	}
	return nil
}

// matchAttend matches a mean that is weighted by a softmax, as matchAttention does. Queries, keys, values and tables stay as they are, because their
// weights are trained: the scale is an attribute.
func matchAttend(r *ir.Region, i int) (func() error, error) {
	weigh := r.Nodes[i]
	p, err := partsOf(weigh)
	if p == nil || err != nil {
		return nil, err
	}
	return func() error { return replaceByAttend(r, i, weigh, p) }, nil
}

// replaceByAttend builds the attend at the place of the weighted mean, the node at index i.
func replaceByAttend(r *ir.Region, i int, weigh *ir.Node, p *parts) error {
	heads := weigh.Int("heads")
	d := weigh.In[1].Type.Shape[1].N / heads
	var chosen *ir.Node
	if n, _ := onlyReader(r, uses(r), weigh.Out[0]); n != nil && chooses(n) {
		chosen = n
	}
	rest := slices.Clone(r.Nodes[i+1:])
	f := &attentionFuser{editor: edit(r), p: p, weigh: weigh, heads: heads, d: d, slots: p.slots(), byOffsets: p.bothSigns()}
	f.dp = d * len(f.slots)
	r.Nodes = slices.Clone(r.Nodes[:i])
	in := make([]*ir.Value, ops.AttendKey+1)
	in[ops.AttendQ], in[ops.AttendK] = f.contents(func(s slot) *ir.Value { return s.q }), f.contents(func(s slot) *ir.Value { return s.k })
	in[ops.AttendV] = weigh.In[1]
	attrs := append(f.scoreAttrs(), ir.Attr{Key: "scale", Value: p.scale})
	in[ops.AttendKR], in[ops.AttendQR], in[ops.AttendBias] = f.joined(p.cp), f.joined(p.pc), f.lookups()
	in[ops.AttendIndex], in[ops.AttendStarts], in[ops.AttendPos], in[ops.AttendPrefix] = f.places()
	in[ops.AttendMixScore], in[ops.AttendMixWeight] = p.mixScore, p.mixWeight
	if p.drop != nil {
		in[ops.AttendKey] = p.drop.In[1]
		attrs = append(attrs, ir.Attr{Key: "rate", Value: p.drop.Float("rate")})
	}
	old := weigh.Out[0]
	if chosen != nil {
		old = chosen.Out[0]
		rows := "first"
		if chosen.Op == "pick" {
			rows, in[ops.AttendPicked] = "picked", chosen.In[1]
		}
		attrs = append(attrs, ir.Attr{Key: "rows", Value: rows})
		if q := in[ops.AttendQ]; q != nil {
			in[ops.AttendQ] = f.Op(chosen.Op, chosen.Pos, chosen.Note, chosen.Attrs, q, chosen.In[1])
		}
	}
	for in[len(in)-1] == nil {
		in = in[:len(in)-1]
	}
	ctx := f.Op("attend", p.terms[0].Pos, p.note(), attrs, in...)
	if f.Err() != nil {
		return f.Err()
	}
	if slices.Contains(r.Out, weigh.Out[0]) && chosen != nil {
		return fmt.Errorf("%v: an attention of which some rows and all rows are read", weigh.Pos)
	}
	for _, n := range rest {
		if n != chosen {
			r.Nodes = append(r.Nodes, n)
		}
	}
	replace(r, old, ctx)
	sweep(r)
	return nil
}

// contents returns the contents of the slots on one side of the products, side by side within each head, or nil if the score reads none.
func (f *attentionFuser) contents(of func(s slot) *ir.Value) (sum *ir.Value) {
	for k, s := range f.slots {
		if t := of(s); t != nil {
			sum = f.plus(sum, f.headed(t, 1, k))
		}
	}
	return sum
}
