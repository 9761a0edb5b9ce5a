package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/debertac/debertac/cmd/debertac/built"
	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/source"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/ir/ops"
	"github.com/debertac/debertac/runtime/cpu"
	"github.com/debertac/debertac/runtime/engine"
	host "github.com/debertac/debertac/runtime/program"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/runtime/token"
)

// interpreted runs a command line of debertac in this process, without building a program: the oracle computes the model in float64 from its
// packed weights. Everything else is as for a user. It returns the outputs and the exit code.
func interpreted(args []string) (stdout, stderr string, code int) { return interpretedOn("", args) }

// interpretedOn does the same with a standard input.
func interpretedOn(in string, args []string) (stdout, stderr string, code int) {
	var out, errs bytes.Buffer
	c := &console.Console{Context: context.Background(), In: strings.NewReader(in), Out: &out, Err: &errs}
	m := &built.Maker{Console: c, Sum: identity}
	m.Interpret = func(p *built.Program, in io.Reader, out io.Writer, verb string, args []string) error {
		model := host.Model{Name: source.ModelName(p.Unit), Program: interpreter(p.Unit.Program)}
		if code := host.Run(c.Context, []host.Model{model}, append([]string{verb}, args...),
			host.Streams{In: in, Out: out, Err: c.Err}); code != host.ExitDone {
			return &fault.Error{Code: code}
		}
		return nil
	}
	parser, err := takeParser()
	if err != nil {
		return "", err.Error(), fault.ExitOurs
	}
	defer parsers.Put(parser)
	k, err := parser.Parse(args)
	if err != nil {
		return "", err.Error(), fault.ExitUsage
	}
	if err := k.Run(c, m); err != nil {
		return out.String(), errs.String() + fault.Classify(c.Context, err).Render(false), fault.Classify(c.Context, err).Code
	}
	return out.String(), errs.String(), fault.ExitDone
}

// interpreter describes a compiled program to the runtime as its generated package would.
func interpreter(p *ir.Program) *engine.Program {
	m := &p.Meta
	_, result := p.Result()
	rows, _ := result.Type.Shape[0].Extent()
	head := engine.Head{Name: m.Head, Task: engine.Task(m.Task), C: m.Columns, CRF: m.CRF, Decode: m.Decode, Width: m.Widths, Labels: m.Labels,
		Independent: m.Multi && len(m.Labels) > 0, Rows: rows, Temperature: m.Temperature}
	if q := m.Prompt; q != nil {
		head.Prompt = &engine.Prompt{Mark: q.Mark, End: q.End, After: q.After, Last: q.Last, Example: q.Example, Whole: q.Whole, FromEnd: q.FromEnd}
	}
	for _, o := range m.Outputs {
		_, v := p.Writer(o.Name)
		rows, _ := v.Type.Shape[0].Extent()
		head.Parts = append(head.Parts, engine.Part{Name: o.Name, Rows: rows, C: o.Columns, Width: o.Widths, Vector: o.Vector})
	}
	if b := m.Boundary; b != nil {
		head.Boundary = &engine.Boundary{Pairs: b.Pairs, Classes: b.Classes, Above: b.Above, Overlap: b.Overlap}
	}
	limits := p.Limits()
	limits.Causal = causal(p)
	return &engine.Program{
		Name: p.Name, Want: engine.Want{SpecHash: m.SpecHash, Layout: ir.PackedLayout, Tensors: packedTensors(p), Rank: m.Rank}, ISAs: []cpu.ISA{cpu.ISAGo},
		Limits: limits,
		Heads:  []engine.Head{head}, Arena: func(engine.Sizes) int64 { return 0 }, Tokenizer: token.Open,
		Bind: func(w *engine.Weights, _ cpu.ISA) (engine.NewForward, error) {
			packed := eval.Store{}
			for _, t := range packedTensors(p) {
				switch {
				case t.Len < 0:
				case t.Adapter:
					if v := w.Adapted(t.Name); v != nil {
						packed[t.Name] = &ir.Array{F32: v}
					}
				case t.DType == safetensors.BF16:
					packed[t.Name] = &ir.Array{I: w.Pairs(t.Name)}
				case t.DType == safetensors.I32:
					packed[t.Name] = &ir.Array{I: w.I32(t.Name)}
				default:
					packed[t.Name] = &ir.Array{F32: w.F32(t.Name)}
				}
			}
			shapes := packedShapes(p)
			for name, a := range packed {
				a.Shape = shapes[name].shape
			}
			return func(x *engine.Exec) (engine.Forward, error) {
				return func() error { return oracle(p, packed, x) }, nil
			}, nil
		},
	}
}

