package program

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/example"
)

// examples are the examples of an evaluation. They lie in a file and are read again each time, so the memory does not grow with them.
type examples struct {
	ctx   context.Context
	name  string // of the input, for messages
	text  *io.SectionReader
	n     int
	first *example.Example
	close func()
}

// read finds out how many examples there are, and reads the first one. An input that cannot be read again, such as a pipe, goes into a temporary file first.
func (e *evalFlags) read(ctx context.Context, s *session) (*examples, error) {
	x := &examples{ctx: ctx, name: "standard input", close: func() {}}
	in := s.In
	if e.input != "-" {
		f, err := disk.OpenStream(ctx, e.input)
		if err != nil {
			return nil, faulty("", "%w", err)
		}
		in, x.name, x.close = f, e.input, func() { f.Close() } // read only
	}
	if err := x.begin(in); err != nil {
		x.close()
		return nil, faulty(x.name, "%w", err)
	}
	return x, nil
}

// begin finds out how many examples an input has, and reads the first one.
func (x *examples) begin(in io.Reader) (err error) {
	var again bool
	if x.text, again = disk.Again(in); !again {
		if err := x.keep(in); err != nil {
			return err
		}
	}
	x.first, err = example.NewReader(io.NewSectionReader(x.text, 0, x.text.Size())).Next()
	if errors.Is(err, io.EOF) {
		return errors.New("it is empty: there are no examples")
	}
	if err == nil {
		x.n, err = x.lines()
	}
	return err
}

// lines counts the lines.
func (x *examples) lines() (n int, err error) {
	buf := make([]byte, 1<<16)
	for last := byte('\n'); x.ctx.Err() == nil; {
		k, err := x.text.Read(buf)
		if n += bytes.Count(buf[:k], []byte("\n")); k > 0 {
			last = buf[k-1]
		}
		if errors.Is(err, io.EOF) {
			if last != '\n' {
				n++
			}
			return n, nil
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, x.ctx.Err()
}

// keep writes the input into a temporary file.
func (x *examples) keep(in io.Reader) error {
	spool, err := disk.NewSpool()
	if err != nil {
		return err
	}
	before := x.close
	x.close = func() { spool.Close(); before() } // it is thrown away
	if _, err := io.Copy(spool, in); err != nil {
		return err
	}
	f, err := spool.Reader()
	if err != nil {
		return err
	}
	x.text, _ = disk.Again(f)
	return nil
}

// each calls f with all examples, by their numbers from 0.
func (x *examples) each(f func(i int, one *example.Example) error) error { return x.pass(true, f) }

// pass reads the examples. Unless trusted is set, it also refuses fields that stand twice, which takes some time.
func (x *examples) pass(trusted bool, f func(i int, one *example.Example) error) error {
	r := example.NewReader(io.NewSectionReader(x.text, 0, x.text.Size()))
	r.Trusted = trusted
	for i := 0; x.ctx.Err() == nil; i++ {
		one, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return faulty(x.name, "%w", err)
		}
		if err := f(i, one); err != nil {
			return err
		}
	}
	return x.ctx.Err()
}
