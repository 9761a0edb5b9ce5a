package codegen

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// wordOp is how an op on words, or on rows one after the other, becomes code.
type wordOp struct {
	choose  func(*kernelSet, *ir.Node) (*kernelUse, error)
	unit    func(*emitter, *step) []jen.Code
	scratch func(*ir.Node) int // floats that a worker's kernel may use; nil: none
}

// wordOps are those ops.
var wordOps map[string]wordOp

func init() {
	wordOps = map[string]wordOp{
		"lstm":         {(*kernelSet).lstm, (*emitter).lstmUnit, func(n *ir.Node) int { return ops.LSTMState(n.Int("size")) }},
		"span_scores":  {(*kernelSet).spanScores, (*emitter).spanUnit, nil},
		"token_scores": {(*kernelSet).tokenScores, (*emitter).tokenUnit, func(n *ir.Node) int { return ops.TokenScratch(n.In[0].LD, n.In[2].LD) }},
	}
}

// wordScratch is how much scratch memory, in floats, the steps on words need.
func (e *emitter) wordScratch() int {
	most := 0
	for _, s := range e.steps {
		if scratch := wordOps[s.node.Op].scratch; scratch != nil {
			most = max(most, scratch(s.node))
		}
	}
	return most
}

// driverFunc declares a function around assembly, with the parameters of the portable form.
func driverFunc(name, doc string, params []kernel.Param, body ...jen.Code) jen.Code {
	return jen.Comment(name + " " + doc).Line().Func().Id(name).Params(paramList(params)...).Block(body...)
}

// wordKernel returns a kernel that is a function around assembly.
func (s *kernelSet) wordKernel(n *ir.Node, name, doc string, asm func(kernel.ISA) []kernel.Kernel, body func(kernel.ISA) []jen.Code) (*kernelUse, error) {
	return s.use(name, func(k *kernelUse) error {
		k.portable = portableOf(n)
		if err := k.paramsFrom(n); err != nil {
			return err
		}
		for _, isa := range s.isas {
			k.asm[isa.Name] = asm(isa)
			k.driver[isa.Name] = func(name string) (jen.Code, error) { return driverFunc(name, doc, k.params, body(isa)...), nil }
		}
		return nil
	})
}

// lstm finds the kernel of a long short-term memory: the product with the last output, whose bias is what the row adds, then the cells.
func (s *kernelSet) lstm(n *ir.Node) (*kernelUse, error) {
	size, ldx, ldy := n.Int("size"), n.In[0].LD, n.Out[0].LD
	padded := ops.LSTMState(size) / 6
	product := kernel.GemmParams{K: size, LDA: padded, LDC: 4 * padded, Panels: 2}
	return s.wordKernel(n, fmt.Sprintf("lstm_f32_%d_ldx%d_ldy%d", size, ldx, ldy),
		fmt.Sprintf("computes m rows of an LSTM of %d cells, which lie step rows apart, from a state that is carried on, or from 0.", size),
		func(isa kernel.ISA) []kernel.Kernel {
			return []kernel.Kernel{kernel.Gemm(product, isa), kernel.LSTM(size, isa)}
		},
		func(isa kernel.ISA) []jen.Code {
			return []jen.Code{
				jen.If(raw("fresh == 1")).Block(jen.Clear(jen.Qual("unsafe", "Slice").Call(jen.Id("state"), jen.Lit(2*padded)))),
				jen.Id("gates").Op(":=").Add(at(jen.Id("state"), jen.Lit(2*padded))),
				jen.For(raw("i := range m")).Block(
					jen.Id("xi").Op(":=").Add(at(jen.Id("x"), raw("i*step*%d", ldx))),
					jen.For(raw("col := 0; col < %d; col += 32", 4*padded)).Block(
						jen.Id(kernel.GemmName(product, isa.Name)).Call(at(jen.Id("gates"), raw("col")), jen.Id("state"), at(jen.Id("w"), raw("col*%d", size)), at(jen.Id("xi"), raw("col")), jen.Lit(1))),
					jen.Id(kernel.LSTMName(size, isa.Name)).Call(at(jen.Id("y"), raw("i*step*%d", ldy)), jen.Id("state")),
				),
			}
		})
}

