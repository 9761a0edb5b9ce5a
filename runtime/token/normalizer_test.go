package token

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
	"pgregory.net/rapid"
)

func TestGraphemes(t *testing.T) {
	p := graphemes()
	require.Less(t, len(p.pages), 1<<16)
	for _, x := range []string{
		"a|b", "\r\n|\n|\r|a", "a\u0301|b", "\u0301|a", "e\u0301\u0302", "\u1112\u1161\u11ab|\u1100\u116e\u11a8", "\uac00\u11a8|\uac01\u11a8|\u1161",
		"\U0001f468\u200d\U0001f469\u200d\U0001f467|\U0001f466", "\U0001f1e9\U0001f1ea|\U0001f1eb\U0001f1f7|\U0001f1eb", "\u0600a|b", "\u0915\u094d\u0937",
		"\u0915|\u0937",
		"\u0915\u094d\u200d\u0937", "\u0e01\u0e33|\u0e01", "\u2764\ufe0f|x", "a\u200d|\U0001f468", "\u0001|a", "\u00ad|a", "\U0001f44d\U0001f3fd", "\u0903",
		"\U0001f468\u200d\u0301\u200d|\U0001f469",
	} {
		text := strings.ReplaceAll(x, "|", "")
		var parts []string
		for len(text) > 0 {
			n := p.cluster([]byte(text))
			parts = append(parts, text[:n])
			text = text[n:]
		}
		assert.Equal(t, x, strings.Join(parts, "|"), "%+q", x)
	}
}

func TestClusterCoversText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := []byte(rapid.String().Draw(t, "text"))
		for len(text) > 0 {
			n := graphemes().cluster(text)
			require.Greater(t, n, 0)
			require.True(t, utf8.Valid(text[:n]))
			text = text[n:]
		}
	})
}

// applyStep runs one step with and without offsets. Both must return the same text.
func applyStep(t require.TestingT, n normalizer, text string) (string, []Span) {
	s := scratch{limit: growthLimit(len(text))}
	plain := string(s.normalize([]normalizer{n}, s.load.load(text, 0, len(text), false)).text)
	c := s.normalize([]normalizer{n}, s.load.load(text, 0, len(text), true))
	require.Equal(t, plain, string(c.text))
	require.Len(t, c.span, len(c.text))
	return plain, append([]Span{}, c.span...)
}

// TestUnicodeForms compares the four forms with the standard library's, for runs of marks that it
// does not break up.
func TestUnicodeForms(t *testing.T) {
	old := rapid.Rune().Filter(func(r rune) bool { return r != utf8.RuneError && !unicode.Is(laterForms, r) })
	some := rapid.OneOf(old, rapid.RuneFrom([]rune("aeo\u0301\u0323\u0302\u0327\u0344\u0958\u1e69\u212b\uac01\u1100\u1161\u11a8\ufb01\u00bd\u0f73")))
	for _, form := range []norm.Form{norm.NFC, norm.NFD, norm.NFKC, norm.NFKD} {
		rapid.Check(t, func(t *rapid.T) {
			text := rapid.StringOfN(some, 1, 20, -1).Draw(t, "text")
			got, spans := applyStep(t, unicodeForm{form}, text)
			require.Equal(t, form.String(text), got)
			for _, s := range spans {
				require.True(t, 0 <= s.Start && s.Start < s.End && int(s.End) <= len(text))
			}
		})
	}
	// A long run of marks stays one run, and sorting it does not take quadratic time.
	text := "a" + strings.Repeat("\u0301\u0323", 50_000)
	got, _ := applyStep(t, unicodeForm{norm.NFC}, text)
	assert.Equal(t, "\u1ea1"+strings.Repeat("\u0323", 49_999)+strings.Repeat("\u0301", 50_000), got)
}

func TestLowercase(t *testing.T) {
	got, spans := applyStep(t, lowercase{}, "AbÉ\u0130ΣẞǄ\U00010D50x")
	assert.Equal(t, "abéi\u0307σßǆ\U00010D70x", got)
	assert.Equal(t, Span{4, 6}, spans[4], "both characters of the dotted I stand for it")
	assert.Equal(t, Span{4, 6}, spans[5])
	got, _ = applyStep(t, lowercase{}, "nothing to do")
	assert.Equal(t, "nothing to do", got)
}

