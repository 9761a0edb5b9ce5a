//go:build !linux

package program

// resetPeakRSS does nothing: only Linux offers it.
func resetPeakRSS() {}

// peakRSS returns 0, which means not known.
func peakRSS() int64 { return 0 }

// mappedRSS returns 0, which means not known.
func mappedRSS(string) int64 { return 0 }
