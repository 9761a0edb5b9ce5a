package codegen

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/dave/jennifer/jen"

	"github.com/debertac/debertac/ir"
	"github.com/debertac/debertac/runtime/ragged"
)

// stepFile writes step.go: the tables of places, the execution's state, the schedule, one function per region and one method per node.
func (e *emitter) stepFile() error {
	f := e.newFile()
	e.placeCode(f)
	e.stepType(f)
	e.placeFunc(f)
	e.newStep(f)
	e.runMethod(f)
	for _, r := range e.regions {
		e.trainRegion(f, r)
	}
	for _, s := range e.methods() {
		e.stepMethod(f, s)
	}
	return e.add("step.go", f)
}

// stepType declares the state of the step.
func (e *emitter) stepType(f *jen.File) {
	f.Comment("exec is the state of a training step: the places of the call's activations, and the nodes as values that the pool can run.")
	f.Type().Id("exec").StructFunc(func(g *jen.Group) {
		g.Op("*").Qual(trainerPath, "Exec")
		g.Id("k").Op("*").Id("kernels")
		g.Line()
		g.List(jen.Id("tokens"), jen.Id("sequences")).Int()
		e.batchFields(g)
		for _, t := range e.given() {
			g.Id(camel(t.Name)).Op("*").Add(goElem(t.Type.DType)).Comment(t.Type.Shape.String())
		}
		if e.places.keyCount > 0 {
			g.Id("layerNumber").Int().Comment("number of the layer that is running")
		}
		g.Id("place").Index().Op("*").Float32().Comment("by number: slots of the arena, tensors, gradients")
		for _, p := range e.places.regions {
			if len(p.values) > 0 {
				g.Id(p.all()).Index().Index().Op("*").Float32().Comment(fmt.Sprintf("by layer, from layer %d on", p.first))
				g.Id(p.now()).Index().Op("*").Float32().Comment("of the layer that is running")
			}
		}
		for _, i := range e.inside() {
			g.Id(slotField(i)).Op("*").Float32()
		}
		e.scratchFields(g)
		g.Line()
		e.methodFields(g)
	})
	if e.usesScratch() {
		scratchMethod(f)
	}
}

// inside returns the slots of values that live inside one region.
func (e *emitter) inside() (slots []int) {
	for _, b := range e.p.Plan.Buffers {
		if b.Region != "" && !slices.Contains(slots, b.Slot) {
			slots = append(slots, b.Slot)
		}
	}
	slices.Sort(slots)
	return slots
}

// targets returns the parts of a batch that only a loss reads. They have a row for something in the batch.
func (e *emitter) targets() []*ir.Value {
	return slices.DeleteFunc(e.given(), func(v *ir.Value) bool { return v.Type.Shape[0].Const() })
}

// given returns the inputs of the schedule that are neither parts of a batch of a forward pass nor computed: targets, and the numbers of the step.
func (e *emitter) given() (list []*ir.Value) {
	seen := map[string]bool{}
	for p := range ragged.Part(ragged.Parts) {
		seen[p.Row().Operand] = true
	}
	for _, r := range e.regions {
		for _, v := range r.In {
			if v.Kind == ir.Batch && !seen[v.Name] && !strings.HasPrefix(v.Name, ir.KeyPrefix) {
				seen[v.Name] = true
				list = append(list, v)
			}
		}
	}
	return list
}

// newStep declares the function that makes the state of the step.
func (e *emitter) newStep(f *jen.File) {
	f.Comment("bind connects the kernels of an instruction set with what the trainer keeps. It allocates everything that steps need.")
	f.Func().Id("bind").Params(jen.Id("x").Op("*").Qual(trainerPath, "Exec"), jen.Id("isa").Add(cpu("ISA"))).
		Params(jen.Index().Qual(trainerPath, "Step"), jen.Error()).
		BlockFunc(func(g *jen.Group) {
			g.Id("k").Op(":=").Id("tableFor").Call(jen.Id("isa"))
			g.If(jen.Id("k").Op("==").Nil()).Block(
				jen.Return(jen.Nil(), jen.Qual("fmt", "Errorf").Call(jen.Lit("this build has no kernels for %v"), jen.Id("isa"))),
			)
			g.Id("e").Op(":=").Op("&").Id("exec").Values(jen.Dict{jen.Id("Exec"): jen.Id("x"), jen.Id("k"): jen.Id("k")})
			for _, s := range e.methods() {
				g.Id("e").Dot("step").Dot(s.method).Op("=").Id("e").Dot(s.method)
			}
			g.Id("e").Dot("place").Op("=").Make(jen.Index().Op("*").Float32(), jen.Lit(len(e.slots)), jen.Lit(len(e.slots)+len(e.places.kept)))
			g.Id("e").Dot("place").Op("=").Append(jen.Id("e").Dot("place"), jen.Id("x").Dot("Kept").Call().Op("..."))
			for _, p := range e.places.regions {
				if len(p.values) > 0 {
					g.Id("e").Dot(p.all()).Op("=").Qual(trainerPath, "Rows").Call(jen.Id(p.table()))
				}
			}
			g.Return(jen.Index().Qual(trainerPath, "Step").ValuesFunc(func(g *jen.Group) {
				for phase := range e.phases() {
					step := jen.Dict{jen.Id("Pass"): jen.Id("e").Dot(inPhase("pass", phase))}
					for _, stage := range e.stages(phase) {
						step[jen.Id(title(stage))] = jen.Id("e").Dot(inPhase(stage, phase))
					}
					g.Values(step)
				}
			}), jen.Nil())
		})
}

