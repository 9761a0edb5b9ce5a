package codegen

import (
	"fmt"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/loop"
	"github.com/debertac/debertac/ir/ops"
)

// vocabLowering runs logit_parts and token_loss_grad: products of rows with a chunk of the vocabulary at a time. The logits of a chunk lie in the worker's
// memory. A unit is a chunk, or, in the gradient, a part of the chunks.
type vocabLowering struct {
	common
	grad bool
}

// vocab is a node of the lowering.
type vocab struct {
	vocabLowering
	s                *step
	x, w, bias       *ir.Value
	chunk, ldz       int
	width, entries   int
	chunks, lastCols int // the number of chunks, and the columns of the last one
}

// of returns the node of a step.
func (l vocabLowering) of(s *step) *vocab {
	n, i := s.node, 0
	if l.grad {
		i = 1 // the gradient of the rows comes first
	}
	v := &vocab{vocabLowering: l, s: s, x: n.In[i], w: n.In[i+1], bias: operand(n, i+2), chunk: n.Int("chunk"), ldz: kernel.LD(n.Int("chunk"))}
	v.width, v.entries = v.x.Type.Shape[1].N, v.w.Type.Shape[0].N
	v.chunks = (v.entries + v.chunk - 1) / v.chunk
	v.lastCols = v.entries - (v.chunks-1)*v.chunk
	return v
}

// matrix returns a value of a product that has no place of its own.
func matrix(name string, ld int, rows, cols ir.Dim) *ir.Value {
	return &ir.Value{Name: name, Type: ir.Type{DType: ir.F32, Shape: ir.Shape{rows, cols}}, LD: ld}
}

// product returns the kernel of a product of values.
func (v *vocab) product(set *kernelSet, op string, attrs []ir.Attr, y *ir.Value, in ...*ir.Value) (*kernelUse, error) {
	s := &step{e: v.s.e, region: v.s.region, node: &ir.Node{Op: op, Attrs: attrs, In: in, Out: []*ir.Value{y}}}
	err := productLowering{}.kernels(set, s)
	return s.kernel, err
}

// logits returns the kernel that computes the logits of a chunk of cols columns.
func (v *vocab) logits(set *kernelSet, cols int) (*kernelUse, error) {
	rows, width := v.x.Type.Shape[0], v.x.Type.Shape[1]
	bias := v.bias
	if bias != nil {
		bias = &ir.Value{Name: "bias", Type: ir.Type{DType: ir.F32, Shape: ir.Shape{ir.N(cols)}}}
	}
	return v.product(set, "linear", nil, matrix("z", v.ldz, rows, ir.N(cols)), v.x, matrix("w", stride(v.w), ir.N(cols), width), bias)
}

// weights returns the kernel that computes the gradients of the entries of a chunk.
func (v *vocab) weights(set *kernelSet) (*kernelUse, error) {
	rows, width := v.x.Type.Shape[0], v.x.Type.Shape[1]
	dz := matrix("dz", v.ldz, rows, ir.N(v.chunk))
	return v.product(set, "matmul", []ir.Attr{ir.A("ta", true)}, matrix("dw", stride(v.s.node.Out[1]), ir.N(v.chunk), width), dz, v.x)
}

// inputs returns the kernel that adds the gradient of the rows by a chunk of cols columns.
func (v *vocab) inputs(set *kernelSet, cols int) (*kernelUse, error) {
	rows, width := v.x.Type.Shape[0], v.x.Type.Shape[1]
	dx := matrix("dx", stride(v.s.node.Out[0]), rows, width)
	return v.product(set, "matmul", nil, dx, matrix("dz", v.ldz, rows, ir.N(cols)), matrix("w", stride(v.w), ir.N(cols), width), dx)
}

// nest returns a kernel that exists only as a loop nest.
func (v *vocab) nest(set *kernelSet, name string, n *loop.Nest, err error) (*kernelUse, error) {
	if err != nil {
		return nil, err
	}
	return set.use(name, func(k *kernelUse) error {
		k.portable = func(name string) (jen.Code, error) { return nestCode(name, n) }
		k.paramsOf(n)
		return nil
	})
}

// forms returns the kernels of a node.
func (v *vocab) forms(set *kernelSet) (*vocabForms, error) {
	f := &vocabForms{}
	var err error
	use := func(k *kernelUse, e error) *kernelUse {
		if err == nil {
			err = e
		}
		return k
	}
	f.logits, f.lastLogits = use(v.logits(set, v.chunk)), use(v.logits(set, v.lastCols))
	if v.grad {
		smooth := v.s.node.Float("smooth")
		n, e := ops.LogitGradNest(v.ldz, smooth, v.entries)
		name := fmt.Sprintf("logit_grad_f32_ldz%d", v.ldz)
		if smooth > 0 {
			name += identifier.ReplaceAllString(fmt.Sprintf("_smooth%v_%d", smooth, v.entries), "p")
		}
		f.each = use(v.nest(set, name, n, e))
		f.weights = use(v.weights(set))
		f.inputs, f.lastInputs = use(v.inputs(set, v.chunk)), use(v.inputs(set, v.lastCols))
		return f, err
	}
	ldy := stride(v.s.node.Out[0])
	n, e := ops.LogitPartsNest(v.ldz, ldy)
	f.each = use(v.nest(set, fmt.Sprintf("logit_parts_f32_ldz%d_ldy%d", v.ldz, ldy), n, e))
	return f, err
}

// vocabForms holds the kernels of a node. Those of the last chunk differ if it has fewer columns.
type vocabForms struct{ logits, lastLogits, each, weights, inputs, lastInputs *kernelUse }

