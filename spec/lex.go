package spec

import (
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/debertac/debertac/spec/diag"
)

// Limits on the text of a spec, so that hostile input costs little.
const (
	maxText  = 1 << 20 // bytes of a file
	maxDepth = 16      // nested blocks
	maxParen = 64      // nested parentheses and brackets in a statement
)

// tokens is the lexical grammar. Bad matches whatever no other rule matches, so scanning never fails.
var tokens = lexer.MustSimple([]lexer.SimpleRule{
	{Name: "Comment", Pattern: `//[^\n]*`},
	{Name: "Newline", Pattern: `\r?\n`},
	{Name: "Space", Pattern: `[ \t]+`},
	{Name: "Number", Pattern: `[0-9][0-9_]*(\.[0-9][0-9_]*)?([eE][-+]?[0-9]+)?`},
	{Name: "String", Pattern: `"(\\.|[^"\\\n])*"`},
	{Name: "Ident", Pattern: `[A-Za-z_][A-Za-z0-9_]*`},
	{Name: "Op", Pattern: `\.\.|<=|[-+*/()\[\],:=.%·]`},
	{Name: "Open", Pattern: `\{`},
	{Name: "Close", Pattern: `\}`},
	{Name: "Semi", Pattern: `;`},
	{Name: "Bad", Pattern: `"[^\n]*|[^\n]`},
})

// The token types.
var (
	tComment = tokens.Symbols()["Comment"]
	tNewline = tokens.Symbols()["Newline"]
	tSpace   = tokens.Symbols()["Space"]
	tNumber  = tokens.Symbols()["Number"]
	tString  = tokens.Symbols()["String"]
	tIdent   = tokens.Symbols()["Ident"]
	tOpen    = tokens.Symbols()["Open"]
	tClose   = tokens.Symbols()["Close"]
	tSemi    = tokens.Symbols()["Semi"]
	tBad     = tokens.Symbols()["Bad"]
)

// scan cuts a text into tokens and drops spaces. A newline after + or a comma is not a token, and a comment there is moved in front of its statement. Braces in
// the result are balanced: an unbalanced brace is reported, and is left out or completed.
func scan(name string, text []byte) ([]lexer.Token, diag.List) {
	var faults diag.List
	if len(text) > maxText {
		return nil, diag.List{diag.Errorf("too-large", diag.Span{File: name, Line: 1, Col: 1, EndCol: 1},
			"the file has %d bytes, more than the %d that a spec may have", len(text), maxText)}
	}
	raw, err := lexAll(name, text)
	if err != nil { // no rule of the lexical grammar can fail; a change to it might
		return nil, diag.List{diag.Errorf("syntax", diag.Span{File: name, Line: 1, Col: 1, EndCol: 1}, "%v", err)}
	}
	s := &scanner{file: name}
	for _, t := range raw {
		s.token(t)
	}
	for _, open := range s.open {
		if open.dropped {
			continue
		}
		faults = append(faults, diag.Errorf("unbalanced", spanOf(name, open.tok), "this block is never closed").Hintf("add } where it ends"))
		end := lexer.Token{Type: tClose, Value: "}", Pos: lexer.Position{Filename: name, Line: 1, Column: 1}}
		if len(s.out) > 0 {
			end.Pos = s.out[len(s.out)-1].Pos
		}
		s.out = append(s.out, end)
	}
	return s.out, append(faults, s.faults...)
}

func lexAll(name string, text []byte) ([]lexer.Token, error) {
	lex, err := tokens.LexString(name, strings.TrimPrefix(string(text), "\ufeff"))
	if err != nil {
		return nil, err
	}
	all, err := lexer.ConsumeAll(lex)
	if err != nil {
		return nil, err
	}
	return all[:len(all)-1], nil // without EOF
}

type openBrace struct {
	tok     lexer.Token
	dropped bool
}

type scanner struct {
	file   string
	out    []lexer.Token
	start  int  // start of the current statement in out
	cont   bool // the last token of the statement is + or a comma
	open   []openBrace
	faults diag.List
}

