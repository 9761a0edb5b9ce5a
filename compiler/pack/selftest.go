package pack

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
)

// selfTest computes, while weights are packed, what the packed model must give for a few tokens: each step of the schedule runs in float64 as
// soon as its weights are there, and lets them go.
type selfTest struct {
	program *ir.Program
	ids     []int32
	steps   []runStep
	store   map[string]*ir.Array // batch, states, and weights that a step still needs
	readers map[string]int       // steps that still read a packed tensor
}

// runStep is one layer of one call of the schedule.
type runStep struct {
	region *ir.Region
	layer  int
}

// selfTestTokens is the length of the one sequence.
const selfTestTokens = 8

// newSelfTest prepares the sequence: ids spread over the vocabulary.
func newSelfTest(p *ir.Program) *selfTest {
	t := &selfTest{program: p, readers: map[string]int{}}
	n := min(selfTestTokens, p.Bounds.Length, p.Bounds.Tokens)
	pos, types := make([]int32, n), make([]int32, n)
	for i := range n {
		t.ids = append(t.ids, int32((1+37*i)%p.Meta.Vocab))
		pos[i] = int32(i)
	}
	ints := func(v ...int32) *ir.Array { return &ir.Array{Shape: []int{len(v)}, I: v} }
	t.store = map[string]*ir.Array{"ids": ints(t.ids...), "pos": ints(pos...), "types": ints(types...), "starts": ints(0, int32(n))}
	for _, c := range p.Run {
		for l := c.First; l < c.First+c.Count; l++ {
			t.steps = append(t.steps, runStep{c.Region, l})
			for _, v := range c.Region.In {
				if v.Kind == ir.Packed {
					t.readers[ir.At(v.Name, l)]++
				}
			}
		}
	}
	return t
}

// outputs is the number of numbers that the test gives: one row for a head that reads a sequence, a row a token otherwise.
func (t *selfTest) outputs() int {
	rows := 1
	if t.program.Meta.Task == ir.TaskHidden {
		rows = len(t.ids)
	}
	return rows * t.program.Meta.Columns
}

// add takes a packed tensor and runs the steps that have all they need.
func (t *selfTest) add(name string, a *ir.Array) error {
	if t.readers[name] > 0 {
		t.store[name] = a
	}
	for len(t.steps) > 0 && t.ready(t.steps[0]) {
		if err := t.run(t.steps[0]); err != nil {
			return fmt.Errorf("self-test: region %s: %w", t.steps[0].region.Name, err)
		}
		t.steps = t.steps[1:]
	}
	return nil
}

// ready reports whether every input of a step is there.
func (t *selfTest) ready(s runStep) bool {
	for _, v := range s.region.In {
		if t.store[ir.At(v.Name, s.layer)] == nil {
			return false
		}
	}
	return true
}

// run evaluates one step.
func (t *selfTest) run(s runStep) error {
	given := map[*ir.Value]*ir.Array{}
	for _, v := range s.region.In {
		given[v] = t.store[ir.At(v.Name, s.layer)]
	}
	n := len(t.ids)
	if err := eval.Region(s.region, given, ir.Sizes{T: n, B: 1, P: n * n}, nil); err != nil {
		return err
	}
	for _, v := range s.region.Out {
		t.store[ir.At(v.Name, s.layer)] = given[v]
	}
	for _, v := range s.region.In {
		name := ir.At(v.Name, s.layer)
		if t.readers[name]--; v.Kind == ir.Packed && t.readers[name] == 0 {
			delete(t.store, name)
		}
	}
	return nil
}

// result gives the outputs when all weights are packed.
func (t *selfTest) result() ([]float32, error) {
	if len(t.steps) > 0 {
		return nil, fmt.Errorf("self-test: region %s lacks an input", t.steps[0].region.Name)
	}
	out := t.store[t.program.Outputs[len(t.program.Outputs)-1]]
	if out == nil || out.Len() != t.outputs() {
		return nil, fmt.Errorf("self-test: the program gives no %s of %d numbers", t.program.Outputs[len(t.program.Outputs)-1], t.outputs())
	}
	return out.Single(), nil
}
