package disk

import (
	"io"
	"sync"
)

// Sink is a writer that keeps its first error, so that lost output, such as on a full disk, is found at the end wherever it was written. It is safe for
// concurrent use.
type Sink struct {
	w   io.Writer
	mu  sync.Mutex
	err error
}

// NewSink returns a Sink that writes to w.
func NewSink(w io.Writer) *Sink { return &Sink{w: w} }

// Write writes to the underlying writer. After an error it writes nothing and returns this error.
func (s *Sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.w.Write(p)
	if err == nil && n < len(p) {
		err = io.ErrShortWrite
	}
	s.err = err
	return n, err
}

// Err returns the first error, or nil.
func (s *Sink) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Unwrap returns the underlying writer, to pass it to a child process.
func (s *Sink) Unwrap() io.Writer { return s.w }
