package engine

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/debertac/debertac/runtime"
	"github.com/debertac/debertac/runtime/disk"
	"github.com/debertac/debertac/runtime/mapped"
	"github.com/debertac/debertac/runtime/resource"
	"github.com/debertac/debertac/runtime/safetensors"
)

// Want describes the weights that a generated package expects.
type Want struct {
	SpecHash string // sha256 of the canonical spec, hex
	Layout   string // version of the packing
	Tensors  []TensorWant
	Rank     int // greatest rank of adapters; 0: the package takes none
}

// TensorWant is one tensor that the package expects.
type TensorWant struct {
	Name  string
	DType safetensors.DType
	Len   int64 // elements; negative: any number
	// Optional tensors may be missing.
	Optional bool
	// Adapter tensors belong to adapters: the file has them under the name of an adapter alone.
	Adapter bool
	// Rows is set for an I32 tensor whose elements are row indices into a table. It is the number of rows of the table. Each
	// element must lie in [0, Rows) and must not be below the one before it. 0: the elements are not row indices.
	Rows int32
}

// Weights is an open packed weight file: a safetensors file with the metadata that meta.go lists. Its tensors have one dimension
// and are padded with zeros to multiples of 64 bytes. It is safe for concurrent use.
type Weights struct {
	name string
	mem  *mapped.File // the packed file
	size int64
	// inPlace is set while a Core binds its package: only code that the Core runs under guard may read the mapping itself.
	inPlace bool

	meta    Meta
	tensors map[string]packedTensor
	order   []string // names in the order of their offsets

	refs   atomic.Int64 // the open handle and users; at 0 the memory is unmapped
	closed atomic.Bool
	mu     sync.Mutex
	err    error // first misuse
}

type packedTensor struct {
	dtype  safetensors.DType
	bytes  []byte // without padding
	offset int64  // byte offset in the packed file
	stored int64  // bytes with padding
	sha256 string
}

// OpenWeights maps the packed file at path and checks the header, the header's own hash, sizes, alignment, layout, spec, the list
// of tensors, and the values of tensors of integers. It does not check the values of tensors of floats; CheckWeights does. Errors
// have type *WeightsError or come from the file system.
func OpenWeights(path string, want Want) (*Weights, error) {
	return OpenWeightsAt(path, 0, -1, want)
}

// OpenWeightsAt is OpenWeights for a packed file that lies inside another file. It starts at byte offset, a multiple of
// Alignment, and is size bytes long; a negative size means up to the end.
func OpenWeightsAt(path string, offset, size int64, want Want) (*Weights, error) {
	f, err := disk.Open(path)
	if err != nil {
		return nil, err
	}
	all, err := f.Size()
	if err == nil && (offset < 0 || offset > all || size > all-offset) {
		err = &runtime.WeightsError{File: path, Reason: fmt.Sprintf("no weights of %d bytes at %d: the file has %d bytes", size, offset, all)}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if size < 0 {
		size = all - offset
	}
	mem, err := mapped.Open(f, offset, size)
	if err != nil {
		return nil, unreadable(path, "", err)
	}
	w := &Weights{name: path, mem: mem}
	return w.open(want)
}

// WeightsFromBytes is OpenWeights for a file in memory, whose bytes must not change. Bytes that do not start at a multiple of
// Alignment are copied.
func WeightsFromBytes(name string, data []byte, want Want) (*Weights, error) {
	mem := mapped.Memory(data, nil)
	if !aligned(data) {
		b, drop, err := block(len(data))
		if err != nil {
			return nil, &runtime.WeightsError{File: name, Reason: "cannot be copied", Err: err}
		}
		if err := mem.Read(func(data []byte) error { copy(b, data); return nil }); err != nil {
			drop()
			return nil, unreadable(name, "", err)
		}
		mem = mapped.Memory(b, drop)
	}
	w := &Weights{name: name, mem: mem}
	return w.open(want)
}

// copied returns the same weights in memory of their own.
func (w *Weights) copied() (*Weights, error) {
	if err := resource.CheckMemory("a copy of "+w.name, w.size); err != nil {
		return nil, err
	}
	b, drop, err := block(int(w.size))
	if err != nil {
		return nil, &runtime.WeightsError{File: w.name, Reason: "cannot be copied", Err: err}
	}
	if _, err := w.mem.ReadAt(b, 0); err != nil {
		drop()
		return nil, unreadable(w.name, "", err)
	}
	c := &Weights{name: w.name, mem: mapped.Memory(b, drop)}
	return c.open(Want{SpecHash: w.meta.SpecHash, Layout: w.meta.Layout, Tensors: w.list(), Rank: w.meta.Rank})
}

// list returns the file's own tensors as the tensors of a Want.
func (w *Weights) list() []TensorWant {
	var list []TensorWant
	for name, t := range w.tensors { // including those that are stored under another name
		want := TensorWant{Name: name, DType: t.dtype, Len: int64(len(t.bytes) / t.dtype.Size())}
		if _, inner, ok := adapterOf(name); ok {
			if want.Name, want.Adapter = inner, true; w.Has(inner) { // it takes the place of that tensor
				continue
			}
		}
		list = append(list, want)
	}
	return list
}

// open checks the file against want. On an error it releases everything.
func (w *Weights) open(want Want) (*Weights, error) {
	w.refs.Store(1)
	w.size = int64(w.mem.Len())
	err := w.explain(guard(func() error {
		return w.mem.Read(func(data []byte) error {
			if err := w.parse(data); err != nil {
				return err
			}
			if err := w.check(want); err != nil {
				return err
			}
			return w.checkIntegers(data, want)
		})
	}))
	if err != nil {
		w.closed.Store(true)
		w.Release()
		return nil, err
	}
	return w, nil
}

// Name returns the path, or the name that was passed with bytes.
func (w *Weights) Name() string { return w.name }

// Size returns the size of the packed file in bytes.
func (w *Weights) Size() int64 { return w.size }

// Meta returns the metadata of the file. Its maps must not be changed.
func (w *Weights) Meta() Meta { return w.meta }

// Names returns the names of the tensors in the order of the file.
func (w *Weights) Names() []string { return slices.Clone(w.order) }

// Has reports whether there is a tensor with this name.
func (w *Weights) Has(name string) bool { _, ok := w.tensors[name]; return ok }

// F32 returns the elements of an F32 tensor [Len], aligned to Alignment. While a Core binds its package, they are the mapped file
// itself: they must not be written to, and must be read only in the forward pass. Otherwise they are a copy. F32 returns nil if
// the name is unknown, if the tensor has another type, after Close, or if the copy cannot be read; Err returns the reason.
func (w *Weights) F32(name string) []float32 {
	v, err := w.floats(name)
	w.fail(err)
	return v
}

// floats is F32 with its error.
func (w *Weights) floats(name string) ([]float32, error) {
	b, err := w.bytes(name, safetensors.F32)
	if len(b) == 0 {
		return nil, err
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&b[0])), len(b)/4), nil
}

