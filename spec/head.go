package spec

import (
	"slices"
	"strconv"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// maxSteps bounds a head.
const maxSteps = 64

// headBuilder resolves one head.
type headBuilder struct {
	r    *resolver
	h    *Head
	m    *Model
	dims *dimTable
	cols int // columns after the steps so far; 0: not known
	last *linearForm
}

// modelOf returns the model that a path names, and the name of the head or decoder after the dot.
func (r *resolver) modelOf(p *path) (*decl, string) {
	at := spanOfAll(p.Tokens)
	if len(p.Parts) > 2 {
		r.add(diag.Errorf("unknown-name", at, "%s has too many parts", strings.Join(p.Parts, ".")))
		return nil, ""
	}
	d := r.decls[p.Parts[0]]
	if d == nil || d.stmt.Pos.File != r.file.Name {
		f := diag.Errorf("unknown-name", at, "there is no model %s in this file", p.Parts[0])
		switch near := Nearest(p.Parts[0], r.modelNames()); {
		case near != "":
			f.Hintf("%s", near)
		case zooModels()[p.Parts[0]] != nil:
			f.Hintf("model my_model like %s { }", p.Parts[0])
		case len(r.modelNames()) > 0:
			f.Hintf("the models are %s", strings.Join(r.modelNames(), ", "))
		}
		r.add(f)
		return nil, ""
	}
	return d, strings.Join(p.Parts[1:], "")
}

func (r *resolver) head(s *Stmt) {
	form := s.Form.(*onForm)
	d, decoder := r.modelOf(form.On)
	if d == nil || d.model == nil { // what does not depend on the model is checked even so
		m := &Model{Name: form.On.Parts[0]}
		b := &headBuilder{r: r, h: &Head{Source: source(s), Name: form.Name, Model: m}, m: m, dims: r.dims(&tree{}, true)}
		b.steps(s)
		r.readAll(s)
		return
	}
	h := &Head{Source: source(s), Name: form.Name, Model: d.model}
	found := decoder == ""
	for _, x := range d.model.Decoders {
		if x.Name == decoder {
			h.Decoder, found = x, true
		}
	}
	if !found && !d.tree.isBroken() {
		r.add(r.noDecoder(d, form.On, decoder))
	}
	b := &headBuilder{r: r, h: h, m: d.model, cols: d.model.Hidden, dims: r.dimsOf(d)}
	if b.steps(s); found {
		r.spec.Heads = append(r.spec.Heads, h)
	}
}

// dimsOf returns the sizes of a model for statements outside of its block.
func (r *resolver) dimsOf(d *decl) *dimTable {
	r.model = d
	defer func() { r.model = nil }()
	return r.dims(d.tree, false)
}

// noDecoder reports a decoder that a model does not have.
func (r *resolver) noDecoder(d *decl, on *path, decoder string) *diag.Diag {
	f := diag.Errorf("unknown-name", spanOfAll(on.Tokens), "%s has no decoder %s", d.model.Name, decoder)
	var names []string
	for _, x := range d.model.Decoders {
		names = append(names, d.model.Name+"."+x.Name)
	}
	switch drop := d.tree.gone["decoder "+decoder]; {
	case drop != nil:
		f.Note(drop.Pos, "it is dropped here")
		return f.Hintf("%s", d.model.Name)
	case len(names) > 0:
		return f.Hintf("one of %s", strings.Join(names, ", "))
	}
	return f.Hintf("%s", d.model.Name)
}

// once returns the statements of a block by word and reports words that occur twice.
func (r *resolver) once(s *Stmt) words {
	found := map[string]*Stmt{}
	for _, t := range code(s.Block.Stmts) {
		if t.row == nil || t.row.Many {
			continue
		}
		if before := found[t.Word]; before != nil {
			r.add(diag.Errorf("twice", t.Pos, "%s is set twice", t.Word).Note(before.Pos, "the first time here").Hintf("remove one of the two"))
			continue
		}
		found[t.Word] = t
	}
	return words{r, found}
}

func blockBroken(s *Stmt) bool {
	return slices.ContainsFunc(s.Block.Stmts, func(t *Stmt) bool { return t.broken })
}

func (b *headBuilder) steps(s *Stmt) {
	h := b.h
	before := len(b.r.faults)
	words := b.r.once(s)
	broken := blockBroken(s)
	list := code(s.Block.Stmts)
	if len(list) > maxSteps {
		b.r.add(diag.Errorf("too-large", s.Pos, "%s has %d statements, more than %d", h.Name, len(list), maxSteps))
		return
	}
	if words.get("take") == nil && !broken {
		b.r.add(diag.Errorf("missing", s.Pos, "%s does not say which rows it takes", h.Name).Hintf("take first"))
	}
	for _, t := range list {
		if t.broken {
			b.cols, b.last = 0, nil
			continue
		}
		b.step(t)
	}
	h.Out = b.cols
	if broken || b.r.errorsSince(before) {
		return
	}
	b.checkMeaning(words)
	if b.r.errorsSince(before) {
		return
	}
	b.checkLoss(words)
	if b.m.Checkpoint == "" { // the model is not known
		return
	}
	if s := words.get("from"); s != nil && (b.m.Checkpoint == "own" || h.Layout() != MaskedLayout) {
		b.r.add(diag.Errorf("no-effect", s.Pos, "from has no effect: it names the tensors of a head that predicts masked tokens in a published layout").
			Note(b.m.Pos, "the model has the layout %s", b.m.Checkpoint).Hintf("remove it"))
	}
	switch {
	case b.r.errorsSince(before) || h.Layout() != OwnLayout || b.m.Checkpoint == "own":
	case b.r.Drawn:
		b.m.Checkpoint = "own"
	default:
		b.r.add(diag.Errorf("checkpoint-scheme", s.Pos, "the layout %s has no tensor names for a head of this form", b.m.Checkpoint).
			Note(b.m.Pos, "the model is here").Hintf("%s", OrOwn(h.NamedForm())))
	}
}

// OrOwn returns a hint: a form of the head that has names, if there is one, and the layout that names everything.
func OrOwn(form string) string {
	if form == "" {
		return "checkpoint own"
	}
	return form + ", or checkpoint own"
}

// step resolves one statement of the head. A word that has no case here is not marked as read, and so is a fault.
func (b *headBuilder) step(t *Stmt) {
	h := b.h
	step := &Step{Source: source(t), In: b.cols}
	b.r.reads(t)
	switch t.Word {
	case "take":
		b.take(t, t.Form.(*takeForm))
		return
	case "loss":
		b.loss(t.Form.(*lossForm))
		return
	case "from":
		h.From = b.text(t, t.Form.(*stringForm).Value)
		return
	case "prompt":
		form := t.Form.(*promptForm)
		if form.Schema {
			h.Prompt = &Prompt{Source: source(t), Schema: true}
			return
		}
		h.Prompt = &Prompt{Source: source(t), Mark: b.text(t, form.Mark), End: b.text(t, form.End), After: form.After, Last: form.Last}
		if form.Example != "" {
			h.Prompt.Example = b.text(t, form.Example)
		}
		return
	case "text":
		form := t.Form.(*textForm)
		h.Text = &Text{Source: source(t), End: form.End}
		h.Text.How, _ = b.r.pick(form.How, "row of a text", TextRows)
		return
	case "linear":
		b.linear(step, t.Form.(*linearForm))
	case "act":
		step.Kind, step.Act = StepAct, b.m.Defaults.Act
		if form, ok := t.Form.(*wordForm); ok {
			step.Act, _ = b.r.pick(form.Value, "activation", Acts)
		}
	case "norm":
		step.Kind, step.Norm = StepNorm, b.r.norm(t, b.m.Defaults.Norm)
	case "dropout":
		step.Kind = StepDropout
		step.Rate, _ = b.r.real(t.Form.(*numForm).Value, "dropout", "in [0, 1)", share)
	case "crf":
		step.Kind = StepCRF
	case "decode":
		step.Kind = StepDecode
		step.Decode, _ = b.r.pick(t.Form.(*wordForm).Value, "constraint", []string{"bio"})
	case "lstm":
		form := t.Form.(*lstmForm)
		step.Kind, step.Both = StepLSTM, form.Both
		b.cols = b.count(form.Size, "size", 1)
		if form.Both {
			b.cols *= 2
		}
	case "spans":
		step.Kind, step.Width, h.As = StepSpans, b.count(t.Form.(*spansForm).Width, "spans", 1), Entities
	case "tokens":
		step.Kind, h.As = StepTokens, Entities
	case "boundaries", "pool", "candidates", "absent", "temperature", "overlap":
		if !b.boundaryStep(step, t.Form) {
			return
		}
	case "classes", "counts", "gru", "fields":
		b.schemaStep(step, t.Form)
	case "unit":
		form, ok := t.Form.(*unitForm)
		step.Kind, step.Scaled = StepUnit, ok && form.Scaled
	case "score":
		b.labelScore(step, t.Form.(*labelScoreForm))
	default:
		delete(b.r.read, t)
		return
	}
	step.Out = b.cols
	h.Steps = append(h.Steps, step)
}

func (b *headBuilder) count(e *expr, what string, least int) int {
	return b.dims.count(e, what, least)
}

// text reads a quoted text.
func (b *headBuilder) text(t *Stmt, quoted string) string { return b.r.text(t.Pos, quoted) }

// text reads a quoted text.
func (r *resolver) text(at diag.Span, quoted string) string {
	s, err := strconv.Unquote(quoted)
	if err != nil {
		r.add(diag.Errorf("syntax", at, "the text %s has an escape that is not known", quoted).Hintf(`escapes are \" \\ \n \t \u00e9`))
		return ""
	}
	if s == "" {
		r.add(diag.Errorf("range", at, "a text here is not empty"))
	}
	return s
}

func (b *headBuilder) take(t *Stmt, form *takeForm) {
	take := Take{Source: source(t)}
	what, ok := b.r.pick(form.What, "choice of rows", []string{"first", "each", "masked", "mean", "words", "labels"})
	if !ok {
		return
	}
	take.Rows = map[string]Rows{"first": First, "each": Each, "masked": Masked, "mean": Mean, "words": Words, "labels": ByLabel}[what]
	switch {
	case what == "words" && form.Pick == nil:
		b.r.add(diag.Errorf("missing", t.Pos, "take words does not say which token stands for a word").Hintf("take words(first)"))
	case what == "words":
		take.Pick, _ = b.r.pick(form.Pick, "choice of tokens", []string{"first", "last", "mean", "max"})
	case what == "labels" && form.Pick == nil:
		b.r.add(diag.Errorf("missing", t.Pos, "take labels does not say which tokens stand for a label").Hintf("take labels(first)"))
	case what == "labels":
		take.Pick, _ = b.r.pick(form.Pick, "choice of tokens", []string{"first", "mean"})
	case form.Pick != nil:
		b.r.add(diag.Errorf("syntax", spanOfAll(form.Pick.Tokens), "only words and labels are followed by a choice in parentheses").Hintf("take %s", what))
	}
	if form.Plus != nil {
		if what != "each" || form.Plus.Name != "first" {
			b.r.add(diag.Errorf("syntax", t.Pos, "the only sum of rows is each + first").Hintf("take each + first"))
		}
		take.Rows = EachFirst
	}
	b.h.Take = take
}

// unmeant reports a meaning of the last linear layer that does not apply to the head's numbers, with the reason.
func (b *headBuilder) unmeant(reason string) {
	if b.last == nil || b.last.As == nil {
		return
	}
	as := spanOfAll(b.last.As.Tokens)
	b.r.add(diag.Errorf("no-effect", as, "as %s has no effect: %s", b.last.As.Kind, reason).Hintf("remove it"))
}

func (b *headBuilder) linear(step *Step, form *linearForm) {
	step.Kind = StepLinear
	b.unmeant("a later linear layer makes the head's numbers")
	b.cols = b.count(form.Out, "columns", 1)
	b.last = form
	if form.Tied == nil {
		return
	}
	step.Tied = strings.Join(form.Tied.Parts, ".")
	if step.Tied != "embed.token" {
		b.r.notOneOf(spanOfAll(form.Tied.Tokens), "a layer can be tied to embed.token, not to %s", step.Tied, []string{"embed.token"})
		return
	}
	if step.In > 0 && b.cols > 0 && b.m.Vocab > 0 && b.m.Embed.Width > 0 && (b.cols != b.m.Vocab || step.In != b.m.Embed.Width) {
		b.r.add(diag.Errorf("shapes", step.Pos, "a linear layer from %d to %d columns cannot be tied to the token table, which has %d rows of %d", step.In,
			b.cols, b.m.Vocab, b.m.Embed.Width).
			Note(b.m.Embed.Token.Pos, "the table is here").Hintf("linear %d; linear vocab tied embed.token", b.m.Embed.Width))
	}
}
