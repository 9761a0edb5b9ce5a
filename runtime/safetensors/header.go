package safetensors

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"unicode/utf8"
)

// MaxHeader is the longest header accepted, in bytes: the limit of the format's own library. A longer one means a
// damaged length field.
const MaxHeader = 100_000_000

const metadataKey = "__metadata__"

// Info describes a tensor: its type, its shape and where its bytes lie.
type Info struct {
	Name  string
	DType DType
	Shape []int // empty for a scalar
	// Offset is in bytes from the start of the file's data, Size in bytes.
	Offset, Size int64
}

// Elements returns the product of the shape, 1 for a scalar.
func (i Info) Elements() int {
	n := 1
	for _, d := range i.Shape {
		n *= d
	}
	return n
}

// header is a parsed header. Its tensors are sorted by offset.
type header struct {
	tensors  []Info
	metadata map[string]string
	data     int64 // offset of the data in the file
}

// parseHeader reads the header at the start of a file. data is the content of the file, or at least its length prefix
// and header; size is the size of the file.
func parseHeader(file string, data []byte, size int64) (*header, error) {
	n, err := headerLength(file, data, size)
	if err != nil {
		return nil, err
	}
	if int64(len(data)) < 8+n {
		return nil, fault(file, "", "truncated: only %d of %d header bytes are there", len(data)-8, n)
	}
	p := &parser{file: file, text: data[8 : 8+n]}
	h, err := p.header()
	if err != nil {
		return nil, err
	}
	h.data = 8 + n
	return h, h.check(file, size-h.data)
}

// lfsPointer is the beginning of the small file that replaces a large one in a repository that was cloned without Git
// LFS.
const lfsPointer = "version https://git-lfs.github.com/spec/"

// headerLength reads and checks the length prefix.
func headerLength(file string, data []byte, size int64) (int64, error) {
	if bytes.HasPrefix(data, []byte(lfsPointer)) {
		return 0, fault(file, "", "this is a pointer of Git LFS, not the file itself: run git lfs pull in its repository, or download the file")
	}
	if size < 8 || len(data) < 8 {
		return 0, fault(file, "", "truncated: %d bytes, no room for the 8-byte header length", size)
	}
	n := binary.LittleEndian.Uint64(data)
	switch {
	case n > MaxHeader:
		return 0, fault(file, "", "the header length field is %d bytes, the limit is %d: not a safetensors file, or damaged", n, MaxHeader)
	case int64(n) > size-8:
		return 0, fault(file, "", "truncated: the header takes %d bytes, the file has %d after the length field", n, size-8)
	case n < 2:
		return 0, fault(file, "", "the header length field is %d bytes, the shortest header has 2", n)
	}
	return int64(n), nil
}

// check compares the tensors with the data, which are total bytes: each tensor must begin where the one before ends,
// and the last must end at the end of the file.
func (h *header) check(file string, total int64) error {
	slices.SortStableFunc(h.tensors, func(a, b Info) int {
		switch {
		case a.Offset != b.Offset:
			return cmpInt64(a.Offset, b.Offset)
		default:
			return cmpInt64(a.Size, b.Size)
		}
	})
	end, last := int64(0), ""
	for _, t := range h.tensors {
		switch {
		case t.Offset < end:
			return fault(file, t.Name, "its data begin at %d and overlap those of %q, which end at %d", t.Offset, last, end)
		case t.Offset > end:
			return fault(file, t.Name, "its data begin at %d, but the tensor before it ends at %d: a hole of %d bytes", t.Offset, end, t.Offset-end)
		case t.Size > total-t.Offset:
			return fault(file, t.Name, "truncated: its data end at %d, the file has %d data bytes", t.Offset+t.Size, total)
		}
		end, last = t.Offset+t.Size, t.Name
	}
	if end != total {
		return fault(file, "", "%d bytes after the last tensor's data", total-end)
	}
	return nil
}

