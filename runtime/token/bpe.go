package token

import (
	"fmt"
	"math/bits"
	"slices"
)

// bpe is byte-pair encoding over bytes (Sennrich et al. 2016, "Neural Machine Translation of Rare Words with Subword
// Units", section 3.2). A word begins as its bytes. The neighboring pair with the lowest rank is merged, the leftmost
// first, until no pair can be merged.
type bpe struct {
	whole   trie // words, as bytes, that become exactly one piece; marked: names of special tokens
	merges  mergeTable
	bytes   [256]int32 // the piece of each byte; -1: no piece
	unknown int32      // stands for bytes without a piece; -1: such bytes are left out
	fuse    bool       // a run of unknown bytes is one token
}

// mergeTable is a hash table with open addressing. The number of slots is a power of two, and the table is never
// full. A slot is a key, left<<32 | right, and a value, rank<<32 | the merged piece. The value has mergeMark set if
// the piece is a special token.
type mergeTable []uint64

const (
	mergeNone = ^uint64(0) // no merge, and the key of an empty slot; larger than all ranks
	mergeMark = 1 << 63
)

func (t mergeTable) slot(key uint64) int {
	return int(key*0x9e3779b97f4a7c15>>(66-bits.Len(uint(len(t))))) << 1
}

// find returns the merge of two pieces, or mergeNone.
func (t mergeTable) find(left, right int32, literal bool) uint64 {
	key := uint64(uint32(left))<<32 | uint64(uint32(right))
	for i := t.slot(key); ; {
		switch t[i] {
		case key:
			v := t[i+1]
			if v&mergeMark == 0 {
				return v
			}
			if literal {
				return mergeNone
			}
			return v &^ mergeMark
		case mergeNone:
			return mergeNone
		}
		if i += 2; i == len(t) {
			i = 0
		}
	}
}

// mergeRow is one merge; the index of the row is its rank.
type mergeRow struct{ left, right, out int32 }

// newMergeTable builds the table. If pairs are equal, the last one counts.
func newMergeTable(rows []mergeRow, special func(id int32) bool) mergeTable {
	slots := 1 << bits.Len(uint(max(2*len(rows), 8)))
	t := make(mergeTable, 2*slots)
	for i := 0; i < len(t); i += 2 {
		t[i] = mergeNone
	}
	for rank, m := range rows {
		key := uint64(uint32(m.left))<<32 | uint64(uint32(m.right))
		i := t.slot(key)
		for t[i] != mergeNone && t[i] != key {
			if i += 2; i == len(t) {
				i = 0
			}
		}
		v := uint64(rank)<<32 | uint64(uint32(m.out))
		if special(m.out) {
			v |= mergeMark
		}
		t[i], t[i+1] = key, v
	}
	return t
}

func (t mergeTable) check(ids int) error {
	if n := len(t); n < 16 || n&(n-1) != 0 {
		return fmt.Errorf("a table of merges of %d numbers (want a power of two, at least 16)", n)
	}
	used := 0
	for i := 0; i < len(t); i += 2 {
		if t[i] == mergeNone {
			continue
		}
		used++
		if l, r := t[i]>>32, t[i]&(1<<32-1); l >= uint64(ids) || r >= uint64(ids) || t[i+1]&(1<<32-1) >= uint64(ids) || t[i+1]&^mergeMark>>32 > maxID {
			return fmt.Errorf("merge of pieces %d and %d, of %d, to %#x", l, r, ids, t[i+1])
		}
	}
	if used > len(t)/4 {
		return fmt.Errorf("a table of %d slots holds %d merges (at most half)", len(t)/2, used)
	}
	return nil
}

func (m *bpe) kind() string   { return "byte-level BPE" }
func (m *bpe) missing() int32 { return m.unknown }

func (m *bpe) check(ids int) error {
	if err := m.whole.check(ids); err != nil {
		return err
	}
	if m.unknown < -1 || int(m.unknown) >= ids {
		return fmt.Errorf("unknown id %d of %d", m.unknown, ids)
	}
	for b, id := range m.bytes {
		if id < -1 || int(id) >= ids {
			return fmt.Errorf("the piece of byte %d has id %d of %d", b, id, ids)
		}
	}
	return m.merges.check(ids)
}

// symbols is the working memory of a word: symbol i is piece ids[i], of bytes from[i] to to[i]; merge[i] is its merge
// with the next symbol.
type symbols struct {
	ids, from, to []int32
	merge         []uint64
	// Only for long words: prev and next link the symbols that are left, and heap holds merges as rank<<32 | symbol.
	prev, next []int32
	heap       []uint64
}

// scanSymbols is the length of the longest word whose merges are found by scanning all pairs. Longer words use a
// heap.
const scanSymbols = 40

func (m *bpe) word(s *scratch, c chunk, literal bool) {
	if id, marked := m.whole.find(c.text); id >= 0 && !(marked && literal) {
		s.token(id, c.at(0, int32(len(c.text))), c.text)
		return
	}
	y := &s.sym
	m.start(y, c.text)
	if len(y.ids) <= scanSymbols {
		m.scan(y, literal)
	} else {
		m.sift(y, literal)
	}
	for i, id := range y.ids {
		lo, hi := y.from[i], y.to[i]
		if id == m.unknown {
			s.unknown(id, c.at(lo, hi), c.text[lo:hi])
		} else {
			s.token(id, c.at(lo, hi), c.text[lo:hi])
		}
	}
}

