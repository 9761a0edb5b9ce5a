package compiler_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/tasktable"
	"github.com/debertac/debertac/spec"
	"github.com/debertac/debertac/spec/diag"
)

// trained is a small model with a convolution, a relative table, a tied head, and a classifier.
const trained = `dspec 1
model m like deberta_v3_base {
    checkpoint own
    dim vocab = 40
    dim hidden = 12
    dim heads = 2
    dim inner = 10
    dim layers = 4
    dim span = 4
    dim reach = 9
    dim seq <= 24
    encoder.conv { kernel 3; act tanh; beside layer 1 }
}
head nli on m { take first; linear hidden; act; linear 3 as labels("a", "b", "c"); loss cross_entropy }
head mlm on m { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head bare on m { take first; linear 3 as labels("a", "b", "c") }
head bio on m { take each; linear 3 as labels("O", "B-X", "I-X"); crf; loss cross_entropy }
head ner on m { take words(first); linear 8; prompt labels mark "<<ENT>>" end "<<SEP>>"; spans <= 3 markers; loss binary_cross_entropy }
head qa on m { take each; linear 2 as span; loss cross_entropy }
head many on m { take mean; linear 2 as labels("a", "b"); loss binary_cross_entropy }
head amount on m { take first; linear 1 as score; loss mean_squared_error }
head choice on m { take first; linear 1 as choices; loss cross_entropy }
head hot on m { take mean; linear 2 as labels("a", "b"); loss focal }
head ents on m { take words(mean); linear 8; dropout 0.1; lstm 6; prompt labels mark "<<ENT>>" end "<<SEP>>"; tokens start end inside; loss focal }
head near on m { take mean; loss contrastive }; head alike on m { take mean; loss cosine_similarity }
head better on m { take first; linear 1 as score; loss pairwise }
head ranked on m { take first; linear 1 as score; loss listwise }
`

// unitOf compiles one head of the small model before any pass.
func unitOf(t *testing.T, head string, o compiler.Options) *compiler.Unit {
	t.Helper()
	s, faults := spec.ParseAndResolve("small.dspec", []byte(trained+"target t { emit infer m."+head+" as package \"p\" }\n"))
	require.Empty(t, faults)
	o.After = "build"
	units, faults, err := compiler.Compile(s, o)
	require.NoError(t, err)
	require.False(t, faults.HasErrors(), faults)
	return units[0]
}

// called returns the calls of the schedule as text: the region and its layer.
func called(p *ir.Program) (list []string) {
	for r, l := range ir.Steps(p.Run) {
		list = append(list, ir.At(r.Name+" {l}", l))
	}
	return list
}

// gradients returns the named gradients of a head's loss, for one batch and one set of parameters.
func gradients(t *testing.T, head string, o compiler.Options, with ...string) (map[string][]float64, *ir.Program) {
	t.Helper()
	u := unitOf(t, head, o)
	of, flat := differentiated(t, u, with)
	require.Empty(t, flat)
	store := drawn(rand.New(rand.NewPCG(3, 5)), u.Program, of).run(t, nil)
	out := map[string][]float64{}
	for _, name := range with {
		out[name] = store[compiler.GradOf(name)].Floats()
	}
	return out, u.Program
}

