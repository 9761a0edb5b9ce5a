package codegen

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// callBudget is the number of multiply-adds that one call of a product may do. They take about 100 µs on a slow core.
const callBudget = 4 << 20

// driver is a Go function around assembly, with the parameters of the portable form.
type driver struct {
	name, doc string
	assembly  func(kernel.ISA) []kernel.Kernel
	body      func(kernel.ISA) string
	more      bool // sets that extend another one have assembly of their own
}

// driven returns a kernel that is a function around assembly.
func (s *kernelSet) driven(n *ir.Node, d driver) (*kernelUse, error) {
	return s.use(d.name, func(k *kernelUse) error {
		k.portable = portableOf(n)
		if err := k.paramsFrom(n); err != nil {
			return err
		}
		isas := s.isas
		if d.more {
			isas = slices.Concat(s.more, isas)
		}
		for _, isa := range isas {
			k.asm[isa.Name] = d.assembly(isa)
			k.driver[isa.Name] = func(name string) (jen.Code, error) {
				return jen.Comment(name + " " + d.doc).Line().Func().Id(name).Params(paramList(k.params)...).Block(raw("%s", d.body(isa))), nil
			}
		}
		return nil
	})
}

// lstmLowering runs one direction of a long short-term memory over one sequence.
type lstmLowering struct{ common }

// kernels chooses the product with the last output, to which the row's part is added as a bias, and the kernel of the cells.
func (lstmLowering) kernels(set *kernelSet, s *step) (err error) {
	n := s.node
	size, ldx, ldy := n.Int("size"), n.In[0].LD, n.Out[0].LD
	padded := ops.LSTMState(size) / 6
	product := kernel.GemmParams{K: size, LDA: padded, Panels: 2}
	s.kernel, err = set.driven(n, driver{
		name: fmt.Sprintf("lstm_f32_%d_ldx%d_ldy%d", size, ldx, ldy),
		doc:  fmt.Sprintf("computes m rows of an LSTM of %d cells, which lie step rows apart, from a state that is carried on, or from 0.", size),
		assembly: func(isa kernel.ISA) []kernel.Kernel {
			return []kernel.Kernel{kernel.Gemm(product, isa), kernel.LSTM(size, isa)}
		},
		body: func(isa kernel.ISA) string {
			return fmt.Sprintf(`if fresh == 1 {
	clear(unsafe.Slice(state, %[1]d))
}
gates := engine.At(state, %[1]d)
for i := range m {
	xi := engine.At(x, i*step*%[2]d)
	for col := 0; col < %[3]d; col += 32 {
		%[4]s(engine.At(gates, col), state, engine.At(w, col*%[5]d), engine.At(xi, col), 1, %[3]d)
	}
	%[6]s(engine.At(y, i*step*%[7]d), state)
}`, 2*padded, ldx, 4*padded, kernel.GemmName(product, isa.Name), size, kernel.LSTMName(size, isa.Name), ldy)
		},
	})
	return err
}

func (lstmLowering) units(s *step) units {
	if s.node.Flag("both") {
		return units{"2*e.sequences", "A unit is one direction of one sequence."}
	}
	return units{"e.sequences", "A unit is one direction of one sequence."}
}

func (lstmLowering) scratch(s *step) []string {
	return []string{fmt.Sprint(ops.LSTMState(s.node.Int("size")))}
}

func (lstmLowering) unit(s *step) []string {
	n := s.node
	size := n.Int("size")
	gates := 4 * (ops.LSTMState(size) / 6)
	side := func(v *ir.Value, width int) string { return at(s.ptr(v), fmt.Sprintf("row*%d + way*%d", v.LD, width)) }
	return append(directions(n, startsOf(n.In[2])), s.kernel.run(side(n.Out[0], size), side(n.In[0], gates),
		moved(s.ptr(n.In[1]), "way", gates*size), "e.scratch(worker)", "m", "step", "1"))
}

// directions returns the statements that set the direction of a unit, its first row, the number of its rows, and the step from row to row. starts is the
// expression for the first rows of the sequences.
func directions(n *ir.Node, starts string) []string {
	which, turn := "b, way, step := unit, 0, 1", ""
	if n.Flag("both") {
		which, turn = "b, way, step := unit/2, unit%2, 1", "if way == 1 {\n\trow, step = row+m-1, -1\n}"
	}
	code := []string{which, "row := int(" + starts + "[b])", "m := int(" + starts + "[b+1]) - row", "if m == 0 {\n\treturn\n}"}
	if turn != "" {
		code = append(code, turn)
	}
	return code
}

