package engine_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// TestThreadsBound checks that the target's limit on threads holds for the default and for explicit
// numbers.
func TestThreadsBound(t *testing.T) {
	p := fakeProgram(fakeHooks{})
	p.Threads = 1
	path := packFake(t, fakeMeta(), true)
	c, err := engine.Open(p, path)
	require.NoError(t, err)
	require.Equal(t, 1, c.Options().Threads)
	require.NoError(t, c.Close())
	_, err = engine.Open(p, path, runtime.Threads(2))
	require.ErrorIs(t, err, runtime.ErrInput)
	require.ErrorContains(t, err, "the spec's target allows 1")
}
