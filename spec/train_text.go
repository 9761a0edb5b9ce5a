package spec

import (
	"fmt"
	"strings"
)

// Statements returns what a training is, as statements of the language: with what the spec leaves to defaults, and without comments. The same block with these
// statements in place of its own is the same training.
func (t *Train) Statements() []string {
	var list []string
	add := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if t.Part < t.Batch {
		add("batch %d sequences in parts of %d", t.Batch, t.Part)
	} else {
		add("batch %d sequences", t.Batch)
	}
	if t.Length > 0 {
		add("length %d tokens", t.Length)
	}
	if t.Steps > 0 {
		add("steps %d steps", t.Steps)
	} else {
		add("epochs %d", t.Epochs)
	}
	add("precision %s master %s", t.Precision.Compute, t.Precision.Master)
	add("optimizer %s", t.Optimizer)
	if l := t.Lookahead; l != nil {
		add("lookahead %d steps mix %s", l.Every, float(l.Mix))
	}
	add("rate %s", t.Rate)
	if t.Freeze != nil {
		add("freeze %s", t.Freeze)
	}
	if t.Lora != nil {
		add("lora %s", t.Lora)
	}
	if t.Smooth > 0 {
		add("smooth %s", float(t.Smooth))
	}
	if t.Weigh != nil {
		add("weigh %s", t.Weigh)
	}
	if t.Negatives > 0 {
		add("negatives %s from batch", float(t.Negatives))
	}
	if t.Clip > 0 {
		add("clip %s", float(t.Clip))
	}
	if t.Memory > 0 {
		add("memory <= %s MiB", float(float64(t.Memory)/(1<<20)))
	}
	if r := t.Replace; r != nil {
		add("replace %s", r)
		add("updates %s", choose(r.Apart, "apart", "together"))
		add("weight %s", float(t.Weight))
	}
	if t.Mask != nil {
		add("mask %s", t.Mask)
	}
	for _, a := range t.Also {
		add("also %s share all weight %s", a.Head.FullName(), float(a.Weight))
	}
	if s := t.Sift; s != nil {
		add("sift { perturb embed.norm; noise %s; step %s; ascend %d; loss %s; weight %s }", float(s.Noise), float(s.Step), s.Ascend, s.Loss, float(s.Weight))
	}
	return list
}

// String returns the statement without its word.
func (m *Masking) String() string {
	unit := choose(m.Words, "words", "tokens")
	return fmt.Sprintf("%s of %s runs <= %d keep %s random %s", percent(m.Share), unit, m.Runs, percent(m.Keep), percent(m.Random))
}

// explainTrain writes a training as a spec would, with its defaults.
func explainTrain(b *strings.Builder, t *Train) {
	fmt.Fprintf(b, "train %s on %s\n", t.Name, t.Head.FullName())
	for _, l := range t.Statements() {
		b.WriteString("  " + l + "\n")
	}
}
