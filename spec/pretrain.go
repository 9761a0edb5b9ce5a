package spec

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// tasks resolves sift, replace, mask and weight, and checks that they fit the head.
func (b *trainBuilder) tasks() {
	t := b.t
	if t.Head != nil && t.Head.Loss == "" {
		b.r.add(diag.Errorf("missing", t.Pos, "%s has no loss to train", t.Head.FullName()).Note(t.Head.Pos, "the head is here").Hintf("loss cross_entropy"))
	}
	if s, ok := b.word("sift"); ok {
		b.sift(s)
	}
	masked := t.Head == nil || t.Head.Take.Rows == Masked // nothing is reported about an unknown head
	if s, ok := b.word("replace"); ok {
		masked = true
		b.replace(s, s.Form.(*replaceForm))
	} else if t.Head != nil && t.Head.Layout() == ReplacedLayout && b.words.of["replace"] == nil {
		b.r.add(diag.Errorf("missing", t.Pos, "%s judges replaced tokens, but nothing replaces them", t.Head.FullName()).
			Hintf("replace from %s share embed.token stopping gradient", b.r.anyHead("MODEL.HEAD", func(h *Head) bool { return h.Take.Rows == Masked })))
	}
	if masked {
		t.Mask = 0.15
	}
	if s, ok := b.word("mask"); ok {
		form := s.Form.(*countForm)
		b.r.unit(s, form.Value, form.Unit, "%")
		v, _ := b.r.real(form.Value, "mask", "above 0 and below 100", func(v float64) bool { return v > 0 && v < 100 })
		t.Mask = v / 100
		if !masked {
			b.r.add(diag.Errorf("take-loss", s.Pos, "tokens are masked, but the head does not predict masked ones").
				Note(t.Head.Take.Pos, "the rows are taken here").Hintf("remove it"))
		}
	}
	if s, ok := b.word("weight"); ok {
		t.Weight, _ = b.r.real(s.Form.(*numForm).Value, "weight", "above 0", positive)
		if t.Head != nil && t.Replace == nil && b.words.of["replace"] == nil {
			b.r.add(diag.Errorf("missing", s.Pos, "weight balances the detection loss, but nothing is replaced").Hintf("remove it"))
		}
	}
}

func (b *trainBuilder) sift(s *Stmt) {
	f := &Sift{Source: source(s), Noise: 1e-2, Step: 1e-4, Ascend: 1, Loss: "symmetric_kl", Weight: 1}
	b.t.Sift = f
	in := &trainBuilder{r: b.r, t: b.t, words: b.r.once(s)}
	if w, ok := in.word("perturb"); ok {
		form := w.Form.(*pathForm)
		if name := strings.Join(form.Value.Parts, "."); name != "embed.norm" {
			b.r.notOneOf(spanOfAll(form.Value.Tokens), "place for noise", name, []string{"embed.norm"})
		}
	}
	for word, to := range map[string]*float64{"noise": &f.Noise, "step": &f.Step, "weight": &f.Weight} {
		if w, ok := in.word(word); ok {
			*to, _ = b.r.real(w.Form.(*numForm).Value, word, "above 0", positive)
		}
	}
	if w, ok := in.word("ascend"); ok {
		f.Ascend, _ = b.r.whole(w.Form.(*numForm).Value, "ascend", 1)
	}
	if w, ok := in.word("loss"); ok {
		f.Loss, _ = b.r.pick(w.Form.(*wordForm).Value, "disagreement", []string{"symmetric_kl", "kl", "mse"})
		if h := b.t.Head; h != nil && f.Loss != "mse" && f.Loss != "" && !h.hasProbabilities() {
			b.r.add(diag.Errorf("take-loss", w.Pos, "%s compares probabilities, but %s has none", f.Loss, h.FullName()).Note(h.Pos, "the head is here").
				Hintf("loss mse"))
		}
	}
	if b.t.Head != nil && b.t.Head.Model.Embed.Norm == nil {
		b.r.add(diag.Errorf("missing", s.Pos, "sift puts its noise in front of embed.norm, which %s does not have", b.t.Head.Model.Name).
			Note(b.t.Head.Model.Pos, "the model is here").Hintf("embed { norm }"))
	}
}

// replace checks that generator and detector fit each other.
func (b *trainBuilder) replace(s *Stmt, form *replaceForm) {
	t := b.t
	g := b.r.headOf(form.From)
	if t.Weight == 0 {
		t.Weight = 50
	}
	if g == nil {
		return
	}
	t.Replace = &Replace{Source: source(s), Generator: g, Stop: form.Stop}
	if form.Share != nil {
		t.Replace.Share = strings.Join(form.Share.Parts, ".")
		if !slices.Contains([]string{"embed.token"}, t.Replace.Share) {
			b.r.notOneOf(spanOfAll(form.Share.Tokens), "table to share", t.Replace.Share, []string{"embed.token"})
		}
	}
	if t.Head == nil {
		return
	}
	if t.Head.Layout() != ReplacedLayout {
		b.r.add(diag.Errorf("take-loss", s.Pos, "%s does not judge every token", t.Head.FullName()).Note(t.Head.Pos, "the head is here").
			Hintf("take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy"))
	}
	if g.Take.Rows != Masked {
		b.r.add(diag.Errorf("take-loss", s.Pos, "%s does not predict masked tokens, so it cannot replace any", g.FullName()).
			Note(g.Pos, "the generator is here").
			Hintf("take masked; linear hidden; act; norm; linear vocab tied embed.token"))
	}
	a, c := g.Model, t.Head.Model
	if a.Vocab != c.Vocab || t.Replace.Share != "" && a.Embed.Width != c.Embed.Width {
		b.r.add(diag.Errorf("shapes", s.Pos, "the token tables differ: %d rows of %d in %s, %d rows of %d in %s", a.Vocab, a.Embed.Width, a.Name, c.Vocab,
			c.Embed.Width, c.Name).
			Note(a.Embed.Token.Pos, "the generator's table is here").Note(c.Embed.Token.Pos, "the detector's table is here"))
	}
}
