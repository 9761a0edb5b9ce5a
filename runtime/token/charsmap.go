package token

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// charsMap is SentencePiece's precompiled character map: a Darts double array from UTF-8 sequences to the offsets of
// their replacements in a string of NUL-terminated texts. Without units it maps nothing.
type charsMap struct {
	units []uint32
	texts string
	// ascii is what happens to a byte below 0x80 if the next byte is ASCII too, so that plain text needs no walk.
	ascii [128]asciiClass
}

type asciiClass uint8

const (
	asciiWalk  asciiClass = iota // look it up in the map
	asciiKeep                    // stays as it is
	asciiSpace                   // U+0020, and stays as it is
)

// maxReplacement is the longest replacement text in bytes. It bounds how much a text can grow.
const maxReplacement = 255

// parseCharsMap reads the layout <length of the array in bytes, uint32><array of uint32><texts>, little endian.
func parseCharsMap(b []byte) (*charsMap, error) {
	if len(b) < 4 {
		return nil, fmt.Errorf("the character map has %d bytes (want a length of 4 bytes first)", len(b))
	}
	n := int64(binary.LittleEndian.Uint32(b))
	if n > int64(len(b)-4) || n%4 != 0 || n == 0 {
		return nil, fmt.Errorf("the length field of the character map's array is %d bytes, and %d bytes follow (it must be a positive multiple of 4, at "+
			"most what follows)", n, len(b)-4)
	}
	units := make([]uint32, n/4)
	for i := range units {
		units[i] = binary.LittleEndian.Uint32(b[4+4*i:])
	}
	return newCharsMap(units, string(b[4+n:]))
}

func newCharsMap(units []uint32, texts string) (*charsMap, error) {
	m := &charsMap{units: units, texts: texts}
	if !utf8.ValidString(texts) {
		return nil, fmt.Errorf("the character map's replacements are not valid UTF-8")
	}
	run := 0
	for i := 0; i < len(texts); i++ {
		if run++; texts[i] == 0 {
			run = 0
		} else if run > maxReplacement {
			return nil, fmt.Errorf("the character map has a replacement longer than %d bytes", maxReplacement)
		}
	}
	if len(texts) > 0 && texts[len(texts)-1] != 0 {
		return nil, fmt.Errorf("the character map's last replacement has no end")
	}
	m.classify()
	return m, nil
}

// classify fills the table of ASCII classes.
func (m *charsMap) classify() {
	for c := range m.ascii {
		m.ascii[c] = asciiKeep
		if c == ' ' {
			m.ascii[c] = asciiSpace
		}
		if c == 0 {
			m.ascii[c] = asciiWalk
		}
		if len(m.units) == 0 {
			continue
		}
		pos, ok := m.step(m.start(), byte(c))
		if !ok {
			continue
		}
		if _, ok := m.value(pos); ok {
			m.ascii[c] = asciiWalk
		}
		for d := 1; d < 128; d++ {
			if _, ok := m.step(pos, byte(d)); ok {
				m.ascii[c] = asciiWalk
			}
		}
	}
}

// A position is a unit's index with that unit's offset applied. An index out of range ends the walk.

func dartsOffset(u uint32) uint32 { return u >> 10 << (u & (1 << 9) >> 6) }

func (m *charsMap) start() uint32 { return dartsOffset(m.units[0]) }

// step follows byte c, which is not 0. The lowest 31 bits of the result are the position; bit 31 is set if a value is
// there.
func (m *charsMap) step(pos uint32, c byte) (uint32, bool) {
	pos = pos&^(1<<31) ^ uint32(c)
	if int64(pos) >= int64(len(m.units)) {
		return 0, false
	}
	u := m.units[pos]
	if u&(1<<31|0xff) != uint32(c) {
		return 0, false
	}
	return (pos^dartsOffset(u))&^(1<<31) | u>>8&1<<31, true
}

// value returns the offset of the replacement at a position that step returned; ok is false if it is out of range.
func (m *charsMap) value(pos uint32) (int, bool) {
	if pos>>31 == 0 {
		return 0, false
	}
	pos &^= 1 << 31
	if int64(pos) >= int64(len(m.units)) {
		return 0, false
	}
	v := int(m.units[pos] & (1<<31 - 1))
	return v, v < len(m.texts)
}

// replacement returns the text at offset v.
func (m *charsMap) replacement(v int) string {
	end := v
	for end < len(m.texts) && m.texts[end] != 0 {
		end++
	}
	return m.texts[v:end]
}

// longest finds the longest sequence at the start of text that has a replacement (SentencePiece's rule). n is 0 if no sequence has one.
func (m *charsMap) longest(text []byte) (replacement string, n int) {
	if len(m.units) == 0 {
		return "", 0
	}
	pos, ok, found := m.start(), false, 0
	for i := 0; i < len(text) && text[i] != 0; i++ {
		if pos, ok = m.step(pos, text[i]); !ok {
			break
		}
		if v, ok := m.value(pos); ok {
			n, found = i+1, v
		}
	}
	if n == 0 {
		return "", 0
	}
	return m.replacement(found), n
}

// shortest finds the replacement of the shortest sequence at the start of text that has one. The json form then
// replaces all of text by it, however little of it matched.
func (m *charsMap) shortest(text []byte) (replacement string, ok bool) {
	if len(m.units) == 0 {
		return "", false
	}
	pos := m.start()
	for i := 0; i < len(text) && text[i] != 0; i++ {
		if pos, ok = m.step(pos, text[i]); !ok {
			return "", false
		}
		if v, ok := m.value(pos); ok {
			return m.replacement(v), true
		}
	}
	return "", false
}
