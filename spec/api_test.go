package spec_test

import (
	"runtime/debug"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// TestMain makes garbage collection rare: the tests allocate much and keep little, and collection took a third of their processor time.
func TestMain(m *testing.M) {
	debug.SetGCPercent(400)
	m.Run()
}

func TestLookups(t *testing.T) {
	s := read(t, "testdata/language.dspec")
	m := s.Model("deberta_base")
	require.NotNil(t, m)
	require.Nil(t, s.Model("none"))
	h := s.Head("deberta_base.mlm")
	require.Same(t, m.Decoders[0], h.Decoder)
	require.Nil(t, s.Head("deberta_base.none"))
	require.Equal(t, []*spec.Head{h}, s.HeadsOf(m))
	require.Equal(t, "server", s.Target("").Name)
	require.Equal(t, "server", s.Target("server").Name)
	require.Nil(t, s.Target("none"))
	require.Equal(t, "mnli", s.Train("mnli").Name)
	require.Nil(t, s.Train("none"))
	require.Nil(t, s.Ensemble("none"))
	d, ok := m.Dim("span")
	require.True(t, ok)
	require.Equal(t, 512, d.Value)
	_, ok = m.Dim("none")
	require.False(t, ok)
}

// TestPositions checks that a spec's elements hold the places where they were written. The compiler cites these lines.
func TestPositions(t *testing.T) {
	s := read(t, "testdata/language.dspec")
	m := s.Model("deberta_v3_base")
	att := m.Encoder.Attention
	require.Equal(t, "q, k, v = linear(x)", att.Value().Text)
	require.Equal(t, diag.Span{File: "testdata/language.dspec", Line: 29, Col: 13, EndCol: 32}, att.Value().Pos)
	require.Equal(t, "score q[i]·k[j] + q[i]·kr[i-j] + qr[i-j]·k[j]", att.ScoreSource.Text)
	require.Equal(t, "encoder layers", m.Encoder.Text)
	require.Equal(t, "zoo/deberta_v3.dspec", spec.ZooModel("no_p2c").Encoder.FFN.Pos.File)
}

func TestTerms(t *testing.T) {
	att := read(t, "testdata/language.dspec").Model("deberta_v3_base").Encoder.Attention
	cc, c2p, p2c := att.Score[0], att.Score[1], att.Score[2]
	require.Equal(t, []string{"q", "k"}, []string{cc.Left.Proj.Name, cc.Right.Proj.Name})
	require.Equal(t, spec.Factor{Proj: att.Proj("q"), Index: spec.I}, c2p.Content())
	require.Equal(t, spec.Factor{Proj: att.Proj("kr"), Index: spec.IJ}, c2p.Offset())
	require.Equal(t, spec.Factor{Proj: att.Proj("k"), Index: spec.J}, p2c.Content())
	require.Equal(t, spec.Factor{Proj: att.Proj("qr"), Index: spec.IJ}, p2c.Offset())
	require.Same(t, att.Proj("k"), att.Proj("kr").Weights())
	require.Same(t, att.Proj("k"), att.Proj("k").Weights())
	require.Nil(t, att.Proj("none"))
}

// TestEqualScores checks that the order of a product's factors has no meaning, and that projections which only a dropped term read are left out.
func TestEqualScores(t *testing.T) {
	one := func(score string) *spec.Model {
		return good(t, "m.dspec", []byte("dspec 1\nmodel m like deberta_v3_base { encoder.attention.score "+score+" }\n")).Models[0]
	}
	a, b := one("q[i]·k[j] + q[i]·kr[i-j]"), one("k[j].q[i]+q[i].kr[i-j]")
	require.Equal(t, string(spec.Canonical(a, nil)), string(spec.Canonical(b, nil)))
	require.Nil(t, a.Encoder.Attention.Proj("qr"))
	require.Nil(t, one("q[i]·k[j]").Relative)
	require.False(t, one("q[i]·k[j]").ReadsTable())
}

func TestHeadParams(t *testing.T) {
	s := good(t, "m.dspec", []byte(`dspec 1
model m like deberta_v3_base { checkpoint own; dim vocab = 1000 }
head nli on m { take first; linear hidden; act; linear 3 as labels("a", "b", "c") }
head mlm on m { take masked; linear hidden; act; norm; linear vocab tied embed.token }
head tag on m { take words(first); lstm 10 both; lstm 7; linear 3 as labels("O", "B-X", "I-X"); crf }
head rows on m { take mean }
head names on m { take words(first); prompt labels mark "a" end "b"; spans <= 3 markers }
`))
	const h = 768
	for name, want := range map[string]int64{
		"m.nli": h*h + h + 3*h + 3, "m.mlm": h*h + h + 2*h + 1000, "m.rows": 0,
		"m.names": 2*(h*4*h+4*h+4*h*h+h) + 2*h*4*h + 4*h + 4*h*h + h + h*4*h + 4*h + 4*h*h + h,
		"m.tag":   2*4*(h*10+10*10+2*10) + 4*(20*7+7*7+2*7) + 7*3 + 3 + 3*3 + 2*3,
	} {
		require.Equal(t, want, spec.HeadParams(s.Head(name)), name)
	}
}

// TestFormatLongLines checks that a long statement is broken after commas, but not inside a text.
func TestFormatLongLines(t *testing.T) {
	label := `"` + strings.Repeat("a, b + ", 12) + `\"x"`
	text := "dspec 1\nmodel m like deberta_v3_base { }\nhead h on m { take first; linear hidden; act; linear 4 as labels(" + label + ", " +
		strings.Replace(label, "a", "c", 1) + ", " + strings.Replace(label, "a", "d", 1) + ", \"e\") } // behind\n"
	f, _ := spec.Parse("m.dspec", []byte(text))
	laid, ok := spec.Format(f)
	require.True(t, ok)
	for _, line := range strings.Split(string(laid), "\n") {
		require.LessOrEqual(t, len(line), 140, line)
	}
	require.Equal(t, 3, strings.Count(string(laid), strings.Repeat("a, b + ", 11)))
	holds(t, []byte(text))
	require.Equal(t, good(t, "m", []byte(text)).Heads[0].Labels, good(t, "m", laid).Heads[0].Labels)
}

func TestSources(t *testing.T) {
	f, _ := spec.Parse("a.dspec", []byte("dspec 1\n"))
	src := f.Sources()
	require.Equal(t, "dspec 1\n", string(src("a.dspec")))
	require.Contains(t, string(src("zoo/bert.dspec")), "bert_base")
	require.Nil(t, src("b.dspec"))
}

func TestNearest(t *testing.T) {
	words := []string{"kernel", "groups", "act", "beside"}
	for word, want := range map[string]string{"kernal": "kernel", "gruops": "groups", "at": "act", "zzz": "", "kernel": "", "": ""} {
		require.Equal(t, want, spec.Nearest(word, words), word)
	}
}
