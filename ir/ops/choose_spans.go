package ops

import (
	"cmp"
	"math"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/runtime/ragged"
)

// reserved is the priority of a span that is among the best of a query, before its place among these is added.
const reserved = 5000

var _ = ir.Define(ir.Op{
	Name: "choose_spans", Class: ir.Wordwise,
	Doc: "The candidates of each sequence, sorted. Spans are looked for from the `top` boundaries with the greatest start of any query to the `top` ones " +
		"with the greatest end. A span's priority is start + end + a·b/√N, with the greatest start and end of any query. The `least` best spans of each " +
		"query by its own start and end stand before all others, better ones first; of equal ones, that with the greater start of any query, then end. " +
		"Ties: the span that starts first, then that which ends first. Rows without a span are 0, 0, [R, 3], [U, N], [U, N] → [S, 2].",
	In: placed(float("scores", "[R, 3], see boundary_scores"), float("a", "[U, N]"), float("b", "[U, N]")),
	Attrs: []ir.AttrDef{
		{Name: "top", Type: ir.AttrInt, Required: true, Doc: "boundaries that spans start from or end at"},
		{Name: "least", Type: ir.AttrInt, Required: true, Doc: "spans of each query that stand before all others"},
	},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := fixedRows(n, 1, ir.U)
		return []ir.Type{f32(ir.S, ir.N(2))}, first(err, shaped(n, 0, ir.R, ir.N(SpanColumns)), shaped(n, 2, ir.U, ir.N(w)), placeShapes(n))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, end := places(in)
		y := ir.NewArray(end.Candidate, 2)
		for _, p := range list {
			for i, s := range choose(p, in, n.Int("top"), n.Int("least")) {
				y.F[2*(p.Candidate+i)], y.F[2*(p.Candidate+i)+1] = float64(s.from), float64(s.to)
			}
		}
		return []*ir.Array{y}, nil
	},
	NoGrad: "a choice has no gradient; what is computed of the chosen spans has one",
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		top := float64(min(n.Int("top"), s.N+1))
		return ir.Cost{FLOPs: float64(s.B) * top * top * float64(2*width(n.In[1])+4*n.Int("least"))}
	},
	Lower:    lowerChooseSpans,
	Launches: placeLaunches(func(n *ir.Node, p ragged.SpanPlace) int { return ChooseScratch(n.Int("top"), p.Words) }),
	Sample: samples(
		placeSample(attrs("top", 3, "least", 1), normal(ir.R, ir.N(3)), normal(ir.U, ir.N(5)), normal(ir.U, ir.N(5))),
		placeSample(attrs("top", 20, "least", 0), normal(ir.R, ir.N(3)), normal(ir.U, ir.N(16)), normal(ir.U, ir.N(16))),
		placeSample(attrs("top", 4, "least", 9), normal(ir.R, ir.N(3)), normal(ir.U, ir.N(5)), normal(ir.U, ir.N(5))),
		placeSample(attrs("top", 5, "least", 2), ir.Arg{Type: f32(ir.R, ir.N(3)), Fill: ir.FillRole}, zeros(ir.U, ir.N(5)), normal(ir.U, ir.N(5)))),
})

// zeros returns an operand of zeros.
func zeros(dims ...ir.Dim) ir.Arg { return ir.Arg{Type: f32(dims...), Fill: ir.FillZero} }

