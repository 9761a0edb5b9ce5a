//go:build !linux

package program

import "time"

// processAge returns 0, which means not known.
func processAge() time.Duration { return 0 }
