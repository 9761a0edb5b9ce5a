package kernels

import (
	"math"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
)

// activationUlps holds the bound on the error of each activation, in ulp of its result.
var activationUlps = map[string]float64{
	"exp": 1.25, "gelu": 6, "gelu_tanh": 4, "relu": 0, "sigmoid": 2.5, "silu": 3, "tanh": 4,
}

// activate returns the reference of an activation in float64; "" is the identity.
func activate(name string, x float64) float64 {
	switch name {
	case "exp":
		return math.Exp(x)
	case "gelu":
		return x * 0.5 * math.Erfc(-x/math.Sqrt2)
	case "gelu_tanh":
		return x / (1 + math.Exp(-geluTanhArgument(x)))
	case "relu":
		return max(x, 0)
	case "sigmoid":
		return 1 / (1 + math.Exp(-x))
	case "silu":
		return x / (1 + math.Exp(-x))
	case "tanh":
		return math.Tanh(x)
	}
	return x
}

// geluTanhArgument returns twice the argument of the tanh in gelu_tanh.
func geluTanhArgument(x float64) float64 {
	return 2 * math.Sqrt(2/math.Pi) * (x + 0.044715*x*x*x)
}

// activationTolerance returns the allowed error of f(x) = y: a few ulp, or, below the normal numbers, their spacing. silu and gelu_tanh multiply a sigmoid that
// has been rounded to that spacing. The exponential of gelu_tanh multiplies the four rounding errors of its argument.
func activationTolerance(name string, x, y float64) float64 {
	tol := activationUlps[name] * ulp(y)
	if name == "silu" || name == "gelu_tanh" {
		tol += math.Abs(x) * 0x1p-149
	}
	if name == "gelu_tanh" && x < 0 {
		tol += 4 * math.Abs(geluTanhArgument(x)*y) * 0x1p-24
	}
	return tol
}

// activationInputs returns numbers of every size: each exponent with random bits, a fine grid where the functions bend, and the limits in their code.
func activationInputs(n int) []float32 {
	rng := random(5)
	xs := []float32{0, float32(math.Copysign(0, -1)), 1e-45, -1e-45, 1e-40, -1e-40, 0x1p-126, -0x1p-126,
		-87, -87.5, -88, -103, -103.5, -104, -105, 88, 88.5, 89, 90, 104, 14.5, -14.5, -13, -12.9, -13.5, 10, -10, 9.01,
		1e10, -1e10, math.MaxFloat32, -math.MaxFloat32}
	for len(xs) < n {
		switch len(xs) % 3 {
		case 0:
			bits := rng.Uint32()
			if x := math.Float32frombits(bits); x == x && !math.IsInf(float64(x), 0) {
				xs = append(xs, x)
				continue
			}
			fallthrough
		case 1:
			xs = append(xs, float32(rng.Float64()*32-16))
		default:
			xs = append(xs, float32(rng.NormFloat64()))
		}
	}
	return xs[:n]
}

// TestAct compares each activation with float64 over the whole range.
func TestAct(t *testing.T) {
	eachISA(t, "act", func(t *testing.T, isa kernel.ISA) {
		for _, p := range kernel.ActSamples() {
			name := kernel.ActName(p, isa.Name)
			f := function[func(y, x *float32, m int)](t, name)
			m := 60_000/p.N + 1
			in := activationInputs(m * p.N)
			x, y := newBuffer(m*p.LDX, 1), newBuffer(m*p.LDY, 3)
			for i := range m {
				copy(x.data[i*p.LDX:], in[i*p.N:(i+1)*p.N])
			}
			f(y.p(0), x.p(0), m)
			y.checkGuards(t, m, (p.N+15)/16*16, p.LDY)
			worst, at := 0.0, 0.0
			for i := range m {
				for n := range p.N {
					v := float64(in[i*p.N+n])
					got, want := float64(y.data[i*p.LDY+n]), activate(p.Act, v)
					if float32(want) == float32(got) {
						continue
					}
					if e := math.Abs(got-want) / activationTolerance(p.Act, v, want); !(e <= worst) {
						worst, at = e, v
					}
				}
				for n := p.N; n < (p.N+15)/16*16; n++ {
					if got, want := y.data[i*p.LDY+n], float32(activate(p.Act, 0)); got != want {
						t.Fatalf("%s: pad (%d, %d) is %g, want %g", name, i, n, got, want)
					}
				}
			}
			t.Logf("%s: largest error %.2f of the allowed one, at %g", name, worst, at)
			if !(worst <= 1) {
				t.Errorf("%s: error at %g is %.3g times what is allowed", name, at, worst)
			}
		}
	})
}

// TestActSpecial checks NaN and infinities, in place.
func TestActSpecial(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	// The values at -Inf and +Inf. 0·∞ is NaN where a formula has that product.
	limits := map[string][2]float64{
		"exp": {0, inf}, "gelu": {0, inf}, "gelu_tanh": {nan, inf}, "relu": {0, inf},
		"sigmoid": {0, 1}, "silu": {nan, inf}, "tanh": {-1, 1},
	}
	eachISA(t, "act", func(t *testing.T, isa kernel.ISA) {
		for _, p := range kernel.ActSamples() {
			if p.N < 3 {
				continue
			}
			f := function[func(y, x *float32, m int)](t, kernel.ActName(p, isa.Name))
			x := newBuffer(p.LDX, 0)
			fill(x.data[:p.N], func(i int) float32 { return float32([3]float64{-inf, inf, nan}[i%3]) })
			f(x.p(0), x.p(0), 1)
			for n, got := range x.data[:p.N] {
				want := nan
				if n%3 < 2 {
					want = limits[p.Act][n%3]
				}
				if float64(got) != want && !(math.IsNaN(want) && got != got) {
					t.Fatalf("%s: f(%g) = %g, want %g", kernel.ActName(p, isa.Name), [3]float64{-inf, inf, nan}[n%3], got, want)
				}
			}
		}
	})
}
