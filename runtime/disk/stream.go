package disk

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
)

// Stream is an input that is read once, from its start to its end.
type Stream struct {
	ctx  context.Context
	file *os.File
	size int64
}

// OpenStream opens a regular file, a FIFO or a character device, such as `<(command)`, /dev/stdin or a terminal. A FIFO without a writer waits for
// one until ctx ends. Folders, sockets and block devices are errors that match ErrKind. Streams may have no end, so callers must bound what they
// keep of them.
func OpenStream(ctx context.Context, path string) (*Stream, error) {
	st, err := Stat(path)
	if err != nil {
		return nil, rename("open", err)
	}
	m := st.Mode()
	if !m.IsRegular() && m&(fs.ModeNamedPipe|fs.ModeCharDevice) == 0 {
		return nil, because("open", path, ErrKind, "neither a regular file nor a pipe: this is %s", kindOf(m))
	}
	if err := step(OpOpen, path); err != nil {
		return nil, pathError("open", path, err)
	}
	s := &Stream{ctx: ctx, size: -1}
	if m.IsRegular() {
		s.size = st.Size()
	}
	s.file, err = await(ctx, func() (*os.File, error) { return os.Open(path) })
	if err != nil {
		return nil, err
	}
	remember(path, st)
	return s, nil
}

// await returns open's result, or ctx.Err() if ctx ends first. A result that comes later is ignored until the process ends: a system call that waits
// for the other end of a FIFO cannot be canceled.
func await[T any](ctx context.Context, open func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := open()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// Size returns the size in bytes of a regular file, and -1 for all other files.
func (s *Stream) Size() int64 { return s.size }

// Name returns the path that the stream was opened by.
func (s *Stream) Name() string { return s.file.Name() }

// Read reads as os.File does. If the file is not regular, Read returns ctx.Err() when the context of OpenStream ends, even while it waits.
func (s *Stream) Read(p []byte) (int, error) {
	if err := step(OpRead, s.Name()); err != nil {
		return 0, pathError("read", s.Name(), err)
	}
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	if s.size >= 0 {
		return s.file.Read(p)
	}
	// A read that goes on after ctx ended must not write to the caller's memory.
	type got struct {
		n   int
		buf []byte
	}
	g, err := await(s.ctx, func() (got, error) {
		buf := make([]byte, min(len(p), 1<<16))
		n, err := s.file.Read(buf)
		return got{n, buf}, err
	})
	return copy(p, g.buf[:g.n]), err
}

// Close closes the stream.
func (s *Stream) Close() error { return s.file.Close() }

// ReadStream reads a regular file or a FIFO to its end, at most limit bytes. A longer one is an error that matches ErrLimit. Devices are refused.
func ReadStream(ctx context.Context, path string, limit int64) ([]byte, error) {
	st, err := Stat(path)
	if err != nil {
		return nil, rename("open", err)
	}
	if st.Mode()&fs.ModeNamedPipe == 0 {
		return ReadFile(path, limit)
	}
	s, err := OpenStream(ctx, path)
	if err != nil {
		return nil, err
	}
	text, err := readLimited(s, path, 0, limit)
	return text, errors.Join(err, s.Close())
}

// ReadAll reads r to its end, or until ctx ends. r has no path on disk; name is its name in errors. More than limit bytes are an error that matches
// ErrLimit.
func ReadAll(ctx context.Context, r io.Reader, name string, limit int64) ([]byte, error) {
	return await(ctx, func() ([]byte, error) { return readLimited(r, name, 0, limit) })
}
