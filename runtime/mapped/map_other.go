//go:build !unix

package mapped

import (
	"errors"
	"os"
)

// mapRange returns an error: this package uses no mapping on this system.
func mapRange(*os.File, int64, int64) (data []byte, unmap func() error, err error) {
	return nil, nil, errors.ErrUnsupported
}
