package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
)

// mutant is one change of a source file: the bytes [from, to) become text.
type mutant struct {
	file     string // as the go command names it
	line     int
	column   int
	from, to int
	text     string
	kind     string // what was done, for people
}

// operators lists what each binary operator becomes. Comparisons move by one boundary, so that only a test of equal values finds the change.
var operators = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL,
	token.ADD: token.SUB, token.SUB: token.ADD,
	token.LAND: token.LOR, token.LOR: token.LAND,
}

// finder collects the mutants of one file.
type finder struct {
	fset    *token.FileSet
	source  []byte
	found   []mutant
	results []*ast.FieldList // of the functions around a node, the innermost last
}

// mutants lists the mutants of a Go file in the order of the text. Generated files have no mutants.
func mutants(name string, source []byte) ([]mutant, error) {
	f := finder{fset: token.NewFileSet(), source: source}
	tree, err := parser.ParseFile(f.fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil || ast.IsGenerated(tree) {
		return nil, err
	}
	for _, d := range tree.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			continue
		}
		ast.Walk(visitor{&f}, d)
	}
	for i := range f.found {
		f.found[i].file = name
	}
	return f.found, nil
}

// visitor walks a tree and keeps the results of the functions around a node.
type visitor struct{ *finder }

// Visit adds the mutants of one node.
func (v visitor) Visit(n ast.Node) ast.Visitor {
	switch n := n.(type) {
	case *ast.FuncDecl:
		v.inFunction(n.Type, n.Body)
		return nil
	case *ast.FuncLit:
		v.inFunction(n.Type, n.Body)
		return nil
	case *ast.BinaryExpr:
		v.operator(n)
	case *ast.BasicLit:
		v.constant(n)
	case *ast.ReturnStmt:
		v.returned(n)
	case *ast.BlockStmt:
		v.removals(n.List)
	case *ast.CaseClause:
		v.removals(n.Body)
	case *ast.CommClause:
		v.removals(n.Body)
	}
	return v
}

// inFunction walks a function's body.
func (v visitor) inFunction(t *ast.FuncType, body *ast.BlockStmt) {
	if body == nil {
		return
	}
	v.results = append(v.results, t.Results)
	ast.Walk(v, body)
	v.results = v.results[:len(v.results)-1]
}

// replace adds a mutant that writes text for the source from one place to another.
func (f *finder) replace(from, to token.Pos, text, kind string) {
	at := f.fset.Position(from)
	f.found = append(f.found, mutant{line: at.Line, column: at.Column, from: at.Offset, to: f.fset.Position(to).Offset, text: text, kind: kind})
}

// operator adds the mutant of a binary operator. It leaves out sums with a string in them, because strings cannot be subtracted.
func (f *finder) operator(n *ast.BinaryExpr) {
	to, ok := operators[n.Op]
	if !ok || n.Op == token.ADD && (isString(n.X) || isString(n.Y)) {
		return
	}
	f.replace(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), to.String(), fmt.Sprintf("%s becomes %s", n.Op, to))
}

// isString reports whether an expression holds a literal string as a summand.
func isString(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.BasicLit:
		return e.Kind == token.STRING
	case *ast.BinaryExpr:
		return e.Op == token.ADD && (isString(e.X) || isString(e.Y))
	}
	return false
}

// constant adds two mutants of a number: one more and one less.
func (f *finder) constant(n *ast.BasicLit) {
	var up, down string
	switch n.Kind {
	case token.INT:
		v, err := strconv.ParseInt(n.Value, 0, 64)
		if err != nil {
			return
		}
		up, down = strconv.FormatInt(v+1, 10), strconv.FormatInt(v-1, 10)
	case token.FLOAT:
		up, down = "("+n.Value+"+1)", "("+n.Value+"-1)"
	default:
		return
	}
	f.replace(n.Pos(), n.End(), up, n.Value+" becomes one more")
	f.replace(n.Pos(), n.End(), down, n.Value+" becomes one less")
}

// returned adds a mutant that returns nil in place of an error.
func (f *finder) returned(n *ast.ReturnStmt) {
	results := f.results[len(f.results)-1]
	if len(n.Results) == 0 || results == nil || results.NumFields() != len(n.Results) {
		return
	}
	kind, ok := results.List[len(results.List)-1].Type.(*ast.Ident)
	last := n.Results[len(n.Results)-1]
	if is, named := last.(*ast.Ident); !ok || kind.Name != "error" || named && is.Name == "nil" {
		return
	}
	f.replace(last.Pos(), last.End(), "nil", "the error becomes nil")
}

// removals adds a mutant for each statement of a list that does something and declares nothing: the statement is removed.
func (f *finder) removals(list []ast.Stmt) {
	for _, s := range list {
		switch s := s.(type) {
		case *ast.ExprStmt, *ast.IncDecStmt, *ast.SendStmt, *ast.DeferStmt, *ast.GoStmt, *ast.BranchStmt:
		case *ast.AssignStmt:
			if s.Tok == token.DEFINE || blank(s.Lhs) {
				continue
			}
		default:
			continue
		}
		f.replace(s.Pos(), s.End(), "", "the statement is removed")
	}
}

// blank reports whether an assignment has only _ on its left side.
func blank(left []ast.Expr) bool {
	for _, e := range left {
		if n, ok := e.(*ast.Ident); !ok || n.Name != "_" {
			return false
		}
	}
	return true
}

// apply returns the file with the change.
func (m *mutant) apply(source []byte) []byte {
	return bytes.Join([][]byte{source[:m.from], []byte(m.text), source[m.to:]}, nil)
}

// diff shows the lines that the change touches, before and after it.
func (m *mutant) diff(source []byte) string {
	begin := bytes.LastIndexByte(source[:m.from], '\n') + 1
	end := len(source)
	if i := bytes.IndexByte(source[m.to:], '\n'); i >= 0 {
		end = m.to + i
	}
	var b strings.Builder
	for line := range strings.SplitSeq(string(source[begin:end]), "\n") {
		fmt.Fprintf(&b, "\t-%s\n", line)
	}
	for line := range strings.SplitSeq(string(source[begin:m.from])+m.text+string(source[m.to:end]), "\n") {
		fmt.Fprintf(&b, "\t+%s\n", line)
	}
	return b.String()
}
