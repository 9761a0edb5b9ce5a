package runtime

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/debertac/debertac/runtime/mapped"
	"github.com/debertac/debertac/runtime/pool"
	"github.com/debertac/debertac/runtime/ragged"
)

// ErrClosed is returned by calls that compute with a model or read its weights after Close, and by calls
// that Close interrupted. Open returns an error that wraps it if the pool of SharePool is closed. A call
// whose arguments are wrong may return the error about them instead. Methods without an error, such as
// Core.Options, still return what they did, and a pool that is closed still runs work, on its caller
// alone. Test with errors.Is.
var ErrClosed = errors.New("the model is closed")

// ErrTooLong is wrapped by every error whose cause is the length of what the caller gave:
//   - a text that has more tokens than the model takes, if the policy is Reject;
//   - a prompt, a question, a query, a label or a word that the policy must not cut, and that leaves
//     no room for the rest;
//   - a text that has more bytes than its tokenizer takes;
//   - a batch, or a sequence of token ids, beyond the model's limits.
//
// Such errors wrap ErrInput as well.
var ErrTooLong = ragged.ErrTooLong

// ErrInput is wrapped by every error that the caller's input causes: a bad batch, a text that is
// too long or cannot be encoded, an option out of its range. A service may answer such an error with
// a status that blames the request.
var ErrInput = ragged.ErrInput

// ErrNoNumbers is wrapped by the error for outputs that are NaN or Inf. The text is not the cause:
// the weights may be damaged. The error does not wrap ErrInput. It is a TextError, because it names
// the first text with such outputs.
var ErrNoNumbers = errors.New("the model's outputs are not numbers (NaN or Inf): the weights may be damaged, see debertac doctor")

// TextError reports what is wrong with one text of a call. It wraps ErrInput, unless Err is ErrNoNumbers.
type TextError struct {
	Text int    // index of the text in the call, from 0
	What string // what is wrong with it, and what to do
	Err  error  // the cause, such as ErrTooLong, or nil
}

// Error returns "text N: " and What.
func (e *TextError) Error() string { return "text " + strconv.Itoa(e.Text) + ": " + e.What }

// Is reports whether target is ErrInput and the text is the cause.
func (e *TextError) Is(target error) bool {
	return target == ErrInput && !errors.Is(e.Err, ErrNoNumbers)
}

// Unwrap returns the cause.
func (e *TextError) Unwrap() error { return e.Err }

// WeightsError reports that a packed file does not fit the package, is damaged or cannot be read.
type WeightsError struct {
	File   string
	Tensor string // empty if the error is not about one tensor
	Reason string // what is wrong and what to do
	Err    error  // underlying error, or nil
	// Changed is set if the file changed or became shorter while it was open: the error is then ErrChanged.
	Changed bool
}

// Error returns `file: tensor "x": reason`.
func (e *WeightsError) Error() string {
	s := e.File
	if e.Tensor != "" {
		s += fmt.Sprintf(": tensor %q", e.Tensor)
	}
	s += ": " + e.Reason
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Is reports whether target is ErrChanged and the file changed while it was open.
func (e *WeightsError) Is(target error) bool { return e.Changed && target == ErrChanged }

// Unwrap returns the underlying error, if there is one.
func (e *WeightsError) Unwrap() error { return e.Err }

// ErrChanged is wrapped by the error for a weight file that changed or became shorter while it was
// open. CopyWeights makes a model independent of the file.
var ErrChanged = mapped.ErrChanged

// PanicError is a panic of generated code, of a unit of work, or of the function of Trace, turned into an error. Value is the argument
// of panic, Stack is the stack of the goroutine that panicked, and Caller is "Trace" for a panic of that function, else empty. Panics
// of the caller's other functions go through, see UseTokenizer. Package pool defines the type.
//
// It is a fault of the program, or of the function of Trace, and does not wrap ErrInput.
type PanicError = pool.PanicError
