package build_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/codegen"
	"github.com/debertac/debertac/codegen/build/vendored"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/spec"
)

// pastSpec has causal models with all kinds of positions, and one model that is not causal.
const pastSpec = `dspec 1
model a {
    checkpoint own; tokenizer none
    dim vocab = 90; dim hidden = 28; dim heads = 4; dim head = hidden / heads; dim inner = 40; dim layers = 3; dim span = 8; dim seq <= 64
    defaults { norm layernorm(eps: 1e-5); act gelu }
    embed { token vocab; absolute 70; norm }
    encoder layers {
        attention { q, k, v = linear(x); score q[i]·k[j]; scale 1 / sqrt(head * terms); mask j <= i }
        ffn inner
    }
}
model b like a {
    embed { drop absolute }
    relative rel { offsets -span .. span - 1; bucket log(exact: span / 2, reach: 40); norm }
    encoder.attention {
        kr = k(rel); qr = q(rel); b = scalar(rel); p = linear(x)
        score q[i]·k[j] + q[i]·kr[i-j] + qr[i-j]·k[j] + p[i]·kr[j-i] + b[i-j]
        mask j <= i or prefix[j]
    }
}
head mlm on b { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head tags on a { take each; linear 5 as labels("a", "b", "c", "d", "e"); loss cross_entropy }
model live like a { encoder.attention.mask j }
target t { batch <= 8 sequences; tokens <= 256; emit infer a; emit infer b.mlm; emit infer a.tags; emit infer live }
`

// TestPast continues sequences of causal models from what earlier calls kept. The numbers equal those of one call with all tokens, bit by bit, on every
// instruction set.
func TestPast(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds a program")
	}
	if _, err := exec.LookPath("go"); err != nil {
		t.Skip("no Go toolchain")
	}
	f, faults := spec.Parse("past.dspec", []byte(pastSpec))
	require.Empty(t, faults)
	s, faults := spec.Resolve(f)
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	require.Empty(t, faults)
	dir := t.TempDir()
	files, err := vendored.Tree()
	require.NoError(t, err)
	var weights []string
	for i, u := range units {
		p, err := codegen.Emit(u.Program)
		require.NoError(t, err)
		for _, x := range p.Files {
			if !strings.HasSuffix(x.Name, "_test.go") {
				files = append(files, vendored.File{Name: "models/m" + string(rune('0'+i)) + "/" + x.Name, Text: x.Text})
			}
		}
		weights = append(weights, filepath.Join(dir, u.Program.Name+".weights"))
		require.NoError(t, pack.Write(weights[i], u.Program, drawn{}, pack.Options{}))
	}
	main, err := os.ReadFile("testdata/past.go.txt")
	require.NoError(t, err)
	for _, x := range append(files, vendored.File{Name: "main.go", Text: main}) {
		path := filepath.Join(dir, filepath.FromSlash(x.Name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o777))
		require.NoError(t, os.WriteFile(path, x.Text, 0o666))
	}
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"run", "-mod=vendor", "-trimpath", "."}, weights...)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off", "GOPROXY=off", "CGO_ENABLED=0")
	said, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", said)
	results := 0
	for _, line := range strings.Split(strings.TrimSpace(string(said)), "\n") {
		t.Log(line)
		if strings.HasPrefix(line, "skipped") {
			continue
		}
		results++
		require.Contains(t, line, ": 97 rows, 0 numbers differ in bits")
	}
	require.GreaterOrEqual(t, results, 3)
}
