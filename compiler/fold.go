package compiler

import (
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/ir"
)

// fold splits each region in two. The nodes that depend on weights alone go to a region that runs when weights are packed; the other nodes read their results
// from the packed weights. Such nodes are projected relative tables (paper, section 3.2: the same for every token of every input), scaled and concatenated
// weights, and packed layouts.
func fold(p *ir.Program) error { return split(p, true) }

// split moves nodes whose operands are constant to regions that run when weights are packed. With weights, the tensors of the checkpoint are constant.
func split(p *ir.Program, weights bool) error {
	constant := map[string]bool{} // store names that only calls of constant nodes have written
	tensors := map[string]bool{}  // tensors that are packed unchanged
	calls := callsOf(p)
	var run []ir.Call
	packed := map[*ir.Region]*ir.Region{}
	split := map[*ir.Region]bool{}
	once := map[*ir.Region]bool{}
	for _, c := range p.Run {
		if !split[c.Region] {
			split[c.Region] = true
			if pr := splitConstant(c.Region, calls[c.Region], weights, constant, tensors); pr != nil {
				packed[c.Region] = pr
				p.Regions = append(p.Regions, pr)
			}
		}
		switch pr := packed[c.Region]; {
		case pr == nil || once[pr]:
		case !layered(pr.In) && !layered(pr.Out): // the same for every layer
			once[pr] = true
			p.Pack = append(p.Pack, ir.Call{Region: pr, First: c.First, Count: 1})
		default:
			p.Pack = append(p.Pack, ir.Call{Region: pr, First: c.First, Count: c.Count})
		}
		if len(c.Region.Nodes) > 0 {
			run = append(run, c)
		}
	}
	p.Run = run
	var regions []*ir.Region
	for _, r := range p.Regions {
		if len(r.Nodes) > 0 || len(r.Out) > 0 {
			regions = append(regions, r)
		}
	}
	p.Regions = regions
	return nil
}

// callsOf returns the layers for which each region runs.
func callsOf(p *ir.Program) map[*ir.Region][]int {
	out := map[*ir.Region][]int{}
	for r, l := range ir.Steps(p.Run) {
		out[r] = append(out[r], l)
	}
	return out
}

// splitConstant moves the constant nodes of r to a new region and returns that region, or nil if r has no such nodes. It adds the names that the new region
// stores to constant, and the tensors that are packed unchanged to tensors. Another region may read the same tensors, as a decoder that repeats a layer does.
func splitConstant(r *ir.Region, layers []int, weights bool, constant, tensors map[string]bool) *ir.Region {
	fixed := map[*ir.Value]bool{}
	for _, v := range r.In {
		switch v.Kind {
		case ir.Tensor:
			fixed[v] = weights
		case ir.Packed:
			fixed[v] = true
		case ir.State:
			fixed[v] = len(layers) > 0
			for _, l := range layers {
				fixed[v] = fixed[v] && constant[ir.At(v.Name, l)]
			}
		}
	}
	pr := &ir.Region{Name: r.Name + "_pack", Pos: r.Pos, Doc: "what " + r.Name + " needs of the weights, computed when they are packed."}
	var rest []*ir.Node
	for _, n := range r.Nodes {
		all := true
		for _, v := range n.In {
			all = all && (v == nil || fixed[v])
		}
		if !all {
			rest = append(rest, n)
			continue
		}
		pr.Nodes = append(pr.Nodes, n)
		for _, o := range n.Out {
			fixed[o] = true
		}
	}
	if len(pr.Nodes) == 0 && !hasFixed(fixed) {
		return nil
	}
	// Constants that the remaining nodes read become outputs of the packing region and packed inputs of this one.
	c := &crossing{r: r, pr: pr, fixed: fixed, layers: layers, tensors: tensors, here: map[*ir.Value]*ir.Value{}}
	c.inner = layered(slices.DeleteFunc(slices.Clone(r.In), func(v *ir.Value) bool { return !fixed[v] }))
	for _, n := range rest {
		for i, v := range n.In {
			n.In[i] = c.cross(v)
		}
	}
	var out []*ir.Value
	for _, v := range r.Out {
		if !fixed[v] {
			out = append(out, v)
			continue
		}
		if c.here[v] == nil {
			pr.Out = append(pr.Out, v)
		}
		for _, l := range layers {
			constant[ir.At(v.Name, l)] = true
		}
	}
	r.Out, r.Nodes = out, rest
	pr.In = readBy(pr, r.In)
	ins := readBy(r, r.In)
	for _, n := range rest {
		for _, v := range n.In {
			if v != nil && v.Kind == ir.Packed && !slices.Contains(ins, v) {
				ins = append(ins, v)
			}
		}
	}
	r.In = ins
	if len(pr.Out) == 0 {
		return nil
	}
	return pr
}

// crossing makes the packed inputs of a region that is split.
type crossing struct {
	r, pr   *ir.Region // the region, and the one that runs when weights are packed
	fixed   map[*ir.Value]bool
	layers  []int
	tensors map[string]bool // that are packed unchanged
	inner   bool            // what is packed depends on the layer
	here    map[*ir.Value]*ir.Value
}

// cross returns the packed input that stands for a constant value. It returns other values as they are.
func (c *crossing) cross(v *ir.Value) *ir.Value {
	if v == nil || !c.fixed[v] {
		return v
	}
	if w := c.here[v]; w != nil {
		return w
	}
	name := v.Name
	if v.Kind == ir.Temp && !isStored(c.r, v) {
		name = c.r.Name + "." + v.Name
		if of, ok := strings.CutSuffix(c.r.Name, lastSuffix); ok && len(c.layers) == 1 { // named as those of other layers are
			name = of + "." + strconv.Itoa(c.layers[0]) + "." + v.Name
		}
		if c.inner {
			name = c.r.Name + ".{l}." + v.Name
		}
		for c.r.Input(name) != nil { // a tensor has the name
			name += ".packed"
		}
		v.Name = name
	}
	if v.Kind != ir.State && !(v.Kind == ir.Tensor && packedBefore(v.Name, c.layers, c.tensors)) {
		c.pr.Out = append(c.pr.Out, v)
	}
	c.here[v] = &ir.Value{Name: name, Kind: ir.Packed, Type: v.Type}
	return c.here[v]
}

// packedBefore records that a region packs a tensor. It reports whether other regions have packed it for all the layers.
func packedBefore(name string, layers []int, tensors map[string]bool) bool {
	all := true
	for _, l := range layers {
		all = all && tensors[ir.At(name, l)]
		tensors[ir.At(name, l)] = true
	}
	return all
}

// isStored reports whether v is an output of the region, and so has a store name already.
func isStored(r *ir.Region, v *ir.Value) bool { return slices.Contains(r.Out, v) }

// layered reports whether the inputs' names depend on the layer.
func layered(in []*ir.Value) bool {
	for _, v := range in {
		if strings.Contains(v.Name, "{l") {
			return true
		}
	}
	return false
}

// readBy returns the candidates that the region's nodes or outputs read.
func readBy(r *ir.Region, candidates []*ir.Value) []*ir.Value {
	read := uses(r)
	var out []*ir.Value
	for _, v := range candidates {
		if read[v] > 0 {
			out = append(out, v)
		}
	}
	return out
}

// hasFixed reports whether some value is constant.
func hasFixed(fixed map[*ir.Value]bool) bool {
	for _, f := range fixed {
		if f {
			return true
		}
	}
	return false
}
