package pool

import (
	"fmt"
	"runtime/debug"
)

// PanicError is a panic of generated code, of a unit of work, or of a function of the caller, turned into an error.
type PanicError struct {
	Value any    // the argument of panic
	Stack []byte // stack of the goroutine that panicked
	// Caller names the option with the caller's function that panicked, such as Trace. It is empty if the panic is an internal error.
	Caller string
}

// Error returns a message with the value but without the stack.
func (e *PanicError) Error() string {
	if e.Caller != "" {
		return fmt.Sprintf("the function that %s sets panicked: %v", e.Caller, e.Value)
	}
	return fmt.Sprintf("internal error: %v", e.Value)
}

// Recovered returns a PanicError with the stack of the panic that is being recovered. If v is a PanicError, Recovered returns v.
func Recovered(v any) *PanicError {
	if e, ok := v.(*PanicError); ok {
		return e
	}
	return &PanicError{Value: v, Stack: debug.Stack()}
}
