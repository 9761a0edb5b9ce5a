// Package ops defines the operations of the intermediate representation, one per file. Importing it fills the registry of package ir. Apart from that, the
// package exports only what code generation asks about the fused ops.
//
// There are three kinds of ops. Logical ops are the mathematics of the spec: a product, a norm, one term of a score. Layout ops bring weights into the order in
// which kernels read them; they run when weights are packed, or in each step of a training. Fused ops are what one kernel computes: [gemm], [attention] and,
// in training, [attend].
//
// The letters of shapes are those of package ir; "." stands for any number of rows.
package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

// f32 returns a type of float32 numbers.
func f32(dims ...ir.Dim) ir.Type { return ir.Type{DType: ir.F32, Shape: dims} }

// i32 returns a type of integers.
func i32(dims ...ir.Dim) ir.Type { return ir.Type{DType: ir.I32, Shape: dims} }

// round16 rounds up to a multiple of 16, the width of a panel.
func round16(n int) int { return (n + 15) / 16 * 16 }

// matrix returns the number of rows and the constant number of columns of an operand with two extents.
func matrix(n *ir.Node, i int) (rows ir.Dim, cols int, err error) {
	s := n.In[i].Type.Shape
	if len(s) != 2 || !s[1].Const() {
		return rows, 0, fmt.Errorf("%s is %s, not a matrix with a fixed number of columns", operand(n, i), n.In[i].Type)
	}
	return s[0], s[1].N, nil
}

// fixed returns the two constant extents of an operand.
func fixed(n *ir.Node, i int) (rows, cols int, err error) {
	s := n.In[i].Type.Shape
	if len(s) != 2 || !s[0].Const() || !s[1].Const() {
		return 0, 0, fmt.Errorf("%s is %s, not a matrix of fixed size", operand(n, i), n.In[i].Type)
	}
	return s[0].N, s[1].N, nil
}

// vector checks that an operand is a vector of one of the given lengths. It accepts a missing operand.
func vector(n *ir.Node, i int, lengths ...int) error {
	if i >= len(n.In) || n.In[i] == nil {
		return nil
	}
	s := n.In[i].Type.Shape
	for _, l := range lengths {
		if s.Equal(ir.Shape{ir.N(l)}) {
			return nil
		}
	}
	return fmt.Errorf("%s is %s, not a vector of %d numbers", operand(n, i), n.In[i].Type, lengths[0])
}

// shaped checks that an operand has exactly the given shape. It accepts a missing operand.
func shaped(n *ir.Node, i int, dims ...ir.Dim) error {
	if i >= len(n.In) || n.In[i] == nil {
		return nil
	}
	if !n.In[i].Type.Shape.Equal(dims) {
		return fmt.Errorf("%s is %s, want %s", operand(n, i), n.In[i].Type, ir.Shape(dims))
	}
	return nil
}

// first returns the first error that is not nil.
func first(errs ...error) error {
	for _, e := range errs {
		if e != nil {
			return e
		}
	}
	return nil
}

// operand returns the name of an operand for errors.
func operand(n *ir.Node, i int) string {
	op := ir.Lookup(n.Op)
	if op == nil || len(op.In) == 0 {
		return fmt.Sprintf("operand %d", i)
	}
	return op.In[min(i, len(op.In)-1)].Name
}

// in returns an operand, or nil if it is missing.
func in(n *ir.Node, i int) *ir.Value {
	if i >= len(n.In) {
		return nil
	}
	return n.In[i]
}

// data returns an operand's numbers, or nil if it is missing.
func data(list []*ir.Array, i int) *ir.Array {
	if i >= len(list) {
		return nil
	}
	return list[i]
}

// heads returns the attribute heads and checks that it divides the width.
func heads(n *ir.Node, width int) (int, error) {
	h := n.Int("heads")
	if h < 1 || width%h != 0 {
		return 0, fmt.Errorf("%d heads do not divide %d columns", h, width)
	}
	return h, nil
}

// headsAttr is the attribute of every op that splits columns into heads.
var headsAttr = ir.AttrDef{Name: "heads", Type: ir.AttrInt, Required: true, Doc: "A, number of heads"}

// flipAttr is the attribute of every op that looks up offsets.
var flipAttr = ir.AttrDef{Name: "flip", Type: ir.AttrBool, Doc: "look up j-i instead of i-j"}

// The operands that many ops share.
var (
	startsIn = ir.Operand{Name: "starts", DType: ir.I32, Doc: "[B+1] first row of each sequence, and T"}
	posIn    = ir.Operand{Name: "pos", DType: ir.I32, Doc: "[T] original position of each row, increasing within a sequence"}
	indexIn  = ir.Operand{Name: "index", DType: ir.I32, Doc: "[2·length-1] row of the table for the offsets -(length-1) … length-1"}
)

// float returns an operand of float32 numbers.
func float(name, doc string) ir.Operand { return ir.Operand{Name: name, DType: ir.F32, Doc: doc} }

// optional returns an operand that may be missing.
func optional(name, doc string) ir.Operand {
	return ir.Operand{Name: name, DType: ir.F32, Optional: true, Doc: doc}
}

// whole returns an operand of which each row of the result may need all, see [ir.Operand].
func whole(o ir.Operand) ir.Operand {
	o.Whole = true
	return o
}

// constant returns an operand that no gradient passes through, see [ir.Operand].
func constant(o ir.Operand) ir.Operand {
	o.Constant = true
	return o
}

// Reasons why an op has no gradient or no portable form.
const (
	afterGrad  = "only passes after the gradient's make it"
	integers   = "its results are integers"
	atPacking  = "runs when weights are packed, in the oracle"
	fusedFirst = "the pass fuse replaces it before code is generated"
	onlyFirst  = "it is a gradient, and no loss needs a second derivative"
	fusedGrad  = "only gradients of terms of scores use it; programs that code is generated from have attend_grad in their place"
)
