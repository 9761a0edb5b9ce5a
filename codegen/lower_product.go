package codegen

import (
	"fmt"
	"strings"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
)

// productLowering runs the products of a training program, whose matrices lie in their own layouts: the ops linear and matmul, and product_bf16 and
// product_tn_bf16, which read pairs of bfloat16. A unit brings two panels of the second matrix into the worker's memory and multiplies all rows with
// them. If the first matrix alone is transposed, a unit is a block of the result, which is computed from both matrices as they lie.
type productLowering struct{ common }

func (productLowering) name(n *ir.Node) string { return n.Op + "." + n.Out[0].Name }

func (productLowering) units(s *step) units {
	n := s.node
	cols := n.Out[0].Type.Shape[1].N
	if p, err := ops.ProductOf(n); err != nil || !p.Blocks() {
		return units{fmt.Sprint((cols + ops.ProductColumns - 1) / ops.ProductColumns), fmt.Sprintf("A unit is %d columns of the result.", ops.ProductColumns)}
	}
	height, width := ops.ProductBlock(n)
	blocks := (n.Out[0].Type.Shape[0].N + height - 1) / height * ((cols + width - 1) / width)
	return units{fmt.Sprint(blocks), fmt.Sprintf("A unit is a block of %d rows and %d columns of the result.", height, width)}
}

func (productLowering) scratch(s *step) []string {
	p, err := ops.ProductOf(s.node)
	if err != nil || p.TA {
		return nil
	}
	return []string{fmt.Sprint(p.Scratch())}
}

func (productLowering) kernels(set *kernelSet, s *step) error {
	n := s.node
	p, err := ops.ProductOf(n)
	if err != nil {
		return err
	}
	g := &productForm{Product: p, lda: stride(n.In[0]), ldb: stride(n.In[1]), ldy: stride(n.Out[0]), cols: n.Out[0].Type.Shape[1].N}
	switch {
	case p.Blocks():
		s.kernel, err = set.driven(n, driver{
			name:     g.name(n, "tn"),
			doc:      "computes a block of the product of a transposed matrix and another, from both as they lie.",
			assembly: func(isa kernel.ISA) []kernel.Kernel { return []kernel.Kernel{kernel.GemmTN(p.Pairs, isa)} },
			body:     g.block,
			more:     p.Pairs,
		})
	case p.TA:
		s.kernel, err = set.use(g.name(n, "tt"), func(k *kernelUse) error {
			k.portable = portableOf(n)
			return k.paramsFrom(n)
		})
	default:
		if need := (g.cols + kernel.PanelWidth - 1) / kernel.PanelWidth * kernel.PanelWidth; g.ldy < need {
			return fmt.Errorf("the rows of the result are %d apart, too near for %d columns in panels of %d", g.ldy, g.cols, kernel.PanelWidth)
		}
		s.kernel, err = set.driven(n, driver{
			name:     g.name(n, map[bool]string{false: "nn", true: "nt"}[p.TB]),
			doc:      fmt.Sprintf("brings at most %d columns into panels, then multiplies all rows with them.", ops.ProductColumns),
			assembly: g.assembly,
			body:     g.columns,
			more:     p.Pairs,
		})
	}
	return err
}

func (productLowering) unit(s *step) []string {
	n := s.node
	p, err := ops.ProductOf(n)
	if err != nil {
		return nil
	}
	a, b, y := n.In[0], n.In[1], n.Out[0]
	cols := y.Type.Shape[1].N
	if p.Blocks() {
		height, width := ops.ProductBlock(n)
		across := (cols + width - 1) / width
		return []string{
			fmt.Sprintf("row, col := unit/%d*%d, unit%%%d*%d", across, height, across, width),
			s.kernel.run(at(s.ptr(y), fmt.Sprintf("row*%d+col", stride(y))), at(s.ptr(a), "row"), at(s.ptr(b), "col"),
				fmt.Sprintf("min(%d, %d-row)", height, y.Type.Shape[0].N), fmt.Sprintf("min(%d, %d-col)", width, cols), rowsOf(a)),
		}
	}
	right := at(s.ptr(b), "col")
	if p.TB {
		right = moved(s.ptr(b), "col", stride(b))
	}
	args := []string{at(s.ptr(y), "col"), s.ptr(a), right}
	if n.Op != "matmul" {
		if p.Bias == nil {
			args = append(args, "nil")
		} else {
			args = append(args, at(s.ptr(p.Bias), "col"))
		}
	}
	return []string{
		fmt.Sprintf("col := unit * %d", ops.ProductColumns),
		s.kernel.run(append(args, "e.scratch(worker)", s.rows(), fmt.Sprintf("min(%d, %d-col)", ops.ProductColumns, cols))...),
	}
}

