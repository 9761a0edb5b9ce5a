package spec

import (
	"math"

	"github.com/debertac/debertac/spec/diag"
)

// rsqrt returns 1/sqrt(n).
func rsqrt(n int) float64 { return 1 / math.Sqrt(float64(n)) }

// maxTerms bounds the number of terms of a score. A sensible score has fewer.
const maxTerms = 32

// score resolves the sum and returns the names that it reads.
func (b *modelBuilder) score(t *tree, all map[string]*Proj) map[string]bool {
	used := map[string]bool{}
	a := &b.m.Encoder.Attention
	e := t.find("score")
	a.ScoreSource = sourceOf(e)
	form, ok := formOf[scoreForm](e)
	if !ok {
		if e == nil {
			b.missing(t, a.Pos, "attention has no score", "score "+b.product(all))
		}
		return used
	}
	if len(form.Terms) > maxTerms {
		b.r.add(diag.Errorf("too-large", e.stmt.Pos, "the score has %d terms, more than %d", len(form.Terms), maxTerms))
		return used
	}
	b.sum = form.Terms
	seen := map[Term]diag.Span{}
	products := 0
	for _, f := range form.Terms {
		used[f.Left.Name] = true
		if f.Right != nil {
			used[f.Right.Name] = true
			products++
		}
		term, ok := b.term(t, all, f)
		if !ok {
			continue
		}
		key := term
		key.Source = Source{}
		if before, twice := seen[key]; twice {
			b.r.add(diag.Errorf("term-twice", term.Pos, "the term %s is written twice", term.Text).Note(before, "the first time here").
				Hintf("remove one of the two; scale counts terms"))
			continue
		}
		seen[key] = term.Pos
		a.Score = append(a.Score, term)
	}
	if products == 0 {
		b.r.add(diag.Errorf("term-sides", e.stmt.Pos, "the score has no product, so it does not depend on the text").
			Hintf("score %s + %s", b.product(all), textOf(e.stmt.toks[len(e.stmt.toks)-scoreLen(e.stmt):])))
	}
	return used
}

// term resolves one summand. It returns false if the summand has a fault, which has been reported.
func (b *modelBuilder) term(t *tree, all map[string]*Proj, f *termForm) (Term, bool) {
	term := Term{Source: Source{Pos: spanOfAll(f.Tokens), Text: textOf(f.Tokens)}}
	left, ok := b.factor(t, all, f, f.Left)
	if f.Right == nil {
		if !ok {
			return term, false
		}
		if left.Proj.Kind != Scalar {
			b.r.add(diag.Errorf("term-sides", term.Pos, "%s is a row of head = %d numbers, not a number that could be added", left.Proj.Name, b.m.Head).
				Note(left.Proj.Pos, "%s is projected here", left.Proj.Name).Hintf("%s", b.timesPartner(all, f, left)))
			return term, false
		}
		term.Kind, term.Left = Bias, left
		return term, true
	}
	right, ok2 := b.factor(t, all, f, f.Right)
	if !ok || !ok2 {
		return term, false
	}
	for _, x := range []Factor{left, right} {
		if x.Proj.Kind == Scalar {
			b.r.add(diag.Errorf("term-sides", term.Pos, "%s is one number per head, not a row that could be multiplied", x.Proj.Name).
				Note(x.Proj.Pos, "%s is here", x.Proj.Name).Hintf("%s", b.alone(f, x)))
			return term, false
		}
	}
	switch l, r := left.Index.IsOffset(), right.Index.IsOffset(); {
	case l && r:
		term.Kind = OffsetOffset
	case l || r:
		term.Kind = ContentOffset
	case left.Index == right.Index:
		b.r.add(diag.Errorf("index-kind", term.Pos, "both sides are indexed by %s, so the term does not compare two tokens", left.Index).
			Hintf("%s", b.fresh(f, left.Proj.Name+"[i]·"+right.Proj.Name+"[j]")))
		return term, false
	default:
		term.Kind = ContentContent
		if left.Index == J {
			left, right = right, left
		}
	}
	term.Left, term.Right = left, right
	return term, true
}

// factor resolves NAME[INDEX].
func (b *modelBuilder) factor(t *tree, all map[string]*Proj, in *termForm, f *factorForm) (Factor, bool) {
	at := spanOfAll(f.Tokens)
	var x Index
	switch f.Index {
	case "i":
		x = I
	case "j":
		x = J
	case "i-j":
		x = IJ
	case "j-i":
		x = JI
	default:
		b.r.add(diag.Errorf("index-kind", at, "an index is i, j, i-j or j-i, not %s", f.Index))
		return Factor{}, false
	}
	p, ok := all[f.Name]
	if !ok {
		if !t.isBroken() && !b.open {
			b.r.add(b.unknownFactor(t, all, in, f, x))
		}
		return Factor{}, false
	}
	if p == nil {
		return Factor{}, false
	}
	switch {
	case p.Of == Rel && !x.IsOffset():
		b.r.add(diag.Errorf("index-kind", at, "%s is indexed by a relative offset, not by a position", p.Name).
			Note(p.Pos, "%s is projected from the table %s, whose rows are offsets", p.Name, b.m.Relative.Name).
			Hintf("write %s[i-j] (the released weights) or %s[j-i] (the sign in the paper)", p.Name, p.Name))
	case p.Of == X && x.IsOffset():
		b.r.add(diag.Errorf("index-kind", at, "%s is indexed by a position, not by a relative offset", p.Name).
			Note(p.Pos, "%s is projected from x, whose rows are tokens", p.Name).Hintf("write %s[i] or %s[j]", p.Name, p.Name))
	default:
		return Factor{Proj: p, Index: x}, true
	}
	return Factor{}, false
}