func cmpInt64(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// parser reads a header token by token, because the structs of encoding/json would accept duplicate keys, unknown
// fields and fractional numbers.
type parser struct {
	file string
	text []byte
	dec  *json.Decoder
}

func (p *parser) header() (*header, error) {
	if p.text[0] != '{' {
		return nil, fault(p.file, "", "the header is not a JSON object: it begins with %q", p.text[0])
	}
	if !utf8.Valid(p.text) {
		return nil, fault(p.file, "", "the header is not valid UTF-8")
	}
	p.dec = json.NewDecoder(bytes.NewReader(p.text))
	p.dec.UseNumber()
	h := &header{}
	seen := map[string]bool{}
	err := p.object("", func(key string) error {
		if seen[key] {
			return fault(p.file, key, "the header lists it twice")
		}
		seen[key] = true
		if key == metadataKey {
			return p.metadata(h)
		}
		t, err := p.tensor(key)
		h.tensors = append(h.tensors, t)
		return err
	})
	if err != nil {
		return nil, err
	}
	if rest := bytes.Trim(p.text[p.dec.InputOffset():], " "); len(rest) > 0 {
		return nil, fault(p.file, "", "the header's JSON object is followed by %.20q, only spaces may follow", rest)
	}
	return h, nil
}

// token reads one token and reports broken JSON with its position.
func (p *parser) token(tensor string) (json.Token, error) {
	t, err := p.dec.Token()
	if err == nil {
		return t, nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, fault(p.file, tensor, "the header's JSON ends too early")
	}
	f := fault(p.file, tensor, "the header is not valid JSON (near byte %d)", 8+p.dec.InputOffset())
	f.Err = err
	return nil, f
}

// object reads { "key": value … }; field must consume the value.
func (p *parser) object(tensor string, field func(key string) error) error {
	t, err := p.token(tensor)
	if err != nil {
		return err
	}
	if t != json.Delim('{') {
		return fault(p.file, tensor, "expected a JSON object, found %s", describe(t))
	}
	for {
		t, err := p.token(tensor)
		if err != nil {
			return err
		}
		key, ok := t.(string)
		if !ok {
			return nil // the closing brace: the decoder allows nothing else here
		}
		if err := field(key); err != nil {
			return err
		}
	}
}

func (p *parser) metadata(h *header) error {
	h.metadata = map[string]string{}
	return p.object(metadataKey, func(key string) error {
		if _, twice := h.metadata[key]; twice {
			return fault(p.file, metadataKey, "the key %q occurs twice", key)
		}
		t, err := p.token(metadataKey)
		if err != nil {
			return err
		}
		s, ok := t.(string)
		if !ok {
			return fault(p.file, metadataKey, "the value of %q must be a string, it is %s", key, describe(t))
		}
		h.metadata[key] = s
		return nil
	})
}

func (p *parser) tensor(name string) (Info, error) {
	info := Info{Name: name}
	var offsets []int64
	have := map[string]bool{}
	err := p.object(name, func(key string) error {
		if have[key] {
			return fault(p.file, name, "the field %q occurs twice", key)
		}
		have[key] = true
		switch key {
		case "dtype":
			t, err := p.token(name)
			if err != nil {
				return err
			}
			s, ok := t.(string)
			if !ok {
				return fault(p.file, name, "dtype must be a string, it is %s", describe(t))
			}
			if info.DType, ok = ParseDType(s); !ok {
				return fault(p.file, name, "unknown dtype %q (known: F64 F32 F16 BF16 I64 I32 U8 I8 BOOL)", s)
			}
			return nil
		case "shape":
			dims, err := p.numbers(name, key)
			info.Shape = make([]int, len(dims))
			for i, d := range dims {
				if d > math.MaxInt {
					return fault(p.file, name, "dimension %d does not fit this machine's integers", d)
				}
				info.Shape[i] = int(d)
			}
			return err
		case "data_offsets":
			var err error
			offsets, err = p.numbers(name, key)
			return err
		}
		return fault(p.file, name, "unknown field %q (known: dtype, shape, data_offsets)", key)
	})
	if err != nil {
		return info, err
	}
	for _, f := range []string{"dtype", "shape", "data_offsets"} {
		if !have[f] {
			return info, fault(p.file, name, "the field %q is missing", f)
		}
	}
	return info, p.place(&info, offsets)
}

// place checks the offsets of a tensor against its shape.
func (p *parser) place(info *Info, offsets []int64) error {
	if len(offsets) != 2 {
		return fault(p.file, info.Name, "data_offsets has %d numbers, it needs 2", len(offsets))
	}
	if offsets[0] > offsets[1] {
		return fault(p.file, info.Name, "data_offsets are out of order: [%d, %d]", offsets[0], offsets[1])
	}
	want, ok := sizeOf(info.DType, info.Shape)
	if !ok {
		return fault(p.file, info.Name, "the size of shape %v overflows", info.Shape)
	}
	info.Offset, info.Size = offsets[0], offsets[1]-offsets[0]
	if info.Size != want {
		return fault(p.file, info.Name, "%s of shape %v takes %d bytes, data_offsets [%d, %d] give it %d",
			info.DType, info.Shape, want, offsets[0], offsets[1], info.Size)
	}
	return nil
}

// sizeOf returns the size in bytes of a tensor; ok is false if it overflows.
func sizeOf(t DType, shape []int) (int64, bool) {
	n := uint64(t.Size())
	for _, d := range shape {
		hi, lo := bits.Mul64(n, uint64(d))
		if d < 0 || hi != 0 || lo > math.MaxInt {
			return 0, false
		}
		n = lo
	}
	return int64(n), true
}

// numbers reads an array of non-negative integers.
func (p *parser) numbers(tensor, field string) ([]int64, error) {
	t, err := p.token(tensor)
	if err != nil {
		return nil, err
	}
	if t != json.Delim('[') {
		return nil, fault(p.file, tensor, "%s must be an array of integers, it is %s", field, describe(t))
	}
	var list []int64
	for {
		t, err := p.token(tensor)
		if err != nil {
			return nil, err
		}
		if t == json.Delim(']') {
			return list, nil
		}
		n, ok := t.(json.Number)
		if !ok {
			return nil, fault(p.file, tensor, "%s must hold integers, it holds %s", field, describe(t))
		}
		v, err := strconv.ParseInt(string(n), 10, 64)
		if err != nil || v < 0 || n[0] == '-' {
			return nil, fault(p.file, tensor, "%s holds %s: it must be an integer from 0 to 2⁶³−1", field, n)
		}
		list = append(list, v)
	}
}

// describe returns the name of a JSON token for an error.
func describe(t json.Token) string {
	switch v := t.(type) {
	case json.Delim:
		if v == '{' {
			return "an object"
		}
		return "an array"
	case string:
		return strconv.Quote(v)
	case json.Number:
		return "the number " + string(v)
	case bool:
		return strconv.FormatBool(v)
	}
	return "null"
}
