package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "gemm", Class: ir.Contraction,
	Doc: "y = act(x·Wᵀ + bias + residual) with W in panels: [., K], [⌈N/16⌉, K, 16] → [., N].",
	In: []ir.Operand{float("x", "[., K]"), float("w", "[⌈N/16⌉, K, 16], see panels"), optional("bias", "[N16], see pad"),
		optional("residual", "[., N]; its row distance is that of y"),
		optional("plus", "[., N], of adapter_term: it holds the residual too, and takes its place; y has its memory")},
	Attrs: gemmAttrs("K, columns of x"),
	Shape: gemmShape,
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		m, k, c := in[0].Shape[0], n.Int("k"), n.Int("n")
		w := in[1].Rearrange([]int{c, k}, func(i int) int {
			r, t := i/k, i%k
			return r/16*16*k + t*16 + r%16
		})
		y := &ir.Array{Shape: []int{m, c}, F: product(in[0].Floats(), w.Floats(), m, c, k)}
		gemmEpilogue(n, in, y)
		return []*ir.Array{y}, nil
	},
	NoGrad:   afterGrad,
	Cost:     func(n *ir.Node, s ir.Sizes) ir.Cost { return gemmCost(n, s, n.Int("k")) },
	Lower:    func(n *ir.Node) (*loop.Nest, error) { return GemmNest(n, 16) },
	Launches: launchGemm,
	Kernels:  []string{"gemm"},
	Sample: samples(
		sample(attrs("n", 19, "k", 7), normal(ir.T, ir.N(7)), panelled(19, 7), normal(ir.N(32))),
		sample(attrs("n", 16, "k", 4, "act", "gelu"), normal(ir.T, ir.N(4)), panelled(16, 4), normal(ir.N(16))),
		sample(attrs("n", 5, "k", 3, "act", "tanh"), normal(ir.B, ir.N(3)), panelled(5, 3), normal(ir.N(16))),
		sample(attrs("n", 33, "k", 3), normal(ir.T, ir.N(3)), panelled(33, 3), normal(ir.N(48)), normal(ir.T, ir.N(33))),
		sample(attrs("n", 5, "k", 3), normal(ir.T, ir.N(3)), panelled(5, 3)),
		sample(attrs("n", 18, "k", 3, "act", "gelu"), normal(ir.T, ir.N(3)), panelled(18, 3), normal(ir.N(32)), missing(), normal(ir.T, ir.N(18))),
		sample(attrs("n", 5, "k", 3), normal(ir.B, ir.N(3)), panelled(5, 3), normal(ir.N(16)), normal(ir.B, ir.N(5)), normal(ir.B, ir.N(5))),
	),
})

// gemmAttrs returns the attributes of a gemm.
func gemmAttrs(k string) []ir.AttrDef {
	return []ir.AttrDef{
		{Name: "n", Type: ir.AttrInt, Required: true, Doc: "N, columns of the result"},
		{Name: "k", Type: ir.AttrInt, Required: true, Doc: k},
		{Name: "act", Type: ir.AttrString, Doc: "the activation, an op's name; absent: no activation"},
	}
}

// gemmShape returns the type of the result of a gemm, whose operands may be pairs.
func gemmShape(n *ir.Node) ([]ir.Type, error) {
	rows, k, err := matrix(n, 0)
	if err != nil {
		return nil, err
	}
	cols := n.Int("n")
	if k != n.Int("k") || cols < 1 {
		return nil, fmt.Errorf("x is %s for k = %d, n = %d", n.In[0].Type, n.Int("k"), cols)
	}
	if act := n.Str("act"); act != "" {
		if _, ok := activations[act]; !ok {
			return nil, fmt.Errorf("%q is not an activation", act)
		}
	}
	return []ir.Type{f32(rows, ir.N(cols))}, first(
		shaped(n, 1, ir.N(round16(cols)/16), ir.N(k), ir.N(16)), vector(n, 2, round16(cols)),
		shaped(n, 3, rows, ir.N(cols)), shaped(n, 4, rows, ir.N(cols)))
}

