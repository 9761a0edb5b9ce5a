package attention

import "math"

// The arrays of the backward pass with kernels, one after the other.
const (
	gradPlain    = iota // the scratch memory of plain Go
	gradKR              // position keys [R][DP]
	gradQR              // position queries times Scale
	gradKRPanels        // [R/16][DP][16]
	gradQRPanels
	gradDKR // gradients of the tables, of all sequences so far [R][DP]
	gradDQR
	gradZero    // [DP]
	gradQueries // queries times Scale [n][DP]
	gradKeys    // [n][DP]
	gradValues
	gradResults     // gradients of results
	gradDK          // gradients of keys
	gradDV          // gradients of values
	gradKeyPanels   // [n/16][DP][16]
	gradValuePanels // the same
	gradAlong       // row of KR by j-i
	gradDown        // row of QR by i-j
	gradBias        // bias by j-i
	gradDQ          // gradients of a strip's queries [strip][DP]
	gradCP          // products of a strip's queries with KR [strip][LDR]
	gradPC          // products of a block's keys with QR [Keys][LDR]
	gradG           // gradients of these products [strip][LDG]
	gradH           // [Keys][LDG]
	gradScores      // scores, then probabilities: for each block of keys [strip][LDS]
	gradSlopes      // their gradients
	gradStats       // statistics of the softmax
	gradFactors     // for each block of keys [strip]
	gradMeans       // Σ p·dp [strip]
	gradCount       // the number of arrays
)

// gradStrip returns how many queries are computed at a time against all keys of a sequence of n rows. Long strips need fewer products with relative rows, which
// neighbouring strips share; but their scores and the gradients of them should stay in the second cache, and must not grow with the square of n.
func gradStrip(n int) int {
	rows := (n + width - 1) / width * width
	return min(max(1<<16/max(rows, 1)/width*width, width), 128)
}

// gradLengths returns the length of each array for sequences of up to n rows, in floats, each a multiple of 16.
func (a *Attend) gradLengths(n int) []int {
	l := make([]int, gradCount)
	f := a.BackwardShape()
	rows := (n + width - 1) / width * width
	table, offsets := (a.R+width-1)/width*width*f.DP, 2*rows+2*width
	keys, blocks := min(rows, Keys), (rows+Keys-1)/Keys
	// A shorter sequence may have longer strips. The sizes that are products of both are at most those of the longest strip, times the rows.
	strip := min(rows, gradStrip(0))
	pairs := 0
	for m := n; m > 0; m = min(m-1, m/width*width) {
		r := (m + width - 1) / width * width
		pairs = max(pairs, min(r, gradStrip(m))*((r+Keys-1)/Keys)*LDS)
	}
	if a.Terms.KeyPosition != Absent {
		l[gradKR], l[gradKRPanels], l[gradDKR] = table, table, table
		l[gradAlong], l[gradCP], l[gradG] = offsets, strip*f.LDR(), strip*f.LDG()
	}
	if a.Terms.QueryPosition != Absent {
		l[gradQR], l[gradQRPanels], l[gradDQR] = table, table, table
		l[gradDown], l[gradPC], l[gradH] = offsets, keys*f.LDR(), keys*f.LDG()
	}
	if a.Terms.Bias {
		l[gradBias] = offsets
	}
	for _, i := range []int{gradQueries, gradKeys, gradValues, gradResults, gradDK, gradDV, gradKeyPanels, gradValuePanels} {
		l[i] = rows * f.DP
	}
	l[gradPlain] = (a.plainScratch(n, true) + width - 1) / width * width
	l[gradZero], l[gradDQ] = f.DP, strip*f.DP
	l[gradScores], l[gradSlopes] = pairs, pairs
	l[gradStats], l[gradFactors], l[gradMeans] = Stats*Queries, blocks*strip, strip
	return l
}

// backward computes the gradients of a head with kernels. Sequences with missing rows, and an index whose rows rise by more than 1, are computed in plain Go.
func (a *Attend) backward(c *AttendCall, head int) {
	f := a.Backward
	n := c.longest()
	lengths := a.gradLengths(n)
	g := &gradHead{Attend: a, f: f, c: c, head: head, arrays: divide(c.Scratch, lengths)}
	g.move = headRows{HeadKernels: &f.HeadKernels, d: a.D, dp: f.DP}
	g.values = headRows{HeadKernels: &f.HeadKernels, d: a.E, dp: f.DP}
	g.lo, g.hi = a.reach(c.Index, n)
	clear(g.arrays[gradZero])
	plainCall := *c
	plainCall.Scratch = &g.arrays[gradPlain][0]
	p := plain{Attend: a, c: &plainCall, h0: head, h1: head + 1}
	p.place(true)
	p.clearTables()
	g.tables()
	for s := range len(c.Starts) - 1 {
		if c.holes(s) || !g.sequence(s) {
			p.grad(s)
			g.shared = true
		}
	}
	g.tableGrads()
}

