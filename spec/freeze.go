package spec

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// freeze resolves the parts whose weights do not change.
func (b *trainBuilder) freeze() {
	s, ok := b.word("freeze")
	if !ok || b.t.Head == nil {
		return
	}
	f := &Freeze{Source: source(s)}
	b.t.Freeze = f
	for _, p := range s.Form.(*freezeForm).Parts {
		b.frozen(f, p)
	}
	slices.Sort(f.Layers)
	if !b.r.faultIn(s.Pos) && b.allFrozen() {
		b.r.add(diag.Errorf("frozen", s.Pos, "every weight of %s is frozen: nothing is left to train", b.t.Head.FullName()).Hintf("remove it"))
	}
}

// frozen resolves one part.
func (b *trainBuilder) frozen(f *Freeze, p *frozenForm) {
	name := strings.Join(p.Name.Parts, ".")
	at := spanOfAll(p.Tokens)
	if p.First != nil && name != "encoder" {
		b.r.add(diag.Errorf("syntax", at, "%s has no layers, only encoder has", name).Hintf("%s", name))
		return
	}
	once := func(set *bool) {
		if *set {
			b.r.add(diag.Errorf("twice", at, "%s is frozen twice", name).Hintf("remove it"))
		}
		*set = true
	}
	h := b.t.Head
	switch {
	case name == "embed":
		once(&f.Embed)
	case name == "encoder":
		b.frozenLayers(f, p)
	case name == "relative" && h.Model.Relative != nil:
		if once(&f.Relative); !h.Model.ReadsTable() {
			b.r.add(diag.Errorf("no-effect", at, "relative has no weights to freeze: the scalars of the offsets belong to the layers").Hintf("encoder"))
		}
	case name == "head":
		if once(&f.Head); HeadParams(h) == 0 {
			b.r.add(diag.Errorf("no-effect", at, "the head %s has no weights to freeze", h.FullName()).Note(h.Pos, "the head is here").Hintf("encoder"))
		}
	default:
		b.frozenPositions(f, p, name)
	}
}

// frozenPositions resolves a table of positions, or reports a name that is not a part of the model.
func (b *trainBuilder) frozenPositions(f *Freeze, p *frozenForm, name string) {
	h, at := b.t.Head, spanOfAll(p.Tokens)
	known := []string{"embed", "encoder", "head"}
	if h.Model.Relative != nil {
		known = append(known, "relative")
	}
	for _, a := range h.Model.Absolutes {
		full, read := "absolute."+a.Name, h.Decoder != nil && h.Decoder.Add == a
		if read {
			known = append(known, full)
		}
		if full != name {
			continue
		}
		switch {
		case slices.Contains(f.Absolutes, a):
			b.r.add(diag.Errorf("twice", at, "%s is frozen twice", name).Hintf("remove it"))
		case !read:
			b.r.add(diag.Errorf("no-effect", at, "%s has no effect: %s does not read that table", name, h.FullName()).Note(a.Pos, "the table is here").
				Hintf("encoder"))
		}
		f.Absolutes = append(f.Absolutes, a)
		return
	}
	b.r.notOneOf(at, "the model has no part %s to freeze", name, known)
}

// frozenLayers resolves encoder, encoder[LAYER] and encoder[FIRST .. LAST].
func (b *trainBuilder) frozenLayers(f *Freeze, p *frozenForm) {
	n, at := b.t.Head.Model.Layers, spanOfAll(p.Tokens)
	first, last := 1, n
	if p.First != nil {
		var ok, valid bool
		first, ok = b.dims.integer(p.First)
		last, valid = first, ok
		if p.Last != nil {
			last, valid = b.dims.integer(p.Last)
		}
		if !ok || !valid {
			return
		}
	}
	for _, l := range []int{first, last} {
		if l < 1 || l > n {
			b.r.add(diag.Errorf("range", at, "there is no layer %d: the encoder of %s has the layers 1 .. %d", l, b.t.Head.Model.Name, n).
				Hintf("%s", layersText(min(max(min(first, last), 1), n), min(max(first, last, 1), n))))
			return
		}
	}
	if first > last {
		b.r.add(diag.Errorf("range", at, "encoder[%d .. %d] is empty: the first layer comes after the last", first, last).Hintf("%s", layersText(last, first)))
		return
	}
	for l := first; l <= last; l++ {
		if slices.Contains(f.Layers, l) {
			b.r.add(diag.Errorf("twice", at, "layer %d is frozen twice", l).Hintf("remove it"))
			return
		}
	}
	for l := first; l <= last; l++ {
		f.Layers = append(f.Layers, l)
	}
}

