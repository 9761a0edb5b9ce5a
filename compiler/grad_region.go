package compiler

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec/diag"
)

// sumOfGradients stands in place of a statement where the gradients of a value that several statements read are added.
const sumOfGradients = "sum of gradients"

// share is what one step adds to gradients: the region that computes it, and the inputs of the forward region whose gradients it has a part in.
type share struct {
	from   *ir.Region  // of the forward pass
	outs   []*ir.Value // outputs of the forward region whose gradients arrive
	inputs []*ir.Value // inputs of it that depend on a wanted value
	ins    []*ir.Value // of these, those with a share: the others do not change the outs
}

// shareOf finds the inputs to whose gradients a region contributes, if the gradients of its outputs outs arrive. It reports ops without a gradient.
func (s *reverse) shareOf(r *ir.Region, outs, inputs []*ir.Value) (*share, error) {
	key := namesOf(outs) + ":" + namesOf(inputs)
	if sh := s.found[r][key]; sh != nil {
		return sh, nil
	}
	sh := &share{from: r, outs: outs, inputs: inputs}
	t := s.begin(sh, "trial", func(v *ir.Value) *ir.Value {
		return &ir.Value{Name: s.GradOf(v.Name), Kind: ir.State, Type: v.Type}
	})
	if err := t.run(); err != nil {
		return nil, err
	}
	for _, v := range inputs {
		if t.grads[v] != nil {
			sh.ins = append(sh.ins, v)
		}
	}
	if s.found[r] == nil {
		s.found[r] = map[string]*share{}
	}
	s.found[r][key] = sh
	return sh, nil
}

// namesOf returns the names of values as a key.
func namesOf(list []*ir.Value) string {
	var names []string
	for _, v := range list {
		names = append(names, v.Name)
	}
	return strings.Join(names, " ")
}

// tape sweeps over the nodes of one region of the forward pass.
type tape struct {
	*reverse
	*share
	b     *ir.Builder
	grads map[*ir.Value]*ir.Value // of values of the forward region
}

// begin starts the region that computes a share. arriving returns the gradient of an output.
func (s *reverse) begin(sh *share, name string, arriving func(*ir.Value) *ir.Value) *tape {
	r := &ir.Region{Name: name, Pos: sh.from.Pos,
		Doc: fmt.Sprintf("%s computes gradients of what %s reads from the gradients of what it computes.", name, sh.from.Name)}
	t := &tape{reverse: s, share: sh, b: ir.NewBuilder(r), grads: map[*ir.Value]*ir.Value{}}
	for _, v := range sh.outs {
		t.add(v, arriving(v), v.Def)
	}
	return t
}

// add adds a share to the gradient of a value. The position is that of the node that is differentiated.
func (t *tape) add(v, grad *ir.Value, n *ir.Node) {
	if old := t.grads[v]; old != nil && n != nil {
		grad = t.b.Like(n, "add", nil, old, grad)
	}
	t.grads[v] = grad
}

// run appends the gradients of the nodes, from the last node to the first. Only those of values that depend on a wanted one are kept.
func (t *tape) run() error {
	dep := dependents(t.from, t.inputs)
	for _, n := range slices.Backward(t.from.Nodes) {
		if !slices.ContainsFunc(n.In, func(v *ir.Value) bool { return v != nil && dep[v] }) {
			continue
		}
		dy := make([]*ir.Value, len(n.Out))
		missing := 0
		for i, o := range n.Out {
			if dy[i] = t.grads[o]; dy[i] == nil {
				missing++
			}
		}
		switch {
		case missing == len(dy):
			continue
		case missing > 0:
			return fmt.Errorf("region %s: op %s: only some of its results have a gradient", t.from.Name, n.Op)
		}
		op := ir.Lookup(n.Op)
		if op.Grad == nil {
			t.refuse(n, op)
			continue
		}
		grads, err := op.Grad(t.b, n, dy)
		if err = errors.Join(err, t.b.Err()); err != nil {
			return fmt.Errorf("region %s: the gradient of op %s: %w", t.from.Name, n.Op, err)
		}
		for i, v := range n.In {
			if v != nil && dep[v] && grads[i] != nil {
				t.add(v, grads[i], n)
			}
		}
	}
	return t.b.Err()
}

