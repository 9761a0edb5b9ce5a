package codegen

import (
	"fmt"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
)

// columnLowering runs the sums over rows of the ops col_sum and layernorm_gain_grad. A unit is a block of columns, of which one worker adds all rows in order:
// then a sum needs no tree, and its bits depend on the batch alone. A batch has enough columns to divide: 6 blocks of 768.
type columnLowering struct{ common }

// columnBlock is the number of columns of a unit: a pass of the kernels for AVX-512, two for AVX2.
const columnBlock = 128

// columnRows is the greatest number of rows in one call, which then takes at most about 100 µs.
const columnRows = 4096

func (columnLowering) units(s *step) units {
	return units{fmt.Sprint((s.node.Out[0].Type.Shape[0].N + columnBlock - 1) / columnBlock), fmt.Sprintf("A unit is %d columns.", columnBlock)}
}

func (l columnLowering) kernels(set *kernelSet, s *step) (err error) {
	n := s.node
	hat := n.Op != "col_sum"
	name := fmt.Sprintf("%s_f32", n.Op)
	for _, v := range n.In {
		name += fmt.Sprintf("_%d", stride(v))
	}
	s.kernel, err = set.driven(n, driver{
		name:     name,
		doc:      "adds all rows of m columns from column at on.",
		assembly: func(isa kernel.ISA) []kernel.Kernel { return []kernel.Kernel{kernel.ColSum(hat, isa)} },
		body: func(isa kernel.ISA) string {
			ld := stride(n.In[0])
			rows, call := "xRows", fmt.Sprintf("y, %s, min(%d, xRows-r), m, %d, r", at("x", fmt.Sprintf("r*%d+at", ld)), columnRows, ld)
			if hat {
				ldx, ldm := stride(n.In[1]), stride(n.In[2])
				rows, call = "dyRows", fmt.Sprintf("y, %s, %s, %s, min(%d, dyRows-r), m, %d, %d, %d, r", at("dy", fmt.Sprintf("r*%d+at", ld)),
					at("x", fmt.Sprintf("r*%d+at", ldx)), moved("moments", "r", ldm), columnRows, ld, ldx, ldm)
			}
			return fmt.Sprintf("if %[1]s == 0 {\nclear(unsafe.Slice(y, m))\n}\nfor r := 0; r < %[1]s; r += %[2]d {\n%[3]s(%[4]s)\n}",
				rows, columnRows, kernel.ColSumName(hat, isa.Name), call)
		},
	})
	return err
}

func (columnLowering) unit(s *step) []string {
	n := s.node
	args := []string{at(s.ptr(n.Out[0]), "col")}
	for _, v := range n.In {
		args = append(args, s.ptr(v))
	}
	m := fmt.Sprintf("min(%d, %d-col)", columnBlock, n.Out[0].Type.Shape[0].N)
	return []string{fmt.Sprintf("col := unit * %d", columnBlock), s.kernel.run(append(args, s.kernel.counts(n, m, "col")...)...)}
}

func momentsKernel(n *ir.Node) rowKernel {
	p := kernel.MomentsParams{H: n.In[0].Type.Shape[1].N, LDX: n.In[0].LD, LDY: stride(n.Out[0]), Eps: n.Float("eps")}
	return rowKernel{kernel.MomentsName(p, kernel.Generic), []rowOperand{{0, true}},
		func(isa kernel.ISA) kernel.Kernel { return kernel.Moments(p, isa) }}
}

func layerNormGradKernel(n *ir.Node) rowKernel {
	p := kernel.LayerNormGradParams{H: n.Out[0].Type.Shape[1].N, LDY: n.Out[0].LD, LDD: n.In[0].LD, LDX: n.In[1].LD, LDM: stride(n.In[3])}
	return rowKernel{kernel.LayerNormGradName(p, kernel.Generic), []rowOperand{{0, true}, {1, true}, {2, false}, {3, true}},
		func(isa kernel.ISA) kernel.Kernel { return kernel.LayerNormGrad(p, isa) }}
}
