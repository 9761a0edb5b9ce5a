package compiler

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/ir"
)

// rows makes the last layer a region of its own if the head reads only the first rows of the sequences (a classifier) or the rows that a call asks for (masked
// tokens). It moves that choice up through all ops that work row by row, so that only keys and values are computed for all rows. For a model of 12 layers this
// saves about 6 % of a call.
func rows(p *ir.Program) error {
	if len(p.Run) < 2 {
		return nil
	}
	head := p.Run[len(p.Run)-1]
	last := p.Run[len(p.Run)-2]
	if head.Count != 1 || last.Count < 1 || len(last.Region.Out) != 1 {
		return nil
	}
	final := ir.At(last.Region.Out[0].Name, last.First+last.Count-1)
	in := head.Region.Input(final)
	if in == nil || in.Kind != ir.State || uses(head.Region)[in] != 1 {
		return nil
	}
	if slices.Contains(p.Outputs, final) {
		return nil
	}
	var take *ir.Node
	for _, n := range head.Region.Nodes {
		if chooses(n) && n.In[0] == in {
			take = n
		}
	}
	if take == nil || slices.Contains(head.Region.Out, take.Out[0]) { // rows that are the result itself keep its name
		return nil
	}
	number := last.First + last.Count - 1
	region := cloneRegion(last.Region, last.Region.Name+lastSuffix, number)
	which := " Only the first row of each sequence is"
	if take.Op == "pick" {
		which = " Only the rows that the call asks for are"
	}
	region.Doc = strings.Replace(last.Region.Doc, last.Region.Name+" is", region.Name+" is", 1) + which + " computed after the attention."
	e := edit(region)
	old := region.Out[0]
	end := e.Op(take.Op, take.Pos, take.Note, take.Attrs, old, e.Input(take.In[1].Name, take.In[1].Kind, take.In[1].Type))
	if e.Err() != nil {
		return e.Err()
	}
	region.Out = nil
	e.Output(old.Name+suffixOf(take), end)
	for sink(region) {
		mergeTakes(region)
	}
	end = region.Out[0]
	// The head now gets the chosen rows.
	v := &ir.Value{Name: end.Name, Kind: ir.State, Type: end.Type}
	replace(head.Region, take.Out[0], v)
	var nodes []*ir.Node
	for _, n := range head.Region.Nodes {
		if n != take {
			nodes = append(nodes, n)
		}
	}
	head.Region.Nodes = nodes
	head.Region.In = readBy(head.Region, append(head.Region.In, v))
	calls := p.Run[: len(p.Run)-2 : len(p.Run)-2]
	if last.Count > 1 {
		calls = append(calls, ir.Call{Region: last.Region, First: last.First, Count: last.Count - 1})
	} else if !slices.ContainsFunc(calls, func(c ir.Call) bool { return c.Region == last.Region }) {
		p.Regions = slices.DeleteFunc(p.Regions, func(r *ir.Region) bool { return r == last.Region })
	}
	p.Run = append(calls, ir.Call{Region: region, First: number, Count: 1}, head)
	p.Regions = append(p.Regions, region)
	return nil
}

// lastSuffix follows the name of a region in the name of its copy for the last layer.
const lastSuffix = "_last"

// chooses reports whether a node picks single rows of its operand: the first of each sequence, or those that a call asks for.
func chooses(n *ir.Node) bool {
	return n.Op == "pick" && n.Out[0].Type.Shape[0] == ir.M || n.Op == "take" && n.Str("rows") == "first"
}

// suffixOf returns the end of the names of values that hold only the rows that a node chooses.
func suffixOf(n *ir.Node) string {
	if n.Op == "pick" {
		return ".picked"
	}
	return ".first"
}

// mergeTakes keeps one take per value.
func mergeTakes(r *ir.Region) {
	made := map[*ir.Value]*ir.Node{}
	var nodes []*ir.Node
	for _, n := range r.Nodes {
		if chooses(n) {
			if m := made[n.In[0]]; m != nil {
				replace(r, n.Out[0], m.Out[0])
				continue
			}
			made[n.In[0]] = n
		}
		nodes = append(nodes, n)
	}
	r.Nodes = nodes
}

// sink moves one take above its producer if the producer works row by row. It reports whether it did.
func sink(r *ir.Region) bool {
	count := uses(r)
	for i, n := range r.Nodes {
		if !chooses(n) {
			continue
		}
		def := n.In[0].Def
		if def == nil || count[n.In[0]] != 1 || !rowwise(def.Op) {
			continue
		}
		moved := &ir.Node{Op: def.Op, Attrs: def.Attrs, Pos: def.Pos, Note: def.Note, Out: n.Out}
		var takes []*ir.Node
		made := map[*ir.Value]*ir.Value{}
		for _, v := range def.In {
			if v == nil || len(v.Type.Shape) == 0 || v.Type.Shape[0] != ir.T {
				moved.In = append(moved.In, v)
				continue
			}
			if made[v] == nil {
				t := &ir.Node{Op: n.Op, Attrs: n.Attrs, Pos: n.Pos, Note: n.Note, In: []*ir.Value{v, n.In[1]}}
				o := &ir.Value{Name: v.Name + suffixOf(n), Def: t, Type: v.Type}
				o.Type.Shape = append(ir.Shape{n.Out[0].Type.Shape[0]}, v.Type.Shape[1:]...)
				t.Out = []*ir.Value{o}
				made[v] = o
				takes = append(takes, t)
			}
			moved.In = append(moved.In, made[v])
		}
		n.Out[0].Def = moved
		var nodes []*ir.Node
		for k, m := range r.Nodes {
			switch {
			case m == def:
			case k == i:
				nodes = append(append(nodes, takes...), moved)
			default:
				nodes = append(nodes, m)
			}
		}
		r.Nodes = nodes
		return true
	}
	return false
}

// rowwise reports whether an op computes each row of its output from the same row of its operands.
func rowwise(op string) bool {
	o := ir.Lookup(op)
	return o != nil && (o.Class == ir.Elementwise || o.Class == ir.Rowwise || o.Class == ir.Contraction)
}

// cloneRegion copies a region for one layer. Names that depend on the layer become the names of that layer.
func cloneRegion(r *ir.Region, name string, layer int) *ir.Region {
	return copyRegion(r, name, func(value string) string { return ir.At(value, layer) })
}

// copyRegion copies a region under another name. rename returns the name of the copy of a value.
func copyRegion(r *ir.Region, name string, rename func(string) string) *ir.Region {
	c := &ir.Region{Name: name, Doc: r.Doc, Pos: r.Pos}
	to := map[*ir.Value]*ir.Value{}
	val := func(v *ir.Value) *ir.Value {
		if v == nil {
			return nil
		}
		if w := to[v]; w != nil {
			return w
		}
		w := *v
		w.Name = rename(v.Name)
		w.Def = nil
		to[v] = &w
		return &w
	}
	for _, v := range r.In {
		c.In = append(c.In, val(v))
	}
	for _, n := range r.Nodes {
		m := &ir.Node{Op: n.Op, Attrs: append([]ir.Attr(nil), n.Attrs...), Pos: n.Pos, Note: n.Note}
		for _, v := range n.In {
			m.In = append(m.In, val(v))
		}
		for _, v := range n.Out {
			w := val(v)
			w.Def = m
			m.Out = append(m.Out, w)
		}
		c.Nodes = append(c.Nodes, m)
	}
	for _, v := range r.Out {
		c.Out = append(c.Out, val(v))
	}
	return c
}
