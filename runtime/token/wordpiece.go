package token

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// wordPiece cuts a word from the left into the longest pieces (Wu et al. 2016, "Google's Neural Machine Translation
// System", section 4.1; the greedy form that BERT uses). A word that cannot be cut into pieces, or is too long, is
// unknown.
type wordPiece struct {
	first   trie // pieces at a word's start; marked: names of special tokens
	rest    trie // pieces after the start, without their prefix; empty if the vocabulary has no such pieces
	unknown int32
	limit   int32 // length of the longest word in characters
	prefix  string
}

func (m *wordPiece) kind() string   { return "WordPiece" }
func (m *wordPiece) missing() int32 { return m.unknown }

func newWordPiece(v *vocabulary, prefix string, special func(id int32) bool) (*wordPiece, error) {
	m := &wordPiece{prefix: prefix}
	var firsts, rests []string
	var firstIDs, restIDs []int32
	for _, id := range v.sorted() {
		k := v.text(id)
		if k == "" {
			continue
		}
		if n := len(firsts); n > 0 && firsts[n-1] == k {
			firstIDs[n-1] = id // if pieces are equal, the last one counts
		} else {
			firsts, firstIDs = append(firsts, k), append(firstIDs, id)
		}
		k, ok := strings.CutPrefix(k, prefix)
		if !ok || k == "" {
			continue
		}
		if n := len(rests); n > 0 && rests[n-1] == k {
			restIDs[n-1] = id
		} else {
			rests, restIDs = append(rests, k), append(restIDs, id)
		}
	}
	if len(firsts) == 0 {
		return nil, fmt.Errorf("the vocabulary has no piece")
	}
	var err error
	if m.first, err = buildTrie(firsts, firstIDs, special); err != nil {
		return nil, err
	}
	if len(rests) > 0 {
		m.rest, err = buildTrie(rests, restIDs, special)
	}
	return m, err
}

func (m *wordPiece) check(ids int) error {
	if err := m.first.check(ids); err != nil {
		return err
	}
	if len(m.rest) > 0 {
		if err := m.rest.check(ids); err != nil {
			return err
		}
	}
	if m.unknown < 0 || int(m.unknown) >= ids || m.limit < 0 {
		return fmt.Errorf("unknown id %d of %d, longest word %d", m.unknown, ids, m.limit)
	}
	return nil
}

func (m *wordPiece) word(s *scratch, c chunk, literal bool) {
	n := int32(len(c.text))
	if n > m.limit && int32(utf8.RuneCount(c.text)) > m.limit {
		s.unknown(m.unknown, c.at(0, n), c.text)
		return
	}
	nodes, t := s.lat.nodes[:0], m.first
	for at := int32(0); at < n; t = m.rest {
		w, id := t.longestPiece(c.text[at:], literal)
		if w == 0 {
			s.lat.nodes = nodes
			s.unknown(m.unknown, c.at(0, n), c.text)
			return
		}
		at += int32(w)
		nodes = append(nodes, node{at, id})
	}
	s.lat.nodes = nodes
	from := int32(0)
	for _, p := range nodes {
		s.token(p.id, c.at(from, p.end), c.text[from:p.end])
		from = p.end
	}
}

// wordPieceDecoder joins tokens by spaces, except those with the prefix. If cleanup is set, it removes the spaces that
// English never writes.
type wordPieceDecoder struct {
	prefix  string
	cleanup bool
}

func (d *wordPieceDecoder) decode(tokens []string) []string {
	for i, s := range tokens {
		if i > 0 {
			if rest, ok := strings.CutPrefix(s, d.prefix); ok && d.prefix != "" {
				s = rest
			} else {
				s = " " + s
			}
		}
		if d.cleanup {
			s = cleanUp(s)
		}
		tokens[i] = s
	}
	return tokens
}

// cleanUp applies the reference's replacements, one after another: what one leaves, the next may find.
func cleanUp(s string) string {
	for _, p := range [...][2]string{
		{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"}, {" do not", " don't"}, {" 's", "'s"}, {" 've",
			"'ve"}, {" 're", "'re"},
	} {
		s = strings.ReplaceAll(s, p[0], p[1])
	}
	return s
}
