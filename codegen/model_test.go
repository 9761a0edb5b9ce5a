package codegen_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen"
)

// api returns the exported methods of Model and the imports of model.go. It checks that every exported name has a comment.
func api(t *testing.T, head, mask, tokenizer string) (methods, imports []string) {
	t.Helper()
	text := strings.Replace(tiny[:strings.Index(tiny, "target t")], "tokenizer none", "checkpoint own; tokenizer "+tokenizer, 1) +
		"model n like m { encoder.attention.mask " + mask + " }\ntarget t { isa go; emit infer n.c }\nhead c on n { " + head + " }\n"
	p := emit(t, "m.dspec", text)
	i := slices.IndexFunc(p.Files, func(f codegen.File) bool { return f.Name == "model.go" })
	file, err := parser.ParseFile(token.NewFileSet(), "model.go", p.Files[i].Text, parser.ParseComments)
	require.NoError(t, err)
	for _, s := range file.Imports {
		imports = append(imports, strings.Trim(s.Path.Value, `"`))
	}
	for _, d := range file.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok || !f.Name.IsExported() {
			continue
		}
		require.True(t, strings.HasPrefix(f.Doc.Text(), f.Name.Name+" "), "%s: %q", f.Name.Name, f.Doc.Text())
		if f.Recv != nil {
			methods = append(methods, f.Name.Name)
		}
	}
	slices.Sort(methods)
	return methods, imports
}

// TestModelOffersItsTask checks that a package has the verbs of its head, and that it links package task only if the verbs need it.
func TestModelOffersItsTask(t *testing.T) {
	const (
		live, causal = "j", "j <= i"
		taskImport   = "github.com/debertac/debertac/runtime/task"
	)
	mlm := "take masked; linear hidden; act; norm; linear vocab tied embed.token"
	for _, c := range []struct{ head, mask, want string }{
		{`take first; linear 2 as labels("ham", "spam")`, live, "Classify ClassifyInto ClassifyPairs Labels Logits"},
		{`take first; linear 2 as labels("Entailment", "other")`, live, "Classify ClassifyInto ClassifyPairs Entail Labels Logits"},
		{`take first; linear 2 as labels("LABEL_0", "LABEL_1")`, live, "Classify ClassifyInto ClassifyPairs Entail Labels Logits"},
		{`take first; linear 2 as labels("LABEL_0", "spam")`, live, "Classify ClassifyInto ClassifyPairs Labels Logits"},
		{"take first; linear 1 as score", live, "Logits Rank Score ScorePairs"},
		{"take mean; linear 4", live, "Embed EmbedPairs Logits"},
		{"take first; linear 1 as choices", live, "Choose Logits"},
		{`take each; linear 3 as labels("O", "B-X", "I-X")`, live, "Tag"},
		{"take each; linear 2 as span", live, "Answer"},
		{"take each; linear 1; loss binary_cross_entropy", live, "Detect"},
		{mlm, live, "Fill Perplexity PerplexityPairs"},
		{mlm, causal, "Generate Perplexity PerplexityPairs"},
		{"take each; linear 4", live, "CompareTexts Embed EmbedPairs Hidden"},
	} {
		methods, imports := api(t, c.head, c.mask, "sentencepiece")
		want := append(strings.Fields(c.want), "CheckWeights", "Close", "Core")
		if !strings.Contains(c.want, "Hidden") {
			want = append(want, "LogitsInto")
		}
		slices.Sort(want)
		require.Equal(t, want, methods, c.head)
		require.Equal(t, c.want != "Classify ClassifyInto ClassifyPairs Labels Logits", slices.Contains(imports, taskImport), c.head)
		// Without a tokenizer, calls take only ids.
		methods, imports = api(t, c.head, c.mask, "none")
		require.NotContains(t, imports, taskImport)
		for _, m := range methods {
			require.Contains(t, "CheckWeights Close Core Hidden Logits LogitsInto Classify ClassifyInto ClassifyPairs Labels", m)
		}
	}
}
