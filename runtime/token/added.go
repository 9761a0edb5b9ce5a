package token

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// AddedToken is a token outside the word model: it is cut out of a text before anything else.
type AddedToken struct {
	// ID is the token's id. FromSPM replaces -1 by the next free id, from the vocabulary's size upwards.
	ID int32
	// Content is the text that stands for the token.
	Content string
	// SingleWord tokens match only if no word character stands next to them.
	SingleWord bool
	// LStrip and RStrip make the token include the white space before or after it.
	LStrip, RStrip bool
	// Normalized tokens are searched in the normalized text, in their own normalized form.
	Normalized bool
	// Special tokens are left out of decoded text, and are plain characters unless the caller asks for SpecialTokens.
	Special bool
}

// number replaces the ids in tokenizer.json by the ids that the reference library assigns when it reads the file: a token
// of the vocabulary keeps its id there, and the others are numbered in the file's order, starting at the vocabulary's size.
// Models are trained with these ids. Notes name each token whose id in the file differs.
func (t *Tokenizer) number(added []AddedToken) {
	known := map[string]int32{}
	var sizes [MaxPieceBytes + 1]bool // lengths of added tokens; most pieces have another length
	for _, a := range added {
		known[a.Content] = -1
		sizes[min(len(a.Content), MaxPieceBytes)] = true
	}
	for i := range int32(t.vocab.size()) {
		s := t.vocab.text(i)
		if !sizes[min(len(s), MaxPieceBytes)] {
			continue
		}
		if _, ok := known[s]; ok {
			known[s] = i // if pieces are equal, the last one counts
		}
	}
	next := int32(t.vocab.count())
	for i := range added {
		a := &added[i]
		id := known[a.Content]
		if id < 0 {
			id = next
			next++
		}
		if id != a.ID {
			t.notes = append(t.notes, fmt.Sprintf("added token %q has the id %d in tokenizer.json; the reference library assigns %d when it reads the "+
				"file, and so does this tokenizer", a.Content, a.ID, id))
		}
		a.ID = id
		known[a.Content] = id // a token that occurs twice has one id, and setAdded reports it
	}
}

// matcher finds the added tokens of one kind in a text: the leftmost match or, of several at the same place, the longest.
type matcher struct {
	tokens []AddedToken // the trie's values are indices into tokens
	keys   trie
	first  [256]bool
	only   byte // the byte that all keys begin with, if one is set
	one    bool
	apart  bool // a token does not begin inside the white space that the token before it includes
}

func newMatcher(tokens []AddedToken, key func(t AddedToken) string) (matcher, error) {
	m := matcher{tokens: tokens}
	order := make([]int, len(tokens))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return strings.Compare(key(tokens[i]), key(tokens[j])) })
	var keys []string
	var values []int32
	for _, i := range order {
		k := key(tokens[i])
		if k == "" {
			return m, fmt.Errorf("added token %q (id %d) becomes the empty text when it is normalized: the reference library finds that between all "+
				"characters, cuts there and fails on texts beyond ASCII; set its normalized to false, so that it is found as it is written",
				tokens[i].Content, tokens[i].ID)
		}
		if len(keys) > 0 && keys[len(keys)-1] == k {
			return m, fmt.Errorf("added tokens %q and %q are looked for as the same text %q, and the reference library takes one of them at random: keep "+
				"one of them", tokens[values[len(values)-1]].Content, tokens[i].Content, k)
		}
		keys, values = append(keys, k), append(values, int32(i))
		m.first[k[0]] = true
		m.one = (len(keys) == 1 || m.one) && k[0] == keys[0][0]
		m.only = k[0]
	}
	var err error
	if len(keys) > 0 {
		m.keys, err = buildTrie(keys, values, nil)
	}
	return m, err
}

// cut is an added token in a text. The bytes between the end of the last cut and lo are plain text. The search for the next token starts at scan: the reference
// library of the json form searches on where a token's own text ends, even if the token includes the white space after it. So lo and hi can lie before the end
// of the last cut; the text between is then cut again. With LStrip, lo can even lie after hi, and the reference fails.
type cut struct {
	token        *AddedToken
	lo, hi, scan int
}

// next finds the next token. from is the end of the last cut, scan its scan. If literal is set, special tokens are read as
// characters, except the one with the id keep.
func (m *matcher) next(text []byte, from, scan int, literal bool, keep int32) (cut, bool) {
	if len(m.keys) == 0 {
		return cut{}, false
	}
	for i := scan; i < len(text); i++ {
		if m.one {
			n := bytes.IndexByte(text[i:], m.only)
			if n < 0 {
				break
			}
			i += n
		} else if !m.first[text[i]] {
			continue
		}
		n, v := m.keys.longest(text[i:])
		if n == 0 {
			continue
		}
		t := &m.tokens[v]
		c := cut{t, i, i + n, i + n}
		i += n - 1
		if literal && t.Special && t.ID != keep {
			continue
		}
		if t.SingleWord && (wordBefore(text[:c.lo]) || wordBehind(text[c.hi:])) {
			continue
		}
		if t.LStrip {
			for c.lo > from {
				r, w := utf8.DecodeLastRune(text[from:c.lo])
				if !unicode.IsSpace(r) {
					break
				}
				c.lo -= w
			}
			c.lo = max(c.lo, from)
		}
		if t.RStrip {
			for c.hi < len(text) {
				r, w := utf8.DecodeRune(text[c.hi:])
				if !unicode.IsSpace(r) {
					break
				}
				c.hi += w
			}
		}
		if m.apart {
			c.lo, c.scan = max(c.lo, from), c.hi
			if c.hi <= from {
				continue
			}
		}
		return c, true
	}
	return cut{}, false
}

func wordBefore(text []byte) bool {
	r, _ := utf8.DecodeLastRune(text)
	return len(text) > 0 && isWord(r)
}

func wordBehind(text []byte) bool {
	r, _ := utf8.DecodeRune(text)
	return len(text) > 0 && isWord(r)
}

// isWord reports whether \w of Unicode regular expressions (UTS 18, annex C) matches r.
func isWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.In(r, unicode.M, unicode.Nl, unicode.Pc, unicode.Join_Control, unicode.Other_Alphabetic)
}
