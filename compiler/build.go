package compiler

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
)

// builder turns one model with one head into regions, in the plain form that the spec describes: nothing is joined, no layout is chosen.
type builder struct {
	m     *spec.Model
	h     *spec.Head // nil: the last layer's rows
	names naming
	prog  *ir.Program
}

// Names in the store that the regions of a forward call talk through, beside those of the batch.
const (
	storeIndex  = "relative.index"
	storeTable  = "relative.table"
	storeHidden = "hidden_states.{l}"   // float32 [T, H] input of layer l
	storeNext   = "hidden_states.{l+1}" // its output
	storeLogits = "logits"
)

// hiddenAt is the store's name of the hidden states behind layer l, counted from 0 for the embedding's output.
func hiddenAt(l int) string { return ir.At(storeHidden, l) }

// build gives the program before any pass.
func build(m *spec.Model, h *spec.Head, bounds ir.Bounds, file, name string) (*ir.Program, error) {
	b := &builder{m: m, h: h, names: namings[m.Checkpoint], prog: &ir.Program{Name: name, File: file, Bounds: bounds}}
	steps := []func() error{b.embed, b.relative, b.layers, b.head}
	for _, s := range steps {
		if err := s(); err != nil {
			return nil, err
		}
	}
	return b.prog, nil
}

// region starts a region that is called Count times from layer 0.
func (b *builder) region(name, doc string, src spec.Source, count int) editor {
	r := &ir.Region{Name: name, Doc: doc, Pos: src.Pos}
	b.prog.Regions = append(b.prog.Regions, r)
	b.prog.Run = append(b.prog.Run, ir.Call{Region: r, Count: count})
	return edit(r)
}

// tensor is a tensor of the checkpoint as a region input.
func (b *builder) tensor(e editor, path string, dims ...int) *ir.Value {
	shape := make(ir.Shape, len(dims))
	for i, d := range dims {
		shape[i] = ir.N(d)
	}
	return e.Input(b.names.name(path), ir.Tensor, ir.Type{DType: ir.F32, Shape: shape})
}

// norm appends a layer norm whose gain and shift lie under the given path.
func (b *builder) norm(e editor, path string, n *spec.Norm, width int, x *ir.Value) *ir.Value {
	g := b.tensor(e, path+".weight", width)
	s := b.tensor(e, path+".bias", width)
	return e.op("layernorm", n.Source, []ir.Attr{{Key: "eps", Value: n.Eps}}, x, g, s)
}

// linear appends x·Wᵀ (+ bias) with the weight under the given path.
func (b *builder) linear(e editor, path string, src spec.Source, in, out int, bias bool, x *ir.Value) *ir.Value {
	w := b.tensor(e, path+".weight", out, in)
	var c *ir.Value
	if bias {
		c = b.tensor(e, path+".bias", out)
	}
	return e.op("linear", src, nil, x, w, c)
}

// layers describes one encoder layer; the schedule calls it once for each.
func (b *builder) layers() error {
	m, enc := b.m, &b.m.Encoder
	e := b.region("layer", "layer is one encoder layer: attention, feed-forward, each with its residual and norm.", enc.Source, enc.Layers)
	x := e.Input(storeHidden, ir.State, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.T, ir.N(m.Hidden)}})
	e.Output(storeNext, b.layerBody(e, x, x, "encoder.{l}."))
	return e.Err()
}
