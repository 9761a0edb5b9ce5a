package compiler

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// NotYet lists, as warnings at the spec's lines, what the targets of a spec emit that this version checks but does not compile, and, as
// errors, what no version can compile.
func NotYet(s *spec.Spec) diag.List {
	var out diag.List
	seen := map[string]bool{}
	for _, t := range s.Targets {
		for _, e := range t.Emit {
			name, m, h := emitted(e)
			list := diag.List{laterEmit(e, name)}
			if m != nil || e.Ensemble != nil {
				list = emitFaults(e, m, h, t)
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

// laterEmit says that a thing that is emitted is not compiled yet.
func laterEmit(e spec.Emit, name string) *diag.Diag {
	return diag.Errorf("not-yet", e.Pos, "emit %s is checked by this version, but not compiled yet", name)
}

// notYet lists, at the spec's lines, what this version checks but does not compile.
func notYet(m *spec.Model, h *spec.Head, t *spec.Target) diag.List {
	var out diag.List
	say := func(src spec.Source, what string) {
		out = append(out, &diag.Diag{Code: "not-yet", Span: src.Pos, Message: what + " is checked by this version, but not compiled yet"})
	}
	if _, ok := namings[m.Checkpoint]; !ok {
		say(m.Source, "the checkpoint scheme "+m.Checkpoint)
	}
	for _, p := range m.Encoder.Attention.Projections {
		if m.Checkpoint == own.scheme && p.Reuse == nil && slices.Contains(takenNames, p.Name) {
			out = append(out, diag.Errorf("checkpoint-scheme", p.Pos, "the layout own gives the name %s to a tensor of every attention, so no projection can have it", p.Name).
				Hintf("use another name than %s for the projection", p.Name))
		}
	}
	a := &m.Encoder.Attention
	if a.Mask != spec.MaskLive {
		say(a.MaskSource, "mask "+a.Mask.String())
	}
	if a.MixScore != nil {
		say(*a.MixScore, "mix score")
	}
	if a.MixWeight != nil {
		say(*a.MixWeight, "mix weight")
	}
	out = append(out, notYetScore(a)...)
	out = append(out, notYetSizes(m)...)
	if t.Weights.Kind != "f32" {
		say(t.Weights.Source, "weights "+t.Weights.Kind)
	}
	if h == nil {
		return out
	}
	if h.Prompt != nil {
		say(h.Prompt.Source, "a head with a label prompt")
	} else if h.Take.Rows == spec.Words {
		say(h.Take.Source, "a head on words")
	}
	for _, s := range h.Steps {
		switch s.Kind {
		case spec.StepLSTM, spec.StepSpans, spec.StepTokens:
			say(s.Source, "this step of a head")
		}
	}
	if n, ok := namings[m.Checkpoint]; ok {
		if _, ok := n.headNames(h); !ok {
			out = append(out, diag.Errorf("checkpoint-scheme", h.Pos, "the published layout %s has no names for the tensors of a head like %s", m.Checkpoint, h.Name).
				Hintf("checkpoint own"))
		}
	}
	return out
}

// notYetSizes finds sizes beyond what the attention's kernels are made for.
func notYetSizes(m *spec.Model) diag.List {
	var out diag.List
	say := func(pos diag.Span, format string, args ...any) {
		out = append(out, &diag.Diag{Code: "not-yet", Span: pos, Message: fmt.Sprintf(format, args...) + " is checked by this version, but not compiled yet"})
	}
	padded := (m.Head + kernel.PanelWidth - 1) / kernel.PanelWidth * kernel.PanelWidth
	stride := 3*m.Heads*padded + kernel.PanelWidth // of q, k and v side by side, with the columns that keep rows out of the same cache sets
	switch {
	case padded > kernel.AttentionMaxHead:
		say(m.Pos, "a head of %d columns, more than %d,", m.Head, kernel.AttentionMaxHead)
	case stride > kernel.AttentionMaxStride:
		say(m.Pos, "an attention of %d heads of %d columns, whose rows are longer than %d,", m.Heads, m.Head, kernel.AttentionMaxStride)
	}
	if r := m.Relative; r != nil && r.Rows > kernel.AttentionMaxRows {
		say(r.Pos, "a table of %d offsets, more than %d,", r.Rows, kernel.AttentionMaxRows)
	}
	return out
}

// notYetScore finds the sums of terms that no kernel computes: two different factors where a kernel has one, or biases of both signs.
func notYetScore(a *spec.Attention) diag.List {
	var out diag.List
	say := func(t spec.Term, why string) {
		out = append(out, &diag.Diag{Code: "not-yet", Span: t.Pos, Message: "this sum of terms is checked by this version, but not compiled yet: " + why})
	}
	seen := map[string]*spec.Proj{}
	one := func(t spec.Term, what string, p *spec.Proj) {
		if other := seen[what]; other != nil && other != p {
			say(t, "two different projections serve as "+what)
			return
		}
		seen[what] = p
	}
	flips := map[spec.Index]bool{}
	kinds := map[string]bool{}
	for _, t := range a.Score {
		kind := t.Kind.String()
		switch t.Kind {
		case spec.ContentContent:
			one(t, "the query", t.Left.Proj)
			one(t, "the key", t.Right.Proj)
		case spec.ContentOffset:
			if t.Content().Index == spec.I {
				one(t, "the query", t.Content().Proj)
				kind += " i"
			} else {
				one(t, "the key", t.Content().Proj)
				kind += " j"
			}
		default:
			if t.Kind == spec.OffsetOffset && t.Left.Index != t.Right.Index {
				say(t, "a product of two rows at opposite offsets")
			}
			flips[t.Left.Index] = true
			if len(flips) > 1 {
				say(t, "lookups with i-j and with j-i in one score")
			}
			continue
		}
		if kinds[kind] {
			say(t, "two terms of the kind "+t.Kind.String()+" over the same position")
		}
		kinds[kind] = true
	}
	return out
}
