package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

var _ = ir.Define(ir.Op{
	Name: "pool_text_grad", Class: ir.Sequencewise,
	Doc: "The gradient of pool_text: what each row of a text adds to the pooled row, and zeros in other rows. Of several largest numbers of a column, the " +
		"first one counts, [B, N], [T, N], [B+1], [B] → [T, N].",
	In:    []ir.Operand{float("dy", "[B, N]"), float("x", "[T, N], what was pooled"), startsIn, textPrefixIn},
	Attrs: poolAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := tokenRows(n, 1)
		return []ir.Type{f32(ir.T, ir.N(w))}, first(err, shaped(n, 0, ir.B, ir.N(w)), shaped(n, 2, ir.Bound), prefixShape(n, 3))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := pooledTexts(n, in[2], part(in, 3), in[1].Shape[0])
		if err != nil {
			return nil, err
		}
		w, dy, x, dx := in[1].Shape[1], in[0].Floats(), in[1].Floats(), ir.NewArray(in[1].Shape...)
		how := n.Str("how")
		for s, t := range list {
			for j := range w {
				v := poolTextColumn(how, x, t, j, w)
				for i := t.from; i < t.to; i++ {
					slope, only := poolSlope(how, x[i*w+j], v, t, i)
					dx.F[i*w+j] = dy[s*w+j] * slope
					if only && slope != 0 {
						break
					}
				}
			}
		}
		return []*ir.Array{dx}, nil
	},
	NoGrad: onlyFirst,
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 4 * float64(s.Elements(n.In[1].Type.Shape))}
	},
	Lower:    lowerPoolTextGrad,
	Launches: sequenceLaunches,
	Sample: func() (list []ir.Sample) {
		for _, how := range Poolings {
			list = append(list, sample(attrs("how", how), normal(ir.B, ir.N(5)), normal(ir.T, ir.N(5)), starts(), missing()),
				lens(sample(attrs("how", how), normal(ir.B, ir.N(16)), normal(ir.T, ir.N(16)), starts(), prefixes()), 9, 1, 4, 7),
				lens(sample(attrs("bare", true, "how", how), normal(ir.B, ir.N(5)), normal(ir.T, ir.N(5)), starts(), prefixes()), 9, 1, 4, 7))
		}
		return list
	},
})

// poolSlope returns the derivative of a pooled number v by the number c of row i. only is set if one row at most has another derivative than 0.
func poolSlope(how string, c, v float64, t text, i int) (slope float64, only bool) {
	sign := math.Copysign(1, c)
	if c == 0 {
		sign = 0
	}
	is := func(cond bool, slope float64) float64 {
		if cond {
			return slope
		}
		return 0
	}
	switch how {
	case "first":
		return is(i == t.from, 1), true
	case "last":
		return is(t.before == 0 && i == t.to-1, 1), true
	case "mean":
		return 1 / float64(t.size()), false
	case "max":
		return is(c == v, 1), true
	case "rms":
		return is(v > 0, c/(v*float64(t.size()))), false
	case "abs_max":
		return is(math.Abs(c) == v, sign), true
	case "abs_mean":
		return sign / float64(t.size()), false
	}
	return 1, false
}

