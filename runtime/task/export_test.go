package task

import (
	"testing"

	"github.com/debertac/debertac/runtime"
)

// OpenFake opens a model of one head whose outputs the function forward writes, and whose tokens are the letters and words of pieces, for tests
// outside of this package. It is closed when the test ends.
func OpenFake(t testing.TB, h runtime.Head, forward func(x *runtime.Exec), opts ...runtime.Option) *runtime.Core {
	return fake{heads: []runtime.Head{h}, forward: forward}.open(t, opts...)
}
