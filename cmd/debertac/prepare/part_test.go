package prepare

import (
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime/example"
)

// TestPart checks that the two parts have each example once, that each label is divided by the share, and that the seed decides.
func TestPart(t *testing.T) {
	for _, share := range []float64{0.5, 0.25, 0.1, 0.3, 0.07, 0.9} {
		parts := map[uint64]string{}
		for seed := range uint64(3) {
			held, rest := Part{share, seed, true}.filter(), Part{share, seed, false}.filter()
			count := map[string]int{}
			for i := range 3000 {
				e := &example.Example{Label: strconv.Itoa(i * i % 3)} // labels that are not equally frequent
				h := held(e)
				require.NotEqual(t, h, rest(e))
				if h {
					count[e.Label]++
					parts[seed] += strconv.Itoa(i) + " "
				}
			}
			require.InDelta(t, 1000*share, count["0"], 1.01)
			require.InDelta(t, 2000*share, count["1"], 1.01)
		}
		require.NotEqual(t, parts[0], parts[1])
	}
	all := Part{}.filter()
	require.True(t, all(&example.Example{}))
}
