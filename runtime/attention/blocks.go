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

	pairs pairs // for a shape with pairs, in place of kr, qr, keys and values

	ldr int // floats between rows of cp and pc
}

// pairs holds operands that are rounded to bfloat16.
type pairs struct {
	kr, qr                             []int32
	queries, rows, keys, values, probs []int32 // rows and keys are both the keys, in rows and in panels
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
	if t.KeyPosition != Absent && w.Pairs {
		w.pairs.kr = unsafe.Slice(c.KRPairs, table/2)
	} else if t.KeyPosition != Absent {
		w.kr = floats(c.KR, table)
	}
	if t.QueryPosition != Absent && w.Pairs {
		w.pairs.qr = unsafe.Slice(c.QRPairs, table/2)
	} else if t.QueryPosition != Absent {
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
	if w.Pairs {
		array := func(i int) []int32 { return ints(start[i], l[i]) }
		p := &w.pairs
		p.queries, p.rows, p.keys, p.values, p.probs = array(queryPairsArray), array(keyPairsArray), array(keysArray), array(valuesArray), array(probsArray)
	} else {
		w.keys = floats(start[keysArray], l[keysArray])
		w.zero = floats(start[zeroArray], l[zeroArray])
		w.values = floats(start[valuesArray], l[valuesArray])
	}
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
	if w.Pairs {
		w.packPairs(j, m)
		return
	}
	if w.Terms.Content {
		w.Keys(&w.keys[j*w.DP], &w.k[j*w.LDK], &w.zero[0], m)
	}
	w.Values(&w.values[j*w.DP], &w.v[j*w.LDK], m)
}

// packPairs does the same in pairs, and brings the keys into rows of pairs too if the relative table needs them so.
func (w *work) packPairs(j, m int) {
	k, p := w.k, &w.pairs
	for r := j; w.Terms.Content && r < j+m; r += width {
		w.Panel(&p.keys[r*w.DP/2], &k[r*w.LDK], min(width, j+m-r), w.DP, w.LDK)
	}
	if w.Terms.QueryPosition != Absent {
		w.Columns(&p.rows[j*w.LDP()], &k[j*w.LDK], m, w.DP, w.LDP(), w.LDK)
	}
	w.Rows(&p.values[j/2*w.DP], &w.v[j*w.LDK], m, w.DP, w.DP, w.LDK)
}

// roundQueries brings the queries [a, b) into pairs.
//
//go:noinline
func (w *work) roundQueries(a, b int) {
	if w.Terms.Content || w.Terms.KeyPosition != Absent {
		w.Columns(&w.pairs.queries[0], &w.q[a*w.LDQ], b-a, w.DP, w.LDP(), w.LDQ)
	}
}

// multiply computes c[first·16 …] = a[m]·bᵀ for some panels of a relative table b, from the one called first on. A panel has size numbers, or pairs.
//
//go:noinline
func multiply[E float32 | int32](product func(c *float32, a, b *E, m, panels, ldc int), c []float32, a, b []E, m, first, panels, size, ldc int) {
	product(&c[first*width], &a[0], &b[first*size], m, panels, ldc)
}

// table multiplies m rows of queries or keys with the panels of a relative table that hold the rows lo to hi.
func table[E float32 | int32](w *work, product func(c *float32, a, b *E, m, panels, ldc int), c []float32, a, b []E, m int, lo, hi int32) {
	size := width * w.DP
	if w.Pairs {
		size /= 2
	}
	for p, end := int(lo)/width, int(hi)/width+1; p < end; p += w.TablePanels {
		multiply(product, c, a, b, m, p, min(w.TablePanels, end-p), size, w.ldr)
	}
}

// queries computes queries [a, b), at most [Queries].
func (w *work) queries(a, b int) {
	if w.Pairs {
		w.roundQueries(a, b)
	}
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
		if c := w.cp[(i-a)*w.ldr:]; w.Pairs {
			table(w, w.PairProduct, c, w.pairs.queries[(i-a)*w.LDP():], w.pairs.kr, m, lo, hi)
		} else {
			table(w, w.Product, c, w.q[i*w.LDQ:], w.kr, m, lo, hi)
		}
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
		if c := w.pc[(t-j)*w.ldr:]; w.Pairs {
			table(w, w.PairProduct, c, w.pairs.rows[t*w.LDP():], w.pairs.qr, m, lo, hi)
		} else {
			table(w, w.KeyProduct, c, w.k[t*w.LDK:], w.qr, m, lo, hi)
		}
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
	switch panels := (keys + width - 1) / width; {
	case w.Terms.Content && w.Pairs:
		w.PairProduct(&w.scores[0], &w.pairs.queries[s*w.LDP()], &w.pairs.keys[j*w.DP/2], m, panels, LDS)
	case w.Terms.Content:
		w.Product(&w.scores[0], &w.q[i*w.LDQ], &w.keys[j*w.DP], m, panels, LDS)
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
	scale := &w.stats[StatScale*Queries+s]
	if w.Pairs {
		p := &w.pairs
		w.Columns(&p.probs[0], &w.scores[0], m, keys, LDProbs, LDS)
		w.PairWeigh(out, sum, &p.probs[0], &p.values[j/2*w.DP], scale, factor, m, (keys+1)/2, ldo)
		return
	}
	w.Weigh(out, sum, &w.scores[0], &w.values[j*w.DP], scale, factor, m, keys, ldo)
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
