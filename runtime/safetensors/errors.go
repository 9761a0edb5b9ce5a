package safetensors

import (
	"fmt"

	"github.com/debertac/debertac/runtime/mapped"
)

// ErrChanged is wrapped by the error for a file that changed or became shorter while it was open.
var ErrChanged = mapped.ErrChanged

// Error reports what is wrong with a file, with its header or with one tensor in it.
type Error struct {
	File   string // path, or the name that was passed with bytes
	Tensor string // empty if the error is not about one tensor
	Reason string // what is wrong, in words
	Err    error  // underlying error, or nil
}

// Error returns `file: tensor "x": reason`.
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

// unreadable returns the error for a file, or a tensor in it, that cannot be read.
func unreadable(file, tensor string, err error) *Error {
	return &Error{File: file, Tensor: tensor, Reason: "cannot be read", Err: err}
}