// refuse reports that an op of the forward pass has no gradient.
func (t *tape) refuse(n *ir.Node, op *ir.Op) {
	d := diag.Errorf("not-yet", n.Pos, "no gradient is known for this statement (%s: %s), so what it reads cannot be trained yet", op.Name, op.NoGrad)
	for _, f := range t.faults {
		if f.String() == d.String() {
			return
		}
	}
	t.faults = append(t.faults, d)
}

// emit appends the regions that compute the gradients, and their calls, from the last step of the forward schedule to the first.
func (s *reverse) emit() error {
	s.sums[s.Of] = s.GradOf(s.Of)
	seed := ir.Batch // the kind of the gradient of Of: given by the caller, or computed
	if _, v := s.prog.Writer(s.Of); v != nil && v.Type.Shape.Equal(ir.Shape{ir.N(1)}) {
		seed = ir.State
		if err := s.seed(v); err != nil {
			return err
		}
	}
	for _, st := range slices.Backward(s.steps) {
		if st.share == nil {
			continue
		}
		r, err := s.regionOf(st, seed)
		if err != nil {
			return err
		}
		s.prog.Run = append(s.prog.Run, ir.Call{Region: r, First: st.layer, Count: 1})
	}
	return nil
}

// seed appends the call that sets the gradient of a number by itself to 1.
func (s *reverse) seed(v *ir.Value) error {
	name := s.fresh(s.name() + "_seed")
	r := &ir.Region{Name: name, Doc: name + " sets the gradient of a number by itself."}
	b := ir.NewBuilder(r)
	zero := b.Op("zeros", r.Pos, "", []ir.Attr{ir.A("shape", []int{1})})
	b.Output(s.GradOf(v.Name), b.Op("offset", r.Pos, "", []ir.Attr{ir.A("by", 1.0)}, zero))
	s.prog.Regions = append(s.prog.Regions, r)
	s.prog.Run = append(s.prog.Run, ir.Call{Region: r, Count: 1})
	return b.Err()
}

// link is a value of the forward region together with names in the store, as the region that computes gradients knows them.
type link struct {
	v      *ir.Value
	before string // the gradient that arrives, or the sum of the shares so far; "": nothing arrives
	after  string // the sum with this share
	kind   ir.Kind
}

// key returns the link as text.
func (k link) key() string { return fmt.Sprintf("%s(%s %s %s)", k.v.Name, k.kind, k.before, k.after) }

// regionOf returns the region that computes the shares of a step. Steps that differ only in the layer have the same one. seed is the kind
// of the gradient of Of.
func (s *reverse) regionOf(st *step, seed ir.Kind) (*ir.Region, error) {
	sh := st.share
	var outs, ins []link
	key := sh.from.Name + ":"
	for _, v := range sh.outs {
		name := st.at(v)
		k := link{v: v, before: s.template(st, v, s.sums[name]), kind: ir.State}
		if name == s.Of {
			k.kind = seed
		}
		outs, key = append(outs, k), key+k.key()
	}
	for _, v := range sh.ins {
		name := st.at(v)
		k := link{v: v, kind: ir.State, after: s.sumOf(st, v)}
		if s.sums[name] != "" {
			k.before = s.template(st, v, s.sums[name])
		}
		s.added[name]++
		last := s.added[name] == s.adds[name]
		if last && (s.wanted[name] || hasLayer(v.Name) || !perLayer(sh.from)) {
			k.after = s.GradOf(v.Name)
		}
		s.sums[name] = ir.At(k.after, st.layer)
		s.written[s.sums[name]] = k.after
		if sum := s.sums[name]; s.wanted[name] && sum != s.GradOf(name) {
			s.parts[sum] = s.GradOf(name)
		}
		ins, key = append(ins, k), key+k.key()
	}
	if r := s.regions[key]; r != nil {
		return r, nil
	}
	name := s.fresh(sh.from.Name + "_" + s.name())
	r, err := s.build(sh, name, outs, ins)
	if err != nil {
		return nil, err
	}
	s.regions[key] = r
	s.prog.Regions = append(s.prog.Regions, r)
	return r, nil
}

