package task

import (
	"testing"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/engine"
)

// OpenFake opens a model of one head whose outputs the function forward writes, and whose tokens are the letters and words of pieces, for tests
// outside of this package. It is closed when the test ends.
func OpenFake(t testing.TB, h engine.Head, forward func(x *engine.Exec), opts ...runtime.Option) *engine.Core {
	return fake{heads: []engine.Head{h}, forward: forward}.open(t, opts...)
}