// I32 is F32 for an I32 tensor.
func (w *Weights) I32(name string) []int32 {
	b, err := w.bytes(name, safetensors.I32)
	w.fail(err)
	if len(b) == 0 {
		return nil
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(&b[0])), len(b)/4)
}

// Pairs is F32 for a BF16 tensor of an even number of elements, as pairs, see package runtime/bf16.
func (w *Weights) Pairs(name string) []int32 {
	b, err := w.bytes(name, safetensors.BF16)
	w.fail(err)
	if len(b) < 4 {
		return nil
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(&b[0])), len(b)/4)
}

// Bytes returns the bytes of a tensor of any type, without padding. The rules of F32 apply.
func (w *Weights) Bytes(name string) []byte {
	b, err := w.bytes(name, 0)
	w.fail(err)
	return b
}

// unknownTensor is the reason for a name that no tensor has. Open has found all tensors that the package reads, so the name is the caller's.
const unknownTensor = "the weights have no tensor of this name"

// bytes returns a tensor's bytes, aligned: the mapped bytes themselves while a Core binds, else a copy. want is the expected
// type; 0 accepts any.
func (w *Weights) bytes(name string, want safetensors.DType) ([]byte, error) {
	if err := w.Acquire(); err != nil {
		return nil, &runtime.WeightsError{File: w.name, Tensor: name, Reason: "asked for after Close", Err: err}
	}
	defer w.Release()
	t, ok := w.tensors[name]
	switch {
	case !ok:
		return nil, &runtime.WeightsError{File: w.name, Tensor: name, Reason: unknownTensor}
	case want != 0 && t.dtype != want:
		return nil, &runtime.WeightsError{File: w.name, Tensor: name, Reason: fmt.Sprintf("it holds %s, but was read as %s", t.dtype, want)}
	case w.inPlace:
		return t.bytes, nil
	}
	b := goBlock(len(t.bytes))
	if err := w.mem.Read(func([]byte) error { copy(b, t.bytes); return nil }); err != nil {
		return nil, unreadable(w.name, name, err)
	}
	return b, nil
}

// fail keeps the first error for Err.
func (w *Weights) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err = err
	}
}

// Err returns the first error of F32, I32 or Bytes, or nil. A caller can bind all its tensors and check once.
func (w *Weights) Err() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}

// Acquire keeps the memory mapped until Release, even after Close. If the weights are closed already, it returns ErrClosed.
func (w *Weights) Acquire() error {
	for {
		n := w.refs.Load()
		if n <= 0 || w.closed.Load() {
			return runtime.ErrClosed
		}
		if w.refs.CompareAndSwap(n, n+1) {
			return nil
		}
	}
}

// Release ends an Acquire.
func (w *Weights) Release() {
	if w.refs.Add(-1) != 0 {
		return
	}
	_ = w.mem.Close() // it unmaps memory and closes a file that was opened for reading: nothing can be lost
}

// Close ends the use of the file. The memory is unmapped when the last user has released it. Closing again does nothing.
func (w *Weights) Close() error {
	if w.closed.CompareAndSwap(false, true) {
		w.Release()
	}
	return nil
}
