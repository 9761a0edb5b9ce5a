package compiler

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec/diag"
)

// Sweep describes which gradients [Grad] computes. Names are those of the store, each with its layer's number in place of {l}.
type Sweep struct {
	// Of is the value to differentiate, an output of a region. If it is one number, f32[1], its own gradient is 1. Otherwise the caller puts that gradient
	// into the store before a call, under GradOf(Of), in the type of the value.
	Of string

	// With lists the values whose gradients are wanted: tensors of the checkpoint, parts of the batch, and outputs of regions. Only what these gradients need
	// is computed: nothing for tensors that are not listed, and nothing in layers below the lowest one with a listed value. An output of a region does not
	// stop the sweep: gradients of what it was computed from are computed if they are listed.
	With []string

	// Constant lists values that count as constants: no gradient passes through them.
	Constant []string

	// Name is the first word of the names of gradients; "" is grad. Sweeps over one program have different names.
	Name string
}

// name returns the first word of the names of gradients.
func (s Sweep) name() string { return cmp.Or(s.Name, "grad") }

// GradOf returns the store's name of the gradient of a value.
func (s Sweep) GradOf(value string) string { return s.name() + "." + value }

// GradOf returns the store's name of the gradient of a value, for a [Sweep] without a name.
func GradOf(value string) string { return Sweep{}.GradOf(value) }

