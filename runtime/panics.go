package runtime

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a panic of generated code or of a task, turned into an error.
type PanicError struct {
	Value any    // what was passed to panic
	Stack []byte // of the goroutine that panicked
}

// Error names the value, not the stack.
func (e *PanicError) Error() string { return fmt.Sprintf("internal fault: %v", e.Value) }

// newPanicError keeps the stack of the panic that is being recovered.
func newPanicError(v any) *PanicError { return &PanicError{v, debug.Stack()} }

// guard runs f and turns panics into errors, among them memory faults: reading a
// mapped file that has shrunk would otherwise end the program. Weights.explain tells
// what a fault means.
func guard(f func() error) (err error) {
	defer func(panicOnFault bool) {
		debug.SetPanicOnFault(panicOnFault)
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
	}(debug.SetPanicOnFault(true))
	return f()
}
