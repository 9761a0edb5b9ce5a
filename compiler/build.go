package compiler

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/spec"
)

// builder turns one model with one head into regions, in the plain form that the spec describes: no ops are joined, and no layout is chosen.
type builder struct {
	m     *spec.Model
	h     *spec.Head // nil: the last layer's rows
	names naming
	prog  *ir.Program
	trace bool // keep all hidden states

	perturb bool // normalise the input and add a summand of the batch, see Options
	train   bool // mark what only gradients need, see Options
	dropout bool // see Options
	lora    *spec.Lora
	vectors bool // vectors are outputs too, see Options

	traceOnly []ir.Call // calls of layers that only a trace reads
}

// Names in the store through which the regions of a forward call pass values, besides the names of the batch.
const (
	storeIndex  = "relative.index"
	storeTable  = "relative.table"
	storeHidden = "hidden_states.{l}"   // float32 [T, H] input of layer l
	storeNext   = "hidden_states.{l+1}" // its output
	storeNormed = "normed"              // float32 [T, H] the normalised sum of the input's tables, in programs whose input can be perturbed
	storeConv   = "conv.branch"         // float32 [T, H] what the convolution adds
	storeLogits = "logits"
	storeCRF    = "label." // in front of transitions, start and end: the scores of neighbouring labels
)

// hiddenAt returns the store's name of the hidden states after layer l. Layer 0 is the embedding.
func hiddenAt(l int) string { return ir.At(storeHidden, l) }

// build returns the program before any pass.
func build(m *spec.Model, h *spec.Head, bounds ir.Bounds, file, name string, o Options) (*ir.Program, error) {
	b := &builder{m: m, h: h, names: namings[m.Checkpoint].forHead(h), trace: o.Trace, perturb: o.Perturb, train: o.Train, dropout: o.Dropout, lora: o.Lora,
		vectors: o.vectors}
	b.prog = &ir.Program{Name: name, File: file, Bounds: bounds}
	steps := []func() error{b.embed, b.relative, b.layers, b.decoder, b.head}
	for _, s := range steps {
		if err := s(); err != nil {
			return nil, err
		}
	}
	b.prog.Run = append(b.prog.Run, b.traceOnly...)
	return b.prog, nil
}

// region starts a region that is called count times, from layer 0 on.
func (b *builder) region(name, doc string, src spec.Source, count int) editor {
	r := b.describe(name, doc, src)
	b.prog.Run = append(b.prog.Run, ir.Call{Region: r, Count: count})
	return edit(r)
}

// describe starts a region that no call runs yet.
func (b *builder) describe(name, doc string, src spec.Source) *ir.Region {
	r := &ir.Region{Name: name, Doc: doc, Pos: src.Pos}
	b.prog.Regions = append(b.prog.Regions, r)
	return r
}

// tensor returns a tensor of the checkpoint as a region input.
func (b *builder) tensor(e editor, path string, dims ...int) *ir.Value {
	shape := make(ir.Shape, len(dims))
	for i, d := range dims {
		shape[i] = ir.N(d)
	}
	return e.Input(b.names.name(path), ir.Tensor, ir.Type{DType: ir.F32, Shape: shape})
}

// norm appends a layer norm; path is the path of its gain and shift.
func (b *builder) norm(e editor, path string, n *spec.Norm, width int, x *ir.Value) *ir.Value {
	g := b.tensor(e, path+".weight", width)
	s := b.tensor(e, path+".bias", width)
	return e.op("layernorm", n.Source, []ir.Attr{{Key: "eps", Value: n.Eps}}, x, g, s)
}

// linear appends x·Wᵀ (+ bias); path is the path of the weight.
func (b *builder) linear(e editor, path string, src spec.Source, in, out int, bias bool, x *ir.Value) *ir.Value {
	w := b.tensor(e, path+".weight", out, in)
	var c *ir.Value
	if bias {
		c = b.tensor(e, path+".bias", out)
	}
	return e.op("linear", src, nil, x, w, c)
}