// start sets the symbols to the bytes of a word.
func (m *bpe) start(y *symbols, text []byte) {
	y.ids, y.from, y.to = y.ids[:0], y.from[:0], y.to[:0]
	open := false // the last symbol is a run of unknown bytes
	for i, b := range text {
		id := m.bytes[b]
		if id < 0 {
			if id = m.unknown; id < 0 {
				continue
			}
			if open && m.fuse {
				y.to[len(y.to)-1]++
				continue
			}
			open = true
		} else {
			open = false
		}
		y.ids = append(y.ids, id)
		y.from = append(y.from, int32(i))
		y.to = append(y.to, int32(i)+1)
	}
}

// pairs fills y.merge.
func (m *bpe) pairs(y *symbols, literal bool) {
	y.merge = y.merge[:0]
	for i := range y.ids {
		v := mergeNone
		if i+1 < len(y.ids) {
			v = m.merges.find(y.ids[i], y.ids[i+1], literal)
		}
		y.merge = append(y.merge, v)
	}
}

func (m *bpe) scan(y *symbols, literal bool) {
	m.pairs(y, literal)
	ids, to, from, merge := y.ids, y.to, y.from, y.merge
	for len(ids) > 1 {
		at, best := 0, mergeNone
		for i, v := range merge {
			// The lower half cannot change the order, because equal ranks are equal merges.
			if v < best {
				at, best = i, v
			}
		}
		if best == mergeNone {
			break
		}
		ids[at], to[at] = int32(uint32(best)), to[at+1]
		ids, from, to, merge = slices.Delete(ids, at+1, at+2), slices.Delete(from, at+1, at+2), slices.Delete(to, at+1, at+2), slices.Delete(merge, at+1, at+2)
		merge[at] = mergeNone
		if at+1 < len(ids) {
			merge[at] = m.merges.find(ids[at], ids[at+1], literal)
		}
		if at > 0 {
			merge[at-1] = m.merges.find(ids[at-1], ids[at], literal)
		}
	}
	y.ids, y.from, y.to, y.merge = ids, from, to, merge
}

// sift is scan with a heap: n log n steps for a word of n bytes.
func (m *bpe) sift(y *symbols, literal bool) {
	m.pairs(y, literal)
	n := len(y.ids)
	y.prev, y.next, y.heap = y.prev[:0], y.next[:0], y.heap[:0]
	for i := range n {
		y.prev, y.next = append(y.prev, int32(i)-1), append(y.next, int32(i)+1)
		if y.merge[i] != mergeNone {
			y.heap = append(y.heap, y.merge[i]&^(1<<32-1)|uint64(i))
		}
	}
	for i := len(y.heap)/2 - 1; i >= 0; i-- {
		y.down(i)
	}
	put := func(i int32, v uint64) {
		y.merge[i] = v
		if v != mergeNone {
			y.heap = append(y.heap, v&^(1<<32-1)|uint64(i))
			y.up(len(y.heap) - 1)
		}
	}
	for len(y.heap) > 0 {
		top := y.heap[0]
		last := len(y.heap) - 1
		y.heap[0] = y.heap[last]
		y.heap = y.heap[:last]
		y.down(0)
		at := int32(uint32(top))
		v := y.merge[at]
		if v == mergeNone || v>>32 != top>>32 {
			continue // the symbol was merged, or has another neighbor by now
		}
		gone := y.next[at]
		y.ids[at], y.to[at] = int32(uint32(v)), y.to[gone]
		next := y.next[gone]
		y.next[at], y.merge[gone], y.ids[gone] = next, mergeNone, -1
		if next < int32(n) {
			y.prev[next] = at
			put(at, m.merges.find(y.ids[at], y.ids[next], literal))
		} else {
			y.merge[at] = mergeNone
		}
		if b := y.prev[at]; b >= 0 {
			put(b, m.merges.find(y.ids[b], y.ids[at], literal))
		}
	}
	k := 0
	for i := range n {
		if y.ids[i] >= 0 {
			y.ids[k], y.from[k], y.to[k] = y.ids[i], y.from[i], y.to[i]
			k++
		}
	}
	y.ids, y.from, y.to = y.ids[:k], y.from[:k], y.to[:k]
}

func (y *symbols) up(i int) {
	h, v := y.heap, y.heap[i]
	for i > 0 && h[(i-1)/2] > v {
		h[i] = h[(i-1)/2]
		i = (i - 1) / 2
	}
	h[i] = v
}

func (y *symbols) down(i int) {
	h := y.heap
	if i >= len(h) {
		return
	}
	v := h[i]
	for {
		c := 2*i + 1
		if c >= len(h) {
			break
		}
		if c+1 < len(h) && h[c+1] < h[c] {
			c++
		}
		if h[c] >= v {
			break
		}
		h[i] = h[c]
		i = c
	}
	h[i] = v
}
