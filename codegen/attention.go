package codegen

import (
	"fmt"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
)

// attentionCode is an attention function in the making: the names that its parts share.
type attentionCode struct {
	kernel.AttentionParams
	name string // of the function
	isa  string
	ops  map[string]string // micro kernels by job: keys, product, join, softmax, values, weigh
}

// AttentionDriver prints the Go function that computes one head of one sequence with the micro kernels of an instruction set
// ([kernel.AttentionKernels]), and the functions and the type that it needs. Its parameters are [kernel.AttentionArgs]. A sequence with
// holes, or an index that rises by more than 1 between two of its offsets, goes to the function called portable.
func AttentionDriver(name, portable string, p kernel.AttentionParams, isa kernel.ISA) (jen.Code, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	c := &attentionCode{AttentionParams: p, name: name, isa: isa.Name, ops: map[string]string{}}
	for _, k := range kernel.AttentionKernels(p, isa) {
		c.ops[strings.Split(k.Name, "_")[2]] = k.Name
	}
	c.ops["product"], c.ops["keyproduct"] = kernel.AttentionProducts(p, isa)
	code := jen.Add(c.driver(portable)).Line().Line().Add(c.workType()).Line().Line().Add(c.layout())
	if p.Terms.Bias {
		code.Line().Line().Add(c.biases())
	}
	if p.Terms.Indexed() {
		code.Line().Line().Add(c.offsets())
	}
	code.Line().Line().Add(c.pack()).Line().Line().Add(c.queries()).Line().Line().Add(c.strip())
	if has(p.Terms.KeyPosition) || has(p.Terms.QueryPosition) && p.LDK == p.LDQ {
		code.Line().Line().Add(c.table("table", "queries or keys", c.ops["product"]))
	}
	if has(p.Terms.QueryPosition) && p.LDK != p.LDQ {
		code.Line().Line().Add(c.table("keyTable", "keys", c.ops["keyproduct"]))
	}
	if p.Masked {
		code.Line().Line().Add(c.seen())
	}
	return code, nil
}

// lengths returns the sum of the parts' lengths as an expression in rows.
func lengths(parts []kernel.AttentionPart) string {
	fixed, free := 0, 0
	var most []int
	capped := map[int]int{}
	for _, a := range parts {
		fixed += a.Fixed
		if a.Most == 0 {
			free += a.PerRow
			continue
		}
		if capped[a.Most] == 0 {
			most = append(most, a.Most)
		}
		capped[a.Most] += a.PerRow
	}
	text := fmt.Sprintf("%d*rows", free)
	for _, m := range most {
		text += fmt.Sprintf(" + %d*min(rows, %d)", capped[m], m)
	}
	if fixed > 0 {
		text += fmt.Sprintf(" + %d", fixed)
	}
	return text
}

// raw returns a statement or an expression given as text.
func raw(format string, args ...any) *jen.Statement { return jen.Id(fmt.Sprintf(format, args...)) }

// has reports whether a part of the score is there.
func has(s kernel.Sign) bool { return s != kernel.Absent }

// attentionParams prints the parameters of an attention function, which mixes heads or not, with a mask or not.
func attentionParams(mixes, masked bool, more ...jen.Code) []jen.Code {
	f32, i32 := jen.Op("*").Float32(), jen.Op("*").Int32()
	ids := func(names string) *jen.Statement { return jen.Id(strings.Join(strings.Fields(names), ", ")) }
	floats, counts := "o q k v kr qr bias", "n i0 i1"
	if mixes {
		floats += " mixscore mixweight"
	}
	if masked {
		counts += " prefix"
	}
	return append([]jen.Code{ids(floats).Add(f32), ids("index pos").Add(i32), ids("scratch").Add(f32), ids(counts).Int()}, more...)
}

// prefixArg returns the argument of masked attentions after others.
func (c *attentionCode) prefixArg() string {
	if c.Masked {
		return ", prefix"
	}
	return ""
}

