package wording

import (
	"fmt"
	"strings"
	"unicode"
)

// Quoted returns a word quoted for a shell. Characters that cannot be printed are escaped in a form that bash, zsh and ksh read.
func Quoted(word string) string {
	if strings.ContainsFunc(word, func(r rune) bool { return !unicode.IsPrint(r) }) {
		var b strings.Builder
		b.WriteString("$'")
		for _, r := range word {
			switch {
			case r == '\'' || r == '\\':
				b.WriteByte('\\')
				b.WriteRune(r)
			case unicode.IsPrint(r):
				b.WriteRune(r)
			default:
				for _, c := range []byte(string(r)) {
					fmt.Fprintf(&b, `\%03o`, c)
				}
			}
		}
		return b.String() + "'"
	}
	if word == "" || strings.ContainsAny(word, " \"'`$&|;<>()[]{}*?!#~\\") {
		return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
	}
	return word
}

// Ignoring returns the flag that leaves out a file or field, quoted for a shell.
func Ignoring(name string) string {
	if strings.HasPrefix(name, "-") {
		return "--ignore=" + Quoted(name)
	}
	return "--ignore " + Quoted(name)
}
