package token

import (
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// BERT's normalizer has four steps, each optional: cleaning, spaces around Chinese characters, removing accents, lower
// case (Devlin et al. 2019, "BERT", and the code published with it). The first two are one pass here.

// bertClean removes control characters and writes white space as spaces (clean), and puts spaces around Chinese
// characters (ideographs).
type bertClean struct{ clean, ideographs bool }

func (n bertClean) normalize(c chunk, b *buffer, _ *scratch) chunk {
	table := classes()
	for i := 0; i < len(c.text); {
		j := i
		for j < len(c.text) && c.text[j] >= ' ' && c.text[j] < 0x7f {
			j++
		}
		if b.copy(c, i, j); j == len(c.text) {
			break
		}
		i = j
		r, w := utf8.DecodeRune(c.text[i:])
		class := table.of(r)
		switch {
		case n.clean && class&classControl != 0:
		case n.clean && class&classSpace != 0:
			b.add(" ", c.at(int32(i), int32(i+1)))
		case n.ideographs && class&classIdeograph != 0:
			// The spaces stand for the same bytes as the character.
			at := c.at(int32(i), int32(i+1))
			b.add(" ", at)
			b.copy(c, i, i+w)
			b.add(" ", at)
		default:
			b.copy(c, i, i+w)
		}
		i += w
	}
	return b.chunk(c.start)
}

// dropMarks removes the characters of a class.
type dropMarks struct{ class charClass }

func (n dropMarks) normalize(c chunk, b *buffer, _ *scratch) chunk {
	table, from := classes(), 0
	for i := 0; i < len(c.text); {
		if c.text[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, w := utf8.DecodeRune(c.text[i:])
		if table.of(r)&n.class != 0 {
			b.copy(c, from, i)
			from = i + w
		}
		i += w
	}
	if from == 0 {
		return c
	}
	b.copy(c, from, len(c.text))
	return b.chunk(c.start)
}

// bertAccents is NFD followed by dropMarks of accents. Without offsets, only runs outside ASCII are decomposed: ASCII
// characters are starters without a decomposition, so no composition crosses them.
type bertAccents struct{}

func (bertAccents) normalize(c chunk, b *buffer, s *scratch) chunk {
	nfd, drop := unicodeForm{norm.NFD}, dropMarks{classAccent}
	if c.span != nil {
		d := nfd.normalize(c, b, s)
		s.marked.reset(true)
		return drop.normalize(d, &s.marked, s)
	}
	table := classes()
	for i := 0; i < len(c.text); {
		j := i
		for j < len(c.text) && c.text[j] < utf8.RuneSelf {
			j++
		}
		b.text = append(b.text, c.text[i:j]...)
		i = j
		for j < len(c.text) && c.text[j] >= utf8.RuneSelf {
			j++
		}
		if i == j {
			break
		}
		s.marked.reset(false)
		d := nfd.normalize(chunk{text: c.text[i:j]}, &s.marked, s)
		for k := 0; k < len(d.text); {
			r, w := utf8.DecodeRune(d.text[k:])
			if table.of(r)&classAccent == 0 {
				b.text = append(b.text, d.text[k:k+w]...)
			}
			k += w
		}
		i = j
	}
	return b.chunk(c.start)
}

// bertWords cuts at white space, which it drops, and around each punctuation character, unless punct is unset.
type bertWords struct{ punct bool }

var asciiSplits = func() (classes [utf8.RuneSelf]charClass) {
	for b := range classes {
		switch r := rune(b); {
		case r == ' ' || '\t' <= r && r <= '\r':
			classes[b] = classSpace
		case isPunctuation(r):
			classes[b] = classPunct
		}
	}
	return classes
}()

func (p bertWords) split(c chunk, _ *buffer, emit func(c chunk)) {
	table, from := classes(), 0
	mask := classSpace
	if p.punct {
		mask |= classPunct
	}
	for i := 0; i < len(c.text); {
		var class charClass
		w := 1
		if b := c.text[i]; b < utf8.RuneSelf {
			class = asciiSplits[b]
		} else {
			var r rune
			r, w = utf8.DecodeRune(c.text[i:])
			class = table.of(r)
		}
		if class &= mask; class == 0 {
			i += w
			continue
		}
		if from < i {
			emit(c.slice(from, i))
		}
		if class&classPunct != 0 {
			emit(c.slice(i, i+w))
		}
		i += w
		from = i
	}
	if from < len(c.text) {
		emit(c.slice(from, len(c.text)))
	}
}
