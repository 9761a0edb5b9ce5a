package dataset

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/debertac/debertac/runtime/command"
	"github.com/debertac/debertac/runtime/example"
)

// places turns offsets in characters of a text into offsets in bytes.
type places struct {
	text  string
	ascii bool
}

func newPlaces(text string) places {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return places{text, false}
		}
	}
	return places{text, true}
}

// byte returns the byte that a number of characters ends at, or -1 if the text has fewer.
func (p places) byte(characters int) int {
	switch {
	case characters < 0:
		return -1
	case p.ascii && characters <= len(p.text):
		return characters
	case p.ascii:
		return -1
	}
	for i := range p.text {
		if characters == 0 {
			return i
		}
		characters--
	}
	if characters == 0 {
		return len(p.text)
	}
	return -1
}

// boundary returns an error unless a character begins or the text ends at byte i.
func (p places) boundary(i int) error {
	switch {
	case i < 0 || i > len(p.text):
		return fmt.Errorf("the text has %d bytes, so the offset %d is outside it", len(p.text), i)
	case i < len(p.text) && !utf8.RuneStart(p.text[i]):
		return fmt.Errorf("the offset %d is inside a character: offsets count bytes here, unless --characters is given", i)
	}
	return nil
}

// locate checks that an answer stands in the text at an offset in characters, and returns the offset in bytes.
func (p places) locate(answer string, characters int) (int, error) {
	i := p.byte(characters)
	switch {
	case i < 0 && characters >= 0:
		return 0, fmt.Errorf("the answer %q would begin at character %d, and the context has %d", command.Shorten(answer, 40), characters,
			utf8.RuneCountInString(p.text))
	case i < 0:
		return 0, fmt.Errorf("the answer %q has the offset %d", command.Shorten(answer, 40), characters)
	}
	return i, p.stands(answer, i)
}

// stands returns an error unless an answer stands in the text at byte i.
func (p places) stands(answer string, i int) error {
	if strings.HasPrefix(p.text[i:], answer) {
		return nil
	}
	there := p.text[i:min(len(p.text), i+len(answer))]
	for len(there) > 0 && i+len(there) < len(p.text) && !utf8.RuneStart(p.text[i+len(there)]) {
		there = there[:len(there)-1]
	}
	return fmt.Errorf("the answer %q does not stand at its offset: %q is there", command.Shorten(answer, 40), command.Shorten(there, 40))
}

// answers takes the answers to a question. They are an object of two lists (text and answer_start, as in SQuAD's files on the hub), a list of objects, a list
// of strings or a string.
func (c *fields) answers(e *example.Example, v value) error {
	e.Answered = true
	v = v.structure()
	p := newPlaces(e.Context)
	switch {
	case v.json == nil || v.json[0] == '"':
		text, err := v.text()
		e.Answers = []example.Answer{{Text: text, Start: -1}}
		return err
	case v.json[0] == '{':
		all, err := needed(v, "text", listOf(value.text))
		if err != nil {
			return err
		}
		starts, err := needed(v, "answer_start", listOf(value.integer))
		if err != nil {
			return err
		}
		if len(all) != len(starts) {
			return fmt.Errorf("there are %d answers and %d offsets", len(all), len(starts))
		}
		for i, text := range all {
			at, err := p.locate(text, starts[i])
			if err != nil {
				return err
			}
			e.Answers = append(e.Answers, example.Answer{Text: text, Start: at})
		}
		return nil
	}
	all, err := list(v, func(one value) (example.Answer, error) { return c.answer(p, one) })
	if len(all) > 0 {
		e.Answers = all
	}
	return err
}

// answer reads one answer.
func (c *fields) answer(p places, v value) (a example.Answer, err error) {
	a.Start = -1
	if v.json[0] != '{' {
		a.Text, err = v.text()
		return a, err
	}
	if a.Text, err = needed(v, "text", value.text); err != nil {
		return a, err
	}
	if start := jsonValue(member(v.json, "answer_start")); start.has {
		n, err := start.integer()
		if err != nil {
			return a, fmt.Errorf("%q: %w", "answer_start", err)
		}
		a.Start, err = p.locate(a.Text, n)
		return a, err
	}
	start := jsonValue(member(v.json, "start"))
	if !start.has {
		return a, nil
	}
	n, err := start.integer()
	switch {
	case err != nil:
		return a, fmt.Errorf("%q: %w", "start", err)
	case n == -1: // not known
		return a, nil
	case c.characters:
		a.Start, err = p.locate(a.Text, n)
		return a, err
	}
	if err := p.boundary(n); err != nil {
		return a, err
	}
	a.Start = n
	return a, p.stands(a.Text, n)
}

// needed returns a field of an object that must be there.
func needed[T any](object value, name string, get func(value) (T, error)) (got T, err error) {
	v := jsonValue(member(object.json, name))
	if !v.has {
		return got, fmt.Errorf("there is no %q", name)
	}
	if got, err = get(v); err != nil {
		return got, fmt.Errorf("%q: %w", name, err)
	}
	return got, nil
}

// entities takes the entities of a text: a list of objects with label, start, end and possibly text.
func (c *fields) entities(e *example.Example, v value) error {
	p := newPlaces(e.Text)
	all, err := list(v.structure(), func(one value) (example.Entity, error) { return c.entity(e, p, one) })
	e.Entities = all
	return err
}

func (c *fields) entity(e *example.Example, p places, v value) (n example.Entity, err error) {
	if v.json == nil || v.json[0] != '{' {
		return n, fmt.Errorf("it is %v, it must be an object with label, start and end", v)
	}
	if n.Label, err = needed(v, "label", value.name); err != nil {
		return n, err
	}
	if n.Start, err = needed(v, "start", value.integer); err != nil {
		return n, err
	}
	if n.End, err = needed(v, "end", value.integer); err != nil {
		return n, err
	}
	if n.Start >= n.End {
		return n, fmt.Errorf("it begins at %d and ends at %d: the end, which is not part of it, must be greater", n.Start, n.End)
	}
	if e.Words != nil {
		if n.Start < 0 || n.End > len(e.Words) {
			return n, fmt.Errorf("it has the words from %d up to %d, and there are %d words", n.Start, n.End, len(e.Words))
		}
		return n, nil
	}
	return n, c.within(&n, p, jsonValue(member(v.json, "text")))
}

// within checks the offsets of an entity in a text, and makes them bytes. text is what the row has as its text, if it has that.
func (c *fields) within(n *example.Entity, p places, text value) error {
	if c.characters {
		start, end := p.byte(n.Start), p.byte(n.End)
		if start < 0 || end < 0 {
			return fmt.Errorf("it has the characters from %d up to %d, and the text has %d", n.Start, n.End, utf8.RuneCountInString(p.text))
		}
		n.Start, n.End = start, end
	}
	for _, i := range []int{n.Start, n.End} {
		if err := p.boundary(i); err != nil {
			return err
		}
	}
	if !text.has {
		return nil
	}
	want, err := text.text()
	if err != nil {
		return fmt.Errorf("%q: %w", "text", err)
	}
	if got := p.text[n.Start:n.End]; got != want {
		hint := ""
		if !c.characters && !p.ascii {
			hint = " (offsets count bytes, unless --characters is given)"
		}
		return fmt.Errorf("its text is %q, and %q is at its offsets%s", command.Shorten(want, 40), command.Shorten(got, 40), hint)
	}
	return nil
}