// choose returns the candidates of one sequence.
func choose(p ragged.SpanPlace, in []*ir.Array, top, least int) []span {
	bounds, w := p.Words+1, in[1].Shape[1]
	score := func(q, i, side int) float64 { return in[0].Floats()[(p.Score+q*bounds+i)*SpanColumns+side] }
	best := func(side int) (value []float64, order []int) {
		for i := range bounds {
			v := math.Inf(-1)
			for q := range p.Queries {
				v = max(v, score(q, i, side))
			}
			value, order = append(value, v), append(order, i)
		}
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(value[j], value[i]) })
		return value, order[:min(top, bounds)]
	}
	start, from := best(0)
	end, to := best(1)
	type pair struct {
		span
		prior, rank, priority float64
	}
	var list []pair
	for _, s := range from {
		for _, e := range to {
			if s < e {
				prior := dot(in[1].Floats()[(p.Bound+s)*w:][:w], in[2].Floats()[(p.Bound+e)*w:][:w]) / math.Sqrt(float64(w))
				list = append(list, pair{span{s, e, true}, prior, 0, prior + start[s] + end[e]})
			}
		}
	}
	quota := min(least, len(from)*len(to))
	for q := range p.Queries {
		order := make([]int, len(list))
		for i := range order {
			order[i] = i
		}
		own := func(i int) float64 { return score(q, list[i].from, 0) + score(q, list[i].to, 1) + list[i].prior }
		slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(own(j), own(i)) })
		for r, i := range order[:min(quota, len(order))] {
			list[i].rank = max(list[i].rank, float64(quota-r))
			list[i].priority = reserved + list[i].rank
		}
	}
	before := func(a, b pair) int { return cmp.Or(cmp.Compare(a.from, b.from), cmp.Compare(a.to, b.to)) }
	slices.SortFunc(list, func(a, b pair) int { return cmp.Or(cmp.Compare(b.priority, a.priority), before(a, b)) })
	list = list[:min(len(list), p.Candidates)]
	slices.SortFunc(list, before)
	var out []span
	for _, s := range list {
		out = append(out, s.span)
	}
	return out
}

// ChooseScratch returns how many floats the kernel of choose_spans may use as scratch memory for a sequence of words: two for each boundary, two for each
// boundary that is looked at, and four for each pair of these.
func ChooseScratch(top, words int) int {
	k := min(top, words+1)
	return ChooseBounds*(words+1) + ChooseLooked*k + ChoosePairs*k*k
}

// The numbers of floats of ChooseScratch:
const (
	ChooseBounds = 2 // for each boundary
	ChooseLooked = 2 // for each boundary that is looked at
	ChoosePairs  = 4 // for each pair of these
)

// The states of a pair in the window taken. A pair that is taken has the last one or a greater number.
var (
	isFree  = loop.F(0)
	isOut   = loop.F(1)
	isTaken = loop.F(2)
)

// chooser writes the portable form of choose_spans. Pairs are those of the k boundaries where spans start and of the k ones where they end.
type chooser struct {
	*nest
	bounds, k, pairs loop.Var
}

// lowerChooseSpans returns the portable form for one sequence.
func lowerChooseSpans(n *ir.Node) (*loop.Nest, error) {
	return portable(n, "y = the candidates of a sequence.", "scores a b scratch words queries chosen", func(b *nest) {
		c := chooser{nest: b, bounds: b.Let("bounds", loop.Add(loop.V("words"), loop.I(1)))}
		c.k = b.Let("k", loop.Fn("min", c.bounds, loop.I(n.Int("top"))))
		c.pairs = b.Let("pairs", loop.Mul(c.k, c.k))
		at := b.Let("place", loop.I(0))
		for _, w := range []struct {
			name string
			size loop.Expr
		}{{"start", c.bounds}, {"end", c.bounds}, {"froms", c.k}, {"tos", c.k}, {"prior", c.pairs}, {"priority", c.pairs}, {"own", c.pairs},
			{"taken", c.pairs}} {
			b.Slice(w.name, scratchArg, at, w.size)
			b.Assign(at, loop.Add(at, w.size))
		}
		c.look("start", "froms", 0)
		c.look("end", "tos", 1)
		c.priors()
		b.each("q", loop.V("queries"), func(q loop.Expr) { c.reserve(q, loop.Fn("min", loop.I(n.Int("least")), c.pairs)) })
		c.take()
		c.list()
	})
}

