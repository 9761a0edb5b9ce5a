package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec/diag"
)

// Training describes a training step.
type Training struct {
	// With lists the tensors of the checkpoint that are trained, see [Parameters]; nil: all of them. Nothing is computed or kept for the others.
	With []string

	// Soft is true if the targets are probabilities, see [Unit.AddLoss].
	Soft bool

	// Update appends the regions that change the trained tensors by their gradients; nil: none. It is called when the gradients are outputs of the program.
	Update func(p *ir.Program, with []string) error
}

// Train turns the program of a unit into one training step: the forward pass, the loss, the gradients of the trained tensors, and the update. The unit must be
// as [Compile] returns it for Train and After: "build". The program reads the tensors of the checkpoint in their own layout, so nothing is folded into packed
// weights. Its outputs are the loss and the gradients.
//
// Faults are diagnostics at the spec's lines. An error is an internal error.
func (u *Unit) Train(o Training) (diag.List, error) {
	p := u.Program
	if err := runPassesFrom(p, "", "rows"); err != nil {
		return nil, err
	}
	if faults, err := u.AddLoss(o.Soft); err != nil || len(faults) > 0 {
		return faults, err
	}
	p.Outputs = []string{StoreLoss}
	for _, ps := range []pass{
		{"attend", attends, "join the terms of each score to one attention, whose operands lie apart"},
	} {
		if err := u.trainPass(ps); err != nil {
			return nil, err
		}
	}
	all := Parameters(p)
	with := o.With
	if with == nil {
		with = all
	}
	flat, faults, err := Grad(p, Sweep{Of: StoreLoss, With: with})
	if err != nil || len(faults) > 0 {
		return faults, err
	}
	with = slices.DeleteFunc(slices.Clone(with), func(name string) bool { return slices.Contains(flat, name) })
	if o.Update != nil {
		if err := o.Update(p, with); err != nil {
			return nil, err
		}
	}
	p.Training = trainingOf(p, with)
	for _, ps := range []pass{
		{"dead", dead, "drop what no output needs"},
		{"constants", constants, "move what depends on nothing out of the step"},
		{"layout", layout, "choose row strides"},
		{"arena", trainingArena, "assign slots of the arena by lifetimes over the whole step"},
		{"threads", threads, "split steps over the pool"},
	} {
		if err := u.trainPass(ps); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// trainPass runs a pass over a training program and checks the program after it.
func (u *Unit) trainPass(ps pass) error {
	if err := ps.run(u.Program); err != nil {
		return fmt.Errorf("pass %s: %w", ps.name, err)
	}
	if err := ir.Verify(u.Program); err != nil {
		return fmt.Errorf("after pass %s: %w", ps.name, err)
	}
	return nil
}

// trainingOf lists the tensors of a training program. with are those that are trained.
func trainingOf(p *ir.Program, with []string) *ir.Training {
	shapes := ir.ShapesOf(p.Run)
	t := &ir.Training{}
	if p.Training != nil {
		t.Updates = p.Training.Updates
	}
	for _, name := range Parameters(p) {
		param := ir.Param{Name: name, Shape: shapes[name]}
		if slices.Contains(with, name) {
			param.Grad = GradOf(name)
		}
		t.Params = append(t.Params, param)
	}
	return t
}

// constants moves the nodes that depend neither on the batch nor on a tensor to regions that are computed when code is generated, such as the rows of the
// relative table by offset.
func constants(p *ir.Program) error { return split(p, false) }

// layout sets the distance between rows of all matrices: those of the batch's rows as in forward programs, others with rows of whole vectors.
func layout(p *ir.Program) error {
	for _, r := range p.Regions {
		for _, v := range r.In {
			rowDistance(v)
		}
		for _, n := range r.Nodes {
			for _, v := range n.Out {
				rowDistance(v)
			}
		}
	}
	return nil
}

// rowDistance sets the row distance of a matrix of a training program.
func rowDistance(v *ir.Value) {
	s := v.Type.Shape
	switch {
	case v.Type.DType != ir.F32 || len(s) != 2 || !s[1].Const():
	case !s[0].Const():
		stride(v)
	default:
		v.LD = ir.RowFloats(s[1].N)
	}
}
