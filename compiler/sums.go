package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
)

// sums lets products add to the memory of what they are added to, which saves a buffer and a pass over memory: in a training program most sums are those of
// gradients, one product per reader of a value.
//
// A region that adds a share to the gradient of a tensor does so in the memory of the gradient, see [ir.Training.Sums].
func sums(p *ir.Program) error {
	shared := map[string]bool{} // by region and name in it: sums that lie in the memory of a gradient
	for r, l := range ir.Steps(p.Run) {
		for _, v := range r.In {
			if p.Training != nil && p.Training.Sums[ir.At(v.Name, l)] != "" {
				shared[r.Name+" "+v.Name] = true
			}
		}
	}
	match := func(r *ir.Region, i int) (func() error, error) {
		return matchSum(r, i, func(v *ir.Value) bool { return shared[r.Name+" "+v.Name] })
	}
	for _, r := range p.Regions {
		for again := true; again; {
			var err error
			if again, err = fuseFirst(r, []pattern{{name: "sum of products", at: "add", match: match}}, func(pattern) {}); err != nil {
				return fmt.Errorf("region %s: %w", r.Name, err)
			}
		}
	}
	return nil
}

// matchSum matches the sum of a product and another value, if nothing else reads either of them. The other one is of the region, or shared: it lies in the
// memory of the sum.
func matchSum(r *ir.Region, i int, shared func(v *ir.Value) bool) (func() error, error) {
	n, count := r.Nodes[i], uses(r)
	once := func(v *ir.Value) bool { return count[v] == 1 && (v.Kind == ir.Temp || shared(v)) }
	if n.In[0] == n.In[1] || !once(n.In[0]) || !once(n.In[1]) {
		return nil, nil
	}
	for k := range 2 {
		base, product := n.In[k], n.In[1-k]
		if shared(base) && !slices.Contains(r.Out, n.Out[0]) {
			continue
		}
		d := product.Def
		if d == nil || d.Op != "matmul" || len(d.In) > 2 || base.Def != nil && slices.Index(r.Nodes, d) < slices.Index(r.Nodes, base.Def) {
			continue
		}
		return func() error { return joinSum(r, i, base, product) }, nil
	}
	return nil, nil
}

// joinSum replaces the sum at index i by its product, which adds to the memory of base.
func joinSum(r *ir.Region, i int, base, product *ir.Value) error {
	n, d := r.Nodes[i], product.Def
	rest := slices.Clone(r.Nodes[i+1:])
	e := edit(r)
	r.Nodes = slices.DeleteFunc(slices.Clone(r.Nodes[:i]), func(o *ir.Node) bool { return o == d })
	sum := e.Op(d.Op, d.Pos, d.Note, d.Attrs, d.In[0], d.In[1], base)
	if e.Err() != nil {
		return e.Err()
	}
	old := n.Out[0]
	r.Nodes = append(r.Nodes, rest...)
	replace(r, old, sum)
	if slices.Contains(r.Out, sum) { // it is stored under the sum's name
		sum.Name = old.Name
	}
	return nil
}
