package ops

import (
	"fmt"
	"math"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// textPrefixIn is the operand that holds how many of each sequence's first rows are not of its text.
var textPrefixIn = ir.Operand{Name: "prefix", DType: ir.I32, Optional: true,
	Doc: "[B] how many of each sequence's first rows are not of its text; missing: 0 for all sequences"}

// Poolings lists the ways in which the rows of a text become one row.
var Poolings = []string{"first", "last", "mean", "sum", "max", "rms", "abs_max", "abs_mean"}

// poolAttrs are the attributes of pool_text and its gradient.
func poolAttrs() []ir.AttrDef {
	return []ir.AttrDef{{Name: "bare", Type: ir.AttrBool, Doc: "no zeros follow the text"},
		{Name: "how", Type: ir.AttrString, Required: true, Words: Poolings, Doc: "which row is taken, or how rows are combined"}}
}

var _ = ir.Define(ir.Op{
	Name: "pool_text", Class: ir.Sequencewise,
	Doc: "One row for the text of each sequence, which are its rows from number prefix on. For each row in front of them, a row of zeros follows the " +
		"text, unless it is bare: the last row, the mean, the largest number of each column, the root mean square √mean(x²), or the largest or the mean |x|. " +
		"The sum of the rows and the first row do not depend on the zeros; a text without rows is a row of zeros, [T, N], [B+1], [B] → [B, N].",
	In:    []ir.Operand{float("x", "[T, N]"), startsIn, textPrefixIn},
	Attrs: poolAttrs(),
	Shape: func(n *ir.Node) ([]ir.Type, error) {
		w, err := tokenRows(n, 0)
		return []ir.Type{f32(ir.B, ir.N(w))}, first(err, shaped(n, 1, ir.Bound), prefixShape(n, 2))
	},
	Ref: func(n *ir.Node, in []*ir.Array) ([]*ir.Array, error) {
		list, err := pooledTexts(n, in[1], part(in, 2), in[0].Shape[0])
		if err != nil {
			return nil, err
		}
		w, x := in[0].Shape[1], in[0].Floats()
		y := ir.NewArray(len(list), w)
		for s, t := range list {
			for j := range w {
				y.F[s*w+j] = poolTextColumn(n.Str("how"), x, t, j, w)
			}
		}
		return []*ir.Array{y}, nil
	},
	Grad: func(b *ir.Builder, n *ir.Node, dy []*ir.Value) ([]*ir.Value, error) {
		return []*ir.Value{b.Like(n, "pool_text_grad", n.Attrs, dy[0], n.In[0], n.In[1], operandOf(n, 2)), nil, nil}, b.Err()
	},
	Cost: func(n *ir.Node, s ir.Sizes) ir.Cost {
		return ir.Cost{FLOPs: 2 * float64(s.Elements(n.In[0].Type.Shape))}
	},
	Lower:    lowerPoolText,
	Launches: sequenceLaunches,
	Sample: func() (list []ir.Sample) {
		for _, how := range Poolings {
			list = append(list, sample(attrs("how", how), normal(ir.T, ir.N(5)), starts(), missing()),
				lens(sample(attrs("how", how), normal(ir.T, ir.N(16)), starts(), prefixes()), 9, 1, 4, 7),
				lens(sample(attrs("bare", true, "how", how), normal(ir.T, ir.N(5)), starts(), prefixes()), 9, 1, 4, 7))
		}
		return list
	},
})

// text is the place of a sequence's text: rows from … to-1. before is the number of the sequence's rows in front of it.
type text struct{ from, to, before int }

// size returns the number of rows of the text and of the zeros that follow it, at least 1.
func (t text) size() int { return max(1, t.to-t.from+t.before) }

// pooledTexts returns the texts of a batch for a pooling. No zeros follow bare ones, as if no rows were in front of them.
func pooledTexts(n *ir.Node, starts, prefix *ir.Array, rows int) ([]text, error) {
	list, err := texts(starts, prefix, rows)
	if n.Flag("bare") {
		for i := range list {
			list[i].before = 0
		}
	}
	return list, err
}

// texts returns the texts of a batch.
func texts(starts, prefix *ir.Array, rows int) ([]text, error) {
	list, err := filled(starts, rows)
	if err != nil {
		return nil, err
	}
	out := make([]text, len(list))
	for s, b := range list {
		n := 0
		if prefix != nil {
			n = int(prefix.I[s])
		}
		if n < 0 || n > b.n {
			return nil, fmt.Errorf("sequence %d has a prefix of %d of its %d rows", s, n, b.n)
		}
		out[s] = text{b.row + n, b.row + b.n, n}
	}
	return out, nil
}

// part returns an operand that may be missing, or nil.
func part(in []*ir.Array, i int) *ir.Array {
	if i < len(in) {
		return in[i]
	}
	return nil
}

// operandOf returns an operand of a node that may be missing, or nil.
func operandOf(n *ir.Node, i int) *ir.Value {
	if i < len(n.In) {
		return n.In[i]
	}
	return nil
}

// prefixShape checks the type of a prefix that may be missing.
func prefixShape(n *ir.Node, i int) error {
	if operandOf(n, i) == nil {
		return nil
	}
	return shaped(n, i, ir.B)
}

// poolTextColumn returns the pooled number of column j of a text in rows of w numbers.
func poolTextColumn(how string, x []float64, t text, j, w int) float64 {
	v := 0.0
	if how == "max" && t.before == 0 && t.from < t.to {
		v = math.Inf(-1)
	}
	for i := t.from; i < t.to; i++ {
		c := x[i*w+j]
		switch how {
		case "first":
			if i == t.from {
				v = c
			}
		case "last":
			if t.before == 0 {
				v = c
			}
		case "mean", "sum":
			v += c
		case "max":
			v = max(v, c)
		case "rms":
			v += c * c
		case "abs_max":
			v = max(v, math.Abs(c))
		case "abs_mean":
			v += math.Abs(c)
		}
	}
	switch how {
	case "mean", "abs_mean":
		return v / float64(t.size())
	case "rms":
		return math.Sqrt(v / float64(t.size()))
	}
	return v
}

// textBounds writes the number of rows in front of a text: the argument prefix, or 0.
func (b *nest) textBounds(prefix bool) loop.Expr {
	if !prefix {
		return loop.I(0)
	}
	b.all("prefixes", "prefix", loop.I(1))
	return b.Let("from", loop.At("prefixes", loop.I(0)))
}

// pooledText is a text in a nest that pools it.
type pooledText struct {
	from  loop.Expr // its first row
	size  loop.Expr // the number of its rows and of the zeros that follow it, at least 1
	whole loop.Expr // whether it has rows and no zeros follow it
}

// pooledText writes the bounds of a text.
func (b *nest) pooledText(n *ir.Node, prefix bool) pooledText {
	from, size := b.textBounds(prefix), loop.V("n")
	if !prefix || !n.Flag("bare") {
		return pooledText{from, loop.Fn("float", size), loop.Bin{Op: "<=", X: from, Y: loop.I(0)}}
	}
	return pooledText{from, loop.Fn("max", loop.Fn("float", loop.Sub(size, from)), loop.F(1)), loop.Less(from, size)}
}

// textArgs returns the arguments of a nest on texts: those before the prefix, the prefix if there is one, and n.
func textArgs(n *ir.Node, before string, prefix int) (args string, has bool) {
	if operandOf(n, prefix) == nil {
		return before + " n", false
	}
	return before + " prefix n", true
}

// abs returns |x|.
func abs(x loop.Expr) loop.Expr { return loop.Fn("max", x, loop.Sub(loop.F(0), x)) }

// lowerPoolText returns the portable form for one sequence, with the arguments (y, x, prefix, n): its n rows begin at x, its row of the result is y.
func lowerPoolText(n *ir.Node) (*loop.Nest, error) {
	args, has := textArgs(n, "x", 2)
	how := n.Str("how")
	return portable(n, fmt.Sprintf("y = the %s of the rows of a text, the last of n rows.", how), args, func(b *nest) {
		cols := b.cols["x"]
		t := b.pooledText(n, has)
		b.row("y0", "y", loop.I(0))
		b.clear("y0", cols)
		copyRow := func(cond, at loop.Expr) {
			b.If(cond, func() {
				b.row("xi", "x", at)
				b.set("y0", cols, of("xi"))
			}, nil)
		}
		switch how {
		case "first":
			copyRow(loop.Less(t.from, loop.V("n")), t.from)
			return
		case "last":
			copyRow(t.whole, loop.Sub(loop.V("n"), loop.I(1)))
			return
		case "max": // without zeros, it begins with the first row
			copyRow(t.whole, t.from)
		}
		b.For("i", t.from, loop.V("n"), 1, func(i loop.Expr) {
			b.row("xi", "x", i)
			b.set("y0", cols, func(j loop.Expr) loop.Expr {
				y, x := loop.At("y0", j), loop.At("xi", j)
				switch how {
				case "max":
					return loop.Fn("max", y, x)
				case "abs_max":
					return loop.Fn("max", y, abs(x))
				case "abs_mean":
					return loop.Add(y, abs(x))
				case "rms":
					return loop.Add(y, loop.Mul(x, x))
				}
				return loop.Add(y, x)
			})
		})
		if how == "sum" || how == "max" || how == "abs_max" {
			return
		}
		count := b.Let("count", t.size)
		b.set("y0", cols, func(j loop.Expr) loop.Expr {
			mean := loop.Div(loop.At("y0", j), count)
			if how == "rms" {
				return loop.Fn("sqrt", mean)
			}
			return mean
		})
	})
}
