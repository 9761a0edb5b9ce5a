package extraction

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// TestWordsRecorded compares words with those that the regular expressions of the reference implementation find in random texts. The last rows hold every kind
// of character.
func TestWordsRecorded(t *testing.T) {
	f, err := os.Open("testdata/words.jsonl")
	require.NoError(t, err)
	defer f.Close()
	lines, rows := bufio.NewScanner(f), 0
	for ; lines.Scan(); rows++ {
		var row struct {
			Text  string
			S     Splitter
			Words [][]any
		}
		require.NoError(t, json.Unmarshal(lines.Bytes(), &row))
		var words [][]any
		for _, w := range Split(row.Text, row.S) {
			words = append(words, []any{w.Text, float64(w.RuneStart), float64(w.RuneEnd)})
		}
		require.Equal(t, len(row.Words), len(words), "%q", row.Text)
		for i := range words {
			require.Equal(t, row.Words[i], words[i], "%q", row.Text)
		}
	}
	require.NoError(t, lines.Err())
	require.Greater(t, rows, 200)
}

// texts returns the words of a text, joined by bars.
func texts(text string, s Splitter) string {
	var b []string
	for _, w := range Split(text, s) {
		b = append(b, w.Text)
	}
	return strings.Join(b, "|")
}

func TestWords(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", ""},
		{" \t\n\u0085\u001c\u001f\u2028", ""},
		{"Smith-Jones met x_y--z -a a-", "smith-jones|met|x_y|-|-|z|-|a|a|-"},
		{"A.B@Example.ORG, a@b.c a@b.cd1 a@b..co @Some_H", "a.b@example.org|,|a|@b|.|c|a@b.cd|1|a@b..co|@some_h"},
		{"see https://E.org/a?b#c www.F.bar/x, http:// www. wwww.a", "see|https://e.org/a?b#c|www.f.bar/x,|http|:|/|/|www|.|wwww|.|a"},
		{"httpſ://a.b HTTPS://A", "httpſ://a.b|https://a"},
		{"İ@ıſ.org Kſ@a.ſK", "i\u0307@ıſ.org|kſ@a.ſk"},
		{"ΟΔΥΣΣΕΥΣ ΑΣ. ΣΑ Σ", "οδυσσευς|ας|.|σα|σ"},
		{"a\u0301b ́x zero\u200cw\u200dj soft\u00adh", "a\u0301b|\u0301x|zero\u200cw\u200dj|soft|\u00ad|h"},
		{"東京都 ½² 😀!", "東京都|½²|😀|!"},
		{"a\x1cb\x85c", "a|b|\x85|c"}, // a byte that is not UTF-8
	} {
		require.Equal(t, c.want, texts(c.text, SplitWords), "%q", c.text)
	}
	require.Equal(t, "東|京|a@b.c-d+e_f|é|e|\u0301", texts("東京 a@b.C-d+e_f Ée\u0301", SplitChars))
}

// TestStop tries the full stop that a text has at its end.
func TestStop(t *testing.T) {
	for text, model := range map[string]string{
		"": ".", " ": " .", "a": "a.", "a.": "a.", "a!": "a!", "a?": "a?", "a.\n": "a.\n.", "a。": "a。.", "a؟": "a؟.", "a. ": "a. .",
	} {
		require.Equal(t, model, Read(text, SplitWords, 0).Model, "%q", text)
	}
	r := Read("one two three", SplitWords, 2)
	require.Len(t, r.Words, 2)
	require.Equal(t, 2, r.Cut) // the full stop is a word
	require.Zero(t, Read("one two three", SplitWords, 4).Cut)
}

func TestParseSplitter(t *testing.T) {
	for name, want := range map[string]Splitter{"": SplitWords, "whitespace": SplitWords, "char": SplitChars} {
		s, err := ParseSplitter(name)
		require.NoError(t, err)
		require.Equal(t, want, s)
	}
	_, err := ParseSplitter("Char")
	require.ErrorContains(t, err, `word_splitter is "Char": it must be "whitespace" or "char"`)
}

// TestLowerFinalSigma tries the rule for Σ at the end of a word with what stands around it.
func TestLowerFinalSigma(t *testing.T) {
	for in, want := range map[string]string{
		"ΑΣ": "ας", "Σ": "σ", "ΑΣΑ": "ασα", "Α\u0301Σ\u0301": "α\u0301ς\u0301", "1Σ": "1σ", "Α:Σ": "α:ς", "ΑΣ:Α": "ασ:α", "ΑΣ1": "ας1", "ªΣ": "ªς",
		"ǅΣ": "ǆς", "ʰΣ": "ʰσ", "İI": "i\u0307i", "STRASSE": "strasse", "ẞ": "ß",
	} {
		require.Equal(t, want, Lower(in), "%q", in)
	}
}

// TestWordsTime tries texts on which a search for an address from every word would take the square of the length.
func TestWordsTime(t *testing.T) {
	for _, text := range []string{strings.Repeat("a.", 200_000), strings.Repeat("a.", 100_000) + "@" + strings.Repeat("b-", 100_000)} {
		start := time.Now()
		require.Greater(t, len(Split(text, SplitWords)), 100_000)
		require.Less(t, time.Since(start), 10*time.Second)
	}
}

// FuzzWords checks that words are in order, not blank, and cover everything but white space.
func FuzzWords(f *testing.F) {
	for _, s := range []string{"", "Ada met a.b@c.de!", "https://x www. @a \u0130\u03a3", "a\xff-b", "x--y_z"} {
		f.Add(s, false)
		f.Add(s, true)
	}
	f.Fuzz(func(t *testing.T, text string, chars bool) {
		s := SplitWords
		if chars {
			s = SplitChars
		}
		at, runes := 0, 0
		between := func(gap string) {
			require.Empty(t, strings.TrimFunc(gap, isSpace))
			runes += utf8.RuneCountInString(gap)
		}
		for _, w := range Split(text, s) {
			require.Less(t, w.Start, w.End)
			between(text[at:w.Start])
			require.Equal(t, runes, w.RuneStart)
			runes += utf8.RuneCountInString(text[w.Start:w.End])
			require.Equal(t, runes, w.RuneEnd)
			require.Equal(t, Lower(text[w.Start:w.End]), w.Text)
			at = w.End
		}
		between(text[at:])
	})
}
