package spec

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// maxLayers bounds the number of layers, so that a walk over a spec's layers is cheap.
const maxLayers = 4096

func (b *modelBuilder) encoder() {
	e := b.t.find("encoder")
	if e == nil {
		b.missing(nil, b.at(), b.m.Name+" has no encoder block", "encoder "+b.orDim("layers", "12")+
			" { attention { q, k, v = linear(x); score q[i]·k[j] }; ffn "+b.orDim("inner", "4 * hidden")+" }")
		return
	}
	t, m := e.body, b.m
	enc := &m.Encoder
	enc.Source = sourceOf(e)
	switch form, ok := formOf[exprForm](e); {
	case ok:
		enc.Layers = b.count(form.Value, "layers", 1)
		if enc.Layers > maxLayers {
			b.r.add(diag.Errorf("too-large", e.stmt.Pos, "%d layers are more than the limit of %d", enc.Layers, maxLayers))
		}
	case !e.stmt.broken:
		b.missing(nil, e.stmt.Pos, "encoder does not say how many layers it has", "encoder "+b.orDim("layers", "12")+" { … }")
	}
	m.Layers = enc.Layers
	if a := t.find("attention"); a != nil {
		b.attention(a)
	} else {
		b.missing(t, e.stmt.Pos, "encoder has no attention block", "attention { q, k, v = linear(x); score q[i]·k[j] }")
	}
	if f := t.find("ffn"); f != nil {
		if form, ok := formOf[exprForm](f); ok {
			enc.FFN = FFN{Source: sourceOf(f), Inner: b.count(form.Value, "ffn", 1), Act: m.Defaults.Act}
			m.Inner = enc.FFN.Inner
		}
	} else {
		b.missing(t, e.stmt.Pos, "encoder has no ffn", "ffn "+b.orDim("inner", "4 * hidden"))
	}
	if c := t.find("conv"); c != nil {
		b.conv(c)
	}
}

func (b *modelBuilder) conv(e *entry) {
	c := &Conv{Source: sourceOf(e), Groups: 1, Act: "tanh", Beside: 1}
	b.m.Encoder.Conv = c
	if form, ok := formOf[exprForm](e.body.find("kernel")); ok {
		c.Kernel = b.count(form.Value, "kernel", 1)
		if c.Kernel > 0 && c.Kernel%2 == 0 {
			b.r.add(diag.Errorf("even-kernel", e.body.find("kernel").stmt.Pos, "kernel = %d is even, so it has no middle token", c.Kernel).
				Hintf("kernel %d", c.Kernel+1))
		}
	} else if e.body.find("kernel") == nil {
		b.missing(e.body, e.stmt.Pos, "conv has no kernel", "kernel 3")
	}
	if form, ok := formOf[exprForm](e.body.find("groups")); ok {
		c.Groups = b.count(form.Value, "groups", 1)
		if c.Groups > 0 && b.m.Hidden > 0 && b.m.Hidden%c.Groups != 0 {
			b.r.add(diag.Errorf("dim-divides", e.body.find("groups").stmt.Pos, "groups = %d does not divide hidden = %d", c.Groups, b.m.Hidden).
				Note(b.dims.pos("hidden"), "hidden is set here"))
		}
	}
	if form, ok := formOf[wordForm](e.body.find("act")); ok {
		if act, ok := b.r.pick(form.Value, "activation", Acts); ok {
			c.Act = act
		}
	}
	if form, ok := formOf[besideForm](e.body.find("beside")); ok {
		c.Beside = b.count(form.Layer, "layer", 1)
		if c.Beside > b.m.Layers && b.m.Layers > 0 {
			b.r.add(diag.Errorf("range", e.body.find("beside").stmt.Pos, "there is no layer %d, the encoder has %d", c.Beside, b.m.Layers))
		}
	}
}

func (b *modelBuilder) attention(e *entry) {
	a := &b.m.Encoder.Attention
	a.Source = sourceOf(e)
	t := e.body
	projections := b.projections(t)
	known := b.score(t, projections)
	b.prune(t, a, projections, known)
	a.ScaleSource = sourceOf(t.find("scale"))
	b.scale(t, a)
	if form, ok := formOf[maskForm](t.find("mask")); ok {
		a.MaskSource = sourceOf(t.find("mask"))
		switch {
		case form.Prefix:
			a.Mask = MaskPrefix
		case form.Causal:
			a.Mask = MaskCausal
		}
	}
	for _, x := range t.all("mix") {
		s := sourceOf(x)
		if x.key == "mix score" {
			a.MixScore = &s
		} else {
			a.MixWeight = &s
		}
	}
}

