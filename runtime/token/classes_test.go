package token

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

// TestCharacters compares every code point with what the reference recorded: classes, lower case,
// decompositions.
func TestCharacters(t *testing.T) {
	z, err := gzip.NewReader(bytes.NewReader(readGolden(t, ".", "characters.json.gz")))
	require.NoError(t, err)
	b, err := io.ReadAll(z)
	require.NoError(t, err)
	var want struct {
		Letters, Numbers, Spaces, Cleaned, Ideographs, Accents, Marks, Punctuation [][2]rune
		Lower, NFD                                                                 map[string]string
	}
	require.NoError(t, json.Unmarshal(b, &want))
	table := classes()
	is := func(c charClass) func(r rune) bool { return func(r rune) bool { return table.of(r)&c != 0 } }
	for _, x := range []struct {
		name string
		want [][2]rune
		got  func(r rune) bool
		skip func(r rune) bool
	}{
		{"letters", want.Letters, is(classLetter), nil},
		{"numbers", want.Numbers, is(classNumber), nil},
		{"white space", want.Spaces, is(classSpace), nil},
		{"cleaned", want.Cleaned, is(classControl), nil},
		{"ideographs", want.Ideographs, is(classIdeograph), nil},
		// Accents are removed after the decomposition, so characters that decompose are never
		// looked up.
		{"accents", want.Accents, is(classAccent), func(r rune) bool { _, ok := want.NFD[string(r)]; return ok }},
		{"marks", want.Marks, is(classMark), nil},
		{"punctuation", want.Punctuation, is(classPunct), nil},
	} {
		in := map[rune]bool{}
		for _, r := range x.want {
			for c := r[0]; c <= r[1]; c++ {
				in[c] = true
			}
		}
		wrong := 0
		for r := rune(0); r <= utf8.MaxRune; r++ {
			if utf8.ValidRune(r) && in[r] != x.got(r) && (x.skip == nil || !x.skip(r)) {
				if wrong++; wrong < 9 {
					t.Errorf("%s: %U is %v, want %v", x.name, r, x.got(r), in[r])
				}
			}
		}
		assert.Zero(t, wrong, x.name)
	}
	var s scratch
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) {
			continue
		}
		c := string(r)
		low, ok := want.Lower[c]
		if !ok {
			low = c
		}
		if got := string(appendLower(nil, r)); got != low {
			t.Errorf("lower case of %U is %q, want %q", r, got, low)
		}
		nfd, ok := want.NFD[c]
		if !ok {
			nfd = c
		}
		if 0xac00 <= r && r <= 0xd7a3 {
			continue
		}
		var b buffer
		if got := string(unicodeForm{norm.NFD}.normalize(chunk{text: []byte(c)}, &b, &s).text); got != nfd {
			t.Errorf("decomposition of %U is %q, want %q", r, got, nfd)
		}
	}
}

// TestASCIISplits holds the table of BERT's words for ASCII to that of all characters.
func TestASCIISplits(t *testing.T) {
	for b, class := range asciiSplits {
		require.Equal(t, classes().of(rune(b))&(classSpace|classPunct), class, "%q", rune(b))
	}
}