// driver returns the function itself.
func (c *attentionCode) driver(portable string) jen.Code {
	return jen.Commentf("%s computes rows [i0, i1) of one head of an attention over n rows:", c.name).Line().
		Comment("o[i] = Σ_j p[i, j]·v[j], p = softmax over j of "+c.score()).Line().
		Commentf("in blocks of %d keys and strips of at most %d queries.%s", kernel.AttentionKeys, kernel.AttentionStrip, c.maskDoc()).Line().
		Func().Id(c.name).Params(attentionParams(false, c.Masked)...).BlockFunc(func(g *jen.Group) {
		g.If(raw("pos != nil && int(*").Add(at(jen.Id("pos"), raw("n-1"))).Op("-").Op("*").Id("pos").Op(")").Op("!=").Id("n-1")).Block(
			raw("%s(o, q, k, v, kr, qr, bias, index, pos, scratch, n, i0, i1%s)", portable, c.prefixArg()),
			jen.Return(),
		)
		g.Var().Id("w").Id(c.name + "_work")
		g.Add(raw("w.place(o, q, k, v, kr, qr, scratch, n, i0, i1%s)", c.prefixArg()))
		if c.Terms.Bias {
			g.Add(raw("w.biases(bias)"))
		}
		if c.Terms.Indexed() {
			g.If(raw("!w.offsets(index)")).Block(
				raw("%s(o, q, k, v, kr, qr, bias, index, pos, scratch, n, i0, i1%s)", portable, c.prefixArg()),
				jen.Return(),
			)
		}
		rows := packRows(c.DP)
		end := "n"
		if c.Masked {
			end = "end"
			g.Add(raw("end := w.seen(i1 - 1) // of the keys that some query sees"))
		}
		g.For(raw("j := 0; j < %s; j += %d", end, rows)).Block(raw("w.pack(j, min(%d, %s-j))", rows, end))
		g.Add(raw("parts := (i1 - i0 + %d) / %d", kernel.AttentionQueries-1, kernel.AttentionQueries))
		g.For(raw("part := range parts")).Block(
			raw("w.queries(i0+part*(i1-i0)/parts, i0+(part+1)*(i1-i0)/parts)"),
		)
	})
}

// score writes the score in words.
func (c *attentionCode) score() string {
	var parts []string
	add := func(s kernel.Sign, text string) {
		switch s {
		case kernel.Forward:
			parts = append(parts, fmt.Sprintf(text, "i-j"))
		case kernel.Reverse:
			parts = append(parts, fmt.Sprintf(text, "j-i"))
		}
	}
	if c.Terms.Content {
		parts = append(parts, "q[i]·k[j]")
	}
	add(c.Terms.KeyPosition, "q[i]·KR[index[%s]]")
	add(c.Terms.QueryPosition, "k[j]·QR[index[%s]]")
	if c.Terms.Bias {
		parts = append(parts, "bias[i-j]")
	}
	return strings.Join(parts, " + ")
}

// maskDoc says what a mask hides.
func (c *attentionCode) maskDoc() string {
	if c.Masked {
		return " Query i sees the keys j ≤ i and j < prefix."
	}
	return ""
}

// workType declares what the steps share.
func (c *attentionCode) workType() jen.Code {
	return jen.Commentf("%s_work is the state of one call.", c.name).Line().
		Type().Id(c.name + "_work").StructFunc(func(g *jen.Group) {
		counts := []jen.Code{jen.Id("n"), jen.Id("i0"), jen.Id("i1")}
		if c.Masked {
			counts = append(counts, jen.Id("prefix"))
		}
		g.List(counts...).Int()
		for _, x := range c.operands() {
			g.Id(x.name).Index().Float32()
		}
		for _, a := range kernel.AttentionLayout(c.AttentionParams) {
			t := jen.Float32()
			if a.Type == kernel.I32 {
				t = jen.Int32()
			}
			g.Id(a.Name).Index().Add(t).Comment(a.Doc)
		}
	})
}

// method starts a method of the state.
func (c *attentionCode) method(doc, name string, params ...jen.Code) *jen.Statement {
	return jen.Comment(name + " " + doc).Line().Func().Params(jen.Id("w").Op("*").Id(c.name + "_work")).Id(name).Params(params...)
}

