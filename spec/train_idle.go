package spec

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// idle reports words of a training that have no effect beside others, and words that exclude each other.
func (b *trainBuilder) idle() {
	t := b.t
	if b.r.faultIn(t.Pos) {
		return
	}
	if t.Optimizer.Touched {
		b.idleRows()
	}
	if t.Rate.Layers < 1 && t.Rate.Layers > 0 && b.modelFrozen() {
		b.noEffect(b.words.get("rate"), "layers has no effect: the weights of all layers are frozen", "freeze").Hintf("%s", t.Rate.withoutLayers())
	}
	if t.Lora != nil {
		b.idleBesideLora()
	}
	if t.Freeze != nil && t.Replace != nil {
		b.frozenAndShared()
	}
	b.oneTask()
	if r := t.Replace; r != nil && r.Apart && !r.Stop && len(r.Share) > 0 && t.Lookahead != nil {
		b.r.add(diag.Errorf("excludes", t.Lookahead.Pos, "lookahead keeps slow weights of a table for one optimizer, but two optimizers change %s", r.Share[0]).
			Note(r.Pos, "it is shared here").Hintf("updates together"))
	}
}

// oneTask reports words that make a step another task, where two of them stand together.
func (b *trainBuilder) oneTask() {
	at := map[string]Source{}
	if f := b.t.Sift; f != nil {
		at["sift"] = f.Source
	}
	if r := b.t.Replace; r != nil {
		at["replace"] = r.Source
	}
	if len(b.t.Also) > 0 {
		at["also"] = b.t.Also[0].Source
	}
	for _, pair := range []struct{ word, other, why string }{
		{"sift", "replace", "sift compares two passes of one model, but replace trains two models"},
		{"sift", "also", "sift compares two passes of one head, but also trains a second head"},
		{"also", "replace", "also trains a second head on the same text, but replace trains its two heads on a masked text and on what is written into it"},
	} {
		w, first := at[pair.word]
		if o, second := at[pair.other]; first && second {
			b.r.add(diag.Errorf("excludes", w.Pos, "%s", pair.why).Note(o.Pos, "%s is here", pair.other).Hintf("remove it"))
		}
	}
}

// frozenAndShared reports a table that is frozen, but shared with the generator, whose training changes it.
func (b *trainBuilder) frozenAndShared() {
	f, r := b.t.Freeze, b.t.Replace
	for _, name := range r.Share {
		at := b.t.Head.Model.Positions(name)
		if f.Embed && strings.HasPrefix(name, "embed.") || at != nil && slices.Contains(f.Absolutes, at) {
			b.r.add(diag.Errorf("excludes", f.Pos, "%s is frozen, but replace shares it with %s, which is trained", name, r.Generator.Model.Name).
				Note(r.Pos, "it is shared here").Hintf("remove it"))
			return
		}
	}
}

// noEffect reports a word that another word of the block makes meaningless.
func (b *trainBuilder) noEffect(s *Stmt, what, because string) *diag.Diag {
	d := diag.Errorf("no-effect", s.Pos, "%s", what)
	if w := b.words.get(because); w != nil {
		d.Note(w.Pos, "%s is here", because)
	}
	b.r.add(d)
	return d
}

// withoutLayers returns the statement without the rates of layers.
func (r Rate) withoutLayers() string {
	r.Layers = 1
	return "rate " + r.String()
}

// idleRows reports rows: touched where a step changes no table of tokens, or all of its rows.
func (b *trainBuilder) idleRows() {
	t := b.t
	s := b.words.get("optimizer")
	tied := func(h *Head) bool { return slices.ContainsFunc(h.Steps, func(s *Step) bool { return s.Tied != "" }) }
	o := t.Optimizer
	o.Touched = false
	hint := "optimizer " + o.String()
	switch {
	case t.Lora != nil:
		b.noEffect(s, "rows: touched has no effect: lora trains no table", "lora").Hintf("%s", hint)
	case t.Freeze != nil && t.Freeze.Embed:
		b.noEffect(s, "rows: touched has no effect: the tables of the input are frozen", "freeze").Hintf("%s", hint)
	case t.Replace == nil && tied(t.Head):
		b.r.add(diag.Errorf("no-effect", s.Pos, "rows: touched has no effect: %s is tied to embed.token, so each step reads all rows", t.Head.FullName()).
			Note(t.Head.Pos, "the head is here").Hintf("%s", hint))
	case t.Replace != nil && !t.Replace.Stop && slices.Contains(t.Replace.Share, "embed.token") && tied(t.Replace.Generator):
		b.noEffect(s, "rows: touched has no effect: "+t.Replace.Generator.FullName()+" is tied to embed.token, which both models share, so each step reads "+
			"all rows", "replace").Hintf("%s", hint)
	}
}

// idleBesideLora reports parts that are frozen twice, and trainings that need more than adapters.
func (b *trainBuilder) idleBesideLora() {
	t := b.t
	if f := b.words.get("freeze"); f != nil && t.Freeze != nil && (t.Freeze.Embed || t.Freeze.Relative || len(t.Freeze.Layers)+len(t.Freeze.Absolutes) > 0) {
		hint := "remove it"
		if t.Freeze.Head {
			hint = "freeze head"
		}
		b.noEffect(f, "lora trains the head and its adapters alone, so all else is frozen already", "lora").Hintf("%s", hint)
	}
	if s := b.words.get("replace"); s != nil {
		b.r.add(diag.Errorf("excludes", s.Pos, "lora adapts one model, but replace trains two").Note(t.Lora.Pos, "lora is here").Hintf("remove it"))
	}
}