// look writes the greatest score of any query for each boundary, and the k boundaries with the greatest ones in falling order; of equal ones the first comes
// first.
func (c *chooser) look(values, into string, side int) {
	c.each("i", c.bounds, func(i loop.Expr) {
		best := c.Let("best", loop.F(-math.MaxFloat32))
		c.each("q", loop.V("queries"), func(q loop.Expr) {
			c.row("scored", "scores", c.scoreRow(q, i))
			c.Assign(best, loop.Fn("max", best, loop.At("scored", loop.I(side))))
		})
		c.Store(values, i, best)
	})
	c.each("r", c.k, func(r loop.Expr) {
		best := c.Let("best", loop.Sub(loop.I(0), loop.I(1)))
		c.each("i", c.bounds, func(i loop.Expr) {
			again := c.Let("again", loop.I(0)) // whether the boundary was found before
			c.each("o", r, func(o loop.Expr) {
				c.If(equal(loop.Fn("int", loop.At(into, o)), i), func() { c.Assign(again, loop.I(1)) }, nil)
			})
			c.If(equal(again, loop.I(0)), func() { c.better(best, i, values, nil) }, nil)
		})
		c.Store(into, r, loop.Fn("float", best))
	})
}

// better writes that best becomes i if it is -1 or if the number of i is greater; for equal numbers, tie is written, unless it is nil.
func (c *chooser) better(best loop.Var, i loop.Expr, values string, tie func()) {
	c.If(loop.Less(best, loop.I(0)), func() { c.Assign(best, i) }, func() {
		c.If(loop.Less(loop.At(values, best), loop.At(values, i)), func() { c.Assign(best, i) }, func() {
			if tie != nil {
				c.If(equal(loop.At(values, best), loop.At(values, i)), tie, nil)
			}
		})
	})
}

// equal returns the condition x = y.
func equal(x, y loop.Expr) loop.Expr { return loop.Bin{Op: "==", X: x, Y: y} }

// ends returns the boundaries of pair i.
func (c *chooser) ends(i loop.Expr) (from, to loop.Var) {
	from = c.Let("from", loop.Fn("int", loop.At("froms", loop.Div(i, c.k))))
	return from, c.Let("to", loop.Fn("int", loop.At("tos", loop.Mod(i, c.k))))
}

// priors writes the product of each pair that is a span. The priority of such a pair is 0, that of others is -1.
func (c *chooser) priors() {
	cols := c.cols["a"]
	c.each("i", c.pairs, func(i loop.Expr) {
		from, to := c.ends(i)
		c.Store("priority", i, loop.F(-1))
		c.If(loop.Less(from, to), func() {
			c.row("af", "a", from)
			c.row("bt", "b", to)
			s := sumOf(c.Builder, "s", cols, func(j loop.Expr) loop.Expr { return loop.Mul(loop.At("af", j), loop.At("bt", j)) })
			c.Store("prior", i, loop.Mul(s, loop.F(1/math.Sqrt(float64(cols)))))
			c.Store("priority", i, loop.F(0))
		}, nil)
	})
}

// reserve writes a priority above all others for the quota best spans of a query.
func (c *chooser) reserve(q, quota loop.Expr) {
	most := c.Let("most", quota)
	c.each("i", c.pairs, func(i loop.Expr) {
		c.Store("taken", i, isOut)
		c.If(loop.Bin{Op: "<=", X: loop.F(0), Y: loop.At("priority", i)}, func() {
			from, to := c.ends(i)
			c.row("first", "scores", c.scoreRow(q, from))
			c.row("last", "scores", c.scoreRow(q, to))
			c.Store("own", i, loop.Add(loop.Add(loop.At("first", loop.I(0)), loop.At("last", loop.I(1))), loop.At("prior", i)))
			c.Store("taken", i, isFree)
		}, nil)
	})
	c.each("r", most, func(r loop.Expr) {
		best := c.Let("best", loop.Sub(loop.I(0), loop.I(1)))
		c.each("i", c.pairs, func(i loop.Expr) {
			c.If(equal(loop.At("taken", i), isFree), func() { c.better(best, i, "own", nil) }, nil)
		})
		c.If(loop.Bin{Op: "<=", X: loop.I(0), Y: best}, func() {
			rank := loop.Fn("float", loop.Add(loop.I(reserved), loop.Sub(most, r)))
			c.Store("priority", best, loop.Fn("max", loop.At("priority", best), rank))
			c.Store("taken", best, isOut)
		}, nil)
	})
}

