package codegen

import (
	"fmt"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
)

// callBudget is how many multiply-adds one call of a product may do: about 100 µs on a slow core.
const callBudget = 4 << 20

// packRows is how many keys and values one call brings together: a quarter of a megabyte of each, from memory.
func packRows(dp int) int { return max(1, 1<<16/dp/kernel.PanelWidth) * kernel.PanelWidth }

// pack returns the step that brings keys and values together.
func (c *attentionCode) pack() jen.Code {
	about := "brings the values of m rows from j on together."
	if c.Terms.Content {
		about = "brings the keys of m rows from j on into panels, and their values together."
	}
	return c.step(about, "pack", jen.Id("j, m").Int()).BlockFunc(func(g *jen.Group) {
		if c.Terms.Content {
			g.Add(raw("%s(&w.keys[j*%d], &w.k[j*%d], &w.zero[0], m)", c.ops["keys"], c.DP, c.LDK))
		}
		g.Add(raw("%s(&w.values[j*%d], &w.v[j*%d], m)", c.ops["values"], c.DP, c.LDK))
	})
}

// ends returns the first and the last row of the relative table between two entries of an index table. Rows rise with i-j if the sign is Forward; turned says
// that the table is by j-i.
func ends(table string, s kernel.Sign, turned bool, low, high string) string {
	if (s == kernel.Forward) == turned {
		low, high = high, low
	}
	return fmt.Sprintf("w.%s[%s], w.%s[%s]", table, low, table, high)
}

// multiply prints the loop that multiplies m rows of queries or keys with the rows lo … hi of a relative table, by a step of that name.
func (c *attentionCode) multiply(step, out, left, table string) jen.Code {
	panels := max(2, callBudget/(c.tableRows()*c.DP*kernel.PanelWidth))
	return jen.For(raw("p, end := int(lo)/16, int(hi)/16+1; p < end; p += %d", panels)).Block(
		raw("w.%s(%s, %s, w.%s, m, p, min(%d, end-p))", step, out, left, table, panels),
	)
}

// tableRows is how many queries or keys are multiplied with the same rows of a relative table. Fewer need fewer rows that only some of them
// use; they should fill a tile.
func (c *attentionCode) tableRows() int {
	isa, _ := kernel.FindISA(c.isa)
	return isa.TileRows * ((12 + isa.TileRows - 1) / isa.TileRows)
}

// parts prints the loop that cuts rows [from, to) into near-equal parts of m rows from v on.
func (c *attentionCode) parts(g *jen.Group, v, from, to string, body ...jen.Code) {
	most := c.tableRows()
	g.Add(raw("parts := (%s - %s + %d) / %d", to, from, most-1, most))
	g.For(raw("%s, m := %s, 0; parts > 0; %s, parts = %s+m, parts-1", v, from, v, v)).Block(
		append([]jen.Code{raw("m = (%s - %s + parts - 1) / parts", to, v)}, body...)...,
	)
}

// table returns the step that multiplies with some panels of a relative table.
func (c *attentionCode) table(name, what, product string) jen.Code {
	return c.step("multiplies m rows of "+what+" with panels of a relative table, from the one called first on.", name,
		jen.Id("c, a, b").Index().Float32(), jen.Id("m, first, panels").Int()).Block(
		raw("%s(&c[first*16], &a[0], &b[first*%d], m, panels, %d)", product, kernel.PanelWidth*c.DP, c.LDR()),
	)
}

// queries returns the method that computes a range of queries.
func (c *attentionCode) queries() jen.Code {
	return c.method("computes queries [a, b), at most "+fmt.Sprint(kernel.AttentionQueries)+".", "queries", jen.Id("a, b").Int()).BlockFunc(func(g *jen.Group) {
		strip, ldr := kernel.AttentionStrip, c.LDR()
		last := "w.n" // key that a query sees
		if c.Masked {
			last = "w.seen(i+m-1)"
		}
		if has(c.Terms.KeyPosition) {
			c.parts(g, "i", "a", "b",
				raw("x := w.i1 + 15 - i // where j-i = -i"),
				raw("lo, hi := %s", ends("along", c.Terms.KeyPosition, true, "x-m+1", fmt.Sprintf("x+%s-1", last))),
				c.multiply("table", fmt.Sprintf("w.cp[(i-a)*%d:]", ldr), fmt.Sprintf("w.q[i*%d:]", c.LDQ), "kr"),
			)
		}
		stat := func(i int) string { return fmt.Sprintf("w.stats[%d+i]", i*kernel.AttentionQueries) }
		g.For(raw("i := range b - a")).Block(
			raw("%s = ", stat(0)).Op("-").Qual("math", "MaxFloat32").Comment("largest score"),
			raw("%s = 0 // sum of exponentials", stat(1)),
		)
		g.Add(raw("strips := (b - a + %d) / %d", strip-1, strip))
		g.Add(raw("height := ((b-a+strips-1)/strips + 15) / 16 * 16"))
		n := "w.n"
		if c.Masked {
			n = "n"
			g.Add(raw("n := w.seen(b - 1) // keys that some query sees"))
		}
		g.For(raw("j := 0; j < %s; j += %d", n, kernel.AttentionKeys)).BlockFunc(func(g *jen.Group) {
			g.Add(raw("keys := min(%d, %s-j)", kernel.AttentionKeys, n))
			if has(c.Terms.QueryPosition) {
				step, first := "table", "a"
				var before []jen.Code
				if c.LDK != c.LDQ {
					step = "keyTable"
				}
				if c.Masked {
					first = "from"
					before = []jen.Code{raw("from := a // the first query that sees a key of these"), jen.If(raw("t >= w.prefix")).Block(raw("from = max(a, t)"))}
				}
				c.parts(g, "t", "j", "j+keys", append(before,
					raw("y := w.n + 15 - w.i0 - t // where i-j = -t"),
					raw("lo, hi := %s", ends("down", c.Terms.QueryPosition, false, "y+"+first+"-m+1", "y+b-1")),
					c.multiply(step, fmt.Sprintf("w.pc[(t-j)*%d:]", ldr), fmt.Sprintf("w.k[t*%d:]", c.LDK), "qr"))...,
				)
			}
			if !c.Masked {
				g.For(raw("i := a; i < b; i += height")).Block(raw("w.strip(i, i-a, min(height, b-i), j, keys)"))
				return
			}
			g.For(raw("i := a; i < b; i += height")).Block(
				raw("m := min(height, b-i)"),
				jen.If(raw("end := w.seen(i + m - 1); j < end")).Block(raw("w.strip(i, i-a, m, j, min(keys, end-j), j+keys >= end)")),
			)
		})
	})
}

