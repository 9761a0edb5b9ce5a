package parquetfile

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Limits of a footer.
const (
	maxFooter = 256 << 20 // bytes; the footers of files with 100,000 row groups are smaller
	maxDepth  = 32        // depth of values inside values; Parquet uses 8 levels
)

// checkFooter reads the description at the end of a file of the given size and checks every length in it against the bytes that are there. This check
// is needed because the decoder of the Parquet package allocates a list before it reads it, however long the list claims to be.
func checkFooter(r io.ReaderAt, size int64) error {
	const ends = 4 + 8 // bytes of the mark at the beginning, and of the length and the mark at the end
	if size < ends {
		return fmt.Errorf("it has %d bytes: it is not a Parquet file", size)
	}
	var tail [8]byte
	if _, err := r.ReadAt(tail[:], size-8); err != nil {
		return err
	}
	n := int64(binary.LittleEndian.Uint32(tail[:4]))
	switch {
	case string(tail[4:]) != "PAR1":
		return errors.New("it is not a Parquet file, or it is encrypted: its last 4 bytes are not PAR1")
	case n > size-ends:
		return fmt.Errorf("it is not a Parquet file, or is damaged: its description would be %d bytes of %d", n, size)
	case n > maxFooter:
		return fmt.Errorf("its description has %d bytes, at most %d are read", n, maxFooter)
	}
	text := make([]byte, n)
	if _, err := r.ReadAt(text, size-8-n); err != nil {
		return err
	}
	w := walker{text: text}
	if err := w.structure(0); err != nil {
		return fmt.Errorf("the description of the file is damaged: %w", err)
	}
	return nil
}

// The types of values in Thrift's compact protocol (Apache Thrift, doc/specs/thrift-compact-protocol.md).
const (
	typeTrue   = 1
	typeFalse  = 2
	typeByte   = 3
	typeI16    = 4
	typeI32    = 5
	typeI64    = 6
	typeDouble = 7
	typeBinary = 8
	typeList   = 9
	typeSet    = 10
	typeMap    = 11
	typeStruct = 12
	typeUUID   = 13
)

// walker reads over values in Thrift's compact protocol without storing them.
type walker struct {
	text []byte
	at   int
}

var errShort = errors.New("it ends inside a value")

// skip skips n bytes.
func (w *walker) skip(n uint64) error {
	if n > uint64(len(w.text)-w.at) {
		return errShort
	}
	w.at += int(n)
	return nil
}

func (w *walker) byte() (byte, error) {
	if w.at == len(w.text) {
		return 0, errShort
	}
	w.at++
	return w.text[w.at-1], nil
}

func (w *walker) varint() (uint64, error) {
	v, n := binary.Uvarint(w.text[w.at:])
	if n <= 0 {
		return 0, errShort
	}
	w.at += n
	return v, nil
}

// structure skips the fields of a structure up to its end.
func (w *walker) structure(depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("values inside values are more than %d deep", maxDepth)
	}
	for {
		head, err := w.byte()
		if err != nil || head == 0 {
			return err
		}
		if head>>4 == 0 { // the field's number follows, instead of a difference from the last one
			if _, err := w.varint(); err != nil {
				return err
			}
		}
		if kind := head & 15; kind != typeTrue && kind != typeFalse { // as the type of a field, these two hold the value themselves
			if err := w.value(kind, depth+1); err != nil {
				return err
			}
		}
	}
}

// value skips a value of a type.
func (w *walker) value(kind byte, depth int) error {
	switch kind {
	case typeTrue, typeFalse, typeByte:
		return w.skip(1)
	case typeI16, typeI32, typeI64:
		_, err := w.varint()
		return err
	case typeDouble:
		return w.skip(8)
	case typeUUID:
		return w.skip(16)
	case typeBinary:
		n, err := w.varint()
		if err != nil {
			return err
		}
		return w.skip(n)
	case typeList, typeSet:
		head, err := w.byte()
		if err != nil {
			return err
		}
		n := uint64(head >> 4)
		if n == 15 {
			if n, err = w.varint(); err != nil {
				return err
			}
		}
		return w.values(n, depth, head&15)
	case typeMap:
		n, err := w.varint()
		if err != nil || n == 0 {
			return err
		}
		kinds, err := w.byte()
		if err != nil {
			return err
		}
		return w.values(n, depth, kinds>>4, kinds&15)
	case typeStruct:
		return w.structure(depth)
	}
	return fmt.Errorf("there is no type %d", kind)
}

// values skips n groups of values, with one value of each kind per group. A value has at least one byte.
func (w *walker) values(n uint64, depth int, kinds ...byte) error {
	if depth > maxDepth {
		return fmt.Errorf("values inside values are more than %d deep", maxDepth)
	}
	if left := uint64(len(w.text) - w.at); n > left {
		return fmt.Errorf("a list of %d elements has %d bytes", n, left)
	}
	for range n {
		for _, kind := range kinds {
			if err := w.value(kind, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
