package codegen

import (
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
	p := kernel.DropoutParams{N: x.Type.Shape[1].N, LDX: x.LD, LDY: y.LD, Rate: n.Float("rate")}
	s.kernel, err = set.use(baseName(kernel.DropoutName(p, kernel.Generic)), func(k *kernelUse) error {
		k.params = []kernel.Param{{Name: "y", Type: kernel.F32}, {Name: "x", Type: kernel.F32}, {Name: "key", Type: kernel.I32},
			{Name: ir.CountAt, Type: kernel.Int}, {Name: ir.CountRows, Type: kernel.Int}}
		for _, isa := range set.isas {
			k.asm[isa.Name] = []kernel.Kernel{kernel.Dropout(p, isa)}
		}
		k.operands = []rowOperand{{0, true}, {1, false}}
		k.portable = func(name string) (jen.Code, error) {
			return jen.Commentf("%s drops elements of m rows of %d, the first of which has the number %s.", name, p.N, ir.CountAt).Line().
				Func().Id(name).Params(paramList(k.params)...).Block(
				jen.Qual(dropoutPath, "Rows").Call(jen.Id("y"), jen.Id("x"), jen.Id("key"), jen.Lit(p.N), jen.Lit(p.LDX), jen.Lit(p.LDY),
					jen.Lit(p.Rate), jen.Id(ir.CountAt), jen.Id(ir.CountRows)),
			), nil
		}
		return nil
	})
	return err
}
