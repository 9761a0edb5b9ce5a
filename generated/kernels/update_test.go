package kernels

import (
	"math"
	"testing"

	"github.com/debertac/debertac/codegen/kernel"
)

// updateCase is one call of a kernel of the family update, with its arguments by name.
type updateCase struct {
	p       kernel.UpdateParams
	n       int
	tensors map[string]*buffer   // as the kernel changes them
	before  map[string][]float64 // as they were
	numbers map[string][]float32
}

// The pointers of the rules that are not tensors, and their sizes.
var updateNumbers = map[string]int{"rate": 1, "clip": 1, "trust": 1, "moments": 3, "keep": 1}

// newUpdateCase draws n floats of each tensor. Every seventh float is a zero between rows, which all tensors have.
func newUpdateCase(p kernel.UpdateParams, names []string, n int) *updateCase {
	rng := random(uint64(n))
	c := &updateCase{p: p, n: n, tensors: map[string]*buffer{}, before: map[string][]float64{}, numbers: map[string][]float32{}}
	for i, name := range names {
		if size := updateNumbers[name]; size > 0 {
			c.numbers[name] = make([]float32, size)
			fill(c.numbers[name], func(int) float32 { return float32(0.25 + rng.Float64()) })
			continue
		}
		size := n
		if name == "y" {
			size = 1
			if p.Rule == "lamb_moments" {
				size = 2
			}
		}
		b := newBuffer(size, 16*i)
		if c.tensors[name] = b; name == "y" {
			continue
		}
		fill(b.data, func(i int) float32 {
			x := rng.NormFloat64() * math.Pow(10, float64(rng.IntN(7)-4))
			if i%7 == 6 {
				return 0
			}
			if name == "second" {
				x *= x
			}
			return float32(x)
		})
		for _, x := range b.data {
			c.before[name] = append(c.before[name], float64(x))
		}
	}
	return c
}

// call runs a kernel of any signature of the family.
func (c *updateCase) call(t testing.TB, name string, names []string) {
	t.Helper()
	var a [7]*float32
	for i, arg := range names {
		if v := c.numbers[arg]; v != nil {
			a[i] = &v[0]
		} else {
			a[i] = c.tensors[arg].p(0)
		}
	}
	updateCall(t, name, len(names))(a, c.n)
}

// updateCall returns a function that calls a kernel with its first pointers, which are count, and n.
func updateCall(t testing.TB, name string, count int) func(a [7]*float32, n int) {
	t.Helper()
	switch count {
	case 2:
		f := function[func(a, b *float32, n int)](t, name)
		return func(a [7]*float32, n int) { f(a[0], a[1], n) }
	case 3:
		f := function[func(a, b, c *float32, n int)](t, name)
		return func(a [7]*float32, n int) { f(a[0], a[1], a[2], n) }
	case 4:
		f := function[func(a, b, c, d *float32, n int)](t, name)
		return func(a [7]*float32, n int) { f(a[0], a[1], a[2], a[3], n) }
	case 5:
		f := function[func(a, b, c, d, e *float32, n int)](t, name)
		return func(a [7]*float32, n int) { f(a[0], a[1], a[2], a[3], a[4], n) }
	case 6:
		f := function[func(a, b, c, d, e, f *float32, n int)](t, name)
		return func(a [7]*float32, n int) { f(a[0], a[1], a[2], a[3], a[4], a[5], n) }
	case 7:
		f := function[func(a, b, c, d, e, f, g *float32, n int)](t, name)
		return func(a [7]*float32, n int) { f(a[0], a[1], a[2], a[3], a[4], a[5], a[6], n) }
	}
	t.Fatalf("%s has %d pointers", name, count)
	return nil
}

// number returns element at of an argument.
func (c *updateCase) number(name string, at int) float64 { return float64(c.numbers[name][at]) }

// rounding is the largest relative error of one operation.
const rounding = 0x1p-24

// expect is a value with the largest error that roundings can make.
type expect struct{ want, tol float64 }

// moments returns the next moments of float i.
func (c *updateCase) moments(i int) (first, second expect) {
	g := c.number("clip", 0) * c.before["grad"][i]
	old, add := c.p.Beta1*c.before["first"][i], (1-c.p.Beta1)*g
	first = expect{old + add, 4 * rounding * (math.Abs(old) + math.Abs(add))}
	old, add = c.p.Beta2*c.before["second"][i], (1-c.p.Beta2)*g*g
	return first, expect{old + add, 6 * rounding * (old + add)}
}