// step starts a method that runs assembly. The runtime cannot stop assembly; it stops the goroutine where a function with a frame begins.
func (c *attentionCode) step(doc, name string, params ...jen.Code) *jen.Statement {
	return jen.Comment(name + " " + doc).Line().Comment("//").Line().Comment("//go:noinline").Line().
		Func().Params(jen.Id("w").Op("*").Id(c.name + "_work")).Id(name).Params(params...)
}

// attentionOperand is an operand that the steps use, and its length in floats.
type attentionOperand struct{ name, length string }

// operands lists the operands that the steps use.
func (c *attentionCode) operands() []attentionOperand {
	rows := func(count string, ld int) string { return fmt.Sprintf("(%s-1)*%d+%d", count, ld, c.DP) }
	table := fmt.Sprint((c.R + kernel.PanelWidth - 1) / kernel.PanelWidth * kernel.PanelWidth * c.DP)
	list := []attentionOperand{{"o", rows("i1-i0", c.LDO)}, {"v", rows("n", c.LDK)}}
	if c.Terms.Content || has(c.Terms.KeyPosition) {
		list = append(list, attentionOperand{"q", rows("i1", c.LDQ)})
	}
	if c.Terms.Content || has(c.Terms.QueryPosition) {
		list = append(list, attentionOperand{"k", rows("n", c.LDK)})
	}
	if has(c.Terms.KeyPosition) {
		list = append(list, attentionOperand{"kr", table})
	}
	if has(c.Terms.QueryPosition) {
		list = append(list, attentionOperand{"qr", table})
	}
	return list
}

// layout cuts the scratch into arrays.
func (c *attentionCode) layout() jen.Code {
	slice := func(p jen.Code, n string) jen.Code { return jen.Qual("unsafe", "Slice").Call(p, raw("%s", n)) }
	return c.method("cuts the scratch into arrays and sets bounds to the operands.", "place",
		jen.Id("o, q, k, v, kr, qr, scratch").Op("*").Float32(), jen.Id("n, i0, i1"+c.prefixArg()).Int()).
		BlockFunc(func(g *jen.Group) {
			g.Add(raw("w.n, w.i0, w.i1 = n, i0, i1"))
			if c.Masked {
				g.Add(raw("w.prefix = prefix"))
			}
			for _, x := range c.operands() {
				g.Id("w." + x.name).Op("=").Add(slice(jen.Id(x.name), x.length))
			}
			g.Add(raw("rows := (n + 15) / 16 * 16"))
			var last string
			for _, a := range kernel.AttentionLayout(c.AttentionParams) {
				if last != "" {
					g.Id("scratch").Op("=").Add(at(jen.Id("scratch"), jen.Len(jen.Id("w."+last))))
				}
				last = a.Name
				n := lengthText(a)
				p := jen.Code(jen.Id("scratch"))
				if a.Type == kernel.I32 {
					p = jen.Parens(jen.Op("*").Int32()).Call(jen.Qual("unsafe", "Pointer").Call(jen.Id("scratch")))
				}
				g.Id("w." + a.Name).Op("=").Add(slice(p, n))
			}
			if c.Terms.Content {
				g.Add(raw("clear(w.zero)"))
			}
			g.For(raw("i := range w.ones")).Block(raw("w.ones[i] = 1"))
		})
}

// lengthText returns a part's length in Go.
func lengthText(a kernel.AttentionPart) string {
	rows := "rows"
	if a.Most > 0 {
		rows = fmt.Sprintf("min(rows, %d)", a.Most)
	}
	switch {
	case a.PerRow == 0:
		return fmt.Sprint(a.Fixed)
	case a.Fixed == 0 && a.PerRow == 1:
		return rows
	case a.Fixed == 0:
		return fmt.Sprintf("%d*%s", a.PerRow, rows)
	}
	return fmt.Sprintf("%d*%s+%d", a.PerRow, rows, a.Fixed)
}
