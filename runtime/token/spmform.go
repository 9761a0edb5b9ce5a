package token

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// spmForm holds what SentencePiece's own form has besides the unigram model.
type spmForm struct {
	model   *unigram
	norm    spmNormalizer
	kinds   []uint8 // the type of each piece
	surface string  // text of an unknown token in decoded text
	added   matcher
	lower   bool
	punct   bool
}

// SPMOptions holds the settings of FromSPM.
type SPMOptions struct {
	// Lower maps text to lower case first, character by character.
	Lower bool
	// SplitPunct encodes each punctuation character, and each run of other characters, by itself.
	SplitPunct bool
	// Added holds further tokens. If it has no entry for [MASK] and the model has no such piece, [MASK] is added with
	// the first free id, as in DeBERTa v2 and v3.
	Added []AddedToken
	// CLS, SEP, PAD and MASK are the names of the tokens with a meaning. Empty names stand for [CLS] or <s>, [SEP] or
	// </s>, [PAD] or <pad>, [MASK] or <mask>.
	CLS, SEP, PAD, MASK string
}

// FromSPM reads spm.model, a SentencePiece unigram model, and follows SentencePiece's own behavior. The template is
// [CLS] A [SEP] and [CLS] A [SEP] B [SEP], with types 0 and 1.
func FromSPM(b []byte, o SPMOptions) (*Tokenizer, error) {
	m, err := readSPM(b)
	if err != nil {
		return nil, err
	}
	t := &Tokenizer{vocab: newVocabulary(m.texts)}
	f := &spmForm{kinds: m.kinds, surface: m.unknownSurface, lower: o.Lower, punct: o.SplitPunct}
	t.spm = f
	chars, err := newCharsMap(nil, "")
	if len(m.charsMap) > 0 {
		chars, err = parseCharsMap(m.charsMap)
	}
	if err != nil {
		return nil, fmt.Errorf("spm.model: normalizer_spec.precompiled_charsmap: %w", err)
	}
	f.norm = spmNormalizer{chars: chars, dummyPrefix: m.dummyPrefix, removeExtra: m.removeExtra, escape: m.escape, suffix: m.suffix}
	if f.model, err = spmUnigram(m, &t.vocab); err != nil {
		return nil, fmt.Errorf("spm.model: %w", err)
	}
	t.model = f.model

	added := slices.Clone(o.Added)
	// Control pieces can be read as tokens by their names. SentencePiece itself never does this.
	next := int32(t.vocab.size())
	has := func(name string) bool {
		_, ok := t.ID(name)
		return ok || slices.ContainsFunc(added, func(a AddedToken) bool { return a.Content == name })
	}
	for i := range added {
		if added[i].ID >= next {
			next = added[i].ID + 1
		}
	}
	if mask := o.MASK; mask == "" && !has("[MASK]") && !has("<mask>") || mask != "" && !has(mask) {
		if mask == "" {
			mask = "[MASK]"
		}
		added = append(added, AddedToken{ID: -1, Content: mask, Special: true})
	}
	for i := range added {
		if added[i].ID < 0 {
			if id, ok := t.ID(added[i].Content); ok {
				added[i].ID = id
				continue
			}
			added[i].ID = next
			next++
		}
	}
	for i, k := range m.kinds {
		name := m.texts[i]
		if (k == pieceControl || k == pieceUnknown) && !slices.ContainsFunc(added, func(a AddedToken) bool { return a.Content == name }) {
			added = append(added, AddedToken{ID: int32(i), Content: name, Special: true})
		}
	}
	if err := t.setAdded(added); err != nil {
		return nil, fmt.Errorf("spm.model: %w", err)
	}
	if err := t.finishSPM(); err != nil {
		return nil, fmt.Errorf("spm.model: %w", err)
	}
	t.nameIDs(f.model.unknown)
	if err := t.setNames(o.CLS, o.SEP, o.PAD, o.MASK); err != nil {
		return nil, fmt.Errorf("spm.model: %w", err)
	}
	t.template = plainTemplate()
	if t.ids.CLS >= 0 && t.ids.SEP >= 0 {
		t.template = pairTemplate(t.ids.CLS, t.ids.SEP)
	} else {
		t.notes = append(t.notes, "spm.model has no [CLS] and [SEP] (nor <s> and </s>): encodings have no special tokens around them")
	}
	return t, nil
}

