package compiler

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
)

// head appends the head's steps on the rows that it takes.
func (b *builder) head() error {
	last := hiddenAt(b.m.Encoder.Layers)
	if b.h == nil {
		b.prog.Outputs = []string{last}
		return nil
	}
	e := b.region("head", "head reads the first row of each sequence and gives its logits.", b.h.Source, 1)
	x := e.Input(last, ir.State, ir.Type{DType: ir.F32, Shape: ir.Shape{ir.T, ir.N(b.m.Hidden)}})
	starts := e.Input(ir.Starts, ir.Batch, ir.Type{DType: ir.I32, Shape: ir.Shape{ir.Bound}})
	x = e.op("take", b.h.Take.Source, []ir.Attr{{Key: "rows", Value: "first"}}, x, starts)
	linears := 0
	for _, s := range b.h.Steps {
		if s.Kind == spec.StepLinear {
			linears++
		}
	}
	seen, norms := 0, 0
	for _, s := range b.h.Steps {
		switch s.Kind {
		case spec.StepLinear:
			seen++
			path := b.headPath(seen, linears)
			x = b.linear(e, path, s.Source, s.In, s.Out, true, x)
		case spec.StepAct:
			if s.Act != "identity" {
				x = e.op(s.Act, s.Source, nil, x)
			}
		case spec.StepNorm:
			norms++
			x = b.norm(e, fmt.Sprintf("head.%s.norm%d", b.h.Name, norms), s.Norm, s.In, x)
		case spec.StepDropout: // training only
		default:
			return fmt.Errorf("%v: this step reached the builder", s.Pos)
		}
	}
	e.Output(storeLogits, x)
	b.prog.Outputs = []string{storeLogits}
	return e.Err()
}

// headPath names the n-th of count products of the head: in published checkpoints the last is the classifier and the one before it the pooler.
func (b *builder) headPath(n, count int) string {
	if b.names.scheme != own.scheme {
		if n == count {
			return "head.classifier"
		}
		return "head.pooler"
	}
	return fmt.Sprintf("head.%s.linear%d", b.h.Name, n)
}
