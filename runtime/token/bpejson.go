package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// bpeParts holds the parts of a byte-level BPE model, from whichever file they were read.
type bpeParts struct {
	texts    []string // by id, in the byte alphabet
	byText   map[string]int32
	merges   []mergeRow
	unknown  int32
	fuse     bool
	direct   bool // a word that is a piece becomes this piece, whatever the merges would make of it ("ignore_merges")
	fallback bool
}

func readBPE(n jnode, v *vocabulary) (modelMaker, error) {
	all, err := n.object("type", "dropout", "unk_token", "continuing_subword_prefix", "end_of_word_suffix", "fuse_unk", "byte_fallback", "ignore_merges",
		"vocab", "merges")
	if err != nil {
		return nil, err
	}
	p := &bpeParts{unknown: -1}
	if k := all["dropout"]; !k.null() {
		var x float64
		if json.Unmarshal(k.raw, &x) != nil || x != 0 {
			return nil, k.errorf("%s is not supported (supported: null and 0; with dropout the encoding of a text is random)", k.raw)
		}
	}
	for _, name := range []string{"continuing_subword_prefix", "end_of_word_suffix"} {
		if k := all[name]; !k.null() {
			s, err := k.str()
			if err != nil {
				return nil, err
			}
			if s != "" {
				return nil, k.errorf("%q is not supported (supported: null and \"\"; byte-level BPE has none)", s)
			}
		}
	}
	for _, f := range []struct {
		name string
		v    *bool
	}{{"fuse_unk", &p.fuse}, {"byte_fallback", &p.fallback}, {"ignore_merges", &p.direct}} {
		if *f.v, err = all[f.name].flag(false); err != nil {
			return nil, err
		}
	}
	if p.texts, p.byText, err = all["vocab"].ids(); err != nil {
		return nil, err
	}
	if k := all["unk_token"]; !k.null() {
		s, err := k.str()
		if err != nil {
			return nil, err
		}
		// In some files an empty name means that there is no token.
		if id, ok := p.byText[s]; ok {
			p.unknown = id
		} else if s != "" {
			return nil, k.errorf("%q is not in the vocabulary", s)
		}
	}
	pairs, err := readMerges(all["merges"])
	if err != nil {
		return nil, err
	}
	if err := p.setMerges(pairs, func(i int) string { return fmt.Sprintf("%s[%d]", all["merges"].path, i) }); err != nil {
		return nil, err
	}
	if err := p.checkFallback(); err != nil {
		return nil, all["byte_fallback"].errorf("%v", err)
	}
	*v = newVocabulary(p.texts)
	return p.make, nil
}

// readMerges reads an array of pairs: "a b", as older files have it, or ["a", "b"].
func readMerges(n jnode) ([][2]string, error) {
	var list []mergePair
	if n.null() || n.raw[0] != '[' {
		return nil, n.errorf(`want an array of "a b" or ["a", "b"]`)
	}
	if err := json.Unmarshal(n.raw, &list); err != nil {
		return nil, n.errorf(`want an array of "a b" or ["a", "b"] (%v)`, err)
	}
	pairs := make([][2]string, len(list))
	for i, p := range list {
		pairs[i] = p
	}
	return pairs, nil
}

type mergePair [2]string

// UnmarshalJSON reads both ways of writing a pair.
func (p *mergePair) UnmarshalJSON(b []byte) error {
	var parts []string
	if b[0] == '"' {
		var s string
		if err := json.Unmarshal(b, &s); err != nil {
			return err
		}
		parts = strings.Split(s, " ")
	} else if b[0] != '[' || json.Unmarshal(b, &parts) != nil {
		parts = nil
	}
	if len(parts) != 2 || bytes.Contains(b, []byte("null")) && slices.Contains(parts, "") {
		return fmt.Errorf("a merge is not a pair: %.60s", b)
	}
	*p = mergePair(parts)
	return nil
}

// setMerges finds the pieces of each merge. place returns where a merge stands in the file.
func (p *bpeParts) setMerges(pairs [][2]string, place func(i int) string) error {
	if len(pairs) > maxID {
		return fmt.Errorf("%s: %d merges (at most %d)", place(maxID), len(pairs), maxID)
	}
	p.merges = make([]mergeRow, len(pairs))
	for i, x := range pairs {
		left, ok1 := p.byText[x[0]]
		right, ok2 := p.byText[x[1]]
		out, ok3 := p.byText[x[0]+x[1]]
		for _, y := range []struct {
			ok   bool
			text string
		}{{ok1, x[0]}, {ok2, x[1]}, {ok3, x[0] + x[1]}} {
			if !y.ok {
				return fmt.Errorf("%s: the merge of %q and %q needs %q, which is not in the vocabulary", place(i), x[0], x[1], y.text)
			}
		}
		p.merges[i] = mergeRow{left, right, out}
	}
	return nil
}

// bytePieces returns the piece of each byte, -1 for bytes without one, and how many bytes have no piece.
func (p *bpeParts) bytePieces() (ids [256]int32, missing int) {
	for b, r := range byteChars {
		id, ok := p.byText[string(r)]
		if !ok {
			id = -1
			missing++
		}
		ids[b] = id
	}
	return ids, missing
}

func (p *bpeParts) checkFallback() error {
	if _, missing := p.bytePieces(); p.fallback && missing > 0 {
		return fmt.Errorf("true is not supported where the vocabulary lacks pieces for bytes, here %d (supported: vocabularies with all 256)", missing)
	}
	return nil
}

// make builds the model. Pieces with characters outside the byte alphabet can only be reached as added
// tokens.
func (p *bpeParts) make(special func(id int32) bool) (wordModel, error) {
	m := &bpe{unknown: p.unknown, fuse: p.fuse, merges: newMergeTable(p.merges, special)}
	m.bytes, _ = p.bytePieces()
	for _, id := range m.bytes {
		if id >= 0 && id != p.unknown && special(id) {
			return nil, fmt.Errorf("the special token %q is also the piece of a single byte, which is not supported: texts with that byte would hold the token",
				p.texts[id])
		}
	}
	type word struct {
		bytes string
		id    int32
	}
	var words []word
	var y symbols
	var b []byte
	for id, s := range p.texts {
		var ok bool
		if b, ok = fromByteChars(b[:0], s); !ok || s == "" {
			continue
		}
		if !p.direct {
			m.start(&y, b)
			m.sift(&y, false)
			if len(y.ids) != 1 || y.ids[0] != int32(id) || len(b) != int(y.to[0]-y.from[0]) {
				continue // its own merges do not lead to it
			}
		}
		words = append(words, word{string(b), int32(id)})
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("no piece of the vocabulary is made of the characters that stand for bytes (is this a byte-level BPE?)")
	}
	slices.SortFunc(words, func(x, y word) int { return strings.Compare(x.bytes, y.bytes) })
	keys, ids := make([]string, len(words)), make([]int32, len(words))
	for i, w := range words {
		keys[i], ids[i] = w.bytes, w.id
	}
	var err error
	m.whole, err = buildTrie(keys, ids, special)
	return m, err
}
