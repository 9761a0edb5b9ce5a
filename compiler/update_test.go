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
	"github.com/debertac/debertac/runtime/rate"
)

// schooled is a model that an optimizer trains in the oracle.
type schooled struct {
	*slope
	o       compiler.Optimizer
	tensors eval.Store // parameters and what the optimizer keeps, as they change
}

// school compiles the training step of a head of the small model, and draws its parameters.
func school(t *testing.T, head string, o compiler.Optimizer) *schooled {
	t.Helper()
	u := unitOf(t, head, compiler.Options{Train: true})
	step := compiler.Training{With: o.With, Update: func(p *ir.Program, with []string) error {
		o.With = with
		return compiler.Update(p, o)
	}}
	faults, err := u.Train(step)
	require.NoError(t, err)
	require.Empty(t, faults)
	s := &schooled{slope: drawn(rand.New(rand.NewPCG(3, 5)), u.Program, compiler.StoreLoss), o: o, tensors: eval.Store{}}
	for _, p := range u.Program.Training.Params {
		a, err := s.slope.tensors.Tensor(p.Name)
		require.NoError(t, err)
		s.tensors[p.Name] = &ir.Array{Shape: a.Shape, F: a.Floats()}
	}
	for _, k := range u.Program.Training.Updates[0].Kept {
		s.tensors[k.Name] = ir.NewArray(k.Shape...)
		if of, ok := strings.CutPrefix(k.Name, "slow."); ok {
			s.tensors[k.Name] = s.tensors[of]
		}
	}
	return s
}

// step runs a training step up to a stage, and takes over what the stages have changed. It returns the store.
func (s *schooled) step(t *testing.T, lr float64, m rate.Moments, last ir.Stage) eval.Store {
	t.Helper()
	store := eval.Store{}
	for _, from := range []eval.Store{s.batch, s.tensors} {
		for name, a := range from {
			store[name] = a
		}
	}
	store[s.o.Number(compiler.StoreRate)] = &ir.Array{Shape: []int{1}, F: []float64{lr}}
	store[s.o.Number(compiler.StoreMoments)] = &ir.Array{Shape: []int{3}, F: []float64{m.Mean, m.Root, m.Plus}}
	update := s.prog.Training.Updates[0]
	some := *s.prog
	some.Run = s.prog.Training.Gradients(s.prog)
	for stage := ir.Accumulate; stage <= last; stage++ {
		some.Run = append(some.Run, update.Calls(s.prog, stage)...)
	}
	require.NoError(t, eval.Run(&some, store))
	for _, stage := range []string{"updated.", "mixed."} {
		for next, name := range update.InPlace {
			if a := store[next]; a != nil && strings.HasPrefix(next, stage) {
				s.tensors[name] = a
			}
		}
	}
	return store
}

// follower computes the steps of an optimizer, tensor by tensor, as the papers state them.
type follower struct {
	o             compiler.Optimizer
	eps           float64
	first, second map[string][]float64
}

// follow returns the parameter after a step. t counts from 1.
func (f *follower) follow(name string, p, g []float64, lr, decay float64, t int) []float64 {
	if f.first[name] == nil {
		f.first[name], f.second[name] = make([]float64, len(p)), make([]float64, len(p))
	}
	m, v, out, way := f.first[name], f.second[name], make([]float64, len(p)), make([]float64, len(p))
	correct := func(x, beta float64) float64 { return x / (1 - math.Pow(beta, float64(t))) }
	b1, b2 := f.o.Beta1, f.o.Beta2
	for i := range p {
		if f.o.Kind == compiler.SGD {
			m[i] = f.o.Momentum*m[i] + g[i]
			way[i] = m[i] + decay*p[i]
			continue
		}
		m[i] = b1*m[i] + (1-b1)*g[i]
		v[i] = b2*v[i] + (1-b2)*g[i]*g[i]
		way[i] = correct(m[i], b1) / (math.Sqrt(correct(v[i], b2)) + f.eps)
		if f.o.Kind == compiler.RAdam {
			most := 2/(1-b2) - 1
			length := most - 2*float64(t)*math.Pow(b2, float64(t))/(1-math.Pow(b2, float64(t)))
			if length > 5 {
				way[i] *= math.Sqrt((length - 4) * (length - 2) * most / ((most - 4) * (most - 2) * length))
			} else {
				way[i] = correct(m[i], b1)
			}
		}
		way[i] += decay * p[i]
	}
	if f.o.Kind == compiler.LAMB {
		if a, b := length(p), length(way); a > 0 && b > 0 {
			lr *= a / b
		}
	}
	for i := range p {
		out[i] = p[i] - lr*way[i]
	}
	return out
}

