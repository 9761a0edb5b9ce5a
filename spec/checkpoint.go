package spec

import (
	"fmt"
	"slices"

	"github.com/debertac/debertac/spec/diag"
)

// scheme checks that the checkpoint's layout has a name for every tensor of the model.
func (b *modelBuilder) scheme() {
	m := b.m
	if m.Checkpoint == "own" || b.t.isBroken() || b.r.errorsSince(b.before) {
		return
	}
	deberta := m.Checkpoint != "hf.bert" && m.Checkpoint != "hf.roberta"
	att := &m.Encoder.Attention
	for _, p := range att.Projections {
		if p.Of == X || deberta {
			b.schemeProj(p)
		}
	}
	for _, mix := range []*Source{att.MixScore, att.MixWeight} {
		if mix != nil && (m.Checkpoint != "hf.deberta" || att.MixScore == nil || att.MixWeight == nil) {
			if m.Checkpoint == "hf.deberta" {
				b.refuse(*mix, "talking heads with both mix score and mix weight, or neither")
			} else {
				b.refuse(*mix, "no talking heads")
			}
			break
		}
	}
	if m.Relative != nil && !deberta {
		b.refuse(m.Relative.Source, "no table of relative offsets")
	}
	if m.Relative != nil && m.Relative.Norm != nil && m.Checkpoint == "hf.deberta" {
		b.refuse(m.Relative.Norm.Source, "no norm of the relative table")
	}
	if c := m.Encoder.Conv; c != nil {
		switch {
		case !slices.Contains([]string{"hf.deberta_v2", "hf.gliner", "hf.gliner2", "hf.gliclass"}, m.Checkpoint):
			b.refuse(c.Source, "no convolution")
		case c.Beside != 1:
			b.refuse(c.Source, "the convolution beside layer 1 only")
		}
	}
	if m.Embed.Norm == nil && m.Embed.Source.Text != "" {
		b.refuse(m.Embed.Source, "always a norm in embed")
	}
	if !deberta && m.Embed.Width != m.Hidden && m.Embed.Width > 0 {
		b.refuse(m.Embed.Source, "no projection of the input")
	}
	if a := m.Embed.Absolute; a != nil && a.From != 0 && m.Checkpoint != "hf.roberta" {
		b.refuse(a.Source, "absolute positions from row 0 only")
	}
	if len(m.Decoders) > 0 && !deberta {
		b.refuse(m.Decoders[0].Source, "no enhanced mask decoder")
	}
	if len(m.Absolutes) > 1 || len(m.Absolutes) == 1 && m.Embed.Absolute != nil {
		b.refuse(m.Absolutes[len(m.Absolutes)-1].Source, "one table of absolute positions")
	}
}

func (b *modelBuilder) refuse(at Source, has string) {
	if b.r.Drawn {
		b.drawn = true
		return
	}
	b.r.add(diag.Errorf("checkpoint-scheme", at.Pos, "the layout %s has %s", b.m.Checkpoint, has).Hintf("checkpoint own"))
}

// projLayout describes a projection of a published layout.
type projLayout struct {
	of    Operand
	bias  bool
	reuse string // the projection whose weights it uses; "" for its own
}

// layouts holds the projections of each published layout. If a name has two entries, either is accepted.
var layouts = map[string]map[string][]projLayout{
	"hf.deberta": {
		"q": {{X, true, ""}}, "k": {{X, false, ""}}, "v": {{X, true, ""}},
		"kr": {{Rel, false, ""}}, "qr": {{Rel, true, ""}},
	},
	"hf.deberta_v2": {
		"q": {{X, true, ""}}, "k": {{X, true, ""}}, "v": {{X, true, ""}},
		"kr": {{Rel, true, "k"}, {Rel, true, ""}}, "qr": {{Rel, true, "q"}, {Rel, true, ""}},
	},
	"hf.bert": {"q": {{X, true, ""}}, "k": {{X, true, ""}}, "v": {{X, true, ""}}},
}

func init() {
	layouts["hf.roberta"] = layouts["hf.bert"]
	for _, scheme := range []string{"hf.gliner", "hf.gliner2", "hf.gliclass"} {
		layouts[scheme] = layouts["hf.deberta_v2"]
	}
}

func (b *modelBuilder) schemeProj(p *Proj) {
	options, ok := layouts[b.m.Checkpoint][p.Name]
	if !ok || p.Kind == Scalar {
		b.refuse(p.Source, "no tensor for the projection "+p.Name)
		return
	}
	reuse := ""
	if p.Reuse != nil {
		reuse = p.Reuse.Name
	}
	for _, o := range options {
		if o.of == p.Of && o.reuse == reuse && (o.bias == p.Bias || p.Reuse != nil) { // a shared bias is its owner's
			b.schemeShared(p)
			return
		}
	}
	b.refuse(p.Source, fmt.Sprintf("%s = %s", p.Name, options[0]))
}

// String returns the right side of the assignment.
func (l projLayout) String() string {
	fn, arg, bias := "linear", "x", ""
	if l.reuse != "" {
		fn = l.reuse
	}
	if l.of == Rel {
		arg = "rel"
	}
	if !l.bias {
		bias = ", bias: no"
	}
	return fn + "(" + arg + bias + ")"
}

// schemeShared checks that kr and qr are both shared or both have their own weights: a published config has one flag for both.
func (b *modelBuilder) schemeShared(p *Proj) {
	other := b.m.Encoder.Attention.Proj("kr")
	if p.Name == "qr" && other != nil && (other.Reuse == nil) != (p.Reuse == nil) {
		b.refuse(p.Source, "either kr = k(rel) and qr = q(rel), or own projections for both")
	}
}
