package codegen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// queryLowering runs what works on the queries of one sequence.
type queryLowering struct {
	common
	memory func(n *ir.Node) string // the number of floats of scratch memory, as an expression in s engine.Sizes
}

// queryLowerings returns the lowerings of the ops on queries, by their names.
func queryLowerings() map[string]lowering {
	size := func(scratch func(size int) int) func(*ir.Node) string {
		return func(n *ir.Node) string { return fmt.Sprint(scratch(n.In[0].Type.Shape[1].N)) }
	}
	attends := func(grad bool) func(*ir.Node) string {
		return func(*ir.Node) string { return fmt.Sprintf("%d*s.Q", ops.AttendScratch(grad, 1)) }
	}
	return map[string]lowering{
		"gru":                gruLowering{queryLowering{memory: size(ops.GRUScratch)}},
		"gru_grad":           queryLowering{memory: size(ops.GRUGradScratch)},
		"attend_fields":      queryLowering{memory: attends(false)},
		"attend_fields_grad": queryLowering{memory: attends(true)},
	}
}

func (queryLowering) kernels(set *kernelSet, s *step) (err error) {
	s.kernel, err = set.portableOnly(s.node)
	return err
}

func (queryLowering) units(*step) units { return units{"e.sequences", "A unit is one sequence."} }

func (l queryLowering) scratch(s *step) []string { return []string{l.memory(s.node)} }

func (queryLowering) unit(s *step) []string {
	n := s.node
	op := ir.Lookup(n.Op)
	var args []string
	for i, v := range append(slices.Clone(n.Out), n.In...) {
		switch k := i - len(n.Out); {
		case k >= 0 && !s.kernel.takes(op.Argument(k)):
		case v.Type.Shape[0] == ir.Q:
			args = append(args, s.row(v, "query"))
		default:
			args = append(args, s.ptr(v))
		}
	}
	return []string{"query := int(e.QueryStarts[unit])", s.kernel.run(append(args, "e.scratch(worker)", "int(e.QueryStarts[unit+1])-query")...)}
}

// gruLowering runs gated recurrent units over the steps of a sequence's queries. The fields of a step lie side by side, and so do those of the step before, so
// a product computes the gates of a block of fields.
type gruLowering struct{ queryLowering }

// kernels chooses the product with the states, in pairs of panels and one for an odd last panel, and the kernel of the units.
func (gruLowering) kernels(set *kernelSet, s *step) (err error) {
	n := s.node
	size, ld := n.In[0].Type.Shape[1].N, n.Out[0].LD
	if n.In[0].LD != ld {
		return fmt.Errorf("the states before step 0 are %d apart, those after steps %d", n.In[0].LD, ld)
	}
	gates := n.In[3].Type.Shape[0].N
	wide := kernel.GemmParams{K: size, LDA: ld, Panels: 2}
	narrow := wide
	narrow.Panels = 1
	s.kernel, err = set.driven(n, driver{
		name: fmt.Sprintf("gru_f32_%d_ld%d", size, ld),
		doc:  fmt.Sprintf("computes %d gated recurrent units over the steps of a sequence's n queries, %d queries at a time.", size, ops.GRUBlock),
		assembly: func(isa kernel.ISA) []kernel.Kernel {
			list := []kernel.Kernel{kernel.GRU(size, isa), kernel.Gemm(wide, isa)}
			if gates/kernel.PanelWidth%2 == 1 {
				list = append(list, kernel.Gemm(narrow, isa))
			}
			return list
		},
		body: func(isa kernel.ISA) string {
			call := func(p kernel.GemmParams) string {
				return fmt.Sprintf("%s(engine.At(scratch, col), block, engine.At(w, col*%d), engine.At(bias, col), m, %d)", kernel.GemmName(p, isa.Name), size,
					gates)
			}
			product := call(wide)
			if gates/kernel.PanelWidth%2 == 1 {
				product = fmt.Sprintf("if col == %d {\n%s\n} else {\n%s\n}", gates-kernel.PanelWidth, call(narrow), product)
			}
			return strings.NewReplacer("LD", fmt.Sprint(ld), "GATES", fmt.Sprint(gates), "BLOCK", fmt.Sprint(ops.GRUBlock),
				"TWO", fmt.Sprint(2*kernel.PanelWidth), "PRODUCT", product, "UNITS", kernel.GRUName(size, isa.Name)).Replace(gruDriver)
		},
	})
	return err
}

// gruDriver is the driver's body. Words in capitals stand for constants and calls.
const gruDriver = `places := unsafe.Slice(steps, 2*n)
for q := 0; q < n; {
	step, fields := int(places[2*q]), int(places[2*q+1])
	h := engine.At(f, q*LD)
	if step > 0 {
		h = engine.At(y, (q-fields)*LD)
	}
	for i := 0; i < fields; i += BLOCK {
		m, block := min(BLOCK, fields-i), engine.At(h, i*LD)
		for col := 0; col < GATES; col += TWO {
			PRODUCT
		}
		for k := range m {
			UNITS(engine.At(y, (q+i+k)*LD), engine.At(block, k*LD), engine.At(table, step*GATES), engine.At(scratch, k*GATES))
		}
	}
	q += fields
}`
