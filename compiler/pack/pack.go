// Package pack makes packed weights. It runs the calls of a program that depend on weights alone, in float64, on a checkpoint's tensors. It writes their
// results, rounded once to float32, in the layouts that the kernels read.
package pack

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/safetensors"
)

// Source returns the tensors of a checkpoint under their published names.
type Source interface {
	// Tensor returns the numbers of a tensor of that shape, row-major. The caller does not change them.
	Tensor(name string, shape []int) ([]float32, error)
}

// Options holds the settings of Write, and what a packed file holds besides the program's tensors.
type Options struct {
	Tokenizer     []byte              // flat form of the tokenizer; nil: the package takes ids only
	TokenizerKind string              // the kind of tokenizer, which tells how to read it
	MaxTokens     int                 // the model's own limit in tokens per text; 0: the spec's bound
	Labels        map[string][]string // by head; used if the checkpoint names labels and the spec does not
	Extra         map[string]string   // what only a head or a tool reads
	Adapters      []Adapter           // of the program; their names differ
	Progress      func(done, total int)
	Context       context.Context // checked before each tensor; nil: packing cannot be stopped
}

// Write packs the weights of a program that has been through all passes. The file appears at path when it is complete.
func Write(path string, p *ir.Program, src Source, o Options) (err error) {
	want, err := wanted(p)
	if err != nil {
		return err
	}
	if o.Context == nil {
		o.Context = context.Background()
	}
	src = stoppable{o.Context, src}
	aliases, err := equal(p, src, want)
	if err != nil {
		return err
	}
	decls := slices.DeleteFunc(want.decls(), func(d engine.TensorDecl) bool { return aliases[d.Name] != "" })
	adapters, err := planAdapters(p, want, o.Adapters)
	if err != nil {
		return err
	}
	own := declsOf(adapters)
	restore, err := room(path, p, src.(stoppable).src, slices.Concat(decls, own))
	defer restore()
	if err != nil {
		return err
	}
	test := newSelfTest(p)
	decls = append(decls, engine.TensorDecl{Name: engine.SelfTestTensor, DType: safetensors.F32, Len: int64(test.outputs())})
	if o.Tokenizer != nil {
		decls = append(decls, engine.TensorDecl{Name: engine.TokenizerTensor, DType: safetensors.U8, Len: int64(len(o.Tokenizer))})
	}
	w, err := engine.CreateWeights(path, o.meta(p, aliases, test, adapters), append(decls, own...))
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			w.Abort()
		}
	}()
	done := 0
	err = eval.Run(p, eval.Store{}, eval.OnlyPack(), eval.From(tensorsOf(p, src)), eval.Emit(func(name string, a *ir.Array) error {
		if _, ok := want.types[name]; !ok {
			return nil
		}
		if err := test.add(name, a); err != nil {
			return err
		}
		if o.Progress != nil {
			o.Progress(done, len(want.order))
		}
		done++
		if aliases[name] != "" {
			return nil
		}
		return write(w, name, a)
	}))
	if err != nil {
		return err
	}
	outputs, err := test.result()
	if err != nil {
		return err
	}
	if err := w.WriteF32(engine.SelfTestTensor, outputs); err != nil {
		return err
	}
	if o.Tokenizer != nil {
		if err := w.Write(engine.TokenizerTensor, o.Tokenizer); err != nil {
			return err
		}
	}
	for _, a := range adapters {
		if err := a.write(o.Context, p, w); err != nil {
			return fmt.Errorf("adapter %s: %w", a.Name, err)
		}
	}
	return w.Close()
}

// meta returns the metadata of the file.
func (o *Options) meta(p *ir.Program, aliases map[string]string, test *selfTest, adapters []*adapted) engine.Meta {
	m := engine.Meta{Layout: ir.PackedLayout, SpecHash: p.Meta.SpecHash, Model: p.Meta.Model,
		Labels: o.Labels, MaxTokens: o.MaxTokens, Tokenizer: o.TokenizerKind, Aliases: aliases, Extra: o.Extra,
		SelfTest: &engine.SelfTest{Head: p.Meta.Head, Sequence: engine.Sequence{IDs: test.batch.IDs, Rows: test.batch.Rows},
			Tolerance: max(1e-3, 10*p.Meta.Agree)}}
	for _, a := range adapters {
		m.Adapters, m.Rank = append(m.Adapters, engine.AdapterMeta{Name: a.Name, Base: a.Base}), a.rank
	}
	return m
}

