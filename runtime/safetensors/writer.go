package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"io"
	"maps"
	"math"
	"slices"
	"unicode/utf8"
	"unsafe"
)

// Alignment is the boundary, in bytes, at which the data start in written files, and every tensor
// whose size is a multiple of it. See the package comment.
const Alignment = 64

// Tensor declares a tensor to be written.
type Tensor struct {
	Name  string
	DType DType
	Shape []int
}

// Header lays out tensors and encodes length prefix and header; len(header) is a multiple of
// Alignment. The infos are in the order in which the data must follow. The result depends only on
// the arguments.
func Header(metadata map[string]string, tensors []Tensor) (header []byte, placed []Info, err error) {
	seen := map[string]bool{metadataKey: true}
	for _, t := range tensors {
		size, ok := sizeOf(t.DType, t.Shape)
		switch {
		case t.DType.Size() == 0:
			return nil, nil, fault("", t.Name, "unknown dtype %d", t.DType)
		case !ok:
			return nil, nil, fault("", t.Name, "the size of shape %v overflows or is negative", t.Shape)
		case seen[t.Name]:
			return nil, nil, fault("", t.Name, "declared twice, or a reserved name")
		case !utf8.ValidString(t.Name):
			return nil, nil, fault("", t.Name, "its name is not valid UTF-8")
		}
		seen[t.Name] = true
		placed = append(placed, Info{Name: t.Name, DType: t.DType, Shape: slices.Clone(t.Shape), Size: size})
	}
	slices.SortStableFunc(placed, func(a, b Info) int { return rank(a) - rank(b) })
	end := int64(0)
	for i := range placed {
		if placed[i].Size > math.MaxInt64-end {
			return nil, nil, fault("", placed[i].Name, "the sizes add up to more than 2⁶³ bytes")
		}
		placed[i].Offset = end
		end += placed[i].Size
	}
	header, err = encode(metadata, placed)
	return header, placed, err
}

// rank orders tensors: those whose size is a multiple of Alignment first, then the others by
// falling element size.
func rank(i Info) int {
	if i.Size%Alignment == 0 {
		return 0
	}
	return 16 - i.DType.Size()
}

func encode(metadata map[string]string, placed []Info) ([]byte, error) {
	b := make([]byte, 8, 8+128*(len(placed)+1))
	b = append(b, '{')
	if len(metadata) > 0 {
		b = append(b, `"`+metadataKey+`":{`...)
		for i, k := range slices.Sorted(maps.Keys(metadata)) {
			if !utf8.ValidString(k) || !utf8.ValidString(metadata[k]) {
				return nil, fault("", metadataKey, "the entry %q is not valid UTF-8", k)
			}
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, quote(k)...), ':'), quote(metadata[k])...)
		}
		b = append(b, '}')
	}
	for i, t := range placed {
		if i > 0 || len(metadata) > 0 {
			b = append(b, ',')
		}
		b = append(append(b, quote(t.Name)...), `:{"dtype":"`...)
		b = append(append(b, t.DType.String()...), `","shape":`...)
		b = appendInts(b, t.Shape...)
		b = append(b, `,"data_offsets":`...)
		b = appendInts(b, t.Offset, t.Offset+t.Size)
		b = append(b, '}')
	}
	b = append(b, '}')
	for len(b)%Alignment != 0 {
		b = append(b, ' ')
	}
	if len(b)-8 > MaxHeader {
		return nil, fault("", "", "the header takes %d bytes, the limit is %d", len(b)-8, MaxHeader)
	}
	binary.LittleEndian.PutUint64(b, uint64(len(b)-8))
	return b, nil
}

// quote encodes a JSON string without escapes for HTML.
func quote(s string) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // encoding a string into memory cannot fail
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

func appendInts[T int | int64](b []byte, list ...T) []byte {
	text, _ := json.Marshal(append([]T{}, list...)) // integers cannot fail
	return append(b, text...)
}

// Writer streams a file. The tensors must be written in the order of Order.
type Writer struct {
	w      io.Writer
	placed []Info
	next   int   // index of the tensor that is being written
	done   int64 // bytes of this tensor that are written
	err    error
}

// NewWriter writes the header of a file with these tensors to w. Names, types, shapes and metadata
// determine the header.
func NewWriter(w io.Writer, metadata map[string]string, tensors []Tensor) (*Writer, error) {
	header, placed, err := Header(metadata, tensors)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(header); err != nil {
		return nil, err
	}
	return &Writer{w: w, placed: placed}, nil
}

// Order returns the names in the order in which their data must be written.
func (w *Writer) Order() []string {
	var names []string
	for _, t := range w.placed {
		names = append(names, t.Name)
	}
	return names
}

// Write adds bytes (little-endian) to the named tensor, which must be the next in Order that is not
// complete. A tensor may come in any number of pieces; too many bytes are an error. After an error
// all further writes fail.
func (w *Writer) Write(name string, p []byte) error {
	if w.err != nil {
		return w.err
	}
	// Empty tensors need no call, so skip complete ones.
	for w.next < len(w.placed) && w.placed[w.next].Name != name && w.done == w.placed[w.next].Size {
		w.next, w.done = w.next+1, 0
	}
	switch {
	case w.next == len(w.placed):
		w.err = fault("", name, "all declared tensors are written already")
	case w.placed[w.next].Name != name:
		w.err = fault("", name, "the next tensor is %q, of which %d of %d bytes are written", w.placed[w.next].Name, w.done, w.placed[w.next].Size)
	case int64(len(p)) > w.placed[w.next].Size-w.done:
		w.err = fault("", name, "%d bytes are too many: %d of %d are written", len(p), w.done, w.placed[w.next].Size)
	default:
		_, w.err = w.w.Write(p)
		w.done += int64(len(p))
	}
	return w.err
}

// WriteFloats is Write for the elements of an F32 tensor.
func (w *Writer) WriteFloats(name string, v []float32) error {
	return w.Write(name, FloatBytes(v))
}

// Close checks that every tensor is complete. It does not close the underlying writer.
func (w *Writer) Close() error {
	if w.err != nil {
		return w.err
	}
	for ; w.next < len(w.placed); w.next, w.done = w.next+1, 0 {
		if t := w.placed[w.next]; w.done != t.Size {
			w.err = fault("", t.Name, "only %d of %d bytes were written", w.done, t.Size)
			return w.err
		}
	}
	return nil
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// FloatBytes returns the little-endian bytes of v: v's own memory if the machine is little-endian,
// else a copy.
func FloatBytes(v []float32) []byte {
	if len(v) == 0 {
		return nil
	}
	if littleEndian {
		return unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), 4*len(v))
	}
	b := make([]byte, 4*len(v))
	for i, f := range v {
		binary.LittleEndian.PutUint32(b[4*i:], math.Float32bits(f))
	}
	return b
}
