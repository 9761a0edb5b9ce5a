package spec

import (
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// textOf prints operands in canonical spacing.
func textOf(toks []lexer.Token) string { return printed(toks, 0, len(toks), false) }

// textBetween prints the tokens from..to-1 of a statement.
func textBetween(toks []lexer.Token, from, to int) string { return printed(toks, from, to, true) }

// counted returns a number with a noun, in the plural for all numbers but 1.
func counted(n int, noun string) string { return itoa(n) + " " + noun + choose(n == 1, "", "s") }

// text prints the statement without its block.
func (s *Stmt) text() string { return textBetween(s.toks, 0, len(s.toks)) }

// printed prints the tokens from..to-1. word means that the first token is a statement's word, so the next one begins an operand.
func printed(toks []lexer.Token, from, to int, word bool) string {
	var b strings.Builder
	brackets := 0
	for i, t := range toks[:to] {
		if i < from {
			continue
		}
		value := t.Value
		if value == "." && i > 0 && toks[i-1].Value == "]" {
			value = "·"
		}
		if i > from && spaced(toks, i, brackets, word) {
			b.WriteByte(' ')
		}
		switch value {
		case "[":
			brackets++
		case "]":
			brackets--
		}
		b.WriteString(value)
	}
	return b.String()
}

// spaced reports whether there is a space in front of token i.
func spaced(toks []lexer.Token, i, brackets int, word bool) bool {
	prev, t := toks[i-1], toks[i]
	switch t.Value {
	case ")", "]", ",", ":", ".", "·":
		return false
	case "(":
		return prev.Type != tIdent && prev.Value != "(" && prev.Value != "[" && !isSign(toks, i-1, word) || i == 1 && word
	case "[":
		return prev.Type != tIdent || i == 1 && word
	}
	switch prev.Value {
	case "(", "[", ".", "·":
		return false
	}
	if brackets > 0 && (isOperator(t.Value) || isOperator(prev.Value)) {
		return false
	}
	return !isSign(toks, i-1, word)
}

func isOperator(s string) bool { return s == "+" || s == "-" || s == "*" || s == "/" }

// isSign reports whether token i is the minus sign of a number and not a minus between two numbers.
func isSign(toks []lexer.Token, i int, word bool) bool {
	if toks[i].Value != "-" {
		return false
	}
	if i == 0 {
		return true
	}
	prev := toks[i-1]
	switch prev.Type {
	case tNumber, tString:
		return false
	case tIdent:
		// after a word that begins an operand the minus is a sign
		return i == 1 && word || slices.Contains(operandWords, prev.Value)
	}
	return prev.Value != ")" && prev.Value != "]"
}

// operandWords are the words inside operands that are followed by a number.
var operandWords = []string{"pad", "from", "layer", "attention", "weight", "warmup", "polynomial", "to", "layers", "mix", "of", "rank", "alpha", "dropout",
	"labels", "keep", "random"}
