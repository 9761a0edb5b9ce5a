package spec_test

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// advice matches the hints that cannot be typed as they are.
var advice = []*regexp.Regexp{
	regexp.MustCompile(`^(the dims|its heads|the models|its words|the zoo has|what is copied|the tables) `), // too many choices
	regexp.MustCompile(`\b[A-Z]{3,}\b`),                                                    // how the word is written, with placeholders
	regexp.MustCompile(` is a word of | is the only one$| are known$|^a size is written `), // which block has a word
	regexp.MustCompile(`^escapes are |^comments start |^texts stand |^labels are `),
	regexp.MustCompile(`^drop removes what like has copied$|^model my_model like |^head \w+ on `),
	regexp.MustCompile(`^add } where it ends$|^put \{ on the line `),
}

// edits collects the texts that a hint may mean. The hint is typed in place of what the fault is about, in place of its statement, or as a statement beside it
// or inside it.
type edits struct {
	text string
	out  []edit
}

// edit is a changed text, and the place of the change in it in bytes.
type edit struct {
	text     string
	from, to int
}

// offset returns the byte where a column of a line begins.
func offset(text string, line, col int) int {
	n := 0
	for i, l := range strings.SplitAfter(text, "\n") {
		if i == line-1 {
			return n + len(string([]rune(l)[:min(col-1, len([]rune(l)))]))
		}
		n += len(l)
	}
	return n
}

func (e *edits) replace(at diag.Span, by string) {
	e.put(offset(e.text, at.Line, at.Col), offset(e.text, at.Line, at.EndCol), by)
}

// put replaces some bytes with a text.
func (e *edits) put(from, to int, by string) {
	e.out = append(e.out, edit{e.text[:from] + by + e.text[to:], from, from + len(by)})
}

// around returns the statements that contain a place, outermost first.
func around(list []*spec.Stmt, at diag.Span) (out []*spec.Stmt) {
	for i, s := range list {
		if s.Comment != "" || s.Pos.Line > at.Line || s.Pos.Line == at.Line && s.Pos.Col > at.Col {
			continue
		}
		if next := slices.IndexFunc(list[i+1:], func(t *spec.Stmt) bool { return t.Comment == "" }); next >= 0 {
			n := list[i+1+next].Pos
			if n.Line < at.Line || n.Line == at.Line && n.Col <= at.Col {
				continue
			}
		}
		out = append(out, s)
		if s.Block != nil {
			out = append(out, around(s.Block.Stmts, at)...)
		}
	}
	return out
}

// add puts a statement in front of another one, or into its block.
func (e *edits) add(s *spec.Stmt, hint string) {
	from, to := offset(e.text, s.Pos.Line, s.Pos.Col), offset(e.text, s.Pos.Line, s.Pos.EndCol)
	e.put(from, from, hint+"; ")
	if s.Block == nil {
		return
	}
	if open := strings.IndexByte(e.text[to:], '{'); open >= 0 {
		e.put(to+open+1, to+open+1, " "+hint+"; ")
	}
	if open, end := e.braces(s); end < len(e.text) && strings.Contains(hint, "; ") { // a whole block
		e.put(open+1, end, " "+hint+" ")
	}
	for _, t := range s.Block.Stmts { // it sets again what the block sets already
		if word, _, _ := strings.Cut(hint, " "); t.Word == word && t.Block == nil {
			e.replace(t.Pos, hint)
		}
	}
}

// braces returns the place of the block after a statement's head, in bytes.
func (e *edits) braces(s *spec.Stmt) (open, end int) {
	open = offset(e.text, s.Pos.Line, s.Pos.EndCol)
	open += strings.IndexByte(e.text[open:], '{')
	depth := 0
	for end = open; end < len(e.text); end++ {
		switch e.text[end] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return open, end
			}
		}
	}
	return open, end
}

func (e *edits) removeBlock(s *spec.Stmt) {
	if _, end := e.braces(s); end < len(e.text) {
		e.put(offset(e.text, s.Pos.Line, s.Pos.Col), end+1, "")
	}
}

var (
	alternatives  = regexp.MustCompile(`^write (.*) or (.*)$`)
	divisors      = regexp.MustCompile(` are (\d+) and (\d+)$`)
	parenthesised = regexp.MustCompile(` \([^()]*\)$`)
)

