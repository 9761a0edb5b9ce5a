package torchfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"
)

// These are limits on what a file may ask of the machine. A model of 100 layers needs a tenth of the first three.
const (
	maxPickle = 64 << 20 // bytes of one pickle
	maxStack  = 1 << 20  // values on the stack
	maxMemo   = 1 << 22  // values in the memo
	maxMarks  = 1 << 10  // marks within marks
	maxText   = 1 << 16  // bytes of a string
	maxRank   = 16       // number of extents of a tensor
)

// machine runs one pickle. Besides the instruction that makes it, every value takes a constant amount of memory. So a file cannot ask for more memory than a
// multiple of its own length.
type machine struct {
	code   []byte
	at     int // offset of the next byte
	start  int // offset of the running instruction
	stack  []any
	marks  int
	memo   map[uint32]any
	person func(id any) (any, error) // returns the value of a persistent id; nil: the pickle may not have any
}

// opFault is an error of an instruction; its offset counts from the start of the pickle.
type opFault struct {
	offset int
	reason string
	short  bool // the bytes that were passed to unpickle ended
}

func (e *opFault) Error() string {
	return fmt.Sprintf("offset %d of its pickle: %s", e.offset, e.reason)
}

func (m *machine) fault(format string, args ...any) error {
	return &opFault{offset: m.start, reason: fmt.Sprintf(format, args...)}
}

// unpickle runs a pickle to its end. It returns the pickle's value and length.
func unpickle(code []byte, person func(id any) (any, error)) (value any, length int, err error) {
	m := &machine{code: code, memo: map[uint32]any{}, person: person}
	for {
		m.start = m.at
		op, err := m.byte()
		if err != nil {
			return nil, 0, err
		}
		if op == '.' {
			v, err := m.pop()
			if err == nil && len(m.stack) != 0 {
				err = m.fault("%d values are left on the stack at the end", len(m.stack))
			}
			return v, m.at, err
		}
		if err := m.step(op); err != nil {
			return nil, 0, err
		}
		if len(m.stack) > maxStack {
			return nil, 0, m.fault("more than %d values on the stack", maxStack)
		}
	}
}

func (m *machine) bytes(n int) ([]byte, error) {
	if n > len(m.code)-m.at {
		return nil, &opFault{m.start, "the pickle ends within an instruction or before its end", true}
	}
	b := m.code[m.at : m.at+n]
	m.at += n
	return b, nil
}

func (m *machine) byte() (byte, error) {
	b, err := m.bytes(1)
	if err != nil {
		return 0, err
	}
	return b[0], nil
}

// number reads an unsigned little-endian number of n bytes, at most 4.
func (m *machine) number(n int) (uint32, error) {
	b, err := m.bytes(n)
	if err != nil {
		return 0, err
	}
	var full [4]byte
	copy(full[:], b)
	return binary.LittleEndian.Uint32(full[:]), nil
}

// text reads n bytes of UTF-8.
func (m *machine) text(n int) (string, error) {
	if n > maxText {
		return "", m.fault("a text of %d bytes, more than %d", n, maxText)
	}
	b, err := m.bytes(n)
	if err != nil {
		return "", err
	}
	if !utf8.Valid(b) {
		return "", m.fault("a text that is not valid UTF-8")
	}
	return string(b), nil
}

// line reads up to the next line feed, which it leaves out.
func (m *machine) line() (string, error) {
	n := bytes.IndexByte(m.code[m.at:min(len(m.code), m.at+maxText)], '\n')
	if n < 0 {
		return "", &opFault{m.start, "a name without an end", len(m.code)-m.at < maxText}
	}
	s, err := m.text(n)
	m.at++
	return s, err
}

func (m *machine) push(v any) { m.stack = append(m.stack, v) }

func (m *machine) pop() (any, error) {
	if len(m.stack) == 0 {
		return nil, m.fault("the instruction finds no value on the stack")
	}
	v := m.stack[len(m.stack)-1]
	m.stack[len(m.stack)-1] = nil
	m.stack = m.stack[:len(m.stack)-1]
	if _, ok := v.(marker); ok {
		return nil, m.fault("the instruction finds a mark instead of a value")
	}
	return v, nil
}

// popTo pops the values above the topmost mark, and the mark.
func (m *machine) popTo() ([]any, error) {
	for i := len(m.stack) - 1; i >= 0; i-- {
		if _, ok := m.stack[i].(marker); ok {
			values := append([]any(nil), m.stack[i+1:]...)
			clear(m.stack[i:])
			m.stack = m.stack[:i]
			m.marks--
			return values, nil
		}
	}
	return nil, m.fault("the instruction finds no mark on the stack")
}

// popTuple replaces the topmost n values with a tuple of them.
func (m *machine) popTuple(n int) error {
	t := make(tuple, n)
	for i := n - 1; i >= 0; i-- {
		var err error
		if t[i], err = m.pop(); err != nil {
			return err
		}
	}
	m.push(t)
	return nil
}

// top returns the topmost value and leaves it on the stack.
func (m *machine) top() (any, error) {
	v, err := m.pop()
	if err == nil {
		m.push(v)
	}
	return v, err
}

// remember stores the topmost value in the memo under a number.
func (m *machine) remember(key uint32) error {
	v, err := m.top()
	if err != nil {
		return err
	}
	if _, ok := m.memo[key]; !ok && len(m.memo) >= maxMemo {
		return m.fault("more than %d values to remember", maxMemo)
	}
	m.memo[key] = v
	return nil
}

func (m *machine) recall(key uint32) error {
	v, ok := m.memo[key]
	if !ok {
		return m.fault("value %d was never remembered", key)
	}
	m.push(v)
	return nil
}

// long reads a two's complement number of n bytes.
func (m *machine) long(n int) (int64, error) {
	if n > 8 {
		return 0, m.fault("a whole number of %d bytes, more than 8", n)
	}
	b, err := m.bytes(n)
	if err != nil {
		return 0, err
	}
	var full [8]byte
	if n > 0 && b[n-1] >= 0x80 {
		for i := range full {
			full[i] = 0xff
		}
	}
	copy(full[:], b)
	return int64(binary.LittleEndian.Uint64(full[:])), nil
}

func (m *machine) float() (any, error) {
	b, err := m.bytes(8)
	if err != nil {
		return nil, err
	}
	return math.Float64frombits(binary.BigEndian.Uint64(b)), nil
}
