package torchfile

import (
	"encoding/binary"
	"io"
	"math"

	"github.com/debertac/debertac/runtime/safetensors"
)

// block is the number of bytes that are read from a storage at once.
const block = 1 << 20

// Floats reads a float tensor into dst, row-major; the length of dst must be the number of elements. F32, F16 and BF16 are exact, F64 is rounded to the nearest
// float32.
func (f *File) Floats(name string, dst []float32) error {
	e, err := f.entry(name)
	if err != nil {
		return err
	}
	t := e.tensor
	if len(dst) != t.elements() {
		return fault(e.part.name, name, "it has %d elements (shape %v), the destination %d", t.elements(), t.shape, len(dst))
	}
	convert := converters[t.storage.dtype]
	if convert == nil {
		return fault(e.part.name, name, "it holds %s, floating-point numbers were expected", t.storage.dtype)
	}
	if len(dst) == 0 {
		return nil
	}
	r, at, err := e.part.data.at(t.storage)
	if err != nil {
		return named(err, name)
	}
	read := func(into []float32, from int64) error {
		size := int64(t.storage.dtype.Size())
		buffer := make([]byte, min(int64(len(into))*size, block))
		for done := 0; done < len(into); {
			n := min(len(into)-done, int(int64(len(buffer))/size))
			part := buffer[:int64(n)*size]
			if _, err := r.ReadAt(part, at+(from+int64(done))*size); err != nil {
				if err == io.EOF {
					err = io.ErrUnexpectedEOF
				}
				return &safetensors.Error{File: e.part.name, Tensor: name, Reason: "its numbers cannot be read", Err: err}
			}
			convert(into[done:done+n], part)
			done += n
		}
		return nil
	}
	if t.contiguous() {
		return read(dst, t.offset)
	}
	return t.gather(dst, read)
}

// named adds a tensor's name to an error of its storage.
func named(err error, name string) error {
	if e, ok := err.(*safetensors.Error); ok && e.Tensor == "" {
		with := *e
		with.Tensor = name
		return &with
	}
	return err
}

// gather reads the part of the storage that holds the tensor and picks the elements by their strides.
func (t *tensor) gather(dst []float32, read func(into []float32, from int64) error) error {
	last := t.offset
	for i, d := range t.shape {
		last += int64(d-1) * int64(t.stride[i])
	}
	all := make([]float32, last-t.offset+1)
	if err := read(all, t.offset); err != nil {
		return err
	}
	index := make([]int, len(t.shape))
	at := 0
	for i := range dst {
		dst[i] = all[at]
		for axis := len(index) - 1; axis >= 0; axis-- {
			at += t.stride[axis]
			if index[axis]++; index[axis] < t.shape[axis] {
				break
			}
			at -= index[axis] * t.stride[axis]
			index[axis] = 0
		}
	}
	return nil
}

// converters turn the little-endian bytes of a float type into float32.
var converters = map[safetensors.DType]func(dst []float32, src []byte){
	safetensors.F32: func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = math.Float32frombits(binary.LittleEndian.Uint32(src[4*i:]))
		}
	},
	safetensors.F64: func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(src[8*i:])))
		}
	},
	safetensors.F16: func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = safetensors.FromF16(binary.LittleEndian.Uint16(src[2*i:]))
		}
	},
	safetensors.BF16: func(dst []float32, src []byte) {
		for i := range dst {
			dst[i] = safetensors.FromBF16(binary.LittleEndian.Uint16(src[2*i:]))
		}
	},
}
