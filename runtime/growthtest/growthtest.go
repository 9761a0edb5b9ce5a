// Package growthtest checks how the time of a computation grows with its input, for tests. It compares two times of one process. On Linux they are times on the
// processor, so a slow or a busy machine does not fail a test.
package growthtest

import (
	"math"
	"runtime"
	"testing"
	"time"
)

// tries is how often a computation is measured before its growth counts as too large: other programs may have disturbed some of the measurements.
const tries = 5

// least is a time that is always fine: shorter ones are noise.
const least = time.Millisecond

// Check fails a test if a computation on a larger input takes more than most times as long as on a smaller one: the shortest of several measurements of the
// larger one is compared with the longest of the smaller one.
func Check(t testing.TB, what string, most float64, smaller, larger func()) {
	t.Helper()
	a, b := least, time.Duration(math.MaxInt64)
	for range tries {
		a, b = max(a, took(smaller)), min(b, took(larger))
		if float64(b) <= most*float64(a) {
			return
		}
	}
	t.Errorf("%s: %v, and %v for the smaller input: at most %g times as long is wanted", what, b, a, most)
}

// took measures a computation that runs on the thread of its caller.
func took(work func()) time.Duration {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	start := now()
	work()
	return now() - start
}
