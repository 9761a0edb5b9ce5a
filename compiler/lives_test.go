package compiler_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
)

// TestLives checks that for each row of the table a node that cannot be there is refused, with the pass and the reason, and that it is not refused where it can
// be.
func TestLives(t *testing.T) {
	const head = "program m from \"m.dspec\"\nbounds 4 sequences 64 tokens 16 length\noutputs y\n\nregion r \"r is a region.\" {\n"
	const rows = "in tensor x f32[3, 4]\n in batch ids i32[T]\n a f32[T, 4] = embed(x, ids)\n "
	cases := map[string]struct{ body, allowed, refused, want string }{
		"fused ops": {"in tensor x f32[3, 4]\n in tensor w f32[1, 4, 16]\n y f32[3, 16] = gemm(x, w) {k = 4, n = 16} @7:1:9", "fuse", "rows",
			"region r: node 0 (m.dspec:7:1): op gemm cannot be here: pass fuse, which makes them by its patterns, has not run"},
		"head_panels": {"in tensor x f32[3, 4]\n y f32[2, 1, 16, 16] = head_panels(x) {dp = 16, heads = 2}", "fuse", "build",
			"op head_panels cannot be here: pass fuse, which brings"},
		"weights in pairs of bfloat16": {"in tensor x f32[3, 4]\n y i32[2, 1, 8, 16] = head_panels_bf16(x) {dp = 16, heads = 2}", "bf16", "fuse",
			"op head_panels_bf16 cannot be here: pass bf16, which rounds"},
		"embed_panels": {"in tensor x f32[1, 4, 16]\n in batch ids i32[T]\n y f32[T, 4] ld 16 = embed_panels(x, ids)", "tile", "fuse",
			"op embed_panels cannot be here: pass tile, which lets"},
		"terms of a score": {rows + "in batch starts i32[B+1]\n y f32[2, P] = score_cc(a, a, starts) {heads = 2}", "rows", "fuse",
			"op score_cc cannot be here: pass fuse joins the terms"},
		"softmax, weigh, mix_heads": {"in batch b f32[2, P]\n in batch starts i32[B+1]\n y f32[2, P] = softmax(b, starts)", "rows", "fuse",
			"op softmax cannot be here: pass fuse joins the softmax"},
		"linear of rows of the batch": {rows + "in tensor w f32[5, 4]\n y f32[T, 5] = linear(a, w, _)", "rows", "fuse",
			"op linear cannot be here: pass fuse turns"},
		"layouts and constants": {"in tensor x f32[3, 4]\n in batch ids i32[T]\n a f32[3, 16] = pad(x)\n y f32[T, 4] = embed(a, ids) {width = 4}", "tile",
			"fold",
			"op pad cannot be here: pass fold moves"},
		"nodes without a portable form": {"in batch b f32[2, P]\n in batch starts i32[B+1]\n y f32[2, P] = pair_transpose(b, starts)", "tile", "fold",
			"op pair_transpose cannot be here: pass fold leaves"},
	}
	for what, c := range cases {
		require.Contains(t, compiler.Lives(), what)
		text := head + strings.ReplaceAll("\t"+c.body, "\n ", "\n\t") + "\n\tout y\n}\n\nrun r 0 1\n"
		p, err := ir.Parse(text)
		require.NoError(t, err, text)
		require.NoError(t, ir.Verify(p), text)
		require.NoError(t, compiler.VerifyAfter(p, c.allowed), what)
		require.ErrorContains(t, compiler.VerifyAfter(p, c.refused), c.want, what)
	}
	for _, what := range compiler.Lives() {
		require.Contains(t, cases, what, "the row has no test")
	}
}
