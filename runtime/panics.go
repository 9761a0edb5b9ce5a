package runtime

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a panic of generated code or of a task, turned into an error.
type PanicError struct {
	Value any    // the argument of panic
	Stack []byte // stack of the goroutine that panicked
}

// Error returns a message with the value but without the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("internal error: %v", e.Value) }

// newPanicError returns a PanicError with the stack of the panic that is being recovered.
func newPanicError(v any) *PanicError { return &PanicError{v, debug.Stack()} }

// guard runs f and turns panics into errors, including memory faults: reading a mapped file that
// has become shorter would otherwise end the program. Weights.explain finds the cause of a fault.
func guard(f func() error) (err error) {
	defer func(panicOnFault bool) {
		debug.SetPanicOnFault(panicOnFault)
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}(debug.SetPanicOnFault(true))
	return f()
}
