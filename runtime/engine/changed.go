package engine

import (
	"errors"
	"io"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/pool"
)

// unreadable returns the error for open weights, or one of their tensors, that cannot be read. The
// size of the file is known, so an end of file means that the file became shorter.
func unreadable(file, tensor string, err error) *runtime.WeightsError {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		err = runtime.ErrChanged
	}
	if err == runtime.ErrChanged {
		return &runtime.WeightsError{File: file, Tensor: tensor, Changed: true,
			Reason: "the file of weights changed or became shorter while it was open: put a whole file in its place and open the model again"}
	}
	return &runtime.WeightsError{File: file, Tensor: tensor, Reason: "cannot be read", Err: err}
}

// explain returns the error to report for err, an error of guard or one that wraps it. If the
// weight file caused it and not the program, explain returns an error about the file. If the file
// is no longer whole, it returns one even where err is nil, because what was read beyond the file's
// end may have been zeros.
func (w *Weights) explain(err error) error {
	var p *pool.PanicError
	var known *runtime.WeightsError
	if errors.As(err, &known) && known.Changed {
		return err
	}
	if errors.Is(err, runtime.ErrChanged) || errors.As(err, &p) && w.mem.Faulted(p.Value) || !w.mem.Whole() {
		return unreadable(w.name, "", runtime.ErrChanged)
	}
	return err
}
