//go:build !unix

package mapped

import (
	"errors"
	"os"
)

// mapRange fails: this system has no mapping that is used here.
func mapRange(*os.File, int64, int64) (data []byte, unmap func() error, err error) {
	return nil, nil, errors.ErrUnsupported
}
