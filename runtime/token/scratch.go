package token

import (
	"fmt"
	"math"
)

// MaxTextBytes is the longest text that can be encoded. Positions have 32 bits, and a text can grow when it is normalized.
const MaxTextBytes = math.MaxInt32 / 128

// maxGrowth is how many times longer a text may become. The largest growth in use is 13: one character of 3 bytes, a
// ligature of a whole phrase, becomes 18 characters with spaces between. A file with more growth is damaged or hostile.
const maxGrowth = 16

var errGrowth = fmt.Errorf("the text grows more than %d times as it is normalised", maxGrowth)

// growthLimit returns the most bytes that n bytes may become. Short texts may always grow by a prefix.
func growthLimit(n int) int { return 1024 + maxGrowth*n }

// tokenRun is a list of tokens with what is known about them. spans and words are filled only if track is set, edges only
// if trim is also set.
type tokenRun struct {
	ids   []int32
	spans []Span
	words []int32
	edges []edge
	track bool
	trim  bool
}

// reset empties the run and sets track, so that the run keeps the places of tokens.
func (r *tokenRun) reset(trim bool) {
	r.ids, r.spans, r.words, r.edges = r.ids[:0], r.spans[:0], r.words[:0], r.edges[:0]
	r.track, r.trim = true, trim
}

func (r *tokenRun) add(id int32, at Span, word int32) {
	r.ids = append(r.ids, id)
	if r.track {
		r.spans = append(r.spans, at)
		r.words = append(r.words, word)
	}
}

// scratch is the working memory of one call. It is pooled, so that steady state allocates nothing.
type scratch struct {
	t       *Tokenizer
	out     *tokenRun
	run     tokenRun // used by AppendSpans
	ids     tokenRun // used by AppendIDs: writes into the caller's slice
	lat     lattice
	sym     symbols
	load    buffer
	norm    [2]buffer
	cut     []buffer // one per pre-tokenizer
	emit    []func(c chunk)
	edits   []edit
	marks   []decomposed
	marked  buffer // used by BERT's accents
	literal bool
	keep    int32 // the special token that is read as a token even in literal text; -1: none
	word    int32 // index of the current word
	lower   []byte
	lowerAt []int32
	origin  []int32     // SentencePiece: where each normalized byte came from
	pieces  *[]string   // used by Pieces: the texts of the tokens
	limit   int         // most bytes that the current text may have
	over    bool        // the text had more bytes
	inside  *AddedToken // an added token that begins after its own end: there is no result
}

func (t *Tokenizer) get() *scratch {
	if s, ok := t.pool.Get().(*scratch); ok {
		return s
	}
	s := &scratch{t: t, cut: make([]buffer, len(t.cuts))}
	// The steps of the pre-tokenizer call each other through these functions, which are made once, because making them in each call would allocate.
	s.emit = make([]func(c chunk), len(t.cuts)+1)
	for i := range t.cuts {
		s.emit[i] = func(c chunk) { t.cuts[i].split(c, &s.cut[i], s.emit[i+1]) }
	}
	s.emit[len(t.cuts)] = func(c chunk) {
		if len(c.text) > 0 {
			t.model.word(s, c, s.literal)
			s.word++
		}
	}
	return s
}

// keepBytes is the most memory that a pooled value keeps, so that a single huge text does not hold its memory forever.
const keepBytes = 1 << 20

func (t *Tokenizer) put(s *scratch) {
	if cap(s.load.text)+cap(s.norm[0].text)+cap(s.norm[1].text)+len(s.lat.cells)+cap(s.edits)+cap(s.sym.merge) > keepBytes {
		return
	}
	s.out, s.ids, s.pieces = nil, tokenRun{}, nil
	t.pool.Put(s)
}

// token appends a token; surface is the normalized text that it stands for.
func (s *scratch) token(id int32, at Span, surface []byte) {
	s.out.add(id, at, s.word)
	if s.out.trim {
		s.out.edges = append(s.out.edges, edgesOf(surface))
	}
	if s.pieces != nil {
		*s.pieces = append(*s.pieces, string(surface))
	}
}

// unknown appends the unknown token. Its edges are those of its own name, which has no white space to trim, instead of
// those of surface.
func (s *scratch) unknown(id int32, at Span, surface []byte) {
	s.out.add(id, at, s.word)
	if s.out.trim {
		s.out.edges = append(s.out.edges, edge{})
	}
	if s.pieces != nil {
		*s.pieces = append(*s.pieces, string(surface))
	}
}

