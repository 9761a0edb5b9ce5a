package compiler

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// Names of scale-invariant fine-tuning in the store and among the regions. Passes over a perturbed input have names of their own: probe1, probe2, … for those
// that move the perturbation, and moved for the last one. A name of the clean pass with the name of a pass before it is that of the same value in the pass.
const (
	regionPerturb = "perturb" // the region of the clean pass that reads the normalised input
	passMoved     = "moved"
	passClean     = "clean"
	suffixProbs   = ".probabilities" // after the name of a pass: those of its logits, which are constants
)

// DeltaAt returns the store's name of the perturbation after a number of moves.
func DeltaAt(moves int) string {
	if moves == 0 {
		return ragged.Delta.Row().Operand
	}
	return "delta." + strconv.Itoa(moves)
}

// AscentAt returns the store's name of the gradient by which a move changes the perturbation; the first move has the number 1.
func AscentAt(move int) string { return ascent(move).GradOf(storeIn(probe(move), storeNormed)) }

// probe returns the name of the pass before a move.
func probe(move int) string { return "probe" + strconv.Itoa(move) }

// ascent returns the sweep of a move, without its values.
func ascent(move int) Sweep { return Sweep{Name: "ascent" + strconv.Itoa(move)} }

// storeIn returns the name that a value of the clean pass has in a pass.
func storeIn(pass, name string) string { return pass + "." + name }

// sifting adds scale-invariant fine-tuning to a training program (He et al. 2020, section 4).
type sifting struct {
	*Unit
	*spec.Sift
	divergence divergence
	loss       ir.Call         // of the head's own loss
	calls      []ir.Call       // of the clean pass: those that depend on the perturbation
	own        map[string]bool // the names of what they read and write: each pass has values of its own
}

// sift turns a program with a loss into one of scale-invariant fine-tuning. The clean pass stays as it is, but without the batch's delta. For each move
// follow a pass over the input with the perturbation, the loss of that pass, the gradient of the perturbation alone, and the move. Then follow the pass over
// the moved perturbation, and the loss with the penalty. Passes are copies of the regions of the clean pass that depend on the perturbation; all share the
// others. Each copy drops elements by keys of its own, as each pass of the authors' code draws its own masks.
//
// It returns the values that count as constants in the gradient of the loss. The program must have been compiled with Perturb.
func (u *Unit) sift(f *spec.Sift) (constant []string, faults diag.List, err error) {
	if f == nil {
		return nil, nil, nil
	}
	if d := siftFault(u.Head, f.Source); d != nil {
		return nil, diag.List{d}, nil
	}
	p := u.Program
	if err := trainPass(p, attendPass); err != nil {
		return nil, nil, err
	}
	s := &sifting{Unit: u, Sift: f, divergence: divergenceOf(u.Head), own: map[string]bool{}}
	if err := s.clean(); err != nil {
		return nil, nil, err
	}
	s.probabilities(passClean, storeLogits)
	for k := 1; k <= f.Ascend; k++ {
		if err := s.input(k-1, probe(k)); err != nil {
			return nil, nil, err
		}
		s.pass(probe(k))
		of, err := s.inner(probe(k))
		if err != nil {
			return nil, nil, err
		}
		w := ascent(k)
		w.Of, w.With = of, []string{storeIn(probe(k), storeNormed)}
		outputs := p.Outputs
		flat, faults, err := Grad(p, w)
		if err != nil || len(faults) > 0 {
			return nil, faults, err
		}
		if p.Outputs = outputs; len(flat) > 0 {
			return nil, nil, fmt.Errorf("the loss of %s does not depend on the perturbation", probe(k))
		}
	}
	if err := s.input(f.Ascend, passMoved); err != nil {
		return nil, nil, err
	}
	s.pass(passMoved)
	s.probabilities(passMoved, storeIn(passMoved, storeLogits))
	err = s.penalty()
	return []string{storeIn(passMoved, storeNormed), passClean + suffixProbs, passMoved + suffixProbs}, nil, err
}

// clean takes the delta out of the clean pass, and finds the calls that depend on it.
func (s *sifting) clean() error {
	p := s.Program
	r := p.Region(regionPerturb)
	if r == nil || r.Input(ragged.Delta.Row().Operand) == nil || len(p.Run) == 0 || p.Run[len(p.Run)-1].Region.Name != "loss" {
		return fmt.Errorf("the program %s has no input that can be perturbed, or no loss", p.Name)
	}
	delta := r.Input(ragged.Delta.Row().Operand)
	i := slices.IndexFunc(r.Nodes, func(n *ir.Node) bool { return slices.Contains(n.In, delta) })
	sum := r.Nodes[i]
	r.Nodes = slices.Delete(r.Nodes, i, i+1)
	replace(r, sum.Out[0], sum.In[0])
	r.In = readBy(r, r.In)
	r.Doc = regionPerturb + " makes the rows that enter the first layer of the normalised input."
	s.loss = p.Run[len(p.Run)-1]
	p.Run = p.Run[:len(p.Run)-1]
	depends := map[string]bool{}
	for _, c := range p.Run {
		if c.Region != r && !s.reads(c, depends) {
			continue
		}
		for l := c.First; l < c.First+c.Count; l++ {
			for _, v := range c.Region.Out {
				depends[ir.At(v.Name, l)] = true
				s.own[v.Name] = true
			}
		}
		s.calls = append(s.calls, c)
	}
	s.own[storeNormed] = true
	return nil
}

