package training_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/training"
)

// epochOf returns all rows of an epoch, batch by batch.
func epochOf(t *testing.T, o *training.Order, epoch int) (batches [][]int, all []int) {
	for i := range o.StepsPerEpoch() {
		rows, err := o.Step(epoch*o.StepsPerEpoch() + i)
		require.NoError(t, err)
		batches, all = append(batches, rows), append(all, rows...)
	}
	return batches, all
}

// TestOrder checks that an epoch has each row once, that epochs and seeds differ, and that the smaller batch is the last one.
func TestOrder(t *testing.T) {
	for _, n := range []int{1, 2, 3, 5, 16, 17, 1000, 4097} {
		for _, window := range []int{0, 4} {
			o := &training.Order{Rows: n, PerStep: 3, Seed: 9, Window: window, Length: func(row int) (int, error) { return row * 7 % 31, nil }}
			batches, all := epochOf(t, o, 2)
			require.Len(t, all, n)
			for i, b := range batches {
				require.True(t, len(b) == 3 || i == len(batches)-1)
			}
			sorted := slices.Sorted(slices.Values(all))
			for i, row := range sorted {
				require.Equal(t, i, row)
			}
			if n > 100 {
				_, other := epochOf(t, o, 3)
				require.NotEqual(t, all, other)
				o.Seed++
				_, other = epochOf(t, o, 2)
				require.NotEqual(t, all, other)
			}
		}
	}
}

// TestOrderIsRandom checks that the place of a row in an epoch is uniform: over many epochs the mean of each row's places is near the middle.
func TestOrderIsRandom(t *testing.T) {
	const rows, epochs = 50, 2000
	o := &training.Order{Rows: rows, PerStep: 1, Seed: 3}
	sum, pairs := make([]float64, rows), 0
	for e := range epochs {
		_, all := epochOf(t, o, e)
		for place, row := range all {
			sum[row] += float64(place)
			if place > 0 && all[place-1] == row-1 {
				pairs++ // neighbours that stay neighbours
			}
		}
	}
	for row, s := range sum {
		require.InDelta(t, (rows-1)/2.0, s/epochs, 5*14.43/44.7, "row %d", row) // deviation of a uniform place, over the root of the epochs
	}
	require.InDelta(t, float64(rows-1)/rows, float64(pairs)/epochs, 0.11) // five deviations
}

// TestWindow checks that sorting by length changes no window's rows, and that batches hold rows of like length.
func TestWindow(t *testing.T) {
	length := func(row int) (int, error) { return row % 10, nil }
	plain := &training.Order{Rows: 400, PerStep: 10, Seed: 1}
	sorted := &training.Order{Rows: 400, PerStep: 10, Seed: 1, Window: 20, Length: length}
	a, _ := epochOf(t, plain, 0)
	b, _ := epochOf(t, sorted, 0)
	spread := 0
	for w := 0; w < 40; w += 20 {
		require.ElementsMatch(t, slices.Concat(a[w:w+20]...), slices.Concat(b[w:w+20]...))
	}
	for _, rows := range b {
		low, high := 10, 0
		for _, r := range rows {
			low, high = min(low, r%10), max(high, r%10)
		}
		spread += high - low
	}
	require.Less(t, spread, 60)
	require.False(t, slices.IsSortedFunc(b, func(x, y []int) int { return x[0]%10 - y[0]%10 }), "batches come in the order of their lengths")
}
