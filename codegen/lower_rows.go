package codegen

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
)

// rowLowering runs a kernel whose operands all have the same rows, on one block of them.
type rowLowering struct {
	common
	family func(n *ir.Node) rowKernel // nil: only portable Go
}

// rowKernel describes the kernel of a family for a node.
type rowKernel struct {
	name     string // with kernel.Generic
	operands []rowOperand
	assembly func(kernel.ISA) kernel.Kernel
}

// rowOperand describes which operand of the node an argument is, and whether it has the rows of the result.
type rowOperand struct {
	index int
	rows  bool
}

func layerNormKernel(n *ir.Node) rowKernel {
	p := kernel.LayerNormParams{H: n.Out[0].Type.Shape[1].N, LDX: n.In[0].LD, LDY: n.Out[0].LD, Eps: n.Float("eps")}
	return rowKernel{kernel.LayerNormName(p, kernel.Generic), []rowOperand{{0, true}, {1, false}, {2, false}},
		func(isa kernel.ISA) kernel.Kernel { return kernel.LayerNorm(p, isa) }}
}

func actKernel(n *ir.Node) rowKernel {
	p := kernel.ActParams{Act: n.Op, N: n.Out[0].Type.Shape[1].N, LDX: n.In[0].LD, LDY: n.Out[0].LD}
	return rowKernel{kernel.ActName(p, kernel.Generic), []rowOperand{{0, true}},
		func(isa kernel.ISA) kernel.Kernel { return kernel.Act(p, isa) }}
}

func embedKernel(n *ir.Node) rowKernel {
	p := kernel.EmbedParams{H: n.Out[0].Type.Shape[1].N, LDY: n.Out[0].LD, LDT: n.In[0].Type.Shape[1].N, Add: operand(n, 2) != nil}
	return rowKernel{kernel.EmbedName(p, kernel.Generic), []rowOperand{{1, true}, {0, false}},
		func(isa kernel.ISA) kernel.Kernel { return kernel.Embed(p, isa) }}
}

func (l rowLowering) kernels(set *kernelSet, s *step) (err error) {
	if s.split != ir.SplitRows {
		return fmt.Errorf("no code for rows that need others")
	}
	if l.family == nil {
		s.kernel, err = set.portableOnly(s.node)
		return err
	}
	row := l.family(s.node)
	s.kernel, err = set.use(baseName(row.name), func(k *kernelUse) error {
		k.operands = row.operands
		k.portable = portableOf(s.node)
		for _, isa := range set.isas {
			a := row.assembly(isa)
			k.asm[isa.Name] = []kernel.Kernel{a}
			k.params = a.Params
		}
		if k.params == nil {
			return k.paramsFrom(s.node)
		}
		return nil
	})
	return err
}

func (rowLowering) units(s *step) units {
	return units{parts(s.rows(), s.block), fmt.Sprintf("A unit is %d rows.", s.block)}
}

func (rowLowering) unit(s *step) []string {
	n := s.node
	row := func(v *ir.Value) string {
		if v.Kind == ir.Batch {
			return moved(s.ptr(v), "row", (ir.Sizes{}).Elements(v.Type.Shape[1:]))
		}
		return s.row(v, "row")
	}
	args := []string{row(n.Out[0])}
	for _, a := range s.kernel.operands {
		switch v := operand(n, a.index); {
		case v == nil:
			args = append(args, "nil")
		case a.rows:
			args = append(args, row(v))
		default:
			args = append(args, s.ptr(v))
		}
	}
	return []string{
		fmt.Sprintf("row := unit * %d", s.block),
		fmt.Sprintf("m := min(%d, %s-row)", s.block, s.rows()),
		s.kernel.run(append(args, "m")...),
	}
}

// sequenceLowering runs a kernel that works on the rows of one sequence. A pointer is at the sequence's first row, or at the sequence's own row if there is one
// row per sequence.
type sequenceLowering struct{ common }

func (sequenceLowering) kernels(set *kernelSet, s *step) (err error) {
	s.kernel, err = set.portableOnly(s.node)
	return err
}

func (sequenceLowering) units(*step) units { return units{"e.sequences", "A unit is one sequence."} }

func (sequenceLowering) unit(s *step) []string {
	n := s.node
	start := func(v *ir.Value) string {
		switch v.Type.Shape[0] {
		case ir.T:
			return s.row(v, "first")
		case ir.B:
			return s.row(v, "unit")
		}
		return s.ptr(v)
	}
	args := []string{start(n.Out[0])}
	for _, o := range s.kernel.operands {
		if v := operand(n, o.index); v != nil {
			args = append(args, start(v))
		} else {
			args = append(args, "nil")
		}
	}
	return []string{"first := int(e.Starts[unit])", s.kernel.run(append(args, "int(e.Starts[unit+1])-first")...)}
}

// identifier matches characters that Go names do not have.
var identifier = regexp.MustCompile(`[^a-zA-Z0-9_]`)

// portableOnly returns a kernel that exists only in portable Go.
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

// takes reports whether a kernel has an argument of that name. It has none for an operand that only its caller reads (the first rows of sequences), and none
// for an operand that lies in the memory of the result.
func (k *kernelUse) takes(name string) bool {
	return slices.ContainsFunc(k.params, func(p kernel.Param) bool { return p.Name == name })
}

// paramsFrom sets the signature to that of the portable form.
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
