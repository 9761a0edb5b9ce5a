// Package sampler draws tokens from the softmax of logits in a training step, as replaced-token detection needs them (Clark et al. 2020, section 2). A row is
// drawn by one random number u from 0 to 1: the token is the first whose probabilities, added up from token 0 on, are more than u. The number is a function of
// the key of the site and of the row alone, see package dropout. So the order of all sums is fixed, and no result depends on the number of threads.
//
// For a large vocabulary the logits of all rows are never stored. What is known of each chunk of it are its largest logit and the sum of its exponentials. They
// decide the chunk. Then the logits of this chunk alone are computed again.
package sampler

import (
	"math"
	"unsafe"

	"github.com/debertac/debertac/runtime/dropout"
)

// Uniform returns the random number of a row, a multiple of 2⁻⁵³ that is at least 0 and less than 1.
func Uniform(k dropout.Key, row int) float64 {
	r := dropout.Row(k, row)
	return float64(uint64(dropout.Number(r, 0))<<21|uint64(dropout.Number(r, 1))>>11) / (1 << 53)
}

// Float is the type of the numbers of a row.
type Float interface{ ~float32 | ~float64 }

// Pick returns the number of the entry of a row of logits that u draws. It is a valid number even if logits are not finite.
func Pick[F Float](z []F, u float64) int {
	top := z[0]
	for _, v := range z {
		top = max(top, v)
	}
	n, _ := pick(len(z), u, func(i int) float64 { return math.Exp(float64(z[i] - top)) })
	return n
}

// PickChunk returns the number of the chunk that u draws, and the number that draws an entry of it. parts holds two numbers of each chunk: its largest logit,
// and the sum of exponentials relative to it.
func PickChunk[F Float](parts []F, u float64) (chunk int, rest float64) {
	top := parts[0]
	for c := 0; c < len(parts); c += 2 {
		top = max(top, parts[c])
	}
	return pick(len(parts)/2, u, func(c int) float64 { return float64(parts[2*c+1]) * math.Exp(float64(parts[2*c]-top)) })
}

// pick returns the first of n entries whose weights, added up from the first on, are more than the share u of all weights. rest is how far into its own weight
// the share reaches, from 0 to less than 1.
func pick(n int, u float64, weight func(i int) float64) (entry int, rest float64) {
	sum := 0.0
	for i := range n {
		sum += weight(i)
	}
	left := u * sum
	for i := range n {
		w := weight(i)
		if left < w {
			return i, left / w
		}
		if w > 0 {
			entry = i // rounding can leave more than the last weight
		}
		left -= w
	}
	return entry, math.Nextafter(1, 0)
}

// Rows draws an entry for each of m rows of n logits z, which are ldz floats apart. The first of them has the number first. A row for which given holds a
// number of 0 or more is not drawn: it has that number.
func Rows(y *int32, z *float32, given, site *int32, n, ldz, first, m int) {
	to, set := unsafe.Slice(y, m), unsafe.Slice(given, m)
	for i := range m {
		if to[i] = set[i]; to[i] < 0 {
			row := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(z), 4*i*ldz)), n)
			to[i] = int32(Pick(row, Uniform(dropout.KeyAt(site), first+i)))
		}
	}
}

// Vocabulary describes logits x·wᵀ + bias that are not stored.
type Vocabulary struct {
	Width, Entries int // columns of x and of w, and rows of w
	Chunk          int // entries of a chunk; the last may have fewer
	LDX, LDW, LDP  int // floats between rows of x, of w, and of the parts of chunks
}

// Rows does what the function Rows does for m rows of x. parts is what is known of the chunks of each row. z is memory for the logits of a chunk. bias may be
// nil.
func (v Vocabulary) Rows(y *int32, x, w, bias, parts *float32, given, site *int32, z *float32, first, m int) {
	to, set := unsafe.Slice(y, m), unsafe.Slice(given, m)
	chunks := (v.Entries + v.Chunk - 1) / v.Chunk
	row := func(p *float32, i, ld, n int) []float32 {
		return unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(p), 4*i*ld)), n)
	}
	for i := range m {
		if to[i] = set[i]; to[i] >= 0 {
			continue
		}
		chunk, rest := PickChunk(row(parts, i, v.LDP, 2*chunks), Uniform(dropout.KeyAt(site), first+i))
		from := chunk * v.Chunk
		logits, xi := unsafe.Slice(z, min(v.Chunk, v.Entries-from)), row(x, i, v.LDX, v.Width)
		for k := range logits {
			logits[k] = dot(xi, row(w, from+k, v.LDW, v.Width))
			if bias != nil {
				logits[k] += *(*float32)(unsafe.Add(unsafe.Pointer(bias), 4*(from+k)))
			}
		}
		to[i] = int32(from + Pick(logits, rest))
	}
}

// dot returns Σ a·b in four sums, which a processor can add at the same time.
func dot(a, b []float32) float32 {
	var s [4]float32
	i := 0
	for ; i+4 <= len(a); i += 4 {
		x, y := a[i:i+4:i+4], b[i:i+4:i+4]
		s[0] += x[0] * y[0]
		s[1] += x[1] * y[1]
		s[2] += x[2] * y[2]
		s[3] += x[3] * y[3]
	}
	for ; i < len(a); i++ {
		s[0] += a[i] * b[i]
	}
	return (s[0] + s[1]) + (s[2] + s[3])
}