// causal reports whether all attentions hide the keys after a query, except those of a prefix.
func causal(p *ir.Program) bool {
	attentions, masked := 0, 0
	for r := range ir.Steps(p.Run) {
		for _, n := range r.Nodes {
			if strings.HasPrefix(n.Op, "attention") {
				if attentions++; ops.AttentionMasked(n) {
					masked++
				}
			}
		}
	}
	return attentions > 0 && attentions == masked
}

// oracle computes one call.
func oracle(p *ir.Program, packed eval.Store, x *engine.Exec) error {
	if err := x.Layer("all"); err != nil {
		return err
	}
	store := eval.StoreOf(&x.Batch, 0)
	for name, a := range packed {
		store[name] = a
	}
	if err := eval.Run(p, store, eval.OnlyRun()); err != nil {
		return err
	}
	names := p.Outputs[len(p.Outputs)-1:]
	if list := p.Meta.Outputs; list != nil {
		names = nil
		for _, o := range list {
			names = append(names, o.Name)
		}
	}
	var got []float64
	for _, name := range names {
		got = append(got, store[name].Floats()...)
	}
	if len(got) != len(x.Out) {
		return fmt.Errorf("%d outputs, want %d", len(got), len(x.Out))
	}
	for i, v := range got {
		x.Out[i] = float32(v)
	}
	return nil
}

// packedType is the type of a packed tensor.
type packedType struct {
	shape   []int
	dtype   safetensors.DType
	adapter bool
}

// packedShapes returns the packed tensors that the schedule and the heads read.
func packedShapes(p *ir.Program) map[string]packedType {
	out := map[string]packedType{}
	add := func(v *ir.Value, l int) {
		t := packedType{dtype: safetensors.F32, adapter: v.Kind == ir.Adapter}
		for _, d := range v.Type.Shape {
			t.shape = append(t.shape, d.N)
		}
		switch {
		case p.HoldsPairs(v.Name, v.Type):
			t.dtype = safetensors.BF16
		case v.Type.DType == ir.I32:
			t.dtype = safetensors.I32
		}
		out[ir.At(v.Name, l)] = t
	}
	for r, l := range ir.Steps(p.Run) {
		for _, v := range r.In {
			if v.Kind == ir.Packed || v.Kind == ir.Adapter {
				add(v, l)
			}
		}
	}
	for _, c := range p.Pack {
		for _, v := range c.Region.Out {
			for _, k := range p.Keep {
				if v.Name == k {
					add(v, c.First)
				}
			}
		}
	}
	return out
}

func packedTensors(p *ir.Program) []engine.TensorWant {
	list := []engine.TensorWant{{Name: engine.TokenizerTensor, DType: safetensors.U8, Len: -1, Optional: true},
		{Name: engine.SelfTestTensor, DType: safetensors.F32, Len: -1, Optional: true}}
	for name, t := range packedShapes(p) {
		n := int64(1)
		for _, d := range t.shape {
			n *= int64(d)
		}
		if t.dtype == safetensors.BF16 {
			n *= 2
		}
		list = append(list, engine.TensorWant{Name: name, DType: t.dtype, Len: n, Adapter: t.adapter})
	}
	return list
}
