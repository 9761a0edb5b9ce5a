// Package attention computes the attention of one head over one sequence. It is the loop around the inner kernels. The kernels, which are assembly, pack keys,
// multiply, add the relative terms, compute the softmax and weigh the values. This package divides the work into blocks and calls the kernels. Generated
// packages hold one [Form] per attention and instruction set and call [Form.Run].
//
//	score[i, j] = q_i·k_j + q_i·KR[index[±(i-j)]] + k_j·QR[index[±(i-j)]] + bias[i-j]
//	o_i = Σ_j softmax_j(score[i, j])·v_j
//
// Keys are processed in blocks of [Keys] and queries in strips of at most [Strip], so that scores stay in the nearest caches. The softmax is carried from one
// block of keys to the next. Block boundaries count from the sequence's first key, and the order of every sum depends on nothing else.
//
// [Attend] is the attention of a training program, forward and backward, for a batch. Its backward pass computes the scores again, in strips of queries against
// all keys, so nothing that grows with the square of a sequence's length is kept.
package attention

// Sign is the sign with which an offset enters a relative term of a score.
type Sign int8

// The signs of a term.
const (
	Absent  Sign = 0  // the score has no such term
	Forward Sign = 1  // row index[i-j], query position minus key position
	Reverse Sign = -1 // row index[j-i]
)

// Terms holds the terms of a score; at least one must be set.
type Terms struct {
	Content       bool // q_i·k_j
	KeyPosition   Sign // q_i·KR[…], content to position
	QueryPosition Sign // k_j·QR[…], position to content
	Bias          bool // bias[…], one number per offset
}

// Relative reports whether a term depends on the offset.
func (t Terms) Relative() bool { return t.Indexed() || t.Bias }

// Indexed reports whether a term reads the relative table through the index.
func (t Terms) Indexed() bool { return t.KeyPosition != Absent || t.QueryPosition != Absent }

// Shape holds the constants of an attention. Heads are padded with zeros to DP columns.
type Shape struct {
	DP       int // columns of a head, a multiple of 16
	LDQ, LDO int // floats from one row of q to the next, and of o
	LDK      int // the same for k and v; LDQ where they lie beside q
	R        int // rows of the relative table; 0 if no term reads it
	Terms    Terms
	Masked   bool // query i sees only the keys j ≤ i and j < Call.Prefix
	Pairs    bool // products are of numbers that are rounded to bfloat16, see package runtime/bf16; the tables hold pairs of them
	Mixed    int  // heads that one call computes, because their scores or probabilities are mixed; 0: one call per head
}

// LDR returns the distance, in floats, between rows of products with the relative table. A row has room for the table's rows and for a window of 16 that starts
// at any of them. The distance is not a multiple of 1 KB, which would put the rows into few sets of a cache.
func (s *Shape) LDR() int {
	ld := (s.R+width-1)/width*width + width
	if ld%256 == 0 {
		ld += width
	}
	return ld
}

// LDP returns the distance between rows of pairs of queries and keys. The kernels write them in steps of 16.
func (s *Shape) LDP() int { return (s.DP/2 + width - 1) / width * width }

// Call holds the arguments of one call. It computes rows [From, To) of one head over the N rows of one sequence, or of all heads if the form mixes them.
// Operands that the score does not use are nil.
type Call struct {
	O                   *float32 // [To-From, DP], at the place of row From
	Q, K, V             *float32 // [N, DP] at the sequence's first row and the head's first column
	KR, QR              *float32 // panels [R/16][DP][16] of the head, with R rounded up
	KRPairs, QRPairs    *int32   // the same for a shape with pairs: panels [R/16][DP/2][16]; pairs of columns
	Bias                *float32 // points at the entry of offset 0
	MixScore, MixWeight *float32 // [heads, heads], for forms that mix heads
	Index               *int32   // points at the entry of offset 0; entries rise with the offset
	Positions           *int32   // [N] rising, if rows of the sequence may be missing; nil stands for 0, 1, …
	Scratch             *float32 // [Form.Scratch(N)]
	Drop                *Drop    // of a training step; nil: nothing is dropped. Plain Go does not read it
	N, From, To         int
	Prefix              int // leading keys that all rows see, for forms with a mask
}