// trainRegion declares the function of a region: its nodes in order, each with the spec's line above it.
func (e *emitter) trainRegion(f *jen.File, r *ir.Region) {
	f.Line()
	doc := r.Doc
	if rest, ok := strings.CutPrefix(doc, r.Name+" "); ok {
		doc = camel(r.Name) + " " + rest
	}
	f.Comment(doc)
	p := e.places.of(r)
	f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id(camel(r.Name)).Params(jen.Id("l").Int()).BlockFunc(func(g *jen.Group) {
		if len(p.values) > 0 {
			g.Add(raw("e.%s = e.%s[l-%d]", p.now(), p.all(), p.first))
		}
		if slices.ContainsFunc(r.In, func(v *ir.Value) bool { return e.places.layered(v) }) {
			g.Add(raw("e.layerNumber = l"))
		}
		for _, n := range r.Nodes {
			s := e.byNode[n]
			g.Comment(e.source(n))
			g.Add(raw("e.Run(%s, e.step.%s) // %s %s", s.lower.units(s).count, s.method, n.Op, n.Out[0].Type.Shape))
			for _, line := range s.lower.after(s) {
				g.Add(raw("%s", line))
			}
		}
	})
}

// trainerFile writes trainer.go, the file that users of the package read.
func (e *emitter) trainerFile() error {
	f := e.newFile()
	m := &e.p.Meta
	what := m.Model
	if m.Head != "" {
		what += "." + m.Head
	}
	f.PackageComment(fmt.Sprintf("Package %s trains %s of %s, compiled to Go: %d layers, hidden size %d, a vocabulary of %d, sequences of up to %d tokens.",
		e.pkg.Name, what, fileName(e.p.File), m.Layers, m.Hidden, m.Vocab, e.p.Bounds.Length))
	f.Comment("SpecHash is the sha256 of the canonical spec that this package is made for.")
	f.Const().Id("SpecHash").Op("=").Lit(m.SpecHash)
	f.Comment("Program returns a description of the package for the runtime, a new one in each call.")
	f.Func().Id("Program").Params().Op("*").Qual(trainerPath, "Program").Block(jen.Return(jen.Op("&").Qual(trainerPath, "Program").Values(e.trainerDict())))
	f.Comment("NewTrainer opens the weights at path, a safetensors file or a model folder, and makes a trainer of them.")
	f.Func().Id("NewTrainer").Params(jen.Id("path").String(), jen.Id("opts").Op("...").Qual(trainerPath, "Option")).
		Params(jen.Op("*").Qual(trainerPath, "Trainer"), jen.Error()).
		Block(jen.Return(jen.Qual(trainerPath, "Open").Call(jen.Id("Program").Call(), jen.Id("path"), jen.Id("opts").Op("..."))))
	f.Comment("Start makes a trainer for a training from scratch: its tensors begin as init in the spec says.")
	f.Func().Id("Start").Params(jen.Id("opts").Op("...").Qual(trainerPath, "Option")).
		Params(jen.Op("*").Qual(trainerPath, "Trainer"), jen.Error()).
		Block(jen.Return(jen.Qual(trainerPath, "Start").Call(jen.Id("Program").Call(), jen.Id("opts").Op("..."))))
	return e.add("trainer.go", f)
}

// targetCheck adds what holds for the numbers of a target.
func (e *emitter) targetCheck(name string, v jen.Dict) {
	for _, t := range e.p.Training.Targets {
		if t.Name != name {
			continue
		}
		v[jen.Id("Check")] = jen.Qual(trainerPath, string(t.Check))
		if t.Below > 0 {
			v[jen.Id("Below")] = jen.Lit(t.Below)
		}
		if t.Optional {
			v[jen.Id("Optional")] = jen.True()
		}
	}
}

