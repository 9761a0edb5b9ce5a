package kernels

import (
	"math"
	"slices"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
	_ "github.com/debertac/debertac/ir/ops" // the references of activations
)

// activation returns the row of an activation in the table of kernels.
func activation(t testing.TB, name string) kernel.Activation {
	t.Helper()
	list := kernel.Activations()
	i := slices.IndexFunc(list, func(a kernel.Activation) bool { return a.Name == name })
	if i < 0 {
		t.Fatalf("no activation is called %q", name)
	}
	return list[i]
}

// activate returns an activation of numbers by the reference of its op; "" is the identity.
func activate(t testing.TB, name string, x ...float64) []float64 {
	t.Helper()
	if name == "" {
		return x
	}
	op := ir.Lookup(name)
	if op == nil {
		t.Fatalf("no op is called %q", name)
	}
	y, err := op.Ref(&ir.Node{Op: name}, []*ir.Array{{Shape: []int{len(x)}, F: x}})
	if err != nil {
		t.Fatal(err)
	}
	return y[0].Floats()
}

// activationTolerance returns the allowed error of f(x) = y; for "" it is 0.
func activationTolerance(t testing.TB, name string, x, y float64) float64 {
	if name == "" {
		return 0
	}
	a := activation(t, name)
	tol := a.Ulps * ulp(y)
	if a.Slack != nil {
		tol += a.Slack(x, y)
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
			exact := make([]float64, len(in))
			for i, v := range in {
				exact[i] = float64(v)
			}
			wants, pad := activate(t, p.Act, exact...), float32(activate(t, p.Act, 0)[0])
			for i := range m {
				for n := range p.N {
					v := exact[i*p.N+n]
					got, want := float64(y.data[i*p.LDY+n]), wants[i*p.N+n]
					if float32(want) == float32(got) {
						continue
					}
					if e := math.Abs(got-want) / activationTolerance(t, p.Act, v, want); !(e <= worst) {
						worst, at = e, v
					}
				}
				for n := p.N; n < (p.N+15)/16*16; n++ {
					if got := y.data[i*p.LDY+n]; got != pad {
						t.Fatalf("%s: pad (%d, %d) is %g, want %g", name, i, n, got, pad)
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
					want = activation(t, p.Act).Ends[n%3]
				}
				if float64(got) != want && !(math.IsNaN(want) && got != got) {
					t.Fatalf("%s: f(%g) = %g, want %g", kernel.ActName(p, isa.Name), [3]float64{-inf, inf, nan}[n%3], got, want)
				}
			}
		}
	})
}
