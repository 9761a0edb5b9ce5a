package wording

import (
	"fmt"
	"strings"
	"unicode"
)

// Quoted returns a word as a shell takes it. Characters that are not printed are escaped, which the shells bash, zsh and ksh read.
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

// Ignoring returns the flag that leaves out a file or field, as it can be typed.
func Ignoring(name string) string {
	if strings.HasPrefix(name, "-") {
		return "--ignore=" + Quoted(name)
	}
	return "--ignore " + Quoted(name)
}