// wordUnits returns units that are blocks of words.
func wordUnits(s *step) units {
	return units{parts("e.W", s.block), fmt.Sprintf("A unit is %d words.", s.block)}
}

// spanLowering scores the spans of a block of words.
type spanLowering struct{ common }

func (spanLowering) units(s *step) units { return wordUnits(s) }

func (spanLowering) kernels(set *kernelSet, s *step) (err error) {
	n := s.node
	inner, widths, ldu, ldy := n.In[0].Type.Shape[1].N, n.Int("widths"), n.In[2].LD, n.Out[0].LD
	p := kernel.SpansParams{I: inner, LDB: n.In[1].LD, LDU: ldu, YK: 1, YC: ldy}
	labels := max(4, callBudget/(inner*widths))
	s.kernel, err = set.driven(n, driver{
		name:     fmt.Sprintf("span_scores_f32_%dx%d_ldb%d_ldu%d_ldy%d", inner, widths, p.LDB, ldu, ldy),
		doc:      fmt.Sprintf("scores the m spans that begin at a word, of at most %d words, for labels; other columns become 0.", widths),
		assembly: func(isa kernel.ISA) []kernel.Kernel { return []kernel.Kernel{kernel.Spans(p, isa)} },
		body: func(isa kernel.ISA) string {
			return fmt.Sprintf(`if m < %[1]d {
	clear(unsafe.Slice(y, labels*%[2]d))
}
for c := 0; c < labels; c += %[3]d {
	%[4]s(engine.At(y, c*%[2]d), a, b, engine.At(u, c*%[5]d), m, min(%[3]d, labels-c))
}`, widths, ldy, labels, kernel.SpansName(p, isa.Name), ldu)
		},
	})
	return err
}

func (spanLowering) unit(s *step) []string {
	n := s.node
	call := s.kernel.run(s.row(n.Out[0], "at.Pair"), s.row(n.In[0], "w"), s.row(n.In[1], "w"), s.row(n.In[2], "at.Mark"),
		fmt.Sprintf("min(%d, at.End-w)", n.Int("widths")), "at.Marks")
	return []string{fmt.Sprintf(`for w, end := unit*%[1]d, min(unit*%[1]d+%[1]d, e.W); w < end; w++ {
	at := e.PairsOf(w)
	if at.Marks > 0 {
		%[2]s
	}
}`, s.block, call)}
}

// tokenLowering scores the pairs of a block of words. It takes as many labels at a time as a block has words.
type tokenLowering struct{ common }

func (tokenLowering) units(s *step) units { return wordUnits(s) }

func (tokenLowering) scratch(s *step) []string {
	return []string{fmt.Sprint(ops.TokenScratch(s.node.In[0].LD, s.node.In[2].LD))}
}

// tokenScores holds the constants of the driver that scores words as start, end and inside.
type tokenScores struct {
	k, inner, ldk, ldn, ldv, ldy int
	wide, narrow                 kernel.GemmParams
	spans                        kernel.SpansParams
}

// panels returns the number of panels of the inner layer.
func (t *tokenScores) panels() int { return (t.inner + kernel.PanelWidth - 1) / kernel.PanelWidth }

func (tokenLowering) kernels(set *kernelSet, s *step) (err error) {
	n := s.node
	t := &tokenScores{k: n.In[0].Type.Shape[1].N, inner: n.In[2].Type.Shape[1].N,
		ldk: n.In[0].LD, ldn: n.In[2].LD, ldv: n.In[5].Type.Shape[1].N, ldy: n.Out[0].LD}
	if n.In[1].LD != t.ldk || n.In[3].LD != t.ldn {
		return fmt.Errorf("the rows of words are %d and %d apart, those of labels %d and %d", t.ldk, t.ldn, n.In[1].LD, n.In[3].LD)
	}
	t.wide = kernel.GemmParams{K: t.k, LDA: t.ldk, Panels: 2, Residual: true}
	t.narrow = t.wide
	t.narrow.Panels = 1
	t.spans = kernel.SpansParams{I: t.inner, LDB: t.ldn, LDU: t.ldv, YK: t.ldy, YC: 1}
	s.kernel, err = set.driven(n, driver{
		name:     fmt.Sprintf("token_scores_f32_%dx%d_ldx%d_lda%d_ldv%d_ldy%d", t.k, t.inner, t.ldk, t.ldn, t.ldv, t.ldy),
		doc:      "scores words for labels: products of each pair, the inner layer of them all, then the scores of a word's pairs.",
		assembly: t.assembly,
		body:     t.body,
	})
	return err
}

