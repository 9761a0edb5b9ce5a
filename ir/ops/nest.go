package ops

import (
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
)

// nest writes a portable form that works on rows, see [ir.Op.Lower].
type nest struct {
	*loop.Builder
	cols, ld map[string]int // by argument: columns of a row, and the distance between rows
}

// portable returns the portable form of a node. args are the names of its arguments after the results, separated by spaces: operands, then memory named
// scratch, if any, then counts.
func portable(n *ir.Node, doc, args string, write func(b *nest)) (*loop.Nest, error) {
	op := ir.Lookup(n.Op)
	b := &nest{cols: map[string]int{}, ld: map[string]int{}}
	named := map[string]*ir.Value{"y": n.Out[0]}
	results := "y"
	if op.Results != nil {
		results = strings.Join(op.Results, " ")
		for k, name := range op.Results {
			named[name] = n.Out[k]
		}
	}
	for i, v := range n.In {
		if v != nil {
			named[op.Argument(i)] = v
		}
	}
	var list []loop.Arg
	for name := range strings.FieldsSeq(results + " " + args) {
		v, kind := named[name], loop.FloatPtr
		switch {
		case v != nil && v.Type.DType == ir.I32:
			kind = loop.IntPtr
		case v == nil && name != scratchArg:
			kind = loop.Count
		}
		list = append(list, loop.Arg{Name: name, Kind: kind})
		if v == nil {
			continue
		}
		var err error
		if b.cols[name], b.ld[name], err = row(v); err != nil {
			return nil, err
		}
	}
	b.Builder = loop.New(doc, list...)
	write(b)
	return b.Nest()
}

// scratchArg is the name of an argument that points at memory which holds nothing before and after the call.
const scratchArg = "scratch"

// rows writes a loop over the m rows.
func (b *nest) rows(write func(i loop.Expr)) { b.each("i", loop.V(ir.CountRows), write) }

// each writes a loop over 0 ≤ v < n.
func (b *nest) each(v string, n loop.Expr, write func(i loop.Expr)) { b.For(v, loop.I(0), n, 1, write) }

// row makes a window of row i of an argument.
func (b *nest) row(window, of string, i loop.Expr) {
	b.Slice(window, of, loop.Mul(i, loop.I(b.ld[of])), loop.I(b.cols[of]))
}

// all makes a window of all numbers of an argument with one extent.
func (b *nest) all(window, of string, n loop.Expr) { b.Slice(window, of, loop.I(0), n) }

// both makes the windows xi and yi of row i of x and y.
func (b *nest) both(i loop.Expr) {
	b.row("xi", "x", i)
	b.row("yi", "y", i)
}

// set writes values to the columns of a window.
func (b *nest) set(window string, cols int, value func(j loop.Expr) loop.Expr) {
	b.each("j", loop.I(cols), func(j loop.Expr) { b.Store(window, j, value(j)) })
}

// clear writes zeros to the columns of a window.
func (b *nest) clear(window string, cols int) {
	b.set(window, cols, func(loop.Expr) loop.Expr { return loop.F(0) })
}

// zeros writes zeros to the m rows of an argument. Rows that lie side by side are one run through memory, which is faster than one for each row.
func (b *nest) zeros(window, of string) {
	if b.ld[of] != b.cols[of] {
		b.rows(func(i loop.Expr) {
			b.row(window, of, i)
			b.clear(window, b.cols[of])
		})
		return
	}
	n := b.Let("zeros", loop.Mul(loop.V(ir.CountRows), loop.I(b.ld[of])))
	b.all(window, of, n)
	b.each("j", n, func(j loop.Expr) { b.Store(window, j, loop.F(0)) })
}

// addTo adds values to the columns of a window.
func (b *nest) addTo(window string, cols int, value func(j loop.Expr) loop.Expr) {
	b.set(window, cols, func(j loop.Expr) loop.Expr { return loop.Add(loop.At(window, j), value(j)) })
}

// of returns a function that reads the columns of a window.
func of(window string) func(j loop.Expr) loop.Expr {
	return func(j loop.Expr) loop.Expr { return loop.At(window, j) }
}

// within returns the condition 0 ≤ x < n.
func within(x, n loop.Expr) loop.Expr {
	return loop.Bin{Op: "&&", X: loop.Bin{Op: "<=", X: loop.I(0), Y: x}, Y: loop.Less(x, n)}
}

// largest writes the largest of n numbers.
func (b *nest) largest(n int, term func(j loop.Expr) loop.Expr) loop.Var {
	top := b.Let("top", term(loop.I(0)))
	b.For("j", loop.I(1), loop.I(n), 1, func(j loop.Expr) { b.Assign(top, loop.Fn("max", top, term(j))) })
	return top
}

// logSum writes max x + log Σ exp(x - max x) of n numbers.
func (b *nest) logSum(n int, term func(j loop.Expr) loop.Expr) loop.Expr {
	top := b.largest(n, term)
	sum := b.Let("sum", sumOf(b.Builder, "s", n, func(j loop.Expr) loop.Expr { return loop.Fn("exp", loop.Sub(term(j), top)) }))
	return loop.Add(top, loop.Fn("log", sum))
}

// total writes the sum of n numbers, where n is known at run time, in parts of 64: the rounding error of a long sum grows with the number of parts.
func (b *nest) total(n loop.Expr, term func(i loop.Expr) loop.Expr) loop.Var {
	const part = 64
	sum := b.Let("sum", loop.F(0))
	b.For("from", loop.I(0), n, part, func(from loop.Expr) {
		s := b.Let("s", loop.F(0))
		b.For("i", from, loop.Fn("min", n, loop.Add(from, loop.I(part))), 1, func(i loop.Expr) { b.AddTo(s, term(i)) })
		b.AddTo(sum, s)
	})
	return sum
}

// moveRows returns a nest for m rows of y, from number at on, that are rows of x: source returns the number of the row of x for row r, and the condition under
// which there is one, or nil; other rows are zeros.
func moveRows(n *ir.Node, doc string, source func(r loop.Expr) (from, ok loop.Expr)) (*loop.Nest, error) {
	return portable(n, doc, "x m at", func(b *nest) {
		b.rows(func(i loop.Expr) {
			r := b.Let("r", loop.Add(loop.V("at"), i))
			b.row("yi", "y", i)
			from, ok := source(r)
			move := func() {
				b.row("xr", "x", from)
				b.set("yi", b.cols["y"], of("xr"))
			}
			if ok == nil {
				move()
				return
			}
			b.If(ok, move, func() { b.clear("yi", b.cols["y"]) })
		})
	})
}
