package disk

import (
	"io"
	"sync/atomic"
)

// Op is a kind of operation on a file.
type Op string

// The operations, in the order in which they occur when a file is read or written.
const (
	OpStat    Op = "stat"
	OpOpen    Op = "open"
	OpRead    Op = "read"
	OpMap     Op = "map"
	OpReadDir Op = "readdir"
	OpMkdir   Op = "mkdir"
	OpCreate  Op = "create"
	OpWrite   Op = "write"
	OpSync    Op = "sync"
	OpRename  Op = "rename"
	OpSyncDir Op = "syncdir"
	OpRemove  Op = "remove"
	OpTouch   Op = "touch"
)

// Fault decides whether an operation is done. If it returns nil, the operation is done; if it returns an error, the operation fails with this error
// instead. *Short is for writes.
type Fault func(op Op, path string) error

// Short makes a write stop halfway.
type Short struct {
	Err  error  // the error that the write returns
	Then func() // if not nil, called when half of the bytes are written, for example to end the process there
}

// Error returns the text of Err.
func (s *Short) Error() string { return s.Err.Error() }

// Unwrap returns Err.
func (s *Short) Unwrap() error { return s.Err }

var injected atomic.Pointer[Fault]

// Inject makes every operation of this package, in any goroutine, call f first, until restore is called. It is for tests: no flag and no environment
// variable reaches it. Without an injected fault, an operation costs one more atomic load.
func Inject(f Fault) (restore func()) {
	old := injected.Swap(&f)
	return func() { injected.Store(old) }
}

// step asks the injected fault, if any, about an operation.
func step(op Op, path string) error {
	if f := injected.Load(); f != nil {
		return (*f)(op, path)
	}
	return nil
}

// write writes p to w unless the injected fault decides otherwise.
func write(w io.Writer, path string, p []byte) (int, error) {
	err := step(OpWrite, path)
	if err == nil {
		return w.Write(p)
	}
	n := 0
	if s, ok := err.(*Short); ok {
		n, _ = w.Write(p[:len(p)/2]) // the injected error is the one to report
		if s.Then != nil {
			s.Then()
		}
	}
	return n, pathError("write", path, err)
}
