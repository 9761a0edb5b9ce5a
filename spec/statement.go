package spec

import (
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/debertac/debertac/spec/diag"
)

// statement parses one statement of the block ctx. It returns the name of the block inside the statement's braces.
func (b *builder) statement(s *Stmt, ctx string, hasBlock bool) string {
	inner := b.words(s, ctx)
	if s.row == nil {
		s.broken = true
		return "?"
	}
	switch {
	case s.broken:
	case hasBlock && s.row.Opens == "":
		b.add(diag.Errorf("block", s.Pos, "%s takes no block", describe(s.row)).Hintf("%s", s.row.Usage()))
		s.broken = true
	case !hasBlock && s.row.Opens != "":
		b.add(diag.Errorf("block", s.Pos, "%s needs a block", describe(s.row)).Hintf("%s", s.row.Usage()))
		s.broken = true
	}
	if s.broken {
		s.Form = nil
	}
	return inner
}

func describe(r *Row) string {
	if r.Word == "=" {
		return "an assignment"
	}
	return r.Word
}

// words reads the path and the word, then the operands.
func (b *builder) words(s *Stmt, ctx string) string {
	toks := s.toks
	if ctx == "?" { // inside a block whose own word is not known, nothing can be checked
		return ctx
	}
	for _, t := range toks {
		if t.Type == tBad {
			b.bad(s, t)
			break
		}
	}
	if isAssignment(toks) {
		s.Word = "="
		if s.row = lookupRow(ctx, "="); s.row == nil {
			if !s.broken {
				b.add(diag.Errorf("unknown-word", s.Pos, "projections are assigned in attention, not in %s", blockName(ctx)).
					Hintf("%s", assignHint(ctx)))
			}
			return ctx
		}
		b.operands(s, toks)
		return ctx
	}
	for {
		if len(toks) == 0 || toks[0].Type != tIdent {
			if !s.broken {
				b.add(diag.Errorf("syntax", s.Pos, "a statement starts with a word, not with %s", quote(s.toks[min(len(s.toks)-len(toks), len(s.toks)-1)])))
			}
			s.row = nil
			return ctx
		}
		word := toks[0]
		row := lookupRow(ctx, word.Value)
		if row == nil {
			if !s.broken {
				b.unknownWord(ctx, toks)
			}
			s.row = nil
			return ctx
		}
		toks = toks[1:]
		s.row, s.Word = row, word.Value
		if row.Opens == "" || len(toks) < 2 || toks[0].Value != "." {
			break
		}
		// A path: the word is a block, and the statement names something inside it.
		toks = toks[1:]
		s.Path = append(s.Path, word.Value)
		if row.Named {
			if toks[0].Type != tIdent {
				break
			}
			s.Path[len(s.Path)-1] += " " + toks[0].Value
			if len(toks) < 2 || toks[1].Value != "." { // decoder.emd { … } is the block itself
				s.Path = s.Path[:len(s.Path)-1]
				break
			}
			toks = toks[2:]
		}
		ctx = row.Opens
	}
	b.operands(s, toks)
	return s.row.Opens
}

// bad reports a character or text that the language does not know.
func (b *builder) bad(s *Stmt, t lexer.Token) {
	s.broken = true
	at := spanOf(b.file, t)
	if strings.HasPrefix(t.Value, `"`) {
		b.add(diag.Errorf("syntax", at, "this text has no closing quote on its line"))
		return
	}
	d := diag.Errorf("syntax", at, "the character %q has no meaning here", t.Value)
	switch t.Value {
	case "×", "∙", "•", "⋅":
		d.Hintf("write *")
		if slices.ContainsFunc(s.toks, func(t lexer.Token) bool { return t.Value == "[" }) { // in a score
			d.Hintf("write ·")
		}
	case "−", "–":
		d.Hintf("write -")
	case "'", "“", "”", "‘", "’":
		d.Hintf(`texts stand between "`)
	case "<":
		d.Hintf("write <=")
	case "#":
		d.Hintf("comments start with //")
	}
	b.add(d)
}

// unknownWord reports the first word of a statement, which its block does not have. The hint is the nearest spelling, the block that has the word, or the
// statement of a size.
func (b *builder) unknownWord(ctx string, toks []lexer.Token) {
	t := toks[0]
	d := diag.Errorf("unknown-word", spanOf(b.file, t), "%s has no word %s", blockName(ctx), t.Value)
	switch home := homes(t.Value); {
	case ctx == "model" && slices.Contains(knownDims, t.Value):
		d.Hintf("%s", sizeOf(toks))
	case len(home) > 0:
		d.Hintf("%s is a word of %s", t.Value, strings.Join(home, ", "))
	default:
		words := wordsOf(ctx)
		if near := Nearest(t.Value, words); near != "" {
			d.Hintf("%s", near)
		} else {
			d.Hintf("its words are %s", strings.Join(words, ", "))
		}
	}
	b.add(d)
}

