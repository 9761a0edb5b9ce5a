package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// matchAttention matches a mean that is weighted by a softmax. The mean, the softmax and the terms of the score become one attention over a joined q|k|v
// product. The scale is multiplied into the query's weights and into the table of position queries, so that kernels never multiply by it.
func matchAttention(r *ir.Region, i int) (func() error, error) {
	weigh := r.Nodes[i]
	p, err := partsOf(weigh)
	if p == nil || err != nil {
		return nil, err
	}
	return func() error { return replaceAttention(r, i, weigh, p) }, nil
}

// attentionFuser appends the nodes that replace one attention.
type attentionFuser struct {
	editor
	p         *parts
	weigh     *ir.Node
	heads     int
	d, dp     int // head size of the values; head size in memory
	slots     []slot
	byOffsets bool // tables have one row per offset
}

// replaceAttention builds the joined nodes at the place of the weighted mean, the node at index i.
func replaceAttention(r *ir.Region, i int, weigh *ir.Node, p *parts) error {
	heads := weigh.Int("heads")
	d := weigh.In[1].Type.Shape[1].N / heads
	var chosen *ir.Node
	if n, _ := onlyReader(r, uses(r), weigh.Out[0]); n != nil && chooses(n) {
		chosen = n
	}
	rest := append([]*ir.Node(nil), r.Nodes[i+1:]...)
	f := &attentionFuser{editor: edit(r), p: p, weigh: weigh, heads: heads, d: d, slots: p.slots(), byOffsets: p.bothSigns()}
	wide := d * len(f.slots)
	f.dp = (wide + 15) / 16 * 16
	r.Nodes = append([]*ir.Node(nil), r.Nodes[:i]...)
	operands, err := f.projections()
	if err != nil {
		return err
	}
	operands[ops.AttnKR], operands[ops.AttnQR] = f.table(p.cp, 1), f.table(p.pc, p.scale)
	operands[ops.AttnBias] = f.lookups()
	operands[ops.AttnIndex], operands[ops.AttnStarts], operands[ops.AttnPos], operands[ops.AttnPrefix] = f.places()
	operands[ops.AttnMixScore], operands[ops.AttnMixWeight] = p.mixScore, p.mixWeight
	attrs := append(f.scoreAttrs(), ir.Attr{Key: "d", Value: wide}, ir.Attr{Key: "dp", Value: f.dp})
	old := weigh.Out[0]
	if chosen != nil {
		old = chosen.Out[0]
		rows := "first"
		if chosen.Op == "pick" {
			rows, operands[ops.AttnPicked] = "picked", chosen.In[1]
		}
		attrs = append(attrs, ir.Attr{Key: "rows", Value: rows})
	}
	for len(operands) > 0 && operands[len(operands)-1] == nil {
		operands = operands[:len(operands)-1]
	}
	ctx := f.Op("attention", p.terms[0].Pos, p.note(), attrs, operands...)
	if f.Err() != nil {
		return f.Err()
	}
	if err := f.readers(rest, old, ctx); err != nil {
		return err
	}
	if slices.Contains(r.Out, old) {
		return fmt.Errorf("%v: an attention that no product of the region reads", weigh.Pos)
	}
	for _, n := range rest {
		if n != chosen {
			r.Nodes = append(r.Nodes, n)
		}
	}
	sweep(r)
	return f.Err()
}

// scoreAttrs returns the attributes that describe the terms of the score and its mask.
func (f *attentionFuser) scoreAttrs() []ir.Attr {
	p := f.p
	flips := func(terms []offsetTerm) bool { return !f.byOffsets && len(terms) > 0 && terms[0].flip }
	attrs := []ir.Attr{{Key: "heads", Value: f.heads}, {Key: "cc", Value: len(p.cc) > 0}, {Key: "cp", Value: len(p.cp) > 0},
		{Key: "pc", Value: len(p.pc) > 0}, {Key: "flip_cp", Value: flips(p.cp)}, {Key: "flip_pc", Value: flips(p.pc)}}
	if m := p.soft.Str("mask"); m != "" {
		attrs = append(attrs, ir.Attr{Key: "mask", Value: m})
	}
	return attrs
}

