package tfevents

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// A record is its length (8 bytes), the checksum of these 8 bytes (4), the data, and the checksum of the data (4), all little-endian.
const (
	headSize = 12
	footSize = 4
)

// longest bounds the data of a record that is read, in bytes. A run writes some hundred bytes per record.
const longest = 64 << 20

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked returns the checksum that records have: CRC-32C, turned and moved, because a checksum of data with checksums in it would be weak
// (tensorflow/core/lib/hash/crc32c.h).
func masked(data []byte) uint32 {
	c := crc32.Checksum(data, castagnoli)
	return (c>>15 | c<<17) + 0xa282ead8
}

// appendRecord appends a record.
func appendRecord(b, data []byte) []byte {
	start := len(b)
	b = binary.LittleEndian.AppendUint64(b, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, masked(b[start:]))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, masked(data))
}

// errCut reports that the file ends within a record.
var errCut = errors.New("the file ends within a record")

// reader reads the records of a file.
type reader struct {
	r    *bufio.Reader
	at   int64 // the place after the last record
	size int64 // of the file
}

func newReader(r io.Reader, size int64) *reader {
	return &reader{r: bufio.NewReaderSize(r, 1<<16), size: size}
}

// event is what a run that goes on reads of an event.
type event struct {
	version string
	step    int64
}

// next reads a record. At the end it returns io.EOF, and errCut if the last record is not whole or if only zeros follow, which a power failure can leave.
func (r *reader) next() (*event, error) {
	head := make([]byte, headSize)
	if n, err := io.ReadFull(r.r, head); err != nil {
		if n > 0 && errors.Is(err, io.ErrUnexpectedEOF) {
			return nil, errCut
		}
		return nil, err
	}
	size := binary.LittleEndian.Uint64(head)
	if masked(head[:8]) != binary.LittleEndian.Uint32(head[8:]) {
		switch zeros, err := r.zeros(head); {
		case err != nil:
			return nil, err
		case zeros:
			return nil, errCut
		}
		return nil, fmt.Errorf("the length of the record at byte %d does not have its checksum: the file is damaged, or no event file", r.at)
	}
	if size > longest {
		return nil, fmt.Errorf("the record at byte %d has %d bytes, and the limit is %d MiB", r.at, size, longest>>20)
	}
	if int64(size) > r.size-r.at-headSize-footSize {
		return nil, errCut
	}
	data := make([]byte, size+footSize)
	if _, err := io.ReadFull(r.r, data); err != nil {
		return nil, err
	}
	if masked(data[:size]) != binary.LittleEndian.Uint32(data[size:]) {
		if r.at+int64(headSize+len(data)) == r.size {
			return nil, errCut // its pages did not reach the disk
		}
		return nil, fmt.Errorf("the record at byte %d does not have its checksum: the file is damaged", r.at)
	}
	e, err := decode(data[:size])
	if err != nil {
		return nil, fmt.Errorf("the record at byte %d is not an event: %w", r.at, err)
	}
	r.at += int64(headSize + len(data))
	return e, nil
}

// zeros reports whether the head and all that follows it are zeros.
func (r *reader) zeros(head []byte) (bool, error) {
	for _, c := range head {
		if c != 0 {
			return false, nil
		}
	}
	for {
		switch c, err := r.r.ReadByte(); {
		case errors.Is(err, io.EOF):
			return true, nil
		case err != nil:
			return false, err
		case c != 0:
			return false, nil
		}
	}
}

var errField = errors.New("a field of its message is not whole")

// decode reads the step and the version of an event.
func decode(b []byte) (*event, error) {
	e := &event{}
	for len(b) > 0 {
		field, n := binary.Uvarint(b)
		if n <= 0 {
			return nil, errField
		}
		b = b[n:]
		var value uint64
		size := 0
		switch field & 7 {
		case varint:
			if value, n = binary.Uvarint(b); n <= 0 {
				return nil, errField
			}
			size = n
		case bytes:
			length, n := binary.Uvarint(b)
			if n <= 0 || length > uint64(len(b)-n) {
				return nil, errField
			}
			b, size = b[n:], int(length)
		case fixed64:
			size = 8
		case fixed32:
			size = 4
		default:
			return nil, fmt.Errorf("a field has the wire type %d", field&7)
		}
		if size > len(b) {
			return nil, errField
		}
		switch field {
		case eventStep:
			e.step = int64(value)
		case eventVersion:
			e.version = string(b[:size])
		}
		b = b[size:]
	}
	return e, nil
}
