//go:build !linux

package cpu

// Allowed returns nil, because the affinity is unknown here. Callers then use the count of package runtime.
func Allowed() []int { return nil }

// Bind does nothing here. It is never called, because no processors are known.
func Bind(int) {}