// trainerDict returns the literal of trainer.Program.
func (e *emitter) trainerDict() jen.Dict {
	m := &e.p.Meta
	d := jen.Dict{
		jen.Id("Name"): jen.Lit(e.pkg.Name), jen.Id("SpecHash"): jen.Id("SpecHash"), jen.Id("ISAs"): jen.Id("instructionSets"),
		jen.Id("Limits"): engine("Limits").Values(e.limits()),
		jen.Id("Arena"):  jen.Func().Params(jen.Id("s").Add(engine("Sizes"))).Int64().Block(jen.Return(jen.Id("place").Call(jen.Id("s")).Dot("size"))),
		jen.Id("Bind"):   jen.Id("bind"),
		jen.Id("Params"): jen.Index().Qual(trainerPath, "Param").ValuesFunc(func(g *jen.Group) {
			for _, p := range e.p.Training.Params {
				v := jen.Dict{jen.Id("Name"): jen.Lit(p.Name), jen.Id("Shape"): listCode(jen.Int(), p.Shape)}
				if p.Grad != "" {
					v[jen.Id("Trained")] = jen.True()
				}
				if p.Init != (ir.Init{}) {
					v[jen.Id("Init")] = initCode(p.Init)
				}
				if p.New {
					v[jen.Id("New")] = jen.True()
				}
				if p.Rows {
					v[jen.Id("Rows")] = jen.True()
				}
				g.Line().Values(v)
			}
			g.Line()
		}),
		jen.Id("States"): jen.Index().Qual(trainerPath, "Param").ValuesFunc(func(g *jen.Group) {
			for _, s := range e.keptParams() {
				g.Line().Values(jen.Dict{jen.Id("Name"): jen.Lit(s.Name), jen.Id("Shape"): listCode(jen.Int(), s.Shape)})
			}
			g.Line()
		}),
		jen.Id("Targets"): e.targetsCode(),
	}
	d[jen.Id("Nodes")] = e.nodeCounts()
	if losses := e.p.Training.Losses; len(losses) > 0 {
		d[jen.Id("Losses")] = jen.Index().Qual(trainerPath, "Loss").ValuesFunc(func(g *jen.Group) {
			for _, l := range losses {
				g.Values(jen.Dict{jen.Id("Name"): jen.Lit(l.Name), jen.Id("Weight"): jen.Lit(l.Weight)})
			}
		})
	}
	if counts := e.p.Training.Counts; len(counts) > 0 {
		d[jen.Id("Counts")] = countsCode(counts)
	}
	e.perturbation(d)
	e.exampleRules(d)
	if twins := e.p.Training.Twins; len(twins) > 0 {
		d[jen.Id("Twins")] = jen.Index().Qual(trainerPath, "Twin").ValuesFunc(func(g *jen.Group) {
			for _, w := range twins {
				g.Values(jen.Dict{jen.Id("Name"): jen.Lit(w.Name), jen.Id("Of"): jen.Lit(w.Of)})
			}
		})
	}
	e.merges(d)
	e.models(d)
	if m.Threads > 0 {
		d[jen.Id("Threads")] = jen.Lit(m.Threads)
	}
	if e.places.keyCount > 0 {
		d[jen.Id("Keys")] = jen.Lit(e.places.keyCount)
	}
	if updates := e.p.Training.Updates; len(updates) > 0 {
		d[jen.Id("Optimizers")] = jen.Index().Qual(trainerPath, "Optimizer").ValuesFunc(func(g *jen.Group) {
			for _, u := range updates {
				g.Add(optimizerCode(u.Name, u.Numbers))
			}
		})
	}
	return d
}

// perturbation adds what a program with a perturbed input has, and the values that it keeps for `verify`.
func (e *emitter) perturbation(d jen.Dict) {
	if noise := e.p.Training.Noise; noise > 0 {
		d[jen.Id("Noise")] = jen.Lit(noise)
	}
	if traced := e.p.Training.Traced; len(traced) > 0 {
		d[jen.Id("Traced")] = listCode(jen.String(), traced)
	}
}

