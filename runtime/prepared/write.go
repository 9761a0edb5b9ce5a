package prepared

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"path/filepath"
	"strconv"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/safetensors"
)

// Writer writes a file row by row. Columns lie in temporary files beside it until Commit, so the memory does not grow with the data.
type Writer struct {
	path string
	dir  *disk.Folder // of temporary files
	cols map[string]*spool
	list []string // the columns, in the order in which they appeared
	rows *spool
	at   *spool

	files int // columns so far
	meta  Meta
	err   error
}

// spool is a column that is being written.
type spool struct {
	name   string
	dtype  safetensors.DType
	values *stream
	starts *stream // nil: not ragged
	count  int64   // values so far
	seqs   int     // sequences so far, of starts
}

// Create starts to write a file.
func Create(path string) (*Writer, error) {
	if _, err := disk.Place(path); err != nil {
		return nil, err
	}
	dir, err := disk.Scratch(path)
	if err != nil {
		return nil, err
	}
	w := &Writer{path: path, dir: dir, cols: map[string]*spool{}, meta: Meta{Count: Counts{}}}
	w.rows, w.err = w.spool(rowsTensor, safetensors.I64, false)
	if w.err == nil {
		w.at, w.err = w.spool(atTensor, safetensors.I64, false)
	}
	if w.err != nil {
		return nil, errors.Join(w.err, w.Discard())
	}
	return w, w.rows.longs(0)
}

// spool makes the temporary files of a column.
func (w *Writer) spool(name string, t safetensors.DType, ragged bool) (*spool, error) {
	s := &spool{name: name, dtype: t}
	var err error
	w.files++
	path := filepath.Join(w.dir.Dir(), strconv.Itoa(w.files)) // a column's name may hold anything
	if s.values, err = newStream(path); err == nil && ragged {
		s.starts, err = newStream(path + startsSuffix)
	}
	return s, err
}

// Add adds a row. at is its number in the source.
func (w *Writer) Add(row []Sequence, at int64) error {
	if w.err == nil {
		w.err = w.add(row, at)
	}
	return w.err
}

func (w *Writer) add(row []Sequence, at int64) error {
	m := &w.meta
	for i := range row {
		s := &row[i]
		for _, c := range columns {
			if err := w.column(c.name, safetensors.I32, c.get(s)); err != nil {
				return err
			}
		}
		for name, list := range s.Integers {
			if err := w.column(targetPrefix+name, safetensors.I32, list); err != nil {
				return err
			}
		}
		for name, list := range s.Floats {
			bits := make([]int32, len(list))
			for k, x := range list {
				bits[k] = int32(math.Float32bits(x))
			}
			if err := w.column(targetPrefix+name+floatSuffix, safetensors.F32, bits); err != nil {
				return err
			}
		}
		m.Sequences++
		m.Tokens += int64(len(s.IDs))
		m.Longest = max(m.Longest, len(s.IDs))
	}
	m.Rows++
	m.Most = max(m.Most, len(row))
	return errors.Join(w.rows.longs(int64(m.Sequences)), w.at.longs(at))
}

// column adds the numbers of the next sequence to a column, which may be new.
func (w *Writer) column(name string, t safetensors.DType, list []int32) error {
	c := w.cols[name]
	if c == nil {
		if len(list) == 0 {
			return nil
		}
		var err error
		if c, err = w.spool(name, t, true); err != nil {
			return err
		}
		w.cols[name], w.list = c, append(w.list, name)
	}
	if err := c.upTo(w.meta.Sequences); err != nil {
		return err
	}
	for _, v := range list {
		if err := c.values.word(uint64(uint32(v)), 4); err != nil {
			return err
		}
	}
	c.count += int64(len(list))
	return nil
}

// upTo writes the starts of all sequences up to number n, which is the next one to have numbers.
func (c *spool) upTo(n int) error {
	for ; c.seqs <= n; c.seqs++ {
		if err := c.starts.word(uint64(c.count), 8); err != nil {
			return err
		}
	}
	return nil
}

