package trial

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/cmd/debertac/console"
	"github.com/debertac/debertac/cmd/debertac/folder"
	"github.com/debertac/debertac/cmd/debertac/golden"
	"github.com/debertac/debertac/compiler"
	"github.com/debertac/debertac/compiler/pack"
	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/ir/eval"
	"github.com/debertac/debertac/runtime/ragged"
	"github.com/debertac/debertac/runtime/safetensors"
)

// TestRecordedGradients computes the loss of each recorded case and the gradients of all its parameters with the oracle, and compares them with those that
// were recorded, at the case's tolerance. DEBERTAC_CASES names a folder of further cases.
func TestRecordedGradients(t *testing.T) {
	compared := 0
	for _, dir := range caseDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			if gradientsOf(t, dir) {
				compared++
			}
		})
	}
	t.Logf("the gradients of %d cases were compared", compared)
	require.GreaterOrEqual(t, compared, 9)
}

// caseDirs lists the folders of cases.
func caseDirs(t *testing.T) (list []string) {
	dirs := []string{"../testdata/cases", "testdata/cases"}
	if more := os.Getenv("DEBERTAC_CASES"); more != "" {
		dirs = append(dirs, more)
	}
	for _, dir := range dirs {
		found, err := filepath.Glob(filepath.Join(dir, "*", "case.json"))
		require.NoError(t, err)
		require.NotEmpty(t, found, dir)
		for _, file := range found {
			list = append(list, filepath.Dir(file))
		}
	}
	return list
}

// openCase opens a case. It skips cases of other kinds, and those that hold no gradients of parameters, whose names it returns.
func openCase(t *testing.T, dir string, kinds ...string) (k *recordedCase, gradients []string) {
	c, err := golden.Open(dir)
	require.NoError(t, err)
	if !slices.Contains(kinds, c.Kind) {
		t.Skip("a case of the kind " + c.Kind)
	}
	k = &recordedCase{Trial: &Trial{golden: c, outputs: c.Outputs(), dir: dir}, t: t}
	k.outputs, k.inputs = opened(t, c.Outputs()), opened(t, filepath.Join(dir, "inputs.safetensors"))
	gradients = slices.DeleteFunc(k.outputs.Names(), func(name string) bool { return !strings.HasPrefix(name, "grad.") })
	if len(gradients) == 0 {
		t.Skip("the case holds no gradients")
	}
	return k, gradients
}

// compile compiles the model of a pass before any pass of the compiler, and puts the batch of the pass into the store.
func (k *recordedCase) compile(p golden.Pass) (b *ragged.Batch, dead bool) {
	form, err := k.form(&console.Console{Context: k.t.Context(), In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}, p.Model,
		compiler.Options{After: "build", Train: true, Perturb: p.Model.Perturb})
	require.NoError(k.t, err)
	k.unit = form.Unit
	return k.readBatch(&pass{Pass: p, form: form})
}

// recordedCase is a recorded case with its program, its inputs and its outputs.
type recordedCase struct {
	*Trial
	t               *testing.T
	unit            *compiler.Unit
	inputs, outputs *safetensors.File
	store           eval.Store
	rows            []int  // [S·N] → row of the batch, or -1
	lens            []int  // tokens of each sequence
	part            string // of a file of two models: the one that runs
}

// gradientsOf compares one case, and reports whether it has gradients that are compared.
func gradientsOf(t *testing.T, dir string) bool {
	k, recorded := openCase(t, dir, golden.KindLibrary, golden.KindEMD)
	passes, err := k.golden.Passes(k.Trial.outputs)
	require.NoError(t, err)
	b, dead := k.compile(passes[0])
	if dead && k.inputs.Has("start_positions") {
		t.Skip("its loss depends on rows that attention_mask leaves out")
	}
	of := k.loss(b)
	grads := k.differentiate(of, compiler.Parameters(k.unit.Program))
	if of == compiler.StoreLoss {
		k.compare("loss", k.floats(k.outputs, "loss"), k.store["loss"].Floats())
	}
	k.compareAll(recorded, grads)
	return true
}

// compareAll compares the gradients of all parameters with those that were recorded. It changes grads.
func (k *recordedCase) compareAll(recorded []string, grads map[string][]float64) {
	largest, at := 0.0, ""
	for _, name := range recorded {
		tensor := strings.TrimPrefix(name, "grad.")
		want := k.floats(k.outputs, name)
		got := grads[tensor]
		if got == nil { // nothing reads the tensor, or nothing that is differentiated depends on it
			got = make([]float64, len(want))
		}
		if d := k.compare(name, want, got); d >= largest {
			largest, at = d, name
		}
		delete(grads, tensor)
	}
	require.Empty(k.t, grads, "these gradients were not recorded")
	k.t.Logf("%d gradients, largest difference %.2g (%s), tolerance %v", len(recorded), largest, at, k.golden.Tolerance["grad"])
}

// opened opens a file of tensors until the test ends.
func opened(t *testing.T, path string) *safetensors.File {
	f, err := safetensors.Open(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, f.Close()) })
	return f
}

