package attention

import (
	"math"
	"unsafe"
)

// work is the state of one call that is computed with kernels.
type work struct {
	*Form
	n, from, to, prefix int
	drop                *Drop
	o, q, k, v, kr, qr  []float32

	keys, zero, values, bias, cp, pc, scores, sum, ones, stats []float32
	along, down                                                []int32

	ldr int // floats between rows of cp and pc
}

// blocks computes a call with kernels. If the index rises by steps other than 0 and 1, it computes nothing and returns false.
func (f *Form) blocks(c *Call) bool {
	w := work{Form: f, n: c.N, from: c.From, to: c.To, prefix: c.Prefix, drop: c.Drop}
	w.operands(c)
	w.place(c.Scratch)
	if f.Terms.Bias {
		w.biases(c.Bias)
	}
	if f.Terms.Indexed() && !w.offsets(c.Index) {
		return false
	}
	w.ldr = f.LDR()
	end := w.seen(w.to - 1) // keys that some query sees
	step := end
	if end > Keys {
		step = 1 << 16 / f.DP / width * width // a quarter of a megabyte of keys and of values, from memory
	}
	for j := 0; j < end; j += step {
		w.pack(j, min(step, end-j))
	}
	parts := (w.to - w.from + Queries - 1) / Queries
	for part := range parts {
		w.queries(w.from+part*(w.to-w.from)/parts, w.from+(part+1)*(w.to-w.from)/parts)
	}
	return true
}

// operands sets the operands as slices with bounds.
func (w *work) operands(c *Call) {
	rows := func(count, ld int) int { return (count-1)*ld + w.DP }
	t := &w.Terms
	w.o, w.v = floats(c.O, rows(w.to-w.from, w.LDO)), floats(c.V, rows(w.n, w.LDK))
	if t.Content || t.KeyPosition != Absent {
		w.q = floats(c.Q, rows(w.to, w.LDQ))
	}
	if t.Content || t.QueryPosition != Absent {
		w.k = floats(c.K, rows(w.n, w.LDK))
	}
	table := (w.R + width - 1) / width * width * w.DP
	if t.KeyPosition != Absent {
		w.kr = floats(c.KR, table)
	}
	if t.QueryPosition != Absent {
		w.qr = floats(c.QR, table)
	}
}

// place divides the scratch memory into arrays.
func (w *work) place(scratch *float32) {
	l := w.lengths(w.n)
	var start [arrays]*float32
	for i, length := range l {
		start[i] = scratch
		scratch = at(scratch, length)
	}
	w.keys = floats(start[keysArray], l[keysArray])
	w.zero = floats(start[zeroArray], l[zeroArray])
	w.values = floats(start[valuesArray], l[valuesArray])
	w.along = ints(start[alongArray], l[alongArray])
	w.down = ints(start[downArray], l[downArray])
	w.bias = floats(start[biasArray], l[biasArray])
	w.cp = floats(start[cpArray], l[cpArray])
	w.pc = floats(start[pcArray], l[pcArray])
	w.scores = floats(start[scoresArray], l[scoresArray])
	w.sum = floats(start[sumArray], l[sumArray])
	w.ones = floats(start[onesArray], l[onesArray])
	w.stats = floats(start[statsArray], l[statsArray])
	clear(w.zero)
	for i := range w.ones {
		w.ones[i] = 1
	}
}

// seen returns the number of keys that query i sees. They are the first keys.
func (w *work) seen(i int) int {
	if w.Masked {
		return max(i+1, w.prefix)
	}
	return w.n
}

// biases writes the biases in the order of keys.
func (w *work) biases(bias *float32) {
	count := w.n + w.to - w.from - 1
	for e, b := range floats(at(bias, w.to-count), count) {
		w.bias[width-1+count-e] = b
	}
	repeatEnds(w.bias, count)
}

