package codegen

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
)

// lowering describes how code is generated for the nodes of an op. Its methods return data: kernels, numbers, and Go expressions and statements as text, in
// which e is the execution. The files are printed from these data.
type lowering interface {
	// name returns a short name for what a node computes.
	name(n *ir.Node) string
	// kernels chooses what a step runs.
	kernels(s *kernelSet, st *step) error
	// units returns the units that the pool runs.
	units(st *step) units
	// unit returns the statements that run one unit: the calls of the kernels with their arguments.
	unit(st *step) []string
	// scratch returns how many floats of memory a worker's kernels may use, as expressions in s engine.Sizes; nil: they use none.
	scratch(st *step) []string
	// batch returns the operands that the statements read through fields of the execution. The fields are named by the part of the batch.
	batch(n *ir.Node) []*ir.Value
	// after returns statements that follow the step in its region.
	after(st *step) []string
}

// units describes the parts into which the pool divides a step.
type units struct {
	count string // a Go expression
	doc   string // a sentence
}

// lowerings maps ops to their lowerings, by the op's name or by the first of its families of kernels that is in the map.
var lowerings map[string]lowering

// classLowerings maps classes to the lowerings of all other ops, which run only in portable Go.
var classLowerings map[ir.Class]lowering

func init() {
	lowerings = map[string]lowering{
		"gemm":         gemmLowering{},
		"gemm_bf16":    gemmLowering{},
		"adapter_in":   adapterInLowering{},
		"adapter_term": adapterTermLowering{},
		"attention":    attentionLowering{},
		"attend":       attendLowering{},
		"attend_grad":  attendLowering{grad: true},
		"linear":       productLowering{},
		"matmul":       productLowering{},
		"bf16_pairs":   pairsLowering{},
		"lstm":         lstmLowering{},
		"span_scores":  spanLowering{},
		"token_scores": tokenLowering{},
		"layernorm":    rowLowering{family: layerNormKernel},
		"moments":      rowLowering{family: momentsKernel},
		"col_sum":      columnLowering{},
		"act":          rowLowering{family: actKernel},
		"act_grad":     rowLowering{family: actGradKernel},
		"embed":        rowLowering{family: embedKernel},
		"embed_bf16":   rowLowering{family: embedKernel},

		"layernorm_grad":      rowLowering{family: layerNormGradKernel},
		"layernorm_gain_grad": columnLowering{},
		"dropout":             dropoutLowering{},
		"product_bf16":        productLowering{},
		"product_tn_bf16":     productLowering{},
	}
	maps.Copy(lowerings, gradLowerings())
	maps.Copy(lowerings, textLowerings())
	maps.Copy(lowerings, queryLowerings())
	maps.Copy(lowerings, placeLowerings())
	classLowerings = map[ir.Class]lowering{
		ir.Elementwise:  rowLowering{},
		ir.Rowwise:      rowLowering{},
		ir.Gather:       rowLowering{},
		ir.Reduction:    rowLowering{},
		ir.Layout:       rowLowering{},
		ir.Constant:     rowLowering{},
		ir.Sequencewise: sequenceLowering{},
		ir.Flat:         flatLowering{},
	}
}

// lowerOf returns the lowering of a node, or nil if no code is generated for it.
func lowerOf(n *ir.Node) lowering {
	op := ir.Lookup(n.Op)
	for _, name := range append([]string{op.Name}, op.Kernels...) {
		if l := lowerings[name]; l != nil {
			return l
		}
	}
	return classLowerings[op.Class]
}

// common holds the methods that most lowerings share.
type common struct{}

func (common) scratch(*step) []string       { return nil }
func (common) batch(n *ir.Node) []*ir.Value { return n.In }
func (common) after(*step) []string         { return nil }