// strip returns the step that computes the scores of some queries and a block of keys, and adds the values up. With a mask, it is told which block is the last
// that a query of the strip sees; keys after it are not computed.
func (c *attentionCode) strip() jen.Code {
	params := []jen.Code{jen.Id("i, s, m, j, keys").Int()}
	if c.Masked {
		params = append(params, jen.Id("last").Bool())
	}
	return c.step("computes m queries from i on, number s of their range, against keys from j on.", "strip", params...).
		BlockFunc(func(g *jen.Group) {
			if c.Terms.Content {
				g.Add(raw("%s(&w.scores[0], &w.q[i*%d], &w.keys[j*%d], m, (keys+15)/16, %d)",
					c.ops["product"], c.LDQ, c.DP, kernel.AttentionKeys+kernel.PanelWidth))
			}
			if c.Terms.Relative() {
				g.Add(c.join())
			}
			more := raw("j+keys < w.n")
			if c.Masked {
				more = raw("!last")
				g.Add(c.hide())
			}
			g.Add(raw("%s(&w.scores[0], &w.stats[s], m, keys)", c.ops["softmax"]))
			g.Add(raw("var sum *float32"))
			g.If(raw("j > 0")).Block(raw("sum = &w.sum[s*%d]", c.DP))
			g.Add(raw("// The last block of keys divides by the sum of exponentials. Until then, sums lie in the scratch."))
			g.Add(raw("out, ldo, factor := &w.o[(i-w.i0)*%d], %d, &w.stats[%d+s] // 1 / sum", c.LDO, c.LDO, 3*kernel.AttentionQueries))
			g.If(more).Block(
				raw("out, ldo, factor = &w.sum[s*%d], %d, &w.ones[0]", c.DP, c.DP),
			)
			g.Add(raw("%s(out, sum, &w.scores[0], &w.values[j*%d], &w.stats[%d+s], factor, m, keys, ldo)",
				c.ops["weigh"], c.DP, 2*kernel.AttentionQueries))
		})
}

// hide returns the loop that hides keys after a query from it. A key with a probability of 0 changes no bit of a sum, so that a row does not depend on the
// strip that it is in.
func (c *attentionCode) hide() jen.Code {
	return raw("low := float32(math.Inf(-1))").Line().For(raw("r := range m")).Block(
		jen.For(raw("e := max(0, w.seen(i+r)-j); e < keys; e++")).Block(raw("w.scores[r*%d+e] = low", kernel.AttentionKeys+kernel.PanelWidth)),
	)
}

// join returns the call that adds the relative terms.
func (c *attentionCode) join() jen.Code {
	isa, _ := kernel.FindISA(c.isa)
	args := []string{"&w.scores[0]"}
	// The least row of a vector is that of its first lane if rows rise.
	entry := func(table, x string, rises bool) {
		least := x
		if !rises {
			least += fmt.Sprintf("+%d", isa.Lanes()-1)
		}
		args = append(args, fmt.Sprintf("&w.%s[%s]", table, x), fmt.Sprintf("&w.%s[%s]", table, least))
	}
	var before []string
	if has(c.Terms.KeyPosition) || c.Terms.Bias {
		before = append(before, "x := j - i + w.i1 + 15")
	}
	if has(c.Terms.KeyPosition) {
		args = append(args, fmt.Sprintf("&w.cp[s*%d]", c.LDR()))
		entry("along", "x", c.Terms.KeyPosition == kernel.Reverse)
	}
	if has(c.Terms.QueryPosition) {
		before = append(before, "y := i - j + w.n - w.i0 + 15")
		args = append(args, "&w.pc[0]")
		entry("down", "y", c.Terms.QueryPosition == kernel.Forward)
	}
	if c.Terms.Bias {
		args = append(args, "&w.offset[x]")
	}
	code := jen.Null()
	for _, b := range before {
		code.Add(raw("%s", b)).Line()
	}
	return code.Add(raw("%s(%s, m, keys)", c.ops["join"], strings.Join(args, ", ")))
}
