package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// unary is an op of one operand that works element by element.
type unary struct {
	name, doc string
	f         func(n *ir.Node, x float64) float64
	lower     func(n *ir.Node, b *loop.Builder, x loop.Expr) loop.Expr // x is a variable or constant
	grad      func(g graph, n *ir.Node, dy *ir.Value) *ir.Value
	flops     float64
	attrs     []ir.AttrDef
	sample    []ir.Attr
	domain    func(dims ...ir.Dim) ir.Arg // the operand in samples; nil means any numbers
	act       bool                        // an activation: kernels apply it, and gemm can apply it in its last store

	// slope and slopeOf are the derivative of an activation, which has no grad.
	slope   func(x float64) float64
	slopeOf func(b *loop.Builder, x loop.Expr) loop.Expr // x is a variable or constant
}

// activations are the unary ops that a gemm can apply in its last store.
var activations = map[string]unary{}

// define registers the op and returns it.
func (u unary) define() *ir.Op {
	of := u.domain
	if of == nil {
		of = normal
	}
	op := ir.Op{
		Name: u.name, Doc: u.doc, Class: ir.Elementwise,
		In: []ir.Operand{float("x", "any shape")}, Attrs: u.attrs,
		Shape: func(n *ir.Node) ([]ir.Type, error) { return []ir.Type{n.In[0].Type}, nil },
		Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
			x := in[0].Floats()
			y := ir.NewArray(in[0].Shape...)
			for i, v := range x {
				y.F[i] = u.f(n, v)
			}
			return []*ir.Array{y}, nil
		},
		Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
			return ir.Cost{FLOPs: u.flops * float64(s.Elements(n.In[0].Type.Shape))}
		},
		Lower:  u.nest,
		Sample: samples(sample(u.sample, of(ir.T, ir.N(19))), sample(u.sample, of(ir.B, ir.N(16)))),
	}
	switch {
	case u.slope != nil:
		op.Grad = func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
			return []*ir.Value{b.Like(n, "act_grad", attrs("act", u.name), dy[0], n.In[0])}, b.Err()
		}
	case u.grad != nil:
		op.Grad = func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
			return []*ir.Value{u.grad(graph{b, n}, n, dy[0])}, b.Err()
		}
	default:
		op.NoGrad = "it is constant between jumps"
	}
	if u.act {
		op.Kernels, op.Cheap = []string{"act"}, true
		activations[u.name] = u
	}
	return ir.Define(op)
}

// nest returns the portable form for m rows.
func (u unary) nest(n *ir.Node) (*loop.Nest, error) {
	cols, ldx, err := row(n.In[0])
	if err != nil {
		return nil, err
	}
	_, ldy, err := row(n.Out[0])
	if err != nil {
		return nil, err
	}
	args := append(loop.Floats("y", "x"), loop.Counts("m")...)
	b := loop.New(fmt.Sprintf("y = %s(x), m rows of %d.", u.name, cols), args...)
	b.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
		b.Slice("xi", "x", loop.Mul(i, loop.I(ldx)), loop.I(cols))
		b.Slice("yi", "y", loop.Mul(i, loop.I(ldy)), loop.I(cols))
		b.For("j", loop.I(0), loop.I(cols), 1, func(j loop.Expr) {
			e := b.Let("e", loop.At("xi", j))
			b.Store("yi", j, u.lower(n, b, e))
		})
	})
	return b.Nest()
}

// row returns the number of columns of a value and the distance between its rows, both in floats.
func row(v *ir.Value) (cols, ld int, err error) {
	cols = 1
	for _, d := range v.Type.Shape[min(1, len(v.Type.Shape)):] {
		if !d.Const() {
			return 0, 0, fmt.Errorf("%s is %s, whose rows have no fixed length", v.Name, v.Type)
		}
		cols *= d.N
	}
	ld = cols
	if v.LD != 0 {
		ld = v.LD
	}
	if ld < cols {
		return 0, 0, fmt.Errorf("%s is %s with rows %d apart", v.Name, v.Type, ld)
	}
	return cols, ld, nil
}

// binary is an op of two operands of the same shape that works element by element.
type binary struct {
	name, doc string
	f         func(a, b float64) float64
	op        string // the operator of the loop nest
	grad      func(g graph, n *ir.Node, dy *ir.Value) []*ir.Value
	second    func(dims ...ir.Dim) ir.Arg // the second operand in samples
}

// define registers the op and returns it.
func (o binary) define() *ir.Op {
	return ir.Define(ir.Op{
		Name: o.name, Doc: o.doc, Class: ir.Elementwise,
		In: []ir.Operand{float("a", "any shape"), float("b", "the same shape")},
		Shape: func(n *ir.Node) ([]ir.Type, error) {
			if !n.In[0].Type.Equal(n.In[1].Type) {
				return nil, fmt.Errorf("a is %s, b is %s: they must have one shape", n.In[0].Type, n.In[1].Type)
			}
			return []ir.Type{n.In[0].Type}, nil
		},
		Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
			a, b := in[0].Floats(), in[1].Floats()
			y := ir.NewArray(in[0].Shape...)
			for i := range y.F {
				y.F[i] = o.f(a[i], b[i])
			}
			return []*ir.Array{y}, nil
		},
		Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
			return o.grad(graph{b, n}, n, dy[0]), b.Err()
		},
		Lower: o.nest,
		Sample: samples(
			sample(nil, normal(ir.T, ir.N(19)), o.second(ir.T, ir.N(19))),
			sample(nil, normal(ir.N(5)), o.second(ir.N(5))),
		),
	})
}

// nest returns the portable form for m rows.
func (o binary) nest(n *ir.Node) (*loop.Nest, error) {
	cols, lda, err := row(n.In[0])
	_, ldb, err2 := row(n.In[1])
	_, ldy, err3 := row(n.Out[0])
	if err := first(err, err2, err3); err != nil {
		return nil, err
	}
	args := append(loop.Floats("y", "a", "b"), loop.Counts("m")...)
	b := loop.New(fmt.Sprintf("y = a %s b, m rows of %d.", o.op, cols), args...)
	b.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
		b.Slice("ai", "a", loop.Mul(i, loop.I(lda)), loop.I(cols))
		b.Slice("bi", "b", loop.Mul(i, loop.I(ldb)), loop.I(cols))
		b.Slice("yi", "y", loop.Mul(i, loop.I(ldy)), loop.I(cols))
		b.For("j", loop.I(0), loop.I(cols), 1, func(j loop.Expr) {
			b.Store("yi", j, loop.Bin{Op: o.op, X: loop.At("ai", j), Y: loop.At("bi", j)})
		})
	})
	return b.Nest()
}

// graph appends the nodes of a gradient, at the position of the node whose gradient it is.
type graph struct {
	b *ir.Builder
	n *ir.Node
}

// op appends a node.
func (g graph) op(name string, attrs []ir.Attr, in ...*ir.Value) *ir.Value {
	return g.b.Like(g.n, name, attrs, in...)
}

func (g graph) add(a, b *ir.Value) *ir.Value { return g.op("add", nil, a, b) }
func (g graph) sub(a, b *ir.Value) *ir.Value { return g.op("sub", nil, a, b) }
func (g graph) mul(a, b *ir.Value) *ir.Value { return g.op("mul", nil, a, b) }

// scale appends a product with a constant.
func (g graph) scale(x *ir.Value, by float64) *ir.Value { return g.op("scale", attrs("by", by), x) }
