package codegen

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/dave/jennifer/jen"
	"github.com/stretchr/testify/require"

	"github.com/debertac/debertac/ir"
	_ "github.com/debertac/debertac/ir/ops"
	"github.com/debertac/debertac/ir/opstest"
	"github.com/debertac/debertac/runtime/ragged"
)

// stray marks memory that no step may write or read as data.
const stray = float32(12345)

// stepCase is a sample of an op as a step of a generated program.
type stepCase struct {
	name  string
	trial *opstest.Trial
	step  *step
	data  stepData
}

// stepData is what the program reads of a case, as JSON.
type stepData struct {
	Sizes  ragged.Sizes
	Batch  *ragged.Batch
	Floats map[int][]float32  // by slot
	Ints   map[string][]int32 // by the operand's name
	Result []int              // the slots of the results
}

// integers reports whether a slot holds a result of integers. The program reads and prints their bits as floats.
func (c *stepCase) integers(slot int) bool {
	i := slices.Index(c.data.Result, slot)
	return i >= 0 && c.trial.Node.Out[i].Type.DType == ir.I32
}

// splitsOf returns the ways in which a step of the lowering can be divided, or nil if this test does not print it.
func splitsOf(l lowering, n *ir.Node) []ir.Step {
	op := ir.Lookup(n.Op)
	switch l := l.(type) {
	case rowLowering:
		if l.family == nil && op.Lower != nil && (op.Launches == nil || op.Class == ir.Gather) {
			return []ir.Step{{Split: ir.SplitNone}, {Split: ir.SplitRows, Block: 1}, {Split: ir.SplitRows, Block: 3}}
		}
	case sequenceLowering, chainLowering, lstmGradLowering, wordGradLowering, queryLowering, vocabLowering, sampleLowering:
		return []ir.Step{{Split: ir.SplitSeqs}}
	case flatLowering:
		return []ir.Step{{Split: ir.SplitChunks}}
	}
	return nil
}

// strided returns the numbers of an array as they lie in memory, and what lies between rows.
func strided(v *ir.Value, a *ir.Array, between float32) []float32 {
	src := a.Single()
	if v.LD == 0 {
		if between == 0 { // whole vectors
			src = append(src, make([]float32, (16-len(src)%16)%16)...)
		}
		return src
	}
	rows, cols := a.Shape[0], a.Shape[1]
	out := make([]float32, rows*v.LD)
	for i := range out {
		if out[i] = between; i%v.LD < cols {
			out[i] = src[i/v.LD*cols+i%v.LD]
		}
	}
	return out
}

// addCase makes a step of a sample. Floats lie in slots of the arena, integers in fields that are named by the operands.
func addCase(t *testing.T, e *emitter, name string, tr *opstest.Trial, sample ir.Sample, plan ir.Step) *stepCase {
	n := tr.Node
	c := &stepCase{name: name, trial: tr}
	c.data = stepData{Sizes: ragged.Sizes(tr.Sizes), Batch: tr.Batch, Floats: map[int][]float32{}, Ints: map[string][]int32{}}
	tr.Region.Name = name
	slotOf := func(v *ir.Value, numbers []float32) int {
		slot := len(e.slots)
		e.slots = append(e.slots, ir.Space{})
		e.slot[name+"\x00"+v.Name] = slot
		c.data.Floats[slot] = numbers
		return slot
	}
	between, panel, inPlace := stray, 16, tr.Op.InPlace
	if tr.Op.Class == ir.Flat {
		between, panel = 0, 0
	}
	place := func(v *ir.Value) {
		if v.Type.DType == ir.F32 && len(v.Type.Shape) == 2 {
			v.LD = (v.Type.Shape[1].N+15)/16*16 + panel
		}
	}
	for i, v := range n.In {
		switch {
		case v == nil:
		case v.Type.DType == ir.I32:
			v.Kind = ir.Batch
			if v.Name = fmt.Sprintf("%s.in%d", name, i); sample.In[i].Fill == ir.FillPart {
				v.Name = sample.In[i].Part.Row().Operand
			}
			c.data.Ints[camel(v.Name)] = tr.In[i].I
		default:
			place(v)
			slotOf(v, strided(v, tr.In[i], between))
		}
	}
	for k, v := range n.Out {
		place(v)
		if inPlace != nil && inPlace(n)[k] >= 0 {
			c.data.Result = append(c.data.Result, e.slot[name+"\x00"+n.In[inPlace(n)[k]].Name])
			continue
		}
		shape := v.Type.Shape
		blank := make([]float32, tr.Sizes.Dim(shape[0])*max(v.LD, tr.Sizes.Elements(shape[1:])))
		for i := range blank {
			blank[i] = stray
		}
		if k := slices.IndexFunc(tr.Op.In, func(o ir.Operand) bool { return o.Name == "plus" }); k >= 0 && operand(n, k) != nil { // it works in place
			blank = strided(n.In[k], tr.In[k], between)
			delete(c.data.Floats, e.slot[name+"\x00"+n.In[k].Name])
		}
		c.data.Result = append(c.data.Result, slotOf(v, blank))
	}
	c.step = &step{e: e, region: tr.Region, node: n, lower: lowerOf(n), split: plan.Split, block: max(plan.Block, 1), method: camel(name)}
	require.NoError(t, c.step.lower.kernels(e.kernels, c.step), name)
	return c
}

