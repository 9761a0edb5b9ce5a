// Package fault has the errors of debertac. An error has an exit code, which depends on whose fault it is, and a hint what to do.
package fault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode"

	"github.com/debertac/debertac/codegen/build"
	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/interrupt"
	"github.com/debertac/debertac/runtime/resource"
	"github.com/debertac/debertac/runtime/safetensors"
	"github.com/debertac/debertac/spec/diag"
)

// Error is an error with the exit code that it leads to.
type Error struct {
	Code  int
	List  diag.List    // what to print; empty if everything has been printed already
	Files diag.Sources // for excerpts; nil: there are no excerpts
	more  string       // lines that follow, such as another program's output
}

// Error returns the first lines of all messages.
func (f *Error) Error() string {
	if err := f.List.Err(); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("exit code %d", f.Code)
}

// Input returns the error for a fault of the user's input. place is a file or folder; "" means no place.
func Input(place, format string, args ...any) *Error {
	// A message is one line; the other lines of an error are printed after it.
	message, more, _ := strings.Cut(fmt.Sprintf(format, args...), "\n")
	return &Error{Code: ExitInput, List: diag.List{diag.Errorf("", diag.Span{File: place}, "%s", message)}, more: more}
}

// Hint adds a hint: a command or flag that can be typed.
func (f *Error) Hint(format string, args ...any) *Error {
	f.List[len(f.List)-1].Hintf(format, args...)
	return f
}

// Usage returns the error for a fault of the command line.
func Usage(hint, format string, args ...any) *Error {
	f := Input("debertac", format, args...).Hint("%s", hint)
	f.Code = ExitUsage
	return f
}

// NotHeld returns the error for a check that failed. The details have been printed already.
func NotHeld() *Error { return &Error{Code: ExitNotHeld} }

// Ours returns the error for a fault of debertac itself.
func Ours(err error) *Error {
	f := Input("debertac", "%v", err).Hint("this is a fault of debertac: please report it with the output of `debertac version`")
	f.Code = ExitOurs
	return f
}

// Render returns all messages, and the lines that follow them.
func (f *Error) Render(color bool) string {
	text := diag.Render(f.List, f.Files, diag.Style{Color: color})
	if f.more == "" {
		return text
	}
	return text + Printable(strings.TrimRight(f.more, "\n")) + "\n"
}

// Printable returns a text without the control characters that a terminal would obey, in names of files and labels for instance.
func Printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return unicode.ReplacementChar
		}
		return r
	}, text)
}

// OverInput returns the error for an output that would replace an input.
func OverInput(path string, err *disk.InputError) *Error {
	f := Input(path, "%v", err)
	f.Code = ExitUsage
	return f
}

// Classify finds out whose fault an error is, and returns it with the exit code for that.
func Classify(ctx context.Context, err error) *Error {
	var f *Error
	if errors.As(err, &f) {
		return f
	}
	if ctx.Err() != nil || errors.Is(err, context.Canceled) {
		return &Error{Code: interrupt.Code(ctx), List: diag.List{diag.Errorf("", diag.Span{File: "debertac"}, "stopped")}}
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		if input := (*disk.InputError)(nil); errors.As(err, &input) {
			return OverInput(path.Path, input)
		}
		return Input(path.Path, "%v", path.Err)
	}
	var tensors *safetensors.Error
	var weights *runtime.WeightsError
	var link *os.LinkError
	var toolchain *build.ToolchainError
	var failed *build.GoError
	var scarce *resource.Error
	if errors.As(err, &tensors) || errors.As(err, &weights) || errors.As(err, &link) || errors.As(err, &toolchain) || errors.As(err, &failed) ||
		errors.As(err, &scarce) || errors.Is(err, runtime.ErrInput) || errors.Is(err, runtime.ErrNoNumbers) {
		return Input("", "%v", err)
	}
	return Ours(err)
}

// The exit codes of every verb.
const (
	ExitDone    = 0
	ExitInput   = 1   // the user's input is at fault
	ExitUsage   = 2   // the command line is at fault
	ExitNotHeld = 3   // a check failed
	ExitOurs    = 4   // debertac is at fault
	ExitPipe    = 141 // the reader of the output has closed it; shells use the same number. The codes of signals are in runtime/interrupt
)
