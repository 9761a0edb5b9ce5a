//go:build !unix

package runtime

import (
	"io"
	"os"
)

// mapRange reads size bytes of f from offset on: this system has no mapping that
// we use.
func mapRange(f *os.File, offset, size int64) ([]byte, func(), error) {
	b, drop, err := block(int(size))
	if err != nil {
		return nil, nil, err
	}
	if _, err := io.ReadFull(io.NewSectionReader(f, offset, size), b); err != nil {
		drop()
		return nil, nil, err
	}
	return b, drop, nil
}
