package task

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/engine"
	"github.com/debertac/debertac/runtime/tasktable"
)

// TestTokenVectors takes the vectors of tokens from windows that overlap, and from windows that do not, whose edges hold tokens that no other window has.
func TestTokenVectors(t *testing.T) {
	h := &head{Head: &engine.Head{Parts: []engine.Part{{Name: tasktable.TokenVectors, C: 1}}}}
	e := &engine.Encoded{IDs: []int32{5, 6, 7, 8, 9, 10}}
	for want, windows := range map[[6]float32][]engine.Window{
		{1, 2, 3, 11, 12, 13}: {{First: 0, FirstEnd: 3, FirstRow: 1}, {First: 3, FirstEnd: 6, FirstRow: 1}},
		{1, 2, 3, 12, 13, 14}: {{First: 0, FirstEnd: 4, FirstRow: 1}, {First: 2, FirstEnd: 6, FirstRow: 1}},
	} {
		v := tokenVectors{}
		for i := range windows {
			rows := map[string][]float32{tasktable.TokenVectors: nil}
			for r := range 7 {
				rows[tasktable.TokenVectors] = append(rows[tasktable.TokenVectors], float32(10*i+r))
			}
			require.NoError(t, v.take(h, &windows[i], e, rows))
		}
		for n, x := range want {
			require.Equal(t, []float32{x}, v.vec[n], "token %d of %v", n, windows)
		}
	}
}
