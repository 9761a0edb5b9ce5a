//go:build !linux

package gauge

// ResetPeakRSS does nothing: only Linux offers it.
func ResetPeakRSS() {}

// PeakRSS returns 0, which means not known.
func PeakRSS() int64 { return 0 }

// MappedRSS returns 0, which means not known.
func MappedRSS(string) int64 { return 0 }
