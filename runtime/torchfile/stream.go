package torchfile

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/debertac/debertac/runtime/safetensors"
)

// streamMagic is the beginning of a file of torch before 1.6: a pickle of the number 0x1950a86a20f9469cfc6c.
var streamMagic = []byte("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.")

// streamVersion is the only version of such files.
const streamVersion = 1001

// stream is the older container. Four more pickles follow the magic number: the version, the machine that wrote the file, the dictionary, and the list of the
// storages' keys. Then the storages follow in that order, each after the number of its elements.
type stream struct {
	file   io.ReaderAt
	places map[string]int64
}

func (s *stream) at(st *storage) (io.ReaderAt, int64, error) { return s.file, s.places[st.key], nil }

// readStream reads the pickles from the start of the file. It reads more of the file until it has all of them.
func (p *part) readStream(r io.ReaderAt, size int64) (any, error) {
	for n := min(size, 1<<20); ; n = min(size, maxPickle) {
		head := make([]byte, n)
		if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
			return nil, err
		}
		top, err := p.parseStream(head, r, size)
		var op *opFault
		if errors.As(err, &op) && op.short && n < min(size, maxPickle) {
			continue
		}
		if errors.As(err, &op) {
			err = &safetensors.Error{File: p.name, Reason: "it cannot be read", Err: err}
		}
		return top, err
	}
}

func (p *part) parseStream(head []byte, r io.ReaderAt, size int64) (any, error) {
	table := &storageTable{file: p.name, known: map[string]*storage{}}
	at := len(streamMagic)
	next := func(person func(any) (any, error)) (any, error) {
		v, n, err := unpickle(head[at:], person)
		var op *opFault
		if errors.As(err, &op) {
			op.offset += at
		}
		at += n
		return v, err
	}
	version, err := next(nil)
	if err != nil {
		return nil, err
	}
	if version != int64(streamVersion) {
		return nil, fault(p.name, "", "its version is %v, only %d is known", shown(version), streamVersion)
	}
	system, err := next(nil)
	if err != nil {
		return nil, err
	}
	if !littleEndian(system) {
		return nil, fault(p.name, "", "it does not declare that its numbers are little-endian; other byte orders are not read")
	}
	top, err := next(table.person(6))
	if err != nil {
		return nil, err
	}
	keys, err := next(nil)
	if err != nil {
		return nil, err
	}
	return top, p.places(keys, table.known, r, int64(at), size)
}

// littleEndian reads the byte order from the description of the machine.
func littleEndian(system any) bool {
	d, ok := system.(*dict)
	if !ok {
		return false
	}
	for i, k := range d.keys {
		if k == "little_endian" {
			return d.values[i] == true
		}
	}
	return false
}

// places finds the storages, which follow the pickles.
func (p *part) places(keys any, known map[string]*storage, r io.ReaderAt, at, size int64) error {
	l, ok := keys.(*list)
	if !ok {
		return fault(p.name, "", "its list of storages is %s", kind(keys))
	}
	s := &stream{r, map[string]int64{}}
	p.data = s
	for _, k := range l.items {
		key, ok := k.(string)
		if !ok {
			return fault(p.name, "", "its list of storages has %s for a key", kind(k))
		}
		st := known[key]
		if st == nil {
			return fault(p.name, "", "it lists the storage %s, which its pickle does not read", key)
		}
		if _, twice := s.places[key]; twice {
			return fault(p.name, "", "it lists the storage %s twice", key)
		}
		var count [8]byte
		if _, err := r.ReadAt(count[:], at); err != nil {
			return &safetensors.Error{File: p.name, Reason: "the file ends before storage " + key, Err: err}
		}
		if n := int64(binary.LittleEndian.Uint64(count[:])); n != st.count {
			return fault(p.name, "", "storage %s has %d elements, its pickle declares %d", key, n, st.count)
		}
		s.places[key] = at + 8
		if at += 8 + st.count*int64(st.dtype.Size()); at > size {
			return fault(p.name, "", "the file ends within storage %s", key)
		}
	}
	for key := range known {
		if _, ok := s.places[key]; !ok {
			return fault(p.name, "", "it lacks the storage %s", key)
		}
	}
	if at != size {
		return fault(p.name, "", "%d bytes follow its last storage", size-at)
	}
	return nil
}