// program prints the steps, their kernels in plain Go, and a main function that runs each step with the numbers that it reads from its input.
func program(t *testing.T, e *emitter, cases []*stepCase) []byte {
	f := e.newFile()
	f.Type().Id("kernels").StructFunc(func(g *jen.Group) {
		for _, k := range e.kernels.list {
			g.Id(k.field).Add(k.typ())
		}
	})
	names := jen.Dict{}
	for _, k := range e.kernels.list {
		names[jen.Id(k.field)] = jen.Id(k.field + "_generic")
		code, err := k.portable(k.field + "_generic")
		require.NoError(t, err)
		f.Add(code)
	}
	f.Var().Id("portable").Op("=").Id("kernels").Values(names)
	execution(f, cases)
	for _, c := range cases {
		e.stepMethod(f, c.step)
	}
	f.Func().Id("main").Params().BlockFunc(func(g *jen.Group) {
		g.Var().Id("list").Index().Id("data")
		g.Add(raw("check(")).Qual("encoding/json", "NewDecoder").Call(jen.Qual("os", "Stdin")).Add(raw(".Decode(&list))"))
		g.Var().Id("out").Index().Index().Index().Float32()
		for i, c := range cases {
			g.BlockFunc(func(g *jen.Group) {
				g.Add(raw("d := &list[%d]", i))
				g.Add(raw("e := &exec{Exec: &engine.Exec{Sizes: d.Sizes, Batch: d.Batch}, k: &portable, tokens: d.Sizes.T, sequences: d.Sizes.B}"))
				for slot := range c.data.Floats {
					cast := "(*float32)"
					if c.integers(slot) {
						cast = "(*int32)"
					}
					g.Add(raw("e.%s = %s(unsafe.Pointer(unsafe.SliceData(d.Floats[%d])))", slotField(slot), cast, slot))
				}
				for name := range c.data.Ints {
					g.Add(raw("e.%s = unsafe.SliceData(d.Ints[%q])", name, name))
				}
				g.Add(raw("for unit := range %s {\n\te.%s(0, unit)\n}\nout = append(out, d.results())", c.step.lower.units(c.step).count, c.step.method))
			})
		}
		g.Add(raw("check(")).Qual("encoding/json", "NewEncoder").Call(jen.Qual("os", "Stdout")).Add(raw(".Encode(out))"))
	})
	f.Add(raw(dataCode))
	text, err := render(f)
	require.NoError(t, err)
	return text
}

// execution declares the state of an execution, with the slots and integers of all cases.
func execution(f *jen.File, cases []*stepCase) {
	f.Type().Id("exec").StructFunc(func(g *jen.Group) {
		g.Op("*").Add(engine("Exec"))
		g.Id("k").Op("*").Id("kernels")
		g.List(jen.Id("tokens"), jen.Id("sequences")).Int()
		ints := map[string]bool{}
		for _, c := range cases {
			for slot := range c.data.Floats {
				if c.integers(slot) {
					g.Id(slotField(slot)).Op("*").Int32()
				} else {
					g.Id(slotField(slot)).Op("*").Float32()
				}
			}
			for name := range c.data.Ints {
				ints[name] = true
			}
		}
		for name := range ints {
			g.Id(name).Op("*").Int32()
		}
	})
}

