package attention

import (
	"math"
	"unsafe"
)

// plain is the state of one unit that is computed in plain Go.
type plain struct {
	*Attend
	c      *AttendCall
	h0, h1 int // heads of the unit
	h      int // the head that is computed

	seq, first, n, prefix int // the sequence: its number, first row, rows, and leading keys that all rows see

	span // the strip's rows

	// The numbers of a strip, [heads of the unit][PortableStrip][n]. Scores and probabilities share memory if nothing is between them, and so do
	// probabilities, those of which some are dropped, and weights.
	scores, probs, dropped, weights, slopes []float32
	row                                     []float32 // [heads of the unit][n], a row while it is mixed
	products                                []float32 // [R] of a row with a table, or sums for its rows
}

// plainLengths returns the lengths of the arrays for sequences of n rows: those of one strip of pairs, of a mixed row, and of products.
func (a *Attend) plainLengths(n int) (pairs, row, products int) {
	heads := 1
	if a.Mixes() {
		heads, row = a.Heads, a.Heads*n
	}
	return heads * PortableStrip * n, row, a.R
}

// plainScratch returns the length of the scratch memory for sequences of n rows.
func (a *Attend) plainScratch(n int, grad bool) int {
	pairs, row, products := a.plainLengths(n)
	count := 1
	for _, more := range []bool{a.MixScore, a.Rate > 0, a.MixWeight, grad} {
		if more {
			count++
		}
	}
	return count*pairs + row + products
}

// longest returns the greatest number of rows of a sequence.
func (c *AttendCall) longest() int {
	n := 0
	for s := range len(c.Starts) - 1 {
		n = max(n, int(c.Starts[s+1]-c.Starts[s]))
	}
	return n
}

// place divides the scratch memory into arrays for the longest sequence.
func (p *plain) place(grad bool) {
	n := p.c.longest()
	pairs, row, products := p.plainLengths(n)
	rest := floats(p.c.Scratch, p.plainScratch(n, grad))
	take := func(n int) []float32 {
		array := rest[:n:n]
		rest = rest[n:]
		return array
	}
	p.scores = take(pairs)
	p.probs = p.scores
	if p.MixScore {
		p.probs = take(pairs)
	}
	p.dropped = p.probs
	if p.Rate > 0 {
		p.dropped = take(pairs)
	}
	p.weights = p.dropped
	if p.MixWeight {
		p.weights = take(pairs)
	}
	if grad {
		p.slopes = take(pairs)
	}
	p.row, p.products = take(row), take(products)
}

// sequence begins with sequence s.
func (p *plain) sequence(s int) {
	p.seq, p.first, p.n, p.prefix = s, int(p.c.Starts[s]), int(p.c.Starts[s+1]-p.c.Starts[s]), p.c.prefix(s)
}

// eachStrip computes the weights of the sequence's values, strip by strip, and calls f with each strip.
func (p *plain) eachStrip(f func()) {
	p.eachSpan(p.c, p.seq, func(s span) {
		for i := s.from; i < s.to; i += PortableStrip {
			p.span = span{i, min(i+PortableStrip, s.to), s.at + i - s.from}
			p.eachHead(p.score)
			if p.MixScore {
				p.mix(p.probs, p.scores, p.c.MixScore, p.Operands.MixScore, false)
			}
			p.eachHead(p.softmax)
			if p.Rate > 0 {
				p.eachHead(func() { p.drop(p.dropped, p.probs) })
			}
			if p.MixWeight {
				p.mix(p.weights, p.dropped, p.c.MixWeight, p.Operands.MixWeight, false)
			}
			f()
		}
	})
}

// eachHead calls f with each head of the unit.
func (p *plain) eachHead(f func()) {
	for h := p.h0; h < p.h1; h++ {
		p.h = h
		f()
	}
}

// line returns row i of a strip's numbers for the head.
func (p *plain) line(of []float32, i int) []float32 {
	return of[((p.h-p.h0)*PortableStrip+i-p.from)*p.n:][:p.n]
}

// part returns the head's columns of row r.
func (p *plain) part(x *float32, ld, r, d int) []float32 { return floats(at(x, r*ld+p.h*d), d) }

// query returns the query of row i of the sequence.
func (p *plain) query(i int) []float32 {
	return p.part(p.c.Q, p.Operands.Q, p.at+i-p.from, p.D)
}

// key returns the key of row j of the sequence.
func (p *plain) key(j int) []float32 { return p.part(p.c.K, p.Operands.K, p.first+j, p.D) }

// value returns the value of row j of the sequence.
func (p *plain) value(j int) []float32 { return p.part(p.c.V, p.Operands.V, p.first+j, p.E) }

// seen returns the number of keys that query i sees. They are the first keys.
func (p *plain) seen(i int) int {
	if p.Masked {
		return min(p.n, max(i+1, p.prefix))
	}
	return p.n
}

// offset returns the distance of rows i and j.
func (p *plain) offset(i, j int) int {
	if p.c.Positions == nil {
		return i - j
	}
	pos := unsafe.Slice(at(p.c.Positions, p.first), p.n)
	return int(pos[i] - pos[j])
}

