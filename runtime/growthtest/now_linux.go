package growthtest

import (
	"time"

	"golang.org/x/sys/unix"
)

// now returns the time that the thread spent on a processor. Time that other programs take is not in it.
func now() time.Duration {
	var ts unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts); err != nil {
		panic(err)
	}
	return time.Duration(ts.Nano())
}
