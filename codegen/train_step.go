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
	f.Func().Id("bind").Params(jen.Id("x").Op("*").Qual(trainerPath, "Exec"), jen.Id("isa").Add(cpu("ISA"))).Params(jen.Qual(trainerPath, "Step"), jen.Error()).
		BlockFunc(func(g *jen.Group) {
			g.Id("k").Op(":=").Id("tableFor").Call(jen.Id("isa"))
			g.If(jen.Id("k").Op("==").Nil()).Block(
				jen.Return(jen.Qual(trainerPath, "Step").Values(), jen.Qual("fmt", "Errorf").Call(jen.Lit("this build has no kernels for %v"), jen.Id("isa"))),
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
			step := jen.Dict{jen.Id("Pass"): jen.Id("e").Dot("pass")}
			for _, stage := range e.stages() {
				step[jen.Id(title(stage))] = jen.Id("e").Dot(stage)
			}
			g.Return(jen.Qual(trainerPath, "Step").Values(step), jen.Nil())
		})
}

// stages lists the stages that follow the pass.
func (e *emitter) stages() (list []string) {
	for _, stage := range []ir.Stage{ir.Norm, ir.Apply, ir.Lookahead} {
		if name := stageNames[stage]; len(e.runs(name)) > 0 {
			list = append(list, name)
		}
	}
	return list
}

// stageNames maps the stages of an update to the methods that run them. The pass over the batch, which has no name here, adds up the gradients too.
var stageNames = map[ir.Stage]string{ir.Norm: "norm", ir.Apply: "apply", ir.Lookahead: "lookahead"}

// stageOf returns the name of the stage that runs a region.
func (e *emitter) stageOf(r *ir.Region) string {
	for _, u := range e.p.Training.Updates {
		if name := stageNames[u.Stages[r.Name]]; name != "" {
			return name
		}
	}
	return ""
}

// runMethod declares the schedule.
func (e *emitter) runMethod(f *jen.File) {
	f.Comment("pass places the activations and computes the loss and the gradients of a batch.")
	f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id("pass").Params().Error().BlockFunc(func(g *jen.Group) {
		g.Id("l").Op(":=").Id("place").Call(jen.Id("e").Dot("Sizes"))
		g.List(jen.Id("e").Dot("tokens"), jen.Id("e").Dot("sequences")).Op("=").List(jen.Id("e").Dot("T"), jen.Id("e").Dot("B"))
		g.For(jen.Id("i").Op(",").Id("at").Op(":=").Range().Id("l").Dot("slot")).Block(raw("e.place[i] = e.F32(at)"))
		for _, i := range e.inside() {
			g.Add(raw("e.%s = e.place[%d]", slotField(i), i))
		}
		for _, p := range e.places.regions {
			if len(p.values) > 0 {
				g.Add(raw("trainer.Fill(e.%s, e.place, %s)", p.all(), p.table()))
			}
		}
		if e.usesScratch() {
			g.Add(raw("e.scratchBase, e.scratchLen = e.F32(l.scratch), int(l.scratchLen)"))
		}
		e.setBatchFields(g)
		for _, t := range e.given() {
			kind := "Floats"
			switch {
			case t.Type.DType == ir.I32:
				kind = "Integers"
			case t.Type.Shape[0].Const():
				kind = "Numbers"
			}
			g.Add(raw("e.%s = unsafe.SliceData(e.%s(%q))", camel(t.Name), kind, t.Name))
		}
		g.Line()
		e.stage(g, "")
	})
	for _, stage := range e.stages() {
		f.Commentf("%s runs the calls that %s.", stage, map[string]string{"norm": "compute the norm of all gradients",
			"apply": "change the tensors by their gradients", "lookahead": "mix the tensors with their slow weights"}[stage])
		f.Func().Params(jen.Id("e").Op("*").Id("exec")).Id(stage).Params().Error().BlockFunc(func(g *jen.Group) { e.stage(g, stage) })
	}
}

