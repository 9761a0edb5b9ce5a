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
	if t.Clip > 0 {
		add("clip %s", float(t.Clip))
	}
	if t.Memory > 0 {
		add("memory <= %s MiB", float(float64(t.Memory)/(1<<20)))
	}
	if r := t.Replace; r != nil {
		add("replace %s", r)
		add("weight %s", float(t.Weight))
	}
	if t.Mask > 0 {
		add("mask %s", percent(t.Mask))
	}
	if s := t.Sift; s != nil {
		add("sift { perturb embed.norm; noise %s; step %s; ascend %d; loss %s; weight %s }", float(s.Noise), float(s.Step), s.Ascend, s.Loss, float(s.Weight))
	}
	return list
}

// String returns the statement without its word.
func (r *Replace) String() string {
	text := "from " + r.Generator.FullName()
	if r.Share != "" {
		text += " share " + r.Share
	}
	if r.Stop {
		text += " stopping gradient"
	}
	return text
}

// explainTrain writes a training as a spec would, with its defaults.
func explainTrain(b *strings.Builder, t *Train) {
	fmt.Fprintf(b, "train %s on %s\n", t.Name, t.Head.FullName())
	for _, l := range t.Statements() {
		b.WriteString("  " + l + "\n")
	}
}
