package codegen

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// rowLowering runs a kernel that computes rows of the result by themselves, on one block of them or, without a split, on all.
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

func actGradKernel(n *ir.Node) rowKernel {
	p := kernel.ActGradParams{Act: n.Str("act"), N: n.Out[0].Type.Shape[1].N, LDY: n.Out[0].LD, LDD: n.In[0].LD, LDX: n.In[1].LD}
	return rowKernel{kernel.ActGradName(p, kernel.Generic), []rowOperand{{0, true}, {1, true}},
		func(isa kernel.ISA) kernel.Kernel { return kernel.ActGrad(p, isa) }}
}

func embedKernel(n *ir.Node) rowKernel {
	p := kernel.EmbedParams{H: n.Out[0].Type.Shape[1].N, LDY: n.Out[0].LD, LDT: max(n.In[0].LD, n.In[0].Type.Shape[1].N), Add: operand(n, 2) != nil,
		Pairs: n.Op == "embed_bf16"}
	return rowKernel{kernel.EmbedName(p, kernel.Generic), []rowOperand{{1, true}, {0, false}},
		func(isa kernel.ISA) kernel.Kernel { return kernel.Embed(p, isa) }}
}

func (l rowLowering) kernels(set *kernelSet, s *step) (err error) {
	if s.split != ir.SplitRows && s.split != ir.SplitNone {
		return fmt.Errorf("no code for a split by %s", s.split)
	}
	if l.family == nil || s.node.Op == "embed_bf16" && len(s.node.In[0].Type.Shape) == 3 { // panels are read in plain Go
		s.kernel, err = set.operandsOnly(s.node)
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
	if s.split == ir.SplitNone {
		return units{"1", "The only unit is all rows."}
	}
	return units{parts(s.rows(), s.block), fmt.Sprintf("A unit is %d rows.", s.block)}
}

func (rowLowering) unit(s *step) []string {
	n := s.node
	whole := s.split == ir.SplitNone
	row := func(v *ir.Value) string {
		switch {
		case whole:
			return s.ptr(v)
		case v.Kind == ir.Batch:
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
	m, at := "m", "row"
	if whole {
		m, at = s.rows(), "0"
	}
	call := s.kernel.run(append(args, s.kernel.counts(n, m, at)...)...)
	if whole {
		return []string{call}
	}
	lines := []string{fmt.Sprintf("row := unit * %d", s.block)}
	if s.kernel.counted() {
		lines = append(lines, fmt.Sprintf("m := min(%d, %s-row)", s.block, s.rows()))
	}
	return append(lines, call)
}

// counted reports whether a kernel takes the number of rows of the result. It takes none if the result always has one row.
func (k *kernelUse) counted() bool {
	return slices.ContainsFunc(k.params, func(p kernel.Param) bool {
		return p.Type == kernel.Int && ir.RowsOf(p.Name) == "" && p.Name != ir.CountAt
	})
}

// counts returns the expressions for the counts of a kernel that works on rows, see [ir.Op.Lower]: m rows from number at on, and the rows of operands.
func (k *kernelUse) counts(n *ir.Node, m, at string) []string {
	var out []string
	for _, p := range k.params {
		if p.Type != kernel.Int {
			continue
		}
		of := ir.RowsOf(p.Name)
		switch {
		case of != "":
			out = append(out, rowsOf(n.In[slices.IndexFunc(ir.Lookup(n.Op).In, func(o ir.Operand) bool { return o.Name == of })]))
		case p.Name == ir.CountAt:
			out = append(out, at)
		default:
			out = append(out, m)
		}
	}
	return out
}

// sequenceLowering runs a kernel that works on the rows of one sequence. A pointer is at the sequence's first row, or at the sequence's own row if there is one
// row per sequence.
type sequenceLowering struct{ common }

func (sequenceLowering) kernels(set *kernelSet, s *step) (err error) {
	s.kernel, err = set.operandsOnly(s.node)
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
	op := ir.Lookup(n.Op)
	return s.use(portableName(n), func(k *kernelUse) error {
		k.portable = portableOf(n)
		if err := k.paramsFrom(n); err != nil {
			return err
		}
		for i, v := range n.In {
			in := op.In[min(i, len(op.In)-1)]
			if !k.takes(op.Argument(i)) {
				continue
			}
			rows := v != nil && op.Class.ByRows() && !in.Whole
			if rows && v.Type.Shape[0] != n.Out[0].Type.Shape[0] {
				return fmt.Errorf("%s is %s, where the result is %s: no code for rows that need others", in.Name, v.Type, n.Out[0].Type)
			}
			k.operands = append(k.operands, rowOperand{i, rows})
		}
		return nil
	})
}

// operandsOnly returns a kernel that exists only in portable Go, and to which nothing is passed but the operands.
func (s *kernelSet) operandsOnly(n *ir.Node) (*kernelUse, error) {
	k, err := s.portableOnly(n)
	if err != nil {
		return nil, err
	}
	return k, k.complete(ir.Lookup(n.Op), len(n.In))
}

// complete returns an error if the portable form has an argument of memory that is neither the result, which comes first, nor one of the op's operands: nothing
// would be passed for it.
func (k *kernelUse) complete(op *ir.Op, operands int) error {
	first := true
	for _, p := range k.params {
		known := p.Type == kernel.Int || first
		first = first && p.Type == kernel.Int
		for i := range operands {
			known = known || op.Argument(i) == p.Name
		}
		if !known {
			return fmt.Errorf("the portable form of %s has an argument %s, which no operand has the name of", op.Name, p.Name)
		}
	}
	return nil
}

// portableName returns the name of a node's portable form. Nodes with one name have one form: their constants are part of it.
func portableName(n *ir.Node) string {
	cols := func(v *ir.Value) ir.Dim { return v.Type.Shape[len(v.Type.Shape)-1] }
	of := n.Out[0]
	name := fmt.Sprintf("%s_f32_%d", n.Op, cols(of).N)
	for i, v := range append(n.In, n.Out...) {
		switch {
		case v != nil:
			name += fmt.Sprintf("_%d", v.LD)
		case i < len(n.In) && slices.ContainsFunc(n.In[i:], func(v *ir.Value) bool { return v != nil }): // before one that is given
			name += "_no"
		}
	}
	for _, a := range n.Attrs { // they are constants of the function
		name += "_" + identifier.ReplaceAllString(strings.NewReplacer("-", "m", ".", "p").Replace(fmt.Sprintf("%s%v", a.Key, a.Value)), "")
	}
	class := ir.Lookup(n.Op).Class
	for i, v := range n.In {
		if v == nil || v.Type.DType != ir.F32 {
			continue
		}
		fixed := v.Type.Shape[0].Const() && len(v.Type.Shape) > 1 && class != ir.Gather
		if class != ir.Layout && !fixed && (cols(v) == cols(of) || !cols(v).Const()) {
			continue
		}
		name += fmt.Sprintf("_x%d", i)
		for _, d := range v.Type.Shape {
			if d.Const() {
				name += fmt.Sprintf("_%d", d.N)
			}
		}
	}
	return name
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
	k.paramsOf(nest)
	return nil
}

// paramsOf sets the signature to that of a nest.
func (k *kernelUse) paramsOf(n *loop.Nest) {
	for _, a := range n.Args {
		k.params = append(k.params, kernel.Param{Name: a.Name, Type: kernel.Type(a.Kind.String())})
	}
}