func (l vocabLowering) kernels(set *kernelSet, s *step) error {
	f, err := l.of(s).forms(set)
	if err == nil {
		s.kernel = f.each
	}
	return err
}

func (l vocabLowering) units(s *step) units {
	if l.grad {
		return units{fmt.Sprint(s.node.Int("parts")), "A unit is a part of the chunks of the vocabulary, in their order."}
	}
	return units{fmt.Sprint(l.of(s).chunks), fmt.Sprintf("A unit is %d entries of the vocabulary.", s.node.Int("chunk"))}
}

// scratch is the logits of a chunk, and what the products use.
func (l vocabLowering) scratch(s *step) []string {
	v := l.of(s)
	room := ops.Product{Terms: v.width}.Scratch()
	if l.grad {
		room = max(room, ops.Product{Terms: v.chunk}.Scratch())
	}
	return []string{fmt.Sprintf("%d*%s + %d", v.ldz, sizeOf(v.x.Type.Shape[0]), room)}
}

// sizeOf returns the expression for an extent in s, the sizes of a call.
func sizeOf(d ir.Dim) string {
	if d.Const() {
		return fmt.Sprint(d.N)
	}
	return "s." + d.Sym
}

func (l vocabLowering) unit(s *step) []string {
	v := l.of(s)
	f, err := v.forms(s.e.kernels) // they exist
	if err != nil {
		return nil
	}
	rows := rowsOf(v.x)
	lines := []string{"z := e.scratch(worker)", "room := " + at("z", fmt.Sprintf("%d*(%s)", v.ldz, rows))}
	if !l.grad {
		lines = append(lines, v.logitsOf(f, "unit")...)
		return append(lines, f.each.run(at(s.ptr(s.node.Out[0]), "unit*2"), "z", rows, "cols"))
	}
	parts := s.node.Int("parts")
	wide := (v.width + 15) / 16 * 16
	each := (v.chunks + parts - 1) / parts
	dx := at(s.ptr(s.node.Out[0]), fmt.Sprintf("unit*%d", wide))
	lines = append(lines,
		fmt.Sprintf("dx := %s", dx),
		fmt.Sprintf("for row := range %s {\n\tclear(unsafe.Slice(%s, %d))\n}", rows, moved("dx", "row", stride(s.node.Out[0])), wide),
		fmt.Sprintf("for chunk := unit * %d; chunk < min(unit*%d+%d, %d); chunk++ {", each, each, each, v.chunks))
	lines = append(lines, v.logitsOf(f, "chunk")...)
	n := s.node
	lines = append(lines, f.each.run("z", at(s.ptr(n.Out[2]), "first"), s.ptr(n.In[0]), s.ptr(n.In[5]), s.ptr(n.In[4]), rows, "cols", "first"))
	lines = append(lines, v.blocks(f.weights, rows)...)
	call := func(k *kernelUse) string {
		return k.run(at("dx", "c"), "z", at(s.ptr(v.w), fmt.Sprintf("first*%d+c", stride(v.w))), "room", rows,
			fmt.Sprintf("min(%d, %d-c)", ops.ProductColumns, v.width))
	}
	return append(lines, fmt.Sprintf("for c := 0; c < %d; c += %d {\n%s\n}", v.width, ops.ProductColumns, v.either(call(f.inputs), call(f.lastInputs))), "}")
}

// either returns the call for a whole chunk or for the last one, by the number of columns, cols.
func (v *vocab) either(whole, last string) string {
	if whole == last {
		return whole
	}
	return fmt.Sprintf("if cols == %d {\n%s\n} else {\n%s\n}", v.chunk, whole, last)
}

// logitsOf returns the statements that compute the logits of a chunk: cols columns from entry first on.
func (v *vocab) logitsOf(f *vocabForms, chunk string) []string {
	s := v.s
	bias := "nil"
	if v.bias != nil {
		bias = at(s.ptr(v.bias), "first+c")
	}
	call := func(k *kernelUse) string {
		return k.run(at("z", "c"), s.ptr(v.x), moved(s.ptr(v.w), "(first+c)", stride(v.w)), bias, "room", rowsOf(v.x),
			fmt.Sprintf("min(%d, cols-c)", ops.ProductColumns))
	}
	return []string{
		fmt.Sprintf("first := %s * %d", chunk, v.chunk),
		fmt.Sprintf("cols := min(%d, %d-first)", v.chunk, v.entries),
		fmt.Sprintf("for c := 0; c < cols; c += %d {\n%s\n}", ops.ProductColumns, v.either(call(f.logits), call(f.lastLogits))),
	}
}

// blocks returns the statements that compute the gradients of the entries of a chunk, block by block.
func (v *vocab) blocks(k *kernelUse, rows string) []string {
	dw := v.s.node.Out[1]
	dz := matrix("dz", v.ldz, v.x.Type.Shape[0], ir.N(v.chunk))
	height, width := ops.ProductBlock(&ir.Node{Op: "matmul", Attrs: []ir.Attr{ir.A("ta", true)}, In: []*ir.Value{dz, v.x},
		Out: []*ir.Value{matrix("dw", stride(dw), ir.N(v.chunk), v.x.Type.Shape[1])}})
	call := k.run(at(v.s.ptr(dw), fmt.Sprintf("(first+row)*%d+col", stride(dw))), at("z", "row"), at(v.s.ptr(v.x), "col"),
		fmt.Sprintf("min(%d, cols-row)", height), fmt.Sprintf("min(%d, %d-col)", width, v.width), rows)
	return []string{fmt.Sprintf("for row := 0; row < cols; row += %d {\nfor col := 0; col < %d; col += %d {\n%s\n}\n}", height, v.width, width, call)}
}
