package command

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/interrupt"
	"github.com/debertac/debertac/runtime/pool"
	"github.com/debertac/debertac/runtime/resource"
	"github.com/debertac/debertac/runtime/safetensors"
)

// The exit codes.
const (
	ExitDone        = 0                       // all went well
	ExitInput       = 1                       // the user's input, weights or files are at fault
	ExitUsage       = 2                       // a wrong command line
	ExitCheck       = 3                       // a check did not hold
	ExitFault       = 4                       // a fault of the program itself
	ExitInterrupted = interrupt.CodeInterrupt // stopped by Ctrl-C
	ExitTerminated  = interrupt.CodeTerminate // stopped by SIGTERM
)

// Fault is an error with an exit code of its own.
type Fault interface {
	error
	ExitCode() int
}

// UsageError reports a wrong command line.
type UsageError struct{ text string }

// Error returns what is wrong.
func (e *UsageError) Error() string { return e.text }

// ExitCode returns ExitUsage.
func (e *UsageError) ExitCode() int { return ExitUsage }

// Usage returns a UsageError.
func Usage(format string, args ...any) error { return &UsageError{fmt.Sprintf(format, args...)} }

// InputError reports a fault of the user's input: a file, its content, weights that do not fit.
type InputError struct {
	Where string // file:line, or empty
	Text  string
	Err   error // that it wraps, or nil
}

// Error returns the place and what is wrong there.
func (e *InputError) Error() string {
	if e.Where == "" {
		return e.Text
	}
	return e.Where + ": " + e.Text
}

// Unwrap returns the error that e wraps.
func (e *InputError) Unwrap() error { return e.Err }

// ExitCode returns ExitInput.
func (e *InputError) ExitCode() int { return ExitInput }

// Faulty returns an InputError about a place.
func Faulty(where, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &InputError{where, err.Error(), errors.Unwrap(err)}
}

// CheckError reports that a check did not hold.
type CheckError struct{ Text string }

// Error returns what did not hold.
func (e *CheckError) Error() string { return e.Text }

// ExitCode returns ExitCheck.
func (e *CheckError) ExitCode() int { return ExitCheck }

// ExitCode returns the exit code for an error. A panic is a fault of the program, whatever error wraps it.
func ExitCode(err error) int {
	var (
		bad    *UsageError
		check  *CheckError
		own    Fault
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
	case errors.As(err, &own):
		return own.ExitCode()
	case errors.As(err, &weight), errors.As(err, &tensor), errors.As(err, &scarce), errors.As(err, &path),
		errors.Is(err, runtime.ErrInput), errors.Is(err, runtime.ErrNoNumbers):
		return ExitInput
	}
	return ExitFault
}

func stack() []byte { return debug.Stack() }