func (s *scanner) token(t lexer.Token) {
	switch t.Type {
	case tSpace:
	case tNewline:
		if s.cont {
			return
		}
		s.end(t)
	case tComment:
		t.Value = strings.TrimRight(t.Value, " \t\r")
		if !s.cont {
			s.end(t)
			return
		}
		t.Pos = s.out[s.start].Pos
		s.out = append(s.out[:s.start], append([]lexer.Token{t}, s.out[s.start:]...)...)
		s.start++
	case tSemi:
		s.end(t)
	case tOpen:
		s.brace(t)
	case tClose:
		if len(s.open) == 0 {
			s.faults = append(s.faults, diag.Errorf("unbalanced", spanOf(s.file, t), "this } closes no block").Hintf("remove it"))
			s.cont = false
			return
		}
		last := s.open[len(s.open)-1]
		s.open = s.open[:len(s.open)-1]
		if !last.dropped {
			s.end(t)
		}
	default:
		s.out = append(s.out, t)
		s.cont = t.Value == "+" || t.Value == ","
	}
}

// end appends a token that ends the statement before it.
func (s *scanner) end(t lexer.Token) {
	s.out = append(s.out, t)
	s.start, s.cont = len(s.out), false
}

func (s *scanner) brace(t lexer.Token) {
	switch {
	case s.start == len(s.out):
		s.faults = append(s.faults, diag.Errorf("syntax", spanOf(s.file, t), "a block needs a word in front of its {").
			Hintf("put { on the line of the word that it belongs to"))
		if s.rejoin() {
			s.open = append(s.open, openBrace{tok: t})
			s.end(t)
			return
		}
	case len(s.open) >= maxDepth:
		s.faults = append(s.faults, diag.Errorf("too-deep", spanOf(s.file, t), "blocks are nested more than %d deep", maxDepth))
	default:
		s.open = append(s.open, openBrace{tok: t})
		s.end(t)
		return
	}
	s.open = append(s.open, openBrace{tok: t, dropped: true})
	s.cont = false
}

// rejoin takes back the newlines after the last statement, so that a block on the next line still belongs to the statement.
func (s *scanner) rejoin() bool {
	n := len(s.out)
	for n > 0 && s.out[n-1].Type == tNewline {
		n--
	}
	if n == 0 || n == len(s.out) || s.out[n-1].Type == tComment || s.out[n-1].Type == tSemi || s.out[n-1].Type == tOpen || s.out[n-1].Type == tClose {
		return false
	}
	s.out = s.out[:n]
	return true
}

// spanOf returns the span of a token.
func spanOf(file string, t lexer.Token) diag.Span {
	return diag.Span{File: file, Line: t.Pos.Line, Col: t.Pos.Column, EndCol: t.Pos.Column + utf8.RuneCountInString(t.Value)}
}

// spanOfAll returns the span of several tokens. If they are on several lines, it is the span of those on the first line.
func spanOfAll(toks []lexer.Token) diag.Span {
	if len(toks) == 0 {
		return diag.Span{}
	}
	s := spanOf(toks[0].Pos.Filename, toks[0])
	for _, t := range toks[1:] {
		if t.Pos.Line == s.Line {
			s.EndCol = spanOf(s.File, t).EndCol
		}
	}
	return s
}

// replay is a lexer over tokens that exist already.
type replay struct {
	toks []lexer.Token
	end  lexer.Position
}

// Next returns the next token. It implements participle's interface.
func (r *replay) Next() (lexer.Token, error) {
	if len(r.toks) == 0 {
		return lexer.EOFToken(r.end), nil
	}
	t := r.toks[0]
	r.toks = r.toks[1:]
	return t, nil
}

// definition makes participle use the lexical grammar's token types without lexing again.
type definition struct{}

// Symbols returns the token types. It implements participle's interface.
func (definition) Symbols() map[string]lexer.TokenType { return tokens.Symbols() }

// Lex implements participle's interface. Specs are not read through it.
func (definition) Lex(name string, r io.Reader) (lexer.Lexer, error) { return tokens.Lex(name, r) }

// number returns the value of a Number token, which may contain underscores.
func number(text string) (float64, error) {
	return strconv.ParseFloat(strings.ReplaceAll(text, "_", ""), 64)
}
