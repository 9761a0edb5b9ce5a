package compiler

import (
	"slices"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// inPlainGo returns warnings for the parts of an attention that have no assembly. They run in plain Go on every processor.
func inPlainGo(m *spec.Model, t *spec.Target) diag.List {
	var out diag.List
	if isas, _ := instructionSets(t); len(isas) == 0 || slices.Equal(isas, []string{"go"}) {
		return out
	}
	say := func(at diag.Span, format string, args ...any) {
		out = append(out, diag.Warnf("portable", at, format+": the attention runs in plain Go", args...))
	}
	a := &m.Encoder.Attention
	for _, mix := range []*spec.Source{a.MixScore, a.MixWeight} {
		if mix != nil {
			say(mix.Pos, "no kernel mixes heads")
		}
	}
	slots, rows := scoreSize(m)
	head := m.Head * slots // as wide as the products of the score side by side
	padded := (head + kernel.PanelWidth - 1) / kernel.PanelWidth * kernel.PanelWidth
	stride := 3*m.Heads*padded + kernel.PanelWidth // of q, k and v side by side, with the columns that keep rows out of the same cache sets
	switch at := m.Pos; {
	case padded > kernel.AttentionMaxHead:
		if slots > 1 {
			at = a.ScoreSource.Pos
		}
		say(at, "a head of %d columns is more than the %d that kernels are made for", head, kernel.AttentionMaxHead)
	case stride > kernel.AttentionMaxStride:
		say(m.Pos, "the rows of %d heads of %d columns are longer than the %d that kernels are made for", m.Heads, head, kernel.AttentionMaxStride)
	}
	if rows > kernel.AttentionMaxRows {
		say(m.Relative.Pos, "a table of %d offsets is larger than the %d that kernels are made for", rows, kernel.AttentionMaxRows)
	}
	return out
}

// scoreSize returns the number of products of contents that lie side by side in a head, and the number of rows of the relative table as kernels read it.
func scoreSize(m *spec.Model) (slots, rows int) {
	p := &parts{}
	made := map[spec.Factor]*ir.Value{}
	value := func(f spec.Factor) *ir.Value {
		if made[f] == nil {
			made[f] = &ir.Value{Name: f.Proj.Name}
		}
		return made[f]
	}
	for _, t := range m.Encoder.Attention.Score {
		switch {
		case t.Kind == spec.ContentContent:
			p.cc = append(p.cc, slot{value(t.Left), value(t.Right)})
		case t.Kind != spec.ContentOffset:
		case t.Content().Index == spec.I:
			p.cp = append(p.cp, offsetTerm{content: value(t.Content()), flip: t.Offset().Index == spec.JI})
		default:
			p.pc = append(p.pc, offsetTerm{content: value(t.Content()), flip: t.Offset().Index == spec.JI})
		}
	}
	if len(p.cp)+len(p.pc) > 0 {
		rows = m.Relative.Rows
		if p.bothSigns() {
			rows = 2*m.Seq - 1
		}
	}
	return len(p.slots()), rows
}