// scale evaluates the factor of the products.
func (b *modelBuilder) scale(t *tree, a *Attention) {
	terms := 0
	for _, s := range a.Score {
		if s.Kind != Bias {
			terms++
		}
	}
	e := t.find("scale")
	if e == nil {
		a.Scale = 0
		if b.m.Head > 0 && terms > 0 {
			a.Scale = rsqrt(b.m.Head * terms)
		}
		return
	}
	form, ok := formOf[exprForm](e)
	if !ok {
		return
	}
	v, ok := b.dims.float(form.Value, terms)
	if !ok || terms == 0 { // a score without products has its own message
		return
	}
	if !(v > 0 && v < 1e6) {
		b.r.add(diag.Errorf("range", e.stmt.Pos, "scale = %g, it must be above 0 and below 1e6", v).Hintf("scale 1 / sqrt(head * terms)"))
		return
	}
	a.Scale = v
}

// projections resolves the assignments in the order of the text. The value is nil for a name whose assignment is broken.
func (b *modelBuilder) projections(t *tree) map[string]*Proj {
	all := map[string]*Proj{}
	for _, e := range t.entries {
		if e.name == "" {
			continue
		}
		e.read = true
		form := e.stmt.Form.(*assignForm)
		p := &Proj{Source: source(e.stmt), Name: e.name, Bias: form.Bias != "no"}
		all[e.name] = p
		b.m.Encoder.Attention.Projections = append(b.m.Encoder.Attention.Projections, p)
	}
	for _, e := range t.entries {
		if e.name == "" {
			continue
		}
		form := e.stmt.Form.(*assignForm)
		if !b.projection(t, all, all[e.name], form) {
			all[e.name] = nil
		}
	}
	for name, p := range all {
		if p != nil {
			b.follow(t, all, name)
		}
	}
	return all
}

// projection reads the right side of one assignment.
func (b *modelBuilder) projection(t *tree, all map[string]*Proj, p *Proj, form *assignForm) bool {
	arg, fn := form.Arg.Name, form.Func.Name
	rel := b.m.Relative
	switch {
	case arg == "x":
		p.Of = X
	case rel != nil && arg == rel.Name:
		p.Of = Rel
	case b.t.gone["relative "+arg] != nil:
		b.r.add(b.stillRead(b.t.gone["relative "+arg], arg, "the projection "+p.Name, p.Pos).
			Hintf("remove it, or drop the projections of %s too and write the score without them", arg))
		return false
	case b.open:
		return false
	default:
		f := diag.Errorf("unknown-name", spanOfAll(form.Arg.Tokens), "projections read x or the table of relative offsets, there is no %s", arg)
		if rel != nil {
			f.Hintf("%s", rel.Name)
		} else {
			f.Hintf("relative %s { offsets %s }", arg, b.orDim("span", "256", "-span .. span - 1", "-256 .. 255"))
		}
		b.r.add(f)
		return false
	}
	switch fn {
	case "linear":
		return true
	case "scalar":
		p.Kind, p.Bias = Scalar, false
		if p.Of != Rel || form.Bias != "" {
			b.r.add(diag.Errorf("projection", p.Pos, "scalar is one learned number per offset and head: it reads the table of offsets and has no bias").
				Hintf("%s = scalar(%s)", p.Name, b.tableName()))
			return false
		}
		return true
	}
	q, ok := all[fn]
	if drop := t.gone["="+fn]; !ok && drop != nil {
		b.r.add(b.stillRead(drop, fn, "the projection "+p.Name, p.Pos).Hintf("%s = linear(%s)", p.Name, arg))
		return false
	}
	if !ok && b.open {
		return false
	}
	if !ok {
		f := diag.Errorf("unknown-name", spanOfAll(form.Func.Tokens), "there is no projection %s whose weights could be shared", fn)
		if near := Nearest(fn, append(namesOf(t), "linear", "scalar")); near != "" {
			f.Hintf("%s", near)
		} else {
			f.Hintf("%s = linear(%s)", p.Name, arg)
		}
		b.r.add(f)
		return false
	}
	if q == nil {
		return false
	}
	if form.Bias != "" {
		b.r.add(diag.Errorf("projection", p.Pos, "%s shares the bias of %s together with its weight", p.Name, fn).Note(q.Pos, "%s is here", fn).
			Hintf("%s = %s(%s)", p.Name, fn, arg))
		return false
	}
	p.Reuse = q
	return true
}

