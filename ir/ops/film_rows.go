package ops

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// eachFilm calls visit with the row of each pair of a query and a candidate, and with the rows of both.
func eachFilm(in []*ir.Array, visit func(row, query, candidate int)) (rows int) {
	list, end := places(in)
	for _, p := range list {
		for q := range p.Queries {
			for i := range p.Candidates {
				visit(p.Pair+q*p.Candidates+i, p.Query+q, p.Candidate+i)
			}
		}
	}
	return end.Pair
}

// filmShapes checks the operands c, gain and shift from number i on.
func filmShapes(n *ir.Node, i int) (int, error) {
	w, err := fixedRows(n, i, ir.S)
	return w, first(err, shaped(n, i+1, ir.Q, ir.N(w)), placeShapes(n))
}

var _ = ir.Define(ir.Op{
	Name: "film_rows", Class: ir.Wordwise,
	Doc: "A row for each query and candidate of a sequence: the candidate's row times one plus the query's gain, plus the query's shift (FiLM, Perez et al. " +
		"2018), c (1 + gain) + shift, [S, N], [Q, N], [Q, N] → [X, N].",
	In: placed(float("c", "[S, N]"), float("gain", "[Q, N]"), float("shift", "[Q, N]")),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := filmShapes(n, 0)
		return []ir.Type{f32(ir.X, ir.N(w))}, first(err, shaped(n, 2, ir.Q, ir.N(w)))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		_, end := places(in)
		w, c, gain, shift := in[0].Shape[1], in[0].Floats(), in[1].Floats(), in[2].Floats()
		y := ir.NewArray(end.Pair, w)
		eachFilm(in, func(row, query, candidate int) {
			for j := range w {
				y.F[row*w+j] = c[candidate*w+j]*(1+gain[query*w+j]) + shift[query*w+j]
			}
		})
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return allResults(b, n, "film_rows_grad", nil, append([]*ir.Value{dy[0], n.In[0], n.In[1]}, n.In[3:]...)...)
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(3 * s.Elements(n.Out[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "y = c (1 + gain) + shift for a sequence's queries and candidates.", "c gain shift queries chosen", func(b *nest) {
			b.each("q", loop.V("queries"), func(q loop.Expr) {
				b.row("gq", "gain", q)
				b.row("sq", "shift", q)
				b.each("i", loop.V("chosen"), func(i loop.Expr) {
					b.row("ci", "c", i)
					b.row("yi", "y", b.pairRow(q, i))
					b.set("yi", b.cols["y"], func(j loop.Expr) loop.Expr {
						return loop.Add(loop.Mul(loop.At("ci", j), loop.Add(loop.F(1), loop.At("gq", j))), loop.At("sq", j))
					})
				})
			})
		})
	},
	Launches: placeLaunches(nil),
	Sample: samples(placeSample(nil, normal(ir.S, ir.N(5)), normal(ir.Q, ir.N(5)), normal(ir.Q, ir.N(5))),
		placeSample(nil, normal(ir.S, ir.N(16)), normal(ir.Q, ir.N(16)), normal(ir.Q, ir.N(16)))),
})

var _ = ir.Define(ir.Op{
	Name: "film_rows_grad", Class: ir.Wordwise,
	Doc: "The gradients of the operands of film_rows, [X, N], [S, N], [Q, N] → [S, N], [Q, N], [Q, N].",
	In:  placed(float("dy", "[X, N]"), float("c", "[S, N]"), float("gain", "[Q, N]")),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := filmShapes(n, 1)
		return []ir.Type{n.In[1].Type, n.In[2].Type, n.In[2].Type}, first(err, shaped(n, 0, ir.X, ir.N(w)))
	},
	Ref: func(_ *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		w, dy, c, gain := in[1].Shape[1], in[0].Floats(), in[1].Floats(), in[2].Floats()
		dc, dgain, dshift := ir.NewArray(in[1].Shape...), ir.NewArray(in[2].Shape...), ir.NewArray(in[2].Shape...)
		eachFilm(in, func(row, query, candidate int) {
			for j := range w {
				g := dy[row*w+j]
				dc.F[candidate*w+j] += g * (1 + gain[query*w+j])
				dgain.F[query*w+j] += g * c[candidate*w+j]
				dshift.F[query*w+j] += g
			}
		})
		return []*ir.Array{dc, dgain, dshift}, nil
	},
	Results: []string{"dc", "dgain", "dshift"},
	NoGrad:  onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: float64(6 * s.Elements(n.In[0].Type.Shape))}
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		return portable(n, "the gradients of film_rows for a sequence.", "dy c gain queries chosen", func(b *nest) {
			cols := b.cols["c"]
			b.clearRows("dc", loop.V("chosen"))
			b.each("q", loop.V("queries"), func(q loop.Expr) {
				for _, name := range []string{"gain", "dgain", "dshift"} {
					b.row(name+"q", name, q)
				}
				b.clear("dgainq", cols)
				b.clear("dshiftq", cols)
				b.each("i", loop.V("chosen"), func(i loop.Expr) {
					b.row("dyi", "dy", b.pairRow(q, i))
					b.row("ci", "c", i)
					b.row("dci", "dc", i)
					b.addTo("dci", cols, func(j loop.Expr) loop.Expr {
						return loop.Mul(loop.At("dyi", j), loop.Add(loop.F(1), loop.At("gainq", j)))
					})
					b.addTo("dgainq", cols, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("dyi", j), loop.At("ci", j)) })
					b.addTo("dshiftq", cols, of("dyi"))
				})
			})
		})
	},
	Launches: placeLaunches(nil),
	Sample: samples(placeSample(nil, normal(ir.X, ir.N(5)), normal(ir.S, ir.N(5)), normal(ir.Q, ir.N(5))),
		placeSample(nil, normal(ir.X, ir.N(16)), normal(ir.S, ir.N(16)), normal(ir.Q, ir.N(16)))),
})