// addedToken appends an added token, which is a word of its own.
func (s *scratch) addedToken(id int32, at Span, surface []byte) {
	s.out.add(id, at, s.word)
	if s.out.trim {
		s.out.edges = append(s.out.edges, edgesOfAdded(surface, classes()))
	}
	if s.pieces != nil {
		*s.pieces = append(*s.pieces, string(surface))
	}
	s.word++
}

// bytePiece appends the piece of one byte.
func (s *scratch) bytePiece(id int32, at Span, c byte) {
	s.out.add(id, at, s.word)
	if s.out.trim {
		s.out.edges = append(s.out.edges, edge{})
	}
	if s.pieces != nil {
		*s.pieces = append(*s.pieces, fmt.Sprintf("<0x%02X>", c))
	}
}

// text encodes one text, without a template, into s.out.
func (s *scratch) text(text string, mode Special) error {
	s.literal, s.keep = mode != SpecialTokens, -1
	if mode == SpecialMask {
		s.keep = s.t.ids.MASK
	}
	s.word, s.over, s.inside = 0, false, nil
	if s.t.spm != nil {
		s.t.spm.encode(s, text)
	} else {
		s.jsonText(text)
	}
	switch {
	case s.over:
		return errGrowth
	case s.inside != nil:
		return fmt.Errorf("added token %q, which takes the white space before it (lstrip), begins inside white space that another added token has taken "+
			"(rstrip): the reference library fails on this text; set one of the two to false in tokenizer.json", s.inside.Content)
	}
	return nil
}

// jsonText cuts added tokens out, normalizes the text between them, cuts added tokens out of this, and splits the rest into
// words.
func (s *scratch) jsonText(text string) {
	t := s.t
	from, scan := 0, 0
	view := stringView(text)
	for {
		c, ok := t.raw.next(view, from, scan, s.literal, s.keep)
		if !ok {
			break
		}
		if c.lo > c.hi {
			s.inside = c.token
			return
		}
		s.plain(text, from, c.lo)
		if c.lo < c.hi {
			s.addedToken(c.token.ID, Span{int32(c.lo), int32(c.hi)}, view[c.lo:c.hi])
		}
		from, scan = c.hi, c.scan
	}
	s.plain(text, from, len(text))
}

func (s *scratch) plain(text string, lo, hi int) {
	if lo >= hi {
		return
	}
	t := s.t
	s.limit = growthLimit(hi - lo)
	c := s.normalize(t.steps, s.load.load(text, lo, hi, s.out.track || t.track))
	from, scan := 0, 0
	for {
		k, ok := t.normal.next(c.text, from, scan, s.literal, s.keep)
		if !ok {
			break
		}
		if from < k.lo {
			s.emit[0](c.slice(from, k.lo))
		}
		if k.lo > k.hi {
			s.inside = k.token
			return
		}
		if k.lo < k.hi {
			var at Span
			if c.span != nil {
				at = Span{c.span[k.lo].Start, c.span[k.hi-1].End}
			}
			s.addedToken(k.token.ID, at, c.text[k.lo:k.hi])
		}
		from, scan = k.hi, k.scan
	}
	if from < len(c.text) {
		s.emit[0](c.slice(from, len(c.text)))
	}
}

// word appends the pieces of c.
func (m *unigram) word(s *scratch, c chunk, literal bool) {
	m.best(&s.lat, c.text, literal)
	nodes := s.lat.nodes
	from := int32(0)
	for i := 0; i < len(nodes); i++ {
		if nodes[i].id != m.unknown {
			s.token(nodes[i].id, c.at(from, nodes[i].end), c.text[from:nodes[i].end])
			from = nodes[i].end
			continue
		}
		for i+1 < len(nodes) && nodes[i+1].id == m.unknown {
			i++
		}
		end := nodes[i].end
		m.unknownRun(s, c.text[from:end], c.at(from, end), literal)
		from = end
	}
}

// at returns the part of the original that bytes lo to hi of c stand for.
func (c chunk) at(lo, hi int32) Span {
	if c.span == nil {
		return Span{}
	}
	return Span{c.span[lo].Start, c.span[hi-1].End}
}

// unknownRun appends a run of unknown characters: as the piece with this text, if there is one, or as byte pieces, or as
// one unknown token.
func (m *unigram) unknownRun(s *scratch, run []byte, at Span, literal bool) {
	if id, marked := m.pieces.find(run); id >= 0 && !(marked && literal) {
		s.token(id, at, run)
		return
	}
	all := m.fallback
	for _, c := range run {
		all = all && m.bytes[c] >= 0
	}
	if !all {
		s.token(m.unknown, at, run)
		return
	}
	for _, c := range run {
		s.bytePiece(m.bytes[c], at, c)
	}
}
