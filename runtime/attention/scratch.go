package attention

import "unsafe"

// The sizes of an attention's blocks. The queries of a range share the products of keys and relative rows.
const (
	Keys    = 256 // keys in a block
	Strip   = 48  // queries in a strip, a multiple of 16
	Queries = 560 // queries that share products of keys with relative rows
)

// The largest attentions for which kernels are made. The distances fit into displacements of 32 bits.
const (
	MaxHead   = 256     // columns of a head, rounded up to 16
	MaxStride = 1 << 22 // floats from one row of q, k and v to the next
	MaxRows   = 1 << 20 // rows of the relative table
)

// The statistics of the softmax. Each has one number per query; the statistics lie [Queries] apart.
const (
	StatMax     = iota // the largest score so far
	StatSum            // the sum of exponentials so far
	StatScale          // the factor by which the sums of earlier blocks shrink
	StatInverse        // 1 / sum
	StatNewMax         // the largest score of the latest block
	StatNewSum         // the sum of the latest block
	Stats              // the number of statistics
)

// LDProbs is the distance, in pairs, between rows of probabilities that are rounded to bfloat16.
const LDProbs = Keys/2 + width

// LDS is the distance, in floats, between rows of a strip of scores.
const LDS = Keys + width

// width is the number of columns that lie side by side in a panel. It is also how far vectors may reach beyond an end.
const width = 16

// HasKernels reports whether kernels can be made for the shape.
func (s *Shape) HasKernels() bool {
	return s.Mixed == 0 && s.DP <= MaxHead && max(s.LDQ, s.LDK, s.LDO) <= MaxStride && s.R <= MaxRows
}

// Scratch returns how many floats of scratch memory a call for a sequence of n rows needs in either form.
func (s *Shape) Scratch(n int) int {
	// In plain Go: the scores (of all heads if they are mixed, followed by one mixed row per head), the products of one row with the table, and queries, keys
	// and values that are rounded.
	most := PortableStrip * n
	if s.Pairs {
		most += (PortableStrip + 2*n) * s.DP
	}
	if s.Mixed > 0 {
		most = s.Mixed * (PortableStrip + 1) * n
	}
	if s.Terms.Indexed() {
		most += (s.R + width - 1) / width * width
	}
	if s.HasKernels() {
		sum := 0
		for _, length := range s.lengths(n) {
			sum += length
		}
		most = max(most, sum)
	}
	return most
}

// The arrays in the scratch memory of the form with kernels, one after the other.
const (
	keysArray       = iota // keys in panels [n/16][DP][16]; of pairs [n/16][DP/2][16]
	zeroArray              // a key of zeros [DP]
	valuesArray            // [n][DP]; pairs of rows [n/2][DP]
	alongArray             // row of KR by j-i
	downArray              // row of QR by i-j
	biasArray              // bias by j-i
	cpArray                // queries × KR [Queries][LDR]
	pcArray                // keys × QR [Keys][LDR]
	scoresArray            // [Strip][LDS]
	sumArray               // weighted values so far [Queries][DP]
	onesArray              // [Strip]
	statsArray             // [Stats][Queries]
	queryPairsArray        // queries in pairs [Queries][LDP]
	keyPairsArray          // keys in pairs [n][LDP]
	probsArray             // probabilities in pairs [Strip][LDProbs]
	arrays                 // the number of arrays
)

// lengths returns the length of each array for a sequence of n rows, in floats or integers of 4 bytes. Each is a multiple of 16, so that the next array begins
// on a cache line, or 0 if the score does not use the array.
func (s *Shape) lengths(n int) (l [arrays]int) {
	rows := (n + width - 1) / width * width
	offsets, ldr := 2*rows+2*width, s.LDR()
	if s.Terms.Content {
		l[keysArray], l[zeroArray] = s.DP*rows, s.DP
	}
	if s.Terms.KeyPosition != Absent {
		l[alongArray], l[cpArray] = offsets, ldr*min(rows, Queries)
	}
	if s.Terms.QueryPosition != Absent {
		l[downArray], l[pcArray] = offsets, ldr*min(rows, Keys)
	}
	if s.Terms.Bias {
		l[biasArray] = offsets
	}
	l[valuesArray], l[sumArray] = s.DP*rows, s.DP*min(rows, Queries)
	l[scoresArray], l[onesArray] = LDS*min(rows, Strip), min(rows, Strip)
	l[statsArray] = Stats * Queries
	if s.Pairs {
		l[keysArray], l[zeroArray], l[valuesArray] = l[keysArray]/2, 0, l[valuesArray]/2
		l[queryPairsArray], l[probsArray] = s.LDP()*min(rows, Queries), LDProbs*min(rows, Strip)
		if s.Terms.QueryPosition != Absent {
			l[keyPairsArray] = s.LDP() * rows
		}
	}
	return l
}

// at returns a pointer moved by n elements.
func at[E float32 | int32](p *E, n int) *E {
	return (*E)(unsafe.Add(unsafe.Pointer(p), 4*n))
}

// floats returns n floats from p on.
func floats(p *float32, n int) []float32 { return unsafe.Slice(p, n) }

// ints returns n integers of 4 bytes from p on.
func ints(p *float32, n int) []int32 { return unsafe.Slice((*int32)(unsafe.Pointer(p)), n) }
