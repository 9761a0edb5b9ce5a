//go:build !amd64

package cpu

func hasAVX2() bool { return false }

func hasAVXVNNI() bool { return false }

func hasAVX512() bool { return false }

func hasAVX512VNNI() bool { return false }

func hasAVX512BF16() bool { return false }

// cpuFeatures returns nothing: kernels outside amd64 use no optional features.
func cpuFeatures() []string { return features(nil) }
