package task

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/debertac/debertac/runtime/growthtest"
)

// cutTexts returns the words of a text.
func cutTexts(text string) []string {
	list := []string{}
	for _, w := range appendWords(nil, text) {
		list = append(list, text[w.start:w.end])
	}
	return list
}

// TestWords compares the words with the matches of Python's re.finditer(r"\w+(?:[-_]\w+)*|\S", text).
func TestWords(t *testing.T) {
	for text, want := range map[string][]string{
		"":                                {},
		" \t\n\u00a0\u2003\u3000\x1c\x1f": {},
		"e-mail a_b-c no--pe -x x- _ __-": {"e-mail", "a_b-c", "no", "-", "-", "pe", "-", "x", "x", "-", "_", "__", "-"},
		"a.b@c.org, 123,456.78!":          {"a", ".", "b", "@", "c", ".", "org", ",", "123", ",", "456", ".", "78", "!"},
		"<<ENT>> [SEP]":                   {"<", "<", "ENT", ">", ">", "[", "SEP", "]"},
		"naïve 東京 Ⅷ ½ ①":                  {"naïve", "東京", "Ⅷ", "½", "①"},
		"e\u0301te\u0301":                 {"e", "\u0301", "te", "\u0301"}, // combining marks are not word characters
		"हिन्दी":                          {"ह", "ि", "न", "्", "द", "ी"},
		"a\u200bb don’t":                  {"a", "\u200b", "b", "don", "’", "t"},
		"a\xffb \xf0\x9f":                 {"a", "\xff", "b", "\xf0", "\x9f"},
		"x-\u2010-y":                      {"x", "-", "\u2010", "-", "y"},
	} {
		require.Equal(t, want, cutTexts(text), "%q", text)
	}
	parts := Words(" é-x!")
	require.Equal(t, []Part{{"é-x", 1, 5, 1, 4, 1, 4}, {"!", 5, 6, 4, 5, 4, 5}}, parts)
}

// TestWordsAsPattern compares the splitter with a pattern of Go's, in which Python's classes are written out, on
// valid texts.
func TestWordsAsPattern(t *testing.T) {
	pattern := regexp.MustCompile(`[\p{L}\p{N}_]+(?:[-_][\p{L}\p{N}_]+)*|[^\p{Z}\t-\r\x1c-\x20\x{85}]`)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.OneOf(rapid.RuneFrom([]rune("ab1_--- .é\u0301東½\u00a0\u2028\x1d\x85\u180e\u200b😀")), rapid.Rune())).Draw(t, "text")
		if !utf8.ValidString(text) {
			return
		}
		want := pattern.FindAllString(text, -1)
		if want == nil {
			want = []string{}
		}
		require.Equal(t, want, cutTexts(text))
	})
}

// TestWordsInLinearTime uses texts that would make a backtracking matcher slow.
func TestWordsInLinearTime(t *testing.T) {
	for _, piece := range []string{"a-", "a", "-", "_-", "a_", "\xff", "é-"} {
		text := strings.Repeat(piece, 1<<20)
		cut := func(text string) func() { return func() { appendWords(nil, text) } }
		growthtest.Check(t, piece, 36, cut(text[:len(text)/8]), cut(text)) // quadratic work takes 64 times as long
	}
}