// lstmUnit runs one direction of one sequence.
func (e *emitter) lstmUnit(s *step) []jen.Code {
	n, r := s.node, s.region
	size := n.Int("size")
	gates := 4 * (ops.LSTMState(size) / 6)
	starts := jen.Id("e").Dot(title(camel(n.In[2].Name)))
	code := []jen.Code{raw("b, way, step := unit, 0, 1")}
	if n.Flag("both") {
		code = []jen.Code{raw("b, way, step := unit/2, unit%%2, 1")}
	}
	code = append(code,
		jen.Id("row").Op(":=").Int().Call(jen.Add(starts).Index(jen.Id("b"))),
		jen.Id("m").Op(":=").Int().Call(jen.Add(starts).Index(jen.Id("b").Op("+").Lit(1))).Op("-").Id("row"),
		jen.If(raw("m == 0")).Block(jen.Return()),
	)
	if n.Flag("both") {
		code = append(code, jen.If(raw("way == 1")).Block(raw("row, step = row+m-1, -1")))
	}
	return append(code, kernelCall(s.kernel,
		at(e.ptr(r, n.Out[0]), raw("row*%d + way*%d", n.Out[0].LD, size)), at(e.ptr(r, n.In[0]), raw("row*%d + way*%d", n.In[0].LD, gates)),
		at(e.ptr(r, n.In[1]), raw("way*%d", gates*size)), jen.Id("e").Dot("scratch").Call(jen.Id("worker")), jen.Id("m"), jen.Id("step"), jen.Lit(1)))
}

// spanScores finds the kernel that scores the spans of a word.
func (s *kernelSet) spanScores(n *ir.Node) (*kernelUse, error) {
	inner, widths, ldu, ldy := n.In[0].Type.Shape[1].N, n.Int("widths"), n.In[2].LD, n.Out[0].LD
	p := kernel.SpansParams{I: inner, LDB: n.In[1].LD, LDU: ldu, YK: 1, YC: ldy}
	labels := max(4, callBudget/(inner*widths))
	return s.wordKernel(n, fmt.Sprintf("span_scores_f32_%dx%d_ldb%d_ldu%d_ldy%d", inner, widths, p.LDB, ldu, ldy),
		fmt.Sprintf("scores the m spans that begin at a word, of at most %d words, for labels; other columns become 0.", widths),
		func(isa kernel.ISA) []kernel.Kernel { return []kernel.Kernel{kernel.Spans(p, isa)} },
		func(isa kernel.ISA) []jen.Code {
			return []jen.Code{
				jen.If(raw("m < %d", widths)).Block(jen.Clear(jen.Qual("unsafe", "Slice").Call(jen.Id("y"), raw("labels*%d", ldy)))),
				jen.For(raw("c := 0; c < labels; c += %d", labels)).Block(
					jen.Id(kernel.SpansName(p, isa.Name)).Call(at(jen.Id("y"), raw("c*%d", ldy)), jen.Id("a"), jen.Id("b"), at(jen.Id("u"), raw("c*%d", ldu)), jen.Id("m"), raw("min(%d, labels-c)", labels))),
			}
		})
}

// spanUnit scores the spans of a block of words.
func (e *emitter) spanUnit(s *step) []jen.Code {
	n, r := s.node, s.region
	row := func(v *ir.Value, i string) jen.Code { return at(e.ptr(r, v), raw("%s*%d", i, v.LD)) }
	return []jen.Code{jen.For(raw("w, end := unit*%d, min(unit*%d+%d, e.W); w < end; w++", s.block, s.block, s.block)).Block(
		raw("at := e.PairsOf(w)"),
		jen.If(raw("at.Marks > 0")).Block(kernelCall(s.kernel, row(n.Out[0], "at.Pair"), row(n.In[0], "w"), row(n.In[1], "w"), row(n.In[2], "at.Mark"),
			raw("min(%d, at.Behind-w)", n.Int("widths")), raw("at.Marks"))),
	)}
}

