//go:build !linux

package runtime

// allowedCPUs is unknown here; the caller takes Go's count.
func allowedCPUs() []int { return nil }

// bindThread does nothing here. No processors are known, so it is not called.
func bindThread(int) {}
