package task

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
)

// lossOf returns the binary cross entropies of the scores that the fake model has for the first words of a text, and their number.
func lossOf(t *testing.T, text string, seen int, labels []string, right []RightEntity, widths int) (loss float64, terms int) {
	words := Words(text)
	overlaps := func(x RightEntity) (first, last int) {
		first = slices.IndexFunc(words, func(p Part) bool { return p.End > x.Start })
		for i, p := range words {
			if p.Start < x.End {
				last = i
			}
		}
		return first, last
	}
	columns := widths
	if widths == 0 {
		columns = 3
	}
	for w := range seen {
		for _, label := range labels {
			for k := range columns {
				if widths > 0 && w+k >= seen {
					continue
				}
				y := 0.0
				for _, x := range right {
					first, last := overlaps(x)
					holds := first == w && last == w+k
					if widths == 0 {
						holds = []bool{first == w, last == w, first <= w && w <= last}[k]
					}
					if x.Label == label && holds {
						y = 1
					}
				}
				z := float64(float32(8 * noise(int(spansOf(t, words[w].Text)[0].ID), int(spansOf(t, label)[0].ID), k)))
				loss += math.Log1p(math.Exp(z)) - y*z
				terms++
			}
		}
	}
	return loss, terms
}

// TestEntityLoss checks that the loss of a text with known entities is the sum of the binary cross entropies of the words that the model saw, whether the text
// is whole, cut, or read in windows, for which each number counts once.
func TestEntityLoss(t *testing.T) {
	labels := []string{"per", "place"}
	right := []RightEntity{{"per", 0, 3}, {"place", 4, 12}, {"place", 14, 15}, {"other", 4, 7}} // the third is a part of a word
	long := strings.Repeat("one two three-four ", 12)
	for _, widths := range []int{0, 1, 3} {
		x := extractor(t, widths)
		text := "One two, three-four!"
		r, err := x.Entities(t.Context(), []string{text, "", long}, labels, EntityOptions{Right: [][]RightEntity{right, nil, right}})
		require.ErrorIs(t, err, runtime.ErrTooLong)
		require.Nil(t, r)
		r, err = x.Entities(t.Context(), []string{text, ""}, labels, EntityOptions{Right: [][]RightEntity{right, nil}})
		require.NoError(t, err)
		loss, terms := lossOf(t, text, len(Words(text)), labels, right, widths)
		require.InDelta(t, loss, r[0].Loss, 1e-6)
		require.Equal(t, terms, r[0].Terms)
		require.Equal(t, len(text), r[0].Read)
		require.Zero(t, r[1].Terms)

		r, err = extractor(t, widths, runtime.Long(runtime.Truncate)).Entities(t.Context(), []string{long}, labels,
			EntityOptions{Right: [][]RightEntity{right}})
		require.NoError(t, err)
		seen := len(Words(long[:r[0].Read]))
		require.Less(t, seen, r[0].Words)
		loss, terms = lossOf(t, long, seen, labels, right, widths)
		require.InDelta(t, loss, r[0].Loss, 1e-6)
		require.Equal(t, terms, r[0].Terms)

		if widths == 1 || widths == 0 { // no number needs two words, so all of them are in some window
			r, err = extractor(t, widths, runtime.Long(runtime.Windows(8))).Entities(t.Context(), []string{long}, labels,
				EntityOptions{Right: [][]RightEntity{right}})
			require.NoError(t, err)
			require.Greater(t, r[0].Windows, 1)
			loss, terms = lossOf(t, long, r[0].Words, labels, right, widths)
			require.InDelta(t, loss, r[0].Loss, 1e-5)
			require.Equal(t, terms, r[0].Terms)
		}
		_, err = x.Entities(t.Context(), []string{text}, labels, EntityOptions{Right: [][]RightEntity{}})
		require.ErrorContains(t, err, "there are 1 texts and right entities of 0")
		r, err = x.Entities(t.Context(), []string{text}, labels, EntityOptions{})
		require.NoError(t, err)
		require.Zero(t, r[0].Terms, "without right entities there is no loss")
	}
}
