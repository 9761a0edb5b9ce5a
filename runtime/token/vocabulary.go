package token

import (
	"fmt"
	"sort"
	"unicode/utf8"
)

// vocabulary holds the texts of the pieces as one string with offsets. Ids are positions. An empty text is an id without a
// piece.
type vocabulary struct {
	blob string
	ends []uint32 // piece i is blob[ends[i]:ends[i+1]]
}

func (v *vocabulary) add(s string, blob []byte) []byte {
	if len(v.ends) == 0 {
		v.ends = append(v.ends, 0)
	}
	blob = append(blob, s...)
	v.ends = append(v.ends, uint32(len(blob)))
	return blob
}

func newVocabulary(texts []string) vocabulary {
	var v vocabulary
	var blob []byte
	for _, s := range texts {
		blob = v.add(s, blob)
	}
	v.blob = string(blob)
	return v
}

func (v *vocabulary) size() int { return max(len(v.ends)-1, 0) }

// count returns the number of ids with a piece.
func (v *vocabulary) count() int {
	n := 0
	for i := range int32(v.size()) {
		if v.text(i) != "" {
			n++
		}
	}
	return n
}

func (v *vocabulary) text(id int32) string { return v.blob[v.ends[id]:v.ends[id+1]] }

// sorted returns all ids in the order of their texts, equal texts by id.
func (v *vocabulary) sorted() []int32 {
	ids := make([]int32, v.size())
	for i := range ids {
		ids[i] = int32(i)
	}
	sort.Slice(ids, func(i, j int) bool {
		a, b := v.text(ids[i]), v.text(ids[j])
		if a != b {
			return a < b
		}
		return ids[i] < ids[j]
	})
	return ids
}

// check returns an error if offsets or texts are not in order. If holes is set, texts may be empty.
func (v *vocabulary) check(holes bool) error {
	if len(v.ends) < 2 || v.ends[0] != 0 || int64(v.ends[len(v.ends)-1]) != int64(len(v.blob)) {
		return fmt.Errorf("the pieces' offsets do not cover their text")
	}
	bad := false
	last, least := uint32(0), uint32(1)
	if holes {
		least = 0
	}
	for _, e := range v.ends[1:] {
		// An empty piece, a long one or a descending offset. The numbers are unsigned, so one comparison finds all three.
		bad = bad || e-last-least > MaxPieceBytes-least
		last = e
	}
	if bad {
		return fmt.Errorf("a piece is empty, longer than %d bytes, or its offset is out of order", MaxPieceBytes)
	}
	if !utf8.ValidString(v.blob) {
		return fmt.Errorf("the pieces are not valid UTF-8")
	}
	return nil
}
