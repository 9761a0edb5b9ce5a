//go:build !amd64

package runtime

func hasAVX2() bool { return false }

func hasAVX512() bool { return false }

func hasAVX512VNNI() bool { return false }

func hasAVX512BF16() bool { return false }

// cpuFeatures is empty: no kernel outside amd64 asks for one.
func cpuFeatures() []string { return features(nil) }
