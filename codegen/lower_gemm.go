package codegen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
)

// gemmLowering multiplies all rows with two panels of weights (or with an odd last one), one block of rows at a time.
type gemmLowering struct{ common }

// panelsOf returns the number of panels of 16 columns of a product.
func panelsOf(n *ir.Node) int { return (n.Int("n") + 15) / 16 }

func (gemmLowering) units(s *step) units {
	return units{fmt.Sprint((panelsOf(s.node) + 1) / 2), "A unit is 32 columns of the result."}
}

// kernels chooses the kernel for two panels and, if their number is odd, the kernel for the last one.
func (g gemmLowering) kernels(set *kernelSet, s *step) error {
	var err error
	if s.kernel, s.narrow, err = g.pair(set, withoutAdapter(s.node)); err == nil && operand(s.node, 4) != nil {
		s.adapted, s.adaptedNarrow, err = g.pair(set, s.node)
	}
	return err
}

// withoutAdapter returns a product as it is in calls without an adapter.
func withoutAdapter(n *ir.Node) *ir.Node {
	plain := *n
	plain.In = n.In[:min(len(n.In), 4)]
	return &plain
}

// pair returns the kernels for two panels, and for an odd last panel.
func (g gemmLowering) pair(set *kernelSet, n *ir.Node) (two, narrow *kernelUse, err error) {
	panels := panelsOf(n)
	if panels > 1 {
		if two, err = g.kernel(set, n, 2); err != nil {
			return nil, nil, err
		}
	}
	if panels%2 == 1 {
		if narrow, err = g.kernel(set, n, 1); err != nil {
			return nil, nil, err
		}
		if two == nil {
			two = narrow
		}
		two.maxRows = min(two.maxRows, narrow.maxRows)
	}
	return two, narrow, nil
}

// kernel returns the kernel for the product of a node, over one or two panels.
func (gemmLowering) kernel(set *kernelSet, n *ir.Node, panels int) (*kernelUse, error) {
	if operand(n, 2) == nil { // the kernel of the same name adds one
		with := *n
		with.In = append([]*ir.Value{n.In[0], n.In[1], {Name: "zeros", Kind: ir.Packed, Type: ir.Type{Shape: ir.Shape{ir.N(kernel.PanelWidth * panelsOf(n))}}}},
			n.In[min(len(n.In), 3):]...)
		n = &with
	}
	residual := added(n)
	p := kernel.GemmParams{K: n.In[1].Type.Shape[1].N, LDA: n.In[0].LD, Panels: panels, Act: n.Str("act"), Residual: residual != nil,
		Pairs: n.Op == "gemm_bf16"}
	switch ldc := n.Out[0].LD; {
	case p.Residual && residual.LD != ldc:
		return nil, fmt.Errorf("the residual's rows are %d apart, the result's %d", residual.LD, ldc)
	case ldc < kernel.PanelWidth*panelsOf(n):
		return nil, fmt.Errorf("the result's rows are %d apart, too near for %d panels of %d columns", ldc, panelsOf(n), kernel.PanelWidth)
	}
	return set.use(baseName(kernel.GemmName(p, kernel.Generic)), func(k *kernelUse) error {
		k.maxRows, k.rowsName = 1<<20, fmt.Sprintf("rows%dx%d", p.K, panels*kernel.PanelWidth)
		isas := set.isas
		if p.Pairs {
			isas = slices.Concat(set.more, isas)
		}
		for _, isa := range isas {
			a := kernel.Gemm(p, isa)
			k.asm[isa.Name] = []kernel.Kernel{a}
			k.params = a.Params
			k.maxRows = min(k.maxRows, kernel.MaxRows(p, isa))
		}
		k.portable = portableGemm(n, p)
		if k.params == nil {
			return k.paramsFrom(n)
		}
		return nil
	})
}

// portableGemm returns the op's loop nest over one panel; for two panels it is a function that calls the nest twice.
func portableGemm(n *ir.Node, p kernel.GemmParams) func(string) (jen.Code, error) {
	if p.Panels == 1 {
		return portableOf(n)
	}
	return func(name string) (jen.Code, error) {
		panel, err := portableOf(n)(name + "_panel")
		if err != nil {
			return nil, err
		}
		r, right, pointers := "", "", "c, a, w, bias"
		if p.Pairs {
			pointers = "c *float32, a, w *int32, bias"
		}
		if p.Residual {
			r, right = ", r", ", "+offset("r", kernel.PanelWidth)
		}
		return jen.Commentf("%s is the product over two panels, one after the other.", name).Line().
			Func().Id(name).Params(raw("%s%s *float32, m, ldc int", pointers, r)).Block(
			raw("%s_panel(c, a, w, bias%s, m, ldc)", name, r),
			raw("%s_panel(%s, a, %s, %s%s, m, ldc)", name,
				offset("c", kernel.PanelWidth), offset("w", kernel.PanelWidth*p.K), offset("bias", kernel.PanelWidth), right),
		).Line().Line().Add(panel), nil
	}
}

// added returns the rows that a product adds to its sums: the term of an adapter, or else its residual; nil: none.
func added(n *ir.Node) *ir.Value {
	if plus := operand(n, 4); plus != nil {
		return plus
	}
	return operand(n, 3)
}

func (g gemmLowering) unit(s *step) []string {
	n := s.node
	x, w, bias, out := n.In[0], n.In[1], operand(n, 2), n.Out[0]
	code := []string{
		"c := " + moved(s.ptr(out), "unit", 32),
		"a := " + s.ptr(x),
		"w := " + moved(s.ptr(w), "unit", 32*w.Type.Shape[1].N),
	}
	args := []string{moved("c", "row", out.LD), moved("a", "row", x.LD), "w", noBias}
	if bias != nil {
		code = append(code, "bias := "+moved(s.ptr(bias), "unit", 32))
		args[3] = "bias"
	}
	if plus := operand(n, 4); plus != nil {
		given := s.e.chosen(s.region, plus.Def.In[1])
		code = append(code, fmt.Sprintf("if %s {\n%s\nreturn\n}", given, strings.Join(g.calls(s, n, s.adapted, s.adaptedNarrow, args), "\n")))
	}
	return append(code, g.calls(s, withoutAdapter(n), s.kernel, s.narrow, args)...)
}

// calls returns the statements that call the kernels of a product for all rows. args are the arguments before the residual.
func (gemmLowering) calls(s *step, n *ir.Node, two, narrow *kernelUse, args []string) (code []string) {
	args = slices.Clone(args)
	if residual := added(n); residual != nil {
		code = append(code, "res := "+moved(s.ptr(residual), "unit", 32))
		args = append(args, moved("res", "row", residual.LD))
	}
	args = append(args, "m", fmt.Sprint(n.Out[0].LD))
	body := two.run(args...)
	switch panels := panelsOf(n); {
	case panels == 1:
		body = narrow.run(args...)
	case panels%2 == 1:
		body = fmt.Sprintf("if unit == %d {\n%s\n} else {\n%s\n}", panels/2, narrow.run(args...), body)
	}
	return append(code, fmt.Sprintf("cut := engine.CutRows(%s, e.k.tile, %s)", s.rows(), two.rowsName),
		"for i := range cut.Calls {\nrow, m := cut.Part(i)\n"+body+"\n}")
}
