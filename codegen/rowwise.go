package codegen

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
)

// rowwise finds the kernel of a step that works row by row: the one of its op's family, or the op's portable form alone.
func (s *kernelSet) rowwise(st *step) (*kernelUse, error) {
	n := st.node
	for _, family := range ir.Lookup(n.Op).Kernels {
		if choose := rowFamilies[family]; choose != nil {
			return choose(s, n)
		}
	}
	return s.portableOnly(n)
}

// rowFamilies gives, by family of kernels, how a node's kernel is chosen.
var rowFamilies = map[string]func(*kernelSet, *ir.Node) (*kernelUse, error){
	"layernorm": func(s *kernelSet, n *ir.Node) (*kernelUse, error) {
		p := kernel.LayerNormParams{H: n.Out[0].Type.Shape[1].N, LDX: n.In[0].LD, LDY: n.Out[0].LD, Eps: n.Float("eps")}
		return s.rowKernel(n, kernel.LayerNormName(p, kernel.Generic), []rowOperand{{0, true}, {1, false}, {2, false}},
			func(isa kernel.ISA) kernel.Kernel { return kernel.LayerNorm(p, isa) })
	},
	"act": func(s *kernelSet, n *ir.Node) (*kernelUse, error) {
		p := kernel.ActParams{Act: n.Op, N: n.Out[0].Type.Shape[1].N, LDX: n.In[0].LD, LDY: n.Out[0].LD}
		return s.rowKernel(n, kernel.ActName(p, kernel.Generic), []rowOperand{{0, true}},
			func(isa kernel.ISA) kernel.Kernel { return kernel.Act(p, isa) })
	},
	"embed": func(s *kernelSet, n *ir.Node) (*kernelUse, error) {
		p := kernel.EmbedParams{H: n.Out[0].Type.Shape[1].N, LDY: n.Out[0].LD, LDT: n.In[0].Type.Shape[1].N, Add: operand(n, 2) != nil}
		return s.rowKernel(n, kernel.EmbedName(p, kernel.Generic), []rowOperand{{1, true}, {0, false}},
			func(isa kernel.ISA) kernel.Kernel { return kernel.Embed(p, isa) })
	},
}

// rowKernel returns a kernel with assembly for the target's instruction sets.
func (s *kernelSet) rowKernel(n *ir.Node, name string, operands []rowOperand, make func(kernel.ISA) kernel.Kernel) (*kernelUse, error) {
	return s.use(baseName(name), func(k *kernelUse) error {
		k.operands = operands
		k.portable = portableOf(n)
		for _, isa := range s.isas {
			a := make(isa)
			k.asm[isa.Name] = []kernel.Kernel{a}
			k.params, k.doc = a.Params, a.Doc
		}
		if k.params == nil {
			return k.paramsFrom(n)
		}
		return nil
	})
}

// identifier matches what names in Go do not hold.
var identifier = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// portableOnly returns a kernel that exists in portable Go alone.
func (s *kernelSet) portableOnly(n *ir.Node) (*kernelUse, error) {
	name := fmt.Sprintf("%s_f32_%d", n.Op, n.Out[0].Type.Shape[len(n.Out[0].Type.Shape)-1].N)
	for _, v := range append(n.In, n.Out...) {
		if v != nil {
			name += fmt.Sprintf("_%d", v.LD)
		}
	}
	for _, a := range n.Attrs { // they are constants of the function
		name += "_" + identifier.ReplaceAllString(strings.NewReplacer("-", "m", ".", "p").Replace(fmt.Sprintf("%s%v", a.Key, a.Value)), "")
	}
	return s.use(name, func(k *kernelUse) error {
		k.portable = portableOf(n)
		if err := k.paramsFrom(n); err != nil {
			return err
		}
		for i, v := range n.In {
			if k.takes(ir.Lookup(n.Op).In[i].Name) {
				k.operands = append(k.operands, rowOperand{i, v != nil && v.Batched() && v.Type.Shape[0] == n.Out[0].Type.Shape[0]})
			}
		}
		return nil
	})
}

// takes reports whether a kernel has an argument of that name. There is none for operands that only who calls it reads (the first rows of
// sequences), or that lie in the memory of the result.
func (k *kernelUse) takes(name string) bool {
	return slices.ContainsFunc(k.params, func(p kernel.Param) bool { return p.Name == name })
}

// paramsFrom takes the signature from the portable form.
func (k *kernelUse) paramsFrom(n *ir.Node) error {
	lower := ir.Lookup(n.Op).Lower
	if lower == nil {
		return fmt.Errorf("op %s has no portable form", n.Op)
	}
	nest, err := lower(n)
	if err != nil {
		return err
	}
	for _, a := range nest.Args {
		k.params = append(k.params, kernel.Param{Name: a.Name, Type: kernel.Type(a.Kind.String())})
	}
	return nil
}
