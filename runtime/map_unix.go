//go:build unix

package runtime

import (
	"math"
	"os"

	"golang.org/x/sys/unix"
)

// mapRange maps size bytes of f from offset on, for reading. Mappings start at
// pages, so the part of the page before offset is mapped too.
func mapRange(f *os.File, offset, size int64) ([]byte, func(), error) {
	skip := offset % int64(os.Getpagesize())
	if size == 0 || skip+size > math.MaxInt {
		return nil, func() {}, nil // the parser says that there is no header
	}
	raw, err := unix.Mmap(int(f.Fd()), offset-skip, int(skip+size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, err
	}
	return raw[skip : skip+size : skip+size], func() { _ = unix.Munmap(raw) }, nil
}
