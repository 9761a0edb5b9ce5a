package compiler

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// lastOfMember is the last pass that runs on each member of an ensemble by itself. Later passes see all members together.
const lastOfMember = "fold"

// MemberPrefix returns the prefix of the names of a member's tensors, in the program of an ensemble and in its packed weights.
func MemberPrefix(h *spec.Head) string { return h.FullName() + "." }

// memberFaults returns a fault for a member that cannot be computed from the same batch as the first one, or averaged with it.
func memberFaults(e *spec.Ensemble, p, first part) diag.List {
	mean := tasktable.Of(p.task).Mean
	var d *diag.Diag
	switch {
	case p.model.Tokenizer != first.model.Tokenizer:
		d = diag.Errorf("members", p.at, "%s has the tokenizer %s, %s has %s: the members of an ensemble read the same tokens", p.name(), p.model.Tokenizer,
			first.name(), first.model.Tokenizer).Note(p.model.Pos, "%s is here", p.model.Name)
	case p.task != first.task || p.rows != first.rows && p.task != tasktable.Labels:
		d = diag.Errorf("members", p.at, "%s computes other rows than %s", p.name(), first.name()).Note(first.head.Pos, "%s is here", first.name())
	case mean == tasktable.NoMean || p.crf:
		d = diag.Errorf("members", p.at, "no mean is defined over heads like %s", p.name())
	case e.Mean == "probabilities" && mean == tasktable.MeanOfLogits:
		d = diag.Errorf("members", p.at, "the probabilities of %s are over the tokens of a text, or over options, and not over the numbers of a row: they "+
			"have no mean here",
			p.name()).Hintf("mean logits")
	default:
		return nil
	}
	return diag.List{d}
}

// averagesProbabilities reports whether the members' probabilities are averaged. Only the logits of labels have probabilities, so for other numbers it returns
// false, whatever the spec asks for.
func averagesProbabilities(e *spec.Ensemble, t ir.Task) bool {
	return e.Mean == "probabilities" && tasktable.Of(t).Mean == tasktable.MeanOfProbabilities
}

// compileEnsemble builds the programs of all members and joins them.
func (t *targetWork) compileEnsemble(w *work, o Options) (*ir.Program, error) {
	e := w.Ensemble
	whole := &ir.Program{Name: w.pkg, File: t.spec.Name}
	var outputs []*ir.Value
	for i, m := range w.parts {
		member := o
		member.After = reached(o.After)
		p, err := t.compilePart(w.pkg, m, t.bounds(m), member)
		if err != nil {
			return nil, fmt.Errorf("member %s: %w", m.name(), err)
		}
		_, result := p.Result()
		prefixed(p, MemberPrefix(m.head))
		outputs = append(outputs, &ir.Value{Name: result.Name, Kind: ir.State, Type: result.Type, LD: result.LD})
		whole.Regions = append(whole.Regions, p.Regions...)
		whole.Pack = append(whole.Pack, p.Pack...)
		whole.Run = append(whole.Run, p.Run...)
		whole.Keep = append(whole.Keep, p.Keep...)
		if o.Trace {
			whole.Outputs = append(whole.Outputs, p.Outputs...)
		}
		joinMeta(whole, p, i == 0)
	}
	whole.Meta.Model, whole.Meta.Head = e.Name, ""
	whole.Meta.SpecHash = ensembleHash(e)
	if err := mean(whole, e, outputs); err != nil {
		return nil, err
	}
	if err := verifyAfter(whole, reached(o.After)); err != nil {
		return nil, fmt.Errorf("after joining the members: %w", err)
	}
	if afterMembers(o.After) {
		if err := runPassesFrom(whole, lastOfMember, o.After); err != nil {
			return nil, err
		}
	}
	return whole, nil
}

// reached returns the last pass that runs on each member by itself, if the caller asks for the program after the pass last.
func reached(last string) string {
	if afterMembers(last) {
		return lastOfMember
	}
	return last
}

// afterMembers reports whether the pass last runs on the joined members. The name "" stands for all passes.
func afterMembers(last string) bool {
	for _, p := range passes {
		if p.name == last {
			return false
		}
		if p.name == lastOfMember {
			break
		}
	}
	return last != beforePasses
}

