package spec

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// modelBuilder resolves one merged tree.
type modelBuilder struct {
	r    *resolver
	m    *Model
	t    *tree
	dims *dimTable

	before int         // number of faults when this model began
	sum    []*termForm // the terms of the score
	drawn  bool        // the layout has no names for some tensors and needs none, because the weights are drawn
	open   bool        // the model that this one is like is not known, and so its statements are not known either
}

// resolveModel returns the model of a declaration, or nil if it cannot be used. All its faults have then been reported.
func (r *resolver) resolveModel(d *decl) *Model {
	t := r.merged(d)
	r.model = d
	m := &Model{Source: source(d.stmt), Name: d.stmt.Name, Like: d.like}
	b := &modelBuilder{r: r, m: m, t: t, before: len(r.faults), open: d.bad}
	if n := len(t.all("dim")); n > maxDims {
		r.add(diag.Errorf("too-large", d.stmt.Pos, "%s has %d dims, more than %d", m.Name, n, maxDims))
		return nil
	}
	b.sizes()
	b.words()
	b.defaults()
	b.embed()
	b.absolutes()
	b.relative()
	b.encoder()
	b.decoders()
	if d.bad {
		r.readAll(d.stmt)
		return nil
	}
	d.model = m
	if b.scheme(); b.drawn {
		m.Checkpoint = "own"
	}
	d.faulty = r.errorsSince(b.before)
	r.readModel(t, !d.faulty)
	return m
}

// at returns the place for reports of what a model lacks.
func (b *modelBuilder) at() diag.Span { return b.m.Pos }

// missing reports a word that must be there, unless it may be among the broken ones.
func (b *modelBuilder) missing(block *tree, at diag.Span, what, hint string) {
	if b.t.broken || block.isBroken() {
		return
	}
	b.r.add(diag.Errorf("missing", at, "%s", what).Hintf("%s", hint))
}

func (b *modelBuilder) sizes() {
	b.dims = b.r.dims(b.t, b.open)
	for _, n := range b.dims.order {
		s := b.dims.all[n]
		if s.form == nil {
			continue
		}
		bound := s.form.Op == "<="
		switch {
		case bound && n != "seq":
			b.r.add(diag.Errorf("bound-dim", s.entry.stmt.Pos, "%s is a size, not the bound of a length", n).
				Hintf("dim %s = %s", n, textOf(s.form.Value.Tokens)))
		case !bound && n == "seq":
			b.r.add(diag.Errorf("bound-dim", s.entry.stmt.Pos, "seq is a bound: lengths are dynamic, never more").
				Hintf("dim seq <= %s", textOf(s.form.Value.Tokens)))
		}
		b.m.Dims = append(b.m.Dims, Dim{Source: source(s.entry.stmt), Name: n, Value: s.value, Bound: bound})
	}
	b.m.Hidden = b.size("hidden", "dim hidden = 768")
	b.m.Heads = b.size("heads", "dim heads = 12")
	b.m.Head = b.size("head", "dim head = hidden / heads")
	b.m.Seq = b.size("seq", "dim seq <= 512")
	if m := b.m; m.Hidden > 0 && m.Heads > 0 && m.Head > 0 && m.Heads*m.Head != m.Hidden {
		b.r.add(diag.Errorf("dim-product", b.dims.pos("head"), "heads · head = %d, but hidden = %d", m.Heads*m.Head, m.Hidden).
			Note(b.dims.pos("heads"), "heads is set here").Note(b.dims.pos("hidden"), "hidden is set here").Hintf("dim head = hidden / heads"))
	}
}

// size returns a dim that the language itself reads, or 0 if it is missing or has a fault.
func (b *modelBuilder) size(name, hint string) int {
	if b.dims.all[name] == nil {
		b.missing(nil, b.at(), b.m.Name+" has no dim "+name, hint)
		return 0
	}
	v, ok := b.dims.get(name)
	if !ok {
		return 0
	}
	return v
}

// orDim returns the name of a dim for a hint if the model has the dim, else a number. With two more texts, it returns the first if the model has the dim and
// the second otherwise.
func (b *modelBuilder) orDim(name, number string, texts ...string) string {
	if len(texts) == 0 {
		texts = []string{name, number}
	}
	if b.dims.all[name] != nil {
		return texts[0]
	}
	return texts[1]
}

// words resolves checkpoint and tokenizer.
func (b *modelBuilder) words() {
	b.m.Checkpoint, b.m.Tokenizer = "own", "none"
	if form, ok := formOf[pathForm](b.t.find("checkpoint")); ok {
		name := strings.Join(form.Value.Parts, ".")
		if slices.Contains(checkpoints, name) {
			b.m.Checkpoint = name
		} else {
			b.r.notOneOf(spanOfAll(form.Value.Tokens), "checkpoint layout", name, checkpoints)
		}
	}
	if form, ok := formOf[wordForm](b.t.find("tokenizer")); ok {
		if name, ok := b.r.pick(form.Value, "tokenizer", tokenizers); ok {
			b.m.Tokenizer = name
		}
	}
}

