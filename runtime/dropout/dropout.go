// Package dropout decides which elements of a training step are dropped (Srivastava et al. 2014). The decision for an element is a function of its place alone:
// of the seed, the step, the site in the model, the row and the column. So no mask is kept for the backward pass, and no result depends on the number of
// threads.
package dropout

import (
	"math"
	"unsafe"
)

// Key identifies a site in one step.
type Key [2]uint32

// KeyOf returns the key of a site of a layer in one pass of a step.
func KeyOf(seed uint64, step, pass, site, layer int) Key {
	x := mix64(seed + 0x9e3779b97f4a7c15)
	for _, n := range []int{step, pass, site, layer} {
		x = mix64(x ^ uint64(n)*0xd1342543de82ef95 + 0x9e3779b97f4a7c15)
	}
	return Key{uint32(x), uint32(x >> 32)}
}

// KeyAt returns the key at p, where it lies in memory as two integers.
func KeyAt(p *int32) Key { return Key{uint32(*p), uint32(*(*int32)(unsafe.Add(unsafe.Pointer(p), 4)))} }

// mix64 is the finalizer of SplitMix64 (Steele, Lea and Flood 2014, figure 14), a bijection whose output bits depend on all input bits.
func mix64(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// mix32 is a bijection of 32 bits with two multiplications. Its constants are those of lowbias32, which were found by a search for the least bias of output
// bits (Wellons 2018, "Prospecting for hash functions").
func mix32(x uint32) uint32 {
	x = (x ^ x>>16) * First
	x = (x ^ x>>15) * Second
	return x ^ x>>16
}

// First and Second are the factors of the mixing function.
const (
	First  = 0x7feb352d
	Second = 0x846ca68b
)

// Row returns the state of a row, from which [Number] computes the numbers of its columns.
func Row(k Key, row int) uint32 { return mix32(mix32(uint32(row)^k[0]) ^ k[1]) }

// Step is what one column adds to the state of a row: the golden ratio as a fraction of 2³², as in Weyl sequences.
const Step = 0x9e3779b9

// Number returns the random number of a column of a row, from 0 to 2³²-1.
func Number(row uint32, column int) uint32 { return mix32(row + uint32(column)*Step) }

// Limit returns the number below which an element is dropped, for a rate from 0 to 1.
func Limit(rate float64) uint32 { return uint32(math.Min(rate*(1<<32), math.MaxUint32)) }

// Rows computes y = x/(1-rate) or 0 for m rows of n columns, which are ldx and ldy floats apart. The first of them has the given number. y may be x.
func Rows(y, x *float32, key *int32, n, ldx, ldy int, rate float64, first, m int) {
	k := KeyAt(key)
	limit, scale := Limit(rate), float32(1/(1-rate))
	for r := range m {
		from := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(x), 4*r*ldx)), n)
		to := unsafe.Slice((*float32)(unsafe.Add(unsafe.Pointer(y), 4*r*ldy)), n)
		state := Row(k, first+r)
		for c, v := range from {
			if mix32(state) < limit {
				v = 0
			}
			to[c] = v * scale
			state += Step
		}
	}
}