// gradHead is the state of the backward pass of one head.
type gradHead struct {
	*Attend
	f            *BackwardForm
	c            *AttendCall
	head         int
	arrays       [][]float32
	move, values headRows // move queries, keys and tables; values and results
	lo, hi       int      // rows of the tables that some sequence reaches
	shared       bool     // plain Go has added to the gradients of the tables

	w         work // the sequence
	first     int  // its first row
	keysOrder *int32
	rowsOrder *int32
}

// tables lays out the head's tables, and sets the sums of their gradients to zero.
func (g *gradHead) tables() {
	for _, t := range []struct {
		sign               Sign
		from               *float32
		ld                 int
		rows, panels, grad int
		factor             float32
	}{{g.Terms.KeyPosition, g.c.KR, g.Operands.KR, gradKR, gradKRPanels, gradDKR, 1},
		{g.Terms.QueryPosition, g.c.QR, g.Operands.QR, gradQR, gradQRPanels, gradDQR, g.Scale}} {
		if t.sign == Absent || g.hi == g.lo {
			continue
		}
		at0, count := g.lo*g.f.DP, g.hi-g.lo
		g.move.pack(g.arrays[t.rows][at0:], at(t.from, g.lo*t.ld+g.head*g.D), count, t.ld, t.factor)
		g.f.Panels(&g.arrays[t.panels][at0], &g.arrays[t.rows][at0], &g.arrays[gradZero][0], count)
		clear(g.arrays[t.grad][at0:][:count*g.f.DP])
	}
	order := func(rises bool) *int32 { return &OrderOf(g.f.Lanes, rises)[0] }
	g.keysOrder, g.rowsOrder = order(g.Terms.KeyPosition == Reverse), order(g.Terms.QueryPosition == Forward)
}

// tableGrads writes the sums of the tables' gradients, or adds them to what plain Go has computed.
func (g *gradHead) tableGrads() {
	write := g.move.unpack
	if g.shared {
		write = g.move.add
	}
	if g.Terms.KeyPosition != Absent {
		write(at(g.c.Grad.KR, g.lo*g.Gradient.KR+g.head*g.D), g.arrays[gradDKR][g.lo*g.f.DP:], g.hi-g.lo, g.Gradient.KR, 1)
	}
	if g.Terms.QueryPosition != Absent {
		write(at(g.c.Grad.QR, g.lo*g.Gradient.QR+g.head*g.D), g.arrays[gradDQR][g.lo*g.f.DP:], g.hi-g.lo, g.Gradient.QR, g.Scale)
	}
}

// sequence computes the gradients of sequence s. It returns false, and computes nothing, if the index does not fit the kernels.
func (g *gradHead) sequence(s int) bool {
	g.first = int(g.c.Starts[s])
	n := int(g.c.Starts[s+1]) - g.first
	if n == 0 {
		return true
	}
	a := g.arrays
	g.w = work{Form: &g.f.Form, n: n, to: n, prefix: g.c.prefix(s), drop: g.dropOf(g.c, s, g.head, g.f.Drop),
		q: a[gradQueries], k: a[gradKeys], kr: a[gradKRPanels], qr: a[gradQRPanels],
		bias: a[gradBias], cp: a[gradCP], pc: a[gradPC], stats: a[gradStats], along: view(a[gradAlong]), down: view(a[gradDown]), ldr: g.f.LDR()}
	if g.Terms.Indexed() && !g.w.offsets(g.c.Index) {
		return false
	}
	if g.Terms.Bias {
		g.w.biases(at(g.c.Bias, g.head*g.Operands.Bias))
	}
	g.load(n)
	g.eachSpan(g.c, s, func(s span) {
		height := gradStrip(n)
		parts := (s.to - s.from + height - 1) / height
		for part := range parts {
			from, to := part*(s.to-s.from)/parts, (part+1)*(s.to-s.from)/parts
			g.strip(s.from+from, s.from+to, s.at+from)
		}
	})
	if g.c.Grad.K != nil {
		g.move.unpack(at(g.c.Grad.K, g.first*g.Gradient.K+g.head*g.D), a[gradDK], n, g.Gradient.K, 1)
	}
	g.values.unpack(at(g.c.Grad.V, g.first*g.Gradient.V+g.head*g.E), a[gradDV], n, g.Gradient.V, 1)
	return true
}