// way returns what is subtracted from parameter i, without the rate.
func (c *updateCase) way(i int, first, second expect) expect {
	root := c.number("moments", 1) * math.Sqrt(second.want)
	below := root + c.number("moments", 2)
	q, decay := c.number("moments", 0)*first.want/below, c.p.Decay*c.before["p"][i]
	tol := c.number("moments", 0)*first.tol/below + 10*rounding*(math.Abs(q)+math.Abs(decay))
	return expect{q + decay, tol}
}

// stepped returns p - by·way.
func (c *updateCase) stepped(i int, by float64, way expect) expect {
	p := c.before["p"][i]
	return expect{p - by*way.want, by*way.tol + rounding*(math.Abs(p)+4*math.Abs(by*way.want))}
}

// given returns a moment that the kernel only reads.
func (c *updateCase) given(name string, i int) expect { return expect{c.before[name][i], 0} }

// updateWants maps rules to the values that float i of each changed tensor must have.
var updateWants = map[string]func(c *updateCase, i int) map[string]expect{
	"adamw": func(c *updateCase, i int) map[string]expect {
		first, second := c.moments(i)
		return map[string]expect{"first": first, "second": second, "p": c.stepped(i, c.number("rate", 0), c.way(i, first, second))}
	},
	"lamb_moments": func(c *updateCase, i int) map[string]expect {
		first, second := c.moments(i)
		return map[string]expect{"first": first, "second": second}
	},
	"lamb": func(c *updateCase, i int) map[string]expect {
		by := c.number("rate", 0) * c.number("trust", 0)
		return map[string]expect{"p": c.stepped(i, by, c.way(i, c.given("first", i), c.given("second", i)))}
	},
	"sgd": func(c *updateCase, i int) map[string]expect {
		g := c.number("clip", 0) * c.before["grad"][i]
		d := expect{g, rounding * math.Abs(g)}
		want := map[string]expect{}
		if c.p.Momentum != 0 {
			old := c.p.Momentum * c.before["first"][i]
			d = expect{old + g, 4 * rounding * (math.Abs(old) + math.Abs(g))}
			want["first"] = d
		}
		decay := c.p.Decay * c.before["p"][i]
		want["p"] = c.stepped(i, c.number("rate", 0), expect{d.want + decay, d.tol + 4*rounding*(math.Abs(d.want)+math.Abs(decay))})
		return want
	},
	"lookahead": func(c *updateCase, i int) map[string]expect {
		p, slow := c.before["p"][i], c.before["slow"][i]
		e := expect{slow + c.p.Mix*(p-slow), 3 * rounding * (math.Abs(p) + math.Abs(slow))}
		return map[string]expect{"p": e, "slow": e}
	},
	"accumulate": func(c *updateCase, i int) map[string]expect {
		sum, g := c.before["sum"][i], c.before["grad"][i]
		return map[string]expect{"sum": {sum + g, rounding * math.Abs(sum+g)}}
	},
	"square_sum": func(*updateCase, int) map[string]expect { return nil },
}

// updateSums maps rules to the sums over all floats that they return in y.
var updateSums = map[string]func(c *updateCase, i int) []float64{
	"square_sum": func(c *updateCase, i int) []float64 { return []float64{c.before["x"][i] * c.before["x"][i]} },
	"lamb_moments": func(c *updateCase, i int) []float64 {
		d := c.way(i, expect{float64(c.tensors["first"].data[i]), 0}, expect{float64(c.tensors["second"].data[i]), 0}).want
		return []float64{c.before["p"][i] * c.before["p"][i], d * d}
	},
}

// updateKernel returns a kernel and the names of its pointers.
func updateKernel(p kernel.UpdateParams, isa kernel.ISA) (name string, args []string) {
	k := kernel.Update(p, isa)
	for _, a := range k.Params[:len(k.Params)-1] {
		args = append(args, a.Name)
	}
	return k.Name, args
}