// offsets writes the relative table's rows in the order of keys and of queries. It reports whether rows rise by 0 or 1 from one offset to the next; if so, the
// rows of 16 offsets lie in a window of 16.
func (w *work) offsets(index *int32) bool {
	other := uint32(0)
	first, count := 1-w.to, w.n+w.to-w.from-1 // the first j-i and their count; the last i-j is -first
	last := 1 - count - first
	if s := w.Terms.KeyPosition; s == Reverse {
		other |= inOrder(w.along, unsafe.Slice(at(index, first), count))
	} else if s == Forward {
		other |= turned(w.along, unsafe.Slice(at(index, last), count))
	}
	if s := w.Terms.QueryPosition; s == Forward {
		other |= inOrder(w.down, unsafe.Slice(at(index, last), count))
	} else if s == Reverse {
		other |= turned(w.down, unsafe.Slice(at(index, first), count))
	}
	return other == 0
}

// inOrder copies rows to an array, after its first 16 entries. The result is 0 if each row is 0 or 1 more than the one before it.
func inOrder(to, rows []int32) (other uint32) {
	last, place := rows[0], to[width:width+len(rows)]
	for e, r := range rows {
		other |= uint32(r-last) &^ 1
		last = r
		place[e] = r
	}
	repeatEnds(to, len(rows))
	return other
}

// turned does the same as [inOrder], but begins with the last row.
func turned(to, rows []int32) (other uint32) {
	last, place := rows[0], to[width:width+len(rows)]
	for e, r := range rows {
		other |= uint32(r-last) &^ 1
		last = r
		place[len(place)-1-e] = r
	}
	repeatEnds(to, len(rows))
	return other
}

// repeatEnds repeats the first and the last of count entries 16 times, because vectors reach beyond the ends.
func repeatEnds[E float32 | int32](array []E, count int) {
	first, last := array[width], array[width-1+count]
	for e := range width {
		array[e], array[width+count+e] = first, last
	}
}

// The steps that follow call assembly. The runtime cannot stop a goroutine in assembly; it stops it where a function with a frame begins. So the steps are
// functions of their own.

// pack brings the keys of m rows from j on into panels, and their values together.
//
//go:noinline
func (w *work) pack(j, m int) {
	if w.Terms.Content {
		w.Keys(&w.keys[j*w.DP], &w.k[j*w.LDK], &w.zero[0], m)
	}
	w.Values(&w.values[j*w.DP], &w.v[j*w.LDK], m)
}

// multiply computes c[first·16 …] = a[m]·bᵀ for some panels of a relative table b, from the one called first on.
//
//go:noinline
func (w *work) multiply(product func(c, a, b *float32, m, panels, ldc int), c, a, b []float32, m, first, panels int) {
	product(&c[first*width], &a[0], &b[first*width*w.DP], m, panels, w.ldr)
}

// table multiplies m rows of queries or keys with the panels of a relative table that hold the rows lo to hi.
func (w *work) table(product func(c, a, b *float32, m, panels, ldc int), c, a, b []float32, m int, lo, hi int32) {
	for p, end := int(lo)/width, int(hi)/width+1; p < end; p += w.TablePanels {
		w.multiply(product, c, a, b, m, p, min(w.TablePanels, end-p))
	}
}

// queries computes queries [a, b), at most [Queries].
func (w *work) queries(a, b int) {
	if w.Terms.KeyPosition != Absent {
		w.keyPositions(a, b)
	}
	w.begin(b - a)
	strips := (b - a + Strip - 1) / Strip
	height := ((b-a+strips-1)/strips + width - 1) / width * width
	for j, n := 0, w.seen(b-1); j < n; j += Keys {
		keys := min(Keys, n-j)
		if w.Terms.QueryPosition != Absent {
			w.positions(a, b, j, keys)
		}
		for i := a; i < b; i += height {
			m := min(height, b-i)
			// Keys that no query of the strip sees are not computed.
			if end := w.seen(i + m - 1); j < end {
				w.strip(i, i-a, m, j, min(keys, end-j), j+keys >= end)
			}
		}
	}
}

// begin sets the statistics of m queries to those of no keys.
func (w *work) begin(m int) {
	largest := w.stats[StatMax*Queries:][:m]
	for i := range largest {
		largest[i] = -math.MaxFloat32
	}
	clear(w.stats[StatSum*Queries:][:m])
}