// length returns the Euclidean norm.
func length(x []float64) float64 {
	s := 0.0
	for _, v := range x {
		s += v * v
	}
	return math.Sqrt(s)
}

// numbers returns the moments of a step, from 0.
func numbers(o compiler.Optimizer, eps float64, step int) rate.Moments {
	if o.Kind == compiler.RAdam {
		return rate.RAdam(o.Beta1, o.Beta2, eps, step)
	}
	return rate.AdamW(o.Beta1, o.Beta2, eps, true, step)
}

// TestUpdate compares the parameters after a few steps of each optimizer with what the papers' formulas return for the same gradients. RAdam's steps are
// rectified from the third on.
func TestUpdate(t *testing.T) {
	const eps, lr, clip = 1e-6, 0.01, 0.7
	plain := []string{"norm", "bias"}
	for name, o := range map[string]compiler.Optimizer{
		"adamw":    {Kind: compiler.AdamW, Beta1: 0.9, Beta2: 0.99, Decay: 0.1, Except: plain, Clip: clip},
		"radam":    {Kind: compiler.RAdam, Beta1: 0.9, Beta2: 0.75, Decay: 0.1, Except: plain, Clip: clip},
		"lamb":     {Kind: compiler.LAMB, Beta1: 0.9, Beta2: 0.99, Decay: 0.1, Except: plain, Clip: clip},
		"sgd":      {Kind: compiler.SGD, Momentum: 0.9, Decay: 0.1, Except: plain, Clip: clip},
		"plain":    {Kind: compiler.SGD},
		"layers":   {Kind: compiler.AdamW, Beta1: 0.9, Beta2: 0.99, Decay: 0.1, Except: []string{"bias"}, Layers: 0.5},
		"no moves": {Kind: compiler.AdamW, Beta1: 0, Beta2: 0, Layers: 0.5, Clip: clip},
	} {
		t.Run(name, func(t *testing.T) {
			s := school(t, "nli", o)
			f := &follower{o, eps, map[string][]float64{}, map[string][]float64{}}
			clipped := false
			for step := range 7 {
				before := eval.Store{}
				for name, a := range s.tensors {
					before[name] = a
				}
				store := s.step(t, lr, numbers(o, eps, step), ir.Apply)
				norm := 0.0
				for _, p := range s.prog.Training.Params {
					norm += math.Pow(length(store[p.Grad].F), 2)
				}
				norm = math.Sqrt(norm)
				require.InDelta(t, norm, store[s.o.Number(compiler.StoreNorm)].F[0], 1e-12*norm)
				factor := 1.0
				if o.Clip > 0 {
					factor = min(1, o.Clip/(norm+1e-6))
				}
				clipped = clipped || factor < 1
				for _, p := range s.prog.Training.Params {
					g := slices.Clone(store[p.Grad].F)
					for i := range g {
						g[i] *= factor
					}
					own := lr
					if o.Layers > 0 {
						own *= math.Pow(o.Layers, depth(p.Name))
					}
					want := f.follow(p.Name, before[p.Name].F, g, own, decayOf(o, p.Name), step+1)
					require.InDeltaSlice(t, want, s.tensors[p.Name].F, 1e-12, "step %d, %s", step, p.Name)
				}
			}
			require.Equal(t, o.Clip > 0, clipped, "the limit of the norm must matter in the test")
		})
	}
}

// depth returns the power of the factor per layer for a tensor of the small model, which has 4 layers, by its name. The convolution is beside the first one.
func depth(name string) float64 {
	var l int
	switch {
	case strings.HasPrefix(name, "head."):
		return 0
	case strings.HasPrefix(name, "conv."):
		return 4
	case strings.HasPrefix(name, "encoder."):
		l = int(name[len("encoder.")] - '0')
		return float64(4 - l)
	}
	return 5
}

// decayOf returns the decay of a tensor of the small model, by its name.
func decayOf(o compiler.Optimizer, name string) float64 {
	norm := strings.Contains(name, "norm")
	if norm && slices.Contains(o.Except, "norm") || strings.HasSuffix(name, "bias") && slices.Contains(o.Except, "bias") {
		return 0
	}
	return o.Decay
}

