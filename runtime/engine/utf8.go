package engine

import "github.com/debertac/debertac/runtime/ragged"

import (
	"fmt"
	"unicode/utf8"
)

// CheckUTF8 returns nil if text is valid UTF-8. Otherwise it returns an error that names the first
// invalid byte and wraps ErrInput. what is the name of the text in the message, such as `label
// "x"`. All calls check their texts, for two reasons: what a model computes for invalid bytes would
// depend on what replaces them, and offsets in JSON would not fit the text.
func CheckUTF8(what, text string) error {
	if utf8.ValidString(text) {
		return nil
	}
	return &ragged.Error{Text: what + ": " + invalidByte(text)}
}

// invalidByte describes the first byte of a text that is not valid UTF-8.
func invalidByte(text string) string {
	for i, r := range text {
		if _, n := utf8.DecodeRuneInString(text[i:]); r == utf8.RuneError && n == 1 {
			return fmt.Sprintf("byte %d (0x%02x) is not valid UTF-8: convert the text first, "+
				"or put other characters in place of such bytes with strings.ToValidUTF8", i, text[i])
		}
	}
	return ""
}
