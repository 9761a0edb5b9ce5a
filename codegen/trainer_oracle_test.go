package codegen_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/dropout"
	"github.com/debertac/debertac/runtime/rate"
	"github.com/debertac/debertac/runtime/trainer"
	"github.com/debertac/debertac/spec"
)

// steppedSpec is a small model with a classifier.
const steppedSpec = `dspec 1
model m like deberta_v3_base {
    checkpoint own
    dim vocab = 40
    dim hidden = 12
    dim heads = 2
    dim inner = 10
    dim layers = 3
    dim span = 4
    dim reach = 9
    dim seq <= 24
}
head nli on m { take first; linear hidden; act; linear 3 as labels("a", "b", "c"); loss cross_entropy }
target t { emit infer m.nli as package "p" }
`

// alsoStepped is a model that predicts masked tokens and, through another mask, the next ones.
const alsoStepped = `dspec 1
model m like deberta_v3_base {
    checkpoint own
    dim vocab = 40
    dim hidden = 12
    dim heads = 2
    dim inner = 10
    dim layers = 3
    dim span = 4
    dim reach = 9
    dim seq <= 24
    defaults { dropout 0 }
}
model ar like m { encoder.attention.mask j <= i }
head mlm on m { take masked; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
head lm on ar { take each; linear hidden; act; norm; linear vocab tied embed.token; loss cross_entropy }
train both on m.mlm {
    batch     8 sequences in parts of 4
    length    24 tokens
    steps     100 steps
    optimizer sgd(momentum: 0.9, decay: 0.01 except norm bias)
    rate      0.01 layers 0.9
    clip      0.5
    lookahead 2 steps mix 0.5
    also      ar.lm share all weight 0.5
}
target t { emit train both as package "p" }
`

// stepsMain is a program that runs steps of training packages. Each step has two parts of different sizes, of which one has a target that does not count.
const stepsMain = `package main

import (
	"context"
	"encoding/json"
	"os"

	"github.com/debertac/debertac/runtime/trainer"
IMPORTS
)

type result struct {
	Kind, ISA  string
	Begin, End map[string][]float32
	Batches    [][]*trainer.Batch
	Steps      []trainer.Result
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

func tensors(t *trainer.Trainer, p *trainer.Program) map[string][]float32 {
	out := map[string][]float32{}
	for _, q := range p.Params {
		var err error
		out[q.Name], err = t.Tensor(q.Name)
		check(err)
	}
	return out
}

func main() {
	var list []result
	for kind, p := range map[string]*trainer.Program{PROGRAMS} {
		for _, isa := range p.ISAs {
			if !isa.Supported() {
				continue
			}
			t, err := trainer.Draw(p, 1, trainer.UseISA(isa.String()), trainer.Threads(2))
			check(err)
			r := result{Kind: kind, ISA: isa.String(), Begin: tensors(t, p)}
			for step := range uint64(5) {
				var parts []*trainer.Batch
				for i, lens := range [][]int{{3, 9, 1}, {17, 5}} {
					b, err := p.RandomBatch(lens, 2*step+uint64(i))
					check(err)
					parts = append(parts, b)
				}
				parts[0].Integers["target"][1] = -1
				s, err := t.StepParts(context.Background(), parts...)
				check(err)
				r.Batches, r.Steps = append(r.Batches, parts), append(r.Steps, s)
			}
			r.End = tensors(t, p)
			check(t.Close())
			list = append(list, r)
		}
	}
	check(json.NewEncoder(os.Stdout).Encode(list))
}
`

// stepsResult is what the program prints for one package and instruction set.
type stepsResult struct {
	Kind, ISA  string
	Begin, End map[string][]float32
	Batches    [][]*trainer.Batch
	Steps      []trainer.Result
}

// inBF16 is the training of the small model with products of bfloat16.
const inBF16 = "bf16"

// steppedProgram compiles the training step of the small model with an optimizer. A training in bf16 has that of SGD.
func steppedProgram(t *testing.T, kind compiler.OptimizerKind) *ir.Program {
	bf16 := kind == inBF16
	if bf16 {
		kind = compiler.SGD
	}
	s, faults := spec.ParseAndResolve("small.dspec", []byte(steppedSpec))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{Train: true, Dropout: true, After: "build"})
	require.NoError(t, err)
	require.Empty(t, faults)
	again := 0
	if kind == compiler.SGD {
		again = 2 // layers keep nothing for the backward pass
	}
	if bf16 {
		units[0].Program.Meta.ISAs = append([]string{"avx512bf16"}, units[0].Program.Meta.ISAs...)
	}
	faults, err = units[0].Train(compiler.Training{Parts: true, BF16: bf16, Again: again, Update: func(p *ir.Program, with []string) error {
		o := compiler.Optimizer{Kind: kind, Beta1: 0.9, Beta2: 0.999, Momentum: 0.9, Decay: 0.01, Except: []string{"norm", "bias"}, Clip: 0.5, Layers: 0.9,
			Parts: true, Lookahead: true, Mix: 0.5, With: with}
		err := compiler.Update(p, o)
		p.Training.Updates[0].Numbers = &ir.UpdateNumbers{Kind: string(kind), Beta1: 0.9, Beta2: 0.999, Eps: 1e-6, Correct: true, Every: 2, Peak: 0.01,
			Steps: 100, Course: "constant"}
		return err
	}})
	require.NoError(t, err)
	require.Empty(t, faults)
	return units[0].Program
}

