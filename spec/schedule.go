package spec

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// optimizer resolves adamw(…).
func (b *trainBuilder) optimizer() {
	o := &b.t.Optimizer
	*o = Optimizer{Kind: "adamw", Beta1: 0.9, Beta2: 0.999, Eps: 1e-6, Decay: 0.01, Except: []string{"norm", "bias"}, Correct: true}
	s, ok := b.word("optimizer")
	if !ok {
		return
	}
	form := s.Form.(*optimizerForm)
	o.Source = source(s)
	b.r.pick(form.Kind, "optimizer", []string{"adamw"})
	seen := map[string]bool{}
	for _, a := range form.Args {
		at := spanOfAll(a.Tokens)
		if seen[a.Key] {
			b.r.add(diag.Errorf("twice", at, "%s is set twice", a.Key))
		}
		seen[a.Key] = true
		want := map[string]int{"betas": 2, "eps": 1, "decay": 1, "correct": 0}
		n, known := want[a.Key]
		switch {
		case !known:
			b.r.notOneOf(spanOfAll(a.Tokens[:1]), "setting of adamw", a.Key, []string{"betas", "eps", "decay", "correct"})
			continue
		case len(a.Values) != n || (a.Word == "") == (a.Key == "correct") || len(a.Except) > 0 && a.Key != "decay":
			b.r.add(diag.Errorf("syntax", at, "the setting %s is written otherwise", a.Key).Hintf("%s", lookupRow("train", "optimizer").Usage()))
			continue
		}
		switch a.Key {
		case "betas":
			o.Beta1, _ = b.r.real(a.Values[0], "beta", "in [0, 1)", share)
			o.Beta2, _ = b.r.real(a.Values[1], "beta", "in [0, 1)", share)
		case "eps":
			o.Eps, _ = b.r.real(a.Values[0], "eps", "above 0", positive)
		case "decay":
			o.Decay, _ = b.r.real(a.Values[0], "decay", "in [0, 1)", share)
			o.Except = nil
			for _, x := range a.Except {
				kind, ok := b.r.pick(x, "kind of weight to except", []string{"norm", "bias"})
				if ok && slices.Contains(o.Except, kind) {
					b.r.add(diag.Errorf("twice", spanOfAll(x.Tokens), "%s is excepted twice", kind).Hintf("remove it"))
				}
				o.Except = append(o.Except, kind)
			}
		case "correct":
			if a.Word != "yes" && a.Word != "no" {
				b.r.notOneOf(spanOfAll(a.Tokens[len(a.Tokens)-1:]), "choice", a.Word, []string{"yes", "no"})
			}
			o.Correct = a.Word == "yes"
		}
	}
}

// rate resolves the learning rate's schedule.
func (b *trainBuilder) rate(s *Stmt) {
	t := b.t
	t.Rate.Then = "constant"
	w, ok := b.word("rate")
	if !ok {
		if !blockBroken(s) {
			b.r.add(diag.Errorf("missing", s.Pos, "%s has no learning rate", t.Name).Hintf("rate 2e-5 warmup 500 steps then linear"))
		}
		return
	}
	form := w.Form.(*rateForm)
	t.Rate.Source = source(w)
	t.Rate.Peak, _ = b.r.real(form.Peak, "rate", "above 0 and below 1", func(v float64) bool { return v > 0 && v < 1 })
	if form.Then != nil {
		t.Rate.Then, _ = b.r.pick(form.Then, "course", []string{"linear", "constant"})
	}
	if form.Warmup == nil {
		return
	}
	warm := *w
	warm.Word = "warmup"
	switch b.r.unit(&warm, form.Warmup.Value, form.Warmup.Unit, "steps", "%") {
	case "steps":
		t.Rate.Warmup, _ = b.r.whole(form.Warmup.Value, "warmup", 0)
		if t.Steps > 0 && t.Rate.Warmup >= t.Steps {
			b.r.add(diag.Errorf("range", w.Pos, "warmup = %d steps, but the training has %d", t.Rate.Warmup, t.Steps))
		}
	case "%":
		v, _ := b.r.real(form.Warmup.Value, "warmup", "in [0, 100)", func(v float64) bool { return v >= 0 && v < 100 })
		t.Rate.Share = v / 100
	}
}

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
