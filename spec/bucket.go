package spec

import "math"

// Index returns the bucket of a distance delta = i-j, before it is clamped to the table. Log buckets (paper: DeBERTa v2, log-scaled position buckets) are
// computed in float32 as in the published models, with natural logarithms, and the division comes before the product:
//
//	|r| <= exact : r
//	|r| >  exact : sign(r) · ( ceil( log(|r|/exact) / log((reach−1)/exact) · (exact−1) ) + exact )
//
// Index is an odd function and does not stop at the reach; [Relative.Row] clamps.
func (b Bucket) Index(delta int) int {
	if b.Kind == Clamp {
		return delta
	}
	a, sign := delta, 1
	if delta < 0 {
		a, sign = -delta, -1
	}
	if a <= b.Exact {
		return delta
	}
	ratio := log32(float32(a)/float32(b.Exact)) / log32(float32(b.Reach-1)/float32(b.Exact))
	return sign * (int(math.Ceil(float64(ratio*float32(b.Exact-1)))) + b.Exact)
}

// log32 returns the natural logarithm rounded to float32.
func log32(x float32) float32 { return float32(math.Log(float64(x))) }

// Jump returns the smallest distance delta > 0 whose row is more than one above that of delta-1, or 0 if no distance has such a row. Buckets jump where they
// are narrower than a token, which happens if the reach is less than about e times the exact part. No published model is like that. Kernels that rely on rows
// that rise one by one must not be used for such a model.
func (r *Relative) Jump() int {
	for d := 1; d <= r.Bucket.Reach && r.Bucket.Kind == Log; d++ {
		if r.Row(d)-r.Row(d-1) > 1 || r.Row(1-d)-r.Row(-d) > 1 {
			return d
		}
	}
	return 0
}