// take marks the spans with the highest priorities as taken. If all of them are, none is compared.
func (c *chooser) take() {
	spans := c.Let("count", loop.I(0))
	c.each("i", c.pairs, func(i loop.Expr) {
		c.Store("taken", i, isOut)
		c.If(loop.Bin{Op: "<=", X: loop.F(0), Y: loop.At("priority", i)}, func() {
			c.Assign(spans, loop.Add(spans, loop.I(1)))
			c.Store("taken", i, isFree)
			c.If(equal(loop.At("priority", i), loop.F(0)), func() {
				from, to := c.ends(i)
				c.Store("priority", i, loop.Add(loop.Add(loop.At("prior", i), loop.At("start", from)), loop.At("end", to)))
			}, nil)
		}, nil)
	})
	c.If(loop.Bin{Op: "<=", X: spans, Y: loop.V("chosen")}, func() {
		c.each("i", c.pairs, func(i loop.Expr) {
			c.If(equal(loop.At("taken", i), isFree), func() { c.Store("taken", i, isTaken) }, nil)
		})
	}, func() {
		c.each("r", loop.V("chosen"), func(r loop.Expr) {
			best := c.Let("best", loop.Sub(loop.I(0), loop.I(1)))
			c.each("i", c.pairs, func(i loop.Expr) {
				c.If(equal(loop.At("taken", i), isFree), func() {
					c.better(best, i, "priority", func() {
						c.If(loop.Less(c.order(i), c.order(best)), func() { c.Assign(best, i) }, nil)
					})
				}, nil)
			})
			c.Store("taken", best, loop.Add(isTaken, loop.Fn("float", r)))
		})
	})
}

// order returns the place of pair i among all spans, by where they start and then by where they end.
func (c *chooser) order(i loop.Expr) loop.Expr {
	from, to := c.ends(i)
	return loop.Add(loop.Mul(from, c.bounds), to)
}

// list writes the spans that are taken, sorted, and 0, 0 in the rows that are left. The windows start and end become the numbers of boundaries among those
// that are looked at, or -1.
func (c *chooser) list() {
	c.each("i", c.bounds, func(i loop.Expr) {
		c.Store("start", i, loop.F(-1))
		c.Store("end", i, loop.F(-1))
	})
	c.each("r", c.k, func(r loop.Expr) {
		c.Store("start", loop.Fn("int", loop.At("froms", r)), loop.Fn("float", r))
		c.Store("end", loop.Fn("int", loop.At("tos", r)), loop.Fn("float", r))
	})
	rows := c.Let("rows", loop.I(0))
	write := func(row, from, to loop.Expr) {
		c.row("out", "y", row)
		c.Store("out", loop.I(0), loop.Fn("float", from))
		c.Store("out", loop.I(1), loop.Fn("float", to))
	}
	c.each("from", c.bounds, func(from loop.Expr) {
		f := c.Let("f", loop.Fn("int", loop.At("start", from)))
		c.If(loop.Bin{Op: "<=", X: loop.I(0), Y: f}, func() {
			c.For("to", loop.Add(from, loop.I(1)), c.bounds, 1, func(to loop.Expr) {
				t := c.Let("t", loop.Fn("int", loop.At("end", to)))
				c.If(loop.Bin{Op: "<=", X: loop.I(0), Y: t}, func() {
					c.If(loop.Bin{Op: "<=", X: isTaken, Y: loop.At("taken", loop.Add(loop.Mul(f, c.k), t))}, func() {
						write(rows, from, to)
						c.Assign(rows, loop.Add(rows, loop.I(1)))
					}, nil)
				}, nil)
			})
		}, nil)
	})
	c.For("r", rows, loop.V("chosen"), 1, func(r loop.Expr) { write(r, loop.I(0), loop.I(0)) })
}
