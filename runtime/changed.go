package runtime

import (
	"errors"
	"io"

	"github.com/debertac/debertac/runtime/mapped"
)

// ErrChanged is wrapped by the errors of a file of weights that changed or became shorter
// while it was open. CopyWeights makes a model independent of the file.
var ErrChanged = mapped.ErrChanged

// unreadable is the fault of weights that are open and cannot be read, or of one of their
// tensors. Their size is known, so the end of the file comes too early.
func unreadable(file, tensor string, err error) *WeightsError {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = ErrChanged
	}
	if err == ErrChanged {
		return &WeightsError{File: file, Tensor: tensor, changed: true,
			Reason: "the file of weights changed or became shorter while it was open: put a whole file in its place and open the model again"}
	}
	return &WeightsError{File: file, Tensor: tensor, Reason: "cannot be read", Err: err}
}

// explain replaces an error of guard, or one that wraps it, where its cause is the file of
// weights and not the program. With a file that is not whole there is an error where there
// was none: what was read beyond its end may have been zeros.
func (w *Weights) explain(err error) error {
	var p *PanicError
	var known *WeightsError
	if errors.As(err, &known) && known.changed {
		return err
	}
	if errors.Is(err, ErrChanged) || errors.As(err, &p) && w.mem.Faulted(p.Value) || !w.mem.Whole() {
		return unreadable(w.name, "", ErrChanged)
	}
	return err
}