func TestStripReplacePrepend(t *testing.T) {
	got, spans := applyStep(t, strip{left: true, right: true}, " \u3000a b\u0085 ")
	assert.Equal(t, "a b", got)
	assert.Equal(t, []Span{{4, 5}, {5, 6}, {6, 7}}, spans)
	got, _ = applyStep(t, strip{right: true}, "  ")
	assert.Empty(t, got)
	p, err := parsePattern(" {2,}")
	require.NoError(t, err)
	got, spans = applyStep(t, &replace{p, " "}, "a   b c  ")
	assert.Equal(t, "a b c ", got)
	assert.Equal(t, []Span{{0, 1}, {3, 4}, {4, 5}, {5, 6}, {6, 7}, {8, 9}}, spans)
	got, spans = applyStep(t, prepend{"__"}, "é")
	assert.Equal(t, "__é", got)
	assert.Equal(t, []Span{{0, 2}, {0, 2}, {0, 2}, {0, 2}}, spans)
	got, _ = applyStep(t, prepend{"__"}, "")
	assert.Empty(t, got)
}

func TestPattern(t *testing.T) {
	for _, x := range []struct{ re, text, want string }{
		{" {2,}", "a  b c   d", "a<>b c<>d"},
		{`\s{2,}|[\n\r\t]`, "a\tb \n c d\n", "a<>b<>c d<>"},
		{"x+", "xxaxbxx", "<>a<>b<>"},
		{"[a-cé]{2}", "abcéa", "<><>a"},
		{"a{1,2}", "aaaaa", "<><><>"},
		{`\.|\\`, `a.b\c`, "a<>b<>c"},
		{"é", "éeé", "<>e<>"},
		{`\s`, "a\u00a0b", "a<>b"},
	} {
		p, err := parsePattern(x.re)
		require.NoError(t, err, x.re)
		got, _ := applyStep(t, &replace{p, "<>"}, x.text)
		assert.Equal(t, x.want, got, x.re)
	}
	for _, re := range []string{"", "a|", "(a)", "a*", "a?", ".", "^a", "a$", `\d`, "[^a]", "[]", "[a", "a{", "a{2", "a{0,1}", "a{3,2}", "a{,2}", "a{99}",
		"ab", `\`, `[\`, "[b-a]", "[a&&b]", "[[a]]", "a++", "a{2}{3}", "[a-]"} {
		_, err := parsePattern(re)
		assert.ErrorContains(t, err, "not supported", re)
	}
	_, err := literalPattern("")
	assert.Error(t, err)
}

func TestCharsMapErrors(t *testing.T) {
	for name, b := range map[string][]byte{
		"empty":       {},
		"short":       {4, 0, 0, 0, 1},
		"not a word":  {3, 0, 0, 0, 1, 2, 3},
		"no array":    {0, 0, 0, 0, 'a', 0},
		"bad text":    {4, 0, 0, 0, 0, 0, 0, 0, 0xff, 0},
		"no end":      {4, 0, 0, 0, 0, 0, 0, 0, 'a'},
		"long":        append([]byte{4, 0, 0, 0, 0, 0, 0, 0}, append([]byte(strings.Repeat("a", maxReplacement+1)), 0)...),
		"huge length": {255, 255, 255, 255, 0},
	} {
		_, err := parseCharsMap(b)
		assert.Error(t, err, name)
	}
}

// TestOldPunctuation checks that the sets that are decided here do not overlap the standard
// library's tables, which may grow.
func TestOldPunctuation(t *testing.T) {
	assert.True(t, isOldPunctuation('¡') && isOldPunctuation('。') && isOldPunctuation('\u166d') && isOldPunctuation('~') && isOldPunctuation('$'))
	assert.False(t, isOldPunctuation('€') || isOldPunctuation('\u2e4d') || isOldPunctuation('\U000116b9') || isOldPunctuation('a') || isOldPunctuation(' '))
	assert.True(t, isPunctuation('\u2e4d'))
}