// readBatch puts the case's batch into the store. dead reports whether some positions are left out.
func (k *recordedCase) readBatch(p *pass) (b *ragged.Batch, dead bool) {
	dir, err := folder.Open(k.dir, true, nil)
	require.NoError(k.t, err)
	defer dir.Close()
	b, err = k.batch(dir, p)
	require.NoError(k.t, err)
	k.store = eval.StoreOf(b, k.unit.Model.Hidden)
	row := 0
	k.lens = nil
	k.rows = make([]int, len(k.golden.IDs))
	for i, m := range k.golden.Mask {
		if i%k.golden.Length == 0 {
			k.lens = append(k.lens, 0)
		}
		if k.rows[i] = -1; m == 0 {
			dead = true
			continue
		}
		k.rows[i] = row
		k.lens[i/k.golden.Length]++
		row++
	}
	return b, dead
}

// floats returns a tensor of a file as float64, whatever its type.
func (k *recordedCase) floats(f *safetensors.File, name string) []float64 {
	info, err := f.Info(name)
	require.NoError(k.t, err)
	out := make([]float64, info.Elements())
	if info.DType == safetensors.F32 {
		narrow := make([]float32, len(out))
		require.NoError(k.t, f.Floats(name, narrow))
		for i, v := range narrow {
			out[i] = float64(v)
		}
		return out
	}
	wide := make([]int64, len(out))
	require.NoError(k.t, f.Ints(name, wide))
	for i, v := range wide {
		out[i] = float64(v)
	}
	return out
}

// input returns an input of the case.
func (k *recordedCase) input(name string) []float64 {
	return k.floats(k.inputs, k.golden.InputName(name))
}

// loss adds the case's loss to the program, and its targets to the store. It returns the name of what is differentiated.
func (k *recordedCase) loss(b *ragged.Batch) string {
	if k.unit.Head == nil {
		of := k.unit.Program.Outputs[0]
		weights, width := k.input("grad_output"), k.unit.Model.Hidden
		a := ir.NewArray(b.Tokens(), width)
		for i, row := range k.rows {
			if row >= 0 {
				copy(a.F[row*width:(row+1)*width], weights[i*width:])
			}
		}
		k.store[compiler.GradOf(of)] = a
		return of
	}
	k.put(k.targets(k.unit, b))
	faults, err := k.unit.AddLoss(k.soft(k.unit))
	require.NoError(k.t, err)
	require.Empty(k.t, faults)
	return compiler.StoreLoss
}

// put puts targets into the store.
func (k *recordedCase) put(with *golden.Targets, err error) {
	require.NoError(k.t, err)
	for name, v := range with.Integers {
		k.store[name] = &ir.Array{Shape: []int{len(v)}, I: v}
	}
	for name, v := range with.Floats {
		a := ir.NewArray(len(v)/k.unit.Head.Out, k.unit.Head.Out)
		for i, x := range v {
			a.F[i] = float64(x)
		}
		k.store[name] = a
	}
}

// checkpointTensors reads tensors in the shapes that a program declares.
type checkpointTensors struct {
	*pack.Checkpoint
	shapes map[string][]int
}

func (c checkpointTensors) Tensor(name string) (*ir.Array, error) {
	data, err := c.Checkpoint.Tensor(name, c.shapes[name])
	return &ir.Array{Shape: c.shapes[name], F32: data}, err
}

// differentiate adds the gradients of the named values to the program and runs it. It returns the gradients that the program computes, by the name in the file
// of weights.
func (k *recordedCase) differentiate(of string, names []string, constant ...string) map[string][]float64 {
	flat, faults, err := compiler.Grad(k.unit.Program, compiler.Sweep{Of: of, With: names, Constant: constant})
	require.NoError(k.t, err)
	require.Empty(k.t, faults)
	require.NoError(k.t, ir.Verify(k.unit.Program))
	weights := k.run()
	grads := map[string][]float64{}
	for _, name := range names {
		if !slices.Contains(flat, name) {
			grads[k.stored(weights, name)] = k.store[compiler.GradOf(name)].Floats()
		}
	}
	return grads
}

// stored returns the name that a tensor has in the file of weights.
func (k *recordedCase) stored(weights []string, name string) string {
	return storedName(weights, k.part, name)
}

// run evaluates the program on the case's weights, and returns the names of these.
func (k *recordedCase) run() []string {
	dir, err := folder.Open(k.dir, true, nil)
	require.NoError(k.t, err)
	defer dir.Close()
	shapes := ir.ShapesOf(k.unit.Program.Run)
	require.NoError(k.t, eval.Run(k.unit.Program, k.store, eval.From(checkpointTensors{dir.Source(k.unit.Model), shapes})))
	return dir.Weights.Names()
}

// compare compares a tensor at the case's tolerance and returns the largest difference.
func (k *recordedCase) compare(name string, want, got []float64) float64 {
	require.Len(k.t, got, len(want), name)
	tol := k.golden.Tolerance[golden.Group(name)]
	largest := 0.0
	for i, w := range want {
		d := math.Abs(got[i] - w)
		largest = math.Max(largest, d)
		if !(d <= tol.Abs+tol.Rel*math.Abs(w)) {
			k.t.Errorf("%s[%d] is %v, %v was recorded", name, i, got[i], w)
			break
		}
	}
	return largest
}
