package torchfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/safetensors"
)

// File is one file of weights, or all shards of a sharded one, open for reading. It is safe for concurrent use until Close.
type File struct {
	name    string
	parts   []*part
	order   []string
	tensors map[string]entry
}

// part is one file on disk.
type part struct {
	name    string
	file    *disk.File // nil for OpenBytes
	data    source
	order   []string
	tensors map[string]*tensor
}

// source finds the numbers of storages in a container.
type source interface {
	// at returns a reader, the offset of a storage's bytes in it, and an error. The first call for a storage checks it as far as the container allows.
	at(s *storage) (io.ReaderAt, int64, error)
}

type entry struct {
	tensor *tensor
	part   *part
}

func fault(file, tensor, format string, args ...any) *safetensors.Error {
	return &safetensors.Error{File: file, Tensor: tensor, Reason: fmt.Sprintf(format, args...)}
}

// Open reads the pickle of the file at path. It does not read the tensors' values.
func Open(path string) (*File, error) {
	p, err := openPart(path)
	if err != nil {
		return nil, err
	}
	return newFile(path, []*part{p}), nil
}

// OpenBytes reads a file held in memory. Errors contain name. The bytes must not change while the File is in use.
func OpenBytes(name string, data []byte) (*File, error) {
	p, err := readPart(name, bytes.NewReader(data), int64(len(data)))
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
	var p *part
	if err == nil {
		p, err = readPart(path, steady{f, size}, size)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	p.file = f
	return p, nil
}

// steady reads a file and knows the size that the file had when it was opened. It reports an error if the file has become shorter since.
type steady struct {
	file *disk.File
	size int64
}

// ReadAt implements io.ReaderAt.
func (s steady) ReadAt(p []byte, off int64) (int, error) {
	n, err := s.file.ReadAt(p, off)
	if errors.Is(err, io.EOF) && off+int64(n) < s.size {
		err = safetensors.ErrChanged
	}
	return n, err
}

// readPart recognises the container by its first bytes and reads the pickle in it.
func readPart(name string, r io.ReaderAt, size int64) (*part, error) {
	head := make([]byte, min(size, 512))
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	p := &part{name: name, tensors: map[string]*tensor{}}
	var top any
	var err error
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")):
		top, err = p.readZip(r, size)
	case bytes.HasPrefix(head, streamMagic):
		top, err = p.readStream(r, size)
	default:
		err = fault(name, "", "%s", foreign(head))
	}
	if err != nil {
		return nil, err
	}
	return p, p.list(top)
}

// foreign describes what a file seems to be that torch.save did not write.
func foreign(head []byte) string {
	text := strings.TrimSpace(string(head))
	switch {
	case len(head) == 0:
		return "the file is empty"
	case strings.HasPrefix(text, "version https://git-lfs"):
		return "this is a Git LFS pointer and not the file that it stands for: fetch that with git lfs pull"
	case strings.HasPrefix(text, "<"):
		return "this is a page of HTML or XML, not a file of weights: was it downloaded from the right address?"
	case len(head) > 8 && head[8] == '{':
		return "this looks like a safetensors file: give it the name model.safetensors"
	case len(head) > 262 && string(head[257:262]) == "ustar":
		return "this is a tar archive, as torch wrote before version 0.2: load it with torch and save it again"
	case head[0] == 0x80:
		return "this is a pickle that torch.save did not write: load it in Python and save its weights with torch.save or as safetensors"
	}
	return "this is not a file that torch.save wrote"
}

// list takes the tensors from the dictionary that a file of weights holds.
func (p *part) list(top any) error {
	d, ok := top.(*dict)
	if !ok {
		return fault(p.name, "", "it holds %s, a dictionary of tensors is wanted", kind(top))
	}
	for i, key := range d.keys {
		name, ok := key.(string)
		if !ok {
			return fault(p.name, "", "its dictionary has %s for a name", kind(key))
		}
		t, ok := d.values[i].(*tensor)
		if !ok {
			err := fault(p.name, name, "this is %s, not a tensor", kind(d.values[i]))
			if _, nested := d.values[i].(*dict); nested {
				err.Reason += ": the file is a training checkpoint around the weights, save the model's state_dict alone"
			}
			return err
		}
		if p.tensors[name] != nil {
			return fault(p.name, name, "it is in the file twice")
		}
		p.order = append(p.order, name)
		p.tensors[name] = t
	}
	if len(p.order) == 0 {
		return fault(p.name, "", "it holds no tensors")
	}
	return nil
}

func newFile(name string, parts []*part) *File {
	f := &File{name: name, parts: parts, tensors: map[string]entry{}}
	for _, p := range parts {
		for _, n := range p.order {
			f.order = append(f.order, n)
			f.tensors[n] = entry{p.tensors[n], p}
		}
	}
	return f
}

// Close closes the files. Afterwards every method returns an error or nothing. Further calls do nothing.
func (f *File) Close() error {
	err := closeAll(f.parts)
	f.parts, f.order, f.tensors = nil, nil, nil
	return err
}

func closeAll(parts []*part) error {
	var all []error
	for _, p := range parts {
		if p.file != nil {
			all = append(all, p.file.Close())
		}
	}
	return errors.Join(all...)
}

// Name returns the path, folder or name that the file was opened by.
func (f *File) Name() string { return f.name }

// Names returns the tensors in the order of the file, shard by shard.
func (f *File) Names() []string { return slices.Clone(f.order) }

// Has reports whether there is a tensor of that name.
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

// Info describes a tensor; an unknown name is an error. Offset is the offset of its first number in its storage, in bytes. Tensors may share a storage.
func (f *File) Info(name string) (safetensors.Info, error) {
	e, err := f.entry(name)
	if err != nil {
		return safetensors.Info{}, err
	}
	t := e.tensor
	size := int64(t.storage.dtype.Size())
	return safetensors.Info{Name: name, DType: t.storage.dtype, Shape: slices.Clone(t.shape), Offset: t.offset * size, Size: int64(t.elements()) * size}, nil
}

// Check returns an error unless the tensor exists and has this shape.
func (f *File) Check(name string, shape ...int) error {
	e, err := f.entry(name)
	if err != nil {
		return err
	}
	if !safetensors.Fits(e.tensor.shape, shape) {
		return fault(e.part.name, name, "its shape is %v, expected %v", e.tensor.shape, shape)
	}
	return nil
}
