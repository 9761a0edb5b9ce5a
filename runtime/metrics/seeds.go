package metrics

import "math"

// Mean returns the mean of numbers; NaN without numbers.
func Mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// Deviation returns the standard deviation of a sample: √(Σ(x-x̄)²/(n-1)). It is NaN for fewer than two numbers.
func Deviation(x []float64) float64 { return math.Sqrt(variance(x)) }

func variance(x []float64) float64 {
	m, sum := Mean(x), 0.0
	for _, v := range x {
		sum += (v - m) * (v - m)
	}
	if len(x) < 2 {
		return math.NaN()
	}
	return sum / float64(len(x)-1)
}

// Test is the result of a t-test.
type Test struct {
	T       float64 // the difference of the means in units of its standard error
	Freedom float64 // degrees of freedom
	P       float64 // two-sided: the probability of a difference at least as large if the means are equal in truth
}

// Welch compares the means of two independent samples, such as a metric over the seeds of two trainings, without the assumption that their variances are equal
// (Welch 1947): t = (x̄-ȳ)/√(s²x/n + s²y/m), with the degrees of freedom of Welch and Satterthwaite. Each sample needs two numbers; otherwise, and if neither
// varies, the result is NaN.
func Welch(x, y []float64) Test {
	a, b := variance(x)/float64(len(x)), variance(y)/float64(len(y))
	freedom := (a + b) * (a + b) / (a*a/float64(len(x)-1) + b*b/float64(len(y)-1))
	return test((Mean(x)-Mean(y))/math.Sqrt(a+b), freedom)
}

// Paired compares two samples whose numbers belong together in pairs, such as a metric of two trainings that share their seeds: t is the mean of the
// differences divided by its standard error, with n-1 degrees of freedom (Student 1908). The lists must have one length. With fewer than two pairs, and if
// the differences do not vary, the result is NaN.
func Paired(x, y []float64) Test {
	d := make([]float64, len(x))
	for i := range x {
		d[i] = x[i] - y[i]
	}
	n := float64(len(x))
	return test(Mean(d)/(Deviation(d)/math.Sqrt(n)), n-1)
}

func test(t, freedom float64) Test {
	if math.IsNaN(t) || math.IsInf(t, 0) || !(freedom > 0) {
		return Test{math.NaN(), math.NaN(), math.NaN()}
	}
	return Test{t, freedom, beta(freedom/(freedom+t*t), freedom/2, 0.5)}
}

// beta returns the regularized incomplete beta function I_x(a, b), for x from 0 to 1 and positive a and b: its continued fraction (Abramowitz and Stegun
// 26.5.8), computed by the method of Lentz as modified by Thompson and Barnett. P(|T| > t) of Student's distribution is I_x(ν/2, 1/2) at x = ν/(ν+t²)
// (26.7.1).
func beta(x, a, b float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2): // the fraction converges fast below this point
		return 1 - beta(1-x, b, a)
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	front := math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) / a
	const least = 1e-300 // in place of 0 in a denominator
	away := func(v float64) float64 {
		if math.Abs(v) < least {
			return least
		}
		return v
	}
	c, d := 1.0, 1/away(1-(a+b)*x/(a+1))
	f := d
	for m := 1.0; m < 1000; m++ {
		for _, k := range []float64{m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)), -(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1))} {
			d, c = 1/away(1+k*d), away(1+k/c)
			f *= c * d
		}
		if math.Abs(c*d-1) < 1e-16 {
			break
		}
	}
	return front * f
}
