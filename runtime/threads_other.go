//go:build !linux

package runtime

// allowedCPUs returns nil, because the affinity is unknown here; the caller uses Go's count.
func allowedCPUs() []int { return nil }

// bindThread does nothing here. It is never called, because no processors are known.
func bindThread(int) {}
