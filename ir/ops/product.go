package ops

import (
	"runtime"
	"sync"
)

// product returns x·wᵀ for x [m, k] and w [n, k]. Every element is one sum over k from the first to the last term, so the bits do not depend on blocks or
// goroutines.
func product(x, w []float64, m, n, k int) []float64 {
	y := make([]float64, m*n)
	const block = 32 // rows of x that stay in the cache while w is read
	jobs := make(chan [4]int, 64)
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), 1+m*n*k/(1<<16)) {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for j := range jobs {
				productBlock(y, x, w, n, k, j)
			}
		}()
	}
	cols := n
	if m <= block { // few rows: divide the columns among the goroutines instead
		cols = max(64, (n/8+3)/4*4)
	}
	for i := 0; i < m; i += block {
		for j := 0; j < n; j += cols {
			jobs <- [4]int{i, min(i+block, m), j, min(j+cols, n)}
		}
	}
	close(jobs)
	wg.Wait()
	return y
}

// productBlock computes rows at[0] … at[1]-1 and columns at[2] … at[3]-1, two rows and four columns at a time.
func productBlock(y, x, w []float64, n, k int, at [4]int) {
	j := at[2]
	for ; j+4 <= at[3]; j += 4 {
		w0, w1, w2, w3 := w[j*k:][:k], w[(j+1)*k:][:k], w[(j+2)*k:][:k], w[(j+3)*k:][:k]
		i := at[0]
		for ; i+2 <= at[1]; i += 2 {
			a, b := x[i*k:][:k], x[(i+1)*k:][:k]
			var a0, a1, a2, a3, b0, b1, b2, b3 float64
			for t, av := range a {
				bv := b[t]
				u := w0[t]
				a0 += av * u
				b0 += bv * u
				u = w1[t]
				a1 += av * u
				b1 += bv * u
				u = w2[t]
				a2 += av * u
				b2 += bv * u
				u = w3[t]
				a3 += av * u
				b3 += bv * u
			}
			ya, yb := y[i*n+j:][:4], y[(i+1)*n+j:][:4]
			ya[0], ya[1], ya[2], ya[3] = a0, a1, a2, a3
			yb[0], yb[1], yb[2], yb[3] = b0, b1, b2, b3
		}
		for ; i < at[1]; i++ {
			for c, wr := range [][]float64{w0, w1, w2, w3} {
				y[i*n+j+c] = dot(x[i*k:][:k], wr)
			}
		}
	}
	for ; j < at[3]; j++ {
		for i := at[0]; i < at[1]; i++ {
			y[i*n+j] = dot(x[i*k:][:k], w[j*k:][:k])
		}
	}
}

// dot returns the sum of the products, added from the first term to the last.
func dot(a, b []float64) float64 {
	s := 0.0
	for i, v := range a {
		s += v * b[i]
	}
	return s
}
