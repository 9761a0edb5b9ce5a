package engine

import (
	"fmt"

	"github.com/debertac/debertac/runtime"
)

// TextFault returns an error of text number n of a call, with the text of fmt.Sprintf.
func TextFault(n int, format string, args ...any) error {
	return &runtime.TextError{Text: n, What: fmt.Sprintf(format, args...)}
}

// LongFault is TextFault for a text whose length is the cause. The error wraps ErrTooLong.
func LongFault(n int, format string, args ...any) error {
	return &runtime.TextError{Text: n, What: fmt.Sprintf(format, args...), Err: runtime.ErrTooLong}
}

// NotEncoded returns the error of text number n, which the tokenizer refuses. It wraps the tokenizer's error.
func NotEncoded(n int, err error) error {
	return &runtime.TextError{Text: n, What: "it cannot be encoded: " + err.Error(), Err: err}
}

// NoNumbers returns the error for outputs of text number n that are NaN or Inf. It wraps ErrNoNumbers.
func NoNumbers(n int) error {
	return &runtime.TextError{Text: n, What: runtime.ErrNoNumbers.Error(), Err: runtime.ErrNoNumbers}
}

// CheckNumbers returns NoNumbers if an output of text number n is NaN or Inf. Such outputs would silently lead to wrong
// results: some label would seem to be the best one, or there would be no entity.
func CheckNumbers[T float32 | float64](n int, out []T) error {
	for _, v := range out {
		if v-v != 0 { // NaN or Inf
			return NoNumbers(n)
		}
	}
	return nil
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
