package codegen

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
)

// dropoutPath is the import path of the package that decides which elements are dropped.
const dropoutPath = runtimePath + "/dropout"

// dropoutLowering drops elements of blocks of rows.
type dropoutLowering struct{ rowLowering }

func (dropoutLowering) kernels(set *kernelSet, s *step) (err error) {
	n := s.node
	x, y := n.In[0], n.Out[0]
	name := fmt.Sprintf("dropout_f32_%d_ldx%d_ldy%d_rate%s", x.Type.Shape[1].N, x.LD, y.LD, kernel.Number(n.Float("rate")))
	s.kernel, err = set.use(name, func(k *kernelUse) error {
		k.params = []kernel.Param{{Name: "y", Type: kernel.F32}, {Name: "x", Type: kernel.F32}, {Name: "key", Type: kernel.I32},
			{Name: ir.CountAt, Type: kernel.Int}, {Name: "m", Type: kernel.Int}}
		k.operands = []rowOperand{{0, true}, {1, false}}
		k.portable = func(name string) (jen.Code, error) {
			return jen.Commentf("%s drops elements of m rows of %d, the first of which has the number %s.", name, x.Type.Shape[1].N, ir.CountAt).Line().
				Func().Id(name).Params(paramList(k.params)...).Block(
				jen.Qual(dropoutPath, "Rows").Call(jen.Id("y"), jen.Id("x"), jen.Id("key"), jen.Lit(x.Type.Shape[1].N), jen.Lit(x.LD), jen.Lit(y.LD),
					jen.Lit(n.Float("rate")), jen.Id(ir.CountAt), jen.Id("m")),
			), nil
		}
		return nil
	})
	return err
}
