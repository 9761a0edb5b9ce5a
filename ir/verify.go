package ir

import (
	"fmt"
	"slices"
	"strings"
)

// Verify returns the first fault of a program. The error names the region, the node and the spec's position. Verify checks that
//
//   - names are unique, and values are defined before they are used;
//   - every op exists and accepts its operands and attributes, and recorded types are those that the op returns;
//   - a region's inputs are in the store with the same type when it is called;
//   - no name of the store is written twice, and calls write all outputs of the program;
//   - the program has no node that a rule forbids.
func Verify(p *Program, rules ...Rule) error {
	v := verifier{regions: map[string]*Region{}, tensors: map[string]Type{}, packed: map[string]Type{}, adapted: map[string]Type{},
		stored: map[string]Type{}}
	for _, b := range []struct {
		name string
		n    int
	}{{"sequences", p.Bounds.Sequences}, {"tokens", p.Bounds.Tokens}, {"length", p.Bounds.Length}} {
		if b.n < 1 {
			return fmt.Errorf("the bound on %s is %d, not at least 1", b.name, b.n)
		}
	}
	for _, r := range p.Regions {
		if r.Name == "" || v.regions[r.Name] != nil {
			return fmt.Errorf("two regions are named %q", r.Name)
		}
		v.regions[r.Name] = r
		if err := verifyRegion(r); err != nil {
			return fmt.Errorf("region %s: %w", r.Name, err)
		}
	}
	for _, list := range []struct {
		name  string
		calls []Call
		to    map[string]Type
	}{{"pack", p.Pack, v.packed}, {"adapt", p.Adapt, v.adapted}, {"run", p.Run, v.stored}} {
		for _, c := range list.calls {
			if err := v.call(c, list.to, list.name != "run"); err != nil {
				return fmt.Errorf("%s: %w", list.name, err)
			}
		}
	}
	for _, o := range p.Outputs {
		if _, ok := v.stored[o]; !ok {
			return fmt.Errorf("no call of the schedule writes the output %s", o)
		}
	}
	if err := verifyRules(p, rules); err != nil {
		return err
	}
	return v.plan(p.Plan)
}

// maxLayers bounds the number of layers, so that a wrong number in a program's text is an error and not a long wait.
const maxLayers = 1 << 14

// verifier follows the store through the calls.
type verifier struct {
	regions map[string]*Region
	tensors map[string]Type // of the checkpoint, as the regions declare them
	packed  map[string]Type // written by Pack
	adapted map[string]Type // written by Adapt
	stored  map[string]Type // written by Run
}

// call checks one call, layer by layer. Its outputs are added to written; pack is for calls that run before there is a batch.
func (v *verifier) call(c Call, written map[string]Type, pack bool) error {
	if c.Region == nil || v.regions[c.Region.Name] != c.Region {
		return fmt.Errorf("a call of a region that the program does not list")
	}
	if c.Count < 1 || c.First < 0 || c.Count > maxLayers || c.First > maxLayers {
		return fmt.Errorf("region %s: %d calls from layer %d, where 1 to %d are possible", c.Region.Name, c.Count, c.First, maxLayers)
	}
	for l := c.First; l < c.First+c.Count; l++ {
		for _, in := range c.Region.In {
			if err := v.input(in, At(in.Name, l), written, pack); err != nil {
				return fmt.Errorf("region %s, layer %d: %w", c.Region.Name, l, err)
			}
		}
		for _, out := range c.Region.Out {
			name := At(out.Name, l)
			if _, twice := written[name]; twice {
				return fmt.Errorf("region %s, layer %d: %s is written a second time", c.Region.Name, l, name)
			}
			written[name] = out.Type
		}
	}
	return nil
}

// input checks that an input of a region is in the store, with its type.
func (v *verifier) input(in *Value, name string, written map[string]Type, pack bool) error {
	var have Type
	ok := true
	switch in.Kind {
	case State:
		have, ok = written[name]
	case Packed:
		have, ok = v.packed[name]
	case Adapter:
		have, ok = v.adapted[name]
	case Tensor, Optimizer:
		if have, ok = v.tensors[name]; !ok {
			v.tensors[name] = in.Type
			return nil
		}
	case Batch:
		if pack {
			return fmt.Errorf("the input %s is of the batch, which is not there when weights are packed", name)
		}
		return nil
	}
	if !ok {
		return fmt.Errorf("the %s input %s has not been written by an earlier call", in.Kind, name)
	}
	if !have.Equal(in.Type) {
		return fmt.Errorf("the %s input %s is %s here and %s where it comes from", in.Kind, name, in.Type, have)
	}
	return nil
}

