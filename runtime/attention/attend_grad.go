package attention

// clearTables sets the gradients that are sums over sequences to zero.
func (p *plain) clearTables() {
	p.eachHead(func() {
		for r := range p.R {
			if p.Terms.KeyPosition != Absent {
				clear(p.part(p.c.Grad.KR, p.Gradient.KR, r, p.D))
			}
			if p.Terms.QueryPosition != Absent {
				clear(p.part(p.c.Grad.QR, p.Gradient.QR, r, p.D))
			}
		}
		if p.Terms.Bias {
			clear(floats(at(p.c.Grad.Bias, p.h*p.Gradient.Bias-p.Reach), 2*p.Reach+1))
		}
		if p.MixScore {
			clear(floats(at(p.c.Grad.MixScore, p.h*p.Gradient.MixScore), p.Heads))
		}
		if p.MixWeight {
			clear(floats(at(p.c.Grad.MixWeight, p.h*p.Gradient.MixWeight), p.Heads))
		}
	})
}

// grad computes the gradients of sequence s, and adds its share to those of tables and mixing matrices.
func (p *plain) grad(s int) {
	p.sequence(s)
	p.eachHead(func() {
		for j := range p.n {
			clear(p.keyGrad(j))
			clear(p.part(p.c.Grad.V, p.Gradient.V, p.first+j, p.E))
		}
	})
	p.eachStrip(func() {
		p.eachHead(p.values)
		if p.MixWeight {
			p.mixGrad(p.c.Grad.MixWeight, p.Gradient.MixWeight, p.dropped)
			p.mix(p.slopes, p.slopes, p.c.MixWeight, p.Operands.MixWeight, true)
		}
		if p.Rate > 0 {
			p.eachHead(func() { p.drop(p.slopes, p.slopes) })
		}
		p.eachHead(p.softmaxGrad)
		if p.MixScore {
			p.mixGrad(p.c.Grad.MixScore, p.Gradient.MixScore, p.scores)
			p.mix(p.slopes, p.slopes, p.c.MixScore, p.Operands.MixScore, true)
		}
		p.eachHead(p.termGrads)
	})
}

// keyGrad returns the gradient of the key of row j, which has no columns if there are no keys.
func (p *plain) keyGrad(j int) []float32 {
	if p.c.Grad.K == nil {
		return nil
	}
	return p.part(p.c.Grad.K, p.Gradient.K, p.first+j, p.D)
}

// values computes the gradient of the weights of the strip, do_i·v_j, and adds to that of the values.
func (p *plain) values() {
	for i := p.from; i < p.to; i++ {
		do := p.part(p.c.O, p.Operands.O, p.at+i-p.from, p.E)
		slope, weight, seen := p.line(p.slopes, i), p.line(p.weights, i), p.seen(i)
		for j := range seen {
			slope[j] = dot(do, p.value(j))
			axpy(p.part(p.c.Grad.V, p.Gradient.V, p.first+j, p.E), do, weight[j])
		}
		clear(slope[seen:])
	}
}

// mixGrad adds Σ slope_g·x_h to entry [g, h] of the gradient of a mixing matrix.
func (p *plain) mixGrad(grad *float32, ld int, x []float32) {
	for i := p.from; i < p.to; i++ {
		for g := range p.Heads {
			p.h = g
			slope := p.line(p.slopes, i)[:p.seen(i)]
			for h := range p.Heads {
				p.h = h
				*at(grad, g*ld+h) += dot(slope, p.line(x, i)[:len(slope)])
			}
		}
	}
}

// softmaxGrad computes the gradient of the scores from that of the probabilities, p∘(dp - Σ_j p·dp).
func (p *plain) softmaxGrad() {
	for i := p.from; i < p.to; i++ {
		slope, prob := p.line(p.slopes, i), p.line(p.probs, i)
		mean := dot(slope, prob)
		for j := range slope {
			slope[j] = prob[j] * (slope[j] - mean)
		}
	}
}

// termGrads adds the gradients of the three kinds of products, and of the biases, from those of the scores.
func (p *plain) termGrads() {
	var dq []float32
	for i := p.from; i < p.to; i++ {
		slope, seen := p.line(p.slopes, i), p.seen(i)
		if p.Terms.Bias {
			for j := range seen {
				*at(p.c.Grad.Bias, p.h*p.Gradient.Bias+p.offset(i, j)) += slope[j]
			}
		}
		for j := range seen {
			slope[j] *= p.Scale
		}
		if p.c.Grad.Q == nil {
			continue
		}
		dq = p.part(p.c.Grad.Q, p.Gradient.Q, p.at+i-p.from, p.D)
		clear(dq)
		q := p.query(i)
		if p.Terms.Content {
			for j := range seen {
				axpy(dq, p.key(j), slope[j])
				axpy(p.keyGrad(j), q, slope[j])
			}
		}
		if sign := p.Terms.KeyPosition; sign != Absent {
			lo, hi := p.between(sign, i, seen-1, i, 0)
			clear(p.products[lo : hi+1])
			for j := range seen {
				p.products[p.entry(sign, i, j)] += slope[j]
			}
			p.spread(dq, q, p.c.KR, p.c.Grad.KR, p.Operands.KR, p.Gradient.KR, lo, hi)
		}
	}
	sign := p.Terms.QueryPosition
	if sign == Absent {
		return
	}
	for j := range p.n {
		lo, hi := p.between(sign, p.from, j, p.to-1, j)
		clear(p.products[lo : hi+1])
		for i := p.from; i < p.to; i++ {
			if j < p.seen(i) {
				p.products[p.entry(sign, i, j)] += p.line(p.slopes, i)[j]
			}
		}
		p.spread(p.keyGrad(j), p.key(j), p.c.QR, p.c.Grad.QR, p.Operands.QR, p.Gradient.QR, lo, hi)
	}
}

// spread adds the gradients of the products of x with rows lo … hi of a table, whose gradients are in products.
func (p *plain) spread(dx, x []float32, table, grad *float32, ld, ldg, lo, hi int) {
	for r := lo; r <= hi; r++ {
		axpy(dx, p.part(table, ld, r, p.D), p.products[r])
		axpy(p.part(grad, ldg, r, p.D), x, p.products[r])
	}
}
