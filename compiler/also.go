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

// Names in the store of a program with further losses. The names of what a further head computes begin with also1., also2., …, so they cannot be those of
// something else; but its loss is loss.MODEL.HEAD, as that of the training's head.
const (
	storeOriginal = "original.ids"    // i32[T] the tokens of the batch before some were masked
	alsoPrefix    = "also"            // of names in the store and of regions
	alsoTarget    = StoreTarget + "." // of the names of targets, before the full name of the head
)

// further is a further loss of a training: the forward pass of another head, with the tensors of the training's head and model.
type further struct {
	*Unit
	spec.Source         // the statement
	weight      float64 // of its loss in the sum
	prefix      string  // of the names of what it computes
}

// AlsoTarget returns the name of a target of a further head of a training. name is the name that the target has in a training of the head by itself.
func AlsoTarget(h *spec.Head, name string) string {
	return alsoTarget + h.FullName() + strings.TrimPrefix(name, StoreTarget)
}

// furtherOf builds the forward passes of the further heads of a training, with the names of the tensors of the training's unit. with lists the tensors that the
// training changes, nil for all; the result lists those of the further heads too.
func (t *targetWork) furtherOf(u *Unit, w *work, o Options, with []string) ([]further, []string, error) {
	tr := w.Train
	var list []further
	own := Parameters(u.Program)
	for i, a := range tr.Also {
		p := partOf(a.Head.Model, a.Head, a.Pos)
		o.Lora = loraOn(tr.Lora, a.Head.Model)
		prog, err := t.compilePart(w.pkg, p, stepBounds(tr, a.Head.Model), o)
		if err != nil {
			return nil, nil, err
		}
		f := further{&Unit{Program: prog, Model: a.Head.Model, Head: a.Head, Target: t.Target, Training: tr}, a.Source, a.Weight,
			alsoPrefix + strconv.Itoa(i+1)}
		if err := shareHead(u.Program, prog); err != nil {
			return nil, nil, err
		}
		if with != nil {
			for _, name := range trained(tr, f.Unit) {
				if !slices.Contains(own, name) && !slices.Contains(with, name) {
					with = append(with, name)
				}
			}
		}
		list = append(list, f)
	}
	return list, with, nil
}

// loraOn returns adapters of the projections with the same names of another model.
func loraOn(l *spec.Lora, m *spec.Model) *spec.Lora {
	if l == nil {
		return nil
	}
	c := *l
	c.Of = nil
	for _, p := range m.Encoder.Attention.Projections {
		if slices.ContainsFunc(l.Of, func(o *spec.Proj) bool { return o.Name == p.Name }) {
			c.Of = append(c.Of, p)
		}
	}
	return &c
}

// shareHead makes the head of a program read the tensors of another program's head. Both have the same steps, so they read them in the same order.
func shareHead(p, further *ir.Program) error {
	for _, name := range []string{"head", "crf"} {
		of, to := p.Region(name), further.Region(name)
		if of == nil || to == nil {
			continue
		}
		from, into := tensorsOf(of), tensorsOf(to)
		if len(from) != len(into) {
			return fmt.Errorf("the heads of %s and of a further loss read %d and %d tensors", p.Name, len(from), len(into))
		}
		for i, v := range into {
			if !v.Type.Shape.Equal(from[i].Type.Shape) {
				return fmt.Errorf("the tensors %s and %s of two heads with the same weights are %s and %s", from[i].Name, v.Name, from[i].Type, v.Type)
			}
			v.Name = from[i].Name
		}
	}
	return nil
}

// tensorsOf returns the tensors that a region reads.
func tensorsOf(r *ir.Region) (list []*ir.Value) {
	for _, v := range r.In {
		if v.Kind == ir.Tensor {
			list = append(list, v)
		}
	}
	return list
}

// also appends the forward passes and the losses of further heads to a program with a loss, and makes its loss the weighted sum of all losses.
func (u *Unit) also(list []further, o Training, done *forwarded) (diag.List, error) {
	if len(list) == 0 {
		return nil, nil
	}
	p := u.Program
	for _, f := range list {
		more, faults, err := f.forward(Training{Parts: o.Parts})
		if err != nil || len(faults) > 0 {
			return faults, err
		}
		f.named(more.counts)
		done.counts = withCounts(done.counts, more.counts...)
		u.targets = append(u.targets, f.targets...)
		p.Regions, p.Run = append(p.Regions, f.Program.Regions...), append(p.Run, f.Program.Run...)
		p.Bounds.Rows = max(p.Bounds.Rows, f.Program.Bounds.Rows)
		p.Bounds.Length = min(p.Bounds.Length, f.Program.Bounds.Length)
	}
	if err := u.unmask(list); err != nil {
		return nil, err
	}
	return nil, u.sum(list)
}

