package ops

import (
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// The contrastive loss (van den Oord, Li and Vinyals 2018) compares the vectors of texts that come in groups. The first text of a group is its anchor, if there
// is another one: the next text of the group is the right one for it. All texts of the batch that are not anchors are candidates for each anchor.

// anchorIn tells which texts are anchors.
var anchorIn = constant(whole(float("anchor", "[M] 1 for an anchor, 0 for a candidate")))

// temperatureAttr divides similarities.
var temperatureAttr = ir.AttrDef{Name: "temperature", Type: ir.AttrFloat, Required: true, Doc: "products of vectors are divided by it"}

// rightOf returns the number of the right text for each anchor, and -1 for other texts.
func rightOf(group *ir.Array) ([]int, error) {
	list, err := groups(group, len(group.I))
	right := make([]int, len(group.I))
	for i := range right {
		right[i] = -1
	}
	for _, g := range list {
		if len(g) > 1 {
			right[g[0]] = g[1]
		}
	}
	return right, err
}

var _ = ir.Define(ir.Op{
	Name: "anchors", Class: ir.Reduction,
	Doc: "1 for each text that is the first of its group if the group has another one, and 0 for the others, [M] → [M].",
	In:  []ir.Operand{groupedIn},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, err := numbers(n, 0)
		return []ir.Type{f32(rows)}, err
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(in[0].Shape...)
		right, err := rightOf(in[0])
		for i, r := range right {
			if r >= 0 {
				y.F[i] = 1
			}
		}
		return []*ir.Array{y}, err
	},
	NoGrad: "its operand is integers",
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = 1 if number at+i is the first of a group of several, or 0, m numbers.", "group m at groupRows", func(b *nest) {
			b.all("of", "group", loop.V("groupRows"))
			b.all("ys", "y", loop.V("m"))
			b.rows(func(i loop.Expr) {
				r := b.Let("r", loop.Add(loop.V("at"), i))
				before, after := b.matches(r)
				v := b.Let("v", loop.F(0))
				b.If(loop.Bin{Op: "&&", X: loop.Less(before, loop.I(0)), Y: notBelow0(after)}, func() { b.Assign(v, loop.F(1)) }, nil)
				b.Store("ys", i, v)
			})
		})
	},
	Sample: samples(sample(nil, below(3, ir.T))),
})

// matches writes the number of the first text before text r that is in its group, and of the first one after it, or -1 where there is no such text. The groups
// lie in the window of.
func (b *nest) matches(r loop.Expr) (before, after loop.Var) {
	own := b.Let("own", loop.At("of", r))
	before, after = b.Let("before", loop.I(-1)), b.Let("after", loop.I(-1))
	b.each("k", loop.V("groupRows"), func(k loop.Expr) {
		b.If(loop.Bin{Op: "==", X: loop.At("of", k), Y: own}, func() {
			b.If(loop.Bin{Op: "&&", X: loop.Less(k, r), Y: loop.Less(before, loop.I(0))}, func() { b.Assign(before, k) }, nil)
			b.If(loop.Bin{Op: "&&", X: loop.Less(r, k), Y: loop.Less(after, loop.I(0))}, func() { b.Assign(after, k) }, nil)
		}, nil)
	})
	return before, after
}

