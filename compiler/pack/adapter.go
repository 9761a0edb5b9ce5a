package pack

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
)

// Adapter is a low-rank adapter that is packed beside the weights.
type Adapter struct {
	Name    string // chooses it in calls
	Base    string // name or path of the model that it was trained for; "": not known
	Tensors Adapted
}

// Adapted returns the tensors of a checkpoint with an adapter.
type Adapted interface {
	Source // with the adapter merged

	// Rank returns the rank of the product of two matrices that the adapter adds to a tensor, or 0.
	Rank(name string) int
	// Matrices returns these matrices: a [rank, K] and b [N, rank], with the factor of the product in b.
	Matrices(name string) (a, b []float64, err error)
	// Replaced reports whether the adapter changes a tensor in another way.
	Replaced(name string) bool
}

// adapted is what is packed of an adapter.
type adapted struct {
	Adapter
	pairs  map[string]bool // names of packed matrices of products, without their ends
	whole  map[string]bool // packed tensors that take the place of others
	decls  []engine.TensorDecl
	rank   int
	shapes map[string][]int // of the tensors that p.Adapt reads
}

// The ends of the names of an adapter's packed matrices, see the pass adapt.
var pairEnds = []string{".down", ".up"}

// planAdapters decides what is packed of each adapter. A product that reads only tensors to which the adapter adds products gets its two matrices. All else
// that depends on tensors which the adapter changes is packed a second time: projected relative tables, biases, norms, heads.
func planAdapters(p *ir.Program, want *list, all []Adapter) (plans []*adapted, err error) {
	if len(all) == 0 {
		return nil, nil
	}
	if p.Meta.Rank == 0 {
		return nil, fmt.Errorf("the program takes no adapters")
	}
	reads, products, tables := dependencies(p), productsOf(p), tablesOf(p)
	for _, a := range all {
		d := &adapted{Adapter: a, pairs: map[string]bool{}, whole: map[string]bool{}, rank: p.Meta.Rank, shapes: ir.ShapesOf(p.Adapt)}
		for _, name := range want.order {
			if err := d.plan(name, reads[name], products[name], tables[name]); err != nil {
				return nil, fmt.Errorf("adapter %s: %w", a.Name, err)
			}
		}
		d.declare(p, want)
		if len(d.decls) == 0 {
			return nil, fmt.Errorf("adapter %s: it changes no tensor that the model reads", a.Name)
		}
		plans = append(plans, d)
	}
	return plans, nil
}

// declsOf lists the tensors of adapters in the order in which they are packed.
func declsOf(adapters []*adapted) (list []engine.TensorDecl) {
	for _, a := range adapters {
		list = append(list, a.decls...)
	}
	return list
}

// plan decides about a packed tensor, which depends on tensors of the checkpoint.
func (d *adapted) plan(name string, reads []string, product string, table bool) error {
	low, replaced := false, false
	for _, tensor := range reads {
		if r := d.Tensors.Rank(tensor); r > 0 {
			low = true
			if product != "" && r > d.rank {
				return fmt.Errorf("the matrices for %s have the rank %d, and the target has adapters rank <= %d: a larger rank is needed "+
					"(--adapter-rank %d for a model folder)", tensor, r, d.rank, r)
			}
		}
		replaced = d.Tensors.Replaced(tensor) || replaced
	}
	switch {
	case !low && !replaced:
	case !replaced && product != "":
		d.pairs[product] = true
	case !replaced && table:
		return fmt.Errorf("it adds a product to the token table %s, of which a second copy would be packed; debertac merge makes a model of it", reads[0])
	default:
		d.whole[name] = true
	}
	return nil
}

// declare lists the tensors of the adapter in the order in which they are packed.
func (d *adapted) declare(p *ir.Program, want *list) {
	seen := map[string]bool{}
	add := func(decl engine.TensorDecl) {
		if !seen[decl.Name] {
			seen[decl.Name] = true
			decl.Name = engine.AdapterTensor(d.Name, decl.Name)
			d.decls = append(d.decls, decl)
		}
	}
	for r, l := range ir.Steps(p.Adapt) {
		for _, v := range r.Out {
			if name := ir.At(v.Name, l); d.pair(name) {
				add(engine.TensorDecl{Name: name, DType: safetensors.F32, Len: int64(ir.Sizes{}.Elements(v.Type.Shape))})
			}
		}
	}
	for _, name := range want.order {
		if d.whole[name] {
			add(want.decl(name))
		}
	}
}

// pair reports whether a packed matrix of a product is packed.
func (d *adapted) pair(name string) bool {
	for _, end := range pairEnds {
		if stem, ok := strings.CutSuffix(name, end); ok && d.pairs[stem] {
			return true
		}
	}
	return false
}

