package spec

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec/diag"
)

// LossSettings holds the numbers of losses that have some. Those of other losses are 0.
type LossSettings struct {
	Temperature float64 // contrastive: cosines are divided by it
	Alpha       float64 // focal: weight of a label that holds; one that does not hold has 1 - Alpha
	Gamma       float64 // focal: power of the probability of the wrong answer
}

// lossSetting is a setting of a loss.
type lossSetting struct {
	loss, name string
	value      float64 // without the setting
	bounds     string
	in         func(float64) bool
	of         func(*LossSettings) *float64
}

// lossSettings lists the settings of losses. Values are those of the papers: SimCSE for contrastive, Lin et al. 2017 for focal.
var lossSettings = []lossSetting{
	{tasktable.Contrastive, "temperature", 0.05, "above 0 and at most 100", func(v float64) bool { return v > 0 && v <= 100 },
		func(l *LossSettings) *float64 { return &l.Temperature }},
	{tasktable.Focal, "alpha", 0.25, "above 0 and below 1", func(v float64) bool { return v > 0 && v < 1 },
		func(l *LossSettings) *float64 { return &l.Alpha }},
	{tasktable.Focal, "gamma", 2, "at least 0 and at most 100", func(v float64) bool { return v >= 0 && v <= 100 },
		func(l *LossSettings) *float64 { return &l.Gamma }},
}

// settingsOf returns the settings of a loss.
func settingsOf(loss string) (list []lossSetting) {
	for _, s := range lossSettings {
		if s.loss == loss {
			list = append(list, s)
		}
	}
	return list
}

// lossOperands returns what may follow the word loss in a head.
func lossOperands() string {
	var list []string
	for _, loss := range tasktable.Losses {
		var names []string
		for _, s := range settingsOf(loss) {
			names = append(names, s.name+": NUMBER")
		}
		if names != nil {
			loss += "(" + strings.Join(names, ", ") + ")"
		}
		list = append(list, loss)
	}
	return strings.Join(list, " | ")
}

// lossDefault returns what holds without the word loss, and without settings.
func lossDefault() string {
	text := "none, so the head cannot be trained"
	for i, s := range lossSettings {
		text += choose(i == 0, "; ", ", ") + s.name + " " + float(s.value)
	}
	return text
}

// noLoss reports a head that cannot be trained, at the statement that asks for it. note tells where the head is.
func (r *resolver) noLoss(h *Head, at diag.Span, note string) {
	if h.Loss == "" && !r.odd[h] {
		r.add(diag.Errorf("missing", at, "%s has no loss to train", h.FullName()).Note(h.Pos, "%s", note).Hintf("loss cross_entropy"))
	}
}

// LossText returns the head's loss as it is written, or "" if it has no loss.
func (h *Head) LossText() string {
	var list []string
	for _, s := range settingsOf(h.Loss) {
		list = append(list, s.name+": "+float(*s.of(&h.LossSettings)))
	}
	if list == nil {
		return h.Loss
	}
	return h.Loss + "(" + strings.Join(list, ", ") + ")"
}

// elsewhere returns the loss that stands nearest to a loss of another library, or "".
func elsewhere(name string) string {
	if slices.Contains(tasktable.Losses, name) {
		return ""
	}
	return tasktable.Elsewhere[strings.ToLower(strings.ReplaceAll(name, "_", ""))]
}

// loss resolves the head's loss.
func (b *headBuilder) loss(form *lossForm) {
	h := b.h
	var ok bool
	if near := elsewhere(form.Kind.Name); near != "" {
		b.r.add(diag.Errorf("unknown-name", spanOfAll(form.Kind.Tokens), "there is no loss %s; the nearest loss is %s", form.Kind.Name, near).Hintf("%s", near))
		b.r.odd[h] = true
		return
	}
	if h.Loss, ok = b.r.pick(form.Kind, "loss", tasktable.Losses); !ok {
		b.r.odd[h] = true
		return
	}
	known := settingsOf(h.Loss)
	var names, seen []string
	for _, s := range known {
		*s.of(&h.LossSettings) = s.value
		names = append(names, s.name)
	}
	for _, a := range form.Args {
		i := slices.Index(names, a.Key)
		switch {
		case known == nil:
			b.r.add(diag.Errorf("syntax", spanOfAll(a.Tokens), "%s has no settings", h.Loss).Hintf("loss %s", h.Loss))
			return
		case i < 0:
			b.r.notOneOf(spanOfAll(a.Tokens[:1]), h.Loss+" has no setting %s", a.Key, names)
			continue
		case slices.Contains(seen, a.Key):
			b.r.add(diag.Errorf("twice", spanOfAll(a.Tokens), "%s is set twice", a.Key))
		}
		seen = append(seen, a.Key)
		*known[i].of(&h.LossSettings), _ = b.r.real(a.Value, a.Key, known[i].bounds, known[i].in)
	}
}

