package spec

import (
	"math"

	"github.com/debertac/debertac/spec/diag"
)

// courses lists the courses of the learning rate after the warmup.
var courses = []string{"constant", "linear", "cosine", "polynomial"}

// rate resolves the learning rate's schedule.
func (b *trainBuilder) rate(s *Stmt) {
	rate := &b.t.Rate
	*rate = Rate{Then: "constant", Layers: 1}
	w, ok := b.word("rate")
	if !ok {
		if !blockBroken(s) {
			b.r.add(diag.Errorf("missing", s.Pos, "%s has no learning rate", b.t.Name).Hintf("rate 2e-5 warmup 500 steps then linear"))
		}
		return
	}
	form := w.Form.(*rateForm)
	rate.Source = source(w)
	rate.Peak, _ = b.r.real(form.Peak, "rate", "above 0 and below 1", func(v float64) bool { return v > 0 && v < 1 })
	if form.Warmup != nil {
		b.warmup(w, form.Warmup)
	}
	if form.Then != nil {
		b.course(form)
	}
	if form.Layers != nil {
		rate.Layers, _ = b.r.real(form.Layers, "layers", "above 0 and at most 1", func(v float64) bool { return v > 0 && v <= 1 })
	}
}

// warmup resolves the steps in which the learning rate grows.
func (b *trainBuilder) warmup(w *Stmt, form *countForm) {
	t := b.t
	switch b.r.operandUnit("warmup", form.Value, form.Unit, "steps", "%") {
	case "steps":
		t.Rate.Warmup, _ = b.r.whole(form.Value, "warmup", 0)
		if t.Steps > 0 && t.Rate.Warmup >= t.Steps {
			b.r.add(diag.Errorf("range", w.Pos, "warmup = %d steps, but the training has %d", t.Rate.Warmup, t.Steps))
		}
	case "%":
		v, _ := b.r.real(form.Value, "warmup", "in [0, 100)", func(v float64) bool { return v >= 0 && v < 100 })
		t.Rate.Share = v / 100
	}
}

// course resolves what follows then.
func (b *trainBuilder) course(form *rateForm) {
	rate, c := &b.t.Rate, form.Then
	kind, ok := b.r.pick(c.Kind, "course", courses)
	if !ok {
		return
	}
	rate.Then, rate.FromStart = kind, c.Start
	switch {
	case c.Power == nil && kind == "polynomial":
		b.r.add(diag.Errorf("missing", spanOfAll(c.Kind.Tokens), "polynomial does not state its power").Hintf("polynomial 2"))
	case c.Power == nil:
	case kind != "polynomial":
		b.r.add(diag.Errorf("syntax", spanOfAll(c.Power.Tokens), "%s has no power, only polynomial has one", kind).Hintf("remove it"))
	default:
		rate.Power, _ = b.r.real(c.Power, "power", "above 0 and at most 100", func(v float64) bool { return v > 0 && v <= 100 })
	}
	at := spanOfAll(c.Tokens)
	if kind == "constant" {
		if c.Start || c.To != nil {
			b.r.add(diag.Errorf("no-effect", at, "a constant rate does not change, so it has no start and no end").Hintf("constant"))
		}
		return
	}
	if c.To != nil {
		rate.To, ok = b.r.real(c.To, "to", "at least 0", nonnegative)
		if ok && rate.Peak > 0 && rate.To >= rate.Peak {
			b.r.add(diag.Errorf("range", spanOfAll(c.To.Tokens), "the rate falls to %s, which is not below its peak %s", float(rate.To), float(rate.Peak)).
				Hintf("%.3g", rate.Peak/10))
		}
	}
	if warm := rate.Warmup > 0 || rate.Share > 0; c.Start && !warm && !b.r.faultIn(spanOfAll(form.Peak.Tokens)) {
		plain := *rate
		plain.FromStart = false
		b.r.add(diag.Errorf("no-effect", at, "from start has no effect: there is no warmup, so the course starts there anyway").Hintf("%s", plain.course()))
	}
}

// course returns the course after the warmup as it is written.
func (r Rate) course() string {
	text := r.Then
	if r.Then == "polynomial" {
		text += " " + float(r.Power)
	}
	if r.FromStart {
		text += " from start"
	}
	if r.Then != "constant" {
		text += " to " + float(r.To)
	}
	return text
}

// String returns the schedule as it is written in a spec.
func (r Rate) String() string {
	text := float(r.Peak)
	switch {
	case r.Share > 0:
		text += " warmup " + percent(r.Share)
	case r.Warmup > 0:
		text += " warmup " + itoa(r.Warmup) + " steps"
	}
	text += " then " + r.course()
	if r.Layers != 1 {
		text += " layers " + float(r.Layers)
	}
	return text
}

// percent returns a share as it is written, 0.15 as 15 %.
func percent(share float64) string {
	p := share * 100
	if near := math.Round(p*1e9) / 1e9; near/100 == share {
		p = near
	}
	return float(p) + " %"
}

// Scale returns the factor of the learning rate for the weights of encoder layer l of n, from 1: Layers to the power n+1-l. Layer 0 stands for the model's
// tables and their norms, and layer n+1 for the head, whose factor is 1.
func (r Rate) Scale(l, n int) float64 { return math.Pow(r.Layers, float64(n+1-l)) }
