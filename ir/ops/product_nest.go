package ops

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// ProductColumns is the number of columns of the result that one call of the form of a product computes. A product whose first matrix is transposed takes
// blocks, see [ProductBlock].
const ProductColumns = 32

// ProductChunk is the greatest number of terms that a product with natural weights adds before it adds them to the result. Panels of this many terms stay in
// the second cache.
const ProductChunk = 4096

// Scratch returns the floats of memory that a call needs for a product with panels: two panels, and zeros in place of a missing bias. The portable form of a
// product of pairs holds panels of all terms as floats.
func (p Product) Scratch() int {
	if p.Pairs {
		return (2*p.PairTerms() + 1) * ProductColumns
	}
	return (min(p.Terms, ProductChunk) + 1) * ProductColumns
}

// ProductBlock returns the rows and columns of a block of the result of a product whose first matrix is transposed. Blocks of a large matrix have nearly equal
// heights.
func ProductBlock(n *ir.Node) (rows, cols int) {
	const most, tile = 168, 14
	m := n.Out[0].Type.Shape[0].N
	blocks := (m + most - 1) / most
	return ((m+blocks-1)/blocks + tile - 1) / tile * tile, 128
}

// Product is a product node as its form sees it.
type Product struct {
	TA, TB     bool      // the first or second matrix is transposed
	Pairs      bool      // the first matrix, and the second one of a transposed product, hold pairs of bfloat16
	Bias, Plus *ir.Value // or nil
	Terms      int       // of each sum; 0 if they depend on the batch

	a, b string // names of the operands in the nest
}

// ProductOf returns the product of a node of the op linear, matmul, product_bf16 or product_tn_bf16, or why there is no form for it.
func ProductOf(n *ir.Node) (p Product, err error) {
	p = Product{a: "x", b: "w", TB: true, Bias: in(n, 2), Plus: in(n, 3)}
	inner := n.In[0].Type.Shape[1]
	switch n.Op {
	case "matmul":
		p = Product{a: "a", b: "b", TA: n.Flag("ta"), TB: n.Flag("tb"), Plus: in(n, 2)}
	case "product_bf16":
		p.Pairs, p.TB = true, n.Flag("tb")
		if inner = n.In[1].Type.Shape[0]; p.TB {
			inner = n.In[1].Type.Shape[1]
		}
	case "product_tn_bf16":
		p = Product{a: "a", b: "b", TA: true, Pairs: true, Plus: in(n, 2)}
	}
	if p.TA {
		inner = n.In[0].Type.Shape[0]
	}
	if p.Terms = inner.N; !p.Blocks() && !inner.Const() {
		return p, fmt.Errorf("the terms of %s depend on the batch: only a product with ta and without tb has code for that", n.Out[0].Name)
	}
	if shape := n.Out[0].Type.Shape; p.Blocks() && !shape[0].Const() {
		return p, fmt.Errorf("%s is %s: the result of a product with ta has a fixed size", n.Out[0].Name, n.Out[0].Type)
	}
	if p.Plus != nil {
		_, ld, err := row(n.Out[0])
		if _, plus, err2 := row(p.Plus); first(err, err2) == nil && ld != plus {
			return p, fmt.Errorf("the rows of %s are %d apart, those of %s %d: both must be equal", n.Out[0].Name, ld, p.Plus.Name, plus)
		}
	}
	return p, nil
}

// Names returns the names of the operands in the form.
func (p Product) Names() (a, b string) { return p.a, p.b }

// Blocks reports whether the calls of the node's form compute blocks of the result: its first matrix alone is transposed.
func (p Product) Blocks() bool { return p.TA && !p.TB }