// sizeOf returns the statement that sets a size, from a statement that lacks the word dim.
func sizeOf(toks []lexer.Token) string {
	name, is, value := toks[0].Value, "=", "EXPR"
	if name == "seq" { // a bound
		is = "<="
	}
	if n := len(toks); n == 2 || n == 3 && (toks[1].Value == "=" || toks[1].Value == "<=") {
		value = toks[n-1].Value
	}
	return strings.Join([]string{"dim", name, is, value}, " ")
}

// homes returns the blocks that have a word.
func homes(word string) []string {
	var blocks []string
	for _, r := range Schema {
		if r.Word == word && !slices.Contains(blocks, r.Block) {
			blocks = append(blocks, r.Block)
		}
	}
	if len(blocks) > 0 && word == "drop" {
		return nil
	}
	return blocks
}

func blockName(ctx string) string {
	if ctx == "file" {
		return "the top of a file"
	}
	return ctx
}

func assignHint(ctx string) string {
	if ctx == "model" || ctx == "file" {
		return "a size is written dim NAME = EXPR"
	}
	return "put it into encoder.attention { … }"
}

// isAssignment reports whether tokens have the form NAME, NAME = ….
func isAssignment(toks []lexer.Token) bool {
	for i, t := range toks {
		if i%2 == 0 && t.Type != tIdent {
			return false
		}
		if i%2 == 1 && t.Value != "," {
			return t.Value == "="
		}
	}
	return false
}

// operands parses what follows the word.
func (b *builder) operands(s *Stmt, toks []lexer.Token) {
	row := s.row
	if row.Named && len(toks) > 0 && toks[0].Type == tIdent {
		s.Name = toks[0].Value // kept even if the rest is broken, so that uses of the name are not reported too
	}
	if s.broken {
		return
	}
	if depth, at := nesting(toks); depth > maxParen {
		b.add(diag.Errorf("too-deep", spanOf(b.file, at), "parentheses are nested more than %d deep", maxParen))
		s.broken = true
		return
	}
	if row.parse == nil || len(toks) == 0 && row.optional {
		if len(toks) > 0 {
			b.add(diag.Errorf("syntax", spanOf(b.file, toks[0]), "%s takes no operand", row.Word).Hintf("%s", row.Usage()))
			s.broken = true
		}
		return
	}
	end := s.toks[len(s.toks)-1].Pos
	end.Column = s.Pos.EndCol
	if last := spanOf(b.file, s.toks[len(s.toks)-1]); last.Line != s.Pos.Line {
		end.Column = last.EndCol
	}
	lex, err := lexer.Upgrade(&replay{toks: toks, end: end})
	if err == nil {
		s.Form, err = row.parse(lex)
	}
	if err != nil {
		b.add(syntaxFault(b.file, err, row))
		s.Form, s.broken = nil, true
	}
}

// nesting returns the deepest nesting of parentheses and brackets, or of consecutive signs, which the grammar also parses by recursion.
func nesting(toks []lexer.Token) (int, lexer.Token) {
	deepest, depth := 0, 0
	var at lexer.Token
	for _, t := range toks {
		switch t.Value {
		case "(", "[":
			if depth++; depth > deepest {
				deepest, at = depth, t
			}
		case ")", "]":
			depth--
		}
	}
	return deepest, at
}

// Nearest returns the candidate closest to a word by edit distance, or "" if no candidate is close.
func Nearest(word string, candidates []string) string {
	best, limit := "", min(max(1, len(word)/3), len(word)-1) // at least one letter of the word must remain
	for _, c := range candidates {
		if d := distance(word, c, limit); d <= limit && c != word {
			if d < limit || best == "" {
				best = c
			}
			limit = d
		}
	}
	return best
}

// distance returns the number of insertions, deletions, replacements and swaps of neighbours between two words. It returns limit+1 for more than limit.
func distance(a, b string, limit int) int {
	if len(a)-len(b) > limit || len(b)-len(a) > limit || len(a) > 64 {
		return limit + 1
	}
	var before, prev, row []int
	row = make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, prev, row = prev, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
