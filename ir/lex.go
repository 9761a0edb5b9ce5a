package ir

import (
	"fmt"
	"strconv"
	"strings"
)

// lexKind is the kind of a token of the text form.
type lexKind uint8

const (
	lexEnd    lexKind = iota // end of the line
	lexName                  // a bare name or word
	lexString                // a quoted string or name
	lexNumber                // an integer or float
	lexMark                  // one character
)

// token is a token of one line.
type token struct {
	kind lexKind
	text string // strings without their quotes
}

// String describes the token for an error.
func (t token) String() string {
	switch t.kind {
	case lexEnd:
		return "the end of the line"
	case lexString:
		return strconv.Quote(t.text)
	}
	return t.text
}

// scan cuts a line into tokens; the last one is lexEnd.
func scan(line string) ([]token, error) {
	var out []token
	for {
		line = strings.TrimLeft(line, " \t\r")
		if line == "" || strings.HasPrefix(line, "//") {
			return append(out, token{kind: lexEnd}), nil
		}
		n := bareLen(line)
		t := token{lexName, line[:n]}
		switch c := line[0]; {
		case n > 0:
		case c == '"':
			q, err := strconv.QuotedPrefix(line)
			if err != nil {
				return nil, fmt.Errorf("a string has no closing quote, or a wrong escape: %s", line)
			}
			text, err := strconv.Unquote(q)
			if err != nil {
				return nil, fmt.Errorf("the string %s: %w", q, err)
			}
			n, t = len(q), token{lexString, text}
		case c == '-' || '0' <= c && c <= '9':
			n = 1
			for n < len(line) && (strings.IndexByte("0123456789.e", line[n]) >= 0 || strings.IndexByte("+-", line[n]) >= 0 && line[n-1] == 'e') {
				n++
			}
			t = token{lexNumber, line[:n]}
		case strings.IndexByte("()[]{},=@:+", c) >= 0:
			n, t = 1, token{lexMark, line[:1]}
		default:
			return nil, fmt.Errorf("%q is not expected here", []rune(line)[0])
		}
		out = append(out, t)
		line = line[n:]
	}
}

// cursor walks over the tokens of a line and keeps the first error.
type cursor struct {
	list []token
	err  error
}

// peek returns the next token.
func (c *cursor) peek() token { return c.list[0] }

// next returns the next token and moves on; it never passes the end of the line.
func (c *cursor) next() token {
	t := c.list[0]
	if t.kind != lexEnd {
		c.list = c.list[1:]
	}
	return t
}

// fail keeps the first error.
func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf(format, args...)
	}
}

// is reports whether the next token is the word or mark; if so, it takes the token.
func (c *cursor) is(text string) bool {
	t := c.peek()
	if c.err != nil || (t.kind != lexMark && t.kind != lexName) || t.text != text {
		return false
	}
	c.next()
	return true
}

// want takes a word or mark that must come next.
func (c *cursor) want(text string) {
	if !c.is(text) {
		c.fail("got %s, want %s", c.peek(), text)
	}
}

// name takes a name, bare or quoted.
func (c *cursor) name() string {
	t := c.next()
	if t.kind != lexName && t.kind != lexString {
		c.fail("got %s, want a name", t)
	}
	return t.text
}

// string takes a string.
func (c *cursor) string() string {
	t := c.next()
	if t.kind != lexString {
		c.fail("got %s, want a string", t)
	}
	return t.text
}

// int takes an integer.
func (c *cursor) int() int {
	t := c.next()
	n, err := strconv.Atoi(t.text)
	if t.kind != lexNumber || err != nil {
		c.fail("got %s, want an integer", t)
	}
	return n
}

// end checks that the line has no more tokens.
func (c *cursor) end() {
	if t := c.peek(); t.kind != lexEnd {
		c.fail("got %s, want the end of the line", t)
	}
}

// items takes a list whose items are separated by commas.
func (c *cursor) items(item func()) {
	item()
	for c.err == nil && c.is(",") {
		item()
	}
}
