package safetensors

import (
	"fmt"

	"github.com/debertac/debertac/runtime/mapped"
)

// ErrChanged is wrapped by the error for a file that changed or became shorter while it was open.
var ErrChanged = mapped.ErrChanged

// Error is a fault of a file, of its header or of one tensor in it.
type Error struct {
	File   string // path, or the name given for bytes
	Tensor string // empty when the fault is not one tensor's
	Reason string // what is wrong, in words
	Err    error  // underlying error, or nil
}

// Error gives "file: tensor "x": reason".
func (e *Error) Error() string {
	s := e.File
	if s == "" {
		s = "safetensors"
	}
	if e.Tensor != "" {
		s += fmt.Sprintf(": tensor %q", e.Tensor)
	}
	s += ": " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap returns the underlying error, if there is one.
func (e *Error) Unwrap() error { return e.Err }

func fault(file, tensor, format string, args ...any) *Error {
	return &Error{File: file, Tensor: tensor, Reason: fmt.Sprintf(format, args...)}
}

// unreadable is the fault of a file, or of a tensor in it, that cannot be read.
func unreadable(file, tensor string, err error) *Error {
	return &Error{File: file, Tensor: tensor, Reason: "cannot be read", Err: err}
}