// stoppable is a source that fails when its context ends.
type stoppable struct {
	ctx context.Context
	src Source
}

// Tensor returns a tensor of the source, or the context's error.
func (s stoppable) Tensor(name string, shape []int) ([]float32, error) {
	if err := s.ctx.Err(); err != nil {
		return nil, err
	}
	return s.src.Tensor(name, shape)
}

// Check reads a packed file and returns an error unless the file is whole and belongs to this program. The error is a *runtime.WeightsError, or an error of the
// file system.
func Check(path string, p *ir.Program) (err error) {
	want, err := wanted(p)
	if err != nil {
		return err
	}
	expect := engine.Want{SpecHash: p.Meta.SpecHash, Layout: ir.PackedLayout, Rank: p.Meta.Rank, Tensors: []engine.TensorWant{
		{Name: engine.TokenizerTensor, DType: safetensors.U8, Len: -1, Optional: true},
		{Name: engine.SelfTestTensor, DType: safetensors.F32, Len: -1, Optional: true},
	}}
	for _, d := range want.decls() {
		expect.Tensors = append(expect.Tensors, engine.TensorWant{Name: d.Name, DType: d.DType, Len: d.Len})
	}
	for r, l := range ir.Steps(p.Adapt) {
		for _, v := range r.Out {
			expect.Tensors = append(expect.Tensors, engine.TensorWant{Name: ir.At(v.Name, l), DType: safetensors.F32,
				Len: int64(ir.Sizes{}.Elements(v.Type.Shape)), Adapter: true})
		}
	}
	w, err := engine.OpenWeights(path, expect)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	return w.CheckWeights()
}

// list holds the packed tensors in the order in which the calls of Pack make them.
type list struct {
	order []string
	types map[string]ir.Type
	pairs map[string]bool // those that hold pairs of bfloat16
}

// decls returns the declarations of the tensors for the packed file.
func (l *list) decls() []engine.TensorDecl {
	var out []engine.TensorDecl
	for _, name := range l.order {
		out = append(out, l.decl(name))
	}
	return out
}

// decl returns the declaration of a tensor.
func (l *list) decl(name string) engine.TensorDecl {
	t := l.types[name]
	d := engine.TensorDecl{Name: name, DType: safetensors.F32, Len: int64(ir.Sizes{}.Elements(t.Shape))}
	switch {
	case l.pairs[name]:
		d.DType, d.Len = safetensors.BF16, 2*d.Len
	case t.DType == ir.I32:
		d.DType = safetensors.I32
	}
	return d
}

// write writes a tensor. Pairs of bfloat16 are integers here, and have the type BF16 in the file.
func write(w *engine.WeightsWriter, name string, a *ir.Array) error {
	if a.DType() == ir.I32 {
		return w.WriteI32(name, a.I)
	}
	return w.WriteF32(name, a.Single())
}

// wanted returns the tensors that the schedule reads or that the program keeps. It checks that packing makes each tensor that is read.
func wanted(p *ir.Program) (*list, error) {
	read := map[string]ir.Type{}
	for r, l := range ir.Steps(p.Run) {
		for _, v := range r.In {
			if v.Kind == ir.Packed {
				read[ir.At(v.Name, l)] = v.Type
			}
		}
	}
	out := &list{types: map[string]ir.Type{}, pairs: map[string]bool{}}
	for r, l := range ir.Steps(p.Pack) {
		for _, v := range r.Out {
			name := ir.At(v.Name, l)
			t, ok := read[name]
			if slices.Contains(p.Keep, name) {
				t, ok = v.Type, true
			}
			if ok {
				if _, twice := out.types[name]; twice {
					continue
				}
				out.order = append(out.order, name)
				out.types[name] = t
				out.pairs[name] = p.HoldsPairs(v.Name, t)
			}
		}
	}
	for name := range read {
		if _, ok := out.types[name]; !ok {
			return nil, fmt.Errorf("pack: no call makes %s", name)
		}
	}
	return out, nil
}

// tensors passes a checkpoint's tensors to the evaluation, which does not know their shapes.
type tensors struct {
	src    Source
	shapes map[string][]int
}

// tensorsOf collects the shapes of the tensors that packing reads.
func tensorsOf(p *ir.Program, src Source) tensors {
	return tensors{src, ir.ShapesOf(p.Pack)}
}

// Tensor reads one tensor.
func (t tensors) Tensor(name string) (*ir.Array, error) {
	data, err := t.src.Tensor(name, t.shapes[name])
	return &ir.Array{Shape: t.shapes[name], F32: data}, err
}
