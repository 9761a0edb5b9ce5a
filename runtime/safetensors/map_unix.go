//go:build unix

package safetensors

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// mapFile maps a regular file for reading.
func mapFile(path string) ([]byte, func() error, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	switch {
	case !st.Mode().IsRegular():
		return nil, nil, fault(path, "", "not a regular file")
	case st.Size() == 0: // an empty mapping is an error of its own, less clear than ours
		return nil, func() error { return nil }, nil
	case st.Size() > math.MaxInt:
		return nil, nil, fault(path, "", "%d bytes are more than this machine can address", st.Size())
	}
	data, err := unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		// Some file systems cannot map; reading gives the same bytes.
		data, rerr := readWhole(path)
		return data, func() error { return nil }, rerr
	}
	return data, func() error { return unix.Munmap(data) }, nil
}
