package task

import (
	"bufio"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSchemeReadsLabels(t *testing.T) {
	s := newScheme([]string{"O", "B-PER", "I-PER", "E-mail", "L-PER", "S-1", "L-ORG", "per-b"})
	require.Equal(t, []tag{{outside, "O", false}, {begin, "PER", false}, {inside, "PER", false}, {inside, "E-mail", true}, {end, "PER", false},
		{inside, "S-1", true},
		{end, "ORG", false}, {inside, "per-b", true}}, s.tags)
	require.True(t, s.joins(1, 2, false, false) && s.joins(2, 4, false, false) && s.joins(3, 3, false, false) && s.joins(0, 0, false, false))
	require.True(t, s.joins(4, 4, true, true) && s.joins(1, 1, true, false), "pieces of one word")
	require.False(t, s.joins(2, 1, false, false) || s.joins(4, 2, false, true) || s.joins(1, 3, true, false),
		"B- begins, after L- nothing goes on, kinds differ")
	var names []string
	for _, tag := range s.tags {
		names = append(names, tag.name())
	}
	require.Equal(t, []string{"O", "PER", "PER", "mail", "PER", "1", "ORG", "b"}, names)
}

// tagged returns a tagger with these labels, the text of tokens, and its items. Each token is
// written "text/word/label", or "text/label" if it is a word by itself. Tokens of a word are
// adjacent; elsewhere there is a space between them.
func tagged(labels, tokens []string) (text string, items []item, t *Tagger) {
	t = &Tagger{labels: labels, scheme: newScheme(labels)}
	word, last := 0, ""
	for _, x := range tokens {
		p := strings.Split(x, "/")
		if word++; len(p) == 3 && p[1] == last {
			word--
		} else if text != "" {
			text += " "
		}
		last = ""
		if len(p) == 3 {
			last = p[1]
		}
		it := item{start: len(text), end: len(text) + len(p[0]), word: word, score: 1}
		for i, l := range labels {
			if l == p[len(p)-1] {
				it.index = i
			}
		}
		text += p[0]
		items = append(items, it)
	}
	return text, items, t
}

// TestGroupsWithEnds checks labels that mark the end of an entity. The pieces of a word stay
// together, whether all of them have the word's label, only the first has it, or each has its own.
// If a script has no spaces between words, only the labels decide.
func TestGroupsWithEnds(t *testing.T) {
	for _, c := range []struct{ tokens, want string }{
		{"An/1/S-PER na/1/S-PER Sm/2/S-PER ith/2/S-PER works/O Ac/3/S-ORG me/3/S-ORG", "PER Anna|PER Smith|ORG Acme"},
		{"A/1/S-PER n/1/E-PER na/1/E-PER S/2/E-PER mith/2/E-PER", "PER Anna|PER Smith"},
		{"An/1/B-PER na/1/B-PER Sm/2/E-PER ith/2/E-PER", "PER Anna Smith"},
		{"An/1/B-PER na/1/I-PER M/2/I-PER ia/2/I-PER Sm/3/I-PER ith/3/E-PER Tom/S-PER", "PER Anna Mia Smith|PER Tom"},
		{"An/1/B-PER na/1/I-PER Sm/2/E-PER ith/2/I-PER Tom/I-PER", "PER Anna Smith|PER Tom"},
		{"New/B-LOC York/E-LOC Rome/B-LOC City/E-LOC", "LOC New York|LOC Rome City"},
		{"Rome/S-LOC Paris/S-LOC Bonn/E-LOC", "LOC Rome|LOC Paris|LOC Bonn"},
		{"Rome/1/S-LOC -/1/O Paris/1/S-LOC", "LOC Rome|LOC Paris"},
		{"Rome/1/S-LOC x/1/S-PER", "LOC Rome|PER x"},
		{"张/1/B-PER 三/1/E-PER 李/1/B-PER 四/1/E-PER", "PER 张三|PER 李四"},
		{"東京/1/S-LOC 大阪/1/S-LOC", "LOC 東京|LOC 大阪"},
		{"東京/1/B-LOC A/1/E-LOC 大阪/1/B-LOC", "LOC 東京A大阪"},
	} {
		labels := []string{"O"}
		for _, kind := range []string{"PER", "LOC", "ORG"} {
			for _, p := range []string{"B-", "I-", "E-", "S-"} {
				labels = append(labels, p+kind)
			}
		}
		for _, bilou := range []bool{false, true} {
			tokens := c.tokens
			if bilou {
				r := strings.NewReplacer("E-", "L-", "S-", "U-")
				tokens = r.Replace(tokens)
				for i, l := range labels {
					labels[i] = r.Replace(l)
				}
			}
			text, items, tagger := tagged(labels, strings.Fields(tokens))
			var got []string
			for _, e := range tagger.group(&places{text: text}, items, &TagOptions{Aggregation: AggregateSimple, Ignore: []string{"O"}},
				make([]float64, len(tagger.labels))) {
				got = append(got, e.Label+" "+e.Text)
			}
			require.Equal(t, c.want, strings.Join(got, "|"), tokens)
		}
	}
}

// TestGroupsAreTheReferences checks labels with B- and I-, labels without a scheme, in lower case,
// or with the prefix at the end. Groups and names are those of the transformers library, as
// recorded by testdata/grouping.py.
func TestGroupsAreTheReferences(t *testing.T) {
	f, err := os.Open("testdata/grouping.jsonl")
	require.NoError(t, err)
	defer f.Close()
	s, n := bufio.NewScanner(f), 0
	for ; s.Scan(); n++ {
		var c struct {
			Labels []string
			Picked []int
			Scores []float64
			Groups [][4]any
		}
		require.NoError(t, json.Unmarshal(s.Bytes(), &c))
		tagger := &Tagger{labels: c.Labels, scheme: newScheme(c.Labels)}
		var items []item
		for i, k := range c.Picked {
			items = append(items, item{2 * i, 2*i + 1, i, k, c.Scores[i]})
		}
		text := strings.Repeat("x ", len(items))
		var got [][4]any
		for _, e := range tagger.group(&places{text: text}, items, &TagOptions{Aggregation: AggregateSimple, Ignore: []string{"O"}},
			make([]float64, len(tagger.labels))) {
			got = append(got, [4]any{e.Label, e.Score, float64(e.Start), float64(e.End)})
		}
		require.Len(t, got, len(c.Groups), s.Text())
		for i := range got {
			require.InDelta(t, c.Groups[i][1], got[i][1], 1e-12, s.Text())
			got[i][1] = c.Groups[i][1]
			require.Equal(t, c.Groups[i], got[i], s.Text())
		}
	}
	require.NoError(t, s.Err())
	require.Equal(t, 120, n)
}