// spmUnigram builds the model with SentencePiece's scores: sums in float32, and for a user-defined piece a score that
// grows with its length in bytes, so that it wins: length·max(0.1, highest score of a normal piece) − 0.1, as measured
// on version 0.2.3.
func spmUnigram(m *spmModel, v *vocabulary) (*unigram, error) {
	lowest, highest := float32(math.MaxFloat32), float32(0.1)
	for i, k := range m.kinds {
		if k == pieceNormal {
			lowest, highest = min(lowest, m.scores[i]), max(highest, m.scores[i])
		}
	}
	if lowest > maxScore {
		return nil, fmt.Errorf("no piece is of type normal")
	}
	scores := make([]float64, len(m.scores))
	for i, s := range m.scores {
		scores[i] = float64(s)
		if m.kinds[i] == pieceUserDefined {
			if scores[i] = float64(float32(len(m.texts[i]))*highest - 0.1); scores[i] > maxScore {
				return nil, fmt.Errorf("piece %d, %q, is user-defined, and its %d bytes times the highest score of a normal piece, %v, are more than %g",
					i, m.texts[i], len(m.texts[i]), highest, float64(maxScore))
			}
		}
	}
	left := func(id int32) bool {
		return m.kinds[id] != pieceNormal && m.kinds[id] != pieceUserDefined
	}
	u, err := newUnigram(v, scores, left, nil)
	if err != nil {
		return nil, err
	}
	u.single = true
	u.unknown = int32(slices.Index(m.kinds, pieceUnknown))
	u.penalty = float64(lowest - unknownPenalty)
	if m.fallback {
		u.fallback = true
		for i, k := range m.kinds {
			if k == pieceByte {
				b, _ := byteOfPiece(m.texts[i])
				u.bytes[b] = int32(i)
			}
		}
	}
	return u, nil
}

// finishSPM derives what is not stored.
func (t *Tokenizer) finishSPM() (err error) {
	f := t.spm
	var symbols []string
	var ids []int32
	for i, k := range f.kinds {
		if k == pieceUserDefined {
			ids = append(ids, int32(i))
		}
	}
	slices.SortFunc(ids, func(a, b int32) int { return strings.Compare(t.vocab.text(a), t.vocab.text(b)) })
	for _, id := range ids {
		symbols = append(symbols, t.vocab.text(id))
	}
	if len(symbols) > 0 {
		if f.norm.symbols, err = buildTrie(symbols, ids, nil); err != nil {
			return err
		}
	}
	f.norm.prepare()
	f.added, err = newMatcher(t.added, func(a AddedToken) string { return a.Content })
	f.added.apart = true
	return err
}

// encode appends the tokens of a text to s.out. Each part between added tokens is encoded by itself.
func (f *spmForm) encode(s *scratch, text string) {
	view := stringView(text)
	from, scan := 0, 0
	for {
		c, ok := f.added.next(view, from, scan, s.literal, s.keep)
		if !ok {
			break
		}
		f.part(s, view, from, c.lo)
		s.addedToken(c.token.ID, Span{int32(c.lo), int32(c.hi)}, view[c.lo:c.hi])
		from, scan = c.hi, c.scan
	}
	f.part(s, view, from, len(view))
}

// part cuts at punctuation, if the option is set.
func (f *spmForm) part(s *scratch, text []byte, lo, hi int) {
	if !f.punct {
		f.sentence(s, text, lo, hi)
		return
	}
	from := lo
	for i := lo; i < hi; {
		r, w := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, w = utf8.DecodeRune(text[i:hi])
		}
		if isPunctuation(r) {
			f.sentence(s, text, from, i)
			f.sentence(s, text, i, i+w)
			from = i + w
		}
		i += w
	}
	f.sentence(s, text, from, hi)
}