// view returns an array of floats as integers.
func view(array []float32) []int32 {
	if len(array) == 0 {
		return nil
	}
	return ints(&array[0], len(array))
}

// load moves the sequence's keys and values to the scratch memory, and sets their gradients to zero.
func (g *gradHead) load(n int) {
	a, size, zero := g.arrays, n*g.f.DP, &g.arrays[gradZero][0]
	if g.c.K != nil {
		g.move.pack(a[gradKeys], at(g.c.K, g.first*g.Operands.K+g.head*g.D), n, g.Operands.K, 1)
		if g.Terms.Content {
			g.f.Panels(&a[gradKeyPanels][0], &a[gradKeys][0], zero, n)
		}
		clear(a[gradDK][:size])
	}
	g.values.pack(a[gradValues], at(g.c.V, g.first*g.Operands.V+g.head*g.E), n, g.Operands.V, 1)
	g.f.Panels(&a[gradValuePanels][0], &a[gradValues][0], zero, n)
	clear(a[gradDV][:size])
}

// strip computes the share of queries [a, b) in all gradients. Query a is row at of queries and results.
func (g *gradHead) strip(a, b, at0 int) {
	m, arrays, dp := b-a, g.arrays, g.f.DP
	if g.c.Q != nil {
		g.move.pack(arrays[gradQueries][a*dp:], at(g.c.Q, at0*g.Operands.Q+g.head*g.D), m, g.Operands.Q, g.Scale)
		clear(arrays[gradDQ][:m*dp])
	}
	g.values.pack(arrays[gradResults][a*dp:], at(g.c.O, at0*g.Operands.O+g.head*g.E), m, g.Operands.O, 1)
	n := min(g.w.n, g.w.seen(b-1)) // keys that some query sees
	rows := (m + width - 1) / width * width
	blocks := (n + Keys - 1) / Keys
	// block calls f with each block of keys: its scores, their gradients, its first key and the number of its keys.
	block := func(f func(k int, scores, slopes []float32, j, keys int)) {
		for k := range blocks {
			f(k, arrays[gradScores][k*rows*LDS:][:rows*LDS], arrays[gradSlopes][k*rows*LDS:][:rows*LDS], k*Keys, min(Keys, n-k*Keys))
		}
	}
	g.w.begin(m)
	if g.Terms.KeyPosition != Absent {
		g.w.keyPositions(a, b)
	}
	factors, means := arrays[gradFactors], arrays[gradMeans][:m]
	block(func(k int, scores, slopes []float32, j, keys int) {
		g.scores(a, b, scores, slopes, j, keys)
		copy(factors[k*rows:], g.w.stats[StatMax*Queries:][:m]) // the score to which the block's exponentials refer
	})
	for k := range blocks {
		for i := range m {
			down, share := factors[k*rows+i]-g.w.stats[StatMax*Queries+i], g.w.stats[StatInverse*Queries+i]
			if down != 0 {
				share *= float32(math.Exp(float64(down)))
			}
			factors[k*rows+i] = share
		}
	}
	clear(means)
	block(func(k int, scores, slopes []float32, j, keys int) {
		g.w.drop.strip(slopes, a, m, j, keys)
		g.f.Probs(&scores[0], &slopes[0], &factors[k*rows], &means[0], m, keys)
	})
	if g.Terms.KeyPosition != Absent {
		lo, hi := join(g.band(a, n))(g.band(b-1, n))
		g.clearRows(arrays[gradG], m, lo, hi)
	}
	block(func(_ int, scores, slopes []float32, j, keys int) { g.block(a, m, scores, slopes, j, keys) })
	if g.Terms.KeyPosition != Absent {
		g.queryTables(a, m, n)
	}
	if g.c.Q != nil {
		g.move.unpack(at(g.c.Grad.Q, at0*g.Gradient.Q+g.head*g.D), arrays[gradDQ], m, g.Gradient.Q, g.Scale)
	}
}