// template returns a name of the store as the region of a step is to read it: with {l} or {l+1} in place of the layer, where regions have such names.
func (s *reverse) template(st *step, v *ir.Value, name string) string {
	sum := s.sumOf(st, v)
	for _, t := range []string{s.GradOf(v.Name), strings.ReplaceAll(sum, "{l}", "{l+1}"), sum, s.written[name]} {
		if ir.At(t, st.layer) == name {
			return t
		}
	}
	return name
}

// build makes a region that computes shares. The forward region keeps what it reads.
func (s *reverse) build(sh *share, name string, outs, ins []link) (*ir.Region, error) {
	arriving := map[*ir.Value]*ir.Value{}
	t := s.begin(sh, name, func(v *ir.Value) *ir.Value {
		arriving[v] = &ir.Value{Name: v.Name, Type: v.Type}
		return arriving[v]
	})
	if err := t.run(); err != nil {
		return nil, err
	}
	r := t.b.Region()
	given := map[*ir.Value]*ir.Value{} // values of other regions → inputs
	for _, k := range outs {
		given[arriving[k.v]] = t.b.Input(k.before, k.kind, k.v.Type)
	}
	sums := map[*ir.Value]link{}
	for _, k := range ins {
		g := t.grads[k.v]
		if k.before != "" {
			g = t.b.Op("add", sh.from.Pos, sumOfGradients, nil, t.b.Input(k.before, ir.State, k.v.Type), g)
		}
		if g.Def == nil || sums[g].v != nil { // a gradient that passes unchanged, or that two inputs share
			g = t.b.Op("identity", sh.from.Pos, sumOfGradients, nil, g)
		}
		sums[g] = k
		t.b.Output(k.after, g)
	}
	if err := t.b.Err(); err != nil {
		return nil, fmt.Errorf("region %s: %w", name, err)
	}
	need := map[string]bool{}
	for _, v := range r.Out {
		need[v.Name] = true
	}
	inputs := r.In
	prune(r, need)
	r.In = inputs
	s.connect(t, given)
	r.In = readBy(r, r.In)
	return r, t.b.Err()
}

// connect replaces the values of the forward region that the nodes of a sweep read by inputs of their own region. A value that a node computed is kept by
// the forward region, or made again in front of the node that reads it, see again.
func (s *reverse) connect(t *tape, given map[*ir.Value]*ir.Value) {
	r, own := t.b.Region(), map[*ir.Value]bool{}
	for _, v := range r.In {
		own[v] = true
	}
	nodes := r.Nodes
	r.Nodes = nil
	var from func(v *ir.Value) *ir.Value
	from = func(v *ir.Value) *ir.Value {
		switch {
		case v == nil || own[v]:
			return v
		case given[v] != nil:
		case v.Kind != ir.Temp:
			given[v] = t.b.Input(v.Name, v.Kind, v.Type)
		case again(v.Def) && !slices.Contains(t.from.Out, v):
			in := make([]*ir.Value, len(v.Def.In))
			for i, o := range v.Def.In {
				in[i] = from(o)
			}
			given[v] = t.b.Like(v.Def, v.Def.Op, v.Def.Attrs, in...)
		default:
			if !slices.Contains(t.from.Out, v) {
				keep(t.from, v)
			}
			given[v] = t.b.Input(v.Name, ir.State, v.Type)
		}
		return given[v]
	}
	for _, n := range nodes {
		for i, v := range n.In {
			n.In[i] = from(v)
		}
		r.Nodes = append(r.Nodes, n)
		for _, v := range n.Out {
			own[v] = true
		}
	}
}

// again reports whether a sweep computes a node of the forward pass again instead of keeping its result: a constant, or an op with little work per element.
func again(n *ir.Node) bool { return len(n.In) == 0 || ir.Lookup(n.Op).Cheap }

// keep makes a value an output of its region.
func keep(r *ir.Region, v *ir.Value) {
	v.Name = keptAs(r, v)
	r.Out = append(r.Out, v)
}
