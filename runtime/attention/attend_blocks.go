package attention

// The steps of a strip. Each is a function with a frame, because the runtime stops a goroutine there and not in assembly.

// scores computes the exponentials of a strip's scores against a block of keys, and the gradients of its probabilities.
//
//go:noinline
func (g *gradHead) scores(a, b int, scores, slopes []float32, j, keys int) {
	m, w, panels := b-a, &g.w, (keys+width-1)/width
	w.scores = scores
	if g.Terms.QueryPosition != Absent {
		w.positions(a, b, j, keys)
	}
	if g.Terms.Content {
		g.f.Product(&scores[0], &w.q[a*g.f.DP], &g.arrays[gradKeyPanels][j*g.f.DP], m, panels, LDS)
	}
	if g.Terms.Relative() {
		w.join(a, 0, m, j, keys)
	}
	if g.Masked {
		w.hide(a, m, j, keys)
	}
	g.f.Softmax(&scores[0], &w.stats[0], m, keys)
	g.f.ValueProduct(&slopes[0], &g.arrays[gradResults][a*g.f.DP], &g.arrays[gradValuePanels][j*g.f.DP], m, panels, LDS)
	clear(slopes[m*LDS:]) // folds read whole vectors of queries
}

// block computes the gradients of a strip's scores against a block of keys, and what they add to the gradients of queries, keys, values and biases.
//
//go:noinline
func (g *gradHead) block(a, m int, scores, slopes []float32, j, keys int) {
	f, arrays, w := g.f, g.arrays, &g.w
	dp, dk, dv := f.DP, arrays[gradDK], arrays[gradDV]
	f.Slopes(&scores[0], &slopes[0], &arrays[gradMeans][0], m, keys)
	w.drop.strip(scores, a, m, j, keys)
	f.Turned(&dv[j*dp], &scores[0], &arrays[gradResults][a*dp], keys, dp, m, LDS, dp, dp, 1)
	if g.Terms.Content {
		f.Times(&arrays[gradDQ][0], &slopes[0], &w.k[j*dp], m, keys)
		f.Turned(&dk[j*dp], &slopes[0], &w.q[a*dp], keys, dp, m, LDS, dp, dp, 1)
	}
	if g.Terms.KeyPosition != Absent {
		f.Fold(&slopes[0], &arrays[gradG][width], &w.along[j-a+w.to+width-1], g.keysOrder, m, keys)
	}
	if g.Terms.QueryPosition != Absent {
		g.keyTables(a, m, slopes, j, keys)
	}
	if g.Terms.Bias {
		g.biases(a, m, slopes, j, keys)
	}
}

// biases adds the gradients of scores to those of the biases of their offsets.
func (g *gradHead) biases(a, m int, slopes []float32, j, keys int) {
	for i := range m {
		bias := floats(at(g.c.Grad.Bias, g.head*g.Gradient.Bias+a+i-j-keys+1), keys)
		for e, x := range slopes[i*LDS:][:keys] {
			bias[keys-1-e] += x
		}
	}
}

// band returns the least and the greatest row of KR that query i reads for the keys before n.
func (g *gradHead) band(i, n int) (lo, hi int32) {
	x := g.w.to + width - 1 - i // where j-i = -i
	return ends(g.w.along, g.Terms.KeyPosition == Reverse, x, x+n-1)
}

// keyBand returns the least and the greatest row of QR that key t reads for the queries [a, b).
func (g *gradHead) keyBand(t, a, b int) (lo, hi int32) {
	y := g.w.n + width - 1 - g.w.from - t // where i-j = -t
	return ends(g.w.down, g.Terms.QueryPosition == Forward, y+a, y+b-1)
}

// clearRows sets m rows of gradients of products to zero, from row lo of the table to row hi, and a window on both sides.
func (g *gradHead) clearRows(x []float32, m int, lo, hi int32) {
	ld := g.f.LDG()
	for i := range m {
		clear(x[i*ld+int(lo) : i*ld+int(hi)+1+2*width])
	}
}

