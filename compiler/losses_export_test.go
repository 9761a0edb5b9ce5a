package compiler

import (
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// LossProgram returns a program whose only parts are the head's numbers, the value z of the batch, and their loss.
func LossProgram(h *spec.Head, rows ir.Dim, columns int, t Targets) (*ir.Program, diag.List, error) {
	u := &Unit{Program: &ir.Program{Name: "loss", Bounds: ir.Bounds{Sequences: 8, Tokens: 64, Length: 64}}, Model: h.Model, Head: h}
	b := &builder{m: h.Model, h: h, prog: u.Program}
	e := b.region("head", "head returns the numbers of the batch.", h.Source, 1)
	e.Output(storeLogits, e.op("identity", h.Source, nil, e.Input("z", ir.Batch, ir.Type{DType: ir.F32, Shape: ir.Shape{rows, ir.N(columns)}})))
	u.Program.Outputs = []string{storeLogits}
	faults, err := u.AddLossOf(t)
	return u.Program, faults, err
}
