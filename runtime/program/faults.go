package program

import (
	"errors"
	"fmt"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/command"
)

// usage returns an error about a wrong command line.
func usage(format string, args ...any) error { return command.Usage(format, args...) }

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

// ExitCode returns the exit code of a program with this error.
func (e *inputError) ExitCode() int { return ExitInput }

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
