//go:build !linux

package kernels

import "time"

var start = time.Now()

// threadTime returns the time since the start of the program.
func threadTime() time.Duration { return time.Since(start) }