// joinMeta changes the program's bounds and meta data so that they hold for one more member.
func joinMeta(whole, p *ir.Program, first bool) {
	if first {
		whole.Meta, whole.Bounds = p.Meta, p.Bounds
		return
	}
	m := &whole.Meta
	m.Vocab = min(m.Vocab, p.Meta.Vocab)
	m.Layers += p.Meta.Layers
	switch {
	case m.Types == 0:
		m.Types = p.Meta.Types
	case p.Meta.Types > 0:
		m.Types = min(m.Types, p.Meta.Types)
	}
	whole.Bounds.Length = min(whole.Bounds.Length, p.Bounds.Length)
	whole.Bounds.Tokens = min(whole.Bounds.Tokens, p.Bounds.Tokens)
}

// ensembleHash returns a hash of everything that decides the meaning of an ensemble's weights.
func ensembleHash(e *spec.Ensemble) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "mean %s\n", e.Mean)
	for _, m := range e.Members {
		fmt.Fprintf(&b, "member %s weight %v\n%s\n", m.Head.FullName(), m.Weight, spec.Canonical(m.Head.Model, m.Head))
	}
	return specHash(b.Bytes())
}

// prefixed puts a prefix in front of all names of a program except those of the batch.
func prefixed(p *ir.Program, prefix string) {
	named := map[*ir.Value]bool{}
	name := func(v *ir.Value) {
		if v != nil && !named[v] && v.Kind != ir.Batch {
			named[v] = true
			v.Name = prefix + v.Name
		}
	}
	for _, r := range p.Regions {
		r.Doc = strings.Replace(r.Doc, r.Name+" ", prefix+r.Name+" ", 1)
		r.Name = prefix + r.Name
		for _, v := range r.In {
			name(v)
		}
		for _, v := range r.Out {
			name(v)
		}
	}
	for i := range p.Outputs {
		p.Outputs[i] = prefix + p.Outputs[i]
	}
	for i := range p.Keep {
		p.Keep[i] = prefix + p.Keep[i]
	}
}

// leastProbability is the floor of probabilities in logarithms, which keeps them finite.
const leastProbability = 1e-30

// mean appends the region that joins the members' logits. Its result is their weighted mean, or numbers whose softmax is the weighted mean of the members'
// probabilities; for labels that are judged one by one, it is the sigmoid.
func mean(p *ir.Program, e *spec.Ensemble, logits []*ir.Value) error {
	r := &ir.Region{Name: "ensemble", Doc: "ensemble joins the results of its members.", Pos: e.Pos}
	p.Regions = append(p.Regions, r)
	p.Run = append(p.Run, ir.Call{Region: r, Count: 1})
	b := edit(r)
	op := func(name string, attrs []ir.Attr, in ...*ir.Value) *ir.Value {
		return b.op(name, e.Source, attrs, in...)
	}
	by := func(x *ir.Value, w float64) *ir.Value { return op("scale", []ir.Attr{{Key: "by", Value: w}}, x) }
	total := 0.0
	for _, m := range e.Members {
		total += m.Weight
	}
	probabilities := averagesProbabilities(e, p.Meta.Task)
	var sum *ir.Value
	for i, m := range e.Members {
		x := b.Input(logits[i].Name, ir.State, logits[i].Type)
		x.LD = logits[i].LD
		switch {
		case probabilities && p.Meta.Multi:
			x = op("sigmoid", nil, x)
		case probabilities:
			x = op("softmax_rows", nil, x)
		}
		x = by(x, m.Weight/total)
		if sum == nil {
			sum = x
		} else {
			sum = op("add", nil, sum, x)
		}
	}
	floor := []ir.Attr{{Key: "floor", Value: leastProbability}}
	switch {
	case probabilities && p.Meta.Multi:
		rest := op("offset", []ir.Attr{{Key: "by", Value: 1.0}}, by(sum, -1))
		sum = op("sub", nil, op("log", floor, sum), op("log", floor, rest))
	case probabilities:
		sum = op("log", floor, sum)
	}
	b.Output(storeLogits, sum)
	p.Outputs = append(p.Outputs, storeLogits)
	if logits[0].LD != 0 { // the members have their places in memory already
		for _, n := range r.Nodes {
			stride(n.Out[0])
		}
	}
	return b.Err()
}
