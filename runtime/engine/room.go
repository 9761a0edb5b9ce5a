package engine

import (
	"fmt"

	"github.com/debertac/debertac/runtime"
)

// SettingError reports a setting that leaves the model no room for any text, or for any long text. Open returns it. It wraps ErrInput.
type SettingError struct {
	Option string // the name of the option function: MaxTokens or Long
	Given  string // the option as Go programs write it, such as MaxTokens(1)
	Reason string // what is wrong, and which values are right
}

// Error returns Given and Reason.
func (e *SettingError) Error() string { return e.Given + ": " + e.Reason }

// Is reports whether target is ErrInput.
func (e *SettingError) Is(target error) bool { return target == runtime.ErrInput }

// checkRoom holds MaxTokens and the stride of Windows to the special tokens that the tokenizer puts around a single text. What other tasks put there, such as
// labels, is known only to their calls. limited is set if MaxTokens is an option and not a limit of the model.
func (c *Core) checkRoom(limited bool) error {
	o := &c.options
	if c.token == nil {
		return nil
	}
	frame := c.token.Frame()
	special := frame.Size(false)
	// Truncate then reads every text as its special tokens alone, and counts what it cuts.
	least := special + 1
	if o.Long == runtime.Truncate {
		least = special
	}
	if c.program.Limits.Causal { // a prompt has no special tokens after it, and may be empty
		open, _, _ := frame.Around(false)
		least = max(1, len(open))
	}
	if limited && o.MaxTokens < least {
		return &SettingError{"MaxTokens", fmt.Sprintf("MaxTokens(%d)", o.MaxTokens),
			fmt.Sprintf("%d special tokens stand around each text, which leave no room for it: choose at least %d", special, least)}
	}
	if room := o.MaxTokens - special; o.Long.Windowed() && room > 0 && o.Long.Stride() >= room {
		return &SettingError{"Long", fmt.Sprintf("Windows(%d)", o.Long.Stride()),
			fmt.Sprintf("the model sees %d tokens at once, %d of them special, so windows of a text cannot overlap by %d: choose a smaller stride, at most %d",
				o.MaxTokens, special, o.Long.Stride(), room-1)}
	}
	return nil
}
