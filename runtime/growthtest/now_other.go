//go:build !linux

package growthtest

import "time"

var begin = time.Now()

// now returns the time since the program began: there is no portable clock of a thread.
func now() time.Duration { return time.Since(begin) }
