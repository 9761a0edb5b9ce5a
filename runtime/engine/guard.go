package engine

import (
	"runtime/debug"

	"github.com/debertac/debertac/runtime/pool"
)

// guard runs f and turns panics into errors, including memory faults: reading a mapped file that
// has become shorter would otherwise end the program. Weights.explain finds the cause of a fault.
func guard(f func() error) (err error) {
	defer func(panicOnFault bool) {
		debug.SetPanicOnFault(panicOnFault)
		if v := recover(); v != nil {
			err = pool.Recovered(v)
		}
	}(debug.SetPanicOnFault(true))
	return f()
}