// places returns the operands about places: the rows of the tables by offset, the first rows of sequences, positions, and prefixes. The last two may be
// missing.
func (f *attentionFuser) places() (index, starts, pos, prefix *ir.Value) {
	p := f.p
	if index = p.index; f.byOffsets {
		index = f.op("ramp", []ir.Attr{{Key: "n", Value: p.index.Type.Shape[0].N}})
	}
	if len(p.soft.In) > 2 {
		prefix = p.soft.In[2]
	}
	return index, p.soft.In[1], p.pos, prefix
}

// op appends a node at the place of the weighted mean.
func (f *attentionFuser) op(name string, attrs []ir.Attr, in ...*ir.Value) *ir.Value {
	return f.Op(name, f.weigh.Pos, f.weigh.Note, attrs, in...)
}

// headed pads each head along an axis and puts its data into the place of slot s.
func (f *attentionFuser) headed(t *ir.Value, axis, s int) *ir.Value {
	if f.dp == f.d {
		return t
	}
	attrs := []ir.Attr{{Key: "axis", Value: axis}, {Key: "dp", Value: f.dp}, {Key: "heads", Value: f.heads}}
	if s > 0 {
		attrs = append(attrs, ir.Attr{Key: "at", Value: s * f.d})
	}
	return f.op("pad_heads", attrs, t)
}

// scaledBy returns t multiplied by a factor, or t itself if the factor is 1.
func (f *attentionFuser) scaledBy(t *ir.Value, by float64) *ir.Value {
	if t == nil || by == 1 {
		return t
	}
	return f.Op("scale", f.p.soft.Pos, f.p.soft.Note, []ir.Attr{{Key: "by", Value: by}}, t)
}

// zeros returns a matrix or vector of zeros.
func (f *attentionFuser) zeros(dims ...int) *ir.Value {
	return f.op("zeros", []ir.Attr{{Key: "shape", Value: dims}})
}

// plus returns a sum whose first operand may be missing.
func (f *attentionFuser) plus(sum, t *ir.Value) *ir.Value {
	if sum == nil {
		return t
	}
	return f.Op("add", f.p.soft.Pos, f.p.soft.Note, nil, sum, t)
}

// projections builds one product for queries, keys and values. If queries are projected from other rows than keys and values, it builds two products. A part
// that the score does not use is zero. It returns the attention's operands with these products filled in.
func (f *attentionFuser) projections() ([]*ir.Value, error) {
	v := f.weigh.In[1]
	var xq, x *ir.Value
	var note *ir.Node
	from := func(rows **ir.Value, part *ir.Value) error {
		if part == nil {
			return nil
		}
		if part.Def == nil || part.Def.Op != "linear" {
			return fmt.Errorf("%v: queries, keys and values that are not projections", f.weigh.Pos)
		}
		if *rows != nil && *rows != part.Def.In[0] {
			return fmt.Errorf("%v: keys and values, or queries, of different rows", f.weigh.Pos)
		}
		*rows = part.Def.In[0]
		if note == nil {
			note = part.Def
		}
		return nil
	}
	for _, s := range f.slots {
		if err := first(from(&xq, s.q), from(&x, s.k)); err != nil {
			return nil, err
		}
	}
	if err := from(&x, v); err != nil {
		return nil, err
	}
	inner := x.Type.Shape[1].N
	// part returns the weight and the bias of the slots' projections.
	part := func(by float64, of func(s slot) *ir.Value) (w, b *ir.Value) {
		for k, s := range f.slots {
			t := of(s)
			if t == nil {
				continue
			}
			wt, bt := t.Def.In[1], t.Def.In[2]
			if bt == nil {
				bt = f.zeros(t.Type.Shape[1].N)
			}
			w, b = f.plus(w, f.headed(f.scaledBy(wt, by), 0, k)), f.plus(b, f.headed(f.scaledBy(bt, by), 0, k))
		}
		if w == nil {
			return f.zeros(f.heads*f.dp, inner), f.zeros(f.heads * f.dp)
		}
		return w, b
	}
	qw, qb := part(f.p.scale, func(s slot) *ir.Value { return s.q })
	kw, kb := part(1, func(s slot) *ir.Value { return s.k })
	vb := v.Def.In[2]
	if vb == nil {
		vb = f.zeros(v.Type.Shape[1].N)
	}
	vw, vb := f.headed(v.Def.In[1], 0, 0), f.headed(vb, 0, 0)
	join := func(name string, list ...*ir.Value) *ir.Value {
		return f.Name(f.Op("concat", note.Pos, note.Note, nil, list...), name)
	}
	out := make([]*ir.Value, ops.AttnPicked+1)
	if xq == nil || xq == x {
		out[ops.AttnQKV] = f.Op("linear", note.Pos, note.Note, nil, x, join("qkv.weight", qw, kw, vw), join("qkv.shift", qb, kb, vb))
		return out, nil
	}
	out[ops.AttnQ] = f.Op("linear", note.Pos, note.Note, nil, xq, f.Name(f.op("identity", nil, qw), "queries.weight"),
		f.Name(f.op("identity", nil, qb), "queries.shift"))
	out[ops.AttnQKV] = f.Op("linear", v.Def.Pos, v.Def.Note, nil, x, join("kv.weight", kw, vw), join("kv.shift", kb, vb))
	return out, nil
}