// Parameters returns the names of the checkpoint's tensors that the schedule of a program reads, each with its layer's number, in the order in which they are
// first read. A caller that trains all of them passes the list to [Grad].
func Parameters(p *ir.Program) []string {
	var names []string
	seen := map[string]bool{}
	for r, l := range ir.Steps(p.Run) {
		for _, v := range r.In {
			if name := ir.At(v.Name, l); v.Kind == ir.Tensor && !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	return names
}

// Grad appends to a program the calls that compute gradients of one of its values, by reverse accumulation over the ops' rules. The program must be as
// [Compile] returns it for After: "build"; Grad changes it. A second sweep over the same program can differentiate what the first one has computed.
//
// Each gradient is an output of the program under GradOf of its name, in the type of the value. If several nodes or calls read a value, their shares are
// added in the reverse order of the schedule, from the last reader to the first; so the order of a sum depends on the program alone. Grad returns the listed
// values on which the value does not depend. Their gradients are 0, and no call computes them.
//
// What the sweep reads of the forward pass is kept: it becomes an output of its region, see keptAs. A region that must keep values only in some of its layers
// is split in two.
//
// Faults are diagnostics, at the spec's lines, for ops that have no gradient yet. An error is an internal error; so is a name that the program does not have.
func Grad(p *ir.Program, w Sweep) (flat []string, faults diag.List, err error) {
	flat, _, faults, err = gradients(p, w)
	return flat, faults, err
}

// gradients does the work of Grad. It also returns the names of sums of some shares of the gradients, each with that of the gradient.
func gradients(p *ir.Program, w Sweep) (flat []string, sums map[string]string, faults diag.List, err error) {
	s := &reverse{Sweep: w, prog: p, wanted: map[string]bool{}, constant: map[string]bool{}, found: map[*ir.Region]map[string]*share{},
		adds: map[string]int{}, added: map[string]int{}, sums: map[string]string{}, written: map[string]string{}, parts: map[string]string{},
		regions: map[string]*ir.Region{}}
	for _, name := range w.With {
		s.wanted[name] = true
	}
	for _, name := range w.Constant {
		s.constant[name] = true
	}
	if err := s.check(); err != nil {
		return nil, nil, nil, err
	}
	s.forward()
	if err := s.backward(); err != nil {
		return nil, nil, nil, err
	}
	if len(s.faults) > 0 {
		s.faults.Sort()
		return nil, nil, s.faults, nil
	}
	s.split()
	if err := s.emit(); err != nil {
		return nil, nil, nil, err
	}
	var outputs []string
	for _, name := range w.With {
		if s.adds[name] > 0 {
			outputs = append(outputs, s.GradOf(name))
		} else {
			flat = append(flat, name)
		}
	}
	p.Outputs = append(outputs, p.Outputs...)
	return flat, s.parts, nil, nil
}

// reverse is the work of one call of Grad. It has three parts: forward finds which values depend on a wanted one; backward walks the schedule from its end and
// finds which steps have shares in which gradients; emit knows therefore which share of a gradient is the last one, and appends the regions and calls.
type reverse struct {
	Sweep
	prog             *ir.Program
	wanted, constant map[string]bool // With and Constant
	steps            []*step         // of the schedule, in its order

	found   map[*ir.Region]map[string]*share // by what arrives and what depends, see shareOf
	adds    map[string]int                   // how many steps have a share in the gradient of a value of the store
	added   map[string]int                   // of these, how many emit has appended
	sums    map[string]string                // the name of the sum of the shares that emit has appended
	parts   map[string]string                // sums of some shares of the gradients of listed values → the gradients
	written map[string]string                // that name → the same name as the region that computes the sum has it, with {l}
	regions map[string]*ir.Region            // what emit has made, by what makes it differ
	faults  diag.List
}

// step is one layer of a call of the forward schedule.
type step struct {
	region *ir.Region
	layer  int
	inputs []*ir.Value // that depend on a wanted value, or are one
	share  *share      // nil: the step has no share in any gradient
}

// at returns the store's name of a value of the step.
func (s *step) at(v *ir.Value) string { return ir.At(v.Name, s.layer) }

// check lists the steps, and returns an error if a name of a value is not that of a float value which the schedule reads or writes.
func (s *reverse) check() error {
	known := map[string]*ir.Value{}
	for r, l := range ir.Steps(s.prog.Run) {
		st := &step{region: r, layer: l}
		s.steps = append(s.steps, st)
		for _, v := range slices.Concat(r.In, r.Out) {
			known[st.at(v)] = v
		}
	}
	seen := map[string]bool{}
	for _, name := range slices.Concat([]string{s.Of}, s.With, s.Constant) {
		v := known[name]
		switch {
		case v == nil:
			return fmt.Errorf("gradients: no call of the program %s reads or writes a value %s", s.prog.Name, name)
		case v.Type.DType != ir.F32:
			return fmt.Errorf("gradients: %s is %s, and only floats have gradients", name, v.Type)
		case seen[name]:
			return fmt.Errorf("gradients: %s is named twice among what is differentiated, wanted and constant", name)
		case known[s.GradOf(name)] != nil:
			return fmt.Errorf("gradients: the program %s has a value %s already: the sweep needs another name", s.prog.Name, s.GradOf(name))
		}
		seen[name] = true
	}
	return nil
}

// forward finds the inputs of each step that depend on a wanted value.
func (s *reverse) forward() {
	depends := map[string]bool{}
	for name := range s.wanted {
		depends[name] = true
	}
	for _, st := range s.steps {
		for _, v := range st.region.In {
			if v.Type.DType == ir.F32 && depends[st.at(v)] && !s.constant[st.at(v)] {
				st.inputs = append(st.inputs, v)
			}
		}
		dep := dependents(st.region, st.inputs)
		for _, v := range st.region.Out {
			if dep[v] {
				depends[st.at(v)] = true
			}
		}
	}
}

// dependents returns the float values of a region that depend on some of its inputs, these included.
func dependents(r *ir.Region, inputs []*ir.Value) map[*ir.Value]bool {
	dep := map[*ir.Value]bool{}
	for _, v := range inputs {
		dep[v] = true
	}
	for _, n := range r.Nodes {
		if slices.ContainsFunc(n.In, func(v *ir.Value) bool { return v != nil && dep[v] }) {
			for _, v := range n.Out {
				dep[v] = v.Type.DType == ir.F32
			}
		}
	}
	return dep
}

// backward finds, from the last step to the first, the steps that have a share in some gradient.
func (s *reverse) backward() error {
	arrives := map[string]bool{s.Of: true} // names in the store of values with a gradient
	for _, st := range slices.Backward(s.steps) {
		var outs []*ir.Value
		for _, v := range st.region.Out {
			if arrives[st.at(v)] {
				outs = append(outs, v)
			}
		}
		if len(outs) == 0 || len(st.inputs) == 0 {
			continue
		}
		sh, err := s.shareOf(st.region, outs, st.inputs)
		if err != nil {
			return err
		}
		if len(sh.ins) == 0 {
			continue
		}
		st.share = sh
		for _, v := range sh.ins {
			arrives[st.at(v)] = true
			s.adds[st.at(v)]++
		}
	}
	return nil
}

// split makes a region of their own for the steps of a region that have no share in any gradient, if other steps of it have one. So values are kept only where
// the sweep reads them.
func (s *reverse) split() {
	shares, plain := map[*ir.Region]bool{}, map[*ir.Region]*ir.Region{}
	for _, st := range s.steps {
		if st.share != nil {
			shares[st.region] = true
		}
	}
	var run []ir.Call
	for _, st := range s.steps {
		r := st.region
		if st.share == nil && shares[r] {
			if plain[r] == nil {
				plain[r] = copyRegion(r, s.fresh(r.Name+"_plain"), func(name string) string { return name })
				s.prog.Regions = append(s.prog.Regions, plain[r])
			}
			r = plain[r]
		}
		if n := len(run); n > 0 && run[n-1].Region == r && run[n-1].First+run[n-1].Count == st.layer {
			run[n-1].Count++
			continue
		}
		run = append(run, ir.Call{Region: r, First: st.layer, Count: 1})
	}
	s.prog.Run = run
}

// fresh returns a name that no region has: stem, or stem with a number after it.
func (s *reverse) fresh(stem string) string {
	name := stem
	for i := 2; s.prog.Region(name) != nil; i++ {
		name = stem + strconv.Itoa(i)
	}
	return name
}

// perLayer reports whether the names of a region's values in the store depend on the layer.
func perLayer(r *ir.Region) bool {
	return slices.ContainsFunc(slices.Concat(r.In, r.Out), func(v *ir.Value) bool { return hasLayer(v.Name) })
}

// hasLayer reports whether a name in the store depends on the layer.
func hasLayer(name string) bool { return strings.Contains(name, "{l") }

// keptPrefix begins the names of what regions of the forward pass keep for the sweep.
const keptPrefix = "kept."

// keptAs returns the name in the store of a value that a region of the forward pass keeps for the sweep.
func keptAs(r *ir.Region, v *ir.Value) string {
	if perLayer(r) {
		return keptPrefix + r.Name + ".{l}." + v.Name
	}
	return keptPrefix + r.Name + "." + v.Name
}

// sumOf returns the name in the store of a sum of shares that is not complete yet, after the share of a region has been added. Regions that run layer after
// layer, such as an encoder's layers with and without a convolution, use the same names, so that one region serves most layers.
func (s *reverse) sumOf(st *step, v *ir.Value) string {
	r := st.region
	stem, layered := r.Name, perLayer(r)
	for _, o := range r.Out {
		switch i := strings.Index(o.Name, ".{l"); {
		case strings.HasPrefix(o.Name, keptPrefix):
		case i > 0:
			stem = o.Name[:i]
		case !layered:
			if parts := numbered.FindStringSubmatch(o.Name); parts != nil && parts[2] == strconv.Itoa(st.layer+1) {
				return s.GradOf(v.Name) + "." + parts[1] + "." + strconv.Itoa(st.layer)
			}
		}
	}
	switch {
	case !layered, hasLayer(v.Name):
		return s.GradOf(v.Name) + "." + stem
	}
	return s.GradOf(v.Name) + "." + stem + ".{l}"
}

// numbered matches the output of a region that computes one layer: its stem, and the number after the layer's own.
var numbered = regexp.MustCompile(`^(.*)\.([0-9]+)\.(first|picked)$`)
