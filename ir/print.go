package ir

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/debertac/debertac/spec/diag"
)

// Print returns a program as text, one statement per line; [Parse] reads it back to the same program:
//
//	program nli from "nli.dspec"
//	bounds 32 sequences 16384 tokens 512 length
//	outputs logits
//
//	region layer "layer is one encoder layer." @37:5:20 {
//		in state hidden_states.{l} f32[T, 768] ld 784
//		linear3 f32[T, 768] = linear(hidden_states.{l}, w, _) {k = 3} @39:9:30 "q = linear(x)"
//		out linear3
//	}
//
//	run layer 0 12
//
// A missing operand is _. A position is line:first column:column after the last, with the file in front if it is not the program's. "run layer 0 12" calls a
// region twelve times, from layer 0 on. Meta, buffers and steps follow their word as JSON.
func Print(p *Program) string { return PrintAs(p, p.File) }

// PrintAs returns the text of [Print] with another name for the program's spec. Programs of equal specs in two folders have one text if the folders are
// left out.
func PrintAs(p *Program, file string) string {
	w := &printer{file: p.File}
	w.line("program %s from %s", name(p.Name), strconv.Quote(file))
	rows := ""
	if p.Bounds.Rows > 0 {
		rows = fmt.Sprintf(" %d rows", p.Bounds.Rows)
	}
	if p.Bounds.Steps > 0 {
		rows += fmt.Sprintf(" %d steps", p.Bounds.Steps)
	}
	if p.Bounds.Candidates > 0 {
		rows += fmt.Sprintf(" %d candidates", p.Bounds.Candidates)
	}
	w.line("bounds %d sequences %d tokens %d length%s", p.Bounds.Sequences, p.Bounds.Tokens, p.Bounds.Length, rows)
	if meta := compact(p.Meta); meta != compact(Meta{}) {
		w.line("meta %s", meta)
	}
	if len(p.Outputs) > 0 {
		w.line("outputs %s", names(p.Outputs))
	}
	if len(p.Keep) > 0 {
		w.line("keep %s", names(p.Keep))
	}
	for _, r := range p.Regions {
		w.line("")
		w.region(r)
	}
	w.calls("pack", p.Pack)
	w.calls("adapt", p.Adapt)
	w.calls("run", p.Run)
	if p.Plan != nil {
		w.line("")
		w.line("plan")
		for _, b := range p.Plan.Buffers {
			w.line("buffer %s", compact(b))
		}
		for _, s := range p.Plan.Steps {
			w.line("step %s", compact(s))
		}
	}
	return w.text.String()
}

// printer collects the lines.
type printer struct {
	text strings.Builder
	file string
}

// line writes a line.
func (w *printer) line(format string, args ...any) { fmt.Fprintf(&w.text, format+"\n", args...) }

// compact returns a value as JSON on one line.
func compact(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil { // only for values that JSON cannot hold, such as infinities
		return strconv.Quote(err.Error())
	}
	return strings.TrimSpace(b.String())
}

// region writes a region.
func (w *printer) region(r *Region) {
	w.line("region %s%s%s {", name(r.Name), quoted(r.Doc), w.pos(r.Pos))
	for _, v := range r.In {
		w.line("\tin %s %s", v.Kind, define(v))
	}
	for _, n := range r.Nodes {
		outs := make([]string, len(n.Out))
		for i, v := range n.Out {
			outs[i] = define(v)
		}
		ins := make([]string, len(n.In))
		for i, v := range n.In {
			if ins[i] = "_"; v != nil {
				ins[i] = name(v.Name)
			}
		}
		w.line("\t%s = %s(%s)%s%s%s", strings.Join(outs, ", "), name(n.Op), strings.Join(ins, ", "), attributes(n.Attrs), w.pos(n.Pos), quoted(n.Note))
	}
	if len(r.Out) > 0 {
		outs := make([]string, len(r.Out))
		for i, v := range r.Out {
			outs[i] = v.Name
		}
		w.line("\tout %s", names(outs))
	}
	w.line("}")
}

// calls writes a list of calls.
func (w *printer) calls(word string, list []Call) {
	if len(list) > 0 {
		w.line("")
	}
	for _, c := range list {
		w.line("%s %s %d %d", word, name(c.Region.Name), c.First, c.Count)
	}
}

// pos returns a position with a space in front, or "" for no position.
func (w *printer) pos(s diag.Span) string {
	if s == (diag.Span{}) {
		return ""
	}
	file := ""
	if s.File != w.file {
		file = strconv.Quote(s.File) + ":"
	}
	return fmt.Sprintf(" @%s%d:%d:%d", file, s.Line, s.Col, s.EndCol)
}

// define returns a value with its type and row distance.
func define(v *Value) string {
	s := name(v.Name) + " " + v.Type.String()
	if v.LD != 0 {
		s += " ld " + strconv.Itoa(v.LD)
	}
	return s
}

// attributes returns a node's attributes in braces, or "" if it has none.
func attributes(list []Attr) string {
	if len(list) == 0 {
		return ""
	}
	parts := make([]string, len(list))
	for i, a := range list {
		parts[i] = name(a.Key) + " = " + literal(a.Value)
	}
	return " {" + strings.Join(parts, ", ") + "}"
}

// literal returns an attribute's value as text; floats always have a point or an exponent.
func literal(v any) string {
	switch v := v.(type) {
	case int:
		return strconv.Itoa(v)
	case float64:
		s := strconv.FormatFloat(v, 'g', -1, 64)
		if !strings.ContainsAny(s, ".e") {
			s += ".0"
		}
		return s
	case string:
		return strconv.Quote(v)
	case bool:
		return strconv.FormatBool(v)
	case []int:
		return strings.ReplaceAll(fmt.Sprint(v), " ", ", ")
	case []float64:
		parts := make([]string, len(v))
		for i, x := range v {
			parts[i] = literal(x)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	return fmt.Sprintf("%q", fmt.Sprint(v))
}

// quoted returns a quoted string with a space in front, or "" for an empty one.
func quoted(s string) string {
	if s == "" {
		return ""
	}
	return " " + strconv.Quote(s)
}

// names returns a list of names as text.
func names(list []string) string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = name(s)
	}
	return strings.Join(out, ", ")
}

// name returns a name as it is, or quoted if it could be read as something else.
func name(s string) string {
	if s != "" && bareLen(s) == len(s) && s != "_" && s != "in" && s != "out" {
		return s
	}
	return strconv.Quote(s)
}

// bareLen returns the length of the name at the start of s that needs no quotes. Such a name begins with a letter or _ and has letters, digits, _, points, {l}
// and {l+1}.
func bareLen(s string) int {
	i := 0
	for i < len(s) {
		c := s[i]
		switch {
		case c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || i > 0 && (c == '.' || '0' <= c && c <= '9'):
			i++
		case i > 0 && strings.HasPrefix(s[i:], "{l}"):
			i += len("{l}")
		case i > 0 && strings.HasPrefix(s[i:], "{l+1}"):
			i += len("{l+1}")
		default:
			return i
		}
	}
	return i
}