var _ = ir.Define(ir.Op{
	Name: "contrast_logs", Class: ir.Reduction,
	Doc: "log Σ_j exp(x[i]·x[j] / temperature) over the candidates j for each anchor i, and 0 for candidates, [M, N], [M] → [M].",
	In:  []ir.Operand{whole(float("x", "[M, N]")), anchorIn}, Attrs: []ir.AttrDef{temperatureAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 0)
		return []ir.Type{f32(rows)}, first(err, shaped(n, 1, rows))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		c := contrastOf(n, in[0], in[1])
		y := ir.NewArray(len(c.anchor))
		for i := range y.F {
			if c.anchor[i] != 0 {
				y.F[i] = logSumExp(len(c.candidates), func(k int) float64 { return c.score(i, c.candidates[k]) })
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "contrast_logs_grad", n.Attrs, dy[0], n.In[0], n.In[1], n.Out[0]), nil}, b.Err()
	},
	Cost: contrastCost,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = the logarithm of the sum over the candidates for anchor at+i, m texts.", "x anchor m at xRows", func(b *nest) {
			b.all("is", "anchor", loop.V("xRows"))
			b.all("ys", "y", loop.V("m"))
			b.rows(func(i loop.Expr) {
				r := b.Let("r", loop.Add(loop.V("at"), i))
				v := b.Let("v", loop.F(0))
				b.If(loop.Less(loop.F(0), loop.At("is", r)), func() {
					b.row("xi", "x", r)
					top, sum, seen := b.Let("top", loop.F(0)), b.Let("sum", loop.F(0)), b.Let("seen", loop.I(0))
					b.others(func(j loop.Expr) {
						s := b.Let("s", b.similarity(n, "xi", "xj"))
						b.If(loop.Bin{Op: "==", X: seen, Y: loop.I(0)}, func() {
							b.Assign(top, s)
							b.Assign(seen, loop.I(1))
						}, nil)
						b.If(loop.Less(top, s), func() {
							b.Assign(sum, loop.Mul(sum, loop.Fn("exp", loop.Sub(top, s))))
							b.Assign(top, s)
						}, nil)
						b.AddTo(sum, loop.Fn("exp", loop.Sub(s, top)))
					})
					b.Assign(v, loop.Add(top, loop.Fn("log", sum)))
				}, nil)
				b.Store("ys", i, v)
			})
		})
	},
	Sample: samples(sample(attrs("temperature", 0.5), normal(ir.T, ir.N(5)), roles(ir.T)),
		sample(attrs("temperature", 2.0), normal(ir.B, ir.N(2)), roles(ir.B))),
})

// roles returns an operand that tells which texts are anchors: every other one.
func roles(dims ...ir.Dim) ir.Arg { return ir.Arg{Type: f32(dims...), Fill: ir.FillRole} }

// contrast is the operands of contrast_logs.
type contrast struct {
	x, anchor   []float64
	width       int
	temperature float64
	candidates  []int
}

// contrastOf returns the operands x and anchor of a node.
func contrastOf(n *ir.Node, x, anchor *ir.Array) *contrast {
	c := &contrast{x: x.Floats(), anchor: anchor.Floats(), width: x.Shape[1], temperature: n.Float("temperature")}
	for j, a := range c.anchor {
		if a == 0 {
			c.candidates = append(c.candidates, j)
		}
	}
	return c
}

// row returns the vector of a text.
func (c *contrast) row(i int) []float64 { return c.x[i*c.width:][:c.width] }

// score returns the similarity of two texts.
func (c *contrast) score(i, j int) float64 { return dot(c.row(i), c.row(j)) / c.temperature }

// contrastCost returns the work of the products of all pairs of texts.
func contrastCost(n *ir.Node, s ir.Sizes) ir.Cost {
	x := n.In[min(1, len(n.In)-2)].Type.Shape
	if len(x) < 2 {
		x = n.In[0].Type.Shape
	}
	return ir.Cost{FLOPs: 2 * float64(s.Elements(x)) * float64(s.Dim(x[0]))}
}

// others writes a loop over the candidates j, whose vectors are the window xj. The roles lie in the window is.
func (b *nest) others(write func(j loop.Expr)) {
	b.each("j", loop.V("xRows"), func(j loop.Expr) {
		b.If(loop.Bin{Op: "==", X: loop.At("is", j), Y: loop.F(0)}, func() {
			b.row("xj", "x", j)
			write(j)
		}, nil)
	})
}

// similarity writes the product of two windows, divided by the temperature.
func (b *nest) similarity(n *ir.Node, x, y string) loop.Expr {
	product := sumOf(b.Builder, "p", b.cols["x"], func(c loop.Expr) loop.Expr { return loop.Mul(loop.At(x, c), loop.At(y, c)) })
	return loop.Mul(product, loop.F(1/n.Float("temperature")))
}

