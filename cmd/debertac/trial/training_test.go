package trial

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/rate"
)

// TestRecordedTrainings runs the steps of recorded trainings in the oracle, and compares the losses, the norms before clipping, the learning rates, and the
// parameters after the last step.
func TestRecordedTrainings(t *testing.T) {
	compared := 0
	for _, dir := range caseDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			c, err := golden.Open(dir)
			require.NoError(t, err)
			if !c.Training() {
				t.Skip("not a training run")
			}
			r, err := c.Recipe()
			require.NoError(t, err)
			newRecordedTraining(t, c, r).run()
			compared++
		})
	}
	t.Logf("%d trainings were compared", compared)
	require.GreaterOrEqual(t, compared, 2)
}

// recordedTraining is a recorded training run.
type recordedTraining struct {
	*recordedCase
	run0   *golden.Case // of which the steps are cases
	recipe *golden.Recipe
	params map[string]*ir.Array // by the name in the file of weights
	kept   map[string]*ir.Array // of optimizers, by the part of the pair and the name in the program
}

// newRecordedTraining opens a training run and reads its weights.
func newRecordedTraining(t *testing.T, c *golden.Case, r *golden.Recipe) *recordedTraining {
	k := &recordedTraining{run0: c, recipe: r, params: map[string]*ir.Array{}, kept: map[string]*ir.Array{}}
	k.recordedCase = &recordedCase{Trial: &Trial{outputs: c.Outputs(), dir: c.Dir}, t: t}
	k.outputs, k.inputs = opened(t, c.Outputs()), opened(t, filepath.Join(c.Dir, "inputs.safetensors"))
	weights := opened(t, filepath.Join(c.Dir, "model.safetensors"))
	for _, name := range weights.Names() {
		info, err := weights.Info(name)
		require.NoError(t, err)
		k.params[name] = &ir.Array{Shape: info.Shape, F: k.floats(weights, name)}
	}
	return k
}

// recordedPart is one model of a training run. The names are those of the recorded tensors.
type recordedPart struct {
	losses, norms string
	weight        float64 // of the loss
}

// run runs and compares the training.
func (k *recordedTraining) run() {
	parts := []recordedPart{{"losses", "grad_norms", 1}}
	if k.recipe.Task == "rtd" {
		parts = []recordedPart{{"mlm_losses", "gen_grad_norms", 1}, {"rtd_losses", "disc_grad_norms", k.recipe.Lambda}}
	}
	schedule := k.recipe.Schedule()
	require.NoError(k.t, schedule.Check())
	var rates []float64
	got := map[string][]float64{}
	for step := range k.recipe.Steps {
		var err error
		k.golden, err = k.run0.Step(k.recipe, step)
		require.NoError(k.t, err)
		passes, err := k.golden.Passes(k.Trial.outputs)
		require.NoError(k.t, err)
		require.Len(k.t, passes, len(parts))
		rates = append(rates, schedule.At(step))
		for i, p := range parts {
			loss, norm := k.step(passes[i], p, step, schedule.At(step))
			got[p.losses], got[p.norms] = append(got[p.losses], loss), append(got[p.norms], norm)
		}
	}
	if k.outputs.Has("learning_rates") {
		got["learning_rates"] = rates
	}
	for _, name := range k.outputs.Names() {
		if tensor, ok := strings.CutPrefix(name, "param."); ok {
			k.compare(name, k.floats(k.outputs, name), k.params[tensor].F)
			continue
		}
		require.Contains(k.t, got, name)
		k.t.Logf("%s: largest difference %.2g", name, k.compare(name, k.floats(k.outputs, name), got[name]))
	}
}

