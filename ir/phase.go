package ir

import (
	"slices"
	"strings"
)

// Loss is a term of a loss with several.
type Loss struct {
	Name   string  // of the value in the store, f32[1]
	Weight float64 // in the sum
}

// Phases numbers the runs of regions of a training program's schedule, in their order, by the update that they are for. What computes gradients is for the
// update that follows. If there is no update, all have the number 0.
func (p *Program) Phases() (list []int) {
	now, changed := 0, false
	for r := range Steps(p.Run) {
		for i := range p.Training.Updates {
			if s := p.Training.Updates[i].Stages[r.Name]; s != 0 {
				now, changed = i, s >= Norm
			}
		}
		stage := p.Training.StageOf(r)
		if stage == 0 && changed {
			now, changed = now+1, false
		}
		list = append(list, now)
	}
	return list
}

// StepPart is a part of a training step in measurements.
type StepPart uint8

// The parts of a training step. Lookahead is no part of most steps.
const (
	PartForward StepPart = iota
	PartBackward
	PartUpdate
	PartLookahead
)

// GradPrefix begins the names of gradients in the store.
const GradPrefix = "grad."

// PartsOfStep returns the parts that the runs of regions of a training program's schedule belong to, in their order. In each phase, see Phases, the backward
// pass begins with the first gradient.
func (p *Program) PartsOfStep() (list []StepPart) {
	phases, i, back := p.Phases(), 0, -1 // back is the last phase whose backward pass has begun
	for r := range Steps(p.Run) {
		part := PartForward
		switch stage := p.Training.StageOf(r); {
		case stage == Lookahead:
			part = PartLookahead
		case stage != 0:
			part = PartUpdate
		case phases[i] == back, slices.ContainsFunc(r.Out, func(v *Value) bool { return strings.HasPrefix(v.Name, GradPrefix) }):
			part, back = PartBackward, phases[i]
		}
		list = append(list, part)
		i++
	}
	return list
}

// StageOf returns the stage of the update that runs a region; 0: it computes losses or gradients.
func (t *Training) StageOf(r *Region) Stage {
	for i := range t.Updates {
		if s := t.Updates[i].Stages[r.Name]; s != 0 {
			return s
		}
	}
	return 0
}