// plan checks that steps and buffers name nodes and values that exist.
func (v *verifier) plan(p *Plan) error {
	if p == nil {
		return nil
	}
	for _, s := range p.Steps {
		r := v.regions[s.Region]
		if r == nil || s.Node < 0 || s.Node >= len(r.Nodes) {
			return fmt.Errorf("plan: a step for node %d of region %q, which does not exist", s.Node, s.Region)
		}
	}
	for _, b := range p.Buffers {
		if b.Region != "" && v.regions[b.Region] == nil {
			return fmt.Errorf("plan: a buffer for %s of region %q, which does not exist", b.Value, b.Region)
		}
		if b.Slot < 0 || b.negative() {
			return fmt.Errorf("plan: the buffer of %s has a negative number", b.Value)
		}
	}
	return nil
}

// verifyRegion checks one graph by itself.
func verifyRegion(r *Region) error {
	defined, names := map[*Value]bool{}, map[string]bool{}
	define := func(v *Value) error {
		switch {
		case v == nil:
			return fmt.Errorf("a value is nil")
		case v.Name == "" || names[v.Name]:
			return fmt.Errorf("two values are named %q", v.Name)
		}
		names[v.Name], defined[v] = true, true
		return verifyLD(v)
	}
	for _, v := range r.In {
		if err := define(v); err != nil {
			return fmt.Errorf("inputs: %w", err)
		}
		if v.Kind == Temp || v.Def != nil {
			return fmt.Errorf("input %s is computed by a node", v.Name)
		}
	}
	for i, n := range r.Nodes {
		if err := verifyNode(n, defined); err != nil {
			return fmt.Errorf("node %d%s: op %s: %w", i, place(n), n.Op, err)
		}
		for _, o := range n.Out {
			if err := define(o); err != nil {
				return fmt.Errorf("node %d%s: op %s: results: %w", i, place(n), n.Op, err)
			}
		}
	}
	outs := map[string]bool{}
	for _, v := range r.Out {
		if v == nil || !defined[v] {
			return fmt.Errorf("an output is neither an input nor the result of a node")
		}
		if outs[v.Name] {
			return fmt.Errorf("the output %s is given twice", v.Name)
		}
		outs[v.Name] = true
	}
	return nil
}

// place returns a node's position in the spec for an error, or "" if it has none.
func place(n *Node) string {
	if n.Pos.IsZero() {
		return ""
	}
	return " (" + n.Pos.String() + ")"
}

// verifyNode checks a node. Its operands must be among the defined values.
func verifyNode(n *Node, defined map[*Value]bool) error {
	op := Lookup(n.Op)
	if op == nil {
		return fmt.Errorf("no op has this name")
	}
	for k, v := range n.In {
		if v != nil && !defined[v] {
			return fmt.Errorf("operand %d, %s, is not defined before it is used", k, v.Name)
		}
	}
	types, err := op.Shape(n)
	if err != nil {
		return err
	}
	if len(types) != len(n.Out) {
		return fmt.Errorf("%d results, the op has %d", len(n.Out), len(types))
	}
	for k, o := range n.Out {
		if o == nil || o.Def != n || o.Kind != Temp {
			return fmt.Errorf("result %d does not point back at its node", k)
		}
		if !o.Type.Equal(types[k]) {
			return fmt.Errorf("result %s is %s, the op returns %s", o.Name, o.Type, types[k])
		}
	}
	return nil
}

// verifyLD checks the distance between rows, and the extents.
func verifyLD(v *Value) error {
	for _, d := range v.Type.Shape {
		if d.Const() && d.N < 1 || !d.Const() && !slices.Contains(symbols, d.Sym) {
			return fmt.Errorf("%s is %s: the extent %s is neither positive nor one of %s", v.Name, v.Type, d, strings.Join(symbols, ", "))
		}
	}
	if v.LD == 0 {
		return nil
	}
	s := v.Type.Shape
	if len(s) < 2 || !s[len(s)-1].Const() || v.LD < s[len(s)-1].N {
		return fmt.Errorf("%s is %s with rows %d apart", v.Name, v.Type, v.LD)
	}
	return nil
}
