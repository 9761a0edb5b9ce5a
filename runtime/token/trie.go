package token

import (
	"errors"
	"fmt"
	"math/bits"
)

// trie is a double array over bytes. One unit holds everything that a step needs, so that a step costs one load:
//
//	bits 0-7    the byte that leads here
//	bit 8       set if the unit is in use
//	bits 9-31   base: the child for byte c is unit base^c; 0 means that there are no children
//	bits 32-62  1 + the value of the key that ends here, or 0
//	bit 63      the caller's mark on that key
//
// Every base belongs to only one parent, so comparing the byte is enough to know that a child belongs to it. The
// array's length is a multiple of 256, so base^c is in range for any byte if base is.
type trie []uint64

const (
	unitLive   = 1 << 8
	unitLabels = 1<<9 - 1
	unitBase   = 9
	unitMark   = 1 << 31 // in the upper half
	maxBase    = 1 << 23
)

var errTrieSize = errors.New("the vocabulary is too large for the trie (8,388,608 units)")

// child follows byte c from unit u; ok is false if there is no such child.
func (t trie) child(u uint64, c byte) (uint64, bool) {
	v := t[uint32(u)>>unitBase^uint32(c)]
	return v, uint32(v)&unitLabels == unitLive|uint32(c)
}

// find returns the value of key, or -1, and whether it is marked.
func (t trie) find(key []byte) (value int32, marked bool) {
	if len(t) == 0 || len(key) == 0 {
		return -1, false
	}
	u, ok := t[0], true
	for _, c := range key {
		if u, ok = t.child(u, c); !ok {
			return -1, false
		}
	}
	return unitValue(u)
}

func unitValue(u uint64) (int32, bool) {
	v := uint32(u >> 32)
	return int32(v&^unitMark) - 1, v&unitMark != 0
}

// longest returns the length in bytes and the value of the longest key at the start of text, or 0 and -1.
func (t trie) longest(text []byte) (n int, value int32) {
	value = -1
	if len(t) == 0 {
		return 0, -1
	}
	u, ok := t[0], true
	for i, c := range text {
		if u, ok = t.child(u, c); !ok {
			break
		}
		if v, _ := unitValue(u); v >= 0 {
			n, value = i+1, v
		}
	}
	return n, value
}

// longestPiece is longest; if literal is set, it ignores marked keys.
func (t trie) longestPiece(text []byte, literal bool) (n int, value int32) {
	if len(t) == 0 {
		return 0, -1
	}
	u, ok := t[0], true
	for i, c := range text {
		if u, ok = t.child(u, c); !ok {
			break
		}
		if v := uint32(u >> 32); v != 0 && !(literal && v >= unitMark) {
			n, value = i+1, int32(v&^unitMark)-1
		}
	}
	return n, value
}

// check returns an error if an index in the trie is out of range, so that a walk cannot leave it. A walk always
// ends, because each step consumes a byte.
func (t trie) check(values int) error {
	if len(t) == 0 || len(t)%256 != 0 || len(t) > maxBase {
		return fmt.Errorf("a trie of %d units (want a positive multiple of 256, at most %d)", len(t), maxBase)
	}
	var worst uint32
	var worstValue uint32
	for _, u := range t {
		worst = max(worst, uint32(u)>>unitBase)
		worstValue = max(worstValue, uint32(u>>32)&^unitMark)
	}
	if int(worst) >= len(t) {
		return fmt.Errorf("a trie unit points to %d of %d units", worst, len(t))
	}
	if int64(worstValue) > int64(values) {
		return fmt.Errorf("a trie key has value %d of %d", worstValue-1, values)
	}
	return nil
}

type trieBuilder struct {
	t      trie
	free   [][4]uint64 // one bit per unit of a block: not in use
	taken  [][4]uint64 // one bit per base of a block: has a parent
	open   []int       // blocks that still have room, oldest first
	misses []int       // failed attempts per block
	keys   []string
	values []int32
	marked func(value int32) bool
}