// TestOnlyWanted checks that exactly the steps run that the wanted gradients need, that only regions which run for gradients keep values, and that the
// gradients have the same bits as among those of all parameters.
func TestOnlyWanted(t *testing.T) {
	all := compiler.Parameters(unitOf(t, "nli", compiler.Options{}).Program)
	whole, _ := gradients(t, "nli", compiler.Options{}, all...)
	kept := func(p *ir.Program, region string) (n int) {
		for _, v := range p.Region(region).Out {
			if strings.HasPrefix(v.Name, "kept.") {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		with []string
		run  []string // after the loss
		free []string // regions that keep nothing
	}{
		{[]string{"head.nli.linear2.bias"}, []string{"grad_seed 0", "loss_grad 0", "head_grad 0"}, []string{"embed", "layer", "layer_conv", "conv"}},
		{[]string{"encoder.2.ffn.in.weight", "encoder.3.attention.q.weight"},
			[]string{"grad_seed 0", "loss_grad 0", "head_grad 0", "layer_grad 3", "layer_grad2 2"}, []string{"embed", "layer_plain", "layer_conv", "conv"}},
		{[]string{"conv.weight"}, []string{"grad_seed 0", "loss_grad 0", "head_grad 0", "layer_grad 3", "layer_grad 2", "layer_grad 1", "layer_conv_grad 0",
			"conv_grad 0"}, []string{"embed"}},
		{[]string{"relative"}, []string{"grad_seed 0", "loss_grad 0", "head_grad 0", "layer_grad 3", "layer_grad2 2", "layer_grad2 1", "layer_conv_grad 0",
			"relative_grad 0"}, []string{"embed", "conv"}},
	} {
		got, p := gradients(t, "nli", compiler.Options{}, c.with...)
		for _, name := range c.with {
			require.Equal(t, whole[name], got[name], name)
		}
		end := slices.Index(called(p), "loss 0") + 1
		require.Equal(t, c.run, called(p)[end:], "%v", c.with)
		forward := []string{"embed 0", "relative 0", "conv 0", "layer_conv 0", "layer 1", "layer 2", "layer 3", "head 0", "loss 0"}
		if slices.Contains(c.free, "layer_plain") {
			forward[4] = "layer_plain 1"
		}
		require.Equal(t, forward, called(p)[:end], "%v", c.with)
		for _, r := range c.free {
			require.Zero(t, kept(p, r), "%v: region %s", c.with, r)
		}
	}
}

// TestGradientOfStates checks the gradient of what the embedding computes, from which those of its tensors follow, with and without these.
func TestGradientOfStates(t *testing.T) {
	const state, bias = "hidden_states.0", "embed.norm.bias"
	alone, p := gradients(t, "mlm", compiler.Options{}, state)
	require.NotContains(t, called(p), "embed_grad 0")
	both, _ := gradients(t, "mlm", compiler.Options{}, bias, state)
	require.Equal(t, alone[state], both[state])
	sums := make([]float64, len(both[bias]))
	for i, g := range alone[state] {
		sums[i%len(sums)] += g
	}
	require.InDeltaSlice(t, both[bias], sums, 1e-12)
}

// TestGradientOfPerturbation compares the gradient of the numbers that are added to the normalised input with central differences.
func TestGradientOfPerturbation(t *testing.T) {
	u := unitOf(t, "nli", compiler.Options{Perturb: true})
	of, flat := differentiated(t, u, []string{"delta"})
	require.Empty(t, flat)
	r := rand.New(rand.NewPCG(7, 11))
	s := drawn(r, u.Program, of)
	s.compare(t, r, s.run(t, nil), "delta", false)
}

// TestPaddingRow checks that the lookup does not train the row of padding, and that a tied head does.
func TestPaddingRow(t *testing.T) {
	const table, width = "embed.token", 12
	free, _ := gradients(t, "nli", compiler.Options{}, table)
	frozen, _ := gradients(t, "nli", compiler.Options{Train: true}, table)
	require.NotEqual(t, make([]float64, width), free[table][:width], "the batch must hold the token of padding")
	require.Equal(t, make([]float64, width), frozen[table][:width])
	require.Equal(t, free[table][width:], frozen[table][width:])
	tied, _ := gradients(t, "mlm", compiler.Options{Train: true}, table)
	require.NotEqual(t, make([]float64, width), tied[table][:width])
}

// TestFlat checks that a value which the result does not depend on is reported and not computed.
func TestFlat(t *testing.T) {
	u := unitOf(t, "nli", compiler.Options{})
	flat, faults, err := compiler.Grad(u.Program, compiler.Sweep{Of: "hidden_states.2",
		With: []string{"encoder.1.ffn.in.bias", "encoder.2.ffn.in.bias", "head.nli.linear1.bias"}})
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Equal(t, []string{"encoder.2.ffn.in.bias", "head.nli.linear1.bias"}, flat)
	require.NoError(t, ir.Verify(u.Program))
	require.Contains(t, called(u.Program), "layer_grad 1")
	require.NotContains(t, called(u.Program), "grad_seed 0", "the caller gives the gradient of a matrix")
}

// TestConstants checks that no gradient passes through a constant, and that others stay the same.
func TestConstants(t *testing.T) {
	names := compiler.Parameters(unitOf(t, "nli", compiler.Options{}).Program)
	whole, _ := gradients(t, "nli", compiler.Options{}, names...)
	u := unitOf(t, "nli", compiler.Options{})
	_, err := u.AddLoss(false)
	require.NoError(t, err)
	flat, faults, err := compiler.Grad(u.Program, compiler.Sweep{Of: compiler.StoreLoss, With: names, Constant: []string{"hidden_states.3", "relative.table"}})
	require.NoError(t, err)
	require.Empty(t, faults)
	store := drawn(rand.New(rand.NewPCG(3, 5)), u.Program, compiler.StoreLoss).run(t, nil)
	for _, name := range names {
		if strings.HasPrefix(name, "head.") || strings.HasPrefix(name, "encoder.3.") {
			require.Equal(t, whole[name], store[compiler.GradOf(name)].F, name)
		} else {
			require.Contains(t, flat, name)
		}
	}
}

// TestTwoSweeps checks two sweeps over one program: the second one differentiates a number that follows from gradients of the first, which is a second
// derivative.
func TestTwoSweeps(t *testing.T) {
	const bias = "head.nli.linear2.bias"
	u := unitOf(t, "nli", compiler.Options{})
	of, _ := differentiated(t, u, []string{bias})
	p := u.Program
	r := &ir.Region{Name: "square"}
	b := ir.NewBuilder(r)
	g := b.Input(compiler.GradOf(bias), ir.State, ir.Type{Shape: ir.Shape{ir.N(3)}})
	b.Output("norm", b.Op("mean", r.Pos, "", nil, b.Op("mul", r.Pos, "", nil, g, g)))
	require.NoError(t, b.Err())
	p.Regions, p.Run = append(p.Regions, r), append(p.Run, ir.Call{Region: r, Count: 1})
	w := compiler.Sweep{Of: "norm", With: []string{bias, "encoder.3.ffn.out.bias"}, Name: "second"}
	flat, faults, err := compiler.Grad(p, w)
	require.NoError(t, err)
	require.Empty(t, faults)
	require.Empty(t, flat)
	require.NoError(t, ir.Verify(p))
	random := rand.New(rand.NewPCG(3, 5))
	s := drawn(random, p, of)
	s.of, s.sweep = "norm", w
	store := s.run(t, nil)
	for _, name := range w.With {
		s.compare(t, random, store, name, false)
	}
	_, _, err = compiler.Grad(p, compiler.Sweep{Of: of, With: []string{bias}})
	require.ErrorContains(t, err, "has a value grad.loss already: the sweep needs another name")
}

// TestGradientsPrint checks that a differentiated program prints the same text each time, and that the text parses.
func TestGradientsPrint(t *testing.T) {
	text := func() string {
		_, p := gradients(t, "mlm", compiler.Options{Train: true}, compiler.Parameters(unitOf(t, "mlm", compiler.Options{}).Program)...)
		return ir.Print(p)
	}
	first := text()
	require.Equal(t, first, text())
	q, err := ir.Parse(first)
	require.NoError(t, err)
	require.NoError(t, ir.Verify(q))
}

// TestNoRule checks the fault of an op without a gradient: it has the line of the op, and it is reported once.
func TestNoRule(t *testing.T) {
	pos := diag.Span{File: "small.dspec", Line: 7, Col: 3, EndCol: 9}
	r := &ir.Region{Name: "jump"}
	b := ir.NewBuilder(r)
	x := b.Input("w.{l}", ir.Tensor, ir.Type{Shape: ir.Shape{ir.N(3)}})
	b.Output("y.{l}", b.Op("step", pos, "", nil, x))
	require.NoError(t, b.Err())
	p := &ir.Program{Name: "p", Regions: []*ir.Region{r}, Run: []ir.Call{{Region: r, Count: 2}}, Bounds: ir.Bounds{Sequences: 1, Tokens: 1, Length: 1}}
	_, faults, err := compiler.Grad(p, compiler.Sweep{Of: "y.0", With: []string{"w.0"}})
	require.NoError(t, err)
	require.Len(t, faults, 1)
	require.Equal(t, "small.dspec:7:3: no gradient is known for this statement (step: it is constant between jumps), so what it reads cannot be trained yet "+
		"[not-yet]", faults[0].String())
}

// TestUntrained checks the faults of heads that cannot be trained: each has the line of the head or step.
func TestUntrained(t *testing.T) {
	for head, want := range map[string]string{
		"bare": "small.dspec:16:1: the head bare has no loss [missing]",
		"bio": "small.dspec:17:1: the loss cross_entropy with probabilities as targets of a head for tags is not compiled, so the head cannot be trained " +
			"in this way [not-yet]",
	} {
		faults, err := unitOf(t, head, compiler.Options{}).AddLoss(head == "bio")
		require.NoError(t, err)
		require.Len(t, faults, 1)
		require.Equal(t, want, faults[0].String())
	}
	u := unitOf(t, "nli", compiler.Options{})
	u.Head = nil
	faults, err := u.AddLoss(false)
	require.NoError(t, err)
	require.ErrorContains(t, faults.Err(), "the model m has no head here, so it has no loss")
	for name, want := range map[string]string{
		"encoder.9.ffn.in.bias": "no call of the program p reads or writes a value encoder.9.ffn.in.bias",
		"ids":                   "ids is i32[T], and only floats have gradients",
		"logits":                "logits is named twice among what is differentiated, wanted and constant",
	} {
		_, _, err := compiler.Grad(unitOf(t, "nli", compiler.Options{}).Program, compiler.Sweep{Of: "logits", With: []string{name}})
		require.ErrorContains(t, err, want)
	}
}

// TestEveryFormDifferentiates checks that the gradients of all parameters exist for every model and head of the zoo, of the language's examples and of the
// samples of tasks, or that the reason why a head's loss is missing has a line.
func TestEveryFormDifferentiates(t *testing.T) {
	texts := samples(t)
	for _, name := range spec.Zoo() {
		texts[name] = "dspec 1\nmodel m like " + name + " { }\n"
	}
	for _, r := range tasktable.Table {
		if r.Sample != "" {
			texts["task "+string(r.Task)] = "dspec 1\nmodel m like deberta_v3_small { checkpoint own }\nhead h on m { " + r.Sample + " }\n"
		}
	}
	programs := 0
	for name, text := range texts {
		s, _ := spec.ParseAndResolve(name, []byte(text))
		require.NotNil(t, s, name)
		for _, m := range s.Models {
			emits := []spec.Emit{{Model: m, Package: "p"}}
			for _, h := range s.HeadsOf(m) {
				emits = append(emits, spec.Emit{Head: h, Package: "p"})
			}
			for _, e := range emits {
				one := *s
				one.Targets = []*spec.Target{{Name: "t", ISA: []string{"go"}, Weights: spec.Weights{Kind: "f32"}, Batch: 1, Tokens: 4096, Agree: 1e-4,
					Emit: []spec.Emit{e}}}
				units, faults, err := compiler.Compile(&one, compiler.Options{After: "build", Train: true})
				require.NoError(t, err)
				require.Empty(t, faults)
				_, flat := differentiated(t, units[0], nil)
				require.Less(t, len(flat), len(compiler.Parameters(units[0].Program)), name)
				programs++
			}
		}
	}
	t.Logf("%d programs", programs)
	require.Greater(t, programs, 80)
}