// step runs one step of one model, and returns the loss and the norm of its gradients.
func (k *recordedTraining) step(p golden.Pass, part recordedPart, step int, lr float64) (loss, norm float64) {
	b, _ := k.compile(p)
	k.part = p.Name
	if p.Name == "discriminator" {
		k.put(k.targetsOf(p, b))
		faults, err := k.unit.AddLoss(false)
		require.NoError(k.t, err)
		require.Empty(k.t, faults)
	} else {
		require.Equal(k.t, compiler.StoreLoss, k.loss(b))
	}
	prog := k.unit.Program
	trained := compiler.Parameters(prog)
	weighted(prog, part.weight)
	flat, faults, err := compiler.Grad(prog, compiler.Sweep{Of: "weighted", With: trained})
	require.NoError(k.t, err)
	require.Empty(k.t, faults)
	o := compiler.Optimizer{Kind: compiler.AdamW, Beta1: k.recipe.Beta1, Beta2: k.recipe.Beta2, Decay: k.recipe.Decay, Except: []string{"norm", "bias"},
		Clip: k.recipe.Clip, With: slices.DeleteFunc(slices.Clone(trained), func(name string) bool { return slices.Contains(flat, name) })}
	require.NoError(k.t, compiler.Update(prog, o))
	require.NoError(k.t, ir.Verify(prog))

	files := k.weights()
	for _, name := range trained {
		k.store[name] = k.forward(k.stored(files, name), name)
	}
	update := prog.Training.Updates[0]
	calls := func(list []ir.Call) {
		some := *prog
		some.Pack, some.Run = nil, list
		require.NoError(k.t, eval.Run(&some, k.store))
	}
	calls(prog.Training.Gradients(prog))
	calls(update.Calls(prog, ir.Norm))
	for _, name := range trained {
		k.store[name] = k.params[k.stored(files, name)]
	}
	for _, s := range update.Kept {
		if k.store[s.Name] = k.kept[k.part+s.Name]; k.store[s.Name] == nil {
			k.store[s.Name] = ir.NewArray(s.Shape...)
		}
	}
	m := rate.AdamW(o.Beta1, o.Beta2, k.recipe.Eps, k.recipe.Correct, step)
	k.store[o.Number(compiler.StoreRate)] = &ir.Array{Shape: []int{1}, F: []float64{lr}}
	k.store[o.Number(compiler.StoreMoments)] = &ir.Array{Shape: []int{3}, F: []float64{m.Mean, m.Root, m.Plus}}
	calls(update.Calls(prog, ir.Apply))
	for next, name := range update.InPlace {
		if slices.Contains(trained, name) {
			k.params[k.stored(files, name)] = k.store[next]
		} else {
			k.kept[k.part+name] = k.store[next]
		}
	}
	return k.store[compiler.StoreLoss].F[0], k.store[o.Number(compiler.StoreNorm)].F[0]
}

// weighted appends the loss times a weight, as the value weighted.
func weighted(p *ir.Program, weight float64) {
	r := &ir.Region{Name: "weight"}
	b := ir.NewBuilder(r)
	loss := b.Input(compiler.StoreLoss, ir.State, ir.Type{Shape: ir.Shape{ir.N(1)}})
	b.Output("weighted", b.Op("scale", r.Pos, "", []ir.Attr{ir.A("by", weight)}, loss))
	p.Regions, p.Run = append(p.Regions, r), append(p.Run, ir.Call{Region: r, Count: 1})
}

// weights returns the names in the file of weights.
func (k *recordedTraining) weights() []string {
	dir, err := folder.Open(k.dir, true, nil)
	require.NoError(k.t, err)
	defer dir.Close()
	return dir.Weights.Names()
}

// forward returns what the program reads as a tensor: a parameter, or, for a table of a discriminator, the sum of the generator's table and its own.
func (k *recordedTraining) forward(stored, name string) *ir.Array {
	p := k.params[stored]
	require.NotNil(k.t, p, stored)
	if !strings.HasSuffix(stored, "._weight") {
		return p
	}
	sum := ir.NewArray(p.Shape...)
	for i, g := range k.params["generator."+name].F {
		sum.F[i] = g + p.F[i]
	}
	return sum
}