// lowerProduct returns the portable form of a product, which reads both matrices as they lie. If the first matrix alone is transposed, it computes a block of
// the result; its arguments are (y, a, b, rows, cols, terms). Else it computes all m rows of cols columns; its arguments are (y, x, w, bias, scratch, m, cols),
// or for matmul (y, a, b, scratch, m, cols). Each element is one sum in ascending order. With plus it adds to y.
func lowerProduct(n *ir.Node) (*loop.Nest, error) {
	p, err := ProductOf(n)
	if err != nil {
		return nil, err
	}
	_, lda, err := row(n.In[0])
	_, ldb, err2 := row(n.In[1])
	_, ldy, err3 := row(n.Out[0])
	if err := first(err, err2, err3); err != nil {
		return nil, err
	}
	g := &productNest{Product: p, lda: lda, ldb: ldb, ldy: ldy}
	if p.Blocks() {
		matrices := loop.Floats("a", "b")
		if p.Pairs {
			matrices = loop.Ints("a", "b")
		}
		g.Builder = loop.New("y = aᵀ·b for a block of rows and columns of the result.",
			slices.Concat(loop.Floats("y"), matrices, loop.Counts("rows", "cols", "terms"))...)
		if p.Pairs {
			g.blockOfPairs()
		} else {
			g.block()
		}
		return g.Nest()
	}
	args := loop.Floats("y", p.a, p.b)
	if p.Pairs {
		args[1].Kind = loop.IntPtr
	}
	if n.Op != "matmul" {
		args = append(args, loop.Floats("bias")...)
	}
	g.Builder = loop.New(fmt.Sprintf("y = %s for m rows of cols columns, %d terms each.", p.formula(), p.Terms),
		append(append(args, loop.Floats("scratch")...), loop.Counts("m", "cols")...)...)
	switch {
	case p.Pairs:
		g.sumsOfPairs()
	case p.TB && !p.TA:
		g.dots()
	default:
		g.sums()
	}
	return g.Nest()
}

// formula returns the product in words of mathematics.
func (p Product) formula() string {
	s := p.a + "·" + p.b
	if p.TA {
		s = p.a + "ᵀ·" + p.b
	}
	if p.TB {
		s += "ᵀ"
	}
	if p.Bias != nil {
		s += " + bias"
	}
	return s
}

// productNest writes the portable form of a product.
type productNest struct {
	Product
	*loop.Builder
	lda, ldb, ldy int
}

// block writes the block of a transposed product: term by term, so that both matrices are read in order.
func (g *productNest) block() {
	rows, cols := loop.V("rows"), loop.V("cols")
	if g.Plus == nil {
		g.clearBlock()
	}
	g.For("t", loop.I(0), loop.V("terms"), 1, func(t loop.Expr) {
		g.Slice("at", "a", loop.Mul(t, loop.I(g.lda)), rows)
		g.Slice("bt", "b", loop.Mul(t, loop.I(g.ldb)), cols)
		g.For("n", loop.I(0), rows, 1, func(n loop.Expr) {
			v := g.Let("v", loop.At("at", n))
			g.Slice("yt", "y", loop.Mul(n, loop.I(g.ldy)), cols)
			g.For("k", loop.I(0), cols, 1, func(k loop.Expr) {
				g.Store("yt", k, loop.Add(loop.At("yt", k), loop.Mul(v, loop.At("bt", k))))
			})
		})
	})
}

// clearBlock writes zeros to a block of the result.
func (g *productNest) clearBlock() {
	g.For("n", loop.I(0), loop.V("rows"), 1, func(n loop.Expr) {
		g.Slice("yn", "y", loop.Mul(n, loop.I(g.ldy)), loop.V("cols"))
		g.For("k", loop.I(0), loop.V("cols"), 1, func(k loop.Expr) { g.Store("yn", k, loop.F(0)) })
	})
}

// dots writes the product with rows of b, four of them at a time.
func (g *productNest) dots() {
	cols := loop.V("cols")
	whole := g.Let("whole", loop.Sub(cols, loop.Mod(cols, loop.I(4))))
	g.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
		g.Slice("ai", g.a, loop.Mul(i, loop.I(g.lda)), loop.I(g.Terms))
		g.Slice("yi", "y", loop.Mul(i, loop.I(g.ldy)), cols)
		if g.Bias != nil {
			g.Slice("add", "bias", loop.I(0), cols)
		}
		g.For("j", loop.I(0), whole, 4, func(j loop.Expr) { g.dot(j, 4) })
		g.For("j", whole, cols, 1, func(j loop.Expr) { g.dot(j, 1) })
	})
}