// lowerPoolTextGrad returns the portable form for one sequence, with the arguments (y, dy, x, prefix, n).
func lowerPoolTextGrad(n *ir.Node) (*loop.Nest, error) {
	args, has := textArgs(n, "dy x", 3)
	how := n.Str("how")
	return portable(n, fmt.Sprintf("y = the gradient of n rows by that of the %s of a text, which are the last of them.", how), args, func(b *nest) {
		cols := b.cols["x"]
		t := b.pooledText(n, has)
		b.row("d0", "dy", loop.I(0))
		b.each("i", loop.V("n"), func(i loop.Expr) {
			b.row("yi", "y", i)
			b.clear("yi", cols)
		})
		copyRow := func(cond, at loop.Expr) {
			b.If(cond, func() {
				b.row("yi", "y", at)
				b.set("yi", cols, of("d0"))
			}, nil)
		}
		eachRow := func(value func(j loop.Expr) loop.Expr) {
			b.For("i", t.from, loop.V("n"), 1, func(i loop.Expr) {
				b.row("yi", "y", i)
				if how == "abs_mean" {
					b.row("xi", "x", i)
				}
				b.set("yi", cols, value)
			})
		}
		switch how {
		case "first":
			copyRow(loop.Less(t.from, loop.V("n")), t.from)
		case "last":
			copyRow(t.whole, loop.Sub(loop.V("n"), loop.I(1)))
		case "sum":
			eachRow(of("d0"))
		case "mean":
			size := b.Let("size", t.size)
			eachRow(func(j loop.Expr) loop.Expr { return loop.Div(loop.At("d0", j), size) })
		case "abs_mean":
			size := b.Let("size", t.size)
			eachRow(func(j loop.Expr) loop.Expr {
				return loop.Mul(signOf(loop.At("xi", j)), loop.Div(loop.At("d0", j), size))
			})
		case "rms":
			b.rmsGrad(t, cols)
		default:
			b.largestGrad(how == "abs_max", t, cols)
		}
	})
}

// signOf returns -1, 0 or 1 by the sign of x: x/|x|, where |x| is at least the least normal number.
func signOf(x loop.Expr) loop.Expr {
	return loop.Div(x, loop.Fn("max", abs(x), loop.F(1.1754943508222875e-38)))
}

// rmsGrad writes the gradient of a root mean square, column by column.
func (b *nest) rmsGrad(t pooledText, cols int) {
	size := b.Let("size", t.size)
	b.each("j", loop.I(cols), func(j loop.Expr) {
		square := b.Let("square", loop.F(0))
		b.For("i", t.from, loop.V("n"), 1, func(i loop.Expr) {
			b.row("xi", "x", i)
			b.AddTo(square, loop.Mul(loop.At("xi", j), loop.At("xi", j)))
		})
		b.If(loop.Less(loop.F(0), square), func() {
			by := b.Let("by", loop.Div(loop.At("d0", j), loop.Mul(size, loop.Fn("sqrt", loop.Div(square, size)))))
			b.For("i", t.from, loop.V("n"), 1, func(i loop.Expr) {
				b.row("xi", "x", i)
				b.row("yi", "y", i)
				b.Store("yi", j, loop.Mul(by, loop.At("xi", j)))
			})
		}, nil)
	})
}

// largestGrad writes the gradient of the largest number of each column, or of the largest absolute one: that of the first row that has it. With a prefix, the
// zeros after the text may be the largest.
func (b *nest) largestGrad(absolute bool, t pooledText, cols int) {
	term := func(x loop.Expr) loop.Expr {
		if absolute {
			return abs(x)
		}
		return x
	}
	b.each("j", loop.I(cols), func(j loop.Expr) {
		top := b.Let("top", loop.Sub(loop.I(0), loop.I(1)))
		best := b.Let("best", loop.F(0))
		none := func() { // the first row, whatever it is
			b.row("x0", "x", t.from)
			b.Assign(best, term(loop.At("x0", j)))
			b.Assign(top, t.from)
		}
		b.If(t.whole, none, nil)
		b.For("i", t.from, loop.V("n"), 1, func(i loop.Expr) {
			b.row("xi", "x", i)
			b.If(loop.Less(best, term(loop.At("xi", j))), func() {
				b.Assign(best, term(loop.At("xi", j)))
				b.Assign(top, i)
			}, nil)
		})
		b.If(loop.Bin{Op: "<=", X: loop.I(0), Y: top}, func() {
			b.row("yt", "y", top)
			if absolute {
				b.row("xt", "x", top)
				b.Store("yt", j, loop.Mul(signOf(loop.At("xt", j)), loop.At("d0", j)))
			} else {
				b.Store("yt", j, loop.At("d0", j))
			}
		}, nil)
	})
}
