package compiler_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
)

// TestPasses runs the files of testdata. Each holds a spec and the program's text before and after the pass that the file is named after, or only the program,
// if no spec leads to it. The file's comment explains what to look at. UPDATE=1 rewrites the programs.
func TestPasses(t *testing.T) {
	order := []string{"build"}
	for _, p := range compiler.Passes() {
		order = append(order, p.Name)
	}
	for i, pass := range order[1:] {
		t.Run(pass, func(t *testing.T) {
			file := filepath.Join("testdata", pass+".txtar")
			a, err := txtar.ParseFile(file)
			require.NoError(t, err, "every pass has a test")
			if a.Files[0].Name != "model.dspec" {
				onText(t, file, a, pass)
				return
			}
			require.Len(t, a.Files, 3)
			text := string(a.Files[0].Data)
			before, after := textOf(t, compileTo(t, text, order[i])), textOf(t, compileTo(t, text, pass))
			require.NotEqual(t, before, after, "the pass has nothing to do here")
			golden(t, file, a, 1, order[i]+".ir", before)
			golden(t, file, a, 2, pass+".ir", after)
		})
	}
	files, err := filepath.Glob("testdata/*.txtar")
	require.NoError(t, err)
	for _, f := range files {
		require.True(t, slices.Contains(order, strings.TrimSuffix(filepath.Base(f), ".txtar")), "%s is named after no pass", f)
	}
}

// TestFoldedNames checks that a packed tensor never gets the name of a tensor that packing reads.
func TestFoldedNames(t *testing.T) {
	p, err := ir.Parse(`program m from "m.dspec"
bounds 4 sequences 64 tokens 16 length
outputs y

region head "head norms." {
	in batch ids i32[T]
	in tensor table f32[9, 6]
	in tensor head.gain f32[6]
	in tensor shift f32[6]
	gain f32[16] = pad(head.gain)
	x f32[T, 6] = embed(table, ids)
	y f32[T, 6] = layernorm(x, gain, shift) {eps = 1e-05}
	out y
}

run head 0 1
`)
	require.NoError(t, err)
	require.NoError(t, compiler.RunPass("fold", p))
	require.NoError(t, ir.Verify(p))
	require.NotNil(t, p.Region("head").Input("head.gain.packed"))
	require.Equal(t, ir.Tensor, p.Region("head_pack").Input("head.gain").Kind)
}

// onText runs a pass on a program that is given as text.
func onText(t *testing.T, file string, a *txtar.Archive, pass string) {
	require.Len(t, a.Files, 2)
	p, err := ir.Parse(string(a.Files[0].Data))
	require.NoError(t, err)
	require.NoError(t, ir.Verify(p))
	golden(t, file, a, 0, "before.ir", ir.Print(p))
	require.NoError(t, compiler.RunPass(pass, p))
	require.NoError(t, ir.Verify(p))
	golden(t, file, a, 1, pass+".ir", textOf(t, p))
}

// golden compares a text with file i of an archive, or rewrites the file.
func golden(t *testing.T, path string, a *txtar.Archive, i int, name, got string) {
	t.Helper()
	require.Equal(t, name, a.Files[i].Name)
	if os.Getenv("UPDATE") == "1" {
		a.Files[i].Data = []byte(got)
		require.NoError(t, os.WriteFile(path, txtar.Format(a), 0o666))
	}
	require.Equal(t, string(a.Files[i].Data), got)
}

// textOf prints a program and checks that the text parses and prints the same again.
func textOf(t *testing.T, p *ir.Program) string {
	t.Helper()
	text := ir.Print(p)
	q, err := ir.Parse(text)
	require.NoError(t, err, text)
	require.Equal(t, text, ir.Print(q))
	return text
}
