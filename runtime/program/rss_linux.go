package program

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// resetPeakRSS sets the peak of the resident set back to what is resident now. Where the kernel forbids it the peak counts from the start.
func resetPeakRSS() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // see above
}

// peakRSS is the peak of the resident set in bytes, 0 if the kernel does not tell.
func peakRSS() int64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range bytes.Lines(text) {
		if rest, ok := strings.CutPrefix(string(line), "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}