// dataCode declares what the program reads of a case, and what it prints.
const dataCode = `type data struct {
	Sizes  engine.Sizes
	Batch  runtime.Batch
	Floats map[int][]float32
	Ints   map[string][]int32
	Result []int
}

func (d *data) results() (out [][]float32) {
	for _, slot := range d.Result {
		out = append(out, d.Floats[slot])
	}
	return out
}

func (e *exec) scratch(int) *float32 { return unsafe.SliceData(make([]float32, 1<<16)) }

func check(err error) {
	if err != nil {
		panic(err)
	}
}`

// TestSteps prints a step of every sample of every op that is lowered by rows or by sequences, in each way to divide it, builds one program of all of them, and
// compares their results with the reference.
func TestSteps(t *testing.T) {
	if testing.Short() {
		t.Skip("builds a program")
	}
	tool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no Go toolchain")
	}
	e := &emitter{p: &ir.Program{Name: "main", File: "ops"}, pkg: &Package{Name: "main"}, slot: map[string]int{}, names: map[string]bool{}}
	e.kernels = newKernelSet(e, e.p)
	var cases []*stepCase
	for _, op := range ir.Ops() {
		for i, s := range op.Sample() {
			probe, err := opstest.New(op, s, 1)
			require.NoError(t, err)
			if lower := lowerOf(probe.Node); lower != nil {
				for k, plan := range splitsOf(lower, probe.Node) {
					tr, err := opstest.New(op, s, 1)
					require.NoError(t, err)
					cases = append(cases, addCase(t, e, fmt.Sprintf("%s.%d.%c", op.Name, i, 'a'+k), tr, s, plan))
				}
			}
		}
	}
	require.Greater(t, len(cases), 100)
	root, err := filepath.Abs("..")
	require.NoError(t, err)
	folder := t.TempDir()
	main, overlay := filepath.Join(folder, "main.go"), filepath.Join(folder, "overlay.json")
	require.NoError(t, os.WriteFile(main, program(t, e, cases), 0o644))
	virtual := filepath.Join(root, "codegen", "testdata", "steps", "main.go")
	replaced, err := json.Marshal(map[string]map[string]string{"Replace": {virtual: main}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(overlay, replaced, 0o644)) // so the program is a package of the module, without a file in it
	var input []*stepData
	for _, c := range cases {
		input = append(input, &c.data)
	}
	text, err := json.Marshal(input)
	require.NoError(t, err)
	run := exec.CommandContext(t.Context(), tool, "run", "-overlay", overlay, "./codegen/testdata/steps")
	run.Dir = root
	run.Stdin = bytes.NewReader(text)
	var errs bytes.Buffer
	run.Stderr = &errs
	printed, err := run.Output()
	require.NoError(t, err, errs.String())
	var results [][][]float32
	require.NoError(t, json.Unmarshal(printed, &results))
	for i, c := range cases {
		c.compare(t, results[i])
	}
}

// compare compares the results of a case with the reference.
func (c *stepCase) compare(t *testing.T, got [][]float32) {
	want, err := c.trial.Op.Ref(c.trial.Node, c.trial.In)
	require.NoError(t, err)
	for k, v := range c.trial.Node.Out {
		cols := 1
		for _, d := range want[k].Shape[1:] {
			cols *= d
		}
		ld := max(v.LD, cols)
		for i, w := range want[k].I {
			require.Equal(t, w, int32(math.Float32bits(got[k][i])), "%s: result %d, element %d", c.name, k, i)
		}
		for i, w := range want[k].Floats() {
			require.InDelta(t, w, got[k][i/cols*ld+i%cols], 1e-5*(1+math.Abs(w)), "%s: result %d, element %d", c.name, k, i)
		}
		for i, g := range got[k] {
			if i%ld >= (cols+15)/16*16 {
				require.Equal(t, stray, g, "%s: result %d: element %d, after a row's last panel, was written", c.name, k, i)
			}
		}
	}
}
