package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/ir"
)

// trainingArena assigns each activation of a training step a slot of the arena. A value of the store is in use from the step that writes it to the last step
// that reads it, over the whole schedule, so the layers of the backward pass free what the layers of the forward pass have kept. Values inside a region share
// other slots, which are free between two steps. Tensors and their gradients do not lie in the arena.
func trainingArena(p *ir.Program) error {
	m := &slots{plan: &ir.Plan{}, apart: true}
	done := map[*ir.Region]bool{}
	for _, c := range p.Run {
		if !done[c.Region] {
			done[c.Region] = true
			if err := m.region(c.Region); err != nil {
				return fmt.Errorf("region %s: %w", c.Region.Name, err)
			}
		}
	}
	m.store(p)
	p.Plan = m.plan
	return nil
}

// store assigns slots to the values of the store.
func (m *slots) store(p *ir.Program) {
	last := map[string]int{} // the last step that reads or writes a name
	count := 0
	for r, l := range ir.Steps(p.Run) {
		for _, v := range r.In {
			last[ir.At(v.Name, l)] = count
		}
		for _, v := range r.Out {
			last[ir.At(v.Name, l)] = count
		}
		count++
	}
	for _, name := range p.Outputs {
		last[name] = count
	}
	held := p.Training.Held()
	ends := map[int][]int{} // slots that are free after a step
	var free []int
	i := 0
	for r, l := range ir.Steps(p.Run) {
		for _, v := range r.Out {
			name := ir.At(v.Name, l)
			if held[name] || r.Home(v) != v {
				continue
			}
			space := ir.SpaceOf(v)
			slot := m.choose(free, space, -1)
			if slot < 0 || m.size[slot] != space { // values of other sizes would make a slot grow
				slot = len(m.size)
				m.size = append(m.size, ir.Space{})
			} else {
				free = slices.DeleteFunc(free, func(s int) bool { return s == slot })
			}
			m.plan.Buffers = append(m.plan.Buffers, ir.Buffer{Slot: slot, Value: name, Space: space})
			m.size[slot] = m.size[slot].Union(space)
			ends[last[name]] = append(ends[last[name]], slot)
		}
		free = append(free, ends[i]...)
		i++
	}
}
