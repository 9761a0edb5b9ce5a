package runtime

import (
	"errors"
	"fmt"

	"github.com/debertac/debertac/runtime/ragged"
)

// ErrClosed is returned by every method of a model, its weights or its pool after Close, and by
// calls that Close interrupted. Test with errors.Is.
var ErrClosed = errors.New("the model is closed")

// ErrTooLong is wrapped by the error for a text that has more tokens than the model takes, if the
// policy is Reject, and by the error for a text that has more bytes than its tokenizer takes.
var ErrTooLong = errors.New("too long")

// ErrInput is wrapped by every error that the caller's input causes: a bad batch, a text that is
// too long or cannot be encoded.
var ErrInput = ragged.ErrInput

// ErrNoNumbers is wrapped by the error for outputs that are NaN or Inf. The text is not the cause:
// the weights may be damaged. It wraps ErrInput.
var ErrNoNumbers = input("the model's outputs are not numbers (NaN or Inf): the weights may be damaged, see debertac doctor")

// TextError reports what is wrong with one text of a call. It wraps ErrInput.
type TextError struct {
	Text int    // index of the text in the call, from 0
	What string // what is wrong with it, and what to do
	Err  error  // the cause, such as ErrTooLong, or nil
}

// Error returns "text N: " and What.
func (e *TextError) Error() string { return "text " + itoa(e.Text) + ": " + e.What }

// Is reports whether target is ErrInput.
func (e *TextError) Is(target error) bool { return target == ErrInput }

// Unwrap returns the cause.
func (e *TextError) Unwrap() error { return e.Err }

func textFault(n int, format string, args ...any) error {
	return &TextError{Text: n, What: fmt.Sprintf(format, args...)}
}
