package compiler

import (
	"slices"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// NotYet returns warnings and errors at the spec's lines about what the targets of a spec emit. Warnings are for what this version checks but does not compile,
// or has no kernels for. Errors are for what no version can compile.
func NotYet(s *spec.Spec) diag.List {
	var out diag.List
	seen := map[string]bool{}
	for _, t := range s.Targets {
		all := workOf(s, t)
		for _, w := range all.emits {
			list := w.faults
			for _, p := range w.parts {
				list = append(list, all.inPlainGo(p.model)...)
			}
			for _, d := range list {
				if d.Code == "not-yet" {
					d.Severity = diag.Warning
				}
				if !seen[d.String()] {
					seen[d.String()] = true
					out = append(out, d)
				}
			}
		}
	}
	out.Sort()
	return out
}

// NotEmitted returns warnings about the trainings of a spec without a target, which emits heads alone.
func NotEmitted(s *spec.Spec) (out diag.List) {
	for _, t := range s.Targets {
		if !t.Default {
			return nil
		}
	}
	for _, tr := range s.Trains {
		d := diag.Errorf("no-effect", tr.Pos, "the training %s is not compiled: the spec has no target, so its heads are emitted alone; "+
			"debertac train needs no target", tr.Name).
			Hintf("target t { emit train %s }", tr.Name)
		d.Severity = diag.Warning
		out = append(out, d)
	}
	return out
}

// notYet returns faults, at the spec's lines, about what this version checks but does not compile.
func notYet(p part, t *spec.Target) diag.List {
	m, h := p.model, p.head
	var out diag.List
	say := func(src spec.Source, what string) {
		out = append(out, &diag.Diag{Code: "not-yet", Span: src.Pos, Message: what + " is checked by this version, but not compiled yet"})
	}
	names, published := namings[m.Checkpoint]
	if !published {
		say(m.Source, "the checkpoint scheme "+m.Checkpoint)
	}
	for _, p := range m.Encoder.Attention.Projections {
		if m.Checkpoint == own.scheme && p.Reuse == nil && slices.Contains(takenNames, p.Name) {
			out = append(out, diag.Errorf("checkpoint-scheme", p.Pos, "in the layout own, a tensor of every attention has the name %s, so no projection can "+
				"have it", p.Name).
				Hintf("use another name than %s for the projection", p.Name))
		}
	}
	if t.Weights.Kind != "f32" && t.Weights.Kind != "bf16" {
		say(t.Weights.Source, "weights "+t.Weights.Kind)
	}
	if h == nil {
		return out
	}
	out = append(out, notYetPrompt(h)...)
	if !published {
		return out
	}
	if _, ok := names.headNames(h); !ok {
		out = append(out, diag.Errorf("checkpoint-scheme", h.Pos, "the published layout %s has no names for the tensors of a head like %s", m.Checkpoint,
			h.Name).
			Note(m.Pos, "the model is here").Hintf("%s", names.named(h)))
	}
	return out
}

// named suggests a replacement for a head whose tensors have no names: another layout, the nearest form of this head, or the spec's own names.
func (n naming) named(h *spec.Head) string {
	for _, prompted := range []naming{gliner, gliner2, gliclass} {
		if _, ok := prompted.headNames(h); ok && n.scheme == debertaV2.scheme {
			return spec.OrOwn("checkpoint " + prompted.scheme)
		}
	}
	return spec.OrOwn(h.NamedForm())
}

// notYetPrompt returns faults for steps between the words' rows and their scores that would not apply to labels.
func notYetPrompt(h *spec.Head) diag.List {
	var out diag.List
	switch {
	case h.Prompt == nil || h.As == spec.BySchema:
		return out
	case h.As == spec.OwnLabel:
		return notYetLabels(h)
	}
	var lstm, end *spec.Step
	for _, s := range h.Steps {
		switch {
		case s.Kind == spec.StepDropout:
		case end != nil:
			out = append(out, diag.Errorf("not-yet", s.Pos, "a step after the scores of words is checked by this version, but not compiled yet").
				Note(end.Pos, "the scores are here"))
		case s.Kind == spec.StepSpans || s.Kind == spec.StepTokens:
			end = s
		case s.Kind == spec.StepCRF || s.Kind == spec.StepDecode || s.Kind == spec.StepLinear && s.Tied != "":
			out = append(out, diag.Errorf("not-yet", s.Pos, "this step in a head with labels in its prompt is checked by this version, but not compiled yet"))
		case lstm != nil && s.Kind != spec.StepLSTM:
			out = append(out, diag.Errorf("not-yet", s.Pos, "a step between the LSTM and the scores is checked by this version, but not compiled yet").
				Note(lstm.Pos, "the LSTM is here"))
		}
		if s.Kind == spec.StepLSTM && lstm == nil {
			lstm = s
		}
	}
	return out
}

// notYetLabels returns faults for steps of a head that scores labels.
func notYetLabels(h *spec.Head) diag.List {
	var out diag.List
	say := func(s spec.Source, what string) {
		out = append(out, diag.Errorf("not-yet", s.Pos, "%s is checked by this version, but not compiled yet", what))
	}
	var before *spec.Step // the first step on both kinds of rows
	for _, s := range h.Steps {
		switch {
		case s.Kind == spec.StepCRF || s.Kind == spec.StepDecode || s.Kind == spec.StepLinear && s.Tied != "":
			say(s.Source, "this step in a head that scores labels")
		case s.Kind == spec.StepLSTM && before != nil:
			say(s.Source, "an LSTM after a step that works on labels")
		case s.Kind != spec.StepLSTM && before == nil:
			before = s
		}
	}
	return out
}