// sentence is SentencePiece's Encode of text[lo:hi]. SentencePiece has no words; here one begins at each space mark.
func (f *spmForm) sentence(s *scratch, text []byte, lo, hi int) {
	if lo >= hi {
		return
	}
	in := text[lo:hi]
	track := s.out.track
	var at *[]int32
	if track {
		s.origin = s.origin[:0]
		at = &s.origin
	}
	var lowered []int32
	if f.lower {
		in, lowered = s.toLower(in, track)
	}
	norm, ok := f.norm.normalize(s.norm[0].text[:0], in, at)
	s.norm[0].text = norm
	s.over = s.over || !ok
	if len(norm) == 0 {
		return
	}
	m := f.model
	m.best(&s.lat, norm, s.literal)
	span := func(a, b int32) Span {
		if !track {
			return Span{}
		}
		x, y := s.origin[a], s.origin[b]
		if f.lower {
			x, y = lowered[x], lowered[y]
		}
		return Span{int32(lo) + x, int32(lo) + y}
	}
	from, unknown, begun := int32(0), false, false
	for _, n := range s.lat.nodes {
		if track && begun && strings.HasPrefix(bytesView(norm[from:n.end]), f.norm.space) {
			s.word++
		}
		begun = true
		o := span(from, n.end)
		switch {
		case n.id != m.unknown:
			s.token(n.id, o, norm[from:n.end])
		case m.fallback:
			// The last byte holds the character's place; the others are empty.
			for i := from; i < n.end; i++ {
				at := o
				if i+1 < n.end {
					at.End = at.Start
				}
				s.bytePiece(m.bytes[norm[i]], at, norm[i])
			}
		case unknown: // a run of unknown characters is one token
			if track {
				s.out.spans[len(s.out.spans)-1].End = o.End
			}
			if p := s.pieces; p != nil {
				(*p)[len(*p)-1] += string(norm[from:n.end])
			}
		default:
			s.token(n.id, o, norm[from:n.end])
		}
		unknown = n.id == m.unknown
		from = n.end
	}
	s.word++
}

// toLower maps text to lower case. If track is set, it also returns the place that each byte (and the end) came from.
func (s *scratch) toLower(text []byte, track bool) ([]byte, []int32) {
	b, at := s.lower[:0], s.lowerAt[:0]
	for i := 0; i < len(text); {
		r, w := rune(text[i]), 1
		if r >= utf8.RuneSelf {
			r, w = utf8.DecodeRune(text[i:])
		}
		if r == utf8.RuneError && w == 1 {
			b = append(b, text[i])
		} else {
			b = appendLower(b, r)
		}
		if track {
			for len(at) < len(b) {
				at = append(at, int32(i))
			}
		}
		i += w
	}
	if track {
		at = append(at, int32(len(text)))
	}
	s.lower, s.lowerAt = b, at
	return b, at
}

// decode is SentencePiece's decoding of ids. Added tokens after its vocabulary stand for their texts.
func (f *spmForm) decode(t *Tokenizer, ids []int32, skipSpecial bool) string {
	var out, run []byte
	flush := func() {
		for len(run) > 0 {
			r, w := utf8.DecodeRune(run)
			out = utf8.AppendRune(out, r)
			run = run[w:]
		}
	}
	start, seen := true, false // at the beginning of the text; a leading space mark was removed there
	for _, id := range ids {
		outside := int(id) >= len(f.kinds)
		if !outside && f.kinds[id] == pieceByte {
			b, _ := byteOfPiece(t.vocab.text(id))
			run = append(run, b)
			continue
		}
		flush()
		run = run[:0]
		if skipSpecial && outside && t.IsSpecial(id) {
			continue
		}
		if seen || len(out) > 0 {
			start = false
		}
		seen = false
		switch {
		case outside || f.kinds[id] == pieceControl && !skipSpecial:
			p, _ := t.Piece(id)
			out = append(out, p...)
		case f.kinds[id] == pieceControl:
		case f.kinds[id] == pieceUnknown:
			out = append(out, f.surface...)
		default:
			p := t.vocab.text(id)
			if start && (f.norm.dummyPrefix || f.norm.removeExtra) {
				if rest, ok := strings.CutPrefix(p, space); ok {
					p, seen = rest, !f.norm.removeExtra
				}
			}
			out = append(out, strings.ReplaceAll(p, space, " ")...)
		}
	}
	flush()
	return string(out)
}
