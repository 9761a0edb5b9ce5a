package runtime

import "errors"

// ErrClosed is returned by every method of a model, its weights or its pool after
// Close, and by calls that Close interrupted. Test with errors.Is.
var ErrClosed = errors.New("the model is closed")

// ErrTooLong is wrapped by the error for a text that has more tokens than the
// model takes while the policy is Reject.
var ErrTooLong = errors.New("too long")

// ErrInput is wrapped by every error that the caller's input causes: a bad batch,
// a text that is too long or cannot be encoded.
var ErrInput = errors.New("bad input")
