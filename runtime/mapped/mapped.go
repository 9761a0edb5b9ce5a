// Package mapped maps files for reading, and turns failing reads of the mapping into errors.
//
// If a file becomes shorter while it is mapped, reads after its new end fault: the system sends SIGBUS, which ends the process. A failing disk has
// the same effect. [File.Read] is the only way to the bytes, and it returns ErrChanged instead. Package engine reads the weights of a model in
// place, long after Read has returned. It runs all such work with faults turned into panics, and uses [File.Faulted] to recognize them.
package mapped

import (
	"errors"
	"io"
	"math"
	"os"
	"runtime"
	"runtime/debug"
	"unsafe"

	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/resource"
)

// ErrChanged is returned for a read of a part that the file no longer has, or that its disk cannot read.
var ErrChanged = errors.New("the file changed or became shorter while it was open")

// File is a range of bytes of a file, mapped for reading, or bytes in memory. It is safe for concurrent use until Close.
type File struct {
	data  []byte
	unmap func() error // nil: nothing to do
	file  *disk.File   // the mapped file; nil: the bytes are in memory
	from  int64        // where the bytes start in file
}

// alignment is the boundary, in bytes, at which the bytes start in memory if they are read instead of mapped. Kernels need this alignment.
const alignment = 64

// Open maps size bytes of f, starting at offset. All of them must be in the file. Open closes f if it fails; otherwise Close does. If the system or
// the file system cannot map files, the bytes are read into memory.
func Open(f *disk.File, offset, size int64) (*File, error) {
	m, err := open(f, offset, size)
	if err != nil || m.file == nil {
		f.Close() // opened for reading: nothing can be lost
	}
	return m, err
}

func open(f *disk.File, offset, size int64) (*File, error) {
	switch {
	case offset < 0 || size < 0 || offset > math.MaxInt64-size:
		return nil, errors.New("no such range of bytes")
	case size > math.MaxInt-alignment-int64(os.Getpagesize()):
		return nil, errors.New("more bytes than this machine can address")
	case size == 0: // the system would refuse an empty mapping; the caller's own error is clearer
		return &File{}, nil
	}
	if f.Ask(disk.OpMap) == nil {
		if data, unmap, err := mapRange(f.File, offset, size); err == nil {
			return &File{data, unmap, f, offset}, nil
		}
	}
	if err := resource.CheckMemory("reading a file that cannot be mapped", size); err != nil {
		return nil, err
	}
	raw := make([]byte, size+alignment)
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(raw))) % alignment
	data := raw[skip : int64(skip)+size : int64(skip)+size]
	if _, err := io.ReadFull(io.NewSectionReader(f, offset, size), data); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = ErrChanged // the caller has seen that the file is longer
		}
		return nil, err
	}
	return &File{data: data}, nil
}

// Memory returns a File of bytes in memory. They must not change until Close, which calls drop unless drop is nil.
func Memory(data []byte, drop func()) *File {
	m := &File{data: data}
	if drop != nil {
		m.unmap = func() error { drop(); return nil }
	}
	return m
}

// Len returns the number of bytes.
func (m *File) Len() int { return len(m.data) }

// Read calls f with the bytes and returns its error. It returns ErrChanged if a read of the bytes faulted or if the file is no longer whole. f must
// not write to the bytes, keep them, or pass them to another goroutine. Read does not recover other panics of f.
func (m *File) Read(f func(data []byte) error) (err error) {
	defer func(before bool) {
		debug.SetPanicOnFault(before)
		if v := recover(); v != nil {
			if !m.Faulted(v) {
				panic(v)
			}
			err = ErrChanged
		}
	}(debug.SetPanicOnFault(true))
	err = f(m.data)
	if !m.Whole() {
		return ErrChanged
	}
	return err
}

// Whole reports whether the file still reaches to the end of the bytes. If a file ends within a page of memory, the rest of the page reads as zeros
// without a fault. So callers that read in place check Whole afterwards. It costs a system call and allocates nothing.
func (m *File) Whole() bool {
	if m.file == nil {
		return true
	}
	if m.file.Ask(disk.OpRead) != nil { // an injected fault stands for a page that cannot be read
		return false
	}
	end, err := m.file.Seek(0, io.SeekEnd) // nobody reads at the file's own position
	return err == nil && end-m.from >= int64(len(m.data))
}

// ReadAt reads the bytes with system calls, as in io.ReaderAt, so that they are not loaded into the mapping.
func (m *File) ReadAt(p []byte, off int64) (n int, err error) {
	size := int64(len(m.data))
	switch {
	case off < 0:
		return 0, errors.New("negative offset")
	case off >= size:
		return 0, io.EOF
	}
	part := p[:min(int64(len(p)), size-off)]
	if m.file != nil {
		n, err = m.file.ReadAt(part, m.from+off)
		if errors.Is(err, io.EOF) {
			err = nil
			if n < len(part) {
				err = ErrChanged
			}
		}
	} else {
		err = m.Read(func(data []byte) error { n = copy(part, data[off:]); return nil })
	}
	if err == nil && n < len(p) {
		err = io.EOF
	}
	return n, err
}

// Faulted reports whether v, recovered from a panic, is a memory fault at an address of the mapping. Faults are panics only in goroutines that have
// called debug.SetPanicOnFault(true).
func (m *File) Faulted(v any) bool {
	fault, ok := v.(interface {
		runtime.Error
		Addr() uintptr
	})
	if !ok || len(m.data) == 0 {
		return false
	}
	from := uintptr(unsafe.Pointer(unsafe.SliceData(m.data)))
	return fault.Addr() >= from && fault.Addr()-from < uintptr(len(m.data))
}

// Close unmaps the bytes. Closing again does nothing.
func (m *File) Close() error {
	unmap, file := m.unmap, m.file
	m.data, m.unmap, m.file = nil, nil, nil
	var err error
	if unmap != nil {
		err = unmap()
	}
	if file != nil {
		err = errors.Join(err, file.Close())
	}
	return err
}
