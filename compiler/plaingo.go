package compiler

import (
	"slices"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/ops"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// inPlainGo returns warnings for the parts of a model's attention that have no assembly. They run in plain Go on every processor. It asks the compiled program:
// what fuse joins and tile lays out decides whether there is a kernel.
func (t *targetWork) inPlainGo(m *spec.Model) diag.List {
	if len(t.isas) == 0 || slices.Equal(t.isas, []string{"go"}) {
		return nil
	}
	var out diag.List
	p := t.tiled(m)
	for _, n := range attentions(p) {
		for _, d := range withoutKernel(m, p, n) {
			if !slices.ContainsFunc(out, func(o *diag.Diag) bool { return o.String() == d.String() }) {
				out = append(out, d)
			}
		}
	}
	return out
}

// tiled returns the program of a model when layouts are chosen. It is empty if the model cannot be compiled; then [Compile] reports why.
func (t *targetWork) tiled(m *spec.Model) *ir.Program {
	plain := *m
	if _, ok := namings[m.Checkpoint]; !ok {
		plain.Checkpoint = own.scheme // a name of a tensor decides no layout
	}
	p, err := build(&plain, nil, ir.Bounds{Sequences: t.Batch, Tokens: t.Tokens, Length: min(m.Seq, t.Tokens)}, t.spec.Name, m.Name, Options{})
	if err != nil || runPassesFrom(p, "", "tile") != nil {
		return &ir.Program{}
	}
	return p
}

// attentions returns the attentions of a program.
func attentions(p *ir.Program) []*ir.Node {
	var out []*ir.Node
	for _, r := range p.Regions {
		for _, n := range r.Nodes {
			if classOf(n) == ir.Attention {
				out = append(out, n)
			}
		}
	}
	return out
}

// withoutKernel returns the reasons why no kernel computes an attention.
func withoutKernel(m *spec.Model, p *ir.Program, n *ir.Node) diag.List {
	var out diag.List
	say := func(at diag.Span, format string, args ...any) {
		out = append(out, diag.Warnf("portable", at, format+": the attention runs in plain Go", args...))
	}
	a := &m.Encoder.Attention
	for i, mix := range []*spec.Source{a.MixScore, a.MixWeight} {
		if operand(n, ops.AttnMixScore+i) != nil && mix != nil {
			say(mix.Pos, "no kernel mixes heads")
		}
	}
	heads, head := n.Int("heads"), n.Int("d")
	switch {
	case n.Int("dp") > kernel.AttentionMaxHead:
		at := m.Pos
		if head > m.Head { // products of the score lie side by side
			at = a.ScoreSource.Pos
		}
		say(at, "a head of %d columns is more than the %d that kernels are made for", head, kernel.AttentionMaxHead)
	case max(n.In[ops.AttnQKV].LD, n.Out[0].LD) > kernel.AttentionMaxStride:
		say(m.Pos, "the rows of %d heads of %d columns are longer than the %d that kernels are made for", heads, head, kernel.AttentionMaxStride)
	}
	for which := range 2 {
		if t := operand(n, ops.AttentionTable(n, which)); t != nil && t.Type.Shape[1].N*kernel.PanelWidth > kernel.AttentionMaxRows {
			say(m.Relative.Pos, "a table of %d offsets is larger than the %d that kernels are made for", t.Def.In[0].Type.Shape[0].N, kernel.AttentionMaxRows)
			break
		}
	}
	if apart, err := ops.AttentionJumps(p, n); err == nil && apart {
		say(m.Relative.Pos, "some neighbouring offsets have buckets that lie apart, and kernels read neighbouring rows")
	}
	return out
}

// operand returns an operand of a node, or nil if it is missing.
func operand(n *ir.Node, i int) *ir.Value {
	if i < len(n.In) {
		return n.In[i]
	}
	return nil
}