var _ = ir.Define(ir.Op{
	Name: "contrast_logs_grad", Class: ir.Reduction,
	Doc: "The gradient of contrast_logs's vectors. With p_ij = exp(x[i]·x[j]/temperature - logs[i]) it is Σ_j dy[i]·p_ij·x[j] / temperature for an anchor i, " +
		"and Σ_i dy[i]·p_ij·x[i] / temperature for a candidate j, [M], [M, N], [M], [M] → [M, N].",
	In:    []ir.Operand{whole(float("dy", "[M]")), whole(float("x", "[M, N]")), anchorIn, whole(float("logs", "[M] what contrast_logs returned"))},
	Attrs: []ir.AttrDef{temperatureAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 1)
		return []ir.Type{n.In[1].Type}, first(err, shaped(n, 0, rows), shaped(n, 2, rows), shaped(n, 3, rows))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		c, dy, logs, y := contrastOf(n, in[1], in[2]), in[0].Floats(), in[3].Floats(), ir.NewArray(in[1].Shape...)
		for i := range dy {
			for _, j := range c.candidates {
				if c.anchor[i] != 0 {
					g := dy[i] * math.Exp(c.score(i, j)-logs[i]) / c.temperature
					addScaled(y.F[i*c.width:][:c.width], c.row(j), g)
					addScaled(y.F[j*c.width:][:c.width], c.row(i), g)
				}
			}
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: onlyFirst,
	Cost:   contrastCost,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = the gradient of vector at+i by the sums of all anchors, m vectors.", "dy x anchor logs m at xRows", func(b *nest) {
			b.all("is", "anchor", loop.V("xRows"))
			b.all("ds", "dy", loop.V("xRows"))
			b.all("ls", "logs", loop.V("xRows"))
			b.rows(func(i loop.Expr) {
				r := b.Let("r", loop.Add(loop.V("at"), i))
				own := b.Let("own", loop.At("is", r))
				b.row("yi", "y", i)
				b.clear("yi", b.cols["y"])
				b.row("xi", "x", r)
				b.each("j", loop.V("xRows"), func(j loop.Expr) { // an anchor and a candidate are added to each other
					role := b.Let("role", loop.At("is", j))
					b.If(loop.Less(loop.F(0), loop.Fn("abs", loop.Sub(role, own))), func() {
						b.row("xj", "x", j)
						s := b.Let("s", b.similarity(n, "xi", "xj"))
						g, logs := b.Let("g", loop.At("ds", j)), b.Let("l", loop.At("ls", j))
						b.If(loop.Less(role, own), func() {
							b.Assign(g, loop.At("ds", r))
							b.Assign(logs, loop.At("ls", r))
						}, nil)
						by := b.Let("by", loop.Mul(loop.Mul(g, loop.F(1/n.Float("temperature"))), loop.Fn("exp", loop.Sub(s, logs))))
						b.set("yi", b.cols["y"], func(c loop.Expr) loop.Expr { return loop.Add(loop.At("yi", c), loop.Mul(by, loop.At("xj", c))) })
					}, nil)
				})
			})
		})
	},
	Sample: samples(sample(attrs("temperature", 0.5), normal(ir.T), normal(ir.T, ir.N(5)), roles(ir.T), positive(ir.T))),
})