// targets resolves what changes the targets of a training, and checks that the head's loss has such targets.
func (b *trainBuilder) targets() {
	h := b.t.Head
	if s, ok := b.word("smooth"); ok {
		b.t.Smooth, _ = b.r.real(s.Form.(*numForm).Value, "smooth", "in [0, 1)", share)
		if h != nil && !smoothed(h) {
			b.unfit(s, "smooth spreads a target over classes or labels, but "+h.FullName()+" has no such targets: it needs "+classLosses+
				", on labels, choices or tokens, without crf").Hintf("remove it")
		}
	}
	if s, ok := b.word("weigh"); ok {
		b.weigh(s, s.Form.(*weighForm))
	}
	if s, ok := b.word("negatives"); ok {
		form := s.Form.(*negativesForm)
		b.t.Negatives, _ = b.r.real(form.Ratio, "negatives", "above 0 and at most 1000", func(v float64) bool { return v > 0 && v <= 1000 })
		b.r.pick(form.From, "negatives are from batch, not from %s", []string{"batch"})
		if h != nil && h.Prompt == nil {
			b.unfit(s, "negatives are labels that a text is asked for in vain, but "+h.FullName()+
				" has the same labels for all texts: heads with prompt labels take them").Hintf("remove it")
		}
	}
	if h != nil {
		b.wholeBatch(h)
		b.compared(h)
	}
}

// compared reports a batch, or parts of a batch, of one text, where a loss compares several texts.
func (b *trainBuilder) compared(h *Head) {
	t := b.t
	if t.Part != 1 || !compares(h) || h.Loss == tasktable.Contrastive && t.Batch > 1 { // contrastive has no parts
		return
	}
	hint := "batch 2 sequences"
	if t.Batch > 1 {
		part := 2
		for t.Batch%part != 0 {
			part++
		}
		if hint = "batch " + counted(t.Batch, "sequence"); part < t.Batch {
			hint += " in parts of " + itoa(part)
		}
	}
	s := b.words.get("batch")
	what := h.Loss
	if h.As == Choices {
		what = "a choice"
	}
	b.r.add(diag.Errorf("range", s.Pos, "%s compares the texts of a group, but a pass has one text", what).Note(h.Pos, "the head is here").Hintf("%s", hint))
}

// wholeBatch reports a batch in parts that a head compares as a whole.
func (b *trainBuilder) wholeBatch(h *Head) {
	if h.Loss == tasktable.Contrastive && b.t.Part > 0 && b.t.Part < b.t.Batch {
		s := b.words.get("batch")
		b.r.add(diag.Errorf("excludes", s.Pos, "%s compares each text with all of its batch, so the batch has no parts", h.Loss).
			Note(h.Pos, "the head is here").Hintf("batch %d sequences", b.t.Batch))
	}
}

// compares reports whether the loss of a head compares several texts.
func compares(h *Head) bool {
	return tasktable.OfVectors(h.Loss) || h.Loss == tasktable.Pairwise || h.Loss == tasktable.Listwise || h.As == Choices
}

// Divides reports whether the losses of a training allow parts of this many texts.
func (t *Train) Divides(part int) bool {
	allows := func(h *Head) bool { return h.Loss != tasktable.Contrastive && (part > 1 || !compares(h)) }
	return allows(t.Head) && !slices.ContainsFunc(t.Also, func(a Also) bool { return !allows(a.Head) })
}

// classLosses names the losses whose targets are classes or labels.
const classLosses = tasktable.CrossEntropy + ", " + tasktable.BinaryCrossEntropy + " or " + tasktable.Focal

// classes reports whether the targets of a head's loss are classes or labels, each row with its own.
func classes(h *Head) bool {
	return (h.Loss == tasktable.CrossEntropy || tasktable.Sigmoid(h.Loss)) && !h.HasStep(StepCRF)
}

// smoothed reports whether the targets of a head can be smoothed. Those of a span are places in the text.
func smoothed(h *Head) bool { return classes(h) && h.As != SpanEnds && h.As != Score }

// unfit reports a word that does not fit the trained head.
func (b *trainBuilder) unfit(s *Stmt, message string) *diag.Diag {
	h := b.t.Head
	d := diag.Errorf("take-loss", s.Pos, "%s", message).Note(h.Pos, "the head is here")
	b.r.add(d)
	return d
}

// weigh resolves the weights of labels.
func (b *trainBuilder) weigh(s *Stmt, form *weighForm) {
	w := &Weigh{Source: source(s)}
	b.t.Weigh = w
	sum, before := 0.0, len(b.r.faults)
	for _, n := range form.Labels {
		v, _ := b.r.real(n, "weight", "at least 0 and at most 1e6", func(v float64) bool { return v >= 0 && v <= 1e6 })
		w.Labels = append(w.Labels, v)
		sum += v
	}
	h := b.t.Head
	switch {
	case h == nil || b.r.errorsSince(before):
	case h.As == Entities:
		b.unfit(s, "weights are for the labels of a head, but the labels of "+h.FullName()+" come with each text").Hintf("remove it")
	case h.As != Labels || !classes(h):
		b.unfit(s, "weights are for labels, but "+h.FullName()+" has no labels that are judged one by one: it needs "+classLosses+", without crf").
			Hintf("remove it")
	case len(w.Labels) != len(h.Labels):
		hint := "weigh labels"
		for i := range h.Labels {
			v := 1.0
			if i < len(w.Labels) {
				v = w.Labels[i]
			}
			hint += " " + float(v)
		}
		b.r.add(diag.Errorf("labels", s.Pos, "%d weights for the %d labels of %s", len(w.Labels), len(h.Labels), h.FullName()).Note(h.Pos, "the head is here").
			Hintf("%s", hint))
	case sum == 0:
		b.r.add(diag.Errorf("range", s.Pos, "all labels have the weight 0, so no example counts").Hintf("remove it"))
	}
}

// String returns the statement without its word.
func (w *Weigh) String() string {
	text := "labels"
	for _, v := range w.Labels {
		text += " " + float(v)
	}
	return text
}
