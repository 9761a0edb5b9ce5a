package token

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
)

// Decode turns ids back into text. If skipSpecial is set, it leaves out special tokens. An id that the tokenizer does not
// have is an error.
func (t *Tokenizer) Decode(ids []int32, skipSpecial bool) (string, error) {
	for i, id := range ids {
		if _, ok := t.Piece(id); !ok {
			return "", fmt.Errorf("id %d at %d is not in the tokenizer (it has %d ids)", id, i, t.size)
		}
	}
	if t.spm != nil {
		return t.spm.decode(t, ids, skipSpecial), nil
	}
	var tokens []string
	for _, id := range ids {
		p, _ := t.Piece(id)
		// A token that is matched in its normalized form is also decoded from this form, and is special only if this form is
		// a special token's name. So a lower-casing tokenizer keeps "[unk]" in the text, as its reference does.
		if a, ok := t.byID[id]; ok && a.Normalized {
			p = t.Normalize(p)
		}
		if skipSpecial && t.special[p] {
			continue
		}
		tokens = append(tokens, p)
	}
	if t.decode == nil {
		return strings.Join(tokens, " "), nil
	}
	for _, d := range t.decode {
		tokens = d.decode(tokens)
	}
	return strings.Join(tokens, ""), nil
}

// Normalize returns the normalized text: SentencePiece's form with its space marks, or the result of the json form's
// normalizer, without looking for added tokens. A text that grows beyond all bounds becomes empty; encoding it is an error.
func (t *Tokenizer) Normalize(text string) string {
	s := t.get()
	defer t.put(s)
	if f := t.spm; f != nil {
		in := stringView(text)
		if f.lower {
			in, _ = s.toLower(in, false)
		}
		norm, _ := f.norm.normalize(nil, in, nil)
		return string(norm)
	}
	s.limit = growthLimit(len(text))
	return string(s.normalize(t.steps, s.load.load(text, 0, len(text), false)).text)
}

// Pieces returns the pieces of text, without a template's special tokens. For an unknown token it returns the unknown text.
func (t *Tokenizer) Pieces(text string, mode Special) ([]string, error) {
	if err := checkLength(text); err != nil {
		return nil, err
	}
	s := t.get()
	defer t.put(s)
	var out []string
	s.pieces = &out
	s.ids = tokenRun{}
	s.out = &s.ids
	err := s.text(text, mode)
	return out, err
}

// decoder is one step from tokens to text.
type decoder interface {
	decode(tokens []string) []string
}

// decode writes marks as spaces. It removes the marks of the first token, unless encoding puts no mark before texts.
func (m *metaspace) decode(tokens []string) []string {
	for i, s := range tokens {
		to := " "
		if i == 0 && m.scheme != prependNever {
			to = ""
		}
		tokens[i] = strings.ReplaceAll(s, m.mark, to)
	}
	return tokens
}

func (n *replace) decode(tokens []string) []string {
	for i, s := range tokens {
		var b buffer
		tokens[i] = string(n.normalize(chunk{text: []byte(s)}, &b, &scratch{limit: math.MaxInt}).text)
	}
	return tokens
}

// byteFallback joins runs of byte pieces. A run that is not valid UTF-8 becomes one U+FFFD per byte.
type byteFallback struct{}

func (byteFallback) decode(tokens []string) []string {
	var out []string
	var run []byte
	flush := func() {
		if utf8.Valid(run) {
			if len(run) > 0 {
				out = append(out, string(run))
			}
		} else {
			for range run {
				out = append(out, "\ufffd")
			}
		}
		run = run[:0]
	}
	for _, s := range tokens {
		if b, ok := byteOfPiece(s); ok {
			run = append(run, b)
			continue
		}
		flush()
		out = append(out, s)
	}
	flush()
	return out
}

// fuse joins all tokens into one.
type fuse struct{}

func (fuse) decode(tokens []string) []string { return []string{strings.Join(tokens, "")} }

// stripDecoder removes the character content from the ends of each token: at most start times at the beginning, and at most stop times at the end.
type stripDecoder struct {
	content     string
	start, stop int
}

func (d stripDecoder) decode(tokens []string) []string {
	for i, s := range tokens {
		for n := 0; n < d.start && strings.HasPrefix(s, d.content); n++ {
			s = s[len(d.content):]
		}
		for n := 0; n < d.stop && strings.HasSuffix(s, d.content); n++ {
			s = s[:len(s)-len(d.content)]
		}
		tokens[i] = s
	}
	return tokens
}