var _ = ir.Define(ir.Op{
	Name: "pair_score", Class: ir.Reduction,
	Doc: "The product of the vectors of each anchor and its right text, divided by the temperature, and 0 for texts that are not anchors, [M, N], [M] → [M].",
	In:  []ir.Operand{whole(float("x", "[M, N]")), groupedIn}, Attrs: []ir.AttrDef{temperatureAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 0)
		return []ir.Type{f32(rows)}, first(err, shaped(n, 1, rows))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y := ir.NewArray(in[1].Shape...)
		c := contrastOf(n, in[0], y)
		right, err := rightOf(in[1])
		for i, r := range right {
			if r >= 0 {
				y.F[i] = c.score(i, r)
			}
		}
		return []*ir.Array{y}, err
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "pair_score_grad", n.Attrs, dy[0], n.In[0], n.In[1]), nil}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = the product of the vectors of anchor at+i and its right text, m texts.", "x group m at groupRows", func(b *nest) {
			b.all("of", "group", loop.V("groupRows"))
			b.all("ys", "y", loop.V("m"))
			b.rows(func(i loop.Expr) {
				r := b.Let("r", loop.Add(loop.V("at"), i))
				before, after := b.matches(r)
				v := b.Let("v", loop.F(0))
				b.If(loop.Bin{Op: "&&", X: loop.Less(before, loop.I(0)), Y: notBelow0(after)}, func() {
					b.row("xi", "x", r)
					b.row("xj", "x", after)
					b.Assign(v, b.similarity(n, "xi", "xj"))
				}, nil)
				b.Store("ys", i, v)
			})
		})
	},
	Sample: samples(sample(attrs("temperature", 0.5), normal(ir.T, ir.N(5)), below(3, ir.T)),
		sample(attrs("temperature", 0.25), normal(ir.B, ir.N(17)), below(2, ir.B))),
})

var _ = ir.Define(ir.Op{
	Name: "pair_score_grad", Class: ir.Reduction,
	Doc: "The gradient of pair_score's vectors: dy of an anchor, divided by the temperature, times the vector of the other one, for the anchor and for its " +
		"right text, [M], [M, N], [M] → [M, N].",
	In:    []ir.Operand{whole(float("dy", "[M]")), whole(float("x", "[M, N]")), groupedIn},
	Attrs: []ir.AttrDef{temperatureAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		rows, _, err := matrix(n, 1)
		return []ir.Type{n.In[1].Type}, first(err, shaped(n, 0, rows), shaped(n, 2, rows))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		y, dy := ir.NewArray(in[1].Shape...), in[0].Floats()
		c := contrastOf(n, in[1], in[0])
		right, err := rightOf(in[2])
		for i, r := range right {
			if r >= 0 {
				addScaled(y.F[i*c.width:][:c.width], c.row(r), dy[i]/c.temperature)
				addScaled(y.F[r*c.width:][:c.width], c.row(i), dy[i]/c.temperature)
			}
		}
		return []*ir.Array{y}, err
	},
	NoGrad: onlyFirst,
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y[i] = the gradient of vector at+i by the products of anchors with their right texts, m vectors.", "dy x group m at groupRows",
			func(b *nest) {
				b.all("of", "group", loop.V("groupRows"))
				b.all("ds", "dy", loop.V("groupRows"))
				b.rows(func(i loop.Expr) {
					r := b.Let("r", loop.Add(loop.V("at"), i))
					before, after := b.matches(r)
					b.row("yi", "y", i)
					b.clear("yi", b.cols["y"])
					add := func(other, anchor loop.Expr) {
						b.row("xj", "x", other)
						by := b.Let("by", loop.Mul(loop.At("ds", anchor), loop.F(1/n.Float("temperature"))))
						b.set("yi", b.cols["y"], func(c loop.Expr) loop.Expr { return loop.Mul(by, loop.At("xj", c)) })
					}
					b.If(loop.Bin{Op: "&&", X: loop.Less(before, loop.I(0)), Y: notBelow0(after)}, func() { add(after, r) }, nil)
					b.If(notBelow0(before), func() { // the right text is the first one after the anchor
						between := b.Let("between", loop.I(0))
						b.For("q", loop.Add(before, loop.I(1)), r, 1, func(q loop.Expr) {
							b.If(loop.Bin{Op: "==", X: loop.At("of", q), Y: loop.At("of", r)}, func() { b.AddTo(between, loop.I(1)) }, nil)
						})
						b.If(loop.Bin{Op: "==", X: between, Y: loop.I(0)}, func() { add(before, before) }, nil)
					}, nil)
				})
			})
	},
	Sample: samples(sample(attrs("temperature", 0.5), normal(ir.T), normal(ir.T, ir.N(5)), below(3, ir.T))),
})
