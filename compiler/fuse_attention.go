package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
)

// parts are the operands of one attention, found in the sum that enters a softmax.
type parts struct {
	q, k, kr, qr          *ir.Value
	index, starts, pos    *ir.Value
	scale                 float64 // of the products
	cc, cp, pc            bool
	flipCP, flipPC, flipB bool
	biases                []scaled
	first                 *ir.Node // the earliest node, for its position in the spec
}

// scaled is a lookup table with the factor that it is multiplied by.
type scaled struct {
	table *ir.Value
	by    float64
}

// fuseAttention replaces the terms of each score, its softmax and the weighted mean by one attention over a joined q|k|v product. The scale
// goes into the query's weights and into the table of position queries, so that kernels never multiply by it.
func fuseAttention(r *ir.Region) error {
	for i := 0; i < len(r.Nodes); i++ {
		weigh := r.Nodes[i]
		if weigh.Op != "weigh" {
			continue
		}
		soft := weigh.In[0].Def
		if soft == nil || soft.Op != "softmax" {
			continue
		}
		var p parts
		if err := p.collect(soft.In[0], 1); err != nil {
			return err
		}
		p.starts = soft.In[1]
		if err := replaceAttention(r, i, weigh, soft, &p); err != nil {
			return err
		}
		i = -1 // the list has changed
	}
	return nil
}

// collect walks a sum of scaled terms.
func (p *parts) collect(v *ir.Value, by float64) error {
	n := v.Def
	if n == nil {
		return fmt.Errorf("a score that no node of the region computes")
	}
	if p.first == nil {
		p.first = n
	}
	product := func() error {
		if p.scale != 0 && p.scale != by {
			return fmt.Errorf("%v: products with different scales", n.Pos)
		}
		p.scale = by
		return nil
	}
	same := func(slot **ir.Value, v *ir.Value) error {
		if *slot != nil && *slot != v {
			return fmt.Errorf("%v: two different operands serve in one place of the score", n.Pos)
		}
		*slot = v
		return nil
	}
	switch n.Op {
	case "add":
		if err := p.collect(n.In[0], by); err != nil {
			return err
		}
		return p.collect(n.In[1], by)
	case "scale":
		return p.collect(n.In[0], by*n.Float("by"))
	case "score_cc":
		p.cc = true
		return first(product(), same(&p.q, n.In[0]), same(&p.k, n.In[1]))
	case "score_cp":
		p.cp, p.flipCP = true, n.Flag("flip")
		return first(product(), same(&p.q, n.In[0]), same(&p.kr, n.In[1]), same(&p.index, n.In[2]), same(&p.pos, n.In[4]))
	case "score_pc":
		p.pc, p.flipPC = true, n.Flag("flip")
		return first(product(), same(&p.k, n.In[0]), same(&p.qr, n.In[1]), same(&p.index, n.In[2]), same(&p.pos, n.In[4]))
	case "score_bias":
		if len(p.biases) > 0 && p.flipB != n.Flag("flip") {
			return fmt.Errorf("%v: lookups of both signs", n.Pos)
		}
		p.flipB = n.Flag("flip")
		p.biases = append(p.biases, scaled{n.In[0], by})
		return first(same(&p.index, n.In[1]), same(&p.pos, n.In[3]))
	}
	return fmt.Errorf("%v: op %s is not a term of a score", n.Pos, n.Op)
}

// first gives the first error that is not nil.
func first(errs ...error) error {
	for _, e := range errs {
		if e != nil {
			return e
		}
	}
	return nil
}