// stage writes the calls of a stage, and passes the outputs of the program that they compute to the trainer.
func (e *emitter) stage(g *jen.Group, stage string) {
	written := map[string]bool{}
	for _, c := range e.runs(stage) {
		e.trainCall(g, c)
		for l := min(c.first, c.last); l <= max(c.first, c.last); l++ {
			for _, v := range c.region.Out {
				written[ir.At(v.Name, l)] = true
			}
		}
	}
	for _, name := range e.p.Outputs {
		if slices.Contains(e.p.Training.Traced, name) {
			if written[name] {
				e.traceCode(g, name)
			}
			continue
		}
		if s, ok := e.slot["\x00"+name]; ok && written[name] {
			g.Add(raw("e.Set(%q, *e.place[%d])", name, s))
		}
	}
	g.Return(jen.Nil())
}

// traceCode passes the rows of a value of the store to the trainer.
func (e *emitter) traceCode(g *jen.Group, name string) {
	_, v := e.p.Writer(name)
	g.Add(raw("e.Trace(%q, e.place[%d], %s, %d, %d)", name, e.slot["\x00"+name], rowsOf(v), v.Type.Shape[1].N, v.LD))
}

// layers is a row of calls of one region whose layers rise or fall by one.
type layers struct {
	region      *ir.Region
	first, last int
}

// runs joins neighbouring calls of a stage to loops.
func (e *emitter) runs(stage string) (list []layers) {
	for r, l := range ir.Steps(e.calls) {
		if e.stageOf(r) != stage {
			continue
		}
		if n := len(list) - 1; n >= 0 && list[n].region == r {
			p := &list[n]
			if way := l - p.last; (way == 1 || way == -1) && (p.first == p.last || (p.last > p.first) == (way > 0)) {
				p.last = l
				continue
			}
		}
		list = append(list, layers{r, l, l})
	}
	return list
}

// trainCall writes the calls of a region for some layers.
func (e *emitter) trainCall(g *jen.Group, c layers) {
	name := camel(c.region.Name)
	body := []jen.Code{
		jen.If(raw("err := e.Layer(%q)", c.region.Name), raw("err != nil")).Block(jen.Return(jen.Err())),
	}
	switch {
	case c.first == c.last:
		for _, s := range append(body, raw("e.%s(%d)", name, c.first)) {
			g.Add(s)
		}
	case c.first < c.last:
		g.For(raw("l := %d; l <= %d; l++", c.first, c.last)).Block(append(body, raw("e.%s(l)", name))...)
	default:
		g.For(raw("l := %d; l >= %d; l--", c.first, c.last)).Block(append(body, raw("e.%s(l)", name))...)
	}
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
	f.Comment("NewTrainer opens the weights at path, a file or a folder in safetensors form, and makes a trainer of them.")
	f.Func().Id("NewTrainer").Params(jen.Id("path").String(), jen.Id("opts").Op("...").Qual(trainerPath, "Option")).
		Params(jen.Op("*").Qual(trainerPath, "Trainer"), jen.Error()).
		Block(jen.Return(jen.Qual(trainerPath, "Open").Call(jen.Id("Program").Call(), jen.Id("path"), jen.Id("opts").Op("..."))))
	return e.add("trainer.go", f)
}

// targetCheck adds what holds for the integers of a target.
func (e *emitter) targetCheck(name string, v jen.Dict) {
	check := map[string]string{"target": "Classes", "target.start": "Tokens", "target.end": "Tokens", "target.group": "Groups"}[name]
	if check == "" {
		return
	}
	v[jen.Id("Check")] = jen.Qual(trainerPath, check)
	if check == "Classes" {
		v[jen.Id("Below")] = jen.Lit(e.p.Meta.Columns)
	}
}

// nodesOfPass counts the nodes that a pass runs: those up to the loss, and those that compute the gradients.
func (e *emitter) nodesOfPass() (forward, backward int) {
	before := true
	for r := range ir.Steps(e.p.Run) {
		switch {
		case e.stageOf(r) != "":
		case before:
			forward += len(r.Nodes)
			before = !slices.ContainsFunc(r.Out, func(v *ir.Value) bool { return v.Name == lossName })
		default:
			backward += len(r.Nodes)
		}
	}
	return forward, backward
}