// gemmEpilogue adds bias and residual to the products y, and applies the activation.
func gemmEpilogue(n *ir.Node, in []*ir.Array, y *ir.Array) {
	c := n.Int("n")
	if b := data(in, 2); b != nil {
		addVector(y.F, b.Rearrange([]int{c}, func(i int) int { return i }), c)
	}
	if r := data(in, added(n)); r != nil {
		for i, v := range r.Floats() {
			y.F[i] += v
		}
	}
	if act := n.Str("act"); act != "" {
		f := activations[act].f
		for i, v := range y.F {
			y.F[i] = f(n, v)
		}
	}
}

// gemmCost returns the work of a gemm whose sums have this many terms.
func gemmCost(n *ir.Node, s ir.Sizes, terms int) ir.Cost {
	c := productCost(n, s, terms, in(n, 2) != nil)
	y := float64(s.Elements(n.Out[0].Type.Shape))
	if act := n.Str("act"); act != "" {
		c.FLOPs += activations[act].flops * y
	}
	if in(n, added(n)) != nil {
		c.FLOPs += y
	}
	return c
}

// launchGemm returns the calls of the nest that compute a gemm, one per panel.
func launchGemm(n *ir.Node, starts []int32, _ []*ir.Array) []ir.Launch {
	var out []ir.Launch
	_, ldc, err := row(n.Out[0])
	if err != nil {
		return nil
	}
	m := ir.Sizes{T: int(starts[len(starts)-1]), B: len(starts) - 1}.Dim(n.In[0].Type.Shape[0])
	for p := 0; p < n.In[1].Type.Shape[0].N; p++ {
		at := map[string]ir.Place{
			"c": {Operand: ir.Result, At: 16 * p}, "a": {Operand: 0}, "w": {Operand: 1, At: 16 * p * n.Int("k")},
			"bias": {Operand: 2, At: 16 * p}, "r": {Operand: added(n), At: 16 * p},
		}
		out = append(out, ir.Launch{Memory: at, Counts: map[string]int{"m": m, "ldc": ldc}})
	}
	return out
}

// added returns the number of the operand that a gemm adds to its product: plus, or else residual.
func added(n *ir.Node) int {
	if in(n, 4) != nil {
		return 4
	}
	return 3
}

// GemmNest returns the portable kernel of a gemm node for nc columns: 16 (one panel) or 32 (two consecutive panels). Its arguments are (c, a, w, bias, m,
// ldc). With a residual they are (c, a, w, bias, r, m, ldc). c, bias and r point at the first of these columns, w at their panels; rows of c and r are ldc
// floats apart. The kernel writes all nc columns, so the rows of c must have room for them. It does not read a missing bias, which may be nil.
func GemmNest(n *ir.Node, nc int) (*loop.Nest, error) {
	if nc != 16 && nc != 32 {
		return nil, fmt.Errorf("a kernel of %d columns, not of 16 or 32", nc)
	}
	k, lda, err := row(n.In[0])
	_, ldc, err2 := row(n.Out[0])
	if err := first(err, err2); err != nil {
		return nil, err
	}
	if ldc < round16(n.Int("n")) {
		return nil, fmt.Errorf("the rows of %s are %d apart, too near for whole panels of %d columns", n.Out[0].Name, ldc, n.Int("n"))
	}
	if v := in(n, added(n)); v != nil {
		if _, ld, err := row(v); err != nil || ld != ldc {
			return nil, fmt.Errorf("the rows of the residual %s are %d apart, the rows of %s are %d apart: both must be equal", v.Name, ld, n.Out[0].Name, ldc)
		}
	}
	g := gemmNest{n: n, pairs: n.Op == "gemm_bf16", k: k, nc: nc, lda: lda, bias: in(n, 2) != nil, residual: in(n, added(n)) != nil}
	args, terms := loop.Floats("c", "a", "w", "bias"), k
	if g.pairs {
		terms = 2 * k
		copy(args[1:], loop.Ints("a", "w"))
	}
	if g.residual {
		args = append(args, loop.Floats("r")...)
	}
	g.b = loop.New(fmt.Sprintf("c = %sa·w for m rows of %d columns, %d terms each.", n.Str("act"), nc, terms), append(args, loop.Counts("m", "ldc")...)...)
	if g.bias {
		g.b.Slice("add", "bias", loop.I(0), loop.I(nc))
	}
	m := loop.V("m")
	g.b.For("i", loop.I(0), loop.Sub(m, loop.I(1)), 2, func(i loop.Expr) { g.rows(i, 2, "") })
	g.b.If(loop.Bin{Op: "==", X: loop.Mod(m, loop.I(2)), Y: loop.I(1)}, func() { g.rows(loop.Sub(m, loop.I(1)), 1, "l") }, nil)
	return g.b.Nest()
}