// write packs the adapter.
func (d *adapted) write(ctx context.Context, p *ir.Program, w *engine.WeightsWriter) error {
	written := map[string]bool{}
	emit := func(wanted func(string) bool) eval.Option {
		return eval.Emit(func(name string, a *ir.Array) error {
			if !wanted(name) || written[name] {
				return ctx.Err()
			}
			written[name] = true
			return write(w, engine.AdapterTensor(d.Name, name), a)
		})
	}
	pairs := needed(p.Adapt, d.pair)
	if err := eval.Run(&ir.Program{Pack: pairs}, eval.Store{}, eval.OnlyPack(), eval.From(d), emit(d.pair)); err != nil {
		return err
	}
	whole := func(name string) bool { return d.whole[name] }
	merged := tensors{stoppable{ctx, d.Tensors}, ir.ShapesOf(p.Pack)}
	return eval.Run(&ir.Program{Pack: needed(p.Pack, whole)}, eval.Store{}, eval.OnlyPack(), eval.From(merged), emit(whole))
}

// Tensor returns a matrix of the adapter as the program reads it: with zeros up to its greatest rank, or zeros alone for a tensor without an adapter.
func (d *adapted) Tensor(name string) (*ir.Array, error) {
	shape := d.shapes[name]
	stem, first := strings.CutSuffix(name, ".lora_A.weight")
	if !first {
		stem = strings.TrimSuffix(name, ".lora_B.weight")
	}
	out := ir.NewArray(shape...)
	rank := d.Tensors.Rank(stem + ".weight")
	if rank == 0 {
		return out, nil
	}
	a, b, err := d.Tensors.Matrices(stem + ".weight")
	switch {
	case err != nil:
		return nil, err
	case first && len(a) != rank*shape[1]:
		return nil, fmt.Errorf("the first matrix has %d numbers, not %d · %d", len(a), rank, shape[1])
	case first:
		copy(out.F, a)
		return out, nil
	case len(b) != shape[0]*rank:
		return nil, fmt.Errorf("the second matrix has %d numbers, not %d · %d", len(b), shape[0], rank)
	}
	for r := range shape[0] {
		copy(out.F[r*shape[1]:], b[r*rank:][:rank])
	}
	return out, nil
}

// dependencies returns the tensors of the checkpoint on which each packed tensor depends.
func dependencies(p *ir.Program) map[string][]string {
	of := map[string][]string{} // by store name
	for r, l := range ir.Steps(p.Pack) {
		here := map[*ir.Value][]string{}
		for _, v := range r.In {
			if name := ir.At(v.Name, l); v.Kind == ir.Tensor {
				here[v] = []string{name}
			} else {
				here[v] = of[name]
			}
		}
		for _, n := range r.Nodes {
			var all []string
			for _, v := range n.In {
				if v != nil {
					all = append(all, here[v]...)
				}
			}
			slices.Sort(all)
			all = slices.Compact(all)
			for _, v := range n.Out {
				here[v] = all
			}
		}
		for _, v := range r.Out {
			of[ir.At(v.Name, l)] = here[v]
		}
	}
	return of
}

// productsOf maps the packed matrices of products that take adapters to the names of the adapter's matrices, without their ends.
func productsOf(p *ir.Program) map[string]string {
	products := map[string]string{}
	for r, l := range ir.Steps(p.Run) {
		for _, n := range r.Nodes {
			if (n.Op == "gemm" || n.Op == "gemm_bf16") && len(n.In) > 4 && n.In[4] != nil {
				products[ir.At(n.In[1].Name, l)] = strings.TrimSuffix(ir.At(n.In[4].Def.In[1].Name, l), pairEnds[1])
			}
		}
	}
	return products
}

// tablesOf returns the packed tables in which ids are looked up.
func tablesOf(p *ir.Program) map[string]bool {
	tables := map[string]bool{}
	for r, l := range ir.Steps(p.Run) {
		for _, n := range r.Nodes {
			if n.LooksUp() {
				tables[ir.At(n.In[0].Name, l)] = true
			}
		}
	}
	return tables
}

// needed returns the calls that compute the wanted values of the store and what these depend on, one layer each, without other nodes.
func needed(calls []ir.Call, wanted func(name string) bool) []ir.Call {
	var steps []ir.Call
	for r, l := range ir.Steps(calls) {
		steps = append(steps, ir.Call{Region: r, First: l, Count: 1})
	}
	states := map[string]bool{}
	var out []ir.Call
	for _, c := range slices.Backward(steps) {
		r := *c.Region
		live := map[*ir.Value]bool{}
		r.Out = nil
		for _, v := range c.Region.Out {
			if name := ir.At(v.Name, c.First); wanted(name) || states[name] {
				live[v] = true
				r.Out = append(r.Out, v)
			}
		}
		if len(r.Out) == 0 {
			continue
		}
		r.Nodes = nil
		for _, n := range slices.Backward(c.Region.Nodes) {
			if !slices.ContainsFunc(n.Out, func(v *ir.Value) bool { return live[v] }) {
				continue
			}
			r.Nodes = append(r.Nodes, n)
			for _, v := range n.In {
				live[v] = true
			}
		}
		slices.Reverse(r.Nodes)
		r.In = slices.DeleteFunc(slices.Clone(c.Region.In), func(v *ir.Value) bool { return !live[v] })
		for _, v := range r.In {
			if v.Kind == ir.State {
				states[ir.At(v.Name, c.First)] = true
			}
		}
		out = append(out, ir.Call{Region: &r, First: c.First, Count: 1})
	}
	slices.Reverse(out)
	return out
}
