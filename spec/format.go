package spec

import (
	"strings"
	"unicode/utf8"
)

// lineWidth is the width beyond which Format breaks a statement, after a + or a comma, and beyond which a block is not kept on one line.
const lineWidth = 140

const indent = "    "

// Format returns the canonical layout of a text: one statement per line, four spaces per level of blocks, operands and comments of neighbouring lines aligned,
// `·` between factors. A block that was written on one line stays on one line if it fits and holds no comment. Comments are kept; several empty lines become
// one. Formatting the result again does not change it. If the file has syntax errors, ok is false, because it cannot be laid out without guessing.
func Format(f *File) (text []byte, ok bool) {
	if _, faults := Parse(f.Name, f.Text); faults.HasErrors() {
		return nil, false
	}
	var w writer
	w.stmts(f.Stmts, "")
	return []byte(w.b.String()), true
}

type writer struct{ b strings.Builder }

// line is an output line before its columns are aligned.
type line struct {
	shape string   // lines of one shape are aligned; "" is aligned with every shape
	cells []string // one, two, or three cells: name, operator, value
	trail string   // the comment
}

func (w *writer) stmts(list []*Stmt, pre string) {
	var run []line
	for _, s := range list {
		if s.Blank || s.Comment != "" || s.Block != nil {
			w.run(run, pre)
			run = nil
		}
		if s.Blank {
			w.b.WriteByte('\n')
		}
		switch {
		case s.Comment != "":
			w.b.WriteString(pre + s.Comment + "\n")
		case s.Block != nil:
			w.block(s, pre)
		default:
			run = append(run, lineOf(s))
		}
	}
	w.run(run, pre)
}

// lineOf splits a statement at the places where neighbouring lines are aligned.
func lineOf(s *Stmt) line {
	whole := line{cells: []string{s.text()}, trail: s.Trail}
	if len(s.Path) > 0 {
		return whole
	}
	switch s.Word {
	case "dim", "=":
		for i, t := range s.toks {
			if t.Value == "=" || t.Value == "<=" {
				return line{shape: s.Word, cells: []string{textBetween(s.toks, 0, i), t.Value, textBetween(s.toks, i+1, len(s.toks))}, trail: s.Trail}
			}
		}
	default:
		if len(s.toks) > 1 {
			word := s.toks[0].Value
			return line{shape: "word", cells: []string{word, strings.TrimPrefix(whole.cells[0], word+" ")}, trail: s.Trail}
		}
	}
	return whole
}

// run prints neighbouring lines without blocks. Columns are aligned within one shape, comments over all lines.
func (w *writer) run(run []line, pre string) {
	texts := make([]string, 0, len(run))
	for from := 0; from < len(run); {
		shape, to := run[from].shape, from+1
		for ; to < len(run) && (run[to].shape == shape || run[to].shape == "" || shape == ""); to++ {
			if shape == "" {
				shape = run[to].shape
			}
		}
		texts = append(texts, columns(run[from:to])...)
		from = to
	}
	width := 0
	for i, l := range run {
		if n := utf8.RuneCountInString(texts[i]); l.trail != "" && len(pre)+n <= lineWidth {
			width = max(width, n)
		}
	}
	for i, l := range run {
		text := fill(texts[i], pre)
		if l.trail != "" {
			last := text[strings.LastIndexByte(text, '\n')+1:]
			text += strings.Repeat(" ", max(width+len(pre)-utf8.RuneCountInString(last), 0)) + "  " + l.trail
		}
		w.b.WriteString(text + "\n")
	}
}

// columns aligns lines of one shape.
func columns(run []line) []string {
	name, op := 0, 0
	for _, l := range run {
		if len(l.cells) > 1 {
			name = max(name, utf8.RuneCountInString(l.cells[0]))
		}
		if len(l.cells) == 3 {
			op = max(op, len(l.cells[1]))
		}
	}
	var texts []string
	for _, l := range run {
		text := l.cells[0]
		if len(l.cells) > 1 {
			text += strings.Repeat(" ", name-utf8.RuneCountInString(text))
		}
		switch len(l.cells) {
		case 3:
			text += " " + strings.Repeat(" ", op-len(l.cells[1])) + l.cells[1] + " " + l.cells[2]
		case 2:
			text += " " + l.cells[1]
		}
		texts = append(texts, text)
	}
	return texts
}

// fill puts the indent in front. It breaks a long text after a + or a comma that is not inside quotes.
func fill(text, pre string) string {
	if utf8.RuneCountInString(pre+text) <= lineWidth {
		return pre + text
	}
	var out strings.Builder
	out.WriteString(pre)
	width := len(pre)
	for i, piece := range pieces(text) {
		n := utf8.RuneCountInString(strings.TrimRight(piece, " "))
		if i > 0 && width+n > lineWidth {
			s := strings.TrimRight(out.String(), " ")
			out.Reset()
			out.WriteString(s + "\n" + pre + indent)
			width = len(pre) + len(indent)
		}
		out.WriteString(piece)
		width += utf8.RuneCountInString(piece)
	}
	return strings.TrimRight(out.String(), " ")
}

// pieces cuts a statement after every + and comma that is not inside quotes.
func pieces(text string) []string {
	var out []string
	start, quoted := 0, false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '+' || c == ',') && i+1 < len(text) && text[i+1] == ' ':
			out = append(out, text[start:i+2])
			start = i + 2
		}
	}
	return append(out, text[start:])
}

// block prints a statement with braces.
func (w *writer) block(s *Stmt, pre string) {
	trail := ""
	if s.Trail != "" {
		trail = "  " + s.Trail
	}
	if text, ok := inline(s); ok && utf8.RuneCountInString(pre+text) <= lineWidth {
		w.b.WriteString(pre + text + trail + "\n")
		return
	}
	w.b.WriteString(fill(s.text()+" {", pre))
	if s.Block.Trail != "" {
		w.b.WriteString("  " + s.Block.Trail)
	}
	w.b.WriteByte('\n')
	w.stmts(s.Block.Stmts, pre+indent)
	w.b.WriteString(pre + "}" + trail + "\n")
}

// inline returns a statement with its block on one line, if that is allowed.
func inline(s *Stmt) (string, bool) {
	text := s.text()
	if s.Block == nil {
		return text, s.Comment == ""
	}
	if !s.Block.Inline && len(s.Block.Stmts) > 0 || s.Block.Trail != "" {
		return "", false
	}
	if len(s.Block.Stmts) == 0 {
		return text + " { }", true
	}
	var parts []string
	for _, t := range s.Block.Stmts {
		part, ok := inline(t)
		if !ok || t.Trail != "" {
			return "", false
		}
		parts = append(parts, part)
	}
	return text + " { " + strings.Join(parts, "; ") + " }", true
}

// Canonical returns the statement without its block and comments in canonical spacing, on one line.
func (s *Stmt) Canonical() string { return s.text() }