// name returns the name of the node's first weights, or else of its op.
func (common) name(n *ir.Node) string {
	for _, v := range n.In {
		if v == nil || v.Kind != ir.Packed && v.Kind != ir.Adapter && v.Kind != ir.Tensor {
			continue
		}
		name := shortName(v.Name)
		for _, cut := range []string{".panels", ".weight", ".bias", ".gain"} {
			name = strings.TrimSuffix(name, cut)
		}
		if i := strings.Index(name, "layer."); i >= 0 {
			name = strings.TrimLeft(name[i+len("layer."):], "0123456789.")
		}
		return name
	}
	return n.Op
}

// step is one node of the schedule with its names in the generated code.
type step struct {
	e      *emitter
	region *ir.Region
	node   *ir.Node
	lower  lowering
	method string // name of the method that runs one unit, and of the field that holds the method
	of     *step  // the step of another region whose method this one shares, or nil
	varies bool   // steps that share the method have different numbers of rows: the execution has a field for it
	split  ir.Split
	block  int
	kernel *kernelUse
	narrow *kernelUse // gemm: the kernel for an odd last panel

	adapted, adaptedNarrow *kernelUse // gemm: those of a call with an adapter
}

// makeSteps names the method of each step and chooses its kernels.
func (e *emitter) makeSteps() error {
	plan := map[string]ir.Step{}
	for _, s := range e.p.Plan.Steps {
		plan[fmt.Sprint(s.Region, "\x00", s.Node)] = s
	}
	for _, r := range e.regions {
		for i, n := range r.Nodes {
			ps, ok := plan[fmt.Sprint(r.Name, "\x00", i)]
			if !ok {
				return fmt.Errorf("codegen: no plan for node %d (%s) of region %s", i, n.Op, r.Name)
			}
			s := &step{e: e, region: r, node: n, lower: lowerOf(n), split: ps.Split, block: max(ps.Block, 1)}
			if s.lower == nil {
				return fmt.Errorf("codegen: region %s: no code for op %s", r.Name, n.Op)
			}
			s.method = e.unique(camel(r.Name + "." + strings.TrimPrefix(s.lower.name(n), r.Name+".")))
			if err := s.lower.kernels(e.kernels, s); err != nil {
				return fmt.Errorf("codegen: region %s, %s: %w", r.Name, n.Op, err)
			}
			e.steps = append(e.steps, s)
			e.byNode[n] = s
		}
	}
	e.share()
	return nil
}

// share lets a step of the last layer use the method of a step of the other layers, if both print the same code. The number of rows may differ.
func (e *emitter) share() {
	for _, l := range e.weights.layers {
		for _, b := range e.steps {
			if _, ok := l.also[b.region]; !ok {
				continue
			}
			for _, a := range e.steps {
				if a.region == l.region && b.of == nil && b.sameAs(a) {
					b.of, b.method = a, a.method
				}
			}
		}
	}
	for _, s := range e.steps { // a region sets the rows that the methods of its steps read
		s.varies = s.varies || s.of != nil && s.of.varies
	}
}

// sameAs reports whether two steps print the same code. If they differ in the number of rows alone, sameAs sets varies of both.
func (s *step) sameAs(o *step) bool {
	if len(s.lower.after(s)) > 0 || len(o.lower.after(o)) > 0 {
		return false
	}
	same := func() bool {
		return s.lower.units(s) == o.lower.units(o) && slices.Equal(s.lower.unit(s), o.lower.unit(o)) &&
			slices.Equal(s.lower.scratch(s), o.lower.scratch(o))
	}
	if same() {
		return true
	}
	was := o.varies
	s.varies, o.varies = true, true
	if same() {
		return true
	}
	s.varies, o.varies = false, was
	return false
}

// methods returns the steps that have methods of their own.
func (e *emitter) methods() []*step {
	return slices.DeleteFunc(slices.Clone(e.steps), func(s *step) bool { return s.of != nil })
}

// ptr returns the expression for the memory of a step's operand or result.
func (s *step) ptr(v *ir.Value) string { return s.e.ptr(s.region, v) }

