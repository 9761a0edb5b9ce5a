package token

import (
	"encoding/binary"
	"fmt"
)

// The part of the protocol buffer wire format that spm.model needs: varints, 32- and 64-bit values and byte
// strings.

const (
	wireVarint = 0
	wire64     = 1
	wireBytes  = 2
	wire32     = 5
)

// field is one field of a message: its number, its wire type, and its value in v (numbers) or b (bytes).
type field struct {
	number, kind int
	v            uint64
	b            []byte
}

// message reads the fields of a message one by one. at is the message's offset in the file, for errors.
type message struct {
	b    []byte
	at   int
	name string
}

func (m *message) errorf(format string, args ...any) error {
	return fmt.Errorf("spm.model, byte %d, %s: %s", m.at, m.name, fmt.Sprintf(format, args...))
}

func (m *message) varint() (uint64, error) {
	v, n := binary.Uvarint(m.b)
	if n <= 0 {
		return 0, m.errorf("a number that does not end")
	}
	m.b, m.at = m.b[n:], m.at+n
	return v, nil
}

func (m *message) take(n uint64) ([]byte, error) {
	if n > uint64(len(m.b)) {
		return nil, m.errorf("a field of %d bytes, but only %d are left (is the file cut short?)", n, len(m.b))
	}
	b := m.b[:n]
	m.b, m.at = m.b[n:], m.at+int(n)
	return b, nil
}

// next reads a field; ok is false at the end of the message.
func (m *message) next() (f field, ok bool, err error) {
	if len(m.b) == 0 {
		return f, false, nil
	}
	tag, err := m.varint()
	if err != nil {
		return f, false, err
	}
	if tag>>3 == 0 || tag>>3 > 1<<29-1 {
		return f, false, m.errorf("field number %d (is this a SentencePiece model?)", tag>>3)
	}
	f.number, f.kind = int(tag>>3), int(tag&7)
	switch f.kind {
	case wireVarint:
		f.v, err = m.varint()
	case wire64:
		if f.b, err = m.take(8); err == nil {
			f.v = binary.LittleEndian.Uint64(f.b)
		}
	case wire32:
		if f.b, err = m.take(4); err == nil {
			f.v = uint64(binary.LittleEndian.Uint32(f.b))
		}
	case wireBytes:
		var n uint64
		if n, err = m.varint(); err == nil {
			f.b, err = m.take(n)
		}
	default:
		err = m.errorf("field %d has wire type %d (known: 0, 1, 2, 5; is this a SentencePiece model?)", f.number, f.kind)
	}
	return f, err == nil, err
}

// want checks the wire type of a known field.
func (m *message) want(f field, kind int) error {
	if f.kind != kind {
		return m.errorf("field %d has wire type %d, want %d", f.number, f.kind, kind)
	}
	return nil
}

// sub returns the message inside a field of type bytes that next has just read.
func (m *message) sub(f field, name string) *message {
	return &message{b: f.b, at: m.at - len(f.b), name: name}
}