// formOf returns the operands of an entry, if it is there and readable.
func formOf[T any](e *entry) (*T, bool) {
	if e == nil || e.stmt == nil {
		return nil, false
	}
	form, ok := e.stmt.Form.(*T)
	return form, ok
}

// sourceOf returns the place where an entry was written.
func sourceOf(e *entry) Source {
	if e == nil {
		return Source{}
	}
	return source(e.stmt)
}

func (b *modelBuilder) defaults() {
	e := b.t.find("defaults")
	d := &b.m.Defaults
	*d = Defaults{Source: sourceOf(e), Norm: Norm{Kind: "layernorm", Eps: 1e-7}, Act: "gelu", Init: Init{Kind: "normal", Std: 0.02}}
	if e == nil {
		return
	}
	t := e.body
	if n := b.norm(t.find("norm")); n != nil {
		d.Norm = *n
	}
	if form, ok := formOf[wordForm](t.find("act")); ok {
		if act, ok := b.r.pick(form.Value, "activation", Acts); ok {
			d.Act = act
		}
	}
	if form, ok := formOf[dropoutForm](t.find("dropout")); ok {
		d.Dropout = Dropout{Source: sourceOf(t.find("dropout"))}
		d.Dropout.Hidden, _ = b.r.real(form.Hidden, "dropout", "in [0, 1)", share)
		d.Dropout.Attention = d.Dropout.Hidden
		if form.Attention != nil {
			d.Dropout.Attention, _ = b.r.real(form.Attention, "dropout", "in [0, 1)", share)
		}
	}
	if form, ok := formOf[initForm](t.find("init")); ok {
		d.Init = Init{Source: sourceOf(t.find("init")), Kind: "normal"}
		b.r.pick(form.Kind, "initialisation", []string{"normal"})
		d.Init.Std, _ = b.r.real(form.Std, "std", "at least 0", nonnegative)
	}
}

// norm returns the norm that the word norm asks for; without operands it is the default. It returns nil if the word is missing.
func (b *modelBuilder) norm(e *entry) *Norm {
	if e == nil || e.stmt.broken {
		return nil
	}
	return b.r.norm(e.stmt, b.m.Defaults.Norm)
}

// leastEps is the least normal float32. Kernels compute in float32, where a smaller number may be 0, and a row of equal numbers has no variance.
const leastEps = 0x1p-126

func (r *resolver) norm(s *Stmt, byDefault Norm) *Norm {
	n := byDefault
	n.Source = source(s)
	if form, ok := s.Form.(*normForm); ok {
		r.pick(form.Kind, "norm", []string{"layernorm"})
		if form.Eps != nil {
			n.Eps, _ = r.real(form.Eps, "eps", "a number of float32 above 0 and below 1", func(v float64) bool { return v >= leastEps && v < 1 })
		}
	}
	return &n
}

// count evaluates an expression for a number of rows or columns, which must be at least `least`.
func (b *modelBuilder) count(e *expr, what string, least int) int {
	return b.dims.count(e, what, least)
}

func (b *modelBuilder) embed() {
	e := b.t.find("embed")
	if e == nil {
		b.missing(nil, b.at(), b.m.Name+" has no embed block", "embed { token "+b.orDim("vocab", "30_522")+"; norm }")
		return
	}
	t, m := e.body, b.m
	m.Embed = Embed{Source: sourceOf(e), Width: m.Hidden}
	if form, ok := formOf[tokenForm](t.find("token")); ok {
		m.Vocab = b.count(form.Rows, "rows", 1)
		m.Embed.Token = Table{Source: sourceOf(t.find("token")), Rows: m.Vocab}
		if form.Pad != nil {
			m.Embed.Pad = b.count(form.Pad, "pad", 0)
		}
		if m.Vocab > 0 && m.Embed.Pad >= m.Vocab {
			b.r.add(diag.Errorf("range", spanOfAll(form.Pad.Tokens), "pad = %d is not a row of the token table, which has %d", m.Embed.Pad, m.Vocab))
		}
	} else if t.find("token") == nil {
		b.missing(t, e.stmt.Pos, "embed has no token table", "token "+b.orDim("vocab", "30_522"))
	}
	if form, ok := formOf[exprForm](t.find("width")); ok {
		m.Embed.Width = b.count(form.Value, "width", 1)
	}
	if form, ok := formOf[absoluteForm](t.find("absolute")); ok {
		m.Embed.Absolute = b.absolute(t.find("absolute"), "", form.Rows, form.From)
	}
	if form, ok := formOf[exprForm](t.find("segment")); ok {
		m.Embed.Segment = &Table{Source: sourceOf(t.find("segment")), Rows: b.count(form.Value, "rows", 1)}
	}
	m.Embed.Norm = b.norm(t.find("norm"))
}

