package pack

import (
	"fmt"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/tasktable"
)

// selfTest computes, while weights are packed, the results of the packed model for a few tokens. Each step of the schedule runs in float64 as soon as its
// weights are there, and releases them afterwards.
type selfTest struct {
	program *ir.Program
	batch   *runtime.Batch // one sequence
	sizes   ir.Sizes
	steps   []runStep
	store   map[string]*ir.Array // batch, states, and weights that a step will read
	readers map[string]int       // number of steps that will still read a packed tensor
}

// runStep is one layer of one call of the schedule.
type runStep struct {
	region *ir.Region
	layer  int
}

// selfTestTokens is the length of the sequence in tokens.
const selfTestTokens = 8

// newSelfTest makes the sequence, whose ids are spread over the vocabulary.
func newSelfTest(p *ir.Program) *selfTest {
	t := &selfTest{program: p, readers: map[string]int{}}
	n := min(selfTestTokens, p.Bounds.Length, p.Bounds.Tokens)
	b := &runtime.Batch{Starts: []int32{0, int32(n)}}
	for i := range n {
		b.IDs = append(b.IDs, int32((1+37*i)%p.Meta.Vocab))
	}
	l := p.Limits()
	if l.Rows > 0 {
		b.Rows = []int32{int32(n - 1)} // one row is enough: each may have as many numbers as the vocabulary has entries
	}
	b.FillNeeded(l)
	t.batch = b
	t.sizes = ir.Sizes(b.Sizes())
	t.store = eval.StoreOf(b, l.Delta) // a Delta is zeros: nothing is added
	for r, l := range ir.Steps(p.Run) {
		t.steps = append(t.steps, runStep{r, l})
		for _, v := range r.In {
			if v.Kind == ir.Packed {
				t.readers[ir.At(v.Name, l)]++
			}
		}
	}
	return t
}

// names returns the names of the outputs that are recorded, as engine.Head.Recorded picks them.
func (t *selfTest) names() []string {
	var names []string
	for _, o := range t.program.Meta.Outputs {
		if !o.Vector && !tasktable.Chosen(o.Name) {
			names = append(names, o.Name)
		}
	}
	if list := t.program.Outputs; names == nil && len(list) > 0 {
		names = list[len(list)-1:]
	}
	return names
}

// outputs returns the number of results of the test.
func (t *selfTest) outputs() (n int) {
	for _, name := range t.names() {
		if _, v := t.program.Writer(name); v != nil {
			n += t.sizes.Elements(v.Type.Shape)
		}
	}
	return n
}

// add takes a packed tensor and runs the steps whose inputs are now complete.
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

// ready reports whether every input of a step is there. The test is of the model without an adapter.
func (t *selfTest) ready(s runStep) bool {
	for _, v := range s.region.In {
		if v.Kind != ir.Adapter && t.store[ir.At(v.Name, s.layer)] == nil {
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
	if err := eval.Region(s.region, given, t.sizes, nil); err != nil {
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

// result returns the outputs when all weights are packed.
func (t *selfTest) result() ([]float32, error) {
	if len(t.steps) > 0 {
		return nil, fmt.Errorf("self-test: region %s lacks an input", t.steps[0].region.Name)
	}
	var all []float32
	for _, name := range t.names() {
		if out := t.store[name]; out != nil {
			all = append(all, out.Single()...)
		}
	}
	if len(all) != t.outputs() || len(all) == 0 {
		return nil, fmt.Errorf("self-test: the program has no outputs %v of %d numbers", t.names(), t.outputs())
	}
	return all, nil
}
