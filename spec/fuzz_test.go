package spec_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/zoo"
)

// specTexts returns the texts of all tests.
func specTexts(t testing.TB) [][]byte {
	t.Helper()
	var texts [][]byte
	for _, pattern := range []string{"testdata/good/*.txtar", "testdata/bad/*.txtar", "testdata/messages.txtar"} {
		files, err := filepath.Glob(pattern)
		require.NoError(t, err)
		for _, file := range files {
			a, err := txtar.ParseFile(file)
			require.NoError(t, err)
			for _, f := range a.Files {
				texts = append(texts, f.Data)
			}
		}
	}
	for _, f := range zoo.Files() {
		texts = append(texts, zoo.Text(f))
	}
	text, err := os.ReadFile("testdata/language.dspec")
	require.NoError(t, err)
	return append(texts, text)
}

// tree returns a file's statements without positions and layout, for comparisons. Comments count, in order.
func tree(list []*spec.Stmt, b *strings.Builder) {
	for _, s := range list {
		if s.Comment != "" {
			b.WriteString(s.Comment + "\n")
			continue
		}
		b.WriteString(s.Canonical() + " " + s.Trail + "\n")
		if s.Block != nil {
			b.WriteString("{ " + s.Block.Trail + "\n")
			tree(s.Block.Stmts, b)
			b.WriteString("}\n")
		}
	}
}

func treeOf(f *spec.File) string {
	var b strings.Builder
	tree(f.Stmts, &b)
	return b.String()
}

// holds checks properties that every text must have.
func holds(t *testing.T, text []byte) {
	f, faults := spec.Parse("f.dspec", text)
	s, more := spec.Resolve(f)
	faults = append(faults, more...)
	faults.Sort()
	out := diag.Render(faults, f.Sources(), diag.Style{})
	require.NotContains(t, strings.ReplaceAll(out, "\n", ""), "\x1b")
	for _, d := range faults {
		_, known := diag.Find(d.Code)
		require.True(t, known, "no code %s", d.Code)
		require.False(t, d.Span.IsZero(), "%s has no place", d)
		require.NotEmpty(t, d.Message)
	}
	require.Equal(t, faults.HasErrors(), s == nil || faults.HasErrors())
	if s != nil && !faults.HasErrors() {
		require.NotEmpty(t, spec.Dump(s))
		require.NotEmpty(t, spec.Explain(s))
		require.NotEmpty(t, s.Targets)
	}
	laid, ok := spec.Format(f)
	if !ok {
		return
	}
	again, faults := spec.Parse("f.dspec", laid)
	require.Empty(t, diag.Render(faults, again.Sources(), diag.Style{}), "of the layout\n%s", laid)
	require.Equal(t, treeOf(f), treeOf(again))
	twice, ok := spec.Format(again)
	require.True(t, ok)
	require.Equal(t, string(laid), string(twice), "the layout of a layout")
	if s != nil {
		s2, faults := spec.Resolve(again)
		require.Empty(t, diag.Render(faults, again.Sources(), diag.Style{}))
		require.Equal(t, spec.Dump(s), spec.Dump(s2))
	}
}

func TestHolds(t *testing.T) {
	for _, text := range specTexts(t) {
		holds(t, text)
	}
	for _, text := range []string{
		"", "\n", "dspec 1", "dspec 1\r\nmodel m like bert_base { dim hidden = 768 // x\r\n}\r\n", "\ufeffdspec 1\n", "{", "}", "{}{}", "dspec 1 {", "//",
		"// x\n\n\n// y",
		"dspec 1\nmodel a like bert_base { // one\n// two\n\n\n\n// three\ndim b = 1 // four\n\n} // five\n// six",
		"dspec 1\nmodel a like bert_base { encoder.attention { score q[i]·k[j] + // x\n// y\nq[i].k[j] } }",
		strings.Repeat("{", 3000), strings.Repeat("a{", 3000), strings.Repeat("-", 2000), "dspec 1\nmodel m { dim a = " + strings.Repeat("-", 2000) + "1 }",
		"dspec 1\nmodel m { dim a = " + strings.Repeat("(", 2000) + "1 }", "dspec 1\nmodel m { dim a = " + strings.Repeat("floor(", 2000) + "1 }",
		"dspec 1\nmodel m { dim a = 1" + strings.Repeat("+1", 2000) + " }", strings.Repeat("dim a = 1\n", 1000),
		"dspec 1\nmodel m like m { }", "dspec 1\nmodel a like bert_base { drop a.b.c.d, , }", "dspec 1\nhead h on m.x.y.z { }", "dspec 1\n\x00\xff",
	} {
		holds(t, []byte(text))
	}
}

func TestTooLarge(t *testing.T) {
	_, faults := spec.Parse("f.dspec", make([]byte, 1<<20+1))
	require.Equal(t, diag.Code("too-large"), faults[0].Code)
	many := "dspec 1\n" + strings.Repeat("model m like bert_base { }\n", 2)
	for i := range 1100 {
		many += "model m" + strings.Repeat("x", i) + " like bert_base { }\n"
	}
	f, _ := spec.Parse("f.dspec", []byte(many))
	_, faults = spec.Resolve(f)
	require.ErrorContains(t, faults.Err(), "a file has at most")
	dims := "dspec 1\nmodel m like bert_base {\n"
	for i := range 300 {
		dims += "dim d" + strings.Repeat("x", i) + " = 1\n"
	}
	f, _ = spec.Parse("f.dspec", []byte(dims+"}"))
	_, faults = spec.Resolve(f)
	require.ErrorContains(t, faults.Err(), "more than 256")
}

func FuzzParse(f *testing.F) {
	for _, text := range specTexts(f) {
		f.Add(text)
	}
	f.Fuzz(holds)
}