// named names what a further head computes and reads, so that it differs from what others do: regions, values of the store, sites of dropout, targets, and
// numbers of the whole batch. Numbers of rows that do not depend on a target have the same name for all heads.
func (f further) named(counts []ir.Count) {
	targets, numbers := map[string]string{}, map[string]string{}
	for i := range f.targets {
		t := &f.targets[i]
		targets[t.Name] = AlsoTarget(f.Head, t.Name)
		t.Name = targets[t.Name]
	}
	for i := range counts {
		if c := &counts[i]; c.Target != "" {
			name := StoreCount + AlsoTarget(f.Head, c.Target)
			c.Target, numbers[c.Name], c.Name = AlsoTarget(f.Head, c.Target), name, name
		}
	}
	seen := map[*ir.Value]bool{}
	for _, r := range f.Program.Regions {
		r.Doc = strings.Replace(r.Doc, r.Name+" ", f.prefix+"_"+r.Name+" ", 1)
		r.Name = f.prefix + "_" + r.Name
		for _, v := range slices.Concat(r.In, r.Out) {
			if seen[v] || v.Kind == ir.Tensor {
				continue
			}
			seen[v] = true
			site, key := strings.CutPrefix(v.Name, ir.KeyPrefix)
			switch {
			case v.Kind != ir.Batch:
				v.Name = f.prefix + "." + v.Name
			case key:
				v.Name = ir.KeyPrefix + f.prefix + "." + site
			case targets[v.Name] != "":
				v.Name = targets[v.Name]
			case numbers[v.Name] != "":
				v.Name = numbers[v.Name]
			}
		}
	}
}

// termOf returns the name in the store of the loss of one of several heads.
func termOf(h *spec.Head) string { return StoreLoss + "." + h.FullName() }

// unmask lets all heads but those that predict masked tokens read the tokens from before the masking: the targets of masked rows in their places.
func (u *Unit) unmask(list []further) error {
	target, shape, masks := "", ir.Shape(nil), map[string]bool{} // by the prefix of regions
	all := append([]further{{Unit: u}}, list...)
	for _, f := range all {
		if !predictsMasked(f.Head) {
			continue
		}
		masks[f.prefix] = true
		if target == "" {
			target, shape = StoreTarget, ir.Shape{ir.M}
			if f.prefix != "" {
				target = AlsoTarget(f.Head, StoreTarget)
			}
		}
	}
	if target == "" || len(masks) == len(all) {
		return nil
	}
	r := &ir.Region{Name: "original", Pos: list[0].Pos,
		Doc: "original writes the tokens that are to be predicted into the batch, for heads that predict others."}
	e := edit(r)
	targets := e.Input(target, ir.Batch, ir.Type{DType: ir.I32, Shape: shape})
	e.Output(storeOriginal, e.op("replace_tokens", list[0].Source, nil, e.Part(ragged.IDs), e.Part(ragged.Rows), targets, targets))
	p := u.Program
	for _, s := range p.Regions {
		prefix, _, _ := strings.Cut(s.Name, "_")
		if !slices.ContainsFunc(list, func(f further) bool { return f.prefix == prefix }) {
			prefix = ""
		}
		if v := s.Input(ragged.IDs.Row().Operand); v != nil && v.Kind == ir.Batch && !masks[prefix] {
			v.Name, v.Kind = storeOriginal, ir.State
		}
	}
	p.Regions, p.Run = append(p.Regions, r), append([]ir.Call{{Region: r, Count: 1}}, p.Run...)
	return e.Err()
}

// sum makes the loss of the program the weighted sum of all losses.
func (u *Unit) sum(list []further) error {
	p := u.Program
	_, own := p.Writer(StoreLoss)
	own.Name = termOf(u.Head)
	u.losses = []ir.Loss{{Name: own.Name, Weight: 1}}
	for _, f := range list {
		_, x := p.Writer(f.prefix + "." + StoreLoss)
		x.Name = termOf(f.Head)
		u.losses = append(u.losses, ir.Loss{Name: x.Name, Weight: f.weight})
	}
	b := &builder{m: u.Model, h: u.Head, prog: p}
	e := b.region("losses", "losses adds the losses of all heads.", list[0].Source, 1)
	total := e.Input(own.Name, ir.State, own.Type)
	p.Outputs = append([]string{own.Name}, unlisted(p.Outputs, []string{StoreLoss})...)
	for i, f := range list {
		x := e.Input(u.losses[i+1].Name, ir.State, own.Type)
		p.Outputs = append(p.Outputs, x.Name)
		if f.weight != 1 {
			x = e.op("scale", f.Source, []ir.Attr{ir.A("by", f.weight)}, x)
		}
		total = e.op("add", f.Source, nil, total, x)
	}
	e.Output(StoreLoss, total)
	p.Outputs = append(p.Outputs, StoreLoss)
	return e.Err()
}

// alsoHash returns the hash of the canonical spec of a training with further heads. The weights of their losses are not in it, as other numbers of a training
// are not: a checkpoint means the same with others.
func alsoHash(own string, tr *spec.Train) string {
	text := fmt.Appendf(nil, "%s\n", own)
	for _, a := range tr.Also {
		text = fmt.Appendf(text, "also\n%s\n", spec.Canonical(a.Head.Model, a.Head))
	}
	return specHash(text)
}
