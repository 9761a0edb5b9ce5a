package codegen

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// conditional is a lowering whose steps run only in calls with an adapter that has certain matrices.
type conditional interface {
	// chosen returns the value that such an adapter has.
	chosen(n *ir.Node) *ir.Value
}

// chosen returns the condition under which an adapter has a value, as an expression.
func (e *emitter) chosen(r *ir.Region, v *ir.Value) string { return e.field(r, v) + " != nil" }

// product returns the step as one of the product that a node of an adapter is.
func (s *step) product() *step {
	p := *s
	p.node = ops.GemmOf(s.node)
	return &p
}

// adapterInLowering multiplies blocks of rows with all panels of an adapter's first matrix, which has few of them.
type adapterInLowering struct{ common }

// adapterRows is the number of rows of a block: whole strips of every instruction set.
const adapterRows = 24

func (adapterInLowering) chosen(n *ir.Node) *ir.Value { return n.In[1] }

func (adapterInLowering) units(s *step) units {
	return units{parts(s.rows(), adapterRows), fmt.Sprintf("A unit is %d rows.", adapterRows)}
}

func (adapterInLowering) kernels(set *kernelSet, s *step) error {
	p := s.product()
	err := gemmLowering{}.kernels(set, p)
	s.kernel, s.narrow = p.kernel, p.narrow
	return err
}

func (adapterInLowering) unit(s *step) []string {
	x, w, out := s.node.In[0], s.node.In[1], s.node.Out[0]
	panels, k := panelsOf(s.node), s.node.Int("k")
	code := []string{
		fmt.Sprintf("row := unit * %d", adapterRows),
		fmt.Sprintf("m := min(%d, %s-row)", adapterRows, s.rows()),
		"c := " + moved(s.ptr(out), "row", out.LD),
		"a := " + moved(s.ptr(x), "row", x.LD),
		"w := " + s.ptr(w),
	}
	run := func(k *kernelUse, c, w string) string { return k.run(c, "a", w, noBias, "m", fmt.Sprint(out.LD)) }
	if panels > 1 {
		code = append(code, fmt.Sprintf("for p := range %d {\n%s\n}", panels/2, run(s.kernel, moved("c", "p", 32), moved("w", "p", 32*k))))
	}
	if panels%2 == 1 {
		at := panels / 2
		c, w := "c", "w"
		if at > 0 {
			c, w = offset("c", 32*at), offset("w", 32*at*k)
		}
		code = append(code, run(s.narrow, c, w))
	}
	return code
}

// adapterTermLowering is that of the product that it is.
type adapterTermLowering struct{ common }

func (adapterTermLowering) chosen(n *ir.Node) *ir.Value { return n.In[1] }

func (adapterTermLowering) units(s *step) units { return gemmLowering{}.units(s.product()) }

func (adapterTermLowering) kernels(set *kernelSet, s *step) error {
	return adapterInLowering{}.kernels(set, s)
}

func (adapterTermLowering) unit(s *step) []string { return gemmLowering{}.unit(s.product()) }

// noBias is the bias of products without one. Kernels add a bias always.
const noBias = "&zeros[0]"

// zerosVar declares it, if a product needs it.
func (e *emitter) zerosVar(f *jen.File) {
	for _, s := range e.steps {
		if _, ok := s.lower.(conditional); ok {
			f.Comment("zeros is the bias of products that have none.")
			f.Var().Id("zeros").Index(jen.Lit(32)).Float32()
			return
		}
	}
}