// replaceAttention builds the joined nodes in the place of the weighted mean, the node at index i.
func replaceAttention(r *ir.Region, i int, weigh, soft *ir.Node, p *parts) error {
	heads := weigh.Int("heads")
	v := weigh.In[1]
	width := v.Type.Shape[1].N
	d := width / heads
	dp := (d + 15) / 16 * 16
	var take *ir.Node
	if n, _ := onlyReader(r, uses(r), weigh.Out[0]); n != nil && n.Op == "take" && n.Str("rows") == "first" {
		take = n
	}
	rest := append([]*ir.Node(nil), r.Nodes[i+1:]...)
	e := edit(r)
	r.Nodes = append([]*ir.Node(nil), r.Nodes[:i]...)
	headed := func(t *ir.Value, axis int) *ir.Value {
		if dp == d {
			return t
		}
		return e.Op("pad_heads", weigh.Pos, weigh.Note, []ir.Attr{{Key: "axis", Value: axis}, {Key: "dp", Value: dp}, {Key: "heads", Value: heads}}, t)
	}
	scaledBy := func(t *ir.Value, by float64) *ir.Value {
		if t == nil || by == 1 {
			return t
		}
		return e.Op("scale", soft.Pos, soft.Note, []ir.Attr{{Key: "by", Value: by}}, t)
	}
	zeros := func(dims ...int) *ir.Value {
		return e.Op("zeros", weigh.Pos, weigh.Note, []ir.Attr{{Key: "shape", Value: dims}})
	}
	// One product for queries, keys and values. A part that the score does not use is zero.
	var x, weights, bias *ir.Value
	var note *ir.Node
	for _, part := range []*ir.Value{p.q, p.k, v} {
		if part != nil && part.Def != nil && part.Def.Op == "linear" {
			if x != nil && x != part.Def.In[0] {
				return fmt.Errorf("%v: queries, keys and values of different rows", weigh.Pos)
			}
			x = part.Def.In[0]
			if note == nil {
				note = part.Def
			}
		} else if part != nil {
			return fmt.Errorf("%v: queries, keys and values that are not projections", weigh.Pos)
		}
	}
	inner := x.Type.Shape[1].N
	var ws, bs []*ir.Value
	for k, part := range []*ir.Value{p.q, p.k, v} {
		if part == nil {
			ws, bs = append(ws, zeros(heads*dp, inner)), append(bs, zeros(heads*dp))
			continue
		}
		w, b := part.Def.In[1], part.Def.In[2]
		if b == nil {
			b = zeros(width)
		}
		if k == 0 {
			w, b = scaledBy(w, p.scale), scaledBy(b, p.scale)
		}
		ws, bs = append(ws, headed(w, 0)), append(bs, headed(b, 0))
	}
	weights = e.Name(e.Op("concat", note.Pos, note.Note, nil, ws...), "qkv.weight")
	bias = e.Name(e.Op("concat", note.Pos, note.Note, nil, bs...), "qkv.shift")
	qkv := e.Op("linear", note.Pos, note.Note, nil, x, weights, bias)
	table := func(t *ir.Value, by float64) *ir.Value {
		if t == nil {
			return nil
		}
		return e.Name(e.Op("head_panels", t.Def.Pos, t.Def.Note, []ir.Attr{{Key: "dp", Value: dp}, {Key: "heads", Value: heads}}, scaledBy(t, by)), t.Name+".panels")
	}
	kr, qr := table(p.kr, 1), table(p.qr, p.scale)
	var lookup *ir.Value
	for _, b := range p.biases {
		t := scaledBy(b.table, b.by)
		if lookup == nil {
			lookup = t
		} else {
			lookup = e.Op("add", soft.Pos, soft.Note, nil, lookup, t)
		}
	}
	attrs := []ir.Attr{{Key: "d", Value: d}, {Key: "dp", Value: dp}, {Key: "heads", Value: heads}, {Key: "cc", Value: p.cc}, {Key: "cp", Value: p.cp},
		{Key: "pc", Value: p.pc}, {Key: "flip_cp", Value: p.flipCP}, {Key: "flip_pc", Value: p.flipPC}, {Key: "flip_bias", Value: p.flipB}}
	if take != nil {
		attrs = append(attrs, ir.Attr{Key: "rows", Value: "first"})
	}
	ctx := e.Op("attention", p.first.Pos, p.first.Note, attrs, qkv, kr, qr, lookup, p.index, p.starts, p.pos)
	old := weigh.Out[0]
	if take != nil {
		old = take.Out[0]
	}
	// The product behind the attention reads padded heads.
	readers := 0
	var picked *ir.Value // rows of the attention that a call asks for
	for _, n := range rest {
		for k, in := range n.In {
			if in != old && in != picked {
				continue
			}
			readers++
			if n.Op == "pick" && k == 0 && in == old && picked == nil { // rows of padded heads are rows as well
				n.In[0], picked = ctx, n.Out[0]
				picked.Type.Shape = ir.Shape{picked.Type.Shape[0], ir.N(heads * dp)}
				continue
			}
			if dp != d && (n.Op != "linear" || k != 0) {
				return fmt.Errorf("%v: op %s reads an attention whose heads are padded", n.Pos, n.Op)
			}
			if in == old {
				n.In[k] = ctx
			}
			if dp != d {
				n.In[1] = e.Name(headed(n.In[1], 1), stem(n.In[1])+".padded")
			}
		}
	}
	if readers == 0 || slices.Contains(r.Out, old) || slices.Contains(r.Out, picked) {
		return fmt.Errorf("%v: an attention that no product of the region reads", weigh.Pos)
	}
	if e.Err() != nil {
		return e.Err()
	}
	for _, n := range rest {
		if n != take {
			r.Nodes = append(r.Nodes, n)
		}
	}
	sweep(r)
	return nil
}

// sweep drops nodes and inputs that nobody reads any more.
func sweep(r *ir.Region) {
	need := map[string]bool{}
	for _, o := range r.Out {
		need[o.Name] = true
	}
	prune(r, need)
}
