package engine

import (
	"fmt"

	"github.com/debertac/debertac/runtime"
)

func textFault(n int, format string, args ...any) error {
	return &runtime.TextError{Text: n, What: fmt.Sprintf(format, args...)}
}

// again is the end of most messages about packed files.
const again = "run debertac pack again"
