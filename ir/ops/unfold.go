package ops

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// tapsAttr is the width of a convolution's window.
var tapsAttr = ir.AttrDef{Name: "taps", Type: ir.AttrInt, Required: true, Doc: "rows in a window, odd; the middle one is the row itself"}

var _ = ir.Define(ir.Op{
	Name: "unfold", Class: ir.Sequencewise,
	Doc: "The window of each row: its neighbours at positions -(taps-1)/2 … (taps-1)/2 of the same sequence, " +
		"one after the other, with zeros where there is no " +
		"row at that position, [T, N] → [T, taps·N]. A matrix product with the windows is a convolution over tokens.",
	In:    []ir.Operand{float("x", "[T, N]"), startsIn, posIn},
	Attrs: []ir.AttrDef{tapsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := tokenRows(n, 0)
		k := n.Int("taps")
		if k < 1 || k%2 == 0 {
			return nil, fmt.Errorf("a window of %d rows has no middle row: taps must be odd and positive", k)
		}
		return []ir.Type{f32(ir.T, ir.N(k*w))}, first(err, shaped(n, 1, ir.Bound), shaped(n, 2, ir.T))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[1], in[0].Shape[0])
		if err != nil {
			return nil, err
		}
		k, w, x := n.Int("taps"), in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(in[0].Shape[0], k*w)
		eachTap(list, in[2].I, k, func(t, tap, from int) { copy(y.F[(t*k+tap)*w:(t*k+tap+1)*w], x[from*w:(from+1)*w]) })
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "refold", n.Attrs, dy[0], n.In[1], n.In[2]), nil, nil}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{Bytes: 8 * float64(s.Elements(n.Out[0].Type.Shape))}
	},
	Cheap:    true,
	Lower:    lowerUnfold,
	Launches: sequenceLaunches,
	Sample: samples(
		sample(attrs("taps", 3), normal(ir.T, ir.N(5)), starts(), positions()),
		holes(sample(attrs("taps", 5), normal(ir.T, ir.N(3)), starts(), positions())),
	),
})

// eachTap calls f for each row t, once per row of its sequence that is in its window of k positions.
func eachTap(list []block, pos []int32, k int, f func(t, tap, from int)) {
	for _, b := range list {
		for t := b.row; t < b.row+b.n; t++ {
			for from := max(b.row, t-k/2); from < min(b.row+b.n, t+k/2+1); from++ {
				if tap := int(pos[from]-pos[t]) + k/2; tap >= 0 && tap < k {
					f(t, tap, from)
				}
			}
		}
	}
}

// lowerUnfold returns the portable form for one sequence, with the arguments (y, x, pos, n).
func lowerUnfold(n *ir.Node) (*loop.Nest, error) {
	cols, ldx, err := row(n.In[0])
	wide, ldy, err2 := row(n.Out[0])
	if err := first(err, err2); err != nil {
		return nil, err
	}
	k := n.Int("taps")
	half := loop.I(k / 2)
	args := append(append(loop.Floats("y", "x"), loop.Ints("pos")...), loop.Counts("n")...)
	b := loop.New(fmt.Sprintf("y[i] = the rows of x at positions pos[i]-%d … pos[i]+%d, with zeros for missing rows, n rows of %d.", k/2, k/2, cols), args...)
	b.Slice("p", "pos", loop.I(0), loop.V("n"))
	b.For("i", loop.I(0), loop.V("n"), 1, func(i loop.Expr) {
		b.Slice("yi", "y", loop.Mul(i, loop.I(ldy)), loop.I(wide))
		b.For("j", loop.I(0), loop.I(wide), 1, func(j loop.Expr) { b.Store("yi", j, loop.F(0)) })
		from := loop.Call{Fn: "max", Args: []loop.Expr{loop.I(0), loop.Sub(i, half)}}
		to := loop.Call{Fn: "min", Args: []loop.Expr{loop.V("n"), loop.Add(i, loop.I(k/2+1))}}
		b.For("s", from, to, 1, func(s loop.Expr) {
			tap := b.Let("tap", loop.Add(loop.Sub(loop.At("p", s), loop.At("p", i)), half))
			inside := loop.Bin{Op: "&&", X: loop.Bin{Op: "<=", X: loop.I(0), Y: tap}, Y: loop.Bin{Op: "<", X: tap, Y: loop.I(k)}}
			b.If(inside, func() {
				b.Slice("xs", "x", loop.Mul(s, loop.I(ldx)), loop.I(cols))
				b.Slice("yt", "y", loop.Add(loop.Mul(i, loop.I(ldy)), loop.Mul(tap, loop.I(cols))), loop.I(cols))
				b.For("j", loop.I(0), loop.I(cols), 1, func(j loop.Expr) { b.Store("yt", j, loop.At("xs", j)) })
			}, nil)
		})
	})
	return b.Nest()
}

var _ = ir.Define(ir.Op{
	Name: "refold", Class: ir.Sequencewise,
	Doc:   "The gradient of unfold: each row of a window is added to the row that it was copied from, [T, taps·N] → [T, N].",
	In:    []ir.Operand{float("x", "[T, taps·N]"), startsIn, posIn},
	Attrs: []ir.AttrDef{tapsAttr},
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := tokenRows(n, 0)
		k := n.Int("taps")
		if k < 1 || k%2 == 0 || w%k != 0 {
			return nil, fmt.Errorf("x is %s, not windows of %d rows", n.In[0].Type, k)
		}
		return []ir.Type{f32(ir.T, ir.N(w/k))}, first(err, shaped(n, 1, ir.Bound), shaped(n, 2, ir.T))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := blocks(in[1], in[0].Shape[0])
		if err != nil {
			return nil, err
		}
		k, x := n.Int("taps"), in[0].Floats()
		w := in[0].Shape[1] / k
		y := ir.NewArray(in[0].Shape[0], w)
		eachTap(list, in[2].I, k, func(t, tap, from int) {
			for j := range w {
				y.F[from*w+j] += x[(t*k+tap)*w+j]
			}
		})
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "unfold", n.Attrs, dy[0], n.In[1], n.In[2]), nil, nil}, b.Err()
	},
	Lower: func(n *ir.Node) (*loop.Nest, error) {
		k, cols := n.Int("taps"), n.Out[0].Type.Shape[1].N
		return portable(n, "y[i] = the sum of the copies of row i in the windows x, n rows.", "x pos n", func(b *nest) {
			b.all("p", "pos", loop.V("n"))
			b.each("i", loop.V("n"), func(i loop.Expr) {
				b.row("yi", "y", i)
				b.clear("yi", cols)
				from, to := loop.Fn("max", loop.I(0), loop.Sub(i, loop.I(k/2))), loop.Fn("min", loop.V("n"), loop.Add(i, loop.I(k/2+1)))
				b.For("t", from, to, 1, func(t loop.Expr) {
					tap := b.Let("tap", loop.Add(loop.Sub(loop.At("p", i), loop.At("p", t)), loop.I(k/2)))
					b.If(within(tap, loop.I(k)), func() {
						b.Slice("xt", "x", loop.Add(loop.Mul(t, loop.I(b.ld["x"])), loop.Mul(tap, loop.I(cols))), loop.I(cols))
						b.addTo("yi", cols, of("xt"))
					}, nil)
				})
			})
		})
	},
	Launches: sequenceLaunches,
	Sample:   samples(sample(attrs("taps", 3), normal(ir.T, ir.N(15)), starts(), positions())),
})
