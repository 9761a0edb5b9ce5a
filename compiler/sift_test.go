package compiler_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
	"github.com/debertac/debertac/spec/spectest"
)

// formula computes scale-invariant fine-tuning by its formulas, from forward passes of the plain program.
type formula struct {
	t       *testing.T
	f       spec.Sift
	head    *spec.Head
	plain   *ir.Program // with a delta and the head's own loss
	rest    *ir.Program // the same without the calls that compute the normalised input
	batch   eval.Store
	tensors eval.Tensors
}

// formulaOf compiles the plain program of a unit that compile returns.
func formulaOf(t *testing.T, f spec.Sift, unit *compiler.Unit) *formula {
	t.Helper()
	p := unit.Program
	faults, err := unit.AddLoss(false)
	require.NoError(t, err)
	require.Empty(t, faults)
	rest := *p
	rest.Run = slices.DeleteFunc(slices.Clone(p.Run), func(c ir.Call) bool { return c.Region.Name == "embed" })
	return &formula{t: t, f: f, head: unit.Head, plain: p, rest: &rest, tensors: shapesOf(p)}
}

// pass runs the program on a perturbed input. normed is the normalised input; nil: it is computed.
func (s *formula) pass(other eval.Store, normed *ir.Array, delta []float64) eval.Store {
	s.t.Helper()
	store, p := eval.Store{}, s.plain
	maps.Copy(store, s.batch)
	maps.Copy(store, other)
	if normed != nil {
		store["normed"], p = normed, s.rest
	}
	store["delta"] = &ir.Array{Shape: s.batch["delta"].Shape, F: delta}
	require.NoError(s.t, eval.Run(p, store, eval.From(s.tensors)))
	return store
}

// still returns a perturbation of 0.
func (s *formula) still() []float64 { return make([]float64, s.batch["delta"].Len()) }

// distributions returns the numbers of the logits that are one distribution each, with their weights. Sigmoids have no such lists.
func (s *formula) distributions(z *ir.Array) (list [][]int, weights []float64) {
	rows, columns := z.Shape[0], z.Shape[1]
	add := func(weight float64, numbers ...int) { list, weights = append(list, numbers), append(weights, weight) }
	switch {
	case s.head.As == spec.SpanEnds:
		starts := s.batch["starts"].I
		for b := range len(starts) - 1 {
			for c := range 2 {
				var numbers []int
				for t := starts[b]; t < starts[b+1]; t++ {
					numbers = append(numbers, 2*int(t)+c)
				}
				add(1/float64(2*(len(starts)-1)), numbers...)
			}
		}
	case s.head.As == spec.Choices:
		groups, questions := map[int32][]int{}, 0.0
		for i, g := range s.batch[compiler.StoreGroup].I {
			groups[g] = append(groups[g], i)
			if s.batch[compiler.StoreTarget].I[i] >= 0 {
				questions++
			}
		}
		for _, numbers := range groups {
			right := 0.0
			for _, i := range numbers {
				if s.batch[compiler.StoreTarget].I[i] >= 0 {
					right++
				}
			}
			add(right/questions, numbers...)
		}
	case columns == 1:
		var all []int
		for i := range rows {
			all = append(all, i)
		}
		add(1, all...)
	default:
		for i := range rows {
			var row []int
			for c := range columns {
				row = append(row, i*columns+c)
			}
			add(1/float64(rows), row...)
		}
	}
	return list, weights
}

// probabilities returns those of logits.
func (s *formula) probabilities(z *ir.Array) []float64 {
	p := make([]float64, z.Len())
	if tasktable.Sigmoid(s.head.Loss) {
		for i, v := range z.F {
			p[i] = 1 / (1 + math.Exp(-v))
		}
		return p
	}
	list, _ := s.distributions(z)
	for _, numbers := range list {
		sum := 0.0
		for _, i := range numbers {
			sum += math.Exp(z.F[i])
		}
		for _, i := range numbers {
			p[i] = math.Exp(z.F[i]) / sum
		}
	}
	return p
}

// cross returns the cross entropy of probabilities with logits: its mean over the rows, or its sum.
func (s *formula) cross(p []float64, z *ir.Array, sum bool) (out float64) {
	q := s.probabilities(z)
	if tasktable.Sigmoid(s.head.Loss) {
		for i := range p {
			out -= p[i]*math.Log(q[i]) + (1-p[i])*math.Log(1-q[i])
		}
		if !sum {
			out /= float64(z.Shape[0])
		}
		return out
	}
	list, weights := s.distributions(z)
	for k, numbers := range list {
		weight := weights[k]
		switch {
		case sum && s.head.As == spec.SpanEnds:
			weight = 0.5
		case sum:
			weight = 1
		}
		for _, i := range numbers {
			out -= weight * p[i] * math.Log(q[i])
		}
	}
	return out
}

// inner returns what a move of the perturbation increases.
func (s *formula) inner(clean, z *ir.Array) (out float64) {
	if s.f.Loss != "mse" {
		return s.cross(s.probabilities(clean), z, true)
	}
	for i, v := range z.F {
		out += (v - clean.F[i]) * (v - clean.F[i]) / float64(z.Len())
	}
	return out
}