// keyPositions multiplies queries [a, b) with the rows of KR that they need.
func (w *work) keyPositions(a, b int) {
	for i, m, parts := a, 0, (b-a+w.TableRows-1)/w.TableRows; parts > 0; i, parts = i+m, parts-1 {
		m = (b - i + parts - 1) / parts
		x := w.to + width - 1 - i // where j-i = -i
		lo, hi := ends(w.along, w.Terms.KeyPosition == Reverse, x-m+1, x+w.seen(i+m-1)-1)
		w.table(w.Product, w.cp[(i-a)*w.ldr:], w.q[i*w.LDQ:], w.kr, m, lo, hi)
	}
}

// positions multiplies a block of keys, from j on, with the rows of QR that queries [a, b) need.
func (w *work) positions(a, b, j, keys int) {
	for t, m, parts := j, 0, (keys+w.TableRows-1)/w.TableRows; parts > 0; t, parts = t+m, parts-1 {
		m = (j + keys - t + parts - 1) / parts
		from := a // the first query that sees one of these keys
		if w.Masked && t >= w.prefix {
			from = max(a, t)
		}
		y := w.n + width - 1 - w.from - t // where i-j = -t
		lo, hi := ends(w.down, w.Terms.QueryPosition == Forward, y+from-m+1, y+b-1)
		w.table(w.KeyProduct, w.pc[(t-j)*w.ldr:], w.k[t*w.LDK:], w.qr, m, lo, hi)
	}
}

// ends returns the least and the largest row of the relative table between two entries of an index whose rows rise or fall.
func ends(index []int32, rises bool, low, high int) (lo, hi int32) {
	if !rises {
		low, high = high, low
	}
	return index[low], index[high]
}

// strip computes m queries from i on, number s of their range, against keys from j on; last is true if no later block has keys for them.
//
//go:noinline
func (w *work) strip(i, s, m, j, keys int, last bool) {
	if w.Terms.Content {
		w.Product(&w.scores[0], &w.q[i*w.LDQ], &w.keys[j*w.DP], m, (keys+width-1)/width, LDS)
	}
	if w.Terms.Relative() {
		w.join(i, s, m, j, keys)
	}
	if w.Masked {
		w.hide(i, m, j, keys)
	}
	w.Softmax(&w.scores[0], &w.stats[s], m, keys)
	w.drop.strip(w.scores, i, m, j, keys)
	var sum *float32
	if j > 0 {
		sum = &w.sum[s*w.DP]
	}
	// The last block of keys divides by the sum of exponentials. Until then, sums lie in the scratch memory.
	out, ldo, factor := &w.sum[s*w.DP], w.DP, &w.ones[0]
	if last {
		out, ldo, factor = &w.o[(i-w.from)*w.LDO], w.LDO, &w.stats[StatInverse*Queries+s]
	}
	w.Weigh(out, sum, &w.scores[0], &w.values[j*w.DP], &w.stats[StatScale*Queries+s], factor, m, keys, ldo)
}

// join adds the relative terms to a strip of scores.
func (w *work) join(i, s, m, j, keys int) {
	var cp, pc, bias *float32
	var along, first, down, least *int32
	x, y := j-i+w.to+width-1, i-j+w.n-w.from+width-1
	// If rows rise, the least row of a vector is that of its first lane.
	if sign := w.Terms.KeyPosition; sign != Absent {
		cp, along, first = &w.cp[s*w.ldr], &w.along[x], &w.along[x]
		if sign == Forward {
			first = &w.along[x+w.Lanes-1]
		}
	}
	if sign := w.Terms.QueryPosition; sign != Absent {
		pc, down, least = &w.pc[0], &w.down[y], &w.down[y]
		if sign == Reverse {
			least = &w.down[y+w.Lanes-1]
		}
	}
	if w.Terms.Bias {
		bias = &w.bias[x]
	}
	w.Join(&w.scores[0], cp, along, first, pc, down, least, bias, m, keys)
}

// hide overwrites the scores of keys from j on that queries from i on do not see. A key with probability 0 changes no bit of a sum, so a row does not depend on
// the strip that it is in.
func (w *work) hide(i, m, j, keys int) {
	low := float32(math.Inf(-1))
	for r := range m {
		row := w.scores[r*LDS:][:keys]
		for e := max(0, w.seen(i+r)-j); e < keys; e++ {
			row[e] = low
		}
	}
}
