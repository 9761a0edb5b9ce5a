package spec

import (
	"slices"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// Hints about the score must not cause new faults. So they name a projection only with an index that fits it, and never propose a term that the score already
// has.

// byKind returns the projections that can have an index, in the order of the text.
func (b *modelBuilder) byKind(all map[string]*Proj, offset bool, kind ProjKind) []string {
	var names []string
	for _, p := range b.m.Encoder.Attention.Projections {
		if all[p.Name] != nil && (p.Of == Rel) == offset && p.Kind == kind {
			names = append(names, p.Name)
		}
	}
	return names
}

// sides returns a term's factors as text, in an order that does not depend on how the term is written.
func sides(term string) string {
	parts := strings.Split(term, "·")
	slices.Sort(parts)
	return strings.Join(parts, "·")
}

// written reports whether a term other than in is the given one.
func (b *modelBuilder) written(in *termForm, term string) bool {
	return slices.ContainsFunc(b.sum, func(o *termForm) bool { return o != in && sides(textOf(o.Tokens)) == sides(term) })
}

// fresh returns a hint with a term in place of in. If the score has that term already, the hint is to remove in.
func (b *modelBuilder) fresh(in *termForm, term string) string {
	if b.written(in, term) {
		return "remove it: the score has the term " + term + " already"
	}
	return term
}

// partners returns the projections that can be multiplied with other, each with its index.
func (b *modelBuilder) partners(all map[string]*Proj, other Factor) []string {
	var list []string
	if other.Index.IsOffset() || other.Index == I {
		for _, n := range b.byKind(all, false, Linear) {
			list = append(list, n+"[j]")
		}
	}
	if other.Index == J {
		for _, n := range b.byKind(all, false, Linear) {
			list = append(list, n+"[i]")
		}
	}
	if !other.Index.IsOffset() {
		for _, n := range b.byKind(all, true, Linear) {
			list = append(list, n+"[i-j]")
		}
	}
	return list
}

// timesPartner returns a hint with a product for a factor that stands alone. It prefers the other side of the usual q·k.
func (b *modelBuilder) timesPartner(all map[string]*Proj, in *termForm, f Factor) string {
	list := b.partners(all, f)
	slices.SortStableFunc(list, func(x, y string) int { return rank(x) - rank(y) })
	text := textOf(in.Tokens)
	for _, p := range list {
		if !b.written(in, text+"·"+p) && !strings.HasPrefix(p, f.Proj.Name+"[") {
			return text + "·" + p
		}
	}
	return "remove it: every product with it is there already"
}

// rank returns an order that puts the names of the usual queries and keys first.
func rank(factor string) int {
	return 2 - min(2, strings.Count(" k[j] q[i] ", " "+factor+" ")*2)
}

// alone returns a hint with a scalar as a term of its own.
func (b *modelBuilder) alone(in *termForm, f Factor) string {
	return b.fresh(in, f.Proj.Name+"["+f.Index.String()+"]")
}

// product returns a product of contents that the projections allow.
func (b *modelBuilder) product(all map[string]*Proj) string {
	names := b.byKind(all, false, Linear)
	pick := func(want string) string {
		if slices.Contains(names, want) || len(names) == 0 {
			return want
		}
		return names[0]
	}
	return pick("q") + "[i]·" + pick("k") + "[j]"
}

// scoreLen returns how many tokens of a score statement are its terms.
func scoreLen(s *Stmt) int {
	for i, t := range s.toks {
		if t.Value == "score" {
			return len(s.toks) - i - 1
		}
	}
	return len(s.toks)
}

// unknownFactor reports a factor whose projection does not exist, because it was dropped or is misspelt. The hint is the nearest projection that fits the
// index.
func (b *modelBuilder) unknownFactor(t *tree, all map[string]*Proj, in *termForm, f *factorForm, x Index) *diag.Diag {
	at := spanOfAll(f.Tokens)
	if drop := t.gone["="+f.Name]; drop != nil {
		return b.stillRead(drop, f.Name, "the score", at).Hintf("score %s", b.without(t))
	}
	d := diag.Errorf("unknown-name", at, "there is no projection %s", f.Name)
	fits := b.byKind(all, x.IsOffset(), Linear)
	if in.Right == nil {
		fits = b.byKind(all, x.IsOffset(), Scalar)
	}
	fits = slices.DeleteFunc(fits, func(n string) bool {
		by := n + "[" + f.Index + "]"
		return b.written(in, strings.Replace(textOf(in.Tokens), textOf(f.Tokens), by, 1))
	})
	near := Nearest(f.Name, fits)
	switch {
	case near != "":
		return d.Hintf("%s[%s]", near, f.Index)
	case len(fits) > 0:
		for i := range fits {
			fits[i] += "[" + f.Index + "]"
		}
		return d.Hintf("one of %s", strings.Join(fits, ", "))
	}
	return d.Hintf("remove the term: no other projection has the index %s here", f.Index)
}

// without returns the score without the terms whose projections do not exist.
func (b *modelBuilder) without(t *tree) string {
	var kept []string
	for _, o := range b.sum {
		if t.at("="+o.Left.Name) != nil && (o.Right == nil || t.at("="+o.Right.Name) != nil) {
			kept = append(kept, textOf(o.Tokens))
		}
	}
	if len(kept) == 0 {
		return "NAME[INDEX]·NAME[INDEX]"
	}
	return strings.Join(kept, " + ")
}

// stillRead reports a drop of something that a remaining statement reads.
func (b *modelBuilder) stillRead(drop *Stmt, name, reader string, at diag.Span) *diag.Diag {
	return diag.Errorf("still-read", drop.Pos, "%s is dropped, but %s still reads it", name, reader).Note(at, "it is read here")
}