// direction returns random numbers of about length 1.
func direction(r *rand.Rand, n int) []float64 {
	d := make([]float64, n)
	for i := range d {
		d[i] = r.NormFloat64() / math.Sqrt(float64(n))
	}
	return d
}

// slopeOf compares the slope of a function at 0 with that of a gradient.
func slopeOf(t *testing.T, what string, got float64, f func(by float64) float64) {
	t.Helper()
	want := 0.0
	for _, h := range []float64{1e-4, 1e-5, 1e-6, 1e-7} { // see slope.compare
		up, down := f(h), f(-h)
		rounding := 8 * 0x1p-52 * math.Abs(up) / h
		if want = (up - down) / (2 * h); math.Abs(want-got) <= 1e-5*math.Abs(want)+1e-8+rounding {
			return
		}
	}
	t.Errorf("wrong gradient of %s: the slope is %v, the gradient says %v", what, want, got)
}

// compare compares what a step computed with the formulas: moves and their gradients, the loss, and the gradients of some tensors by central differences of
// the loss in which the constants of the formulas keep their numbers.
func (s *formula) compare(r *rand.Rand, step eval.Store, params []ir.Param) {
	s.t.Helper()
	clean := s.pass(nil, nil, s.still())
	normed, z := clean["normed"], clean["logits"]
	require.InDeltaSlice(s.t, z.F, step["logits"].F, 1e-11)
	delta := s.batch["delta"].Floats()
	for k := 1; k <= s.f.Ascend; k++ {
		g, d := step[compiler.AscentAt(k)], direction(r, len(delta))
		sum := 0.0
		for i, v := range d {
			sum += v * g.F[i]
		}
		slopeOf(s.t, compiler.AscentAt(k), sum, func(by float64) float64 {
			moved := slices.Clone(delta)
			for i, v := range d {
				moved[i] += by * v
			}
			return s.inner(z, s.pass(nil, normed, moved)["logits"])
		})
		next, width := slices.Clone(delta), g.Shape[1]
		for at := 0; at < len(next); at += width {
			top := 0.0
			for _, v := range g.F[at : at+width] {
				top = math.Max(top, math.Abs(v))
			}
			for i := at; i < at+width; i++ {
				next[i] += s.f.Step * g.F[i] / (1e-6 + top)
			}
		}
		require.InDeltaSlice(s.t, next, step[compiler.DeltaAt(k)].F, 1e-12)
		delta = next
	}
	moved := s.pass(nil, normed, delta)["logits"]
	p, q := s.probabilities(z), s.probabilities(moved)
	loss := func(other eval.Store) float64 {
		clean := s.pass(other, nil, s.still())
		return clean["loss"].F[0] + s.f.Weight*(s.cross(p, s.pass(other, normed, delta)["logits"], false)+s.cross(q, clean["logits"], false))
	}
	require.InDelta(s.t, loss(nil), step["loss"].F[0], 1e-9)
	for _, param := range params {
		if param.Grad == "" {
			continue
		}
		x, err := s.tensors.Tensor(param.Name)
		require.NoError(s.t, err)
		d, sum := direction(r, x.Len()), 0.0
		for i, v := range d {
			sum += v * step[param.Grad].Floats()[i]
		}
		slopeOf(s.t, param.Name, sum, func(by float64) float64 {
			y := ir.NewArray(x.Shape...)
			for i, v := range x.Floats() {
				y.F[i] = v + by*d[i]
			}
			return loss(eval.Store{param.Name: y})
		})
	}
}

// sifted compiles a step of scale-invariant fine-tuning of a unit, and runs it.
func sifted(t *testing.T, s *formula, u *compiler.Unit, r *rand.Rand, o compiler.Training) (*ir.Program, eval.Store) {
	t.Helper()
	o.Sift = &s.f
	faults, err := u.Train(o)
	require.NoError(t, err)
	require.Empty(t, faults)
	p := u.Program
	d := drawn(r, p, compiler.StoreLoss)
	for i := range d.batch["delta"].Len() { // as small as noise is
		if i == 0 {
			d.batch["delta"] = &ir.Array{Shape: d.batch["delta"].Shape, F: d.batch["delta"].Floats()}
		}
		d.batch["delta"].F[i] = 0.1 * (d.batch["delta"].F[i] - 1)
	}
	s.batch = d.batch
	return p, d.run(t, nil)
}

