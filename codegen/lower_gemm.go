package codegen

import (
	"fmt"

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
	panels := panelsOf(s.node)
	var err error
	if panels > 1 {
		if s.kernel, err = g.kernel(set, s.node, 2); err != nil {
			return err
		}
	}
	if panels%2 == 1 {
		if s.narrow, err = g.kernel(set, s.node, 1); err != nil {
			return err
		}
		if s.kernel == nil {
			s.kernel = s.narrow
		}
		s.kernel.maxRows = min(s.kernel.maxRows, s.narrow.maxRows)
	}
	return nil
}

// kernel returns the kernel for the product of a node, over one or two panels.
func (gemmLowering) kernel(set *kernelSet, n *ir.Node, panels int) (*kernelUse, error) {
	p := kernel.GemmParams{K: n.In[1].Type.Shape[1].N, LDA: n.In[0].LD, Panels: panels, Act: n.Str("act"), Residual: operand(n, 3) != nil}
	switch ldc := n.Out[0].LD; {
	case p.Residual && n.In[3].LD != ldc:
		return nil, fmt.Errorf("the residual's rows are %d apart, the result's %d", n.In[3].LD, ldc)
	case ldc < kernel.PanelWidth*panelsOf(n):
		return nil, fmt.Errorf("the result's rows are %d apart, too near for %d panels of %d columns", ldc, panelsOf(n), kernel.PanelWidth)
	}
	return set.use(baseName(kernel.GemmName(p, kernel.Generic)), func(k *kernelUse) error {
		k.maxRows, k.rowsName = 1<<20, fmt.Sprintf("rows%dx%d", p.K, panels*kernel.PanelWidth)
		for _, isa := range set.isas {
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
		r, right := "", ""
		if p.Residual {
			r, right = ", r", ", "+offset("r", kernel.PanelWidth)
		}
		return jen.Commentf("%s is the product over two panels, one after the other.", name).Line().
			Func().Id(name).Params(raw("c, a, w, bias%s *float32, m, ldc int", r)).Block(
			raw("%s_panel(c, a, w, bias%s, m, ldc)", name, r),
			raw("%s_panel(%s, a, %s, %s%s, m, ldc)", name,
				offset("c", kernel.PanelWidth), offset("w", kernel.PanelWidth*p.K), offset("bias", kernel.PanelWidth), right),
		).Line().Line().Add(panel), nil
	}
}

func (gemmLowering) unit(s *step) []string {
	n := s.node
	x, w, bias, residual, out := n.In[0], n.In[1], n.In[2], operand(n, 3), n.Out[0]
	code := []string{
		"c := " + moved(s.ptr(out), "unit", 32),
		"a := " + s.ptr(x),
		"w := " + moved(s.ptr(w), "unit", 32*w.Type.Shape[1].N),
	}
	args := []string{moved("c", "row", out.LD), moved("a", "row", x.LD), "w", "nil"}
	if bias != nil {
		code = append(code, "bias := "+moved(s.ptr(bias), "unit", 32))
		args[3] = "bias"
	}
	if residual != nil {
		code = append(code, "res := "+moved(s.ptr(residual), "unit", 32))
		args = append(args, moved("res", "row", residual.LD))
	}
	args = append(args, "m", fmt.Sprint(out.LD))
	body := s.kernel.run(args...)
	switch panels := panelsOf(n); {
	case panels == 1:
		body = s.narrow.run(args...)
	case panels%2 == 1:
		body = fmt.Sprintf("if unit == %d {\n%s\n} else {\n%s\n}", panels/2, s.narrow.run(args...), body)
	}
	return append(code,
		fmt.Sprintf("cut := engine.CutRows(%s, e.k.tile, %s)", s.rows(), s.kernel.rowsName),
		"for i := range cut.Calls {\nrow, m := cut.Part(i)\n"+body+"\n}")
}
