package task

import (
	"slices"
	"sync/atomic"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// keeps is a predictor that keeps its tokens and the prefix as rows of its past: its outputs for a token need the tokens before it. computed
// counts the tokens of all calls.
func keeps(rows engine.Rows, prefix bool, f scores, computed *atomic.Int64) fake {
	k := predicts(rows, true, prefix, f)
	k.past = engine.PastShape{Layers: 1, Row: 2}
	k.forward = func(x *engine.Exec) {
		out, next := x.Out, 0
		computed.Add(int64(x.T))
		for s := range x.B {
			lo, hi := int(x.Starts[s]), int(x.Starts[s+1])
			var ids []int32
			p := 0
			if prefix {
				p = int(x.Prefix[s])
			}
			before, first := x.Kept(s, 0)
			if first != nil {
				kept := unsafe.Slice(first, 2*(before+hi-lo))
				for i := range before {
					ids, p = append(ids, int32(kept[2*i])), int(kept[2*i+1])
				}
				for r := lo; r < hi; r++ {
					kept[2*(before+r-lo)], kept[2*(before+r-lo)+1] = float32(x.IDs[r]), float32(p)
				}
			}
			ids = append(ids, x.IDs[lo:hi]...)
			for r := lo; r < hi; r++ {
				if rows == engine.PerRow {
					if next == len(x.Rows) || int(x.Rows[next]) != r {
						continue
					}
					next++
				}
				at := before + r - lo
				end := max(at+1, p)
				for c := range k.heads[0].C {
					out[c] = float32(f(ids[:end], p, at, c))
				}
				out = out[k.heads[0].C:]
			}
		}
	}
	return k
}

// TestGenerateKeeps checks that keeping a past saves work and changes no result.
func TestGenerateKeeps(t *testing.T) {
	bothKinds(t, func(t *testing.T, rows engine.Rows) {
		for _, prefix := range []bool{false, true} {
			var anew, kept atomic.Int64
			forget := keeps(rows, prefix, logit, &anew)
			forget.past = engine.PastShape{}
			slow, err := NewGenerator(forget.open(t), "")
			require.NoError(t, err)
			fast, err := NewGenerator(keeps(rows, prefix, logit, &kept).open(t), "")
			require.NoError(t, err)
			var prompts []runtime.Text
			for _, s := range []string{"paris", "the capital of", "a b", "one two three", "rome is", "un"} {
				prompts = append(prompts, runtime.Text{First: s, Second: "is", Pair: prefix})
			}
			o := GenerateOptions{Temperature: 0.8, MaxNew: 10, Samples: 2, Seed: 9, Stop: []string{"c !"}}
			anew.Store(0)
			kept.Store(0)
			want, err := slow.Generate(background, prompts, o)
			require.NoError(t, err)
			got, err := fast.Generate(background, prompts, o)
			require.NoError(t, err)
			require.Equal(t, want, got)
			tokens := 0
			for _, r := range got {
				tokens += r.Prompt + r.Tokens - 1
			}
			require.EqualValues(t, tokens, kept.Load(), "each token is computed once")
			require.Greater(t, anew.Load(), 2*kept.Load())
			// With less memory, one text after the other has a past, or no text has one. The results are the same.
			need, room := fast.pastNeed(&growth{Generated: Generated{Prompt: 3}}, &o)
			require.Equal(t, 13, room)
			for _, memory := range []int64{need / 3 * 2, need * 2, 10} {
				fast.memory = memory
				kept.Store(0)
				got, err := fast.Generate(background, prompts, o)
				require.NoError(t, err)
				require.Equal(t, want, got)
				require.Equal(t, memory == need*2, kept.Load() == int64(tokens), "%d bytes", memory)
			}
			require.True(t, slices.ContainsFunc(want, func(x Generated) bool { return x.Reason != EndLength }))
		}
	})
}

// TestSamplesTakeTurns checks that no more texts have begun than one call of the model takes, and that the next ones begin when others end.
func TestSamplesTakeTurns(t *testing.T) {
	var computed atomic.Int64
	f := keeps(engine.PerRow, false, favourAlways(t, "b"), &computed)
	forward := f.forward
	var fresh [][]int // tokens of each sequence of each call
	f.forward = func(x *engine.Exec) {
		var sizes []int
		for s := range x.B {
			sizes = append(sizes, int(x.Starts[s+1]-x.Starts[s]))
		}
		fresh = append(fresh, sizes)
		forward(x)
	}
	core := f.open(t)
	g, err := NewGenerator(core, "")
	require.NoError(t, err)
	fresh = nil
	got, err := g.Generate(background, []runtime.Text{{First: "a"}}, GenerateOptions{Samples: 10, MaxNew: 3})
	require.NoError(t, err)
	require.Len(t, got, 10)
	for _, r := range got {
		require.Equal(t, "bbb", r.Text)
	}
	most := core.Program().Limits.BatchSequences
	require.Equal(t, 4, most)
	require.Equal(t, [][]int{{2, 2, 2, 2}, {1, 1, 1, 1}, {1, 1, 1, 1}, {2, 2, 2, 2}, {1, 1, 1, 1}, {1, 1, 1, 1}, {2, 2}, {1, 1}, {1, 1}}, fresh)

	// Memory that is just enough for the pasts of two texts is used by two texts.
	o := GenerateOptions{Samples: 3, MaxNew: 3}
	need, _ := g.pastNeed(&growth{Generated: Generated{Prompt: 2}}, &o)
	require.Positive(t, need)
	g.memory, fresh = 2*need, nil
	_, err = g.Generate(background, []runtime.Text{{First: "a"}}, o)
	require.NoError(t, err)
	require.Equal(t, [][]int{{2, 2}, {1, 1}, {1, 1}, {2}, {1}, {1}}, fresh)
}
