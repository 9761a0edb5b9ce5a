package spec

import (
	"errors"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"

	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/zoo"
)

// File is the syntax tree of a spec, including comments.
type File struct {
	Name  string
	Text  []byte
	Stmts []*Stmt
}

// Stmt is one statement, or a comment on a line of its own.
type Stmt struct {
	Pos     diag.Span
	Comment string // "// …": a comment line; all other fields are empty
	Blank   bool   // an empty line precedes it
	Trail   string // the comment after it on the same line

	Path  []string // the blocks in front of the word: encoder and attention in encoder.attention.score
	Word  string   // the word; "=" for an assignment
	Name  string   // the name of a dim, model, head, table, decoder, …
	Form  any      // the operands, a pointer to one of the forms of grammar.go; nil if broken
	Block *Block   // nil: no block

	row    *Row
	toks   []lexer.Token // the statement without its block
	broken bool          // a fault was reported; the rest of the file is still checked
}

// Block is the text between braces.
type Block struct {
	Stmts  []*Stmt
	Trail  string // the comment after {
	Inline bool   // { and } on one line
}

// outer is the grammar of blocks. A statement is a list of tokens here, which is parsed by itself later.
type outer struct {
	Items []*item `parser:"@@*"`
}

type item struct {
	Break   []lexer.Token `parser:"  @(Newline | Semi)"`
	Comment []lexer.Token `parser:"| @Comment"`
	Stmt    *run          `parser:"| @@"`
}

type run struct {
	Head  []lexer.Token `parser:"@( ( Ident | Number | String | Op | Bad )+ )"`
	Block *braces       `parser:"@@?"`
}

type braces struct {
	Open  []lexer.Token `parser:"@Open"`
	Items []*item       `parser:"@@*"`
	Close []lexer.Token `parser:"@Close"`
}

var outerParser = participle.MustBuild[outer](participle.Lexer(definition{}))

// Parse reads a spec's text. The file that it returns is never nil: broken statements are left out, so that [Resolve] can check the rest. name is the file name
// in spans.
func Parse(name string, text []byte) (*File, diag.List) {
	f := &File{Name: name, Text: text}
	toks, faults := scan(name, text)
	faults = faults.Limit()
	if len(toks) == 0 {
		if len(faults) == 0 {
			faults = diag.List{missingHeader(name)}
		}
		return f, faults
	}
	lex, err := lexer.Upgrade(&replay{toks: toks, end: toks[len(toks)-1].Pos})
	if err != nil {
		return f, append(faults, diag.Errorf("syntax", spanOf(name, toks[0]), "%v", err))
	}
	tree, err := outerParser.ParseFromLexer(lex)
	if err != nil {
		return f, append(faults, syntaxFault(name, err, nil))
	}
	b := &builder{file: name, faults: faults}
	f.Stmts = b.stmts(tree.Items, "file", 1)
	b.header(f)
	return f, b.faults.Limit()
}

func missingHeader(name string) *diag.Diag {
	at := diag.Span{File: name, Line: 1, Col: 1, EndCol: 1}
	return diag.Errorf("header", at, "a spec starts with the version of its language").Hintf("dspec %s", zoo.Language)
}

// header checks that the first statement names the version of the language.
func (b *builder) header(f *File) {
	if len(f.stmts()) == 0 {
		b.add(missingHeader(f.Name))
	}
	for i, s := range f.stmts() {
		if s.Word != "dspec" {
			if i == 0 {
				b.add(missingHeader(f.Name))
			}
			continue
		}
		if i > 0 {
			b.add(diag.Errorf("header", s.Pos, "the version of the language stands in the first line only"))
		}
		if form, ok := s.Form.(*versionForm); ok && form.Version != zoo.Language {
			b.add(diag.Errorf("header", s.Pos, "version %s of the language is not known, this debertac reads version %s", form.Version, zoo.Language))
		}
	}
}

// stmts returns the file's statements without comment lines.
func (f *File) stmts() []*Stmt { return code(f.Stmts) }

func code(list []*Stmt) []*Stmt {
	var out []*Stmt
	for _, s := range list {
		if s.Comment == "" {
			out = append(out, s)
		}
	}
	return out
}

// builder turns the outer tree into statements.
type builder struct {
	file   string
	faults diag.List
}

func (b *builder) add(d *diag.Diag) { b.faults = append(b.faults, d) }

// stmts converts the items of a block called ctx. line is the line on which the block starts.
func (b *builder) stmts(items []*item, ctx string, line int) []*Stmt {
	var out []*Stmt
	last := line
	for _, it := range items {
		switch {
		case it.Comment != nil:
			t := it.Comment[0]
			if n := len(out); n > 0 && t.Pos.Line == last && out[n-1].Comment == "" && out[n-1].Trail == "" {
				out[n-1].Trail = t.Value
				continue
			}
			out = append(out, &Stmt{Pos: spanOf(b.file, t), Comment: t.Value, Blank: t.Pos.Line > last+1 && len(out) > 0})
			last = t.Pos.Line
		case it.Stmt != nil:
			head := it.Stmt.Head
			s := &Stmt{Pos: spanOfAll(head), toks: head, Blank: head[0].Pos.Line > last+1 && len(out) > 0}
			last = head[len(head)-1].Pos.Line
			inner := b.statement(s, ctx, it.Stmt.Block != nil)
			if blk := it.Stmt.Block; blk != nil {
				last = b.block(s, blk, inner)
			}
			out = append(out, s)
		}
	}
	return out
}

// block converts a statement's block and returns the line of its end.
func (b *builder) block(s *Stmt, blk *braces, ctx string) int {
	open, end := blk.Open[0].Pos.Line, blk.Close[0].Pos.Line
	items := blk.Items
	s.Block = &Block{Inline: open == end}
	if len(items) > 0 && items[0].Comment != nil && items[0].Comment[0].Pos.Line == open {
		s.Block.Trail = items[0].Comment[0].Value
		items = items[1:]
	}
	s.Block.Stmts = b.stmts(items, ctx, open)
	return end
}

// syntaxFault returns a fault for participle's error. row is the schema's row of the statement, if it is known.
func syntaxFault(file string, err error, row *Row) *diag.Diag {
	at := diag.Span{File: file, Line: 1, Col: 1, EndCol: 1}
	what := "this is not understood"
	var unexpected *participle.UnexpectedTokenError
	var other participle.Error
	switch {
	case errors.As(err, &unexpected):
		at = spanOf(file, unexpected.Unexpected)
		what = "unexpected " + quote(unexpected.Unexpected)
		if unexpected.Unexpected.EOF() {
			what = "something is missing at the end of this statement"
			at.EndCol = at.Col + 1
		}
	case errors.As(err, &other):
		p := other.Position()
		at.Line, at.Col, at.EndCol = p.Line, p.Column, p.Column+1
		what = other.Message()
	}
	d := diag.Errorf("syntax", at, "%s", what)
	if row != nil {
		d.Hintf("%s", row.Usage())
	}
	return d
}

// quote returns a token for a message.
func quote(t lexer.Token) string {
	if t.Type == tString {
		return "the text " + t.Value
	}
	return "`" + t.Value + "`"
}