// follow makes Reuse point to the owner of the weights, through any number of names.
func (b *modelBuilder) follow(t *tree, all map[string]*Proj, name string) {
	p := all[name]
	owner := p
	form := t.at("=" + name).stmt.Form.(*assignForm)
	for steps := 0; owner.Reuse != nil; steps++ {
		if steps > len(all) {
			b.r.add(diag.Errorf("projection", p.Pos, "%s shares weights with itself", name).Hintf("%s = linear(%s)", name, form.Arg.Name))
			p.Reuse = nil
			return
		}
		owner = owner.Reuse
	}
	if owner == p {
		return
	}
	if owner.Kind == Scalar {
		b.r.add(diag.Errorf("projection", p.Pos, "%s has no weights to share: it is a table of numbers", owner.Name).Note(owner.Pos, "%s is here", owner.Name).
			Hintf("%s = scalar(%s)", name, b.m.Relative.Name))
		all[name] = nil // terms that read it have no fault of their own
	}
	p.Reuse, p.Bias = owner, owner.Bias
}

// tableName returns the name of the table of offsets, for hints.
func (b *modelBuilder) tableName() string {
	if b.m.Relative == nil {
		return "rel"
	}
	return b.m.Relative.Name
}

func namesOf(t *tree) []string {
	var names []string
	for _, e := range t.entries {
		if e.name != "" {
			names = append(names, e.name)
		}
	}
	return names
}

// prune reports projections that nothing reads. It silently leaves out those that like has copied, so that one line is enough to drop a term.
func (b *modelBuilder) prune(t *tree, a *Attention, all map[string]*Proj, scored map[string]bool) {
	v := all["v"]
	switch {
	case t.find("=v") == nil:
		b.missing(t, a.Pos, "attention has no projection v, whose rows are averaged", "v = linear(x)")
	case v != nil && (v.Of != X || v.Kind != Linear):
		b.r.add(diag.Errorf("projection", v.Pos, "v is what the attention averages: it reads x").Hintf("v = linear(x)"))
	}
	shared := map[*Proj]bool{}
	for _, p := range a.Projections {
		if p.Reuse != nil && (scored[p.Name] || p.Name == "v") {
			shared[p.Reuse] = true
		}
	}
	kept := a.Projections[:0:0]
	for _, p := range a.Projections {
		switch {
		case p.Name == "v", scored[p.Name], shared[p]:
			kept = append(kept, p)
		case b.passedOn(t, p.Name, scored):
		case t.find("="+p.Name).inherited || t.find("score") == nil || t.find("score").stmt.broken || all[p.Name] == nil:
		default:
			b.r.add(diag.Errorf("not-scored", p.Pos, "%s is projected but no term of the score reads it", p.Name).
				Note(a.ScoreSource.Pos, "the score is here").Hintf("remove it, or add a term with %s", strings.TrimSpace(p.Name+example(p))))
		}
	}
	a.Projections = kept
	b.pruneTable(t, a)
}

// passedOn reports whether a projection that the score reads shares the weights of another one through this name, as kr does in k = q(x), kr = k(rel).
func (b *modelBuilder) passedOn(t *tree, name string, scored map[string]bool) bool {
	return slices.ContainsFunc(t.entries, func(e *entry) bool {
		if e.name == "" || e.name == name {
			return false
		}
		form, ok := e.stmt.Form.(*assignForm)
		return ok && form.Func.Name == name && (e.name == "v" || scored[e.name])
	})
}

// pruneTable leaves out a table of offsets that no projection in use reads, if like has copied it. Otherwise the table is a fault.
func (b *modelBuilder) pruneTable(t *tree, a *Attention) {
	rel := b.m.Relative
	if rel == nil || t.isBroken() || b.r.errorsSince(b.before) {
		return
	}
	e := b.t.find("relative " + rel.Name)
	if e == nil || e.body == nil { // a path has made the entry in a model that is not known, which is the fault
		return
	}
	rows := b.m.ReadsTable()
	if norm := e.body.find("norm"); !rows && norm != nil && !norm.inherited && slices.ContainsFunc(a.Projections, ofTable) {
		b.idle(a, norm, "no projection reads the rows of "+rel.Name+", scalars have numbers of their own")
	}
	if slices.ContainsFunc(a.Projections, ofTable) {
		return
	}
	if e.inherited {
		for _, own := range e.body.entries {
			if !own.inherited {
				b.idle(a, own, "no projection of the score reads the table "+rel.Name)
			}
		}
		b.m.Relative = nil
		return
	}
	b.r.add(diag.Errorf("not-scored", rel.Pos, "no projection of the score reads the table %s", rel.Name).Note(a.ScoreSource.Pos, "the score is here").
		Hintf("remove it, or kr = k(%s) and a term q[i]·kr[i-j]", rel.Name))
}

