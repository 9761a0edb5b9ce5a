//go:build unix

package mapped

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapRange maps a range of bytes. Mappings start at page boundaries, so the part of the page before offset is
// mapped too.
func mapRange(f *os.File, offset, size int64) (data []byte, unmap func() error, err error) {
	skip := offset % int64(os.Getpagesize())
	raw, err := unix.Mmap(int(f.Fd()), offset-skip, int(skip+size), unix.PROT_READ, unix.MAP_PRIVATE)
	if err != nil {
		return nil, nil, err
	}
	return raw[skip : skip+size : skip+size], func() error { return unix.Munmap(raw) }, nil
}