// TestTrainersStep builds training packages with each optimizer, runs steps on ragged parts of batches on every instruction set, and compares the losses, the
// norms and the tensors with the oracle.
func TestTrainersStep(t *testing.T) {
	m := newStepsModule(t)
	programs, imports, table := map[string]*ir.Program{}, "", ""
	for _, kind := range []compiler.OptimizerKind{compiler.AdamW, compiler.RAdam, compiler.LAMB, compiler.SGD, inBF16} {
		programs[string(kind)] = steppedProgram(t, kind)
	}
	s, faults := spec.ParseAndResolve("also.dspec", []byte(alsoStepped))
	require.Empty(t, faults)
	units, faults, err := compiler.Compile(s, compiler.Options{})
	require.NoError(t, err)
	require.Empty(t, faults)
	programs["also"] = units[0].Program
	for kind, p := range programs {
		m.emit(kind, p)
		imports += fmt.Sprintf("\t%s \"steps/%[1]s\"\n", kind)
		table += fmt.Sprintf("%q: %[1]s.Program(), ", kind)
	}
	m.add("main.go", []byte(strings.NewReplacer("IMPORTS", imports, "PROGRAMS", table).Replace(stepsMain)))
	var results []stepsResult
	require.NoError(t, json.Unmarshal(m.run("run", "-mod=mod", "."), &results))
	require.GreaterOrEqual(t, len(results), len(programs))
	for _, r := range results {
		t.Run(r.Kind+" "+r.ISA, func(t *testing.T) { r.compare(t, programs[r.Kind]) })
	}
}

// counted returns how many targets of a name count in all parts of a batch.
func counted(parts []*trainer.Batch, target string) *ir.Array {
	n := int32(0)
	for _, b := range parts {
		for _, class := range b.Integers[target] {
			if class >= 0 {
				n++
			}
		}
	}
	return &ir.Array{Shape: []int{1}, I: []int32{n}}
}

// keysOf puts the keys of dropout of a part of a step into the store. Each layer has one of its own.
func keysOf(p *ir.Program, store eval.Store, step, part int) {
	sites, _ := p.Keys()
	for r, l := range ir.Steps(p.Run) {
		for _, v := range r.In {
			site, ok := sites[v.Name]
			if !ok {
				continue
			}
			name := ir.At(v.Name, l)
			if name != v.Name {
				site += l
			}
			k := dropout.KeyOf(0, step, part, site, 0)
			store[name] = &ir.Array{Shape: []int{2}, I: []int32{int32(k[0]), int32(k[1])}}
		}
	}
}

// compare runs the steps in the oracle, which rounds the operands of products to bfloat16 as the program does.
func (r *stepsResult) compare(t *testing.T, p *ir.Program) {
	up := p.Training.Updates[0]
	tensors := eval.Store{}
	for _, q := range p.Training.Params {
		tensors[q.Name] = &ir.Array{Shape: q.Shape, F: (&ir.Array{Shape: q.Shape, F32: r.Begin[q.Name]}).Floats()}
	}
	for _, k := range up.Kept {
		tensors[k.Name] = ir.NewArray(k.Shape...)
		if of, ok := strings.CutPrefix(k.Name, "slow."); ok {
			tensors[k.Name] = tensors[of]
		}
	}
	take := func(store eval.Store) { // what lies in the memory of tensors
		for _, stage := range []string{"updated.", "mixed."} {
			for next, name := range up.InPlace {
				if a := store[next]; a != nil && strings.HasPrefix(next, stage) {
					tensors[name] = a
				}
			}
		}
	}
	for step, parts := range r.Batches {
		loss, norm := 0.0, 0.0
		for i, b := range parts {
			store := eval.StoreOf(&b.Batch, 0)
			for name, list := range b.Integers {
				store[name] = &ir.Array{Shape: []int{len(list)}, I: list}
			}
			for _, c := range p.Training.Counts {
				store[c.Name] = counted(parts, c.Target)
			}
			keysOf(p, store, step, i)
			store["update.keep"] = &ir.Array{Shape: []int{1}, F: []float64{float64(i)}}
			store["update.rate"] = &ir.Array{Shape: []int{1}, F: []float64{0.01}}
			m := rate.AdamW(0.9, 0.999, 1e-6, true, step)
			if r.Kind == "radam" {
				m = rate.RAdam(0.9, 0.999, 1e-6, step)
			}
			store["update.moments"] = &ir.Array{Shape: []int{3}, F: []float64{m.Mean, m.Root, m.Plus}}
			for name, a := range tensors {
				store[name] = a
			}
			some := *p
			some.Run = append(p.Training.Gradients(p), up.Calls(p, ir.Accumulate)...)
			if i == len(parts)-1 {
				some.Run = append(append(some.Run, up.Calls(p, ir.Norm)...), up.Calls(p, ir.Apply)...)
				if step%2 == 1 {
					some.Run = append(some.Run, up.Calls(p, ir.Lookahead)...)
				}
			}
			require.NoError(t, eval.Run(&some, store))
			take(store)
			loss += store["loss"].F[0]
			if a := store["update.norm"]; a != nil {
				norm = a.F[0]
			}
		}
		require.InDelta(t, loss, r.Steps[step].Loss, 1e-5, "step %d", step)
		require.InDelta(t, norm, r.Steps[step].Norm, 1e-5*norm, "step %d", step)
		require.Greater(t, norm, 0.0)
	}
	for _, q := range p.Training.Params {
		if strings.HasSuffix(q.Name, "attention.k.bias") {
			continue // the part of its gradient from contents is rounding alone, which the optimizer turns into whole steps
		}
		for i, want := range tensors[q.Name].F {
			require.InDelta(t, want, r.End[q.Name][i], 2e-6, "%s[%d]", q.Name, i)
		}
	}
}