// Kernels holds the inner kernels of one instruction set. Each call of a kernel takes at most about 100 µs.
type Kernels struct {
	Lanes       int // floats in a vector
	TableRows   int // queries or keys that are multiplied with the same rows of a relative table
	TablePanels int // panels of the table in one call of a product

	// Keys transposes k[n, DP] into panels b[n/16][DP][16], with n rounded up. Rows from n on are copies of zero[DP].
	Keys func(b, k, zero *float32, n int)
	// Values copies v[n, DP] to b[n, DP] with adjacent rows.
	Values func(b, v *float32, n int)
	// Product computes c[m, 16·panels] = a[m, DP]·bᵀ. b is in panels, and rows of c are ldc floats apart. KeyProduct does the same for rows of keys in a.
	Product, KeyProduct func(c, a, b *float32, m, panels, ldc int)
	// Join adds cp[i, along[j-i]], pc[j, down[i-j]] and bias[j-i], where the score has these terms, to the scores s[m, n]. If the score has no products of
	// contents, it sets the scores. first points at the entry of along with the least row of the first vector of keys, least at the entry of down with the
	// least row of the first vector of queries.
	Join func(s, cp *float32, along, first *int32, pc *float32, down, least *int32, bias *float32, m, n int)
	// Softmax turns scores s[m, n] into exponentials of their distance to the largest score so far and updates the statistics.
	Softmax func(s, stats *float32, m, n int)
	// Weigh computes o[m, DP] = (sum·scale[m] + p[m, n]·v[n, DP])·factor[m]. Rows of o are ldo floats apart. If sum is nil, the sum starts at 0.
	Weigh func(o, sum, p, v, scale, factor *float32, m, n, ldo int)
}

// PairKernels holds those inner kernels of one instruction set that a shape with pairs has in place of Keys, Values, Product, KeyProduct and Weigh.
type PairKernels struct {
	// Panel, Columns and Rows round x[rows, cols] to bfloat16. Columns writes the pairs of neighbouring columns, [rows][ldp], Panel the
	// same of 16 rows side by side, [cols/2][16], and Rows the pairs of columns below each other, [rows/2][ldp], with rows rounded up.
	Panel         func(p *int32, x *float32, rows, cols, ldx int)
	Columns, Rows func(p *int32, x *float32, rows, cols, ldp, ldx int)
	// PairProduct is Product and KeyProduct for pairs: b is in panels [panels][DP/2][16], rows of a are LDP pairs apart.
	PairProduct func(c *float32, a, b *int32, m, panels, ldc int)
	// PairWeigh is Weigh for pairs: the probabilities of pairs of keys p[m, n], and the pairs of rows of their values v[n, DP].
	PairWeigh func(o, sum *float32, p, v *int32, scale, factor *float32, m, n, ldo int)
}

// Form is one attention for one instruction set.
type Form struct {
	Shape
	// Kernels are those of the instruction set. If they are zero, the form is computed in plain Go.
	Kernels
	PairKernels
	// Portable computes a call in plain Go. It leaves the probabilities of its queries in the scratch memory, [To-From, N]; where heads are mixed, it leaves
	// those of all heads, one head after the other.
	Portable func(Call)
}

// Run computes a call. Kernels read windows of adjacent rows of the relative table. So a sequence with missing rows, or an index that rises by more than 1 from
// one offset to the next, is computed in plain Go.
func (f *Form) Run(c Call) {
	if f.Softmax == nil || c.holes() || !f.blocks(&c) {
		f.strips(c, nil)
	}
}

// holes reports whether rows are missing between the first and the last row.
func (c *Call) holes() bool {
	return c.Positions != nil && int(*at(c.Positions, c.N-1)-*c.Positions) != c.N-1
}

// PortableStrip is the number of queries that plain Go computes at a time. The scratch memory holds their scores.
const PortableStrip = 16

// strips computes a call in plain Go, strip by strip, and calls after with each strip. The bits do not depend on where a strip begins.
func (f *Form) strips(c Call, after func(strip Call)) {
	o, from, to := c.O, c.From, c.To
	for i := from; i < to; i += PortableStrip {
		c.O, c.From, c.To = at(o, (i-from)*f.LDO), i, min(i+PortableStrip, to)
		f.Portable(c)
		if after != nil {
			after(c)
		}
	}
}

// Maps computes a call in plain Go and writes the probabilities to maps [N, N]. Where heads are mixed, it writes those of head h to maps + h·stride.
func (f *Form) Maps(c Call, maps *float32, stride int) {
	f.strips(c, func(strip Call) {
		size := (strip.To - strip.From) * strip.N
		for h := range max(f.Mixed, 1) {
			copy(floats(at(maps, h*stride+strip.From*strip.N), size), floats(at(strip.Scratch, h*size), size))
		}
	})
}