// assembly returns the kernels: the products with two panels, or with an odd last one, and the scores.
func (t *tokenScores) assembly(isa kernel.ISA) []kernel.Kernel {
	out := []kernel.Kernel{kernel.Spans(t.spans, isa)}
	if t.panels() > 1 {
		out = append(out, kernel.Gemm(t.wide, isa))
	}
	if t.panels()%2 == 1 {
		out = append(out, kernel.Gemm(t.narrow, isa))
	}
	return out
}

// body returns the body of the driver.
func (t *tokenScores) body(isa kernel.ISA) string {
	call := func(p kernel.GemmParams) string {
		c := fmt.Sprintf("engine.At(sums, row*%d+p*%d)", t.ldn, kernel.PanelWidth)
		return fmt.Sprintf("%s(%s, engine.At(products, row*%d), engine.At(w, p*%d), engine.At(zeros, p*%d), %s, m, %d)",
			kernel.GemmName(p, isa.Name), c, t.ldk, kernel.PanelWidth*t.k, kernel.PanelWidth, c, t.ldn)
	}
	product := call(t.wide)
	switch panels := t.panels(); {
	case panels == 1:
		product = call(t.narrow)
	case panels%2 == 1:
		product = fmt.Sprintf("if p == %d {\n%s\n} else {\n%s\n}", panels-1, call(t.narrow), product)
	}
	most := min(kernel.MaxRows(t.wide, isa), kernel.MaxRows(t.narrow, isa))
	return strings.NewReplacer(
		"PAIRS", fmt.Sprint(ops.TokenBlock*ops.TokenBlock),
		"LDK", fmt.Sprint(t.ldk), "LDN", fmt.Sprint(t.ldn), "LDY", fmt.Sprint(t.ldy), "COLS", fmt.Sprint(t.k),
		"TILE", fmt.Sprint(isa.TileRows), "MOST", fmt.Sprint(most), "PANELS", fmt.Sprint(t.panels()), "PRODUCT", product,
		"SPANS", kernel.SpansName(t.spans, isa.Name),
	).Replace(tokenDriver)
}

// tokenDriver is the driver's body. Words in capitals stand for constants and calls.
const tokenDriver = `products, sums := scratch, engine.At(scratch, PAIRS*LDK)
zeros := engine.At(sums, PAIRS*LDN)
clear(unsafe.Slice(zeros, LDN))
for i := range words {
	xi := unsafe.Slice(engine.At(x, i*LDK), COLS)
	for c := range labels {
		zc := unsafe.Slice(engine.At(z, c*LDK), COLS)
		to := unsafe.Slice(engine.At(products, (i*labels+c)*LDK), COLS)
		for j, v := range xi {
			to[j] = v * zc[j]
		}
		copy(unsafe.Slice(engine.At(sums, (i*labels+c)*LDN), LDN), unsafe.Slice(engine.At(b, c*LDN), LDN))
	}
}
cut := engine.CutRows(words*labels, TILE, MOST)
for p := 0; p < PANELS; p += 2 {
	for i := range cut.Calls {
		row, m := cut.Part(i)
		PRODUCT
	}
}
for i := range words {
	SPANS(engine.At(y, i*stride*LDY), engine.At(a, i*LDN), engine.At(sums, i*labels*LDN), v, labels, 3)
}`

func (tokenLowering) unit(s *step) []string {
	n := s.node
	args := []string{s.row(n.Out[0], "(at.Pair+c)"), s.row(n.In[0], "w"), s.row(n.In[1], "(at.Mark+c)"), s.row(n.In[2], "w"), s.row(n.In[3], "(at.Mark+c)"),
		s.ptr(n.In[4]), s.ptr(n.In[5]), "e.scratch(worker)", "words", fmt.Sprintf("min(%d, at.Marks-c)", ops.TokenBlock), "at.Marks"}
	return []string{fmt.Sprintf(`for w, end := unit*%[1]d, min(unit*%[1]d+%[1]d, e.W); w < end; {
	at := e.PairsOf(w)
	words := min(at.End, end) - w
	for c := 0; c < at.Marks; c += %[2]d {
		%[3]s
	}
	w += words
}`, s.block, ops.TokenBlock, s.kernel.run(args...))}
}