// entry returns the row of a relative table for rows i and j.
func (p *plain) entry(s Sign, i, j int) int { return int(*at(p.c.Index, int(s)*p.offset(i, j))) }

// between returns the least and the greatest row of a relative table for rows i0 and i1, and j0 and j1: rows rise with the offset.
func (p *plain) between(s Sign, i0, j0, i1, j1 int) (lo, hi int) {
	lo, hi = p.entry(s, i0, j0), p.entry(s, i1, j1)
	return min(lo, hi), max(lo, hi)
}

// score computes the head's scores of the strip.
func (p *plain) score() {
	for i := p.from; i < p.to; i++ {
		s := p.line(p.scores, i)
		seen := p.seen(i)
		clear(s)
		if p.Terms.Content {
			q := p.query(i)
			for j := range seen {
				s[j] = dot(q, p.key(j))
			}
		}
		if sign := p.Terms.KeyPosition; sign != Absent {
			p.table(p.query(i), p.c.KR, p.Operands.KR, sign, i, seen-1, i, 0)
			for j := range seen {
				s[j] += p.products[p.entry(sign, i, j)]
			}
		}
	}
	if sign := p.Terms.QueryPosition; sign != Absent {
		for j := range p.n {
			p.table(p.key(j), p.c.QR, p.Operands.QR, sign, p.from, j, p.to-1, j)
			for i := p.from; i < p.to; i++ {
				if j < p.seen(i) {
					p.line(p.scores, i)[j] += p.products[p.entry(sign, i, j)]
				}
			}
		}
	}
	for i := p.from; i < p.to; i++ {
		s := p.line(p.scores, i)
		for j := range p.seen(i) {
			s[j] *= p.Scale
			if p.Terms.Bias {
				s[j] += *at(p.c.Bias, p.h*p.Operands.Bias+p.offset(i, j))
			}
		}
	}
}

// table computes the products of x with the rows of a table between two pairs.
func (p *plain) table(x []float32, table *float32, ld int, s Sign, i0, j0, i1, j1 int) {
	lo, hi := p.between(s, i0, j0, i1, j1)
	for r := lo; r <= hi; r++ {
		p.products[r] = dot(x, p.part(table, ld, r, p.D))
	}
}

// softmax turns the head's scores into probabilities.
func (p *plain) softmax() {
	for i := p.from; i < p.to; i++ {
		s, seen := p.line(p.probs, i), p.seen(i)
		top := s[0]
		for _, x := range s[:seen] {
			top = max(top, x)
		}
		sum := 0.0
		for j, x := range s[:seen] {
			e := math.Exp(float64(x - top))
			s[j] = float32(e)
			sum += e
		}
		share := float32(1 / sum)
		for j := range seen {
			s[j] *= share
		}
		clear(s[seen:])
	}
}

// drop copies the head's numbers of a strip, and drops some of them. to and from may be the same.
func (p *plain) drop(to, from []float32) {
	d := p.dropOf(p.c, p.seq, p.h, nil)
	for i := p.from; i < p.to; i++ {
		row := p.line(to, i)
		copy(row, p.line(from, i))
		d.row(row[:p.seen(i)], i, 0)
	}
}

// mix computes to = w·from over the heads, or wᵀ·from if turned is set. to and from may be the same.
func (p *plain) mix(to, from []float32, w *float32, ld int, turned bool) {
	for i := p.from; i < p.to; i++ {
		clear(p.row[:p.Heads*p.n])
		for g := range p.Heads {
			for h := range p.Heads {
				p.h = h
				x := *at(w, g*ld+h)
				if turned {
					x = *at(w, h*ld+g)
				}
				axpy(p.row[g*p.n:][:p.n], p.line(from, i), x)
			}
		}
		for h := range p.Heads {
			p.h = h
			copy(p.line(to, i), p.row[h*p.n:][:p.n])
		}
	}
}

// weigh computes the strip's results.
func (p *plain) weigh() {
	p.eachHead(func() {
		for i := p.from; i < p.to; i++ {
			o := p.part(p.c.O, p.Operands.O, p.at+i-p.from, p.E)
			clear(o)
			for j, w := range p.line(p.weights, i)[:p.seen(i)] {
				axpy(o, p.value(j), w)
			}
		}
	})
}

// dot returns the product of two vectors of one length.
func dot(x, y []float32) float32 {
	var s0, s1, s2, s3 float32
	y = y[:len(x)]
	d := 0
	for ; d+4 <= len(x); d += 4 {
		a, b := x[d:d+4:d+4], y[d:d+4:d+4]
		s0 += a[0] * b[0]
		s1 += a[1] * b[1]
		s2 += a[2] * b[2]
		s3 += a[3] * b[3]
	}
	for ; d < len(x); d++ {
		s0 += x[d] * y[d]
	}
	return s0 + s1 + (s2 + s3)
}

// axpy adds x·by to y.
func axpy(y, x []float32, by float32) {
	x = x[:len(y)]
	for d := range y {
		y[d] += x[d] * by
	}
}
