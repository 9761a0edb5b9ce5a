package compiler

import (
	"fmt"
	"strings"

	"github.com/debertac/debertac/ir"
)

// adapt lets calls choose a low-rank adapter (Hu et al. 2021, section 4.1): x·Wᵀ becomes x·Wᵀ + (x·Aᵀ)·Bᵀ, where the factor of the product is in B. Each
// product of the batch's rows with matrices of the checkpoint gets the nodes adapter_in and adapter_term, whose matrices are values of the kind adapter. They
// are made of the tensors of an adapter by regions of their own, which run when an adapter is packed. If W holds several matrices, one under the other, A holds
// theirs, and B has a block for each.
func adapt(p *ir.Program) error {
	if p.Meta.Rank == 0 {
		return nil
	}
	a := &adaption{p: p, rank: p.Meta.Rank, tables: lookedUp(p), made: map[string]bool{}}
	seen := map[*ir.Region]bool{}
	for _, c := range p.Run {
		if seen[c.Region] {
			continue
		}
		seen[c.Region] = true
		if err := a.region(c.Region); err != nil {
			return fmt.Errorf("region %s: %w", c.Region.Name, err)
		}
	}
	return nil
}

// adaption is the state of the pass.
type adaption struct {
	p      *ir.Program
	rank   int
	tables map[string]bool // tensors of the checkpoint in which ids are looked up: they have no adapters
	made   map[string]bool // names of adapter values in the store
}

// adapterSuffix follows the name of a region in the name of the one that packs its adapters.
const adapterSuffix = "_adapter"

// region adds the adapters of a region's products.
func (a *adaption) region(r *ir.Region) error {
	ar := &ir.Region{Name: r.Name + adapterSuffix, Pos: r.Pos, Doc: "what " + r.Name + " needs of an adapter, computed when it is packed."}
	nodes := r.Nodes
	r.Nodes = nil
	e, pe := edit(r), edit(ar)
	for _, n := range nodes {
		if (n.Op == "gemm" || n.Op == "gemm_bf16") && n.In[1].Kind == ir.Packed {
			if err := a.product(e, pe, n); err != nil {
				return fmt.Errorf("the adapter of %s: %w", n.In[1].Name, err)
			}
		}
		r.Nodes = append(r.Nodes, n)
	}
	if err := e.Err(); err != nil {
		return err
	}
	if err := pe.Err(); err != nil || len(ar.Out) == 0 {
		return err
	}
	a.p.Regions = append(a.p.Regions, ar)
	for _, c := range a.p.Run {
		switch {
		case c.Region != r:
		case layered(ar.In):
			a.p.Adapt = append(a.p.Adapt, ir.Call{Region: ar, First: c.First, Count: c.Count})
		default:
			a.p.Adapt = append(a.p.Adapt, ir.Call{Region: ar, First: c.First, Count: 1})
			return nil
		}
	}
	return nil
}

// product adds the nodes of one product, and in the region of pe what packs its matrices.
func (a *adaption) product(e, pe editor, n *ir.Node) error {
	matrices := a.matrices(packedBy(a.p, n.In[1]))
	if len(matrices) == 0 {
		return nil
	}
	x := n.In[0]
	if n.Op == "gemm_bf16" { // what an adapter adds is computed in float32
		x = x.Def.In[0]
	}
	name := strings.TrimSuffix(strings.TrimSuffix(n.In[1].Name, ".panels16"), ".panels")
	rank, k, cols := a.rank*len(matrices), x.Type.Shape[1].N, n.Int("n")
	input := func(end string, rows, terms int) *ir.Value {
		return e.Input(name+end, ir.Adapter, ir.Type{Shape: ir.Shape{ir.N((rows + 15) / 16), ir.N(terms), ir.N(16)}})
	}
	down, up := input(adapterA, rank, k), input(adapterB, cols, rank)
	if !a.made[name] {
		a.made[name] = true
		a.pack(pe, n, matrices, name)
	}
	sizes := func(n, k int) []ir.Attr { return []ir.Attr{ir.A("k", k), ir.A("n", n)} }
	u := e.Name(e.Like(n, "adapter_in", sizes(rank, k), x, down), n.Out[0].Name+adapterA)
	t := e.Name(e.Like(n, "adapter_term", sizes(cols, rank), u, up, n.In[3]), n.Out[0].Name+adapterB)
	if err := e.Err(); err != nil {
		return err
	}
	stride(u)
	t.LD = n.Out[0].LD
	n.In = append(n.In, t)
	return nil
}

