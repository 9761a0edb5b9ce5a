package compiler_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/ragged/raggedtest"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/spectest"
)

// unfused compiles a spec's only emit before any pass. For train it marks what only gradients need.
func unfused(t *testing.T, text string, train bool) *compiler.Unit {
	t.Helper()
	s, faults := spec.ParseAndResolve("random.dspec", []byte(text))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{After: "build", Train: train})
	require.NoError(t, err)
	require.Empty(t, faults, text)
	require.Len(t, units, 1)
	return units[0]
}

// differentiated adds the loss of a unit, if its head has one that is compiled, and the gradients of the named values; nil stands for all parameters. of is
// the value that was differentiated, a loss or the program's result.
func differentiated(t *testing.T, u *compiler.Unit, with []string) (of string, flat []string) {
	t.Helper()
	p := u.Program
	of = p.Outputs[len(p.Outputs)-1]
	if u.Head != nil && u.Head.Loss != "" {
		faults, err := u.AddLoss(false)
		require.NoError(t, err)
		if len(faults) == 0 {
			of = compiler.StoreLoss
		}
		for _, d := range faults {
			require.Equal(t, diag.Code("not-yet"), d.Code)
			require.NotZero(t, d.Span.Line)
		}
	}
	if with == nil {
		with = compiler.Parameters(p)
	}
	flat, faults, err := compiler.Grad(p, compiler.Sweep{Of: of, With: with})
	require.NoError(t, err)
	require.Empty(t, faults)
	require.NoError(t, ir.Verify(p), "%s", ir.Print(p))
	return of, flat
}

// slope is a differentiated program together with a batch and parameters.
type slope struct {
	prog    *ir.Program
	of      string
	batch   eval.Store
	tensors drawnTensors
	sweep   compiler.Sweep // names the gradients
}

// drawn draws a batch of three sequences, and targets. Of class numbers, some are below 0, which leaves out their rows.
func drawn(r *rand.Rand, p *ir.Program, of string) *slope {
	l := p.Limits()
	b := raggedtest.Batch([]int{1, 9, 17}, l, true, r.IntN)
	s := &slope{prog: p, of: of, batch: eval.StoreOf(b, l.Delta), tensors: shapesOf(p)}
	for _, c := range p.Run {
		for _, v := range c.Region.In {
			name := ir.At(v.Name, c.First)
			if v.Kind != ir.Batch || s.batch[name] != nil {
				continue
			}
			var shape []int
			for _, d := range v.Type.Shape {
				shape = append(shape, ir.Sizes(b.Sizes()).Dim(d))
			}
			a := ir.NewArray(shape...)
			for i := range a.F {
				if a.F[i] = r.Float64(); name == compiler.GradOf(of) {
					a.F[i] /= float64(len(a.F)) // a mean, which keeps rounding errors of the result small beside its slopes
				}
			}
			if v.Type.DType == ir.I32 {
				a = ir.NewInts(shape...)
				for i := range a.I {
					a.I[i] = int32(r.IntN(2) - i%2)
					switch name {
					case compiler.StoreGroup:
						a.I[i] = int32(i / 2)
					case compiler.StoreStart, compiler.StoreEnd:
						a.I[i] = int32(r.IntN(2) * (i - 1)) // the first sequence has one token
					}
				}
			}
			s.batch[name] = a
		}
	}
	return s
}

// run evaluates the program with other numbers for some values.
func (s *slope) run(t *testing.T, other eval.Store) eval.Store {
	t.Helper()
	store := eval.Store{}
	for _, m := range []eval.Store{s.batch, other} {
		for name, a := range m {
			store[name] = a
		}
	}
	require.NoError(t, eval.Run(s.prog, store, eval.From(s.tensors)))
	return store
}

// value returns what is differentiated: a loss, or <weights, rows> with the gradient that the batch holds as weights.
func (s *slope) value(store eval.Store) float64 {
	y, w := store[s.of].Floats(), store[s.sweep.GradOf(s.of)].Floats()
	sum := 0.0
	for i := range y {
		sum += y[i] * w[i]
	}
	return sum
}

// compare compares the gradient of a value with central differences in a random direction.
func (s *slope) compare(t *testing.T, r *rand.Rand, store eval.Store, name string, flat bool) {
	t.Helper()
	x, err := s.tensors.Tensor(name)
	if err != nil {
		x = store[name]
	}
	direction := make([]float64, x.Len())
	for i := range direction {
		direction[i] = r.NormFloat64() / math.Sqrt(float64(len(direction)))
	}
	moved := func(by float64) float64 {
		y := ir.NewArray(x.Shape...)
		for i, v := range x.Floats() {
			y.F[i] = v + by*direction[i]
		}
		return s.value(s.run(t, eval.Store{name: y}))
	}
	got := 0.0
	if !flat {
		g := store[s.sweep.GradOf(name)]
		require.Equal(t, x.Shape, g.Shape, name)
		for i, v := range g.Floats() {
			got += v * direction[i]
		}
	}
	// A jump of the slope of a relu, or of a maximum, may lie between the two points. Then they are too far apart.
	want := 0.0
	for _, h := range []float64{1e-4, 1e-5, 1e-6, 1e-7} {
		up, down := moved(h), moved(-h)
		rounding := 8 * 0x1p-52 * math.Abs(up) / h
		if want = (up - down) / (2 * h); math.Abs(want-got) <= 1e-5*math.Abs(want)+1e-8+rounding {
			return
		}
	}
	t.Errorf("wrong gradient of %s (flat: %v): the slope is %v, the gradient says %v", name, flat, want, got)
}

