package trainer

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/ragged"
)

// sequences returns a batch of sequences of the given lengths with one word per token and one label each.
func sequences(lengths ...int) *Batch {
	b := &Batch{Batch: runtime.Batch{Starts: []int32{0}, WordStarts: []int32{0}, MarkStarts: []int32{0}}}
	b.Integers, b.Floats = map[string][]int32{}, map[string][]float32{}
	for i, n := range lengths {
		for range n {
			b.IDs, b.Words = append(b.IDs, 1), append(b.Words, int32(len(b.IDs)), int32(len(b.IDs)+1))
		}
		b.Marks = append(b.Marks, b.Starts[i])
		b.Starts, b.WordStarts, b.MarkStarts = append(b.Starts, int32(len(b.IDs))), append(b.WordStarts, int32(len(b.IDs))), append(b.MarkStarts, int32(i+1))
	}
	return b
}

// TestTargetsAreChecked checks which numbers each kind of target may have.
func TestTargetsAreChecked(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for _, c := range []struct {
		check    Check
		floats   []float32
		integers []int32
		want     string
	}{
		{check: Any, floats: []float32{nan, inf, -7}},
		{check: Finite, floats: []float32{-7, 0, 1e9}},
		{check: Finite, floats: []float32{-7, 0, inf}, want: "target[2] is +Inf: it must be a finite number"},
		{check: Unit, floats: []float32{0, 0.5, 1}},
		{check: Unit, floats: []float32{0, -1, 1}, want: "target[1] is -1: it must be from 0 to 1"},
		{check: Judged, floats: []float32{0, -1, 1}},
		{check: Judged, floats: []float32{0, -1, 1.5}, want: "target[2] is 1.5: it must be from 0 to 1, or below 0 to be left out"},
		{check: Judged, floats: []float32{nan, 0, 0}, want: "target[0] is NaN: it must be a finite number"},
		{check: Shares, floats: []float32{0, 7, 0.5}},
		{check: Shares, floats: []float32{0, -0.5, 0.5}, want: "target[1] is -0.5: it must not be below 0"},
		{check: Shares, floats: []float32{0, 1}, want: "target has 2 numbers, the batch needs 3: 1 for each sequence"},
		{check: Classes, integers: []int32{-100, 0, 3}},
		{check: Classes, integers: []int32{-100, 0, 4}, want: "target[2] is 4: it must be less than 4"},
		{check: Tokens, integers: []int32{-1, 0, 2}},
		{check: Tokens, integers: []int32{2, 0, 2}, want: "target[0] is 2: it must be less than 2"},
		{check: Groups, integers: []int32{0, 2, 2}},
		{check: Groups, integers: []int32{0, 3, 2}, want: "target[1] is 3: it must be less than 3"},
		{check: Groups, integers: []int32{0, -1, 2}, want: "target[1] is -1: a group is a number from 0 on"},
		{check: Pairs, integers: []int32{2, 2, 2}},
		{check: Pairs, integers: []int32{0, 1, 0}, want: "target[1] is 1, and no other sequence is in that group: the loss compares pairs"},
	} {
		b := sequences(2, 1, 3)
		target := Target{Name: "target", Rows: ragged.B, Floats: c.floats != nil, Check: c.check, Below: 4}
		b.Floats["target"], b.Integers["target"] = c.floats, c.integers
		err := target.valid(b, b.Sizes())
		if c.want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorIs(t, err, runtime.ErrInput)
		require.EqualError(t, err, c.want)
	}
}

// TestCounts checks the numbers of a whole batch that is given in parts.
func TestCounts(t *testing.T) {
	parts := []*Batch{sequences(2, 1), sequences(3)}
	parts[0].Integers["target"], parts[1].Integers["target"] = []int32{0, -1}, []int32{2}
	parts[0].Integers["target.group"], parts[1].Integers["target.group"] = []int32{0, 0}, []int32{0}
	parts[0].Floats["target"], parts[1].Floats["target"] = []float32{0.25, 0.5}, []float32{0.75}
	spans := func(numbers ...float32) *Batch {
		b := sequences(3)
		b.Floats["target"] = numbers
		return b
	}
	inside := spans(0, 1, 1, -1, 0, 0) // spans of one and two words from each of three words; the last one ends outside
	for _, c := range []struct {
		count Count
		parts []*Batch
		want  float64
	}{
		{Count{Target: "target"}, parts, 2},
		{Count{Rows: ragged.T}, parts, 6},
		{Count{Target: "target", Of: WeightSum, Weights: []float64{0.5, 7, 5}}, parts, 5.5},
		{Count{Target: "target", Of: NumberSum}, parts, 1.5},
		{Count{Target: "target", Of: PairCount}, parts, 1},
		{Count{Target: "target.group", Of: GroupCount}, parts, 2},
		{Count{Target: "target", Of: JudgedCount}, []*Batch{inside, inside}, 10},
		{Count{Target: "target", Of: JudgedCount, Widths: 2}, []*Batch{inside, inside}, 8},
	} {
		require.Equal(t, c.want, c.count.of(c.parts), "%+v", c.count)
	}
}

// TestDrawnPairs checks that each group of a random batch of pairs has two sequences at least.
func TestDrawnPairs(t *testing.T) {
	for n := 2; n < 9; n++ {
		p := &Program{Targets: []Target{{Name: "target.group", Rows: ragged.B, Check: Pairs}}}
		b := sequences(make([]int, n)...)
		p.DrawTargets(b, func(int) int { return 0 })
		require.NoError(t, p.Targets[0].valid(b, b.Sizes()))
	}
}
