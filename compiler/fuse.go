package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
)

// pattern is a rule of fuse: nodes that one kernel computes. Its field at is the op of the node where fuse looks for the pattern. match is called for such a
// node, node i of a region. It returns the function that replaces the nodes of the pattern, or nil if the nodes do not match.
type pattern struct {
	name   string
	at     string
	makes  string // the op that only this pass makes; "": the program of the spec has the op too
	match  func(r *ir.Region, i int) (replace func() error, err error)
	reason string // what the kernel saves
}

// rounds are the rules of fuse. A round is repeated over a region until none of its patterns matches; then the next round begins. The order matters: an
// attention turns its projections into products, and later rounds join products to the nodes after them. At a node, the first pattern of the round that matches
// is taken.
var rounds = [][]pattern{
	{
		{"attention", "weigh", "attention", matchAttention,
			"scores, softmax and weighted mean of a block stay in the caches: no matrix of all pairs is written, and the table's rows are multiplied once " +
				"per offset"},
	},
	{
		{"product and activation", "linear", "gemm", matchActivation, "the last store applies the function, which saves a pass over memory"},
		{"product and residual", "linear", "gemm", matchResidual, "the last store adds the other rows, which saves a pass over memory"},
		{"product", "linear", "gemm", matchProduct, "the weights lie in panels in the order in which the kernel reads them"},
	},
	{
		{"lookup and sum", "add", "", matchLookup, "the rows of a table are added where the other rows lie, which saves a buffer and a pass over memory"},
	},
}

// fused reports whether only fuse makes nodes like this one.
func fused(n *ir.Node) bool {
	return slices.ContainsFunc(slices.Concat(rounds...), func(p pattern) bool { return p.makes == n.Op })
}

// fuse joins ops that one kernel computes, by the patterns of rounds.
func fuse(p *ir.Program) error {
	for _, r := range p.Regions {
		if err := fuseRegion(r, func(pattern) {}); err != nil {
			return fmt.Errorf("region %s: %w", r.Name, err)
		}
	}
	return nil
}

// fuseRegion applies the rounds to one region. It calls found for every pattern that it replaces.
func fuseRegion(r *ir.Region, found func(pattern)) error {
	for _, round := range rounds {
		for again := true; again; {
			var err error
			if again, err = fuseFirst(r, round, found); err != nil {
				return err
			}
		}
	}
	return nil
}

