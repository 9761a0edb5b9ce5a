package safetensors

import (
	"bytes"
	"errors"
	"maps"
	"slices"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/mapped"
)

// File is one safetensors file, or the shards of a sharded one, open for reading. It is safe for concurrent use
// until Close.
type File struct {
	name     string
	parts    []*part
	order    []string // names in the order of parts and data
	tensors  map[string]entry
	metadata map[string]string
}

// part is one file on disk, or one block of bytes.
type part struct {
	name   string
	file   *mapped.File // the whole file
	header *header
}

type entry struct {
	info Info
	part *part
}

// Open maps the file at path and checks all of its header. The data are read when they are used. Reads of a file
// that became shorter while it was open return an error that wraps ErrChanged.
func Open(path string) (*File, error) {
	p, err := openPart(path)
	if err != nil {
		return nil, err
	}
	return newFile(path, []*part{p}), nil
}

// OpenBytes reads a file in memory. name is its name in errors. The bytes must not change while the File is in
// use.
func OpenBytes(name string, data []byte) (*File, error) {
	p, err := newPart(name, mapped.Memory(data, nil))
	if err != nil {
		return nil, err
	}
	return newFile(name, []*part{p}), nil
}

func openPart(path string) (*part, error) {
	f, err := disk.Open(path)
	if err != nil {
		return nil, err
	}
	size, err := f.Size()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	m, err := mapped.Open(f, 0, size)
	if err != nil {
		return nil, unreadable(path, "", err)
	}
	p, err := newPart(path, m)
	if err != nil {
		_ = m.Close() // the header's error is the one to report
	}
	return p, err
}

// newPart reads the header.
func newPart(name string, file *mapped.File) (*part, error) {
	p := &part{name: name, file: file}
	return p, p.read("", func(data []byte) (err error) {
		p.header, err = parseHeader(name, data, int64(len(data)))
		return err
	})
}

// read calls f with the file's bytes, which f must not keep. tensor is the tensor that they are read for, or "".
func (p *part) read(tensor string, f func(data []byte) error) error {
	err := p.file.Read(f)
	if err == mapped.ErrChanged {
		return unreadable(p.name, tensor, err)
	}
	return err
}

func newFile(name string, parts []*part) *File {
	f := &File{name: name, parts: parts, tensors: map[string]entry{}, metadata: map[string]string{}}
	for _, p := range parts {
		for _, t := range p.header.tensors {
			f.order = append(f.order, t.Name)
			f.tensors[t.Name] = entry{t, p}
		}
		maps.Copy(f.metadata, p.header.metadata)
	}
	return f
}

// Close unmaps the file. After it, every method returns an error or nothing. Closing again does nothing.
func (f *File) Close() error {
	var first error
	for _, p := range f.parts {
		if err := p.file.Close(); err != nil && first == nil {
			first = err
		}
	}
	f.parts, f.order, f.tensors = nil, nil, nil
	return first
}

// Name returns the path, folder or name that the file was opened by.
func (f *File) Name() string { return f.name }

// Names returns the names of the tensors in the order of their data, shard by shard.
func (f *File) Names() []string { return slices.Clone(f.order) }

// Metadata returns a copy of the header's metadata, joined for all shards.
func (f *File) Metadata() map[string]string { return maps.Clone(f.metadata) }

// Has reports whether there is a tensor with this name.
func (f *File) Has(name string) bool { _, ok := f.tensors[name]; return ok }

func (f *File) entry(name string) (entry, error) {
	if f.tensors == nil {
		return entry{}, fault(f.name, name, "the file is closed")
	}
	e, ok := f.tensors[name]
	if !ok {
		return entry{}, fault(f.name, name, "no such tensor in this file")
	}
	return e, nil
}

// Info returns the description of a tensor. An unknown name is an error.
func (f *File) Info(name string) (Info, error) {
	e, err := f.entry(name)
	if err != nil {
		return Info{}, err
	}
	e.info.Shape = slices.Clone(e.info.Shape)
	return e.info, nil
}

// Check returns an error unless the tensor exists and has this shape.
func (f *File) Check(name string, shape ...int) error {
	e, err := f.entry(name)
	if err != nil {
		return err
	}
	if !Fits(e.info.Shape, shape) {
		return fault(e.part.name, name, "its shape is %v, expected %v", e.info.Shape, shape)
	}
	return nil
}

// Fits reports whether a tensor of the shape have can be read as one of the shape want. The shapes are equal, or have is that of a number without
// dimensions and want that of a tensor of one number.
func Fits(have, want []int) bool {
	return slices.Equal(have, want) || len(have) == 0 && !slices.ContainsFunc(want, func(n int) bool { return n != 1 })
}

// Bytes returns a copy of a tensor's bytes, little-endian, row-major.
func (f *File) Bytes(name string) ([]byte, error) {
	e, err := f.entry(name)
	if err != nil {
		return nil, err
	}
	var out []byte
	return out, e.read(func(data []byte) { out = bytes.Clone(data) })
}

// Range calls f with the bytes from..to of a tensor, which f must not keep. They are read in place: nothing else of the tensor is touched.
func (f *File) Range(name string, from, to int64, use func(data []byte)) error {
	e, err := f.entry(name)
	if err != nil {
		return err
	}
	if from < 0 || to < from || to > e.info.Size {
		return fault(e.part.name, name, "bytes %d to %d are wanted, and it has %d", from, to, e.info.Size)
	}
	return e.read(func(data []byte) { use(data[from:to]) })
}

// read calls f with a tensor's bytes, which f must not keep.
func (e entry) read(f func(data []byte)) error {
	return e.part.read(e.info.Name, func(data []byte) error {
		at := e.part.header.data + e.info.Offset
		f(data[at : at+e.info.Size])
		return nil
	})
}

// Floats converts a float tensor into dst, whose length must be the number of elements. F32, F16 and BF16 are
// exact; F64 is rounded to the nearest float32.
func (f *File) Floats(name string, dst []float32) error {
	e, err := f.entry(name)
	if err != nil {
		return err
	}
	if len(dst) != e.info.Elements() {
		return fault(e.part.name, name, "it has %d elements (shape %v), the destination %d", e.info.Elements(), e.info.Shape, len(dst))
	}
	var ok bool
	if err := e.read(func(data []byte) { ok = floats(dst, data, e.info.DType) }); err != nil {
		return err
	}
	if !ok {
		return fault(e.part.name, name, "it holds %s, floating-point numbers were expected", e.info.DType)
	}
	return nil
}

// Ints converts an integer or BOOL tensor into dst, whose length must be the
// number of elements.
func (f *File) Ints(name string, dst []int64) error {
	e, err := f.entry(name)
	if err != nil {
		return err
	}
	if len(dst) != e.info.Elements() {
		return fault(e.part.name, name, "it has %d elements (shape %v), the destination %d", e.info.Elements(), e.info.Shape, len(dst))
	}
	var ok bool
	if err := e.read(func(data []byte) { ok = ints(dst, data, e.info.DType) }); err != nil {
		return err
	}
	if !ok {
		return fault(e.part.name, name, "it holds %s, integers were expected", e.info.DType)
	}
	return nil
}
