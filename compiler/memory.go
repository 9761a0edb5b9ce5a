package compiler

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/debertac/debertac/ir"
)

// memory assigns each activation a slot of the arena. The hidden states of all layers share one slot, because each layer's input is dead before its output is
// written. Values inside a region share slots if they are never live at the same time.
func memory(p *ir.Program) error {
	m := &slots{plan: &ir.Plan{}, family: map[string]int{}}
	runs := map[*ir.Region]bool{}
	for _, c := range p.Run {
		if !runs[c.Region] {
			runs[c.Region] = true
			if err := m.region(c.Region); err != nil {
				return fmt.Errorf("region %s: %w", c.Region.Name, err)
			}
		}
	}
	p.Plan = m.plan
	return nil
}

// slots holds the parts of the arena that are in use so far.
type slots struct {
	plan   *ir.Plan
	size   []ir.Space     // of each slot
	family map[string]int // slot of the store names that differ only in the layer
	pool   []int          // slots for values that live inside one region
	apart  bool           // values of the store have slots of their own, see trainingArena
}

var layerNumber = regexp.MustCompile(`\.(\{l(\+1)?\}|[0-9]+)(\.|$)`)

// familyOf returns one name for the store names of all layers.
func familyOf(name string) string { return layerNumber.ReplaceAllString(name, ".*$3") }

// live is a slot that is in use up to and including a node.
type live struct {
	slot, until int
}

// extend lengthens the use of a slot.
func extend(used []live, slot, until int) []live {
	for i := range used {
		if used[i].slot == slot {
			used[i].until = max(used[i].until, until)
		}
	}
	return used
}

// accumulated returns the operand to which a node adds in place, or nil. Ops that work so call this operand plus.
func accumulated(n *ir.Node) *ir.Value {
	for i, o := range ir.Lookup(n.Op).In {
		if o.Name == "plus" && i < len(n.In) {
			return n.In[i]
		}
	}
	return nil
}

// slotOf returns the slot of a value of a region.
func (m *slots) slotOf(region, value string) int {
	for _, b := range m.plan.Buffers {
		if b.Region == region && b.Value == value {
			return b.Slot
		}
	}
	return -1
}

// region assigns slots to the values of one region.
func (m *slots) region(r *ir.Region) error {
	last := map[*ir.Value]int{} // index of the last node that reads the value
	for i, n := range r.Nodes {
		for _, v := range n.In {
			if v != nil {
				last[v] = i
			}
		}
	}
	out := map[*ir.Value]bool{}
	for _, v := range r.Out {
		out[v] = true
	}
	in := map[string]*ir.Value{}
	for _, v := range r.In {
		if v.Kind == ir.State && !m.apart {
			in[familyOf(v.Name)] = v
			m.place(r, v, m.stored(v))
		}
	}
	free := append([]int(nil), m.pool...)
	var used []live
	for i, n := range r.Nodes {
		var keep []live
		for _, u := range used {
			if u.until < i {
				free = append(free, u.slot)
			} else {
				keep = append(keep, u)
			}
		}
		used = keep
		for _, v := range n.Out {
			if v.Type.DType != ir.F32 && v.LD == 0 && !m.apart {
				return fmt.Errorf("%s: no place in the arena for %v", v.Name, v.Type)
			}
			if m.apart {
				home := r.Home(v)
				if out[home] || v.Replaces() != nil { // it has a place in the store, or that of another value
					continue
				}
				v = home // the last value of a chain is read last
			}
			if out[v] {
				if old := in[familyOf(v.Name)]; old != nil && last[old] >= i {
					return fmt.Errorf("%s is written while %s is still read", v.Name, old.Name)
				}
				m.place(r, v, m.stored(v))
				continue
			}
			if plus := accumulated(n); plus != nil {
				if last[plus] != i {
					return fmt.Errorf("%s is added to in place while it is still read", plus.Name)
				}
				slot := m.slotOf(r.Name, plus.Name)
				m.place(r, v, slot)
				used = extend(used, slot, last[v])
				continue
			}
			slot := m.choose(free, ir.SpaceOf(v), m.like(r, v))
			if slot < 0 {
				slot = len(m.size)
				m.size = append(m.size, ir.Space{})
				m.pool = append(m.pool, slot)
			} else {
				free = slices.DeleteFunc(free, func(s int) bool { return s == slot })
			}
			m.place(r, v, slot)
			used = append(used, live{slot, max(last[v], i)})
		}
	}
	return nil
}

// stored returns the slot of a value that regions pass on.
func (m *slots) stored(v *ir.Value) int {
	f := familyOf(v.Name)
	s, ok := m.family[f]
	if !ok {
		s = len(m.size)
		m.size = append(m.size, ir.Space{})
		m.family[f] = s
	}
	return s
}

// place records that a value lies in a slot, and enlarges the slot if necessary.
func (m *slots) place(r *ir.Region, v *ir.Value, slot int) {
	b := ir.Buffer{Slot: slot, Region: r.Name, Value: v.Name, Space: ir.SpaceOf(v)}
	m.plan.Buffers = append(m.plan.Buffers, b)
	m.size[slot] = m.size[slot].Union(b.Space)
}

// typical are the sizes of a call that are used to compare slots.
var typical = ir.Typical()

// like returns the slot of the value of that name in the region that r was copied from, or -1. Steps of both regions share code only if their slots are equal.
func (m *slots) like(r *ir.Region, v *ir.Value) int {
	if of, ok := strings.CutSuffix(r.Name, lastSuffix); ok {
		return m.slotOf(of, v.Name)
	}
	return -1
}

// choose returns the wanted slot if it is free and large enough. Otherwise it returns the free slot that fits with the least waste. If none fits, it returns
// the largest free slot, which then grows. It returns -1 if no slot is free.
func (m *slots) choose(free []int, need ir.Space, wanted int) int {
	if slices.Contains(free, wanted) && m.size[wanted].Floats(typical) >= need.Floats(typical) {
		return wanted
	}
	best, weight := -1, 0
	for _, s := range free {
		w := m.size[s].Floats(typical) - need.Floats(typical)
		if w < 0 {
			w = 1<<40 - w // growing is worse than any waste; the least growth is best
		}
		if best < 0 || w < weight {
			best, weight = s, w
		}
	}
	return best
}