// TestUpdate compares all updates with float64, between guards, for numbers of floats around every step of the loops. Zeros between rows stay zeros, and
// tensors that a rule does not change keep their bits.
func TestUpdate(t *testing.T) {
	eachISA(t, "update", func(t *testing.T, isa kernel.ISA) {
		for _, p := range kernel.UpdateSamples() {
			name, args := updateKernel(p, isa)
			for _, n := range []int{16, 32, 48, 64, 80, 112, 128, 240, 256, 272, 1040} {
				c := newUpdateCase(p, args, n)
				c.call(t, name, args)
				c.check(t, name)
			}
		}
	})
}

// check compares what the kernel has written.
func (c *updateCase) check(t *testing.T, name string) {
	t.Helper()
	for arg, b := range c.tensors {
		b.checkGuards(t, 1, len(b.data), len(b.data))
		for i := range c.n {
			if arg == "y" {
				break
			}
			got := float64(b.data[i])
			e, ok := updateWants[c.p.Rule](c, i)[arg]
			if !ok {
				e = expect{c.before[arg][i], 0}
			}
			if i%7 == 6 {
				e = expect{}
			}
			if !(math.Abs(got-e.want) <= e.tol) {
				t.Fatalf("%s: n = %d: %s[%d] is %g, want %g ± %g", name, c.n, arg, i, got, e.want, e.tol)
			}
		}
	}
	if sums := updateSums[c.p.Rule]; sums != nil {
		for k, got := range c.tensors["y"].data {
			want := 0.0
			for i := range c.n {
				want += sums(c, i)[k]
			}
			// A partial sum has up to n/16 terms, all of one sign.
			if tol := rounding * want * float64(16+c.n/16); !(math.Abs(float64(got)-want) <= tol) {
				t.Fatalf("%s: n = %d: sum %d is %g, want %g ± %g", name, c.n, k, got, want, tol)
			}
		}
	}
}

// TestUpdateFirstPart checks that the sum over the parts of a batch does not read what it held before the first part.
func TestUpdateFirstPart(t *testing.T) {
	eachISA(t, "update", func(t *testing.T, isa kernel.ISA) {
		name, args := updateKernel(kernel.UpdateParams{Rule: "accumulate"}, isa)
		c := newUpdateCase(kernel.UpdateParams{Rule: "accumulate"}, args, 48)
		fill(c.tensors["sum"].data, func(int) float32 { return float32(math.NaN()) })
		c.numbers["keep"][0] = 0
		c.call(t, name, args)
		for i, g := range c.before["grad"] {
			if got := float64(c.tensors["sum"].data[i]); got != g {
				t.Fatalf("%s: sum[%d] is %g, want %g", name, i, got, g)
			}
		}
	})
}

// TestUpdateNotFinite checks that one float that is not a number, or infinite, shows in the sum of squares, wherever it is.
func TestUpdateNotFinite(t *testing.T) {
	eachISA(t, "update", func(t *testing.T, isa kernel.ISA) {
		p := kernel.UpdateParams{Rule: "square_sum"}
		name, args := updateKernel(p, isa)
		for at := range 336 {
			for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
				c := newUpdateCase(p, args, 336)
				c.tensors["x"].data[at] = float32(bad)
				c.call(t, name, args)
				if got := float64(c.tensors["y"].data[0]); got-got == 0 {
					t.Fatalf("%s: the sum is %g with %g at %d", name, got, bad, at)
				}
			}
		}
	})
}

// TestUpdateFaded checks that a moment below the least normal number becomes 0, and that arithmetic after the kernel knows such numbers.
func TestUpdateFaded(t *testing.T) {
	eachISA(t, "update", func(t *testing.T, isa kernel.ISA) {
		p := kernel.UpdateParams{Rule: "adamw", Beta1: 0.9, Beta2: 0.999}
		name, args := updateKernel(p, isa)
		c := newUpdateCase(p, args, 16)
		least := float32(0x1p-126)
		fill(c.tensors["grad"].data, func(int) float32 { return 0 })
		fill(c.tensors["first"].data, func(int) float32 { return least })
		fill(c.tensors["second"].data, func(int) float32 { return least })
		c.call(t, name, args)
		for _, arg := range []string{"first", "second"} {
			if got := c.tensors[arg].data[3]; got != 0 {
				t.Fatalf("%s: %s is %g, want 0", name, arg, got)
			}
		}
		if half := least / 2; half == 0 {
			t.Fatalf("%s: numbers below the least normal one are 0 after the kernel", name)
		}
	})
}
