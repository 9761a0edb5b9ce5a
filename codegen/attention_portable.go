package codegen

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
)

// AttentionPortable prints the attention function in plain Go. It also serves sequences with holes, whose rows have the positions pos. The
// traced form has one more parameter, p *float32, and writes the probabilities there: [n, n], rows [i0, i1) of it.
func AttentionPortable(name string, p kernel.AttentionParams, traced bool) (jen.Code, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	c := &attentionCode{AttentionParams: p, name: name}
	about := "in plain Go. Rows have the positions pos, or 0, 1, … if pos is nil."
	var more []jen.Code
	if traced {
		about += " It writes the probabilities to p [n, n]."
		more = append(more, jen.Id("p").Op("*").Float32())
	}
	return jen.Commentf("%s computes rows [i0, i1) of one head of an attention over n rows:", c.name).Line().
		Comment("o[i] = Σ_j p[i, j]·v[j], p = softmax over j of " + c.score()).Line().
		Comment(about).Line().
		Func().Id(c.name).Params(attentionParams(more...)...).BlockFunc(func(g *jen.Group) { c.portable(g, traced) }), nil
}

// portable is the body of the portable form.
func (c *attentionCode) portable(g *jen.Group, traced bool) {
	slice := func(p, n string) jen.Code { return jen.Qual("unsafe", "Slice").Call(jen.Id(p), raw("%s", n)) }
	t := c.Terms
	if t.Relative() {
		g.Id("at").Op(":=").Func().Params(jen.Id("i").Int()).Int().Block(
			jen.If(raw("pos == nil")).Block(jen.Return(jen.Id("i"))),
			jen.Return(jen.Int().Call(jen.Op("*").Add(at(jen.Id("pos"), jen.Id("i"))))),
		)
		g.Comment("row gives the row of the relative table for an offset.")
		g.Id("row").Op(":=").Func().Params(jen.Id("d").Int()).Int().Block(
			jen.Return(jen.Int().Call(jen.Op("*").Add(at(jen.Id("index"), jen.Id("d"))))),
		)
	}
	if t.Content || has(t.QueryPosition) {
		// Four sums, as each addition waits for the one before.
		g.Id("dot").Op(":=").Func().Params(jen.Id("x, y").Index().Float32()).Float32().Block(
			raw("var s0, s1, s2, s3 float32"),
			jen.For(raw("; len(x) >= 4 && len(y) >= 4; x, y = x[4:], y[4:]")).Block(
				raw("s0 += x[0] * y[0]"), raw("s1 += x[1] * y[1]"), raw("s2 += x[2] * y[2]"), raw("s3 += x[3] * y[3]"),
			),
			jen.Return(raw("(s0 + s1) + (s2 + s3)")),
		)
	}
	g.Add(raw("rows := (n + 15) / 16 * 16"))
	names := []string{}
	for i, a := range kernel.AttentionPortableLayout(c.AttentionParams) {
		if i > 0 {
			g.Id("scratch").Op("=").Add(at(jen.Id("scratch"), jen.Len(jen.Id(names[i-1]))))
		}
		n := lengthText(a)
		name := map[string]string{"scores": "s", "cp": "cp", "rows": "table"}[a.Name]
		names = append(names, name)
		g.Id(name).Op(":=").Add(slice("scratch", n)).Comment(a.Doc)
	}
	if has(t.QueryPosition) {
		g.Add(raw("// The rows of QR that occur, side by side. Rows rise with the offset."))
		g.Add(raw("from, to := %s", c.span(t.QueryPosition, "i0", "i1-1")))
		g.For(raw("r := from; r <= to; r++")).Block(
			jen.For(raw("d := range %d", c.DP)).Block(
				raw("table[r*%d+d] = *", c.DP).Add(at(jen.Id("qr"), raw("(r/16*%d+d)*16+r%%16", c.DP))),
			),
		)
	}
	g.For(raw("i := i0; i < i1; i++")).BlockFunc(func(g *jen.Group) {
		if t.Content || has(t.KeyPosition) {
			g.Id("x").Op(":=").Qual("unsafe", "Slice").Call(at(jen.Id("q"), raw("i*%d", c.LDQ)), jen.Lit(c.DP))
		}
		if has(t.KeyPosition) {
			g.Add(raw("first, last := %s", c.span(t.KeyPosition, "i", "i")))
			g.For(raw("p := first / 16; p <= last/16; p++")).Block(
				jen.Id("b").Op(":=").Qual("unsafe", "Slice").Call(at(jen.Id("kr"), raw("p*%d", c.DP*16)), jen.Lit(c.DP*16)),
				raw("sum := cp[p*16 : p*16+16 : p*16+16]"),
				raw("clear(sum)"),
				jen.For(raw("d, y := range x")).Block(
					jen.For(raw("l, z := range b[d*16 : d*16+16]")).Block(raw("sum[l] += y * z")),
				),
			)
		}
		g.Add(raw("largest := float32(")).Op("-").Qual("math", "MaxFloat32").Op(")")
		g.For(raw("j := range n")).BlockFunc(func(g *jen.Group) {
			c.portableScore(g)
			g.Add(raw("s[j] = sum"))
			g.Add(raw("largest = max(largest, sum)"))
		})
		g.Id("out").Op(":=").Qual("unsafe", "Slice").Call(at(jen.Id("o"), raw("i*%d", c.LDO)), jen.Lit(c.DP))
		g.Add(raw("clear(out)"))
		g.Add(raw("total := float32(0)"))
		g.For(raw("j, x := range s[:n]")).Block(
			jen.Id("e").Op(":=").Float32().Call(jen.Qual("math", "Exp").Call(jen.Float64().Call(raw("x-largest")))),
			raw("s[j] = e"),
			raw("total += e"),
			jen.For(jen.List(jen.Id("d"), jen.Id("y")).Op(":=").Range().Qual("unsafe", "Slice").Call(at(jen.Id("v"), raw("j*%d", c.LDQ)), jen.Lit(c.DP))).Block(
				raw("out[d] += e * y"),
			),
		)
		g.Add(raw("inverse := 1 / total"))
		g.For(raw("d := range out")).Block(raw("out[d] *= inverse"))
		if traced {
			g.Id("row").Op(":=").Qual("unsafe", "Slice").Call(at(jen.Id("p"), raw("i*n")), jen.Id("n"))
			g.For(raw("j, e := range s[:n]")).Block(raw("row[j] = e * inverse"))
		}
	})
}

