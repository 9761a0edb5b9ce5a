package runtime

import (
	"errors"
	"io"

	"github.com/debertac/debertac/runtime/mapped"
)

// ErrChanged is wrapped by the error for a weight file that changed or became shorter while it was
// open. CopyWeights makes a model independent of the file.
var ErrChanged = mapped.ErrChanged

// unreadable returns the error for open weights, or one of their tensors, that cannot be read. The
// size of the file is known, so an end of file means that the file became shorter.
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

// explain returns the error to report for err, an error of guard or one that wraps it. If the
// weight file caused it and not the program, explain returns an error about the file. If the file
// is no longer whole, it returns one even where err is nil, because what was read beyond the file's
// end may have been zeros.
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