// TestUpdateLookahead checks that the outer step moves the slow weights by the share of the way, and that the parameters return to them.
func TestUpdateLookahead(t *testing.T) {
	o := compiler.Optimizer{Kind: compiler.SGD, Lookahead: true, Mix: 0.25}
	fast, slow := school(t, "nli", compiler.Optimizer{Kind: compiler.SGD}), school(t, "nli", o)
	start := fast.tensors["embed.token"].F
	for range 3 {
		fast.step(t, 0.1, rate.Moments{}, ir.Apply)
	}
	slow.step(t, 0.1, rate.Moments{}, ir.Apply)
	slow.step(t, 0.1, rate.Moments{}, ir.Apply)
	require.Equal(t, start, slow.tensors["slow.embed.token"].F)
	slow.step(t, 0.1, rate.Moments{}, ir.Lookahead)
	want := make([]float64, len(start))
	for i, p := range fast.tensors["embed.token"].F {
		want[i] = start[i] + 0.25*(p-start[i])
	}
	require.NotEqual(t, start, want)
	require.InDeltaSlice(t, want, slow.tensors["embed.token"].F, 1e-12)
	require.Equal(t, slow.tensors["embed.token"].F, slow.tensors["slow.embed.token"].F)
}

// TestUpdateFrozen checks that frozen tensors are in no region of the optimizer, and that a tensor which several regions read is updated once.
func TestUpdateFrozen(t *testing.T) {
	o := compiler.Optimizer{Kind: compiler.AdamW, Beta1: 0.9, Beta2: 0.99,
		With: []string{"embed.token", "encoder.3.ffn.in.weight", "head.mlm.tied.bias"}}
	s := school(t, "mlm", o)
	u := s.prog.Training.Updates[0]
	memory := map[string]int{}
	for _, name := range u.InPlace {
		memory[name]++
	}
	want := map[string]int{}
	for _, name := range o.With {
		want[name], want["first."+name], want["second."+name] = 1, 1, 1
	}
	require.Equal(t, want, memory)
	require.Len(t, u.Kept, 6)
	calls := 0
	for _, c := range u.Calls(s.prog, ir.Apply) {
		calls += c.Count
	}
	require.Equal(t, 3, calls, "one for each region that reads a trained tensor")
	for r := range ir.Steps(u.Calls(s.prog, ir.Apply)) {
		require.Len(t, r.Nodes, 1)
	}
}

// TestUpdateLayers checks that one region updates all layers that are alike.
func TestUpdateLayers(t *testing.T) {
	s := school(t, "nli", compiler.Optimizer{Kind: compiler.AdamW, Beta1: 0.9, Beta2: 0.99, Layers: 0.9})
	var list []string
	for _, c := range s.prog.Training.Updates[0].Calls(s.prog, ir.Apply) {
		list = append(list, c.Region.Name)
		if c.Region.Name == "layer_update" {
			require.Greater(t, c.Count, 1)
		}
	}
	require.Contains(t, list, "layer_update")
	require.Len(t, slices.Compact(slices.Clone(list)), len(list))
}

// TestUpdateNotFinite checks that a weight that is not a number shows in the norm, and that nothing is changed before the stage that a trainer then leaves out.
func TestUpdateNotFinite(t *testing.T) {
	for _, bad := range []float64{math.NaN(), math.Inf(1)} {
		s := school(t, "nli", compiler.Optimizer{Kind: compiler.AdamW, Beta1: 0.9, Beta2: 0.99, Clip: 1})
		w := s.tensors["encoder.1.ffn.in.weight"]
		broken := &ir.Array{Shape: w.Shape, F: slices.Clone(w.F)}
		broken.F[7] = bad
		s.tensors["encoder.1.ffn.in.weight"] = broken
		before := eval.Store{}
		for name, a := range s.tensors {
			before[name] = a
		}
		store := s.step(t, 0.1, rate.Moments{}, ir.Norm)
		norm := store[s.o.Number(compiler.StoreNorm)].F[0]
		require.True(t, math.IsNaN(norm) || math.IsInf(norm, 0))
		for name, a := range before {
			require.Same(t, a, s.tensors[name], name)
		}
	}
}

