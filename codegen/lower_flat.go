package codegen

import (
	"fmt"
	"strconv"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// flatLowering runs a kernel over whole tensors as they lie in memory, one chunk of all of them per unit. Results that lie in the memory of operands have no
// argument of their own.
type flatLowering struct{ common }

// name returns the name of the first tensor with that of the op, because a region does several things to one tensor.
func (flatLowering) name(n *ir.Node) string { return common{}.name(n) + "." + n.Op }

// updateKernel returns the parameters of the assembly for a node.
func updateKernel(n *ir.Node) kernel.UpdateParams {
	return kernel.UpdateParams{Rule: n.Op, Beta1: n.Float("beta1"), Beta2: n.Float("beta2"), Decay: n.Float("decay"), Momentum: n.Float("momentum"),
		Mix: n.Float("mix")}
}

func (flatLowering) kernels(set *kernelSet, s *step) (err error) {
	if len(ir.Lookup(s.node.Op).Kernels) == 0 {
		name := s.node.Op + "_f32"
		for _, v := range s.node.In {
			name += "_" + strconv.Itoa(v.Type.Shape[0].N)
		}
		s.kernel, err = set.use(name, func(k *kernelUse) error {
			k.portable = portableOf(s.node)
			return k.paramsFrom(s.node)
		})
		return err
	}
	p := updateKernel(s.node)
	s.kernel, err = set.use(baseName(kernel.UpdateName(p, kernel.Generic)), func(k *kernelUse) error {
		k.portable = portableOf(s.node)
		if err := k.paramsFrom(s.node); err != nil {
			return err
		}
		for _, isa := range set.isas {
			k.asm[isa.Name] = []kernel.Kernel{kernel.Update(p, isa)}
		}
		return nil
	})
	return err
}

// floatsOf returns the number of floats in memory of the tensors of a node.
func floatsOf(n *ir.Node) int { return ir.SpaceOf(n.In[0]).Fixed }

// launches returns the calls of a node's kernel, one per unit.
func (flatLowering) launches(n *ir.Node) []ir.Launch { return ir.Lookup(n.Op).Launches(n, nil, nil) }

func (l flatLowering) units(s *step) units {
	if count := len(l.launches(s.node)); count > 1 {
		return units{fmt.Sprint(count), fmt.Sprintf("A unit is %d floats of each tensor.", ops.UpdateChunk)}
	}
	return units{"1", "There is one unit."}
}

func (l flatLowering) unit(s *step) []string {
	list := l.launches(s.node)
	var lines, args []string
	for _, p := range s.kernel.params {
		if p.Name == "n" {
			count := fmt.Sprint(floatsOf(s.node))
			if len(list) > 1 {
				lines = append(lines, fmt.Sprintf("n := min(%d, %s-unit*%d)", ops.UpdateChunk, count, ops.UpdateChunk))
				count = "n"
			}
			args = append(args, count)
			continue
		}
		place, ok := list[0].Memory[p.Name]
		if !ok {
			args = append(args, "nil")
			continue
		}
		memory := ownResult(s.node)
		if place.Operand >= 0 {
			memory = s.node.In[place.Operand]
		}
		arg := s.ptr(memory)
		if len(list) > 1 {
			if by := list[1].Memory[p.Name].At - place.At; by != 0 {
				arg = moved(arg, "unit", by)
			}
		}
		args = append(args, arg)
	}
	return append(lines, s.kernel.run(args...))
}

// ownResult returns the first result of a node that has memory of its own, or nil.
func ownResult(n *ir.Node) *ir.Value {
	for _, v := range n.Out {
		if v.Replaces() == nil {
			return v
		}
	}
	return nil
}
