package kernels

import (
	"math"
	"slices"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
	"github.com/debertac/debertac/ir"
)

type actGradFunc = func(y, dy, x *float32, m int)

// slopeAt returns the derivative of an activation at numbers, by the reference of the op act_grad.
func slopeAt(t testing.TB, act string, x ...float64) []float64 {
	t.Helper()
	ones := make([]float64, len(x))
	for i := range ones {
		ones[i] = 1
	}
	of := func(f []float64) *ir.Array { return &ir.Array{Shape: []int{len(x)}, F: f} }
	y, err := ir.Lookup("act_grad").Ref(&ir.Node{Op: "act_grad", Attrs: []ir.Attr{{Key: "act", Value: act}}}, []*ir.Array{of(ones), of(x)})
	if err != nil {
		t.Fatal(err)
	}
	return y[0].Floats()
}

// slope returns the row of an activation in the table of derivatives.
func slope(t testing.TB, act string) kernel.Slope {
	t.Helper()
	list := kernel.Slopes()
	i := slices.IndexFunc(list, func(s kernel.Slope) bool { return s.Act == act })
	if i < 0 {
		t.Fatalf("no derivative of %q", act)
	}
	return list[i]
}

// TestEverySlope checks that the kernels know the derivative of each op that is an activation.
func TestEverySlope(t *testing.T) {
	for _, op := range ir.Ops() {
		if slices.Contains(op.Kernels, "act") {
			slope(t, op.Name)
		}
	}
}

// TestActGrad compares the gradient of each activation with float64 over the whole range, for dy of 1 and others.
func TestActGrad(t *testing.T) {
	eachISA(t, "act_grad", func(t *testing.T, isa kernel.ISA) {
		for _, p := range kernel.ActGradSamples() {
			name := kernel.ActGradName(p, isa.Name)
			f := function[actGradFunc](t, name)
			s := slope(t, p.Act)
			m := 60_000/p.N + 1
			in := activationInputs(m * p.N)
			exact := make([]float64, len(in))
			for i, v := range in {
				exact[i] = float64(v)
			}
			want := slopeAt(t, p.Act, exact...)
			x, dy, y := newBuffer(m*p.LDX, 1), newBuffer(m*p.LDD, 2), newBuffer(m*p.LDY, 3)
			for i := range m {
				copy(x.data[i*p.LDX:], in[i*p.N:(i+1)*p.N])
				fill(dy.data[i*p.LDD:i*p.LDD+p.N], func(n int) float32 { return [3]float32{1, -2, 0.5}[(i+n)%3] })
			}
			f(y.p(0), dy.p(0), x.p(0), m)
			y.checkGuards(t, m, (p.N+15)/16*16, p.LDY)
			worst, at := 0.0, 0.0
			for i := range m {
				for n := range (p.N + 15) / 16 * 16 {
					got := float64(y.data[i*p.LDY+n])
					if n >= p.N {
						if got != 0 {
							t.Fatalf("%s: pad (%d, %d) is %g, want 0", name, i, n, got)
						}
						continue
					}
					by := float64(dy.data[i*p.LDD+n])
					v, w := exact[i*p.N+n], want[i*p.N+n]
					if math.IsInf(w, 0) || math.IsNaN(w) || math.Abs(v) > 1e10 { // x² overflows in the formula
						continue
					}
					tol := s.Ulps * ulp(w)
					if s.Slack != nil {
						tol += s.Slack(v)
					}
					if float32(w*by) == float32(got) {
						continue
					}
					if e := math.Abs(got/by-w) / tol; !(e <= worst) {
						worst, at = e, v
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

// TestActGradSpecial checks NaN and infinities, in the memory of dy and in that of x.
func TestActGradSpecial(t *testing.T) {
	inf, nan := math.Inf(1), math.NaN()
	eachISA(t, "act_grad", func(t *testing.T, isa kernel.ISA) {
		for _, p := range kernel.ActGradSamples() {
			if p.N < 3 || p.LDX != p.LDY {
				continue
			}
			f := function[actGradFunc](t, kernel.ActGradName(p, isa.Name))
			for _, over := range []string{"dy", "x"} {
				x, dy := newBuffer(p.LDX, 0), newBuffer(p.LDD, 0)
				fill(x.data[:p.N], func(i int) float32 { return float32([3]float64{-inf, inf, nan}[i%3]) })
				fill(dy.data[:p.N], func(int) float32 { return 3 })
				y := map[string]*buffer{"dy": dy, "x": x}[over]
				f(y.p(0), dy.p(0), x.p(0), 1)
				for n, got := range y.data[:p.N] {
					want := nan
					if n%3 < 2 {
						want = 3 * slope(t, p.Act).Ends[n%3]
					}
					if p.Act == "relu" && n%3 == 2 { // a comparison with NaN is false
						want = 0
					}
					if float64(got) != want && !(math.IsNaN(want) && got != got) {
						t.Fatalf("%s: f'(%g)·3 = %g, want %g", kernel.ActGradName(p, isa.Name), [3]float64{-inf, inf, nan}[n%3], got, want)
					}
				}
			}
		}
	})
}
