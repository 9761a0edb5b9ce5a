package spec

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// also resolves the further losses of a training.
func (b *trainBuilder) also() {
	for _, s := range code(b.block.Block.Stmts) {
		form, ok := s.Form.(*alsoForm)
		if !ok {
			continue
		}
		b.r.reads(s)
		a := Also{Source: source(s), Head: b.r.headOf(form.Head), Weight: 1}
		b.r.pick(form.Share, "also shares all, not %s", []string{"all"})
		if form.Weight != nil {
			a.Weight, _ = b.r.real(form.Weight, "weight", "above 0", positive)
		}
		if a.Head == nil || b.t.Head == nil {
			continue
		}
		if b.alsoFits(s, a.Head) {
			b.t.Also = append(b.t.Also, a)
			if b.t.Head.Loss != a.Head.Loss {
				b.wholeBatch(a.Head)
			}
		}
	}
}

// alsoFits checks that a further head has a loss of its own and the weights of the trained one.
func (b *trainBuilder) alsoFits(s *Stmt, h *Head) bool {
	t := b.t
	before := len(b.r.faults)
	fault := func(code diag.Code, format string, args ...any) *diag.Diag {
		d := diag.Errorf(code, s.Pos, format, args...).Note(h.Pos, "%s is here", h.FullName())
		b.r.add(d)
		return d
	}
	twice := slices.ContainsFunc(t.Also, func(a Also) bool { return a.Head == h })
	switch {
	case h == t.Head || twice:
		fault("twice", "%s is trained already", h.FullName()).Hintf("remove it")
	case h.Loss == "":
		b.r.noLoss(h, s.Pos, h.FullName()+" is here")
	case h.Layout() == ReplacedLayout:
		fault("take-loss", "%s judges replaced tokens, but only the head of the training does so", h.FullName()).Hintf("remove it")
	default:
		if what := difference(weightsOf(h.Model), weightsOf(t.Head.Model), h.Model.Name, t.Head.Model.Name); what != "" {
			fault("shapes", "%s cannot share all weights of %s: %s", h.Model.Name, t.Head.Model.Name, what).
				Note(t.Head.Model.Pos, "%s is here", t.Head.Model.Name)
		} else if what := difference(stepsOf(h), stepsOf(t.Head), h.FullName(), t.Head.FullName()); what != "" {
			fault("shapes", "%s cannot share all weights of %s: %s", h.FullName(), t.Head.FullName(), what).Note(t.Head.Pos, "%s is here", t.Head.FullName())
		} else if sameLoss(h, t.Head) {
			fault("no-effect", "%s has no loss of its own: it reads the rows of %s through the same mask", h.FullName(), t.Head.FullName()).Hintf("remove it")
		}
	}
	return !b.r.errorsSince(before)
}

// weightsOf returns the lines that decide which weights a model has and what they mean, bar the keys that a query sees.
func weightsOf(m *Model) []string {
	c := *m
	c.Encoder.Attention.Mask = MaskLive
	var d dumper
	d.line("checkpoint %s", c.Checkpoint)
	d.line("tokenizer %s", c.Tokenizer)
	d.meaning(&c)
	return strings.Split(strings.TrimSpace(d.b.String()), "\n")
}

// stepsOf returns the lines that decide which weights a head has.
func stepsOf(h *Head) (list []string) {
	for _, s := range h.Steps {
		list = append(list, stepText(s))
	}
	return list
}

// difference returns the first difference of two lists in words, or "".
func difference(a, b []string, nameA, nameB string) string {
	for i := range max(len(a), len(b)) {
		switch {
		case i >= len(b):
			return nameA + " has " + strings.TrimSpace(a[i]) + ", " + nameB + " does not"
		case i >= len(a):
			return nameB + " has " + strings.TrimSpace(b[i]) + ", " + nameA + " does not"
		case a[i] != b[i]:
			return nameA + " has " + strings.TrimSpace(a[i]) + ", " + nameB + " has " + strings.TrimSpace(b[i])
		}
	}
	return ""
}

// sameLoss reports whether two heads with the same weights compute the same loss.
func sameLoss(a, b *Head) bool {
	return a.LossText() == b.LossText() && a.Take.Rows == b.Take.Rows && a.Take.Pick == b.Take.Pick && a.As == b.As &&
		slices.Equal(a.Labels, b.Labels) && (a.Decoder == nil) == (b.Decoder == nil) &&
		a.Model.Encoder.Attention.Mask == b.Model.Encoder.Attention.Mask
}