// fuseFirst replaces the first nodes that match a pattern of a round, and reports whether it found any.
func fuseFirst(r *ir.Region, round []pattern, found func(pattern)) (bool, error) {
	for i, n := range r.Nodes {
		for _, p := range round {
			if n.Op != p.at {
				continue
			}
			replace, err := p.match(r, i)
			if err == nil && replace != nil {
				found(p)
				return true, replace()
			}
			if err != nil {
				return false, fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return false, nil
}

// ofBatch reports whether node i, a linear, multiplies the batch's rows. Other products depend on weights alone, and the oracle computes them when weights are
// packed.
func ofBatch(r *ir.Region, i int) bool {
	x := r.Nodes[i].In[0]
	return len(x.Type.Shape) == 2 && x.Batched()
}

// matchActivation matches a product of the batch's rows that only an activation reads.
func matchActivation(r *ir.Region, i int) (func() error, error) {
	n := r.Nodes[i]
	next, at := onlyReader(r, uses(r), n.Out[0])
	if !ofBatch(r, i) || next == nil || len(next.In) != 1 || len(next.Out) != 1 || !appliesInStore(next.Op) {
		return nil, nil
	}
	return func() error { return joinProduct(r, i, at, next.Op, nil) }, nil
}

// matchResidual matches a product of the batch's rows that only a sum with other rows of its shape reads.
func matchResidual(r *ir.Region, i int) (func() error, error) {
	n := r.Nodes[i]
	next, at := onlyReader(r, uses(r), n.Out[0])
	if !ofBatch(r, i) || next == nil || next.Op != "add" || next.In[0] == next.In[1] || !next.In[0].Type.Equal(next.In[1].Type) {
		return nil, nil
	}
	residual := next.In[0]
	if residual == n.Out[0] {
		residual = next.In[1]
	}
	return func() error { return joinProduct(r, i, at, "", residual) }, nil
}

// matchProduct matches any product of the batch's rows.
func matchProduct(r *ir.Region, i int) (func() error, error) {
	if !ofBatch(r, i) {
		return nil, nil
	}
	return func() error { return joinProduct(r, i, i, "", nil) }, nil
}

// joinProduct replaces the linear at index i by a gemm, which also computes the node at index at: an activation, the sum with a residual, or the linear itself.
func joinProduct(r *ir.Region, i, at int, act string, residual *ir.Value) error {
	n, last := r.Nodes[i], r.Nodes[at]
	e := edit(r)
	rest := slices.Clone(r.Nodes[at+1:])
	r.Nodes = without(r.Nodes[:at+1], n, last)
	w, bias := n.In[1], n.In[2]
	name := stem(w)
	panels := e.Name(e.Op("panels", n.Pos, n.Note, nil, w), name+".panels")
	if bias == nil { // kernels always add a bias
		bias = e.Op("zeros", n.Pos, n.Note, []ir.Attr{{Key: "shape", Value: []int{w.Type.Shape[0].N}}})
	}
	bias = e.Name(e.Op("pad", n.Pos, n.Note, nil, bias), name+".bias16")
	attrs := []ir.Attr{{Key: "k", Value: w.Type.Shape[1].N}, {Key: "n", Value: w.Type.Shape[0].N}}
	if act != "" {
		attrs = append(attrs, ir.Attr{Key: "act", Value: act})
	}
	out := e.Op("gemm", n.Pos, n.Note, attrs, n.In[0], panels, bias, residual)
	if e.Err() != nil {
		return e.Err()
	}
	takePlace(out.Def, last)
	e.Name(last.Out[0], name)
	r.Nodes = append(r.Nodes, rest...)
	return nil
}

// takePlace lets a node write the output value of the last node that it covers, so that names and readers do not change.
func takePlace(n, last *ir.Node) {
	n.Out = last.Out
	last.Out[0].Def = n
}

// without returns a copy of the list of nodes without some of them.
func without(nodes []*ir.Node, drop ...*ir.Node) []*ir.Node {
	var out []*ir.Node
	for _, n := range nodes {
		if !slices.Contains(drop, n) {
			out = append(out, n)
		}
	}
	return out
}

// appliesInStore reports whether a product can apply an op in its last store. It can apply activations, which have a family of kernels.
func appliesInStore(op string) bool { return slices.Contains(ir.Lookup(op).Kernels, "act") }

// onlyReader returns the node that reads v, if it is the only one and no output reads v.
func onlyReader(r *ir.Region, count map[*ir.Value]int, v *ir.Value) (*ir.Node, int) {
	if count[v] != 1 {
		return nil, 0
	}
	for i, n := range r.Nodes {
		for _, in := range n.In {
			if in == v {
				return n, i
			}
		}
	}
	return nil, 0
}

// matchLookup matches a sum of looked-up rows and rows that nothing else reads. The lookup then adds to these rows, in their memory.
func matchLookup(r *ir.Region, i int) (func() error, error) {
	n := r.Nodes[i]
	if slices.Contains(r.Out, n.Out[0]) {
		return nil, nil
	}
	count := uses(r)
	for k, v := range n.In {
		plus := n.In[1-k]
		if v.Def == nil || v.Def.Op != "embed" || v.Def.In[0] == nil || len(v.Def.In) > 2 || count[v] != 1 || count[plus] != 1 || plus.Kind != ir.Temp {
			continue
		}
		return func() error {
			rest := slices.Clone(r.Nodes[i+1:])
			r.Nodes = without(r.Nodes[:i+1], n, v.Def)
			e := edit(r)
			sum := e.Op("embed", v.Def.Pos, v.Def.Note, v.Def.Attrs, v.Def.In[0], v.Def.In[1], plus)
			if e.Err() != nil {
				return e.Err()
			}
			takePlace(sum.Def, n)
			r.Nodes = append(r.Nodes, rest...)
			return nil
		}, nil
	}
	return nil, nil
}