// gemmNest writes the nest of one gemm.
type gemmNest struct {
	n              *ir.Node
	b              *loop.Builder
	pairs          bool // a and w hold pairs of bfloat16
	k, nc, lda     int
	bias, residual bool
}

// rows writes the computation of height rows from row i on, four columns at a time. Each element is one sum over k in order, independent of height. Names end
// in suffix.
func (g *gemmNest) rows(i loop.Expr, height int, suffix string) {
	b := g.b
	name := func(s string, r int) string { return fmt.Sprintf("%s%d%s", s, r, suffix) }
	for r := 0; r < height; r++ {
		at := loop.Add(i, loop.I(r))
		b.Slice(name("x", r), "a", loop.Mul(at, loop.I(g.lda)), loop.I(g.k))
		b.Slice(name("y", r), "c", loop.Mul(at, loop.V("ldc")), loop.I(g.nc))
		if g.residual {
			b.Slice(name("z", r), "r", loop.Mul(at, loop.V("ldc")), loop.I(g.nc))
		}
	}
	if g.nc == 16 {
		g.panel(loop.I(0), height, suffix, name)
	} else {
		b.For("p"+suffix, loop.I(0), loop.I(g.nc/16), 1, func(p loop.Expr) { g.panel(p, height, suffix, name) })
	}
}

// panel writes the 16 columns of panel p for the rows whose slices exist already. name returns the name of a variable of a row.
func (g *gemmNest) panel(p loop.Expr, height int, suffix string, name func(string, int) string) {
	b := g.b
	b.For("j"+suffix, loop.I(0), loop.I(16), 4, func(j loop.Expr) {
		panel := "panel" + suffix
		b.Slice(panel, "w", loop.Add(loop.Mul(p, loop.I(16*g.k)), j), loop.I(16*g.k-12))
		var sums []loop.Var // of row r and column c at 4·r + c
		for s := range 4 * height {
			sums = append(sums, b.Let(name("s", s), loop.F(0)))
		}
		b.For("t"+suffix, loop.I(0), loop.I(g.k), 1, func(t loop.Expr) {
			four := "four" + suffix
			b.Slice(four, panel, loop.Mul(t, loop.I(16)), loop.I(4))
			for r := 0; r < height; r++ {
				x := loop.At(name("x", r), t)
				if g.pairs {
					g.addPairs(sums[4*r:4*r+4], b.Let(name("v", r), loop.Fn("lower", x)), b.Let(name("u", r), loop.Fn("upper", x)), four)
					continue
				}
				v := b.Let(name("v", r), x)
				for c := 0; c < 4; c++ {
					b.AddTo(sums[4*r+c], loop.Mul(v, loop.At(four, loop.I(c))))
				}
			}
		})
		for r := 0; r < height; r++ {
			for c := 0; c < 4; c++ {
				g.finish(sums[4*r+c], name("y", r), name("z", r), loop.Add(loop.Mul(p, loop.I(16)), j, loop.I(c)))
			}
		}
	})
}

// addPairs adds the products of a pair of x, v and u, with four pairs of weights to their sums.
func (g *gemmNest) addPairs(sums []loop.Var, v, u loop.Expr, four string) {
	for c := range sums {
		w := loop.At(four, loop.I(c))
		g.b.AddTo(sums[c], loop.Add(loop.Mul(v, loop.Fn("lower", w)), loop.Mul(u, loop.Fn("upper", w))))
	}
}

// finish writes the last steps of one element: bias, residual, activation.
func (g *gemmNest) finish(sum loop.Var, y, z string, at loop.Expr) {
	if g.bias {
		g.b.AddTo(sum, loop.At("add", at))
	}
	v := loop.Expr(sum)
	act := g.n.Str("act")
	switch {
	case g.residual && act != "":
		g.b.AddTo(sum, loop.At(z, at))
	case g.residual:
		v = loop.Add(v, loop.At(z, at))
	}
	if act != "" {
		v = activations[act].lower(g.n, g.b, v)
	}
	g.b.Store(y, at, v)
}
