package program

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/pool"
	"github.com/debertac/debertac/runtime/resource"
	"github.com/debertac/debertac/runtime/safetensors"
)

// usageError reports a wrong command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usage(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// inputError reports a fault of the user's input: a file, its content, weights that do not fit.
type inputError struct {
	where string // file:line, or empty
	text  string
	err   error
	kind  kind // the kind of a record's fault; kindOther if no other kind fits
}

func (e *inputError) Error() string {
	if e.where == "" {
		return e.text
	}
	return e.where + ": " + e.text
}

func (e *inputError) Unwrap() error { return e.err }

func faulty(where, format string, args ...any) error {
	of, err := kindOther, fmt.Errorf(format, args...)
	if errors.Is(err, runtime.ErrTooLong) {
		of = kindLong
	}
	return &inputError{where, err.Error(), errors.Unwrap(err), of}
}

// faultOf returns an inputError about one record, of the given kind.
func faultOf(k kind, where, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &inputError{where, err.Error(), errors.Unwrap(err), k}
}

// checkError reports that a check did not hold.
type checkError struct{ text string }

func (e *checkError) Error() string { return e.text }

// exitCode returns the exit code for an error. A panic is a fault of the program, whatever error wraps it.
func exitCode(err error) int {
	var (
		bad    *usageError
		input  *inputError
		check  *checkError
		panics *pool.PanicError
		weight *runtime.WeightsError
		tensor *safetensors.Error
		scarce *resource.Error
		path   *fs.PathError
		over   *disk.InputError
	)
	switch {
	case errors.Is(err, context.Canceled):
		return ExitInterrupted
	case errors.As(err, &panics):
		return ExitFault
	case errors.As(err, &bad), errors.As(err, &over):
		return ExitUsage
	case errors.As(err, &check):
		return ExitCheck
	case errors.As(err, &input), errors.As(err, &weight), errors.As(err, &tensor), errors.As(err, &scarce), errors.As(err, &path),
		errors.Is(err, runtime.ErrInput), errors.Is(err, runtime.ErrNoNumbers):
		return ExitInput
	}
	return ExitFault
}

func stack() []byte { return debug.Stack() }