// longs adds numbers to a column that is not ragged.
func (c *spool) longs(list ...int64) error {
	for _, v := range list {
		if err := c.values.word(uint64(v), 8); err != nil {
			return err
		}
	}
	c.count += int64(len(list))
	return nil
}

// Counted returns the description so far, which the caller completes before Commit.
func (w *Writer) Counted() *Meta { return &w.meta }

// Commit writes the file, which appears when it is complete, and removes the temporary files.
func (w *Writer) Commit() error {
	if w.err != nil {
		return errors.Join(w.err, w.Discard())
	}
	return errors.Join(w.commit(), w.Discard())
}

func (w *Writer) commit() error {
	w.meta.Format = Format
	meta, err := encodeMeta(&w.meta)
	if err != nil {
		return err
	}
	from := map[string]*stream{rowsTensor: w.rows.values, atTensor: w.at.values}
	list := []safetensors.Tensor{{Name: rowsTensor, DType: safetensors.I64, Shape: []int{int(w.rows.count)}},
		{Name: atTensor, DType: safetensors.I64, Shape: []int{int(w.at.count)}}}
	for _, name := range w.list {
		c := w.cols[name]
		if err := c.upTo(w.meta.Sequences); err != nil { // and the end of the last one
			return err
		}
		from[name], from[name+startsSuffix] = c.values, c.starts
		list = append(list, safetensors.Tensor{Name: name, DType: c.dtype, Shape: []int{int(c.count)}},
			safetensors.Tensor{Name: name + startsSuffix, DType: safetensors.I64, Shape: []int{c.seqs}})
	}
	out, err := disk.Create(w.path, 0o666)
	if err != nil {
		return err
	}
	defer out.Discard()
	buffered := bufio.NewWriterSize(out, 1<<20)
	to, err := safetensors.NewWriter(buffered, meta, list)
	if err != nil {
		return err
	}
	for _, name := range to.Order() {
		if err := from[name].copyTo(func(p []byte) error { return to.Write(name, p) }); err != nil {
			return err
		}
	}
	if err := to.Close(); err != nil {
		return err
	}
	if err := buffered.Flush(); err != nil {
		return err
	}
	return out.Commit()
}

// Discard removes the temporary files. After Commit it does nothing.
func (w *Writer) Discard() error {
	if w.dir == nil {
		return nil
	}
	var errs []error
	for _, c := range w.cols {
		errs = append(errs, c.close())
	}
	for _, c := range []*spool{w.rows, w.at} {
		if c != nil {
			errs = append(errs, c.close())
		}
	}
	w.dir.Discard()
	w.dir, w.err = nil, errWritten
	return errors.Join(errs...)
}

var errWritten = errors.New("the file of prepared data is written or discarded")

// close closes the files of a column.
func (c *spool) close() error {
	var errs []error
	for _, s := range []*stream{c.values, c.starts} {
		if s != nil {
			errs = append(errs, s.log.Close())
		}
	}
	return errors.Join(errs...)
}

// stream is a temporary file of numbers.
type stream struct {
	log *disk.Log
	buf *bufio.Writer
	two [8]byte
}

func newStream(path string) (*stream, error) {
	log, err := disk.OpenLog(path, 0o600)
	if err != nil {
		return nil, err
	}
	return &stream{log: log, buf: bufio.NewWriterSize(log, 1<<16)}, nil
}

// word writes the lowest bytes of a number, the lowest one first.
func (s *stream) word(v uint64, bytes int) error {
	binary.LittleEndian.PutUint64(s.two[:], v)
	_, err := s.buf.Write(s.two[:bytes])
	return err
}

// copyTo passes all that was written on.
func (s *stream) copyTo(write func(p []byte) error) error {
	if err := s.buf.Flush(); err != nil {
		return err
	}
	r, buf := s.log.Reader(), make([]byte, 1<<20)
	for {
		n, err := r.Read(buf)
		if n > 0 {
			if err := write(buf[:n]); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