// absolute returns a table of positions and checks it against seq.
func (b *modelBuilder) absolute(e *entry, name string, rows, from *expr) *Absolute {
	a := &Absolute{Source: sourceOf(e), Name: name, Rows: b.count(rows, "rows", 1)}
	if from != nil {
		a.From = b.count(from, "from", 0)
	}
	if need := b.m.Seq + a.From; a.Rows > 0 && b.m.Seq > 0 && a.Rows < need {
		f := diag.Errorf("absolute-rows", a.Pos, "%d rows of absolute positions hold %d tokens, but seq = %d", a.Rows, max(a.Rows-a.From, 0), b.m.Seq)
		b.r.add(f.Note(b.dims.pos("seq"), "seq is set here").Hintf("dim seq <= %d", max(a.Rows-a.From, 1)))
	}
	return a
}

func (b *modelBuilder) absolutes() {
	for _, e := range b.t.all("absolute") {
		if e.stmt.broken {
			continue
		}
		form, ok := formOf[exprForm](e.body.find("rows"))
		if !ok {
			b.missing(e.body, e.stmt.Pos, "the table "+e.stmt.Name+" has no rows", "absolute "+e.stmt.Name+" { rows 512 }")
			continue
		}
		var from *expr
		if f, ok := formOf[exprForm](e.body.find("from")); ok {
			from = f.Value
		}
		b.m.Absolutes = append(b.m.Absolutes, b.absolute(e, e.stmt.Name, form.Value, from))
	}
}

func (b *modelBuilder) relative() {
	tables := b.t.all("relative")
	if len(tables) == 0 {
		return
	}
	for _, e := range tables[1:] {
		b.r.add(diag.Errorf("twice", e.stmt.Pos, "a model has one table of relative offsets").Note(tables[0].stmt.Pos, "the other is here").
			Hintf("relative %s { … }", tables[0].stmt.Name))
	}
	e := tables[0]
	t := e.body
	rel := &Relative{Source: sourceOf(e), Name: e.stmt.Name}
	b.m.Relative = rel
	if form, ok := formOf[offsetsForm](t.find("offsets")); ok {
		lo, ok1 := b.dims.integer(form.Lo)
		hi, ok2 := b.dims.integer(form.Hi)
		if ok1 && ok2 {
			rel.Lo, rel.Hi, rel.Rows = lo, hi, hi-lo+1
			if lo >= 0 || hi != -lo-1 {
				b.r.add(diag.Errorf("offsets", t.find("offsets").stmt.Pos, "offsets %d .. %d: they go from -span to span - 1", lo, hi).
					Hintf("offsets -%d .. %d", max(-lo, 1), max(-lo, 1)-1))
			}
		}
	} else if t.find("offsets") == nil {
		b.missing(t, e.stmt.Pos, "the table "+rel.Name+" has no offsets", "offsets "+b.orDim("span", "256", "-span .. span - 1", "-256 .. 255"))
	}
	rel.Bucket = Bucket{Kind: Clamp}
	if form, ok := formOf[bucketForm](t.find("bucket")); ok {
		b.bucket(t.find("bucket"), form)
	}
	rel.Norm = b.norm(t.find("norm"))
}

func (b *modelBuilder) bucket(e *entry, form *bucketForm) {
	k := &b.m.Relative.Bucket
	k.Source = sourceOf(e)
	kind, ok := b.r.pick(form.Kind, "bucket", []string{"clamp", "log"})
	if !ok {
		return
	}
	args := map[string]*named{}
	for _, a := range form.Args {
		switch {
		case kind == "clamp" || a.Key != "exact" && a.Key != "reach":
			b.r.add(diag.Errorf("unknown-name", spanOfAll(a.Tokens), "the bucket %s has no setting %s", kind, a.Key).
				Hintf("bucket clamp, or bucket log(exact: span / 2, reach: reach)"))
		case args[a.Key] != nil:
			b.r.add(diag.Errorf("twice", spanOfAll(a.Tokens), "%s is set twice", a.Key))
		default:
			args[a.Key] = a
		}
	}
	if kind == "clamp" {
		return
	}
	k.Kind = Log
	if args["exact"] == nil || args["reach"] == nil {
		b.r.add(diag.Errorf("missing", e.stmt.Pos, "the bucket log needs exact and reach").Hintf("bucket log(exact: span / 2, reach: reach)"))
		return
	}
	k.Exact = b.count(args["exact"].Value, "exact", 1)
	k.Reach = b.count(args["reach"].Value, "reach", 1)
	if k.Exact > 0 && k.Reach > 0 && k.Reach < k.Exact+2 {
		b.r.add(diag.Errorf("bucket-reach", spanOfAll(args["reach"].Tokens),
			"reach = %d leaves no distance to the buckets after the exact part, which ends at %d", k.Reach, k.Exact).
			Note(spanOfAll(args["exact"].Tokens), "exact is set here").Hintf("reach: %d", k.Exact+2))
	}
	if span := -b.m.Relative.Lo; span > 0 && k.Exact > span {
		b.r.add(diag.Errorf("bucket-reach", spanOfAll(args["exact"].Tokens), "exact = %d, but the table ends at offset %d", k.Exact, b.m.Relative.Lo).
			Hintf("exact: span / 2"))
	}
}
