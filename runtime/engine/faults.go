package engine

import (
	"fmt"

	"github.com/debertac/debertac/runtime"
)

func textFault(n int, format string, args ...any) error {
	return &runtime.TextError{Text: n, What: fmt.Sprintf(format, args...)}
}

// longFault is textFault for a text whose length is the cause.
func longFault(n int, format string, args ...any) error {
	return &runtime.TextError{Text: n, What: fmt.Sprintf(format, args...), Err: runtime.ErrTooLong}
}

// ChoosePolicy stands in the message for a text that the policy Reject refuses, before the advice to
// choose another policy. Programs with flags put their own advice in its place.
const ChoosePolicy = " (choose Truncate or Windows"

// KeptError is the cause of the error for a pair of texts whose kept text is too long. The kept text
// is the one that Cutting never cuts, such as a question: it leaves no room for the other text, or
// too little for windows that overlap. It wraps ErrTooLong and ErrInput.
type KeptError struct {
	What string // what is wrong with the kept text, and what to do
}

// Error returns What.
func (e *KeptError) Error() string { return e.What }

// Is reports whether target is ErrTooLong or ErrInput.
func (e *KeptError) Is(target error) bool {
	return target == runtime.ErrTooLong || target == runtime.ErrInput
}

// keptFault returns the error for pair number n whose kept text is too long.
func keptFault(n int, format string, args ...any) error {
	kept := &KeptError{fmt.Sprintf(format, args...)}
	return &runtime.TextError{Text: n, What: kept.What, Err: kept}
}

// again is the end of most messages about packed files.
const again = "run debertac pack again"
