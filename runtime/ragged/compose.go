package ragged

import (
	"slices"
	"unsafe"
)

// Reset empties the batch and keeps its memory.
func (b *Batch) Reset() {
	for p := range parts {
		r := &parts[p]
		if r.floats {
			v := r.float32s(b)
			*v = (*v)[:0]
		} else {
			v := r.ints(b)
			*v = (*v)[:0]
		}
	}
}

// Reset empties the sequence and keeps its memory.
func (s *Sequence) Reset() {
	for p := range parts {
		switch r := &parts[p]; {
		case !r.hasSeq:
		case r.floats:
			resetIn[float32](r, s)
		default:
			resetIn[int32](r, s)
		}
	}
}

func resetIn[E int32 | float32](r *PartRow, s *Sequence) {
	at := unsafe.Add(unsafe.Pointer(s), r.inSeq)
	if r.isNumber {
		*(*E)(at) = 0
		return
	}
	v := (*[]E)(at)
	*v = (*v)[:0]
}

// Append adds a sequence to the batch, with the parts that a model with these limits reads. The
// batch keeps no reference to the sequence. If the sequence lacks a part that has an entry for each
// token, the batch has neutral numbers there. A part that is one number per sequence is neutral if
// the number is 0.
func (b *Batch) Append(s *Sequence, l Limits) {
	first := len(b.IDs)
	for p := range parts {
		r := &parts[p]
		if !r.hasSeq || r.limit(&l) == 0 {
			continue
		}
		if r.floats {
			v := r.float32s(b)
			*v = appendValues(*v, inSequence[float32](r, s), r, len(s.IDs)*r.columns(&l))
			continue
		}
		v, more := r.ints(b), inSequence[int32](r, s)
		if r.Holds == TokenRows {
			*v = appendRows(*v, more, int32(first))
		} else {
			*v = appendValues(*v, more, r, len(s.IDs)*r.columns(&l))
		}
	}
	b.endSequence(l)
	for p := range parts { // what follows from the words
		if r := &parts[p]; r.follows && r.limit(&l) != 0 {
			v := r.ints(b)
			*v = r.fill(*v, b, b.Sequences()-1, l)
		}
	}
}

// endSequence appends the end of the sequence that was added last to the parts that hold Firsts.
func (b *Batch) endSequence(l Limits) {
	for p := range parts {
		r := &parts[p]
		if r.Holds != Firsts || r.limit(&l) == 0 {
			continue
		}
		v := r.ints(b)
		if len(*v) == 0 {
			*v = append(*v, 0)
		}
		*v = append(*v, int32(parts[r.Of].entries(b)))
	}
}

// appendValues appends a sequence's values of a part, or neutral numbers in their place. n is the number
// of values of a part that has an entry for each token.
func appendValues[E int32 | float32](dst, values []E, r *PartRow, n int) []E {
	switch {
	case r.isNumber && values[0] == 0:
		return append(dst, E(r.Neutral))
	case len(values) == 0 && r.Each == T:
		return appendNeutral(dst, r, n)
	}
	return append(dst, values...)
}

func appendNeutral[E int32 | float32](dst []E, r *PartRow, n int) []E {
	for range n {
		dst = append(dst, E(r.Neutral))
	}
	return dst
}

func appendRows(dst, rows []int32, first int32) []int32 {
	for _, r := range rows {
		dst = append(dst, first+r)
	}
	return dst
}

// Alone returns one sequence of a valid batch as a batch of its own. It shares memory with b.
func (b *Batch) Alone(s int) *Batch {
	one := &Batch{}
	first := b.Starts[s]
	for p := range parts {
		r := &parts[p]
		if r.len(b) == 0 {
			continue
		}
		from, to := b.entriesOf(r.Each, s)
		switch {
		case r.Holds == Firsts:
			lo, hi := b.entriesOf(parts[r.Of].Each, s)
			*r.ints(one) = []int32{0, int32(hi - lo)}
		case r.floats:
			n := r.len(b) / b.Size(r.Each)
			*r.float32s(one) = (*r.float32s(b))[from*n : to*n : to*n]
		default:
			n := r.len(b) / b.Size(r.Each)
			v := (*r.ints(b))[from*n : to*n : to*n]
			if r.Holds == TokenRows {
				v = appendRows(nil, v, -first)
			}
			*r.ints(one) = v
		}
	}
	return one
}

// entriesOf returns which entries of an extent belong to sequence s of a valid batch.
func (b *Batch) entriesOf(e Extent, s int) (from, to int) {
	switch r := &extents[e]; {
	case e == B:
		return s, s + 1
	case r.cuts:
		firsts := *parts[r.cut].ints(b)
		return int(firsts[s]), int(firsts[s+1])
	default: // rows of the batch, rising
		rows := *parts[r.by].ints(b)
		from, _ = slices.BinarySearch(rows, b.Starts[s])
		to, _ = slices.BinarySearch(rows, b.Starts[s+1])
		return from, to
	}
}

// FillNeeded adds what a model with these limits needs besides ids, where it is missing: a prefix
// of length 0; every token as a row, up to the limit; the first token of each sequence as a label
// and every other token as a word; neutral numbers for all other parts. It is for measurements and
// tests in which the ids mean nothing.
func (b *Batch) FillNeeded(l Limits) {
	for p := range parts {
		b.FillPart(Part(p), l)
	}
}

// FillPart is FillNeeded for one part.
func (b *Batch) FillPart(p Part, l Limits) {
	r := &parts[p]
	if r.Holds == Firsts || r.len(b) != 0 && !r.follows || r.limit(&l) == 0 {
		return
	}
	switch n := b.Size(r.Each) * r.columns(&l); {
	case r.fill != nil:
		b.SetEach(p, func(dst []int32, s int) []int32 { return r.fill(dst, b, s, l) })
	case r.Optional:
	case r.floats:
		*r.float32s(b) = appendNeutral(*r.float32s(b), r, n)
	default:
		*r.ints(b) = appendNeutral(*r.ints(b), r, n)
	}
}

// SetEach sets a part of int32 to the entries that add appends, sequence by sequence. It also sets the
// Firsts that divide these entries.
func (b *Batch) SetEach(p Part, add func(dst []int32, s int) []int32) {
	r := &parts[p]
	var firsts *[]int32
	if e := &extents[r.Each]; e.cuts && r.counts() && p != IDs {
		firsts = parts[e.cut].ints(b)
		*firsts = append((*firsts)[:0], 0)
	}
	v := r.ints(b)
	*v = (*v)[:0]
	for s := range b.Sequences() {
		*v = add(*v, s)
		if firsts != nil {
			*firsts = append(*firsts, int32(r.entries(b)))
		}
	}
}
