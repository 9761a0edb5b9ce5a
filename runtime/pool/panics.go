package pool

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

// Recovered returns a PanicError with the stack of the panic that is being recovered.
func Recovered(v any) *PanicError { return &PanicError{v, debug.Stack()} }