// exampleRules adds how a trainer makes the examples of a step, and how many there are.
func (e *emitter) exampleRules(d jen.Dict) {
	if n := e.p.Training.Epochs; n > 0 {
		d[jen.Id("Epochs")] = jen.Lit(n)
	}
	if n := e.p.Training.Batch; n > 0 {
		d[jen.Id("Batch")] = jen.Lit(n)
	}
	if n := e.p.Training.Negatives; n > 0 {
		d[jen.Id("Negatives")] = jen.Lit(n)
	}
	m := e.p.Training.Masking
	if m == nil {
		return
	}
	of := jen.Dict{jen.Id("Share"): jen.Lit(m.Share), jen.Id("Runs"): jen.Lit(m.Runs)}
	for name, share := range map[string]float64{"Keep": m.Keep, "Random": m.Random} {
		if share > 0 {
			of[jen.Id(name)] = jen.Lit(share)
		}
	}
	if m.Words {
		of[jen.Id("Words")] = jen.True()
	}
	d[jen.Id("Masking")] = jen.Op("&").Qual(trainerPath, "Masking").Values(jen.Dict{
		jen.Id("Rule"):    jen.Qual(runtimePath+"/masking", "Rule").Values(of),
		jen.Id("Targets"): listCode(jen.String(), m.Targets),
	})
}

// targetsCode returns the literal of the targets.
func (e *emitter) targetsCode() jen.Code {
	return jen.Index().Qual(trainerPath, "Target").ValuesFunc(func(g *jen.Group) {
		for _, t := range e.targets() {
			v := jen.Dict{jen.Id("Name"): jen.Lit(t.Name)}
			if x, ok := t.Type.Shape[0].Extent(); ok {
				v[jen.Id("Rows")] = jen.Qual(runtimePath+"/ragged", x.Row().Symbol)
			}
			if t.Type.DType == ir.F32 {
				v[jen.Id("Floats")] = jen.True()
			}
			e.targetCheck(t.Name, v)
			if len(t.Type.Shape) > 1 {
				v[jen.Id("Columns")] = jen.Lit(t.Type.Shape[1].N)
			}
			g.Values(v)
		}
	})
}

// countsCode returns the literal of what a pass over a part of a batch needs to know of the whole.
func countsCode(counts []ir.Count) jen.Code {
	return jen.Index().Qual(trainerPath, "Count").ValuesFunc(func(g *jen.Group) {
		for _, c := range counts {
			v := jen.Dict{jen.Id("Name"): jen.Lit(c.Name)}
			if c.Target != "" {
				v[jen.Id("Target")] = jen.Lit(c.Target)
			}
			if x, ok := c.Rows.Extent(); ok {
				v[jen.Id("Rows")] = jen.Qual(runtimePath+"/ragged", x.Row().Symbol)
			}
			countCode(c, v)
			g.Values(v)
		}
	})
}

// countCode adds what a count counts, if it is not rows.
func countCode(c ir.Count, v jen.Dict) {
	if c.Of == ir.RowCount {
		return
	}
	v[jen.Id("Of")] = jen.Qual(trainerPath, string(c.Of))
	if c.Widths > 0 {
		v[jen.Id("Widths")] = jen.Lit(c.Widths)
	}
	if c.Weights != nil {
		v[jen.Id("Weights")] = listCode(jen.Float64(), c.Weights)
	}
}

// listCode returns the literal of a slice.
func listCode[E any](elem jen.Code, list []E) *jen.Statement {
	return jen.Index().Add(elem).ValuesFunc(func(g *jen.Group) {
		for _, x := range list {
			g.Lit(x)
		}
	})
}

// initCode returns the literal of trainer.Init.
func initCode(i ir.Init) jen.Code {
	d := jen.Dict{}
	for _, f := range []struct {
		name  string
		value float64
	}{{"Mean", i.Mean}, {"Normal", i.Normal}, {"Uniform", i.Uniform}} {
		if f.value != 0 {
			d[jen.Id(f.name)] = jen.Lit(f.value)
		}
	}
	return jen.Qual(trainerPath, "Init").Values(d)
}

// optimizerCode returns the fields of a trainer.Optimizer.
func optimizerCode(name string, o *ir.UpdateNumbers) jen.Code {
	set := func(d jen.Dict, name string, value any) {
		if !reflect.ValueOf(value).IsZero() {
			d[jen.Id(name)] = jen.Lit(value)
		}
	}
	course, d := jen.Dict{}, jen.Dict{}
	set(course, "Peak", o.Peak)
	set(course, "Final", o.Final)
	set(course, "Steps", o.Steps)
	set(course, "Warmup", o.Warmup)
	set(course, "Course", o.Course)
	set(course, "Power", o.Power)
	set(course, "FromStart", o.FromStart)
	set(d, "Name", name)
	set(d, "Kind", o.Kind)
	set(d, "Beta1", o.Beta1)
	set(d, "Beta2", o.Beta2)
	set(d, "Eps", o.Eps)
	set(d, "Correct", o.Correct)
	set(d, "Every", o.Every)
	set(d, "Warmup", o.Share)
	d[jen.Id("Rate")] = jen.Qual(runtimePath+"/rate", "Schedule").Values(course)
	return jen.Values(d)
}
