package flags_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/fault"
	"github.com/debertac/debertac/cmd/debertac/flags"
)

// TestWithin checks that a number outside its range is refused with the flag, the number and the range. The ends are inside, and a flag that was not
// given is not checked.
func TestWithin(t *testing.T) {
	whole := func(n, least, most int) error { return flags.Within(flags.Whole("--n", &n, least, most)) }
	real := func(x, least, most float64) error { return flags.Within(flags.Real("--x", &x, least, most)) }
	for n, held := range map[int]bool{0: false, 1: true, 5: true, 9: true, 10: false} {
		require.Equal(t, held, whole(n, 1, 9) == nil, n)
	}
	require.EqualError(t, whole(10, 1, 9), "debertac: --n 10: it must be from 1 to 9")
	require.EqualError(t, whole(0, 1, math.MaxInt), "debertac: --n 0: it must be at least 1")
	require.NoError(t, flags.Within(flags.Whole("--n", nil, 1, 9), flags.Real("--x", nil, 0, 1)))

	require.NoError(t, real(0, 0, 1))
	require.NoError(t, real(1, 0, 1))
	require.EqualError(t, real(1.5, 0, 1), "debertac: --x 1.5: it must be a number from 0 to 1")
	require.EqualError(t, real(-1, 0, math.MaxFloat64), "debertac: --x -1: it must be a number, at least 0")
	for _, x := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		err := real(x, -math.MaxFloat64, math.MaxFloat64)
		require.ErrorContains(t, err, "it must be a number")
		require.Equal(t, fault.ExitUsage, fault.Classify(t.Context(), err).Code)
	}
}

// TestArgs checks that flags that were not given are left out, but an empty text that was given is not.
func TestArgs(t *testing.T) {
	list := []flags.Flag{flags.Switch("--on", true), flags.Switch("--off", false), flags.Count("--n", 3), flags.Count("--zero", 0), flags.Value("--v", "x y"),
		flags.Value("--none", "")}
	require.Equal(t, []string{"--on", "--n=3", "--v=x y"}, flags.Args(list...))
	require.Empty(t, flags.Args())
}