// productForm holds the constants of the form of a product.
type productForm struct {
	ops.Product
	lda, ldb, ldy, cols int
}

// name returns the form's name. It holds whatever makes two forms differ.
func (g *productForm) name(n *ir.Node, kind string) string {
	format := "f32"
	if g.Pairs {
		format = "bf16"
	}
	name := fmt.Sprintf("product_%s_%s_%dx%d_lda%d_ldb%d_ldy%d", format, kind, g.Terms, g.cols, g.lda, g.ldb, g.ldy)
	if n.Op == "linear" {
		name += "_linear"
	}
	if g.Bias != nil {
		name += "_bias"
	}
	if g.Plus != nil {
		name += "_plus"
	}
	return name
}

// block returns the body of the form that computes a block of the result.
func (g *productForm) block(isa kernel.ISA) string {
	add, clear := "t", fmt.Sprintf("if terms == 0 {\nfor row := range rows {\nclear(unsafe.Slice(%s, cols))\n}\n}\n", moved("y", "row", g.ldy))
	if g.Plus != nil {
		add, clear = "1", ""
	}
	count := ""
	if g.Pairs {
		count = "terms = (terms + 1) / 2 // pairs\n"
	}
	terms := kernel.BlockTN(isa).Terms
	return clear + count + fmt.Sprintf("for t := 0; t < terms; t += %d {\n%s(y, %s, %s, rows, cols, min(%d, terms-t), %d, %d, %d, %s)\n}",
		terms, kernel.GemmTNName(g.Pairs, isa.Name), moved("a", "t", g.lda), moved("b", "t", g.ldb), terms, g.lda, g.ldb, g.ldy, add)
}

// part is a chunk of the terms of a product with panels. A first chunk starts the sums; the others add to the result.
type part struct {
	k   int
	add bool
}

// parts returns the chunks that have kernels of their own: the first one, those after it, and a shorter last one.
func (g *productForm) parts() (list []part) {
	k := min(g.Terms, ops.ProductChunk)
	list = append(list, part{k, g.Plus != nil})
	if g.Terms >= 2*k && g.Plus == nil {
		list = append(list, part{k, true})
	}
	if rest := g.Terms % k; rest > 0 {
		list = append(list, part{rest, true})
	}
	return list
}

// widths returns the numbers of panels that calls multiply with: two, and one if that is what the last call has.
func (g *productForm) widths() (list []int) {
	if g.cols > kernel.PanelWidth {
		list = append(list, 2)
	}
	if rest := g.cols % ops.ProductColumns; rest > 0 && rest <= kernel.PanelWidth {
		list = append(list, 1)
	}
	return list
}

// gemm returns the kernel that multiplies a chunk with panels.
func (g *productForm) gemm(p part, panels int) kernel.GemmParams {
	return kernel.GemmParams{K: g.steps(p.k), LDA: g.lda, Panels: panels, Residual: p.add, Pairs: g.Pairs}
}

// steps returns the number of elements of the first matrix, and of rows of a panel, that hold a number of terms.
func (g *productForm) steps(terms int) int {
	if g.Pairs {
		return (terms + 1) / 2
	}
	return terms
}

// assembly returns the kernels of a product with panels.
func (g *productForm) assembly(isa kernel.ISA) []kernel.Kernel {
	out := []kernel.Kernel{kernel.Panels(g.TB, isa)}
	if g.Pairs {
		out[0] = kernel.Pairs(g.panels(), isa)
	}
	for _, p := range g.parts() {
		for _, panels := range g.widths() {
			out = append(out, kernel.Gemm(g.gemm(p, panels), isa))
		}
	}
	return out
}

