// Package raggedtest draws random batches for tests.
package raggedtest

import "github.com/debertac/debertac/runtime/ragged"

// draw appends random entries of a part for sequence s to dst. It may use the parts before it.
type draw func(dst []int32, b *ragged.Batch, s int, l ragged.Limits, pick func(n int) int) []int32

// draws holds the functions that draw parts of integers. Parts of integers without a function are filled as
// by FillNeeded. Parts of float32 are positive numbers below 2.
var draws = [ragged.Parts]draw{
	ragged.IDs:     perToken(func(l ragged.Limits) int { return l.Vocab }),
	ragged.Types:   perToken(func(l ragged.Limits) int { return l.Types }),
	ragged.Prefix:  prefix,
	ragged.Rows:    rows,
	ragged.Words:   words,
	ragged.Marks:   marks,
	ragged.Queries: queries,
	ragged.Steps:   steps,
}

// Batch returns a random batch of sequences with the given numbers of tokens, with everything that a
// model with these limits reads. If holes is set, tokens are missing at the start and in the middle
// of sequences. pick returns a random number from 0 to n-1.
func Batch(lens []int, l ragged.Limits, holes bool, pick func(n int) int) *ragged.Batch {
	b := &ragged.Batch{Starts: []int32{0}}
	for _, n := range lens {
		b.Starts = append(b.Starts, b.Starts[len(b.Starts)-1]+int32(n))
	}
	for p := range ragged.Part(ragged.Parts) {
		if !p.ReadBy(l) {
			continue
		}
		if d := draws[p]; d != nil {
			b.SetEach(p, func(dst []int32, s int) []int32 { return d(dst, b, s, l, pick) })
		}
		b.FillPart(p, l) // what is not drawn
		if p.Row().Floats() {
			for i := range *p.Float32s(b) {
				(*p.Float32s(b))[i] = float32(1+pick(1999)) / 1000
			}
		}
	}
	if holes {
		b.SetEach(ragged.Positions, func(dst []int32, s int) []int32 { return positions(dst, b, s, l, pick) })
	}
	return b
}

// perToken draws a number below most for each token.
func perToken(most func(l ragged.Limits) int) draw {
	return func(dst []int32, b *ragged.Batch, s int, l ragged.Limits, pick func(n int) int) []int32 {
		for range b.Length(s) {
			dst = append(dst, int32(pick(most(l))))
		}
		return dst
	}
}

// positions draws positions with gaps, within the limit.
func positions(dst []int32, b *ragged.Batch, s int, l ragged.Limits, pick func(n int) int) []int32 {
	spare := l.SequenceTokens - b.Length(s) // positions that can be left out
	skip := func(most int) int32 {
		n := pick(min(spare, most) + 1)
		spare -= n
		return int32(n)
	}
	at := skip(2)
	for range b.Length(s) {
		dst = append(dst, at)
		at += 1 + skip(1)
	}
	return dst
}

// prefix draws a part of the sequence.
func prefix(dst []int32, b *ragged.Batch, s int, _ ragged.Limits, pick func(n int) int) []int32 {
	return append(dst, int32(pick(b.Length(s)+1)))
}

// rows draws about every third token.
func rows(dst []int32, b *ragged.Batch, s int, l ragged.Limits, pick func(n int) int) []int32 {
	for r := b.Starts[s]; r < b.Starts[s+1] && len(dst) < l.Rows; r++ {
		if pick(3) == 0 {
			dst = append(dst, r)
		}
	}
	return dst
}

// mostMarks is the greatest number of labels that a drawn sequence has. It is more than a block of
// labels of the kernels.
const mostMarks = 12

// words draws words of up to three tokens, with gaps, some without tokens, and some with the rows of the word before. Tokens before the first word are for
// labels.
func words(dst []int32, b *ragged.Batch, s int, l ragged.Limits, pick func(n int) int) []int32 {
	at, end := b.Starts[s], b.Starts[s+1]
	if l.Marks {
		at += int32(1 + pick(min(mostMarks, max(1, b.Length(s)/2))))
	}
	for at += int32(pick(2)); at < end; at += int32(pick(2)) {
		last := min(at+int32(pick(4)), end)
		dst = append(dst, at, last)
		if last > at && pick(8) == 0 {
			dst = append(dst, at, last)
		}
		at = last
	}
	return dst
}

// marks draws labels from the tokens before the first word, at least one.
func marks(dst []int32, b *ragged.Batch, s int, _ ragged.Limits, pick func(n int) int) []int32 {
	at, end := b.Starts[s], b.Starts[s+1]
	dst = append(dst, at)
	if len(b.WordStarts) > s+1 && b.WordStarts[s] < b.WordStarts[s+1] {
		end = b.Words[2*b.WordStarts[s]]
	}
	for n := 1 + pick(mostMarks); n > 1 && at+1 < end; n-- {
		at++
		dst = append(dst, at)
	}
	return dst
}