// The ends of the names of an adapter's values: the packed matrices A and B of a product.
const (
	adapterA = ".down"
	adapterB = ".up"
)

// pack adds the nodes that make the packed matrices of a product. They read the tensors of an adapter by the names that these have in a training.
func (a *adaption) pack(pe editor, n *ir.Node, matrices []matrix, name string) {
	var downs, ups []*ir.Value
	for i, m := range matrices {
		shape := m.tensor.Type.Shape
		stem := strings.TrimSuffix(m.tensor.Name, ".weight")
		down := pe.Input(stem+adapterDown, ir.Tensor, ir.Type{Shape: ir.Shape{ir.N(a.rank), shape[1]}})
		up := pe.Input(stem+adapterUp, ir.Tensor, ir.Type{Shape: ir.Shape{shape[0], ir.N(a.rank)}})
		if len(matrices) > 1 {
			up = pe.Like(n, "place_columns", []ir.Attr{ir.A("at", i*a.rank), ir.A("columns", len(matrices)*a.rank)}, up)
		}
		for _, step := range m.rows {
			up = pe.Like(n, step.Op, step.Attrs, up)
		}
		for _, step := range m.columns {
			down = pe.Like(n, step.Op, step.Attrs, down)
		}
		downs, ups = append(downs, down), append(ups, up)
	}
	join := func(list []*ir.Value) *ir.Value {
		if len(list) == 1 {
			return list[0]
		}
		return pe.Like(n, "concat", nil, list...)
	}
	pe.Output(name+adapterA, pe.Like(n, "panels", nil, join(downs)))
	pe.Output(name+adapterB, pe.Like(n, "panels", nil, join(ups)))
}

// matrix is a matrix of the checkpoint whose rows are rows of the matrix of a product.
type matrix struct {
	tensor  *ir.Value
	rows    []*ir.Node // what is done with its rows, in order
	columns []*ir.Node // and with its columns
}

// packedBy returns the value of a packing region that is stored under a packed value's name, or nil.
func packedBy(p *ir.Program, v *ir.Value) *ir.Value {
	for _, c := range p.Pack {
		for _, out := range c.Region.Out {
			if out.Name == v.Name {
				return out
			}
		}
	}
	return nil
}

// matrices returns the matrices of the checkpoint that a weight of a product consists of, in the order of its rows. It returns none if the weight is made in
// another way, or if a part is no matrix of a linear layer.
func (a *adaption) matrices(v *ir.Value) []matrix {
	if v == nil {
		return nil
	}
	if v.Kind == ir.Tensor {
		if !strings.HasSuffix(v.Name, ".weight") || len(v.Type.Shape) != 2 || a.tables[v.Name] {
			return nil
		}
		return []matrix{{tensor: v}}
	}
	if v.Def == nil {
		return nil
	}
	switch v.Def.Op {
	case "panels", "panels_bf16":
		return a.matrices(v.Def.In[0])
	case "concat":
		var list []matrix
		for _, part := range v.Def.In {
			found := a.matrices(part)
			if found == nil {
				return nil
			}
			list = append(list, found...)
		}
		return list
	case "scale", "head_part", "pad_heads":
		list := a.matrices(v.Def.In[0])
		if len(list) != 1 {
			return nil
		}
		if m := &list[0]; v.Def.Int("axis") == 1 {
			m.columns = append(m.columns, v.Def)
		} else {
			m.rows = append(m.rows, v.Def)
		}
		return list
	}
	return nil
}

// lookedUp returns the tensors of the checkpoint in which ids are looked up.
func lookedUp(p *ir.Program) map[string]bool {
	tables := map[string]bool{}
	for _, r := range p.Regions {
		for _, n := range r.Nodes {
			if !n.LooksUp() || n.In[0].Kind != ir.Packed {
				continue
			}
			for v := packedBy(p, n.In[0]); v != nil; v = v.Def.In[0] {
				if v.Kind == ir.Tensor {
					tables[v.Name] = true
				}
				if v.Def == nil {
					break
				}
			}
		}
	}
	return tables
}
