package attention

// HeadKernels are the kernels with which an [Attend] moves heads and tables to the scratch memory, where the rows of a head lie side by side, and the kernel of
// its dropout.
type HeadKernels struct {
	// Rows sets b[n, DP] to a·factor[0]. Rows of b are ldb floats apart, of a lda.
	Rows func(b, a, factor *float32, n, ldb, lda int)
	// Panels transposes k[n, DP], whose rows are side by side, into panels b[n/16][DP][16], with n rounded up. Rows from n on are copies of zero[DP].
	Panels func(b, k, zero *float32, n int)
	// Drop sets x[m, n] to x/(1 - Rate) or 0, where state[m] holds the state of each row at its first column, see package dropout. Rows of x are LDS floats
	// apart. It is nil if nothing is dropped.
	Drop func(x *float32, state *int32, m, n int)
}

// ForwardForm is the forward pass of an [Attend] for one instruction set.
type ForwardForm struct {
	Form // computes one head of one sequence; its queries lie in the scratch memory
	HeadKernels
}

// BackwardForm is the backward pass of an [Attend] for one instruction set. All its operands lie in the scratch memory.
type BackwardForm struct {
	Form // computes the scores
	HeadKernels

	// ValueProduct computes products of gradients of results and values, as Kernels.Product does.
	ValueProduct func(c, a, b *float32, m, panels, ldc int)
	// Times adds a[m, n]·b[n, DP] to c[m, DP]. Rows of a are LDS floats apart. TableTimes does the same for rows that are LDG apart.
	Times, TableTimes func(c, a, b *float32, m, n int)
	// Turned computes c[rows, cols] = aᵀ·b with a[terms, rows] and b[terms, cols], or adds it to c if add is not 0.
	Turned func(c, a, b *float32, rows, cols, terms, lda, ldb, ldc, add int)
	// Probs multiplies each row of p[m, n] by factor[m], and adds the sum of p·dp to mean[m].
	Probs func(p, dp, factor, mean *float32, m, n int)
	// Slopes sets dp[m, n] to p·(dp - mean[m]).
	Slopes func(p, dp, mean *float32, m, n int)
	// Fold adds s[i, j] to g[i, along[j-i]]. along points at the entry of the first row and column.
	Fold func(s, g *float32, along, order *int32, m, n int)
	// FoldKeys adds s[i, j] to h[j, down[i-j]]. down points at the entry of the first row and column.
	FoldKeys func(s, h *float32, down, order *int32, m, n int)
}

// LDG returns the distance, in floats, between rows of gradients of products with the relative table. A row has room for a window on both sides of the table's
// rows.
func (s *Shape) LDG() int {
	ld := (s.R+width-1)/width*width + 2*width
	if ld%256 == 0 {
		ld += width
	}
	return ld
}

// heads moves the rows of a head between the batch and the scratch memory.
type headRows struct {
	*HeadKernels
	d, dp  int        // columns of the head, and in the scratch memory
	factor [1]float32 // by which rows are multiplied
}

// pack copies n rows from a, which are lda floats apart, to b.
func (h *headRows) pack(b []float32, a *float32, n, lda int, factor float32) {
	if n == 0 {
		return
	}
	h.factor[0] = factor
	if h.d == h.dp {
		h.Rows(&b[0], a, &h.factor[0], n, h.dp, lda)
		return
	}
	for i := range n {
		row := b[i*h.dp:][:h.dp]
		for j, x := range floats(at(a, i*lda), h.d) {
			row[j] = x * factor
		}
		clear(row[h.d:])
	}
}

// unpack copies n rows from b to a, whose rows are lda floats apart.
func (h *headRows) unpack(a *float32, b []float32, n, lda int, factor float32) {
	if n == 0 {
		return
	}
	h.factor[0] = factor
	if h.d == h.dp {
		h.Rows(a, &b[0], &h.factor[0], n, lda, h.dp)
		return
	}
	for i := range n {
		row := floats(at(a, i*lda), h.d)
		for j, x := range b[i*h.dp:][:h.d] {
			row[j] = x * factor
		}
	}
}

// add adds n rows of b to a.
func (h *headRows) add(a *float32, b []float32, n, lda int, factor float32) {
	for i := range n {
		axpy(floats(at(a, i*lda), h.d), b[i*h.dp:][:h.d], factor)
	}
}

// reach returns the rows of the relative table that sequences of up to n rows reach, in whole panels: from, to.
func (a *Attend) reach(index *int32, n int) (from, to int) {
	if !a.Terms.Indexed() || n == 0 {
		return 0, 0
	}
	lo, hi := int(*at(index, 1-n)), int(*at(index, n-1))
	return lo / width * width, min((hi+width)/width*width, a.R)
}
