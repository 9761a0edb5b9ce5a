package command

import "strconv"

// Shorten returns the first runes of s, and an ellipsis if there are more.
func Shorten(s string, runes int) string {
	n := 0
	for i := range s {
		if n == runes {
			return s[:i] + "…"
		}
		n++
	}
	return s
}

// Plural returns a number with a noun, in the plural unless the number is 1.
func Plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return strconv.Itoa(n) + " " + what + "s"
}