// TestGradientsOfRandomSpecs compares the gradients of random specs, of every parameter, with central differences of the same oracle.
func TestGradientsOfRandomSpecs(t *testing.T) {
	n := draws(t)
	if testing.Short() {
		n = 6
	}
	r := rand.New(rand.NewPCG(23, 29))
	losses := 0
	for range n {
		text, _ := spectest.Random(r)
		seed := rand.New(rand.NewPCG(r.Uint64(), 1))
		u := unfused(t, text, false) // a frozen row of padding is no derivative
		of, flat := differentiated(t, u, nil)
		if of == compiler.StoreLoss {
			losses++
		}
		s := drawn(seed, u.Program, of)
		store := s.run(t, nil)
		for _, name := range compiler.Parameters(u.Program) {
			s.compare(t, seed, store, name, slices.Contains(flat, name))
		}
		if t.Failed() {
			t.Fatal(text)
		}
	}
	require.NotZero(t, losses)
}

// TestLosses compares the losses of all kinds of heads with their formulas, and the gradient of a loss by itself with 1.
func TestLosses(t *testing.T) {
	logOf := func(z []float64, at int) float64 { // log softmax
		sum := 0.0
		for _, v := range z {
			sum += math.Exp(v)
		}
		return z[at] - math.Log(sum)
	}
	classes := func(s eval.Store, c int) float64 {
		sum, n := 0.0, 0.0
		for i, y := range s[compiler.StoreTarget].I {
			if y >= 0 {
				sum, n = sum-logOf(s["logits"].F[i*c:(i+1)*c], int(y)), n+1
			}
		}
		return sum / n
	}
	each := func(f func(z, y float64) float64) func(s eval.Store) float64 {
		return func(s eval.Store) float64 {
			sum := 0.0
			for i, z := range s["logits"].F {
				sum += f(z, s[compiler.StoreTarget].F[i])
			}
			return sum / float64(len(s["logits"].F))
		}
	}
	for head, want := range map[string]func(s eval.Store) float64{
		"nli":    func(s eval.Store) float64 { return classes(s, 3) },
		"mlm":    func(s eval.Store) float64 { return classes(s, 40) },
		"many":   each(func(z, y float64) float64 { return -y*math.Log(1/(1+math.Exp(-z))) - (1-y)*math.Log(1/(1+math.Exp(z))) }),
		"amount": each(func(z, y float64) float64 { return (z - y) * (z - y) }),
		"choice": func(s eval.Store) float64 { // choices 0 and 1 belong to one question, 2 to another
			z, sum, n := s["logits"].F, 0.0, 0.0
			for i, y := range s[compiler.StoreTarget].I {
				if y >= 0 {
					sum, n = sum-logOf([][]float64{z[:2], z[2:]}[i/2], i%2), n+1
				}
			}
			return sum / n
		},
		"qa": func(s eval.Store) float64 {
			z, both := s["logits"].F, 0.0
			for c, name := range []string{compiler.StoreStart, compiler.StoreEnd} {
				sum, n := 0.0, 0.0
				for b, y := range s[name].I {
					var column []float64
					for t := s["starts"].I[b]; t < s["starts"].I[b+1]; t++ {
						column = append(column, z[2*int(t)+c])
					}
					if y >= 0 {
						sum, n = sum-logOf(column, int(y)), n+1
					}
				}
				both += sum / n / 2
			}
			return both
		},
	} {
		u := unitOf(t, head, compiler.Options{})
		of, _ := differentiated(t, u, nil)
		s := drawn(rand.New(rand.NewPCG(13, 17)), u.Program, of).run(t, nil)
		require.InDelta(t, want(s), s[compiler.StoreLoss].F[0], 1e-12, head)
		require.Equal(t, []float64{1}, s[compiler.GradOf(compiler.StoreLoss)].F)
	}
}

// TestGradientsOfLosses compares the gradients of the heads' own parameters with central differences, for all kinds of losses.
func TestGradientsOfLosses(t *testing.T) {
	for _, head := range []string{"nli", "mlm", "many", "amount", "choice", "qa", "bio", "ner", "hot", "ents", "better", "ranked"} {
		u := unitOf(t, head, compiler.Options{})
		of, flat := differentiated(t, u, nil)
		require.Equal(t, compiler.StoreLoss, of)
		require.Empty(t, flat, head)
		r := rand.New(rand.NewPCG(13, 17))
		s := drawn(r, u.Program, of)
		store := s.run(t, nil)
		require.Positive(t, store[of].F[0], head)
		for _, name := range compiler.Parameters(u.Program) {
			if strings.HasPrefix(name, "head.") {
				s.compare(t, r, store, name, false)
			}
		}
	}
}
