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

// rowsInUnit returns how many rows one unit of an update by rows covers.
func rowsInUnit(n *ir.Node) int { return max(1, ops.UpdateChunk/max(n.In[0].LD, 1)) }

func (l flatLowering) units(s *step) units {
	if s.node.Flag("touched") {
		rows, per := s.node.In[0].Type.Shape[0].N, rowsInUnit(s.node)
		return units{fmt.Sprint((rows + per - 1) / per), fmt.Sprintf("A unit is %d rows of each tensor.", per)}
	}
	if count := len(l.launches(s.node)); count > 1 {
		return units{fmt.Sprint(count), fmt.Sprintf("A unit is %d floats of each tensor.", ops.UpdateChunk)}
	}
	return units{"1", "There is one unit."}
}

// touchedRows prints an update of the rows that have a gradient.
func (l flatLowering) touchedRows(s *step) []string {
	n, place := s.node, l.launches(s.node)[0].Memory
	var args []string
	for _, p := range s.kernel.params {
		switch at, ok := place[p.Name]; {
		case p.Name == "n":
			args = append(args, fmt.Sprint(n.In[0].LD))
		case !ok:
			args = append(args, "nil")
		case n.In[at.Operand].Type.Shape.Equal(n.In[0].Type.Shape):
			args = append(args, moved(s.ptr(n.In[at.Operand]), "row", n.In[0].LD))
		default:
			args = append(args, s.ptr(n.In[at.Operand]))
		}
	}
	per := rowsInUnit(n)
	return []string{
		fmt.Sprintf("for row := unit*%d; row < min((unit+1)*%d, %d); row++ {", per, per, n.In[0].Type.Shape[0].N),
		fmt.Sprintf("if !trainer.Zero(%s, %d) {", moved(s.ptr(n.In[1]), "row", n.In[0].LD), n.In[0].LD), s.kernel.run(args...), "}", "}",
	}
}

func (l flatLowering) unit(s *step) []string {
	if s.node.Flag("touched") {
		return l.touchedRows(s)
	}
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
