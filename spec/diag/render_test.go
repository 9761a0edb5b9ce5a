package diag_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec/diag"
)

func sources(text string) diag.Sources {
	return func(name string) []byte {
		if name == "a.dspec" {
			return []byte(text)
		}
		return nil
	}
}

func span(line, col, end int) diag.Span {
	return diag.Span{File: "a.dspec", Line: line, Col: col, EndCol: end}
}

func TestRender(t *testing.T) {
	text := "one\n\tdim 漢字 = 1\ne\u0301x = 2\r\n"
	for _, c := range []struct {
		name string
		at   diag.Span
		want string
	}{
		{"plain", span(1, 2, 4), "   1 | one\n     |  ^^\n"},
		{"empty spans show one caret", span(1, 4, 4), "   1 | one\n     |    ^\n"},
		{"a tab is four columns", span(2, 2, 5), "   2 |     dim 漢字 = 1\n     |     ^^^\n"},
		{"wide characters take two columns", span(2, 6, 8), "   2 |     dim 漢字 = 1\n     |         ^^^^\n"},
		{"behind wide characters", span(2, 9, 10), "   2 |     dim 漢字 = 1\n     |              ^\n"},
		{"combining characters take none", span(3, 3, 4), "   3 | e\u0301x = 2\n     |  ^\n"},
		{"beyond the line's end", span(1, 9, 12), "   1 | one\n     |    ^\n"},
		{"no such line", span(9, 1, 2), ""},
		{"no such file", diag.Span{File: "b", Line: 1, Col: 1, EndCol: 2}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := diag.Errorf("syntax", c.at, "wrong")
			got := diag.Render(diag.List{d}, sources(text), diag.Style{})
			require.Equal(t, d.String()+"\n"+c.want, got)
		})
	}
}

func TestRenderNotesAndHint(t *testing.T) {
	d := diag.Warnf("range", span(2, 1, 2), "b is %d", 3).Note(span(1, 1, 2), "a is here").Hintf("write %s", "c")
	want := "a.dspec:2:1: warning: b is 3 [range]\n   2 | b\n     | ^\na.dspec:1:1: note: a is here\n   1 | a\n     | ^\n     hint: write c\n"
	require.Equal(t, want, diag.Render(diag.List{d}, sources("a\nb"), diag.Style{}))
	colored := diag.Render(diag.List{d}, sources("a\nb"), diag.Style{Color: true})
	require.Contains(t, colored, "\x1b[")
	require.NotContains(t, diag.Render(diag.List{d}, sources("a\nb"), diag.Style{}), "\x1b[")
}

func TestRenderWithoutSources(t *testing.T) {
	d := diag.Errorf("", diag.Span{}, "nothing is known about the place")
	require.Equal(t, "nothing is known about the place\n", diag.Render(diag.List{d}, nil, diag.Style{}))
}

// TestRenderHarmless checks that no text of a spec can move the cursor of the reader's terminal or hide text.
func TestRenderHarmless(t *testing.T) {
	d := diag.Errorf("syntax", span(1, 1, 3), "the character \x1b[31m")
	out := diag.Render(diag.List{d}, sources("\x1b[2J\u202ex\xff"), diag.Style{})
	require.NotContains(t, out, "\x1b")
	require.NotContains(t, out, "\u202e")
	out = diag.Render(diag.List{diag.Errorf("", diag.Span{File: "a\nb\x1b.json"}, "is not known")}, nil, diag.Style{})
	require.Equal(t, "a\ufffdb\ufffd.json: is not known\n", out)
	require.True(t, strings.Contains(out, "\ufffd"))
}

func TestRenderLongLine(t *testing.T) {
	d := diag.Errorf("syntax", span(1, 5001, 5004), "far out")
	out := diag.Render(diag.List{d}, sources(strings.Repeat("x", 5000)+"abc"+strings.Repeat("y", 5000)), diag.Style{})
	lines := strings.Split(out, "\n")
	require.Less(t, len(lines[1]), 250)
	at := strings.Index(lines[2], "^") - len("     | ")
	require.Equal(t, "abc", string([]rune(strings.TrimPrefix(lines[1], "   1 | "))[at:at+3]))
}

func TestList(t *testing.T) {
	warn := diag.Warnf("range", span(1, 1, 2), "w")
	late := diag.Errorf("syntax", span(3, 1, 2), "e3")
	early := diag.Errorf("syntax", span(2, 7, 8), "e2")
	l := diag.List{late, early, warn}
	l.Sort()
	require.Equal(t, diag.List{warn, early, late}, l)
	require.EqualError(t, l.Err(), "a.dspec:2:7: e2 [syntax]\na.dspec:3:1: e3 [syntax]")
	require.NoError(t, diag.List{warn}.Err())
	require.False(t, diag.List{warn}.HasErrors())
	require.Equal(t, "warning", warn.Severity.String())
	require.Equal(t, "error", late.Severity.String())
	require.Positive(t, span(2, 1, 2).Compare(span(1, 5, 6)))
}

func TestLimit(t *testing.T) {
	var l diag.List
	for i := range diag.MaxFaults + 7 {
		l = append(l, diag.Errorf("syntax", span(1000-i, 1, 2), "wrong"))
	}
	l = l.Limit()
	require.Len(t, l, diag.MaxFaults+1)
	require.Contains(t, l[diag.MaxFaults].Message, "7 more faults")
	require.Len(t, l[:5].Limit(), 5)
}

func TestCodes(t *testing.T) {
	require.True(t, slices.IsSortedFunc(diag.Codes, func(a, b diag.Info) int { return strings.Compare(string(a.Code), string(b.Code)) }))
	for _, i := range diag.Codes {
		require.NotEmpty(t, i.Meaning)
		require.NotEmpty(t, i.Example)
		require.NotEmpty(t, i.Fixed)
		found, ok := diag.Find(i.Code)
		require.True(t, ok)
		require.Equal(t, i, found)
		require.Contains(t, i.Page(), i.Meaning)
	}
	_, ok := diag.Find("none")
	require.False(t, ok)
}