// portableScore computes sum, the score of query i and key j.
func (c *attentionCode) portableScore(g *jen.Group) {
	t := c.Terms
	g.Add(raw("sum := float32(0)"))
	if t.Content || has(t.QueryPosition) {
		g.Id("y").Op(":=").Qual("unsafe", "Slice").Call(at(jen.Id("k"), raw("j*%d", c.LDQ)), jen.Lit(c.DP))
		if t.Content {
			g.Add(raw("sum += dot(x, y)"))
		}
	}
	if t.Relative() {
		g.Add(raw("d := at(i) - at(j)"))
	}
	row := func(s kernel.Sign) string {
		if s == kernel.Forward {
			return "row(d)"
		}
		return "row(-d)"
	}
	if has(t.KeyPosition) {
		g.Add(raw("sum += cp[%s]", row(t.KeyPosition)))
	}
	if has(t.QueryPosition) {
		g.Add(raw("r := %s", row(t.QueryPosition)))
		g.Add(raw("sum += dot(table[r*%d:(r+1)*%d], y)", c.DP, c.DP))
	}
	if has(t.Bias) {
		g.Add(raw("sum += *").Add(at(jen.Id("bias"), raw("%s", row(t.Bias)))))
	}
}

// span gives the first and the last row of the relative table for queries from i to last and all keys.
func (c *attentionCode) span(s kernel.Sign, i, last string) string {
	if s == kernel.Forward {
		return fmt.Sprintf("row(at(%s)-at(n-1)), row(at(%s)-at(0))", i, last)
	}
	return fmt.Sprintf("row(at(0)-at(%s)), row(at(n-1)-at(%s))", last, i)
}