// byOffset returns the rows of a table in the order of the offsets i-j, for a lookup of i-j or of j-i.
func (f *attentionFuser) byOffset(t, index *ir.Value, flip bool) *ir.Value {
	if index.Def == nil || index.Def.Op != "ramp" {
		t = f.op("embed", nil, t, index)
	}
	if flip {
		t = f.op("reverse", nil, t)
	}
	return t
}

// table joins the position keys or queries of some terms, in the layout that kernels read.
func (f *attentionFuser) table(terms []offsetTerm, by float64) *ir.Value {
	sum := f.joined(terms)
	if sum == nil {
		return nil
	}
	t := terms[0].table
	return f.Name(f.Op("head_panels", t.Def.Pos, t.Def.Note, []ir.Attr{{Key: "dp", Value: f.dp}, {Key: "heads", Value: f.heads}}, f.scaledBy(sum, by)),
		t.Name+".panels")
}

// joined joins the position keys or queries of some terms to one table, or returns nil if there are no terms. Tables that are multiplied with the same content
// are added; the others have slots of their own.
func (f *attentionFuser) joined(terms []offsetTerm) (sum *ir.Value) {
	for k := range f.slots {
		var of *ir.Value
		for _, t := range terms {
			if t.slot != k {
				continue
			}
			rows := t.table
			if f.byOffsets {
				rows = f.byOffset(rows, f.p.index, t.flip)
			}
			of = f.plus(of, rows)
		}
		if of == nil {
			continue
		}
		if len(f.slots) > 1 {
			of = f.headed(of, 1, k)
		}
		sum = f.plus(sum, of)
	}
	return sum
}

// lookups returns the sum of the terms that depend on the offset alone, one number per head and offset, [A, 2·length-1].
func (f *attentionFuser) lookups() *ir.Value {
	var sum *ir.Value
	for _, b := range f.p.biases {
		t := f.op("transpose", nil, f.scaledBy(b.table, b.by))
		sum = f.plus(sum, f.byOffset(t, b.index, b.flip))
	}
	if sum == nil {
		return nil
	}
	return f.Name(f.op("transpose", nil, sum), "offsets.bias")
}

// readers makes the nodes after the attention read its padded heads.
func (f *attentionFuser) readers(rest []*ir.Node, old, ctx *ir.Value) error {
	readers := 0
	for _, n := range rest {
		for k, in := range n.In {
			if in != old {
				continue
			}
			readers++
			if f.dp != f.d && (n.Op != "linear" || k != 0) {
				return fmt.Errorf("%v: op %s reads an attention whose heads are padded", n.Pos, n.Op)
			}
			n.In[k] = ctx
			if f.dp != f.d {
				n.In[1] = f.Name(f.headed(n.In[1], 1, 0), stem(n.In[1])+".padded")
			}
		}
	}
	if readers == 0 {
		return fmt.Errorf("%v: an attention that no product of the region reads", f.weigh.Pos)
	}
	return f.Err()
}

// sweep drops nodes and inputs that nothing reads any more.
func sweep(r *ir.Region) {
	need := map[string]bool{}
	for _, o := range r.Out {
		need[o.Name] = true
	}
	prune(r, need)
}