// tokenScores finds the kernel that scores words as start, end and inside.
func (s *kernelSet) tokenScores(n *ir.Node) (*kernelUse, error) {
	k, inner := n.In[0].Type.Shape[1].N, n.In[2].Type.Shape[1].N
	ldk, ldn, ldv, ldy := n.In[0].LD, n.In[2].LD, n.In[5].Type.Shape[1].N, n.Out[0].LD
	if n.In[1].LD != ldk || n.In[3].LD != ldn {
		return nil, fmt.Errorf("the rows of words are %d and %d apart, those of labels %d and %d", ldk, ldn, n.In[1].LD, n.In[3].LD)
	}
	wide := kernel.GemmParams{K: k, LDA: ldk, LDC: ldn, Panels: 2, Residual: true}
	narrow := wide
	narrow.Panels = 1
	spans := kernel.SpansParams{I: inner, LDB: ldn, LDU: ldv, YK: ldy, YC: 1}
	panels := (inner + kernel.PanelWidth - 1) / kernel.PanelWidth
	products := func(isa kernel.ISA) jen.Code { // of all pairs with two panels, or an odd last one
		call := func(p kernel.GemmParams) jen.Code {
			c := at(jen.Id("sums"), raw("row*%d + p*16", ldn))
			return jen.Id(kernel.GemmName(p, isa.Name)).Call(c, at(jen.Id("products"), raw("row*%d", ldk)), at(jen.Id("w"), raw("p*%d", 16*k)), at(jen.Id("zeros"), raw("p*16")), c, jen.Id("m"))
		}
		body := []jen.Code{jen.List(jen.Id("row"), jen.Id("m")).Op(":=").Id("cut").Dot("Part").Call(jen.Id("i"))}
		switch {
		case panels == 1:
			body = append(body, call(narrow))
		case panels%2 == 1:
			body = append(body, jen.If(raw("p == %d", panels-1)).Block(call(narrow)).Else().Block(call(wide)))
		default:
			body = append(body, call(wide))
		}
		return jen.For(raw("p := 0; p < %d; p += 2", panels)).Block(jen.For(raw("i := range cut.Calls")).Block(body...))
	}
	return s.wordKernel(n, fmt.Sprintf("token_scores_f32_%dx%d_ldx%d_lda%d_ldv%d_ldy%d", k, inner, ldk, ldn, ldv, ldy),
		"scores words for labels: products of each pair, the inner layer of them all, then the scores of a word's pairs.",
		func(isa kernel.ISA) []kernel.Kernel {
			out := []kernel.Kernel{kernel.Spans(spans, isa)}
			if panels > 1 {
				out = append(out, kernel.Gemm(wide, isa))
			}
			if panels%2 == 1 {
				out = append(out, kernel.Gemm(narrow, isa))
			}
			return out
		},
		func(isa kernel.ISA) []jen.Code {
			slice := func(p string, n int) jen.Code { return jen.Qual("unsafe", "Slice").Call(raw("%s", p), jen.Lit(n)) }
			return []jen.Code{
				jen.Id("products").Op(",").Id("sums").Op(":=").Id("scratch").Op(",").Add(at(jen.Id("scratch"), jen.Lit(ops.TokenBlock*ops.TokenBlock*ldk))),
				jen.Id("zeros").Op(":=").Add(at(jen.Id("sums"), jen.Lit(ops.TokenBlock*ops.TokenBlock*ldn))),
				jen.Clear(slice("zeros", ldn)),
				jen.For(raw("i := range words")).Block(
					jen.Id("xi").Op(":=").Qual("unsafe", "Slice").Call(at(jen.Id("x"), raw("i*%d", ldk)), jen.Lit(k)),
					jen.For(raw("c := range labels")).Block(
						jen.Id("zc").Op(":=").Qual("unsafe", "Slice").Call(at(jen.Id("z"), raw("c*%d", ldk)), jen.Lit(k)),
						jen.Id("to").Op(":=").Qual("unsafe", "Slice").Call(at(jen.Id("products"), raw("(i*labels+c)*%d", ldk)), jen.Lit(k)),
						jen.For(raw("j, v := range xi")).Block(raw("to[j] = v * zc[j]")),
						jen.Copy(jen.Qual("unsafe", "Slice").Call(at(jen.Id("sums"), raw("(i*labels+c)*%d", ldn)), jen.Lit(ldn)),
							jen.Qual("unsafe", "Slice").Call(at(jen.Id("b"), raw("c*%d", ldn)), jen.Lit(ldn))),
					),
				),
				jen.Id("cut").Op(":=").Add(rt("CutRows")).Call(raw("words*labels"), jen.Lit(isa.TileRows), jen.Lit(min(kernel.MaxRows(wide, isa), kernel.MaxRows(narrow, isa)))),
				products(isa),
				jen.For(raw("i := range words")).Block(
					jen.Id(kernel.SpansName(spans, isa.Name)).Call(at(jen.Id("y"), raw("i*stride*%d", ldy)), at(jen.Id("a"), raw("i*%d", ldn)),
						at(jen.Id("sums"), raw("i*labels*%d", ldn)), jen.Id("v"), raw("labels, 3"))),
			}
		})
}

// tokenUnit scores the pairs of a block of words, as many labels at a time as there are words in a block.
func (e *emitter) tokenUnit(s *step) []jen.Code {
	n, r := s.node, s.region
	row := func(i int, at string) jen.Code {
		v := n.In[i]
		return jen.Add(rt("At")).Call(e.ptr(r, v), raw("%s*%d", at, v.LD))
	}
	args := []jen.Code{at(e.ptr(r, n.Out[0]), raw("(at.Pair+c)*%d", n.Out[0].LD)), row(0, "w"), row(1, "(at.Mark+c)"), row(2, "w"), row(3, "(at.Mark+c)"),
		e.ptr(r, n.In[4]), e.ptr(r, n.In[5]), jen.Id("e").Dot("scratch").Call(jen.Id("worker")), jen.Id("words"), raw("min(%d, at.Marks-c)", ops.TokenBlock), raw("at.Marks")}
	return []jen.Code{jen.For(raw("w, end := unit*%d, min(unit*%d+%d, e.W); w < end;", s.block, s.block, s.block)).Block(
		raw("at := e.PairsOf(w)"),
		raw("words := min(at.Behind, end) - w"),
		jen.For(raw("c := 0; c < at.Marks; c += %d", ops.TokenBlock)).Block(kernelCall(s.kernel, args...)),
		raw("w += words"),
	)}
}
