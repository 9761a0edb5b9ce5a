package spec

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// replace checks that generator and detector fit each other.
func (b *trainBuilder) replace(s *Stmt, form *replaceForm) {
	t := b.t
	g := b.r.headOf(form.From)
	if t.Weight == 0 {
		t.Weight = 50
	}
	if g == nil {
		return
	}
	t.Replace = &Replace{Source: source(s), Generator: g, Stop: form.Stop}
	if t.Head == nil {
		return
	}
	if t.Head.Layout() != ReplacedLayout {
		b.r.add(diag.Errorf("take-loss", s.Pos, "%s does not judge every token", t.Head.FullName()).Note(t.Head.Pos, "the head is here").
			Hintf("take each + first; norm; linear hidden; act; linear 1; loss binary_cross_entropy"))
	}
	if g.Take.Rows != Masked {
		b.r.add(diag.Errorf("take-loss", s.Pos, "%s does not predict masked tokens, so it cannot replace any", g.FullName()).
			Note(g.Pos, "the generator is here").
			Hintf("take masked; linear hidden; act; norm; linear vocab tied embed.token"))
	}
	b.r.noLoss(g, s.Pos, "the generator is here")
	for _, p := range form.Share {
		b.shared(form, p)
	}
	a, c := g.Model, t.Head.Model
	if a.Vocab != c.Vocab || slices.Contains(t.Replace.Share, "embed.token") && a.Embed.Width != c.Embed.Width {
		b.r.add(diag.Errorf("shapes", s.Pos, "the token tables differ: %d rows of %d in %s, %d rows of %d in %s", a.Vocab, a.Embed.Width, a.Name, c.Vocab,
			c.Embed.Width, c.Name).
			Note(a.Embed.Token.Pos, "the generator's table is here").Note(c.Embed.Token.Pos, "the detector's table is here"))
	}
}

// Positions returns the model's table of absolute positions that a spec calls name: embed.absolute, or absolute.NAME. It is nil if there is no such table.
func (m *Model) Positions(name string) *Absolute {
	if name == "embed.absolute" {
		return m.Embed.Absolute
	}
	for _, a := range m.Absolutes {
		if name == "absolute."+a.Name {
			return a
		}
	}
	return nil
}

// shareable returns the tables that generator and detector can share.
func shareable(g, d *Model) (names []string) {
	if g.Vocab == d.Vocab && g.Embed.Width == d.Embed.Width {
		names = append(names, "embed.token")
	}
	for _, name := range g.positions() {
		if from, to := g.Positions(name), d.Positions(name); to != nil && from.Rows == to.Rows && from.From == to.From && g.Embed.Width == d.Embed.Width {
			names = append(names, name)
		}
	}
	return names
}

// positions returns the names of the model's tables of absolute positions, as Positions takes them.
func (m *Model) positions() (names []string) {
	if m.Embed.Absolute != nil {
		names = append(names, "embed.absolute")
	}
	for _, a := range m.Absolutes {
		names = append(names, "absolute."+a.Name)
	}
	return names
}

// shared resolves a table that generator and detector share.
func (b *trainBuilder) shared(form *replaceForm, p *path) {
	r, at := b.t.Replace, spanOfAll(p.Tokens)
	name := strings.Join(p.Parts, ".")
	g, d := r.Generator.Model, b.t.Head.Model
	from, to := g.Positions(name), d.Positions(name)
	var fault *diag.Diag
	switch {
	case slices.Contains(r.Share, name):
		fault = diag.Errorf("twice", at, "%s is shared twice", name)
	case name == "embed.token":
	case from == nil && to == nil:
		fault = diag.Errorf("unknown-name", at, "there is no table to share %s", name)
	case from == nil:
		fault = diag.Errorf("unknown-name", at, "%s has no table %s to share, only %s has one", g.Name, name, d.Name).Note(to.Pos, "it is here")
	case to == nil:
		fault = diag.Errorf("unknown-name", at, "%s has no table %s to share, only %s has one", d.Name, name, g.Name).Note(from.Pos, "it is here")
	case !slices.Contains(shareable(g, d), name):
		fault = diag.Errorf("shapes", at, "the tables %s differ: %d rows of %d from row %d in %s, %d rows of %d from row %d in %s", name, from.Rows,
			g.Embed.Width, from.From, g.Name, to.Rows, d.Embed.Width, to.From, d.Name).
			Note(from.Pos, "the generator's table is here").Note(to.Pos, "the detector's table is here")
	}
	if fault == nil {
		r.Share = append(r.Share, name)
		return
	}
	b.r.add(fault.Hintf("replace %s", r.repaired(form, shareable(g, d))))
}

// repaired returns the statement with those of its tables that can be shared, each once, or with all such tables if it has no other.
func (r *Replace) repaired(form *replaceForm, can []string) string {
	fixed := Replace{Generator: r.Generator, Stop: r.Stop}
	for _, p := range form.Share {
		if name := strings.Join(p.Parts, "."); slices.Contains(can, name) && !slices.Contains(fixed.Share, name) {
			fixed.Share = append(fixed.Share, name)
		}
	}
	if fixed.Share == nil {
		fixed.Share = can
	}
	fixed.Stop = fixed.Stop && fixed.Share != nil
	return fixed.String()
}

// String returns the statement without its word.
func (r *Replace) String() string {
	text := "from " + r.Generator.FullName()
	if len(r.Share) > 0 {
		text += " share " + strings.Join(r.Share, ", ")
	}
	if r.Stop {
		text += " stopping gradient"
	}
	return text
}
