package codegen

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// flatLowering runs a kernel over whole tensors as they lie in memory, chunk by chunk. Results that have memory of their own have some numbers for each chunk.
type flatLowering struct{ common }

// name returns the name of the first tensor with that of the op, because a region does several things to one tensor.
func (flatLowering) name(n *ir.Node) string { return common{}.name(n) + "." + n.Op }

func (flatLowering) kernels(set *kernelSet, s *step) (err error) {
	n := s.node
	name := flatName(n)
	s.kernel, err = set.use(name, func(k *kernelUse) error {
		k.portable = portableOf(n)
		return k.paramsFrom(n)
	})
	return err
}

// flatName returns the name of a node's portable form. The form does not depend on the size of the tensors, only on the attributes, and for a sum on the sizes
// of all operands.
func flatName(n *ir.Node) string {
	name := n.Op + "_f32"
	for _, a := range n.Attrs {
		name += "_" + a.Key + identifier.ReplaceAllString(kernel.Number(n.Float(a.Key)), "")
	}
	if !chunked(n) {
		for _, v := range n.In {
			name += "_" + strconv.Itoa(v.Type.Shape[0].N)
		}
	}
	if len(n.Out) > 1 {
		name += fmt.Sprintf("_to%d", len(n.Out))
	}
	return name
}

// chunked reports whether a node works chunk by chunk. A sum over all its operands does not.
func chunked(n *ir.Node) bool { return !ir.Lookup(n.Op).In[0].Variadic }

// floats returns the number of floats of the tensors of a node.
func (flatLowering) floats(n *ir.Node) int { return ir.SpaceOf(n.In[0]).Fixed }

func (l flatLowering) units(s *step) units {
	if !chunked(s.node) {
		return units{"1", "The only unit is all numbers."}
	}
	return units{strconv.Itoa((l.floats(s.node) + ops.UpdateChunk - 1) / ops.UpdateChunk), fmt.Sprintf("A unit is %d floats.", ops.UpdateChunk)}
}

func (l flatLowering) unit(s *step) []string {
	n := s.node
	op := ir.Lookup(n.Op)
	var args []string
	for _, p := range s.kernel.params {
		i := slices.IndexFunc(op.In, func(o ir.Operand) bool { return o.Name == p.Name })
		switch {
		case p.Type == kernel.Int:
			args = append(args, fmt.Sprintf("min(%d, %d-at)", ops.UpdateChunk, l.floats(n)))
		case p.Name == "y":
			args = append(args, l.result(s))
		case i < 0: // an operand of a sum
			i, _ = strconv.Atoi(strings.TrimPrefix(p.Name, op.In[0].Name))
			args = append(args, s.ptr(n.In[i]))
		case n.In[i].Type.Shape.Equal(n.In[0].Type.Shape) && chunked(n) && !small(n.In[i]):
			args = append(args, at(s.ptr(n.In[i]), "at"))
		default:
			args = append(args, s.ptr(n.In[i]))
		}
	}
	call := s.kernel.run(args...)
	if !chunked(n) {
		return []string{call}
	}
	return []string{fmt.Sprintf("at := unit * %d", ops.UpdateChunk), call}
}

// small reports whether an operand is a number of the step, such as the learning rate.
func small(v *ir.Value) bool { return v.Kind == ir.Batch }

// result returns the expression for the place of the numbers of a chunk.
func (flatLowering) result(s *step) string {
	n := s.node
	for _, v := range n.Out {
		if v.Replaces() != nil {
			continue
		}
		if !chunked(n) {
			return s.ptr(v)
		}
		chunks := (ir.SpaceOf(n.In[0]).Fixed + ops.UpdateChunk - 1) / ops.UpdateChunk
		return moved(s.ptr(v), "unit", ir.Sizes{}.Elements(v.Type.Shape)/chunks)
	}
	return "nil"
}