// lossName is the name of the loss in the store.
const lossName = "loss"

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
				v := jen.Dict{jen.Id("Name"): jen.Lit(p.Name), jen.Id("Shape"): jen.Index().Int().ValuesFunc(func(g *jen.Group) {
					for _, n := range p.Shape {
						g.Lit(n)
					}
				})}
				if p.Grad != "" {
					v[jen.Id("Trained")] = jen.True()
				}
				if p.Init != nil {
					v[jen.Id("Init")] = initCode(p.Init)
				}
				g.Line().Values(v)
			}
			g.Line()
		}),
		jen.Id("States"): jen.Index().Qual(trainerPath, "Param").ValuesFunc(func(g *jen.Group) {
			for _, u := range e.p.Training.Updates {
				for _, s := range u.Kept {
					g.Line().Values(jen.Dict{jen.Id("Name"): jen.Lit(s.Name), jen.Id("Shape"): jen.Index().Int().ValuesFunc(func(g *jen.Group) {
						for _, n := range s.Shape {
							g.Lit(n)
						}
					})})
				}
			}
			g.Line()
		}),
		jen.Id("Targets"): jen.Index().Qual(trainerPath, "Target").ValuesFunc(func(g *jen.Group) {
			for _, t := range e.targets() {
				v := jen.Dict{jen.Id("Name"): jen.Lit(t.Name)}
				if x, ok := t.Type.Shape[0].Extent(); ok {
					v[jen.Id("Rows")] = jen.Qual(runtimePath+"/ragged", x.Row().Symbol)
				}
				if t.Type.DType == ir.F32 {
					v[jen.Id("Floats")] = jen.True()
				} else {
					e.targetCheck(t.Name, v)
				}
				if len(t.Type.Shape) > 1 {
					v[jen.Id("Columns")] = jen.Lit(t.Type.Shape[1].N)
				}
				g.Values(v)
			}
		}),
	}
	forward, backward := e.nodesOfPass()
	d[jen.Id("Forward")], d[jen.Id("Backward")] = jen.Lit(forward), jen.Lit(backward)
	if counts := e.p.Training.Counts; len(counts) > 0 {
		d[jen.Id("Counts")] = jen.Index().Qual(trainerPath, "Count").ValuesFunc(func(g *jen.Group) {
			for _, c := range counts {
				v := jen.Dict{jen.Id("Name"): jen.Lit(c.Name)}
				if c.Target != "" {
					v[jen.Id("Target")] = jen.Lit(c.Target)
				}
				if x, ok := c.Rows.Extent(); ok {
					v[jen.Id("Rows")] = jen.Qual(runtimePath+"/ragged", x.Row().Symbol)
				}
				g.Values(v)
			}
		})
	}
	e.perturbation(d)
	if m.Threads > 0 {
		d[jen.Id("Threads")] = jen.Lit(m.Threads)
	}
	if e.places.keyCount > 0 {
		d[jen.Id("Keys")] = jen.Lit(e.places.keyCount)
	}
	for _, u := range e.p.Training.Updates {
		if u.Numbers != nil {
			d[jen.Id("Optimizer")] = optimizerCode(u.Name, u.Numbers)
		}
	}
	return d
}

// perturbation adds what a program with a perturbed input has, and the values that it keeps for `verify`.
func (e *emitter) perturbation(d jen.Dict) {
	if noise := e.p.Training.Noise; noise > 0 {
		d[jen.Id("Noise")] = jen.Lit(noise)
	}
	if traced := e.p.Training.Traced; len(traced) > 0 {
		d[jen.Id("Traced")] = jen.Index().String().ValuesFunc(func(g *jen.Group) {
			for _, name := range traced {
				g.Lit(name)
			}
		})
	}
}

// initCode returns the literal of trainer.Init.
func initCode(i *ir.Init) jen.Code {
	d := jen.Dict{}
	for _, f := range []struct {
		name  string
		value float64
	}{{"Mean", i.Mean}, {"Normal", i.Normal}, {"Uniform", i.Uniform}} {
		if f.value != 0 {
			d[jen.Id(f.name)] = jen.Lit(f.value)
		}
	}
	return jen.Op("&").Qual(trainerPath, "Init").Values(d)
}

// optimizerCode returns the literal of trainer.Optimizer.
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
	return jen.Op("&").Qual(trainerPath, "Optimizer").Values(d)
}