// TestUpdateTwo checks that two optimizers over one program have norms, limits and rates of their own.
func TestUpdateTwo(t *testing.T) {
	u := unitOf(t, "nli", compiler.Options{Train: true})
	optimizers := []compiler.Optimizer{{Kind: compiler.SGD, Clip: 0.5}, {Name: "top", Kind: compiler.SGD, Clip: 0.25}}
	of := func(name string) int { // the number of the optimizer that trains a tensor
		if strings.HasPrefix(name, "head.") {
			return 1
		}
		return 0
	}
	faults, err := u.Train(compiler.Training{Update: func(p *ir.Program, with []string) error {
		for i, o := range optimizers {
			o.With = slices.DeleteFunc(slices.Clone(with), func(name string) bool { return of(name) != i })
			if err := compiler.Update(p, o); err != nil {
				return err
			}
		}
		return nil
	}})
	require.NoError(t, err)
	require.Empty(t, faults)
	s := drawn(rand.New(rand.NewPCG(3, 5)), u.Program, compiler.StoreLoss)
	rates := []float64{0.1, 0.3}
	store := eval.Store{}
	for i, o := range optimizers {
		store[o.Number(compiler.StoreRate)] = &ir.Array{Shape: []int{1}, F: []float64{rates[i]}}
	}
	got := s.run(t, store)
	squares := make([]float64, 2)
	for _, p := range u.Program.Training.Params {
		squares[of(p.Name)] += math.Pow(length(got[p.Grad].F), 2)
	}
	for i, o := range optimizers {
		norm := math.Sqrt(squares[i])
		require.InDelta(t, norm, got[o.Number(compiler.StoreNorm)].F[0], 1e-12)
		require.Less(t, o.Clip, norm, "the limit must matter in the test")
		require.InDelta(t, o.Clip/(norm+1e-6), got[o.Number(compiler.StoreClip)].F[0], 1e-12)
	}
	for _, p := range u.Program.Training.Params {
		i := of(p.Name)
		before, err := s.tensors.Tensor(p.Name)
		require.NoError(t, err)
		want := slices.Clone(before.Floats())
		for k, g := range got[p.Grad].F {
			want[k] -= rates[i] * min(1, optimizers[i].Clip/(math.Sqrt(squares[i])+1e-6)) * g
		}
		require.InDeltaSlice(t, want, got[compiler.UpdatedOf(p.Name)].F, 1e-12, p.Name)
	}
}

// TestUpdateFaults checks that an optimizer without a meaning is refused.
func TestUpdateFaults(t *testing.T) {
	good := compiler.Optimizer{Kind: compiler.AdamW, Beta1: 0.9, Beta2: 0.99, With: []string{"embed.token"}}
	for want, change := range map[string]func(o *compiler.Optimizer){
		`the kind "adam" is unknown`:                          func(o *compiler.Optimizer) { o.Kind = "adam" },
		"a limit of -1 for the norm":                          func(o *compiler.Optimizer) { o.Clip = -1 },
		"a factor of 1.5 per layer":                           func(o *compiler.Optimizer) { o.Layers = 1.5 },
		"no tensor is trained":                                func(o *compiler.Optimizer) { o.With = nil },
		"embed.token is named twice":                          func(o *compiler.Optimizer) { o.With = []string{"embed.token", "embed.token"} },
		"no call of the program p computes the gradient of x": func(o *compiler.Optimizer) { o.With = []string{"x"} },
		"weights without decay are [gains]":                   func(o *compiler.Optimizer) { o.Except = []string{"gains"} },
		"beta1 is 1, not at least 0 and below 1":              func(o *compiler.Optimizer) { o.Beta1 = 1 },
		"decay is -0.5, below 0":                              func(o *compiler.Optimizer) { o.Decay = -0.5 },
		"mix is 0, not above 0":                               func(o *compiler.Optimizer) { o.Lookahead = true },
		"needs another name":                                  func(o *compiler.Optimizer) { o.Name = "again" },
	} {
		u := unitOf(t, "nli", compiler.Options{Train: true})
		_, _ = differentiated(t, u, []string{"embed.token"})
		o := good
		change(&o)
		err := compiler.Update(u.Program, o)
		if o.Name != "" {
			require.NoError(t, err)
			err = compiler.Update(u.Program, o)
		}
		require.ErrorContains(t, err, want)
	}
}