// columns returns the body of the form that multiplies all rows with one or two panels.
func (g *productForm) columns(isa kernel.ISA) string {
	k := min(g.Terms, ops.ProductChunk)
	var b strings.Builder
	zeros := at("scratch", fmt.Sprint(g.steps(k)*ops.ProductColumns))
	bias := "bias"
	if g.Bias == nil {
		bias = zeros
	}
	if g.Bias == nil || g.Terms > k {
		fmt.Fprintf(&b, "clear(unsafe.Slice(%s, %d))\n", zeros, ops.ProductColumns)
	}
	most := 1 << 30
	for _, panels := range g.widths() {
		most = min(most, kernel.MaxRows(g.gemm(part{k: k}, panels), isa))
	}
	fmt.Fprintf(&b, "cut := engine.CutRows(m, %d, %d)\n", isa.TileRows, most)
	b.WriteString(g.chunk(isa, part{k, g.Plus != nil}, "0", bias))
	if g.Terms >= 2*k {
		fmt.Fprintf(&b, "for t := %d; t+%d <= %d; t += %d {\n%s}\n", k, k, g.Terms, k, g.chunk(isa, part{k, true}, "t", zeros))
	}
	if rest := g.Terms % k; rest > 0 {
		b.WriteString(g.chunk(isa, part{rest, true}, fmt.Sprint(g.Terms-rest), zeros))
	}
	return b.String()
}

// panels returns the kernel of pairs that makes panels of the second matrix.
func (g *productForm) panels() kernel.PairOf {
	if g.TB {
		return kernel.PairPanel
	}
	return kernel.PairRows
}

// panel returns the call that brings count columns from column first on, with the terms from t on, into a panel.
func (g *productForm) panel(isa kernel.ISA, k int, to, t, first, count string) string {
	switch {
	case g.Pairs && g.TB:
		return fmt.Sprintf("%s(%s, %s, %s, %d, %d)\n", kernel.PairsName(kernel.PairPanel, isa.Name), to,
			at(g.right(), fmt.Sprintf("%s*%d+%s", first, g.ldb, t)), count, k, g.ldb)
	case g.Pairs:
		return fmt.Sprintf("%s(%s, %s, %d, %s, %d, %d)\n", kernel.PairsName(kernel.PairRows, isa.Name), to,
			at(g.right(), fmt.Sprintf("%s*%d+%s", t, g.ldb, first)), k, count, kernel.PanelWidth, g.ldb)
	case g.TB:
		return fmt.Sprintf("%s(%s, %s, %s, %d, %d)\n", kernel.PanelsName(true, isa.Name), to,
			at(g.right(), fmt.Sprintf("%s*%d+%s", first, g.ldb, t)), count, k, g.ldb)
	}
	return fmt.Sprintf("%s(%s, %s, %d, %s, %d)\n", kernel.PanelsName(false, isa.Name), to,
		at(g.right(), fmt.Sprintf("%s*%d+%s", t, g.ldb, first)), k, count, g.ldb)
}

// chunk returns the statements that add the terms of a chunk, from term t on.
func (g *productForm) chunk(isa kernel.ISA, p part, t, bias string) string {
	room, column := "scratch", t
	if g.Pairs {
		room = "(*int32)(unsafe.Pointer(scratch))"
		if column != "0" {
			column += "/2"
		}
	}
	product := func(panels int) string {
		args := []string{moved("y", "row", g.ldy), at(g.left(), fmt.Sprintf("row*%d+%s", g.lda, column)), room, bias}
		if p.add {
			args = append(args, args[0])
		}
		return fmt.Sprintf("for i := range cut.Calls {\nrow, m := cut.Part(i)\n%s(%s, m, %d)\n}\n",
			kernel.GemmName(g.gemm(p, panels), isa.Name), strings.Join(args, ", "), g.ldy)
	}
	text := g.panel(isa, p.k, room, t, "0", fmt.Sprintf("min(cols, %d)", kernel.PanelWidth))
	second := g.panel(isa, p.k, at(room, fmt.Sprint(g.steps(p.k)*kernel.PanelWidth)), t, fmt.Sprint(kernel.PanelWidth),
		fmt.Sprintf("cols-%d", kernel.PanelWidth))
	switch widths := g.widths(); {
	case len(widths) == 2:
		return text + fmt.Sprintf("if cols > %d {\n%s%s} else {\n%s}\n", kernel.PanelWidth, second, product(2), product(1))
	case widths[0] == 2:
		return text + second + product(2)
	}
	return text + product(1)
}

// left and right return the names of the operands in the form.
func (g *productForm) left() string  { l, _ := g.Names(); return l }
func (g *productForm) right() string { _, r := g.Names(); return r }