// reads reports whether a call reads a value that depends on the perturbation, and notes the names of all that it reads.
func (s *sifting) reads(c ir.Call, depends map[string]bool) (any bool) {
	for l := c.First; l < c.First+c.Count; l++ {
		for _, v := range c.Region.In {
			if v.Kind == ir.State && depends[ir.At(v.Name, l)] {
				any = true
				s.own[v.Name] = true
			}
		}
		for _, v := range c.Region.Out { // the next layer reads it
			depends[ir.At(v.Name, l)] = depends[ir.At(v.Name, l)] || any
		}
	}
	return any
}

// region starts a region, and appends its call.
func (s *sifting) region(name, doc string) editor {
	b := &builder{m: s.Model, h: s.Head, prog: s.Program}
	return b.region(name, name+" "+doc, s.Source, 1)
}

// input appends the region that moves the perturbation, unless it is the first one, and adds it to the normalised input of a pass.
func (s *sifting) input(moves int, pass string) error {
	_, normed := s.Program.Writer(storeNormed)
	what := "adds the perturbation to the normalised input."
	if moves > 0 {
		what = "moves the perturbation along its gradient, and adds it to the normalised input."
	}
	e := s.region(pass+"_input", what)
	delta := func(moves int) *ir.Value {
		if moves == 0 {
			return e.Part(ragged.Delta, s.Model.Hidden)
		}
		return e.Input(DeltaAt(moves), ir.State, normed.Type)
	}
	var d *ir.Value
	if moves == 0 {
		d = delta(0)
	} else {
		g := e.Input(AscentAt(moves), ir.State, normed.Type)
		d = e.op("ascend", s.Source, []ir.Attr{ir.A("step", s.Step)}, delta(moves-1), g)
		e.Output(DeltaAt(moves), d)
	}
	e.Output(storeIn(pass, storeNormed), e.op("add", s.Source, nil, e.Input(storeNormed, ir.State, normed.Type), d))
	return e.Err()
}

// pass appends copies of the calls of the clean pass that depend on the perturbation.
func (s *sifting) pass(name string) {
	p := s.Program
	rename := func(of string) string {
		if s.own[of] {
			return storeIn(name, of)
		}
		if site, ok := strings.CutPrefix(of, ir.KeyPrefix); ok {
			return ir.KeyPrefix + name + "_" + site
		}
		return of
	}
	copies := map[*ir.Region]*ir.Region{}
	for _, c := range s.calls {
		r := copies[c.Region]
		if r == nil {
			r = copyRegion(c.Region, name+"_"+c.Region.Name, rename)
			r.Doc = strings.Replace(r.Doc, c.Region.Name+" ", r.Name+" ", 1)
			copies[c.Region] = r
			p.Regions = append(p.Regions, r)
		}
		p.Run = append(p.Run, ir.Call{Region: r, First: c.First, Count: c.Count})
	}
}

// logits returns the logits of the clean pass, or of another one, as an input of a region.
func (s *sifting) logits(e editor, name string) *ir.Value {
	_, v := s.Program.Writer(name)
	return e.Input(name, ir.State, v.Type)
}

// probabilities appends the region that computes the probabilities of a pass, which weigh the logarithms of those of other passes.
func (s *sifting) probabilities(pass, logits string) {
	e := s.region(pass+"_probabilities", "computes the probabilities by which the penalty weighs others.")
	e.Output(pass+suffixProbs, s.divergence.probabilities(siftLosses{e, s.Sift}, s.logits(e, logits)))
}

// inner appends the loss whose growth the perturbation follows, summed over the rows of the batch: the disagreement of a pass with the clean one, which is a
// constant. The second term of a symmetric loss weighs constants with constants, so it has no gradient, and both kinds are one.
func (s *sifting) inner(pass string) (of string, err error) {
	e := s.region(pass+"_loss", "is what a move of the perturbation increases.")
	l := siftLosses{e, s.Sift}
	z := s.logits(e, storeIn(pass, storeLogits))
	of = storeIn(pass, StoreLoss)
	if s.Loss == "mse" {
		e.Output(of, l.distance(z, s.logits(e, storeLogits)))
	} else {
		e.Output(of, l.sum(s.divergence.cross(l, s.constant(e, passClean), z)))
	}
	return of, e.Err()
}

// constant returns the probabilities of a pass.
func (s *sifting) constant(e editor, pass string) *ir.Value {
	_, v := s.Program.Writer(pass + suffixProbs)
	return e.Input(pass+suffixProbs, ir.State, v.Type)
}

// penalty appends the region of the loss again, and adds the weighted penalty to the loss in it.
func (s *sifting) penalty() error {
	p, r := s.Program, s.loss.Region
	p.Run = append(p.Run, s.loss)
	e := edit(r)
	l := siftLosses{e, s.Sift}
	clean, moved := s.logits(e, storeLogits), s.logits(e, storeIn(passMoved, storeLogits))
	rows := l.op("add", s.Source, nil, s.divergence.cross(l, s.constant(e, passClean), moved), s.divergence.cross(l, s.constant(e, passMoved), clean))
	penalty := e.op("scale", s.Source, []ir.Attr{ir.A("by", s.Weight)}, s.divergence.mean(l, rows))
	task := r.Out[0]
	task.Name = "task" // the sum takes the name of the loss
	r.Out = nil
	e = edit(r)
	e.Output(StoreLoss, e.op("add", s.Source, nil, task, penalty))
	return e.Err()
}