// editsOf returns the edits that a hint may mean.
func editsOf(text string, tree *spec.File, faults diag.List, d *diag.Diag) []edit {
	e := &edits{text: text}
	hint := strings.TrimSuffix(strings.TrimPrefix(d.Hint, "write "), " { … }")
	var typed []string
	if m := divisors.FindStringSubmatch(hint); m != nil {
		name, _, _ := strings.Cut(d.Message, " ")
		typed = []string{"dim " + name + " = " + m[1], "dim " + name + " = " + m[2]}
	} else if m := alternatives.FindStringSubmatch(d.Hint); m != nil {
		typed = []string{parenthesised.ReplaceAllString(m[1], ""), parenthesised.ReplaceAllString(m[2], "")}
	} else if rest, ok := strings.CutPrefix(hint, "one of "); ok {
		typed = strings.Split(rest, ", ")
	} else if first, _, ok := strings.Cut(hint, ", or "); ok {
		typed = []string{first}
	} else {
		typed = []string{hint}
	}
	inside := around(tree.Stmts, d.Span)
	beside := slices.Clone(inside)
	for _, n := range d.Notes {
		if n.Span.File == d.Span.File {
			beside = append(beside, around(tree.Stmts, n.Span)...)
		}
	}
	for _, h := range typed {
		if strings.HasPrefix(h, "remove ") {
			h = ""
		}
		e.replace(d.Span, h)
		if len(inside) > 0 {
			s := inside[len(inside)-1]
			e.replace(s.Pos, h)
			if s.Path != nil {
				e.replace(s.Pos, strings.ReplaceAll(strings.Join(s.Path, "."), " ", ".")+"."+h)
			}
			if s.Block != nil && h == "" { // a statement with its block
				e.removeBlock(s)
			}
		}
		for _, s := range beside {
			if h != "" {
				e.add(s, h)
			}
		}
	}
	if d.Code == "missing" && len(inside) > 0 { // everything that one place lacks, together
		var all []string
		for _, o := range faults {
			if o.Code == d.Code && o.Span == d.Span {
				all = append(all, o.Hint)
			}
		}
		e.add(inside[len(inside)-1], strings.Join(all, "; "))
	}
	return e.out
}

// key identifies a fault without its place.
func key(d *diag.Diag) string { return string(d.Code) + ": " + d.Message }

// TestHintsHelp types each hint where it belongs and checks that the fault is gone and that the typed text has no fault. Faults in other places that become
// visible only then do not count.
func TestHintsHelp(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.txtar")
	require.NoError(t, err)
	hints := 0
	for _, file := range append(files, "testdata/messages.txtar") {
		a, err := txtar.ParseFile(file)
		require.NoError(t, err)
		for _, f := range a.Files {
			if strings.HasSuffix(f.Name, ".txt") {
				continue
			}
			text := string(f.Data)
			faults, _ := faultsOf(f.Name, f.Data)
			had := map[string]int{}
			for _, d := range faults {
				had[key(d)]++
			}
			for _, d := range faults {
				if d.Hint == "" || slices.ContainsFunc(advice, func(r *regexp.Regexp) bool { return r.MatchString(d.Hint) }) {
					continue
				}
				hints++
				tree, _ := spec.Parse(f.Name, f.Data)
				helps := false
				var last []string
				for _, changed := range editsOf(text, tree, faults, d) {
					after, _ := faultsOf(f.Name, []byte(changed.text))
					has := map[string]int{}
					fresh := ""
					for _, x := range after {
						at := offset(changed.text, x.Span.Line, x.Span.Col)
						if has[key(x)]++; has[key(x)] > had[key(x)] && at >= changed.from && at < changed.to {
							fresh = key(x)
						}
					}
					if helps = fresh == "" && has[key(d)] < had[key(d)]; helps {
						break
					}
					last = append(last, fresh)
				}
				if !helps {
					t.Errorf("%s/%s:%d: %s\n  hint: %s\n  %q", filepath.Base(file), f.Name, d.Span.Line, d, d.Hint, last)
				}
			}
		}
	}
	t.Logf("%d hints", hints)
	require.Greater(t, hints, 100)
}