// drop appends a dropout at a site of a region, if the program trains with dropout. The key of a layered region depends on the layer.
func (b *builder) drop(e editor, site string, src spec.Source, rate float64, x *ir.Value) *ir.Value {
	if !b.dropout || rate == 0 {
		return x
	}
	return e.op("dropout", src, []ir.Attr{{Key: "rate", Value: rate}}, x, b.key(e, site))
}

// key returns the key of dropout for a site of a region.
func (b *builder) key(e editor, site string) *ir.Value {
	r := e.Region()
	name := ir.KeyPrefix + r.Name + "."
	if perLayer(r) {
		name += "{l}."
	}
	return e.Input(name+site, ir.Batch, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.N(2)}})
}

// layers describes the encoder's layers. Layers that compute the same share one region. The schedule calls only the layers that the head reads; a trace also
// calls the later ones.
func (b *builder) layers() error {
	enc := &b.m.Encoder
	last := enc.Layers
	if b.h != nil && b.h.Decoder != nil {
		last = max(b.h.Decoder.Query.Layer, b.h.Decoder.Memory.Layer)
	}
	beside := 0 // the layer with the convolution, from 1
	if enc.Conv != nil {
		beside = enc.Conv.Beside
		if err := b.convBranch(); err != nil {
			return err
		}
	}
	plain, err := b.layer("layer", "layer is one encoder layer: attention, feed-forward, each with its residual and norm.", false)
	if err != nil {
		return err
	}
	with := plain
	if beside > 0 {
		if with, err = b.layer("layer_conv", "layer_conv is the encoder layer to whose output the convolution is added.", true); err != nil {
			return err
		}
	}
	call := func(first, end int) (out []ir.Call) {
		for _, c := range []ir.Call{{Region: plain, First: first, Count: min(beside-1, end) - first}, {Region: with, First: beside - 1, Count: 1},
			{Region: plain, First: max(beside, first), Count: end - max(beside, first)}} {
			if c.Count > 0 && c.First >= first && c.First < end {
				out = append(out, c)
			}
		}
		return out
	}
	b.prog.Run = append(b.prog.Run, call(0, last)...)
	if b.trace {
		b.traceOnly = call(last, enc.Layers)
	}
	return nil
}

// layer describes the region of a layer. conv adds the convolution that stands beside it.
func (b *builder) layer(name, doc string, conv bool) (*ir.Region, error) {
	m := b.m
	rows := ir.Type{DType: ir.F32, Shape: ir.Shape{ir.T, ir.N(m.Hidden)}}
	r := b.describe(name, doc, m.Encoder.Source)
	e := edit(r)
	x := e.Input(storeHidden, ir.State, rows)
	y := b.layerBody(e, x, x, "encoder.{l}.")
	if c := m.Encoder.Conv; conv {
		y = b.norm(e, "conv.norm", &m.Defaults.Norm, m.Hidden, e.op("add", c.Source, nil, y, e.Input(storeConv, ir.State, rows)))
	}
	e.Output(storeNext, y)
	return r, e.Err()
}

// convBranch describes the convolution over the embedding's rows, act(conv(x)), which is added to the output of a layer.
func (b *builder) convBranch() error {
	m, c := b.m, b.m.Encoder.Conv
	e := b.region("conv", "conv is the convolution over tokens, which is added after a layer.", c.Source, 1)
	x := e.Input(hiddenAt(0), ir.State, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.T, ir.N(m.Hidden)}})
	starts := e.Part(ragged.Starts)
	pos := e.Part(ragged.Positions)
	windows := e.op("unfold", c.Source, []ir.Attr{{Key: "taps", Value: c.Kernel}}, x, starts, pos)
	w := e.op("conv_weight", c.Source, []ir.Attr{{Key: "groups", Value: c.Groups}}, b.tensor(e, "conv.weight", m.Hidden, m.Hidden/c.Groups, c.Kernel))
	y := e.op("linear", c.Source, nil, windows, w, b.tensor(e, "conv.bias", m.Hidden))
	y = b.drop(e, "out", m.Defaults.Dropout.Source, m.Defaults.Dropout.Hidden, y)
	if c.Act != "identity" {
		y = e.op(c.Act, c.Source, nil, y)
	}
	e.Output(storeConv, y)
	return e.Err()
}
