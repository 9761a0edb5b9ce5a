package compiler_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/spec/spectest"
)

// TestPatterns checks that every pattern of fuse and every term of a score has its reason and occurs in random specs.
func TestPatterns(t *testing.T) {
	patterns, scores := compiler.Patterns()
	found, terms := map[string]int{}, map[string]int{}
	r := rand.New(rand.NewPCG(31, 37))
	for range draws(t) {
		text, _ := spectest.Random(r)
		p := compileTo(t, text, "rows")
		for _, g := range p.Regions {
			for _, n := range g.Nodes {
				terms[n.Op]++
			}
		}
		require.NoError(t, compiler.FuseCounting(p, found), text)
		require.NoError(t, ir.Verify(p), text)
	}
	for name, reason := range patterns {
		require.NotEmpty(t, reason, name)
		require.Positive(t, found[name], "no random spec has the pattern %s", name)
	}
	for op, doc := range scores {
		require.NotEmpty(t, doc, op)
		require.NotNil(t, ir.Lookup(op), op)
		require.Positive(t, terms[op], "no random spec has the term %s", op)
	}
}

// TestFaultyScores checks that a score that no kernel computes is an internal error that names the node, and is not left as it is.
func TestFaultyScores(t *testing.T) {
	const text = `program m from "m.dspec"
bounds 4 sequences 64 tokens 16 length
outputs y

region layer "layer is one layer." {
	in state x f32[T, 8]
	in tensor w f32[8, 8]
	in batch starts i32[B+1]
	q f32[T, 8] = linear(x, w, _)
	one f32[2, P] = score_cc(q, q, starts) {heads = 2} @3:4:9
	two f32[2, P] = score_cc(q, q, starts) {heads = 2} @4:4:9
	half f32[2, P] = scale(two) {by = 0.5}
	sum f32[2, P] = add(one, half)
	p f32[2, P] = softmax(sum, starts)
	mean f32[T, 8] = weigh(p, q, starts) {heads = 2}
	y f32[T, 8] = linear(mean, w, _)
	out y
}

region input "input is given." {
	in tensor table f32[4, 8]
	in batch ids i32[T]
	x f32[T, 8] = embed(table, ids)
	out x
}

run input 0 1
run layer 0 1
`
	for _, c := range []struct{ old, new, want string }{
		{"", "", "attention: m.dspec:4:4: products with different scales"},
		{"sum f32[2, P] = add(one, half)", "sum f32[2, P] = exp(one) @5:4:9", "m.dspec:5:4: op exp is not a term of a score"},
	} {
		p, err := ir.Parse(strings.Replace(text, c.old, c.new, 1))
		require.NoError(t, err)
		require.NoError(t, ir.Verify(p))
		require.ErrorContains(t, compiler.RunPass("fuse", p), c.want)
	}
}