// layersText returns a range of layers as it is written.
func layersText(first, last int) string {
	if first == last {
		return "encoder[" + itoa(first) + "]"
	}
	return "encoder[" + itoa(first) + " .. " + itoa(last) + "]"
}

// allFrozen reports whether the training would change no weight.
func (b *trainBuilder) allFrozen() bool {
	f, h := b.t.Freeze, b.t.Head
	return b.modelFrozen() && (f.Head || HeadParams(h) == 0)
}

// modelFrozen reports whether all weights that the trained head reads of its model are frozen.
func (b *trainBuilder) modelFrozen() bool {
	f, h := b.t.Freeze, b.t.Head
	if f == nil || !f.Embed || len(f.Layers) < h.Model.Layers || h.Model.ReadsTable() && !f.Relative {
		return false
	}
	return h.Decoder == nil || h.Decoder.Add == nil || slices.Contains(f.Absolutes, h.Decoder.Add)
}

// String returns the statement without its word.
func (f *Freeze) String() string {
	var list []string
	if f.Embed {
		list = append(list, "embed")
	}
	if f.Relative {
		list = append(list, "relative")
	}
	for i := 0; i < len(f.Layers); {
		j := i
		for j+1 < len(f.Layers) && f.Layers[j+1] == f.Layers[j]+1 {
			j++
		}
		list = append(list, layersText(f.Layers[i], f.Layers[j]))
		i = j + 1
	}
	for _, a := range f.Absolutes {
		list = append(list, "absolute."+a.Name)
	}
	if f.Head {
		list = append(list, "head")
	}
	return strings.Join(list, ", ")
}

// lora resolves the adapters.
func (b *trainBuilder) lora() {
	s, ok := b.word("lora")
	if !ok {
		return
	}
	form, m := s.Form.(*loraForm), &Model{}
	if b.t.Head != nil {
		m = b.t.Head.Model
	}
	l := &Lora{Source: source(s)}
	b.t.Lora = l
	for _, n := range form.Of {
		if p := b.adapted(n); p != nil {
			if slices.Contains(l.Of, p) {
				b.r.add(diag.Errorf("twice", spanOfAll(n.Tokens), "%s has an adapter already", n.Name).Hintf("remove it"))
			}
			l.Of = append(l.Of, p)
		}
	}
	if l.Rank, ok = b.r.whole(form.Rank, "rank", 1); ok && m.Hidden > 0 && l.Rank >= m.Hidden {
		b.r.add(diag.Errorf("range", spanOfAll(form.Rank.Tokens), "rank = %d is not below hidden = %d, so the adapter would not be smaller than the weight",
			l.Rank, m.Hidden).Hintf("%d", min(8, max(m.Hidden-1, 1))))
	}
	l.Alpha = float64(l.Rank)
	if form.Alpha != nil {
		l.Alpha, _ = b.r.real(form.Alpha, "alpha", "above 0", positive)
	}
	if form.Dropout != nil {
		l.Dropout, _ = b.r.real(form.Dropout, "dropout", "in [0, 1)", share)
	}
}

// adapted returns the projection that gets an adapter, or nil after a fault.
func (b *trainBuilder) adapted(n *reference) *Proj {
	if b.t.Head == nil {
		return nil
	}
	m, at := b.t.Head.Model, spanOfAll(n.Tokens)
	var names []string
	for _, p := range m.Encoder.Attention.Projections {
		if p.Reuse == nil && p.Kind == Linear {
			names = append(names, p.Name)
		}
	}
	p := m.Encoder.Attention.Proj(n.Name)
	switch {
	case p == nil:
		b.r.notOneOf(at, "projection", n.Name, names)
	case p.Reuse != nil:
		b.r.add(diag.Errorf("projection", at, "%s shares the weights of %s, and so its adapter", p.Name, p.Reuse.Name).Note(p.Pos, "%s is here", p.Name).
			Hintf("%s", p.Reuse.Name))
	case p.Kind == Scalar:
		b.r.add(diag.Errorf("projection", at, "%s is a table of numbers, which has no adapter", p.Name).Note(p.Pos, "%s is here", p.Name).
			Hintf("one of %s", strings.Join(names, ", ")))
	default:
		return p
	}
	return nil
}

// String returns the statement without its word.
func (l *Lora) String() string {
	var names []string
	for _, p := range l.Of {
		names = append(names, p.Name)
	}
	return strings.Join(names, ", ") + " rank " + itoa(l.Rank) + " alpha " + float(l.Alpha) + " dropout " + float(l.Dropout)
}