// TestSift compares steps of all kinds of heads with the formulas.
func TestSift(t *testing.T) {
	for _, c := range []string{"nli symmetric_kl", "mlm kl", "qa symmetric_kl", "many kl", "amount mse", "choice kl", "nli mse"} {
		head, loss, _ := strings.Cut(c, " ")
		t.Run(c, func(t *testing.T) {
			s := formulaOf(t, spec.Sift{Noise: 0.01, Step: 0.02, Ascend: 2, Loss: loss, Weight: 3}, unitOf(t, head, compiler.Options{Perturb: true}))
			r := rand.New(rand.NewPCG(3, 5))
			trace := []string{compiler.AscentAt(1), compiler.AscentAt(2), compiler.DeltaAt(1), compiler.DeltaAt(2), "logits"}
			p, store := sifted(t, s, unitOf(t, head, compiler.Options{Perturb: true}), r, compiler.Training{Trace: trace})
			var some []ir.Param
			for _, q := range p.Training.Params {
				if strings.HasPrefix(q.Name, "embed.") || strings.HasPrefix(q.Name, "relative") || strings.HasPrefix(q.Name, "head.") ||
					strings.HasPrefix(q.Name, "encoder.2.") || strings.HasPrefix(q.Name, "conv.") {
					some = append(some, q)
				}
			}
			s.compare(r, store, some)
		})
	}
}

// TestSiftOfRandomSpecs does the same for random specs.
func TestSiftOfRandomSpecs(t *testing.T) {
	n := 3
	if os.Getenv("DEBERTAC_DRAWS") != "" {
		n = draws(t)
	}
	r := rand.New(rand.NewPCG(31, 37))
	for n > 0 {
		text, _ := spectest.Random(r)
		compile := func() *compiler.Unit {
			s, faults := spec.ParseAndResolve("random.dspec", []byte(text))
			require.Empty(t, faults)
			units, faults, err := compiler.Compile(s, compiler.Options{After: "build", Perturb: true})
			require.NoError(t, err)
			require.Empty(t, faults, text)
			return units[0]
		}
		u := compile()
		if u.Head == nil || u.Head.Loss == "" || u.Model.Embed.Norm == nil || compiler.SiftFault(u.Head) != nil || compiler.LossFault(u) != nil {
			continue
		}
		n--
		s := formulaOf(t, spec.Sift{Noise: 0.01, Step: 0.02, Ascend: 1 + r.IntN(2), Loss: []string{"kl", "mse"}[r.IntN(2)], Weight: 2}, compile())
		trace := []string{compiler.AscentAt(1), compiler.AscentAt(s.f.Ascend), compiler.DeltaAt(1), compiler.DeltaAt(s.f.Ascend), "logits"}
		p, store := sifted(t, s, u, r, compiler.Training{Trace: trace})
		s.compare(r, store, p.Training.Params)
		if t.Failed() {
			t.Fatal(text)
		}
	}
}

// TestSiftFaults checks what a training cannot have beside sift, with the line and the hint.
func TestSiftFaults(t *testing.T) {
	for _, c := range []struct{ head, batch, words, at, message, hint string }{
		{"bio", "batch 8 sequences", "", "32:1", "sift compares the probabilities of rows, but m.bio has those of chains of labels", "remove it"},
		{"amount", "batch 8 sequences in parts of 4", "", "32:1", "a softmax over the batch, which cannot be cut into parts", "batch 8 sequences"},
		{"amount", "batch 1 sequences", "", "32:1", "a softmax over the batch, which is always 1 for one text", "batch 2 sequences"},
		{"near", "batch 8 sequences", "", "32:1", "m.near computes numbers for the loss contrastive", "remove it"},
		{"nli", "batch 8 sequences in parts of 4", "", "", "", ""},
		{"amount", "batch 8 sequences", "", "", "", ""},
	} {
		_, faults, err := compiler.Compile(resolved(t, trained+`model ar like m { encoder.attention.mask j <= i }
head next on ar { take each; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
train tune on m.`+c.head+" { length 24 tokens; steps 10 steps; optimizer adamw; rate 1e-3; "+c.batch+"\n"+c.words+"\nsift { } }\n"+
			"target t { emit train tune as package \"p\" }\n"), compiler.Options{})
		require.NoError(t, err)
		if c.at == "" {
			require.False(t, faults.HasErrors(), faults)
			continue
		}
		i := slices.IndexFunc(faults, func(d *diag.Diag) bool { return strings.Contains(d.Message, c.message) })
		require.GreaterOrEqual(t, i, 0, "%v", faults)
		require.Contains(t, faults[i].String(), "test.dspec:"+c.at+":")
		require.Contains(t, faults[i].Hint, c.hint)
	}
}

// TestSiftMemory checks that a step frees what each move of the perturbation needs, and that the gradients of two passes are summed in the memory of the
// gradients: more moves need no more memory, and a step needs at most that of two passes.
func TestSiftMemory(t *testing.T) {
	activations := func(sift string) int64 {
		s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+"train tune on m.nli { batch 2 sequences; length 8 tokens; steps 9 steps; "+
			"optimizer adamw; rate 1e-3; "+sift+" }\ntarget t { emit train tune as package \"p\" }\n"))
		require.Empty(t, faults)
		units, faults, err := compiler.Compile(s, compiler.Options{})
		require.NoError(t, err)
		require.False(t, faults.HasErrors(), faults)
		p := units[0].Program
		return compiler.KeptBy(p, p.Bounds)[3].Floats
	}
	plain, one := activations(""), activations("sift { }")
	require.Greater(t, one, plain)
	require.LessOrEqual(t, float64(one), 2.2*float64(plain))
	require.LessOrEqual(t, activations("sift { ascend 4 }"), one+2*16*16) // two perturbations
}
