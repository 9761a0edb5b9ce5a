// Package eval runs programs in float64 with the ops' reference meanings. It is the oracle: passes, kernels and generated code are compared with it.
package eval

import (
	"fmt"

	"github.com/debertac/debertac/ir"
)

// Store holds values by name: parts of the batch (see StoreOf), tensors, and the outputs of regions. Import package ir/ops beside this one, so
// that the ops are registered.
type Store map[string]*ir.Array

// Tensors returns a checkpoint's tensors by name. Run asks for a tensor at the call that reads it and drops it afterwards, so a big file is never in memory as
// a whole. The arrays are not changed; float32 arrays stay float32 while ops only move their numbers.
type Tensors interface {
	Tensor(name string) (*ir.Array, error)
}

// options holds what the Option functions set.
type options struct {
	from      Tensors
	pack, run bool
	emit      func(name string, a *ir.Array) error
	watch     func(region string, layer int, v *ir.Value, a *ir.Array) error
}

// Option changes what Run does.
type Option func(*options)

// From sets the source of checkpoint tensors that the store does not hold.
func From(t Tensors) Option { return func(o *options) { o.from = t } }

// OnlyPack makes Run run the calls that pack weights and not the schedule of a forward call.
func OnlyPack() Option { return func(o *options) { o.run = false } }

// OnlyRun makes Run run the schedule of a forward call, on packed weights that the store holds.
func OnlyRun() Option { return func(o *options) { o.pack = false } }

// Emit sets a function that is called with each output of a region as it is made. The store then keeps only the outputs that a later call reads.
func Emit(f func(name string, a *ir.Array) error) Option { return func(o *options) { o.emit = f } }

// Watch sets a function that is called with every result of every node, before the result may be dropped.
func Watch(f func(region string, layer int, v *ir.Value, a *ir.Array) error) Option {
	return func(o *options) { o.watch = f }
}

// step is one layer of one call.
type step struct {
	region *ir.Region
	layer  int
}

// Run runs a program: its packing calls, then its schedule. The store must hold the values of the batch (ids, pos, types, starts) and, without From, the
// tensors. The packed tensors of an adapter are those that the store holds; it may hold none. Run puts the outputs of regions into the store. Errors name the
// region, the layer and the node.
func Run(p *ir.Program, s Store, opts ...Option) error {
	o := options{pack: true, run: true}
	for _, f := range opts {
		f(&o)
	}
	var steps []step
	add := func(calls []ir.Call) {
		for r, l := range ir.Steps(calls) {
			steps = append(steps, step{r, l})
		}
	}
	if o.pack {
		add(p.Pack)
	}
	var sizes ir.Sizes
	if o.run {
		add(p.Run)
		var err error
		if sizes, err = sizesOf(p, s); err != nil {
			return err
		}
	}
	last := map[string]int{} // the last step that reads a name
	for i, st := range steps {
		for _, v := range st.region.In {
			last[ir.At(v.Name, st.layer)] = i
		}
	}
	for i, st := range steps {
		if err := runStep(st, s, sizes, &o, func(name string) bool { return last[name] > i }); err != nil {
			return fmt.Errorf("region %s, layer %d: %w", st.region.Name, st.layer, err)
		}
	}
	return nil
}

// runStep runs one layer of a region.
func runStep(st step, s Store, sizes ir.Sizes, o *options, later func(name string) bool) error {
	given := map[*ir.Value]*ir.Array{}
	for _, v := range st.region.In {
		name := ir.At(v.Name, st.layer)
		a := s[name]
		if a == nil && v.Kind == ir.Tensor && o.from != nil {
			var err error
			if a, err = o.from.Tensor(name); err != nil {
				return fmt.Errorf("tensor %s: %w", name, err)
			}
		}
		if a == nil && v.Kind == ir.Adapter {
			continue
		}
		if a == nil {
			return fmt.Errorf("the store has no %s %s", v.Kind, name)
		}
		if err := a.Fits(v.Type, sizes); err != nil {
			return fmt.Errorf("%s %s: %w", v.Kind, name, err)
		}
		given[v] = a
	}
	var watch func(v *ir.Value, a *ir.Array) error
	if o.watch != nil {
		watch = func(v *ir.Value, a *ir.Array) error { return o.watch(st.region.Name, st.layer, v, a) }
	}
	if err := Region(st.region, given, sizes, watch); err != nil {
		return err
	}
	for _, v := range st.region.Out {
		name := ir.At(v.Name, st.layer)
		if o.emit != nil {
			if err := o.emit(name, given[v]); err != nil {
				return err
			}
			if !later(name) {
				continue
			}
		}
		s[name] = given[v]
	}
	if o.emit != nil {
		for _, v := range st.region.In {
			if name := ir.At(v.Name, st.layer); v.Kind != ir.Batch && v.Kind != ir.Tensor && !later(name) {
				delete(s, name)
			}
		}
	}
	return nil
}

// Region runs one graph by itself. given holds its inputs, and Region adds the results that are outputs; other results are dropped when they have been read for
// the last time. watch may be nil.
func Region(r *ir.Region, given map[*ir.Value]*ir.Array, sizes ir.Sizes, watch func(*ir.Value, *ir.Array) error) error {
	reads := r.Reads()
	for i, n := range r.Nodes {
		if err := runNode(n, given, sizes, watch); err != nil {
			return fmt.Errorf("node %d, %v: op %s: %w", i, n.Pos, n.Op, err)
		}
		for _, list := range [][]*ir.Value{n.In, n.Out} {
			for _, v := range list {
				if v == nil {
					continue
				}
				if v.Def != n {
					reads[v]--
				}
				if reads[v] == 0 {
					delete(given, v)
				}
			}
		}
	}
	for _, v := range r.Out {
		if given[v] == nil {
			return fmt.Errorf("no node computes the output %s", v.Name)
		}
	}
	return nil
}

// runNode runs one node.
func runNode(n *ir.Node, given map[*ir.Value]*ir.Array, sizes ir.Sizes, watch func(*ir.Value, *ir.Array) error) error {
	op := ir.Lookup(n.Op)
	if op == nil {
		return fmt.Errorf("no op has this name")
	}
	in := make([]*ir.Array, len(n.In))
	for k, v := range n.In {
		if v == nil {
			continue
		}
		if in[k] = given[v]; in[k] == nil && v.Kind != ir.Adapter {
			return fmt.Errorf("operand %d, %s, has no numbers yet", k, v.Name)
		}
	}
	out, err := op.Ref(n, in)
	if err != nil {
		return err
	}
	if len(out) != len(n.Out) {
		return fmt.Errorf("%d results, not %d", len(out), len(n.Out))
	}
	for k, v := range n.Out {
		if err := out[k].Fits(v.Type, sizes); err != nil {
			return fmt.Errorf("result %s: %w", v.Name, err)
		}
		if watch != nil {
			if err := watch(v, out[k]); err != nil {
				return err
			}
		}
		given[v] = out[k]
	}
	return nil
}
