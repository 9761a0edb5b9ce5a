package compiler_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// programOf compiles one emit of a spec before any pass, with all layers.
func programOf(t *testing.T, s *spec.Spec, e spec.Emit) *ir.Program {
	one := *s
	one.Targets = []*spec.Target{{Name: "t", ISA: []string{"go"}, Weights: spec.Weights{Kind: "f32"}, Batch: 1, Tokens: 4096, Agree: 1e-4,
		Emit: []spec.Emit{e}}}
	units, faults, err := compiler.Compile(&one, compiler.Options{After: "build", Trace: true})
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Len(t, units, 1)
	return units[0].Program
}

// parametersOf counts the elements of the checkpoint's tensors that a program reads, by name.
func parametersOf(p *ir.Program) map[string]int64 {
	out := map[string]int64{}
	for name, shape := range shapesOf(p) {
		n := int64(1)
		for _, d := range shape {
			n *= int64(d)
		}
		out[name] = n
	}
	return out
}

// counted are the operations that explain counts.
var counted = map[string]bool{"linear": true, "score_cc": true, "score_cp": true, "score_pc": true, "score_bias": true, "table_pp": true, "weigh": true,
	"mix_heads": true,
	"lstm":      true, "span_scores": true, "token_scores": true}

// shown checks that every statement of a program that reads a tensor or makes counted operations has a line at its place.
func shown(t *testing.T, name string, p *ir.Program, lines map[diag.Span]bool) {
	for _, r := range p.Regions {
		for _, n := range r.Nodes {
			reads := counted[n.Op]
			for _, v := range n.In {
				reads = reads || v != nil && v.Kind == ir.Tensor
			}
			if reads && n.Pos != (diag.Span{}) {
				require.True(t, lines[n.Pos], "%s: explain has no line for %s (%s), which makes %s", name, n.Pos, n.Note, n.Op)
			}
		}
	}
}

// TestExplainAddsUp checks that the parameters that explain shows add up to the tensors of the model, and that every statement that adds parameters has a line.
// The test reads the zoo's models, the specs of the language's tests, the examples and the specs of published configs.
func TestExplainAddsUp(t *testing.T) {
	texts := map[string]string{}
	for _, name := range spec.Zoo() {
		texts[name] = "dspec 1\nmodel m like " + name + " { }\n"
	}
	for name, text := range samples(t) {
		texts[name] = text
	}
	imported, err := txtar.ParseFile("../spec/hf/testdata/specs.txtar")
	require.NoError(t, err)
	for _, f := range imported.Files {
		text, _, _ := strings.Cut(string(f.Data), "\nnote: ") // messages of import follow the spec
		texts["imported "+f.Name] = text
	}
	examples, err := filepath.Glob("../examples/tasks/*/*.dspec")
	require.NoError(t, err)
	for _, f := range examples {
		text, err := os.ReadFile(f)
		require.NoError(t, err)
		texts[f] = string(text)
	}
	models, heads := 0, 0
	for name, text := range texts {
		s, faults := spec.ParseAndResolve(name, []byte(text))
		require.NotNil(t, s, "%s: %v", name, faults)
		for _, m := range s.Models {
			lines := map[diag.Span]bool{m.Defaults.Norm.Pos: true} // its parameters are shown where the norms are
			want := int64(0)
			for _, l := range m.Lines() {
				want += l.Params
				lines[l.At.Pos] = true
			}
			p := programOf(t, s, spec.Emit{Model: m, Package: "p"})
			base, sum := parametersOf(p), int64(0)
			for _, n := range base {
				sum += n
			}
			require.Equal(t, sum, want, "%s: parameters of %s", name, m.Name)
			require.Equal(t, want, spec.Params(m))
			shown(t, name, p, lines)
			models++
			for _, h := range s.HeadsOf(m) {
				at, want := map[diag.Span]bool{}, int64(0)
				for k := range lines {
					at[k] = true
				}
				all := h.Lines()
				if h.Decoder != nil {
					all = append(all, m.DecoderLines(h.Decoder)...)
				}
				for _, l := range all {
					want += l.Params
					at[l.At.Pos] = true
				}
				p, sum := programOf(t, s, spec.Emit{Head: h, Package: "p"}), int64(0)
				for tensor, n := range parametersOf(p) {
					if base[tensor] == 0 {
						sum += n
					}
				}
				require.Equal(t, sum, want, "%s: parameters of %s", name, h.FullName())
				shown(t, name, p, at)
				heads++
			}
		}
	}
	t.Logf("%d models, %d heads", models, heads)
	require.Greater(t, heads, 50)
}
