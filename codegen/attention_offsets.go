package codegen

import (
	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
)

// offsets writes the index tables in the order of keys and of queries, with room for whole vectors at both ends.
func (c *attentionCode) offsets() jen.Code {
	return c.method("writes the relative table's rows in the order of keys and of queries. Both ends are repeated 16 times, as vectors reach\n// beyond them. It reports whether rows rise by 0 or 1 from one offset to the next: then those of 16 offsets lie in a window of 16.", "offsets", jen.Id("index").Op("*").Int32()).Bool().
		BlockFunc(func(g *jen.Group) {
			g.Add(raw("other := uint32(0) // other steps"))
			g.Add(raw("first, count := 1-w.i1, w.n+w.i1-w.i0-1 // of j-i; of i-j, the last is -first"))
			if has(c.Terms.KeyPosition) {
				c.copyIndex(g, "along", "first", "1-count-first", c.Terms.KeyPosition == kernel.Reverse)
			}
			if has(c.Terms.QueryPosition) {
				c.copyIndex(g, "down", "1-count-first", "first", c.Terms.QueryPosition == kernel.Forward)
			}
			g.Return(raw("other == 0"))
		})
}

// copyIndex prints the loops that fill an array with the index's rows of the offsets from first on, in rising order; or with those of the
// opposite offsets, the least of which is given, in falling order.
func (c *attentionCode) copyIndex(g *jen.Group, array, first, opposite string, rises bool) {
	start, place := first, "e"
	if !rises {
		start, place = opposite, "count-1-e"
	}
	g.BlockFunc(func(g *jen.Group) {
		g.Id("rows").Op(":=").Qual("unsafe", "Slice").Call(at(jen.Id("index"), raw("%s", start)), jen.Id("count"))
		g.Add(raw("last := rows[0]"))
		g.For(raw("e, r := range rows")).Block(
			raw("other |= uint32(r-last) &^ 1"),
			raw("last = r"),
			raw("w.%s[16+%s] = r", array, place),
		)
	})
	g.Add(repeatEnds(array))
}

// repeatEnds prints the loop that repeats the ends of an array of count entries.
func repeatEnds(array string) jen.Code {
	return jen.For(raw("e := range 16")).Block(
		raw("w.%s[e], w.%s[16+count+e] = w.%s[16], w.%s[15+count]", array, array, array, array),
	)
}

// biases returns the method that writes the biases in the order of keys.
func (c *attentionCode) biases() jen.Code {
	return c.method("writes the biases in the order of keys, both ends repeated 16 times.", "biases", jen.Id("bias").Op("*").Float32()).
		BlockFunc(func(g *jen.Group) {
			g.Add(raw("count := w.n + w.i1 - w.i0 - 1"))
			g.For(jen.Id("e, b").Op(":=").Range().Qual("unsafe", "Slice").Call(at(jen.Id("bias"), raw("w.i1-count")), jen.Id("count"))).Block(
				raw("w.offset[15+count-e] = b"),
			)
			g.Add(repeatEnds("offset"))
		})
}

// seen returns the method that counts the keys that a query sees.
func (c *attentionCode) seen() jen.Code {
	return c.method("is the number of keys that query i sees: the first ones.", "seen", jen.Id("i").Int()).Int().Block(
		jen.Return(raw("max(i+1, w.prefix)")),
	)
}
