package gauge

import (
	"bytes"
	"os"
	"strconv"
	"strings"
)

// ResetPeakRSS sets the peak of the resident set back to what is resident now. If the kernel forbids it, the peak still counts from the start of the process.
func ResetPeakRSS() {
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // see above
}

// PeakRSS returns the peak of the resident set in bytes, or 0 if the kernel does not tell.
func PeakRSS() int64 {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range bytes.Lines(text) {
		if rest, ok := strings.CutPrefix(string(line), "VmHWM:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSuffix(strings.TrimSpace(rest), " kB"), 10, 64)
			return n << 10
		}
	}
	return 0
}

// MappedRSS returns how much of a mapped file is resident in this process, in bytes. The kernel decides how much it maps around a byte that is
// read: some kernels map a whole folio of up to 2 MiB.
func MappedRSS(path string) int64 {
	text, _ := os.ReadFile("/proc/self/smaps")
	var sum int64
	inside := false
	for line := range bytes.Lines(text) {
		f := strings.Fields(string(line))
		switch {
		case len(f) > 0 && !strings.HasSuffix(f[0], ":"): // a mapping begins
			inside = len(f) >= 6 && strings.HasSuffix(strings.TrimSpace(string(line)), path)
		case inside && f[0] == "Rss:":
			n, _ := strconv.ParseInt(f[1], 10, 64)
			sum += n << 10
		}
	}
	return sum
}