// row returns the expression for row at of a value.
func (s *step) row(v *ir.Value, at string) string {
	return moved(s.ptr(v), at, max(v.LD, (ir.Sizes{}).Elements(v.Type.Shape[1:])))
}

// rows returns the expression for the number of rows of the result.
func (s *step) rows() string {
	if s.varies {
		return "e.rowsNow"
	}
	return rowsOf(s.node.Out[0])
}

// ptr returns the expression for the memory of a value as a region sees it.
func (e *emitter) ptr(r *ir.Region, v *ir.Value) string {
	if e.places != nil {
		return e.places.ptr(r, v)
	}
	switch v.Kind {
	case ir.Packed, ir.Adapter:
		return fmt.Sprintf("&%s[0]", e.field(r, v))
	case ir.Batch:
		return batchPtr(v)
	}
	slot := "e." + slotField(e.slot[r.Name+"\x00"+v.Name])
	if v.Type.DType == ir.I32 { // pairs of bfloat16, which are as long as floats
		return fmt.Sprintf("(*int32)(unsafe.Pointer(%s))", slot)
	}
	return slot
}

// field returns the expression for the numbers of a packed value, or of one of an adapter, as a region sees it.
func (e *emitter) field(r *ir.Region, v *ir.Value) string {
	f := e.weights.field(r, v)
	if f.layer != nil {
		return "e." + f.layer.current() + "." + f.name
	}
	return "e.w." + f.name
}

// batchPtr returns the expression for the memory of a part of the batch.
func batchPtr(v *ir.Value) string {
	if v.Name == ragged.Starts.Row().Operand { // it has no field of its own
		return "unsafe.SliceData(e.Starts)"
	}
	return "e." + camel(v.Name)
}

// slotField returns the name of the execution's field that points at a slot of the arena.
func slotField(i int) string { return fmt.Sprintf("slot%d", i) }

// at returns the expression for a pointer moved by a number of elements.
func at(p, off string) string { return fmt.Sprintf("engine.At(%s, %s)", p, off) }

// moved returns the expression for a pointer moved by an index times a constant.
func moved(p, index string, by int) string {
	if by == 1 {
		return at(p, index)
	}
	return at(p, fmt.Sprintf("%s*%d", index, by))
}

// offset returns the expression for a pointer moved by a constant.
func offset(p string, by int) string { return at(p, fmt.Sprint(by)) }

// rowsOf returns the expression for the number of rows of a value: the number of tokens, sequences, or other parts of the batch.
func rowsOf(v *ir.Value) string {
	if len(v.Type.Shape) == 0 {
		return "1"
	}
	switch d := v.Type.Shape[0]; {
	case d == ir.T:
		return "e.tokens"
	case d == ir.B:
		return "e.sequences"
	case d.Const():
		return fmt.Sprint(d.N)
	case d.N != 0:
		return fmt.Sprintf("e.Sizes.%s+%d", d.Sym, d.N)
	default:
		return "e.Sizes." + d.Sym
	}
}

// parts returns the expression for the number of blocks in count.
func parts(count string, block int) string { return fmt.Sprintf("(%s+%d)/%d", count, block-1, block) }

// run returns the call of a kernel through the table of the chosen instruction set.
func (k *kernelUse) run(args ...string) string {
	return fmt.Sprintf("e.k.%s(%s)", k.field, strings.Join(args, ", "))
}

// operand returns an operand, or nil if it is missing.
func operand(n *ir.Node, i int) *ir.Value {
	if i < len(n.In) {
		return n.In[i]
	}
	return nil
}

// usesScratch reports whether some step's kernels use the memory of their worker.
func (e *emitter) usesScratch() bool { return len(e.scratchSizes()) > 0 }

// scratchSizes returns the expressions of all steps for their scratch memory, each once.
func (e *emitter) scratchSizes() []string {
	var out []string
	for _, s := range e.steps {
		for _, size := range s.lower.scratch(s) {
			if !slices.Contains(out, size) {
				out = append(out, size)
			}
		}
	}
	return out
}