// queryTables adds what the strip's sums over keys add to the gradients of queries and of KR. Queries are taken by as many as read nearly the same rows.
//
//go:noinline
func (g *gradHead) queryTables(a, m, n int) {
	f, arrays, ld := g.f, g.arrays, g.f.LDG()
	dp, sums, dq := f.DP, arrays[gradG][width:], arrays[gradDQ]
	for i := 0; i < m; i += f.TableRows {
		count := min(f.TableRows, m-i)
		lo, hi := join(g.band(a+i, n))(g.band(a+i+count-1, n))
		f.TableTimes(&dq[i*dp], &sums[i*ld+int(lo)], &arrays[gradKR][int(lo)*dp], count, int(hi-lo)+1)
	}
	g.eachTile(m, func(i int) (lo, hi int32) { return g.band(a+i, n) }, func(r, count, from, to int) {
		f.Turned(&arrays[gradDKR][r*dp], &sums[from*ld+r], &g.w.q[(a+from)*dp], count, dp, to-from, ld, dp, dp, 1)
	})
}

// keyTables folds the gradients of a strip's scores along its queries, and adds the sums' share to the gradients of a block of keys and of QR.
func (g *gradHead) keyTables(a, m int, slopes []float32, j, keys int) {
	f, arrays, ld := g.f, g.arrays, g.f.LDG()
	dp, sums := f.DP, arrays[gradH][width:]
	lo, hi := join(g.keyBand(j, a, a+m))(g.keyBand(j+keys-1, a, a+m))
	g.clearRows(arrays[gradH], keys, lo, hi)
	f.FoldKeys(&slopes[0], &sums[0], &g.w.down[a-j+g.w.n-g.w.from+width-1], g.rowsOrder, m, keys)
	for t := 0; t < keys; t += f.TableRows {
		count := min(f.TableRows, keys-t)
		lo, hi := join(g.keyBand(j+t, a, a+m))(g.keyBand(j+t+count-1, a, a+m))
		f.TableTimes(&arrays[gradDK][(j+t)*dp], &sums[t*ld+int(lo)], &arrays[gradQR][int(lo)*dp], count, int(hi-lo)+1)
	}
	g.eachTile(keys, func(t int) (lo, hi int32) { return g.keyBand(j+t, a, a+m) }, func(r, count, from, to int) {
		f.Turned(&arrays[gradDQR][r*dp], &sums[from*ld+r], &g.w.k[(j+from)*dp], count, dp, to-from, ld, dp, dp, 1)
	})
}

// join returns a function that joins two ranges of rows.
func join(lo, hi int32) func(lo, hi int32) (int32, int32) {
	return func(l, h int32) (int32, int32) { return min(lo, l), max(hi, h) }
}

// eachTile divides the rows of a table that m queries or keys read into tiles. It calls f with each tile: its first row, its number of rows, and the queries or
// keys from … to-1 that read some of them. band returns the rows of one; they all rise or all fall.
func (g *gradHead) eachTile(m int, band func(i int) (lo, hi int32), f func(r, count, from, to int)) {
	lo0, hi0 := band(0)
	lo1, hi1 := band(m - 1)
	rises := lo1 > lo0 || hi1 > hi0
	least, most := min(lo0, lo1), max(hi0, hi1)
	from, to := 0, 0 // in the order in which rows rise
	at := func(i int) (lo, hi int32) {
		if !rises {
			i = m - 1 - i
		}
		return band(i)
	}
	for r := least; r <= most; r += int32(g.f.TableRows) {
		last := min(r+int32(g.f.TableRows)-1, most)
		for from < m {
			if _, hi := at(from); hi >= r {
				break
			}
			from++
		}
		for to < m {
			if lo, _ := at(to); lo > last {
				break
			}
			to++
		}
		if from >= to {
			continue
		}
		if rises {
			f(int(r), int(last-r)+1, from, to)
		} else {
			f(int(r), int(last-r)+1, m-to, m-from)
		}
	}
}