// dot writes count columns of row i from column j on.
func (g *productNest) dot(j loop.Expr, count int) {
	var sums []loop.Var
	for c := range count {
		sums = append(sums, g.Let(fmt.Sprintf("s%d", c), loop.F(0)))
		g.Slice(fmt.Sprintf("b%d", c), g.b, loop.Mul(loop.Add(j, loop.I(c)), loop.I(g.ldb)), loop.I(g.Terms))
	}
	g.For("t", loop.I(0), loop.I(g.Terms), 1, func(t loop.Expr) {
		v := g.Let("v", loop.At("ai", t))
		for c, s := range sums {
			g.AddTo(s, loop.Mul(v, loop.At(fmt.Sprintf("b%d", c), t)))
		}
	})
	for c, s := range sums {
		at, sum := loop.Add(j, loop.I(c)), loop.Expr(s)
		if g.Bias != nil {
			sum = loop.Add(sum, loop.At("add", at))
		}
		if g.Plus != nil {
			sum = loop.Add(sum, loop.At("yi", at))
		}
		g.Store("yi", at, sum)
	}
}

// sums writes the product with columns of b: the row of the result grows term by term.
func (g *productNest) sums() {
	cols := loop.V("cols")
	g.For("i", loop.I(0), loop.V("m"), 1, func(i loop.Expr) {
		g.Slice("yi", "y", loop.Mul(i, loop.I(g.ldy)), cols)
		if g.Plus == nil {
			g.For("j", loop.I(0), cols, 1, func(j loop.Expr) { g.Store("yi", j, loop.F(0)) })
		}
		if !g.TA {
			g.Slice("ai", g.a, loop.Mul(i, loop.I(g.lda)), loop.I(g.Terms))
		}
		g.For("t", loop.I(0), loop.I(g.Terms), 1, func(t loop.Expr) {
			if g.TA {
				g.Slice("ai", g.a, loop.Add(loop.Mul(t, loop.I(g.lda)), i), loop.I(1))
				t0 := g.Let("v", loop.At("ai", loop.I(0)))
				g.For("j", loop.I(0), cols, 1, func(j loop.Expr) {
					g.Slice("bj", g.b, loop.Add(loop.Mul(j, loop.I(g.ldb)), t), loop.I(1))
					g.Store("yi", j, loop.Add(loop.At("yi", j), loop.Mul(t0, loop.At("bj", loop.I(0)))))
				})
				return
			}
			v := g.Let("v", loop.At("ai", t))
			g.Slice("bt", g.b, loop.Mul(t, loop.I(g.ldb)), cols)
			g.For("j", loop.I(0), cols, 1, func(j loop.Expr) {
				g.Store("yi", j, loop.Add(loop.At("yi", j), loop.Mul(v, loop.At("bt", j))))
			})
		})
	})
}

// launchProduct returns the calls of the portable form: blocks of the result, or blocks of its columns.
func launchProduct(n *ir.Node, _ []int32, operands []*ir.Array) []ir.Launch {
	p, err := ProductOf(n)
	_, ldb, err2 := row(n.In[1])
	cols, ldy, err3 := row(n.Out[0])
	if first(err, err2, err3) != nil {
		return nil
	}
	y := ir.Result
	if p.Plus != nil {
		y = len(n.In) - 1
	}
	var out []ir.Launch
	if p.Blocks() {
		height, width := ProductBlock(n)
		rows := n.Out[0].Type.Shape[0].N
		for i := 0; i < rows; i += height {
			for j := 0; j < cols; j += width {
				out = append(out, ir.Launch{
					Memory: map[string]ir.Place{"y": {Operand: y, At: i*ldy + j}, "a": {Operand: 0, At: i}, "b": {Operand: 1, At: j}},
					Counts: map[string]int{"rows": min(height, rows-i), "cols": min(width, cols-j), "terms": operands[0].Shape[0]}})
			}
		}
		return out
	}
	m := operands[0].Shape[0]
	if p.TA {
		m = operands[0].Shape[1]
	}
	for j := 0; j < cols; j += ProductColumns {
		right := j
		if p.TB {
			right = j * ldb
		}
		at := map[string]ir.Place{"y": {Operand: y, At: j}, p.a: {Operand: 0}, p.b: {Operand: 1, At: right},
			"scratch": {Operand: ir.Scratch, At: p.Scratch()}}
		if p.Bias != nil {
			at["bias"] = ir.Place{Operand: 2, At: j}
		}
		out = append(out, ir.Launch{Memory: at, Counts: map[string]int{"m": m, "cols": min(ProductColumns, cols-j)}})
	}
	return out
}

// plusInPlace is InPlace of ops that add to their operand plus, which is at index i.
func plusInPlace(i int) func(n *ir.Node) []int {
	return func(n *ir.Node) []int {
		if in(n, i) == nil {
			return []int{-1}
		}
		return []int{i}
	}
}
