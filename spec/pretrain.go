package spec

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// tasks resolves sift, replace, mask and weight, and checks that they fit the head.
func (b *trainBuilder) tasks() {
	t := b.t
	if t.Head != nil {
		b.r.noLoss(t.Head, t.Pos, "the head is here")
	}
	if s, ok := b.word("sift"); ok {
		b.sift(s)
	}
	b.also()
	masked := t.Head == nil || t.Head.Take.Rows == Masked // nothing is reported about an unknown head
	masked = masked || slices.ContainsFunc(t.Also, func(a Also) bool { return a.Head.Take.Rows == Masked })
	replace, replaced := b.word("replace")
	if replaced {
		b.replace(replace, replace.Form.(*replaceForm))
	} else if t.Head != nil && t.Head.Layout() == ReplacedLayout && b.words.of["replace"] == nil {
		b.r.add(diag.Errorf("missing", t.Pos, "%s judges replaced tokens, but nothing replaces them", t.Head.FullName()).
			Hintf("replace from %s share embed.token stopping gradient", b.r.anyHead("MODEL.HEAD", func(h *Head) bool { return h.Take.Rows == Masked })))
	}
	b.masking(masked, replaced)
	b.updates()
	if s, ok := b.word("weight"); ok {
		t.Weight, _ = b.r.real(s.Form.(*numForm).Value, "weight", "above 0", positive)
		b.needsReplace(s, "weight balances the detection loss")
	}
}

// needsReplace reports a word that has no meaning without a generator.
func (b *trainBuilder) needsReplace(s *Stmt, what string) {
	if b.t.Head != nil && b.t.Replace == nil && b.words.of["replace"] == nil {
		b.r.add(diag.Errorf("missing", s.Pos, "%s, but nothing is replaced", what).Hintf("remove it"))
	}
}

// updates resolves the order of the steps of generator and detector. Without the word it is that of the papers: DeBERTa v3 stops the gradient and updates the
// generator first, ELECTRA minimises the sum.
func (b *trainBuilder) updates() {
	t := b.t
	if t.Replace != nil {
		t.Replace.Apart = t.Replace.Stop
	}
	s, ok := b.word("updates")
	if !ok {
		return
	}
	order, _ := b.r.pick(s.Form.(*wordForm).Value, "updates are together or apart, not %s", []string{"together", "apart"})
	if t.Replace != nil {
		t.Replace.Apart = order == "apart"
	}
	b.needsReplace(s, "updates orders the steps of generator and detector")
}

// masking resolves which tokens are masked, and what stands in their places.
func (b *trainBuilder) masking(masked, replaced bool) {
	t := b.t
	m := &Masking{Share: 0.15, Runs: 1}
	if masked || replaced {
		t.Mask = m
	}
	if !replaced {
		m.Keep, m.Random = 0.1, 0.1
	}
	s, ok := b.word("mask")
	if !ok {
		return
	}
	form := s.Form.(*maskingForm)
	m.Source = source(s)
	b.r.unit(s, form.Share.Value, form.Share.Unit, "%")
	m.Share = b.percent(form.Share, "mask", "above 0 and below 100", func(v float64) bool { return v > 0 && v < 100 })
	if form.Of != nil {
		unit, _ := b.r.pick(form.Of, "the units of a mask are tokens or words, not %s", []string{"tokens", "words"})
		m.Words = unit == "words"
	}
	if form.Runs != nil {
		m.Runs, ok = b.r.whole(form.Runs, "runs", 1)
		if ok && t.Length > 0 && m.Runs > t.Length {
			b.r.add(diag.Errorf("range", spanOfAll(form.Runs.Tokens), "runs <= %d, but length = %d", m.Runs, t.Length))
		}
	}
	for _, x := range []struct {
		form *countForm
		name string
		to   *float64
	}{{form.Keep, "keep", &m.Keep}, {form.Random, "random", &m.Random}} {
		if x.form != nil {
			b.r.operandUnit(x.name, x.form.Value, x.form.Unit, "%")
			*x.to = b.percent(x.form, x.name, "in [0, 100)", func(v float64) bool { return v >= 0 && v < 100 })
		}
	}
	if m.Keep+m.Random >= 1 {
		b.r.add(diag.Errorf("range", s.Pos, "keep %s and random %s leave no token that is masked: their sum must be below 100 %%", percent(m.Keep),
			percent(m.Random)).Hintf("mask %s keep 10 %% random 10 %%", percent(m.Share)))
	}
	if !masked && !replaced {
		b.r.add(diag.Errorf("take-loss", s.Pos, "tokens are masked, but the head does not predict masked ones").
			Note(t.Head.Take.Pos, "the rows are taken here").Hintf("remove it"))
	}
}

// percent reads a number of percent and returns the share.
func (b *trainBuilder) percent(form *countForm, what, bounds string, in func(float64) bool) float64 {
	v, _ := b.r.real(form.Value, what, bounds, in)
	return v / 100
}

// mostMoves is the most moves of the noise. Their passes are parts of one schedule.
const mostMoves = 100

func (b *trainBuilder) sift(s *Stmt) {
	f := &Sift{Source: source(s), Noise: 1e-2, Step: 1e-4, Ascend: 1, Loss: "symmetric_kl", Weight: 1}
	b.t.Sift = f
	if h := b.t.Head; h != nil && !h.hasProbabilities() {
		f.Loss = "mse"
	}
	in := &trainBuilder{r: b.r, t: b.t, words: b.r.once(s)}
	if w, ok := in.word("perturb"); ok {
		form := w.Form.(*pathForm)
		if name := strings.Join(form.Value.Parts, "."); name != "embed.norm" {
			b.r.notOneOf(spanOfAll(form.Value.Tokens), "noise is added in front of embed.norm, not of %s", name, []string{"embed.norm"})
		}
	}
	for word, to := range map[string]*float64{"noise": &f.Noise, "step": &f.Step, "weight": &f.Weight} {
		if w, ok := in.word(word); ok {
			*to, _ = b.r.real(w.Form.(*numForm).Value, word, "above 0", positive)
		}
	}
	if w, ok := in.word("ascend"); ok {
		n := w.Form.(*numForm).Value
		if f.Ascend, _ = b.r.whole(n, "ascend", 1); f.Ascend > mostMoves {
			b.r.add(diag.Errorf("range", spanOfAll(n.Tokens), "ascend = %d, it must be at most %d: a step has a pass for each move", f.Ascend, mostMoves))
		}
	}
	if w, ok := in.word("loss"); ok {
		f.Loss, _ = b.r.pick(w.Form.(*wordForm).Value, "sift has no loss %s", []string{"symmetric_kl", "kl", "mse"})
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
