package spec_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// good resolves a text and fails on any fault.
func good(t *testing.T, name string, text []byte) *spec.Spec {
	t.Helper()
	faults, src := faultsOf(name, text)
	require.Empty(t, diag.Render(faults, src, diag.Style{}))
	s, _ := spec.ParseAndResolve(name, text)
	require.NotNil(t, s)
	return s
}

// TestGoodSpecs compares the specs in testdata/good with their recorded forms: as Dump prints the resolved spec (.dump), as Explain prints it (.explain) and in
// canonical layout (.fmt). UPDATE=1 rewrites the results.
func TestGoodSpecs(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		a, err := txtar.ParseFile(file)
		require.NoError(t, err)
		var text []byte
		var name string
		for i, f := range a.Files {
			kind := filepath.Ext(f.Name)
			var got string
			switch kind {
			case ".dspec":
				text, name = f.Data, f.Name
				continue
			case ".dump":
				got = spec.Dump(good(t, name, text))
			case ".explain":
				got = spec.Explain(good(t, name, text))
			case ".fmt":
				parsed, _ := spec.Parse(name, text)
				laid, ok := spec.Format(parsed)
				require.True(t, ok)
				got = string(laid)
			default:
				t.Fatalf("%s: no such result %s", file, kind)
			}
			if os.Getenv("UPDATE") == "1" {
				a.Files[i].Data = []byte(got)
				continue
			}
			require.Equal(t, string(f.Data), got, "%s %s", file, f.Name)
		}
		if os.Getenv("UPDATE") == "1" {
			require.NoError(t, os.WriteFile(file, txtar.Format(a), 0o644))
		}
	}
}

// TestTrainStatements checks that the statements of a training mean the training again.
func TestTrainStatements(t *testing.T) {
	trains := 0
	for _, text := range specTexts(t) {
		s, faults := spec.ParseAndResolve("a.dspec", text)
		if faults.HasErrors() {
			continue
		}
		again := string(text)
		for _, x := range s.Trains {
			trains++
			again += fmt.Sprintf("\ntrain %s_again on %s {\n%s\n}\n", x.Name, x.Head.FullName(), strings.Join(x.Statements(), "\n"))
		}
		s2 := good(t, "a.dspec", []byte(again))
		for _, x := range s.Trains {
			require.Equal(t, x.Statements(), s2.Train(x.Name+"_again").Statements())
		}
	}
	require.Greater(t, trains, 5)
}

func TestCanonical(t *testing.T) {
	text := func(body string) string {
		s := good(t, "m.dspec", []byte("dspec 1\nmodel m like deberta_v3_small { "+body+
			" }\nhead h on m { take first; linear hidden; act; linear 2 as labels(\"a\", \"b\") }\n"))
		return string(spec.Canonical(s.Models[0], s.Heads[0]))
	}
	base := text("")
	for _, same := range []string{"dim seq <= 4096", "defaults { dropout 0 }", "defaults { init normal(std: 0.1) }", "embed.norm layernorm(eps: 1e-7)",
		"dim inner = 3072"} {
		require.Equal(t, base, text(same), same)
	}
	for _, other := range []string{
		"dim layers = 5", "dim heads = 6", "defaults { act relu }", "defaults { norm layernorm(eps: 1e-6) }", "embed { segment 2 }", "dim span = 128",
		"dim reach = 256", "relative.rel { drop norm }", "encoder.conv { kernel 3 }", "encoder.attention.score q[i]·k[j] + q[i]·kr[i-j]",
		"encoder.attention.scale 0.1", "encoder.attention.mask j <= i", "encoder.attention.score q[i]·k[j] + q[i]·kr[j-i] + qr[i-j]·k[j]", "tokenizer none",
	} {
		require.NotEqual(t, base, text(other), other)
	}
	require.Equal(t, text("relative.rel { drop norm }"), text("drop relative.rel.norm"), "a path leads into blocks with names")
	s := good(t, "m.dspec", []byte("dspec 1\nmodel other like deberta_v3_small { }\nhead x on other { take first; linear hidden; act; linear 2 as "+
		"labels(\"a\", \"c\") }\n"))
	require.Equal(t, string(spec.Canonical(s.Models[0], nil)), base[:len(spec.Canonical(s.Models[0], nil))], "names have no part in it")
	require.NotEqual(t, base, string(spec.Canonical(s.Models[0], s.Heads[0])), "labels have")
	require.NotContains(t, base, "dspec:", "positions have no part in it")
}

func TestExplainCode(t *testing.T) {
	page, ok := spec.ExplainCode("dim-divides")
	require.True(t, ok)
	require.Contains(t, page, "a division leaves a rest")
	_, ok = spec.ExplainCode("none")
	require.False(t, ok)
}

// TestEveryWordIsUsed checks that a spec without faults uses every word of the schema.
func TestEveryWordIsUsed(t *testing.T) {
	files, err := filepath.Glob("testdata/good/*.txtar")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, file := range append(files, "testdata/language.dspec") {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		a := txtar.Parse(text)
		if len(a.Files) == 0 {
			a.Files = []txtar.File{{Name: "x.dspec", Data: text}}
		}
		for _, f := range a.Files {
			if filepath.Ext(f.Name) != ".dspec" {
				continue
			}
			parsed, _ := spec.Parse(f.Name, f.Data)
			walk(parsed.Stmts, "file", seen)
		}
	}
	for _, r := range spec.Schema {
		require.True(t, seen[r.Block+"."+r.Word], "no good spec has %s in %s", r.Word, r.Block)
		require.NotEmpty(t, r.Doc)
	}
	words := spec.SchemaPage()
	require.Contains(t, words, "(default: none, so the head cannot be trained; temperature 0.05, alpha 0.25, gamma 2)")
	require.Contains(t, words, "rows: all); without settings, sgd is sgd(momentum: 0, decay: 0 except norm bias, rows: all))")
	for _, r := range spec.Schema {
		require.Contains(t, words, r.Doc)
	}
}

// walk records which words occur in which blocks.
func walk(list []*spec.Stmt, block string, seen map[string]bool) {
	for _, s := range list {
		ctx := block
		for _, p := range s.Path {
			word, _, _ := strings.Cut(p, " ")
			seen[ctx+"."+word] = true
			ctx = word
		}
		seen[ctx+"."+s.Word] = true
		if s.Block != nil {
			walk(s.Block.Stmts, s.Word, seen)
		}
	}
}