// ofTable reports whether a projection reads the table of offsets or its buckets.
func ofTable(p *Proj) bool { return p.Of == Rel }

// idle reports a statement about the table of offsets that changes nothing, with the reason.
func (b *modelBuilder) idle(a *Attention, e *entry, reason string) {
	b.r.add(diag.Errorf("no-effect", e.stmt.Pos, "%s has no effect: %s", e.stmt.Word, reason).Note(a.ScoreSource.Pos, "the score is here").Hintf("remove it"))
}

// example returns the name of a projection with an index that fits it.
func example(p *Proj) string {
	if p.Of == Rel {
		return "[i-j]"
	}
	return "[i]"
}

func (b *modelBuilder) decoders() {
	for _, e := range b.t.all("decoder") {
		if e.stmt.broken {
			continue
		}
		d := &Decoder{Source: sourceOf(e), Name: e.stmt.Name, Layer: b.m.Layers}
		b.m.Decoders = append(b.m.Decoders, d)
		if form, ok := formOf[repeatForm](e.body.find("repeat")); ok {
			d.Repeat = b.count(form.Times, "repeat", 1)
			if d.Repeat > 64 {
				b.r.add(diag.Errorf("too-large", e.body.find("repeat").stmt.Pos, "%d repetitions are more than 64", d.Repeat))
			}
		} else if e.body.find("repeat") == nil {
			b.missing(e.body, d.Pos, "the decoder "+d.Name+" does not say what it repeats", "repeat 2 of encoder.last")
		}
		var add *reference
		d.Query, add = b.state(e, "query", "query encoder[-2]")
		if add != nil {
			d.Add = b.positions(add)
		}
		d.Memory, add = b.state(e, "memory", "memory encoder[-2]")
		if add != nil {
			b.r.add(diag.Errorf("syntax", spanOfAll(add.Tokens), "nothing is added to the memory of a decoder").Hintf("query encoder[-2] + %s", add.Name))
		}
		if b.m.Embed.Width != b.m.Hidden && d.Add != nil && b.m.Embed.Width > 0 {
			b.r.add(diag.Errorf("shapes", d.Query.Pos, "%s has rows of width = %d, the encoder of hidden = %d", d.Add.Name, b.m.Embed.Width, b.m.Hidden).
				Note(d.Add.Pos, "the table is here"))
		}
	}
}

// state resolves encoder[-k]: k = 1 is the last layer's output.
func (b *modelBuilder) state(e *entry, word, hint string) (State, *reference) {
	x := e.body.find(word)
	form, ok := formOf[stateForm](x)
	if !ok {
		if x == nil {
			b.missing(e.body, e.stmt.Pos, "the decoder "+e.stmt.Name+" has no "+word, hint)
		}
		return State{}, nil
	}
	s := State{Source: sourceOf(x)}
	k := b.count(form.Back, "k", 1)
	if k > 0 && b.m.Layers > 0 {
		if k > b.m.Layers {
			b.r.add(diag.Errorf("range", x.stmt.Pos, "encoder[-%d] does not exist: there are %d layers", k, b.m.Layers).
				Hintf("%s encoder[-%d]%s", word, b.m.Layers, plusName(form.Add)))
		}
		s.Layer = max(b.m.Layers+1-k, 0)
	}
	return s, form.Add
}

// plusName returns a summand as it is written, or "" if there is no summand.
func plusName(add *reference) string {
	if add == nil {
		return ""
	}
	return " + " + add.Name
}

// positions finds a table of absolute positions by name.
func (b *modelBuilder) positions(ref *reference) *Absolute {
	var names []string
	for _, a := range b.m.Absolutes {
		if a.Name == ref.Name {
			b.r.tables[b.t.at("absolute "+ref.Name).stmt] = true
			return a
		}
		names = append(names, a.Name)
	}
	if b.t.isBroken() {
		return nil
	}
	if drop := b.t.gone["absolute "+ref.Name]; drop != nil {
		b.r.add(b.stillRead(drop, ref.Name, "a decoder", spanOfAll(ref.Tokens)).Hintf("remove it, or drop the decoder too"))
		return nil
	}
	f := diag.Errorf("unknown-name", spanOfAll(ref.Tokens), "there is no table of absolute positions %s", ref.Name)
	if near := Nearest(ref.Name, names); near != "" {
		f.Hintf("%s", near)
	} else {
		f.Hintf("absolute %s { rows 512 }", ref.Name)
	}
	b.r.add(f)
	return nil
}