type trieNode struct{ lo, hi, depth, unit int }

// openBlocks is how many blocks are searched for room, and openMisses how often a search in a block may fail. They
// keep building close to linear time.
const openBlocks, openMisses = 24, 48

// buildTrie makes a trie of keys, which must be sorted, distinct and not empty. marked may be nil.
func buildTrie(keys []string, values []int32, marked func(value int32) bool) (trie, error) {
	b := &trieBuilder{keys: keys, values: values, marked: marked}
	if err := b.grow(); err != nil {
		return nil, err
	}
	b.claim(0)
	b.taken[0][0] |= 1 // base 0 means "no children"
	// Breadth first, so that the levels near the root, which every walk visits, are close together.
	queue := []trieNode{{0, len(keys), 0, 0}}
	var labels [256]byte
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		if n.lo < n.hi && len(keys[n.lo]) == n.depth {
			v := uint64(uint32(values[n.lo]) + 1)
			if marked != nil && marked(values[n.lo]) {
				v |= unitMark
			}
			b.t[n.unit] |= v << 32
			n.lo++
		}
		if n.lo == n.hi {
			continue
		}
		ls := labels[:0]
		for i := n.lo; i < n.hi; i++ {
			if c := keys[i][n.depth]; len(ls) == 0 || ls[len(ls)-1] != c {
				ls = append(ls, c)
			}
		}
		base, err := b.base(ls)
		if err != nil {
			return nil, err
		}
		b.t[n.unit] |= uint64(base) << unitBase
		i := n.lo
		for _, c := range ls {
			unit := base ^ int(c)
			b.claim(unit)
			b.t[unit] = unitLive | uint64(c)
			lo := i
			for i < n.hi && keys[i][n.depth] == c {
				i++
			}
			queue = append(queue, trieNode{lo, i, n.depth + 1, unit})
		}
	}
	return b.t, nil
}

func (b *trieBuilder) grow() error {
	if len(b.t)+256 > maxBase {
		return errTrieSize
	}
	block := len(b.free)
	b.t = append(b.t, make([]uint64, 256)...)
	all := ^uint64(0)
	b.free = append(b.free, [4]uint64{all, all, all, all})
	b.taken = append(b.taken, [4]uint64{})
	b.misses = append(b.misses, 0)
	b.open = append(b.open, block)
	if len(b.open) > openBlocks {
		b.open = b.open[1:]
	}
	return nil
}

func (b *trieBuilder) claim(unit int) {
	b.free[unit>>8][unit>>6&3] &^= 1 << (unit & 63)
}

// base finds and takes a base whose children for labels are all free.
func (b *trieBuilder) base(labels []byte) (int, error) {
	for i := 0; i < len(b.open); i++ {
		block := b.open[i]
		if base, ok := b.baseIn(block, labels); ok {
			return base, nil
		}
		if b.misses[block]++; b.misses[block] > openMisses {
			b.open = append(b.open[:i], b.open[i+1:]...)
			i--
		}
	}
	if err := b.grow(); err != nil {
		return 0, err
	}
	base, ok := b.baseIn(len(b.free)-1, labels)
	if !ok {
		return 0, errTrieSize // an empty block always has room
	}
	return base, nil
}

func (b *trieBuilder) baseIn(block int, labels []byte) (int, bool) {
	free, taken := &b.free[block], &b.taken[block]
	for w, word := range free {
		for ; word != 0; word &= word - 1 {
			slot := w<<6 | bits.TrailingZeros64(word)
			base := slot ^ int(labels[0])
			if taken[base>>6]>>(base&63)&1 != 0 {
				continue
			}
			ok := true
			for _, c := range labels[1:] {
				if s := base ^ int(c); free[s>>6]>>(s&63)&1 == 0 {
					ok = false
					break
				}
			}
			if ok {
				taken[base>>6] |= 1 << (base & 63)
				return block<<8 | base, true
			}
		}
	}
	return 0, false
}
